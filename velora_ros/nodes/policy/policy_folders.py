"""Checks which policies policy_node may load: the file's folder, names of shipped policies, equal specifications."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError, SpecError
from velora_ros.policy.file_kinds import why_no_policy
from velora_ros.policy.foreign.foreign_policy_file import is_foreign
from velora_ros.spec import PolicySpec
from velora_ros.utils.shipped_files import share_path


class PolicyFolders:
    """
    The folders from which policies may be loaded.

    Args:
        folders: the folders that the user allows.
        start: the policy with which the node was started; its folder and the folder of the shipped policies are allowed
            too.
    """

    def __init__(self, folders: Iterable[str], start: str) -> None:
        shipped = share_path('policies')
        trusted = [*shipped.glob('*.safetensors'), *([policy_path(start)] if start else [])]
        found = [shipped, *map(_folder, folders), *(path.parent for path in trusted)]
        # An installation may consist of links, so the folders to which they point are trusted too.
        with _looking_up(start):
            found = [folder.resolve() for folder in found] + [path.resolve().parent for path in trusted]
        self._folders = list(dict.fromkeys(found))

    def check(self, given: str, *, exists: bool = False) -> Path:
        """
        Return the file of a policy.

        Args:
            given: the path of the policy, or the name of a shipped one.
            exists: whether to check that it is an existing policy file.

        Raises:
            ConfigError: the file, after links are followed, is not in any of the folders; its path cannot be resolved;
                or, with ``exists``, it is not a policy file.
        """
        path = policy_path(given)
        with _looking_up(given):
            real, is_file = _resolved(path), path.is_file()
        if not any(real.is_relative_to(folder) for folder in self._folders):
            raise ConfigError(
                f"the policy '{given}' is not in any of the folders from which policies are loaded: "
                f"{', '.join(map(str, self._folders))}. Start the node with the policy's folder in 'policy_dirs'."
            )
        # Checked before the running policy changes; an ONNX model is checked when it is loaded.
        if exists and not is_foreign(path) and (why := why_no_policy(path)):
            raise ConfigError(f"the policy '{path}': {why}")
        if exists and not is_file:
            raise ConfigError(f"there is no policy file '{path}'; give the path of an existing file.")
        return path


def policy_path(given: str) -> Path:
    """
    Return the path of a policy file; if ``given`` is not an existing file, of the shipped policy with this name.

    Raises:
        ConfigError: the name is empty or cannot be resolved.
    """
    if not given:
        raise ConfigError("the parameter 'policy' is empty; give the path of a policy file (.safetensors or .onnx).")
    with _looking_up(given):
        path = Path(given).expanduser()
        shipped = share_path('policies', given if given.endswith('.safetensors') else f'{given}.safetensors')
        return shipped if not path.exists() and shipped.exists() else path


def _resolved(path: Path) -> Path:
    """Return a path with its links followed. A circle of links raises OSError; resolve() raises only before 3.13."""
    with suppress(FileNotFoundError, NotADirectoryError):
        path.stat()
    return path.resolve()


def _folder(given: str) -> Path:
    with _looking_up(given):
        return Path(given).expanduser().resolve()


@contextmanager
def _looking_up(given: str) -> Iterator[None]:
    """Turn system errors about a path, such as a name that is too long or an unknown user, into ConfigError."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the path '{given}' cannot be resolved: {error}. Give a path that this user can read."
        ) from error


def check_same_spec(new: PolicySpec, running: PolicySpec) -> None:
    """
    Check that a policy can replace the running one.

    Raises:
        SpecError: their specifications differ; the message lists the differences.
    """
    if new != running:
        changes = [f'{name} is {_shown(now)} instead of {_shown(was)}' for name, was, now in running.differences(new)]
        raise SpecError(
            f'the new policy does not fit the running one: {"; ".join(changes)}. To change to it, clean the node up '
            'and configure it again.'
        )


def _shown(value: Any) -> str:
    return f'[{", ".join(map(str, value))}]' if isinstance(value, tuple) else str(value)
