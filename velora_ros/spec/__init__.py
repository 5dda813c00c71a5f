"""What a policy reads and commands (:class:`PolicySpec`), and how that reaches a robot (:class:`RobotContract`)."""

from velora_ros.spec.policy_spec import PolicySpec, split_unit
from velora_ros.spec.robot_contract import RobotCommand, RobotContract, Source

__all__ = ['PolicySpec', 'RobotCommand', 'RobotContract', 'Source', 'split_unit']
