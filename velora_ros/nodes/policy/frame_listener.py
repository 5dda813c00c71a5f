"""Reads ``tf`` and ``tf_static``, if their message type is installed, to convert goals from other frames."""

from collections.abc import Callable
from typing import Any

from velora_ros.contract.frame_tree import FrameTree
from velora_ros.errors import ObservationError
from velora_ros.nodes.ros.message_types import interface_class, is_installed

TF = 'tf2_msgs/msg/TFMessage'


def make_frame_tree() -> FrameTree | None:
    """Return an empty tree of frames; None if the messages of ``tf`` are not installed."""
    return FrameTree() if is_installed(TF) else None


def listen_to_frames(tree: FrameTree, subscribe: Callable[..., Any], warn: Callable[[str], None]) -> None:
    """
    Subscribe to ``tf`` and ``tf_static``, and keep a tree of frames up to date.

    Args:
        tree: the frames.
        subscribe: creates a subscription, ``subscribe(row, callback, kind=...)``.
        warn: called with a sentence about each transform that cannot be used.
    """
    for row in ('tf', 'tf_static'):
        subscribe(row, lambda message: take(message, tree, warn), kind=interface_class(TF))


def take(message: Any, tree: FrameTree, warn: Callable[[str], None]) -> None:
    """Add the transforms of a message to a tree; warn about each transform that cannot be used."""
    for one in message.transforms:
        place, turn = one.transform.translation, one.transform.rotation
        try:
            tree.update(
                one.header.frame_id,
                one.child_frame_id,
                (place.x, place.y, place.z),
                (turn.w, turn.x, turn.y, turn.z),
            )
        except ObservationError as error:
            warn(str(error))
