"""
The frames of the sources' positions: goals are converted if ``tf`` can be read; all other frames must agree.

If robot and goal were in different frames, the robot would go to the wrong place.
"""

from typing import Any

import numpy as np

from velora_ros.contract.frame_tree import FrameTree, Pose, composed
from velora_ros.errors import ObservationError
from velora_ros.spec import Source

# Types whose header has the frame of their positions; other headers have the sensor's own frame.
_POSITIONED = ('Odometry', 'PoseStamped', 'PointStamped', 'PoseWithCovarianceStamped', 'PoseArray', 'Path')
_CONVERTED = ('PoseStamped', 'PointStamped')
_NO_TF = 'policy_node converts frames only if tf2_msgs is installed.'


class SourceFrames:
    """
    Compares the frames of all sources; an empty frame matches any other.

    Args:
        tree: the frames that ``tf`` has published; None if its message type is not installed.
    """

    def __init__(self, tree: FrameTree | None = None) -> None:
        self.tree = tree
        self.goals: set[str] = set()
        """Names of the sources that are goals; a goal never becomes too old."""
        self._sources: list[Source] = []
        self._frames: dict[str, str] = {}

    def register(self, source: Source) -> bool:
        """Register a source; return whether the frames of its messages are checked."""
        self._sources.append(source)
        return bool(source.frame) or _is_positioned(source)

    @property
    def may_convert(self) -> bool:
        """Whether one of the sources has messages that can be converted."""
        return any(_kind(source) in _CONVERTED for source in self._sources)

    def pose_of(self, source: Source, frame: str) -> Pose | None:
        """
        Return the pose of a message's frame in the required frame; None if no conversion is needed.

        Raises:
            ObservationError: the frames differ, and the message is not a goal or ``tf`` does not connect them.
        """
        if source.frame:
            if _same(frame, source.frame):
                return None
            demanded = f"'observation.{source.name}.frame_id' is '{source.frame}'"
            return self._convert(source, frame, source.frame, f'{demanded}; publish it in that frame')
        wanted = self._frame_of_robot() if source.name in self.goals and self.tree is not None else ''
        if wanted and frame and not _same(frame, wanted):
            pose = self._convert(source, frame, wanted, f"the robot is in '{wanted}'; publish it in that frame")
            self._frames[source.name] = wanted
            return pose
        self._compare(source, frame)
        return None

    def _convert(self, source: Source, frame: str, wanted: str, otherwise: str) -> Pose:
        start = f"the source '{source.name}' is in the frame '{frame}', but {otherwise}"
        if self.tree is None:
            raise ObservationError(f'{start}. {_NO_TF}')
        if _kind(source) not in _CONVERTED or source.name not in self.goals:
            raise ObservationError(f'{start}. Only goals of the types {" and ".join(_CONVERTED)} are converted.')
        try:
            return self.tree.pose(frame, wanted)
        except ObservationError as error:
            raise ObservationError(f'{start}. The message cannot be converted, because {error}') from error

    def _frame_of_robot(self) -> str:
        """Return the frame of the sources other than goals; ``''`` before their first message."""
        return next((frame for name, frame in self._frames.items() if frame and name not in self.goals), '')

    def _compare(self, source: Source, frame: str) -> None:
        self._frames[source.name] = frame
        for other, known in self._frames.items():
            if frame and known and not _same(frame, known):
                raise ObservationError(
                    f"the source '{source.name}' is in the frame '{frame}', but '{other}' is in '{known}'; publish "
                    f"both in one frame, or set 'observation.{source.name}.frame_id' to '{frame}' if that is correct."
                    f'{f" {_NO_TF}" if self.tree is None else ""}'
                )


def move(message: Any, pose: Pose) -> None:
    """Convert a PoseStamped or PointStamped, in place, to the frame in which its own frame has the given pose."""
    given = getattr(message, 'pose', None)
    place = message.point if given is None else given.position
    turn = (1.0, 0.0, 0.0, 0.0)
    if given is not None:
        turn = tuple(getattr(given.orientation, part) for part in 'wxyz')
    moved = composed(pose, Pose(np.array([place.x, place.y, place.z]), np.array(turn)))
    place.x, place.y, place.z = moved.position.tolist()
    if given is not None:
        for part, value in zip('wxyz', moved.orientation.tolist(), strict=True):
            setattr(given.orientation, part, value)


def _kind(source: Source) -> str:
    return source.type.rpartition('/')[2]


def _is_positioned(source: Source) -> bool:
    return _kind(source) in _POSITIONED


def _same(one: str, other: str) -> bool:
    return one.lstrip('/') == other.lstrip('/')
