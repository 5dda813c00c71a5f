"""The policy for a robot: its file, and the runtime that steps it without torch."""

from velora_ros.policy.policy import Policy
from velora_ros.policy.policy_file import PolicyFile

__all__ = ['Policy', 'PolicyFile']
