"""The signals that a policy reads and commands (:class:`PolicySpec`), and a robot's (:class:`RobotContract`)."""

from velora_ros.spec.policy_spec import PolicySpec, split_unit
from velora_ros.spec.robot_contract import RobotCommand, RobotContract, Source

__all__ = ['PolicySpec', 'RobotCommand', 'RobotContract', 'Source', 'split_unit']
