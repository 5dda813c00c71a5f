"""What a check found, and the report of all of them."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

Level = Literal['ok', 'note', 'mend']


class Finding(NamedTuple):
    """
    What a check found.

    Args:
        level: ``ok`` is in order, ``note`` is worth knowing, ``mend`` must be mended before the robot is armed.
        check: what was checked, such as ``rate`` or ``sign``.
        about: what it is about: a topic, a joint, the policy.
        text: what was found, and for ``mend`` what to do.
    """

    level: Level
    check: str
    about: str
    text: str


def is_ready(findings: Iterable[Finding]) -> bool:
    """Return whether nothing must be mended."""
    return all(finding.level != 'mend' for finding in findings)


def report(findings: Sequence[Finding], good: str = 'ready') -> list[str]:
    """Return one line for each finding, then ``good`` or the list of what to mend."""
    width = max((len(f'{one.check} {one.about}') for one in findings), default=0)
    lines = [f'  {one.level:<4}  {f"{one.check} {one.about}":<{width}}  {one.text}' for one in findings]
    wrong = [one for one in findings if one.level == 'mend']
    if not wrong:
        return [*lines, good]
    numbered = [f'  {number}. {one.about}: {one.text}' for number, one in enumerate(wrong, 1)]
    return [*lines, f'not ready, {len(wrong)} to mend:', *numbered]


def as_json(findings: Sequence[Finding], **about: Any) -> dict[str, Any]:
    """Return the report as values that JSON can hold."""
    return {'event': 'doctor', 'ready': is_ready(findings), **about, 'findings': [one._asdict() for one in findings]}
