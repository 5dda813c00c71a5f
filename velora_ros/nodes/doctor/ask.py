"""Asks the user to move joints by hand, and compares the moves with the joint states."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from rclpy.serialization import deserialize_message

from velora_ros.doctor.check_joint_order import AMOUNT, MoveWatch, judge_move
from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import ExpectedJoint
from velora_ros.nodes.doctor.decode import newest_positions
from velora_ros.nodes.doctor.listen import Listener
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.utils.output import write_line

STATES = 'sensor_msgs/msg/JointState'


def ask_to_move(
    listener: Listener,
    topic: str,
    joints: Sequence[ExpectedJoint],
    *,
    patience: float,
    names: Sequence[str],
    directions: Mapping[str, str],
) -> list[Finding]:
    """
    Ask the user to move each joint in its positive direction, and check how the joint states change.

    Args:
        listener: receives the robot's messages.
        topic: the topic of the joint states.
        joints: the joints to be moved.
        patience: longest wait for each move [s].
        names: all joints of the robot.
        directions: the positive direction of joints in words, by name.
    """
    findings = []
    for joint in joints:
        direction = f': {directions[joint.name]}' if joint.name in directions else ''
        findings.append(_ask_for(listener, topic, joint, direction, patience=patience, names=names))
    return findings


def _ask_for(
    listener: Listener, topic: str, joint: ExpectedJoint, direction: str, *, patience: float, names: Sequence[str]
) -> Finding:
    amount = f'{AMOUNT} rad ({np.degrees(AMOUNT):.0f} degrees)' if joint.is_revolute else f'{AMOUNT} m'
    watch = MoveWatch(names)
    deadline = time.monotonic() + patience
    asked = False
    for message in listener.until(lambda: time.monotonic() > deadline):
        if message.topic != topic:
            continue
        state = deserialize_message(message.data, interface_class(STATES))
        moved = watch.add(message.received * 1e-9, newest_positions(state))
        if watch.has_begun and not asked:
            write_line(
                f"Move '{joint.name}' by about {amount} in its positive direction{direction}, and hold it there."
            )
            asked = True
        if moved is not None:
            finding = judge_move(joint, names, moved)
            write_line(f'  {finding.level}: {finding.text}')
            return finding
    text = (
        f'no joint was moved within {patience:g} s, so the order and the sign of this joint are not known; try again, '
        'with a longer --patience if needed.'
    )
    return Finding('mend', 'order', joint.name, text)
