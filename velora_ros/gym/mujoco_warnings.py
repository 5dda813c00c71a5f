"""Where MuJoCo's warnings go: by default to standard error and into a file MUJOCO_LOG.TXT, one for each bad step."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def warnings_to(take: Callable[[str], None]) -> Iterator[None]:
    """
    Hand MuJoCo's warnings of the whole process to a function for a while; without MuJoCo there are none.

    Args:
        take: called with each warning; it must not raise.
    """
    try:
        import mujoco  # noqa: PLC0415 - an environment without MuJoCo must not need it
    except ImportError:
        yield
        return
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(take)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)
