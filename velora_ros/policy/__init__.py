"""The deployable policy: one file, and the runtime that steps it without torch."""

from velora_ros.policy.policy import Policy
from velora_ros.policy.policy_file import PolicyFile

__all__ = ['Policy', 'PolicyFile']
