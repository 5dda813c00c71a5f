"""A robot with 12 joints, in its own process: it sends states at a rate and records when each command arrives."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.experimental import EventsExecutor
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from velora_ros.nodes.ros.topics_services_qos import DEFAULT, RELIABLE
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.tensor_layout import shapes
from velora_ros.spec import PolicySpec

JOINTS = tuple(f'joint_{index}' for index in range(12))
PERIOD = 0.01
N_NEURONS, N_COMMAND = 64, 25
TAIL = 20
MARKS = np.linspace(-0.95, 0.95, 50)  # positions of the first joint, in turn: they identify the state of a command


def policy_file() -> PolicyFile:
    """Return a policy for the robot: 24 observations, 64 neurons, 12 actions."""
    spec = PolicySpec(
        observation_names=tuple(f'{joint}/{what}' for what in ('position', 'velocity') for joint in JOINTS),
        observation_units=('rad',) * len(JOINTS) + ('rad/s',) * len(JOINTS),
        action_names=tuple(f'{joint}/effort' for joint in JOINTS),
        action_units=('N m',) * len(JOINTS),
        action_low=(-1.0,) * len(JOINTS),
        action_high=(1.0,) * len(JOINTS),
        control_period=PERIOD,
    )
    return marked_policy(spec)


def marked_policy(spec: PolicySpec, first: int = 0, largest: float = 1.0) -> PolicyFile:
    """
    Return a policy of 64 neurons with random dense weights, whose commands identify the state that they answer.

    One neuron of each layer is connected only to the first joint's position, so that the first action is a function of
    it. This is needed because the message of a command has no stamp.

    Args:
        spec: what the policy reads and commands.
        first: the entry of the observation that is the first joint's position.
        largest: the greatest value of this entry.
    """
    rng = np.random.default_rng(0)
    n, inter = spec.observation_dim, N_NEURONS - N_COMMAND
    sizes = {'n_neurons': N_NEURONS, 'inter': inter, 'command': N_COMMAND, 'motor': spec.action_dim}
    expected = shapes(n, sizes)
    tensors = {name: (0.2 * rng.normal(size=shape)).astype(np.float32) for name, shape in expected.items()}
    tensors |= {'normalisation.offset': np.zeros(n, np.float32), 'normalisation.scale': np.ones(n, np.float32)}
    tensors |= {name: np.ones(shape, np.uint8) for name, shape in expected.items() if name.startswith('wiring.')}
    tensors['normalisation.scale'][first] = 1 / largest
    for name, row, heard, bias in (
        ('inter', 0, first, 2.0),
        ('command', 0, 0, -1.9),
        ('command', N_COMMAND, 0, -1.9),  # the cell's other branch, alike: whatever the time, they blend to the same
        ('motor', 0, 0, 0.0),
    ):
        tensors[f'{name}.weight'][row] = 0.0
        tensors[f'{name}.weight'][row, heard] = 1.0
        tensors[f'{name}.bias'][row] = bias
    period = spec.control_period
    return PolicyFile(spec, tensors, {**sizes, 'sparsity': 0.0, 'seed': 0}, (0.1 * period, 2 * period))


def expected_commands(file: PolicyFile, first: int = 0, largest: float = 1.0) -> np.ndarray:
    """Return the first entry of the command for each of the marks, shape (marks,); see :func:`marked_policy`."""
    policy, observation = Policy(file, engine='numpy'), np.zeros(file.spec.observation_dim)
    commands = []
    for mark in MARKS:
        observation[first] = largest * mark
        commands.append(file.spec.to_si(policy.step(observation))[0])
    assert np.diff(commands).min() > 1e-4, 'the marks must be distinguishable'
    return np.array(commands)


@dataclass(frozen=True)
class Outcome:
    """The outcome of the states sent: round trips [us], and the number of states that got no command."""

    round_trips: np.ndarray
    lost: int


class Robot:
    """
    Sends states and receives commands on one ROS domain.

    Args:
        domain: the ROS_DOMAIN_ID of this process and of the node.
        answers: for each topic of commands, the first entry of the command that answers each mark, shape (marks,).
        states: for each of these topics, the topic of the states; several states are spread evenly over a period, so
            that no two nodes wake at once.
    """

    joints: Sequence[str] = JOINTS
    rest: Sequence[float] = (0.0,) * len(JOINTS)
    """Position of each joint; the marks are added to the first joint's position."""
    largest = 1.0
    """Position of the first joint at a mark of 1, relative to its rest position."""

    def __init__(
        self, domain: int, answers: dict[str, np.ndarray], states: tuple[str, ...] = ('joint_states',)
    ) -> None:
        self._answers = answers
        self._stream = dict(zip(answers, range(len(states)), strict=True))
        self.message_lost = dict.fromkeys(answers, 0)
        """Number of commands on each topic that the middleware reported as lost."""
        self._context = rclpy.context.Context()
        rclpy.init(context=self._context, domain_id=domain, args=[])
        self._node = rclpy.create_node('robot', context=self._context, enable_rosout=False)
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._received: dict[str, list[tuple[int, float]]] = {topic: [] for topic in answers}
        self._runs: list[tuple[int, int, np.ndarray, dict[str, list[tuple[int, float]]]]] = []
        self.diagnostics: DiagnosticArray | None = None
        self._states = [self._node.create_publisher(JointState, topic, RELIABLE.profile()) for topic in states]
        for topic in answers:
            self._subscribe(topic)
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, DEFAULT.profile())
        zeros = [0.0] * len(self.joints)
        self._state = JointState(name=list(self.joints), position=list(self.rest), velocity=zeros, effort=zeros)
        self._count = 0

    def _subscribe(self, topic: str) -> None:
        def on_command(message: Float64MultiArray) -> None:
            self._received[topic].append((time.perf_counter_ns(), message.data[0]))

        def on_lost(event: Any) -> None:
            self.message_lost[topic] += event.total_count_change

        events = SubscriptionEventCallbacks(message_lost=on_lost)
        self._node.create_subscription(Float64MultiArray, topic, on_command, DEFAULT.profile(), event_callbacks=events)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics = message

    def until_it_answers(self, patience: float = 120.0) -> None:
        """Send states at 100 Hz until each topic has its first command; the first start compiles."""
        self._received = {topic: [] for topic in self._answers}
        end = time.monotonic() + patience
        while not all(self._received.values()):
            if time.monotonic() > end:
                raise RuntimeError(f'no command within {patience} s')
            self._send(PERIOD)
            self._spin(PERIOD / 2)

    def idle(self) -> None:
        """Send one state and wait for 25 ms: a quarter of what the node's watchdog allows, for machines that stall."""
        self._send(PERIOD)
        self._spin(0.025)

    def run(self, rate: float, seconds: float) -> None:
        """Send states at a rate. A stall makes the states late, as in a robot's loop; it does not cause a burst."""
        self._received, sent, first = {topic: [] for topic in self._answers}, [], self._count
        n_counted = int(rate * seconds)
        due = time.perf_counter()
        # The last states keep the watchdog satisfied until the others are answered.
        for tick in range(n_counted + TAIL):
            self._spin(due - time.perf_counter())
            period = 1 / rate if tick < n_counted else PERIOD
            sent.append(self._send(period))
            due = max(due + period, time.perf_counter())
        self._runs.append((first, n_counted, np.array(sent), self._received))

    @property
    def n_states(self) -> int:
        """Number of states that count, over all runs."""
        return sum(n for _, n, _, _ in self._runs)

    @property
    def longest_pause_ms(self) -> float:
        """The longest time between two consecutive states, within a run or between two runs."""
        return float(np.diff(np.concatenate([sent[:, 0] for _, _, sent, _ in self._runs])).max()) / 1e6

    def outcomes(self, topic: str) -> list[Outcome]:
        """Return the outcome of each run on a topic; no state is sent in the meantime."""
        answers = self._answers[topic]
        stream = self._stream[topic]
        return [matched(answers, first, n, sent[:, stream], received[topic]) for first, n, sent, received in self._runs]

    def close(self) -> None:
        """Leave the domain."""
        self._executor.remove_node(self._node)
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _send(self, period: float) -> list[int]:
        """Send a state to each topic, one after the other within a period; return when [ns]."""
        self._state.position[0] = self.rest[0] + self.largest * MARKS[self._count % len(MARKS)]
        self._count += 1
        begun, sent = time.perf_counter(), []
        for index, publisher in enumerate(self._states):
            self._spin(begun + index * period / len(self._states) - time.perf_counter())
            stamp = self._state.header.stamp
            stamp.sec, stamp.nanosec = divmod(time.time_ns(), 1_000_000_000)
            self._publish_others(stamp)
            sent.append(time.perf_counter_ns())
            publisher.publish(self._state)
        return sent

    def _publish_others(self, stamp: Time) -> None:
        """Publish the robot's other measurements, before its joint state."""

    def _spin(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._executor.spin_once(timeout_sec=left)


def matched(
    answers: np.ndarray, first: int, n_counted: int, sent: np.ndarray, received: list[tuple[int, float]]
) -> Outcome:
    """
    Assign each command to the newest earlier state with its mark.

    Args:
        answers: first entry of the command that answers each mark, shape (marks,).
        first: index of the first state's mark.
        n_counted: number of states that count; later states were sent to keep the watchdog satisfied.
        sent: when each state was sent [ns].
        received: when each command arrived [ns], and its first entry.
    """
    arrived: dict[int, int] = {}
    for at, value in received:
        mark = int(np.abs(answers - value).argmin())
        newest = int(np.searchsorted(sent, at)) - 1
        tick = newest - (first + newest - mark) % len(MARKS)
        if 0 <= tick < n_counted:
            arrived.setdefault(tick, at)
    trips = np.array([at - sent[tick] for tick, at in arrived.items()]) / 1000
    return Outcome(trips, n_counted - len(arrived))
