"""The deployable policy: one file, and the runtime that steps it without torch."""

from velora_ros.policy.policy_file import PolicyFile
from velora_ros.policy.runtime import Policy

__all__ = ['Policy', 'PolicyFile']
