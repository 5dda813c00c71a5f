"""Start a node's executable, wait for its first message and stop it with SIGINT; exit 1 if any of this fails."""

import argparse
import signal
import subprocess
import sys
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

PATIENCE_S = 60.0


def wait_for_message(topic: str, process: subprocess.Popen[bytes]) -> bool:
    """Return whether a JointState arrived while the process ran."""
    node = rclpy.create_node('try_node')
    received: list[JointState] = []
    node.create_subscription(JointState, topic, received.append, qos_profile_sensor_data)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not received and process.poll() is None and time.monotonic() < deadline:
            rclpy.spin_once(node, timeout_sec=0.1)
    finally:
        node.destroy_node()
    return bool(received)


def main() -> int:
    """Run the check and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('executable')
    parser.add_argument('--topic', default='joint_states')
    arguments = parser.parse_args()
    rclpy.init()
    process = subprocess.Popen([arguments.executable, '--ros-args', '--log-level', 'warn'], start_new_session=True)
    try:
        received = wait_for_message(arguments.topic, process)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=PATIENCE_S)
    finally:
        process.kill()
        rclpy.try_shutdown()
    print(
        f'{arguments.executable}: {"published" if received else "published nothing"}, exit status {code} after SIGINT'
    )
    return 0 if received and code == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
