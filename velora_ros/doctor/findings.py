"""Findings of the checks, and the report that lists them."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

Level = Literal['ok', 'note', 'mend']


class Finding(NamedTuple):
    """
    The finding of a check.

    Args:
        level: ``ok`` if it is correct, ``note`` if the user should know it, ``mend`` if it must be corrected before the
            robot is armed.
        check: the kind of check, such as ``rate`` or ``sign``.
        about: the subject of the check: a topic, a joint or the policy.
        text: the finding, and for ``mend`` what to do.
    """

    level: Level
    check: str
    about: str
    text: str


def is_ready(findings: Iterable[Finding]) -> bool:
    """Return whether no finding has the level ``mend``."""
    return all(finding.level != 'mend' for finding in findings)


def report(findings: Sequence[Finding], good: str = 'ready') -> list[str]:
    """Return one line for each finding, and then ``good``, or the list of findings that must be corrected."""
    width = max((len(f'{one.check} {one.about}') for one in findings), default=0)
    lines = [f'  {one.level:<4}  {f"{one.check} {one.about}":<{width}}  {one.text}' for one in findings]
    wrong = [one for one in findings if one.level == 'mend']
    if not wrong:
        return [*lines, good]
    numbered = [f'  {number}. {one.about}: {one.text}' for number, one in enumerate(wrong, 1)]
    return [*lines, f'not ready, {len(wrong)} to correct:', *numbered]


def as_json(findings: Sequence[Finding], **about: Any) -> dict[str, Any]:
    """Return the findings as a dictionary for JSON, with the additional values ``about``."""
    return {'event': 'doctor', 'ready': is_ready(findings), **about, 'findings': [one._asdict() for one in findings]}
