"""Which policy files policy_node may load: allowed folders, names of shipped policies, and the same specification."""

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
        start: the policy with which the node was started; its folder and that of the shipped policies are allowed too.
    """

    def __init__(self, folders: Iterable[str], start: str) -> None:
        shipped = share_path('policies')
        trusted = [*shipped.glob('*.safetensors'), *([policy_path(start)] if start else [])]
        found = [shipped, *map(_folder, folders), *(path.parent for path in trusted)]
        # An installation may consist of links; the folders of the files to which trusted links point are trusted too.
        with _looking_up(start):
            found = [folder.resolve() for folder in found] + [path.resolve().parent for path in trusted]
        self._folders = list(dict.fromkeys(found))

    def check(self, given: str, *, exists: bool = False) -> Path:
        """
        Return the file of a policy.

        Args:
            given: its path, or the name of a shipped policy.
            exists: whether it must be a policy file that exists.

        Raises:
            ConfigError: its real path, with links followed, is not in any of the folders; it cannot be resolved; or it
                is not a policy file but must be one.
        """
        path = policy_path(given)
        with _looking_up(given):
            real, is_file = _resolved(path), path.is_file()
        if not any(real.is_relative_to(folder) for folder in self._folders):
            raise ConfigError(
                f"the policy '{given}' is not in any of the folders from which policies are loaded: "
                f"{', '.join(map(str, self._folders))}. Start the node with its folder in 'policy_dirs'."
            )
        # Checked before the running policy changes; an ONNX model is checked when it is loaded.
        if exists and not is_foreign(path) and (why := why_no_policy(path)):
            raise ConfigError(f"the policy '{path}': {why}")
        if exists and not is_file:
            raise ConfigError(f"there is no policy file '{path}'; give an existing one.")
        return path


def policy_path(given: str) -> Path:
    """
    Return the path of a policy file, or of the shipped policy of that name if there is no such file.

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
    """Turn system errors about a path into ConfigError: too long, an unknown user, a folder without access."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the path '{given}' cannot be resolved: {error}. Give one that this user can read."
        ) from error


def check_same_spec(new: PolicySpec, running: PolicySpec) -> None:
    """
    Check that a policy can replace the running one.

    Raises:
        SpecError: its specification differs; the message says how.
    """
    if new != running:
        changes = [f'{name} is {_shown(now)} instead of {_shown(was)}' for name, was, now in running.differences(new)]
        raise SpecError(f'the new policy does not fit the running one: {"; ".join(changes)}.')


def _shown(value: Any) -> str:
    return f'[{", ".join(map(str, value))}]' if isinstance(value, tuple) else str(value)
