"""
Checks the other ends of policy_node's topics: missing subscribers and publishers, other types, other names.

The graph is checked once a second. A problem is reported when two checks in a row find it: at the first one the other
node may not have been discovered yet.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.subscription import Subscription

from velora_ros.control.contradicting_publishers import Contradictions
from velora_ros.nodes.ros.message_types import canonical_type

# Maximum number of other topics that a message names, and maximum number that are checked.
_NAMED, _CHECKED = 3, 8
# Topics whose names are at least this similar (by difflib's measure) may be meant to be the same.
_SIMILAR = 0.6
# Number of checks for which a contradiction is still reported after it is no longer found.
_REMEMBERED = 5
# A deadline or lease of this length or more is unlimited [ns].
_ENDLESS_NS = 2**62
# The name that Fast DDS gives to programs that are not ROS nodes.
_NO_NODE = '_CREATED_BY_BARE_DDS_APP_'
_NOT_YET_KNOWN = '_NODE_NAME_UNKNOWN_'


class Endpoint(NamedTuple):
    """A publisher or subscriber: its node's full name, its message type, and why its QoS is incompatible, or ``''``."""

    node: str
    kind: str
    incompatible: str = ''


class SourceConnection(NamedTuple):
    """
    A topic from which observations are read.

    Args:
        name: the name of the source.
        topic: the topic as it was configured.
        kind: the full message type.
        subscription: the node's subscription.
        contradictions: detects publishers that contradict each other.
    """

    name: str
    topic: str
    kind: str
    subscription: Subscription
    contradictions: Contradictions


def commands_not_received(
    topic: str,
    kind: str,
    here: Sequence[Endpoint],
    elsewhere: Mapping[str, Sequence[Endpoint]],
    known: Mapping[str, str],
) -> str:
    """
    Return why no node receives the commands on a topic, and what to do.

    Args:
        topic: where the commands are published.
        kind: the type of their messages.
        here: subscribers of the topic.
        elsewhere: subscribers of other topics that may be the intended ones.
        known: short and full names of the types that can be commanded.
    """
    others = [end for end in here if end.kind != kind]
    if others:
        short = canonical_type(others[0].kind, known)
        advice = (
            f"set 'command.type' to {short}" if short in known else f'the types that can be sent are {", ".join(known)}'
        )
        return f"no node receives the commands on '{topic}': {_take(others)}, but this node sends {kind}; {advice}"
    if here:
        return (
            f"no node receives the commands on '{topic}': {here[0].node} subscribes to it with an incompatible quality "
            f'of service ({here[0].incompatible or "unknown"}); set qos_overrides.{topic}.publisher'
        )
    start = f"no node receives the commands on '{topic}' ({kind})"
    if not elsewhere:
        return f"{start}: there is no subscriber; start the robot's driver, or remap 'command' to its topic"
    there = '; '.join(f"on '{other}' {_take(ends)}" for other, ends in elsewhere.items())
    first = next(iter(elsewhere))
    type_too = '' if any(end.kind == kind for end in elsewhere[first]) else " and set 'command.type'"
    return f'{start}, but {there}; if that is this robot, remap command:={first}{type_too}'


def commands_partly_received(topic: str, kind: str, others: Sequence[Endpoint]) -> str:
    """Return the warning that some subscribers receive no commands because they expect another type."""
    return (
        f"some subscribers of '{topic}' receive nothing: {_take(others)}, but this node sends {kind}; set "
        "'command.type' if one of them is the robot"
    )


def source_not_received(
    source: str, topic: str, kind: str, here: Sequence[Endpoint], elsewhere: Mapping[str, Sequence[Endpoint]]
) -> str:
    """Return why nothing arrives from a source, and what to do; ``''`` if the graph shows no reason."""
    others = [end for end in here if end.kind != kind]
    if others:
        return (
            f"nothing is read from '{topic}': {_send(others)} there, but this node reads {kind}; "
            f"set 'observation.{source}.type' or 'observation.{source}.topic'"
        )
    if here:
        return (
            f"nothing is read from '{topic}': {here[0].node} publishes it with an incompatible quality of service "
            f'({here[0].incompatible or "unknown"}); set qos_overrides.{topic}.subscription'
        )
    if not elsewhere:
        return ''
    there = '; '.join(f"on '{other}' {_send(ends)}" for other, ends in elsewhere.items())
    return (
        f"no node publishes '{topic}' ({kind}), but {there}; if that is this robot, set "
        f"'observation.{source}.topic' to '{next(iter(elsewhere))}', or remap the topic"
    )


def contradiction_warning(topic: str, publishers: Sequence[str], signal: str, first: float, second: float) -> str:
    """Return the warning about publishers of a topic that send different values of one signal."""
    return (
        f"'{topic}' has publishers that contradict each other about '{signal}' ({first:.3g} and {second:.3g}): "
        f'{" and ".join(publishers)}; stop all but one'
    )


def similar(topic: str, others: Iterable[str]) -> list[str]:
    """Return the topics that ``topic`` may mean: the same name in other namespaces, then the most similar names."""
    base = topic.rpartition('/')[2]
    ranked = {}
    for other in others:
        ratio = difflib.SequenceMatcher(None, topic, other).ratio()
        if other.rpartition('/')[2] == base or ratio >= _SIMILAR:
            ranked[other] = (other.rpartition('/')[2] != base, -ratio)
    return sorted(ranked, key=ranked.__getitem__)


class ConnectionChecks:
    """
    Checks the subscribers of a node's commands and the publishers of its sources.

    Args:
        node: the node itself.
        command: the publisher of commands.
        kind: the full type of the commands.
        known: short and full names of the types that can be commanded.
        sources: the topics that observations are read from.
    """

    def __init__(
        self,
        node: Node,
        command: Publisher,
        kind: str,
        *,
        known: Mapping[str, str],
        sources: Sequence[SourceConnection],
    ) -> None:
        self._node, self._command, self._kind, self._known, self._sources = node, command, kind, known, sources
        self._own = _full_name(node.get_name(), node.get_namespace())
        self._before: set[str] = set()  # the problems of the last check
        self._now: set[str] = set()
        self.remark = ''
        """While nothing has arrived from the first source: which nodes publish its topic."""
        self._contradictions: dict[
            str, tuple[str, int]
        ] = {}  # by source: the warning, and the number of checks for which it remains

    def check(self, *, armed: bool, waiting: bool) -> list[str]:
        """
        Return the problems, one sentence each.

        Args:
            armed: whether commands are sent, so that a node must receive them.
            waiting: whether no state has arrived yet.
        """
        self._before, self._now = self._now, set()
        found = [self._check_commands(waiting=waiting)] if armed else []
        self.remark = self._remark(self._sources[0]) if waiting and self._is_repeated('waiting') else ''
        for source in self._sources:
            found += [self._check_source(source, waiting=waiting), self._check_contradictions(source)]
        return [text for text in found if text]

    def _remark(self, source: SourceConnection) -> str:
        ends = [end.node for end in self._publishers(source.subscription.topic_name, None) if end.kind == source.kind]
        if not ends:
            return 'no node publishes it'
        return f'nothing has arrived yet from {" and ".join(dict.fromkeys(ends))}'

    def _is_repeated(self, what: str) -> bool:
        """Record a problem; return whether the last check found it too."""
        self._now.add(what)
        return what in self._before

    def _check_commands(self, *, waiting: bool) -> str:
        topic, matched = self._command.topic_name, self._command.get_subscription_count()
        if matched and self._node.count_subscribers(topic) <= matched:
            return ''
        if not self._is_repeated('command'):
            return ''
        here = self._subscribers(topic, self._command.qos_profile)
        if matched:
            others = [end for end in here if end.kind != self._kind]
            return commands_partly_received(topic, self._kind, others) if others else ''
        kinds = [self._kind, *(kind for kind in self._known.values() if kind != self._kind)]
        elsewhere = {} if here else self._elsewhere(topic, kinds, self._subscribers, any_name=self._kind)
        if waiting and not here and not elsewhere:
            return ''  # the robot is not running, which the status reports
        return commands_not_received(topic, self._kind, here, elsewhere, self._known)

    def _check_source(self, source: SourceConnection, *, waiting: bool) -> str:
        topic, matched = source.subscription.topic_name, source.subscription.get_publisher_count()
        if matched and (not waiting or self._node.count_publishers(topic) <= matched):
            return ''
        if not self._is_repeated(source.name):
            return ''
        here = self._publishers(topic, source.subscription.qos_profile)
        if matched:
            here = [end for end in here if end.kind != source.kind]
        any_name = '' if source.kind.startswith('std_msgs/') else source.kind
        elsewhere = {} if here else self._elsewhere(topic, [source.kind], self._publishers, any_name=any_name)
        return source_not_received(source.name, topic, source.kind, here, elsewhere)

    def _check_contradictions(self, source: SourceConnection) -> str:
        several = source.subscription.get_publisher_count() > 1
        source.contradictions.on = several
        found = source.contradictions.find()
        text, checks = self._contradictions.pop(source.name, ('', 0))
        if not several:
            return ''
        if found is None:
            if checks > 1:  # both publishers may agree for a moment while the robot moves
                self._contradictions[source.name] = text, checks - 1
            return text
        if not self._is_repeated(f'{source.name}:') and not text:
            return ''
        topic = source.subscription.topic_name
        publishers = [end.node for end in self._publishers(topic, None) if end.kind == source.kind]
        if not text:  # keeps the first values: a warning with new values would be logged every second
            text = contradiction_warning(topic, publishers, *found)
        self._contradictions[source.name] = text, _REMEMBERED
        return text

    def _elsewhere(
        self,
        topic: str,
        kinds: Sequence[str],
        ends: Callable[[str, QoSProfile | None], list[Endpoint]],
        *,
        any_name: str,
    ) -> dict[str, list[Endpoint]]:
        """Return the endpoints on other topics whose names are similar, or on any topic of the type ``any_name``."""
        topics = {name: types for name, types in self._node.get_topic_names_and_types() if name != topic}
        fitting = [name for name, types in topics.items() if set(types) & set(kinds)]
        near = similar(topic, fitting)
        near += [name for name in fitting if name not in near and any_name and any_name in topics[name]]
        found: dict[str, list[Endpoint]] = {}
        for name in near[:_CHECKED]:
            usable = [end for end in ends(name, None) if end.kind in kinds]
            if usable and len(found) < _NAMED:
                found[name] = usable
        # The advice names the first one.
        return dict(sorted(found.items(), key=lambda item: all(end.kind != kinds[0] for end in item[1])))

    def _subscribers(self, topic: str, qos: QoSProfile | None) -> list[Endpoint]:
        return self._ends(self._node.get_subscriptions_info_by_topic(topic), lambda theirs: (qos, theirs))

    def _publishers(self, topic: str, qos: QoSProfile | None) -> list[Endpoint]:
        return self._ends(self._node.get_publishers_info_by_topic(topic), lambda theirs: (theirs, qos))

    def _ends(self, infos: Iterable[Any], pair: Callable[[QoSProfile], tuple[Any, Any]]) -> list[Endpoint]:
        found = []
        for info in infos:
            name = _full_name(info.node_name, info.node_namespace)
            if name != self._own:
                found.append(Endpoint(name, info.topic_type, _incompatibility(*pair(info.qos_profile))))
        return found


def _incompatibility(publisher: QoSProfile | None, subscription: QoSProfile | None) -> str:
    if publisher is None or subscription is None:
        return ''
    verdict, why = qos_check_compatible(_essentials(publisher), _essentials(subscription))
    reasons = [reason.strip().removeprefix('ERROR: ').lower() for reason in why.strip(' ;').split(';')]
    return ' and '.join(reasons) if verdict == QoSCompatibility.ERROR else ''


def _essentials(profile: QoSProfile) -> QoSProfile:
    """Return a profile without unlimited times: the graph reports them as numbers that rclpy treats as incompatible."""
    finite = {
        name: time
        for name in ('deadline', 'liveliness_lease_duration')
        if (time := getattr(profile, name)).nanoseconds < _ENDLESS_NS
    }
    return QoSProfile(depth=1, reliability=profile.reliability, durability=profile.durability, **finite)


def _full_name(name: str, namespace: str) -> str:
    if name == _NO_NODE:
        return 'a program that is not a ROS node'
    if name == _NOT_YET_KNOWN:
        return 'a node whose name is not known yet'
    return f'{namespace.rstrip("/")}/{name}'


def _take(ends: Sequence[Endpoint]) -> str:
    return ', '.join(dict.fromkeys(f'{end.node} takes {end.kind}' for end in ends))


def _send(ends: Sequence[Endpoint]) -> str:
    return ', '.join(dict.fromkeys(f'{end.node} publishes {end.kind}' for end in ends))
