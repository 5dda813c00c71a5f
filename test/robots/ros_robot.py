"""A robot's driver that publishes joint states at 50 Hz until it is stopped."""

import rclpy
from rclpy.executors import ExternalShutdownException
from sensor_msgs.msg import JointState

rclpy.init()
node = rclpy.create_node('driver', enable_rosout=False)
states = node.create_publisher(JointState, 'joint_states', 1)


def publish():
    message = JointState(name=['slider', 'hinge'], position=[0.1, -0.2], velocity=[0.3, -0.4])
    message.header.stamp = node.get_clock().now().to_msg()
    states.publish(message)


node.create_timer(0.02, publish)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
finally:
    node.destroy_node()  # else the middleware's threads outlive the interpreter, which has crashed a process
    rclpy.try_shutdown()
