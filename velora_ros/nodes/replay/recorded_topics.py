"""Finds the recorded topics that a policy reads, and the topic of the recorded commands."""

from velora_ros.errors import RecordingError
from velora_ros.recordings.mcap_reader import Recording

HIDDEN = '/debug/hidden'
_VECTOR = 'std_msgs/msg/Float64MultiArray'


def controller_of(recording: Recording) -> str:
    """Return the full name of the recorded controller, such as ``/robot/policy_node``; ``''`` if there was none."""
    return next((topic.removesuffix(HIDDEN) for topic in recording.channels if topic.endswith(HIDDEN)), '')


def find_topic(recording: Recording, topic: str, kind: str, namespace: str, *, option: str) -> str:
    """
    Return the full name of a recorded topic.

    Args:
        recording: the recording.
        topic: the topic's name, relative or full.
        kind: the full type of its messages.
        namespace: the namespace of relative names, such as ``/robot``; ``/`` is the root.
        option: how the user can name another topic; part of the error.

    Returns:
        The topic of that name. If it was not recorded, for example after a remap, the only topic of that type, unless
        the type is Float64MultiArray, which can be anything.

    Raises:
        RecordingError: there is no such topic, or there are several of that type.
    """
    full = topic if topic.startswith('/') else f'{namespace.rstrip("/")}/{topic}'
    channel = recording.channels.get(full)
    if channel is not None and channel.type == kind:
        return full
    others = [name for name, one in recording.channels.items() if one.type == kind and not _is_own(name)]
    if len(others) == 1 and kind != _VECTOR:
        return others[0]
    there = f'it was recorded as {channel.type}' if channel is not None else 'it was not recorded'
    raise RecordingError(
        f"'{full}' of type {kind} is needed, but {there}; {option}. Recorded topics of this type: "
        f'{", ".join(others) or "none"}.'
    )


def _is_own(topic: str) -> bool:
    """Return whether policy_node publishes this topic for debugging."""
    return '/debug/' in topic
