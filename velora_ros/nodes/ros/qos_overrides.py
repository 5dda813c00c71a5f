"""Checks the ``qos_overrides`` parameters given at the start; rclpy itself ignores misspelt ones silently."""

import difflib
from collections.abc import Sequence

from rclpy.node import Node

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.ros.parameter_table import MISSPELT, warn_of_ignored
from velora_ros.nodes.ros.rclpy_compat import start_values


def check_qos_overrides(node: Node) -> None:
    """
    Refuse a misspelt ``qos_overrides`` parameter, and warn about parameters of other nodes.

    Call this after all topics have been created.

    Raises:
        ConfigError: a parameter is misspelt; the message names the nearest valid one.
    """
    known = list(node.list_parameters(['qos_overrides'], 0).names)
    foreign = []
    for name in sorted(start_values(node)):
        if name.startswith('qos_overrides.') and name not in known:
            near = _near_qos_overrides(name, known)
            if near:
                raise ConfigError(f"the parameter '{name}' matches no topic of this node.{did_you_mean(name, near)}")
            foreign.append(name)
    warn_of_ignored(node, foreign)


def _near_qos_overrides(name: str, known: Sequence[str]) -> list[str]:
    """Return the parameters of this node that ``name`` may be a misspelling of; none if it is another node's."""
    topic, entity, policy = _qos_parts(name)
    parts = {other: _qos_parts(other) for other in known}
    same = [other for other, found in parts.items() if found[:2] == (topic, entity)]
    if same:
        return same  # a topic of this node, but no such QoS policy
    topics = {found[0] for found in parts.values()}
    if topic in topics and entity in ('publisher', 'subscription'):
        return []  # another node's publisher or subscription of the same topic
    near = topics if topic in topics else difflib.get_close_matches(topic, topics, n=1, cutoff=MISSPELT)
    alike = [other for other, found in parts.items() if found[0] in near]
    return [other for other in alike if parts[other][1:] == (entity, policy)] or alike


def _qos_parts(name: str) -> tuple[str, str, str]:
    """Return topic, entity and policy of ``qos_overrides.<topic>.<entity>.<policy>``."""
    rest, _, policy = name.removeprefix('qos_overrides.').rpartition('.')
    topic, _, entity = rest.rpartition('.')
    return topic, entity, policy
