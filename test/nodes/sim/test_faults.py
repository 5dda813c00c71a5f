"""The faults of the simulated robot, as a subscriber sees them over real DDS."""

import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from ros_bench import BRINGUP, answered_all, in_step

from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.utils.shipped_files import share_path

pytestmark = pytest.mark.ros

JOINTS = 'sensor_msgs/msg/JointState'
VECTOR = 'std_msgs/msg/Float64MultiArray'
PERIOD_NS = 40_000_000
UNDER_WAY = 5  # states that may have been on their way when a parameter changed
MS = 1_000_000
EVERYTHING = {'faults__noise': '[0.1]', 'faults__drop_probability': 0.2, 'faults__nan_probability': 0.1}


class Seen:
    """What a subscriber has received: states with their time of receipt [ns], and observations."""

    def __init__(self, ros):
        self.states, self.received = [], []
        self.observations = ros.subscribe(VECTOR, 'observation', 100)
        ros.node.create_subscription(interface_class(JOINTS), 'joint_states', self._on_state, 100)

    def _on_state(self, state):
        self.states.append(state)
        self.received.append(time.time_ns())

    @property
    def stamps(self):
        return np.array([to_nanoseconds(state.header.stamp) for state in self.states])

    @property
    def values(self):
        """Positions and velocities, shape (states, 4)."""
        return np.array([[*state.position, *state.velocity] for state in self.states])


@pytest.fixture
def sim(ros):
    """Starts sim_node with parameters (`__` in a name stands for a dot) and listens: the process and what is seen."""

    def start(**values):
        text = {name.replace('__', '.'): str(value) if isinstance(value, str) else json.dumps(value)
                for name, value in values.items()}  # fmt: skip
        process = ros.start('sim_node', *(word for name in text for word in ('-p', f'{name}:={text[name]}')))
        return process, Seen(ros)

    return start


def until(ros, seen, count):
    """Waits until this number of further states has arrived and returns the index of the first."""
    first = len(seen.states)
    ros.until(lambda: len(seen.states) >= first + count, f'{count} states')
    return first


def summary_of(process):
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    return json.loads(process.output.splitlines()[-1])


def test_noise_is_the_same_in_both_topics_and_counted(ros, sim):
    process, seen = sim(faults__noise='[0.5]')
    until(ros, seen, 30)
    ros.until(lambda: len(seen.observations) >= 30)
    assert (seen.values[1:].std(axis=0) > 0).all()
    joint = {tuple(row) for row in seen.values}
    assert len(joint & {tuple(message.data) for message in seen.observations}) >= 29
    assert {effort for state in seen.states for effort in state.effort} == {0.0}
    assert summary_of(process)['faults']['noise'] >= 30


def test_lost_states_do_not_change_the_noise_of_the_others(ros_bench):
    runs = []
    for losses in (0.0, 0.3):
        # Stamps of simulated time tell which state is which, and the robot is held: its states differ by noise alone.
        values = ('seed:=3', 'publish_clock:=true', 'faults.noise:=[0.5]', f'faults.drop_probability:={losses}')
        with ros_bench() as ros:
            ros.start('sim_node', *(word for value in values for word in ('-p', value)))
            states = ros.subscribe(JOINTS, 'joint_states', 100, matched=False)
            ros.until(lambda states=states: len(states) >= 60, 'states')
            runs.append([(to_nanoseconds(state.header.stamp), tuple(state.position)) for state in states])
    whole, rest = runs[0], runs[1][10:40]  # the first few may have been missed in the whole run
    begun = next(stamp for stamp, reading in whole if reading == rest[0][1])
    at = {round((stamp - begun) / PERIOD_NS): reading for stamp, reading in whole}
    numbers = [round((stamp - rest[0][0]) / PERIOD_NS) for stamp, _ in rest]
    shared = [(at[number], reading) for number, (_, reading) in zip(numbers, rest, strict=True) if number in at]
    assert len(shared) > 15 and numbers[len(shared) - 1] >= len(shared) + 3, 'some were lost in between'
    assert all(one == other for one, other in shared)


def test_one_seed_gives_the_same_faults_twice(ros_bench):
    def run():
        with ros_bench() as bench:
            # Stamps of simulated time: those of the system's clock tell, besides the faults, where the machine stalled.
            values = {'seed': 7, **EVERYTHING, 'faults__nan': "['hinge/velocity']", 'publish_clock': 'true'}
            words = [('-p', f'{name.replace("__", ".")}:={value}') for name, value in values.items()]
            bench.start('sim_node', *(word for pair in words for word in pair))
            seen = Seen(bench)
            until(bench, seen, 130)  # one subscriber may be found three seconds, 75 states, later than the other
            gaps = np.diff(seen.stamps, prepend=seen.stamps[0]) / PERIOD_NS
            return [(float(gap), *map(str, row)) for gap, row in zip(gaps, seen.values, strict=True)][1:]

    first, second = run(), run()
    start = next(state for state in first if state in second)  # the two subscribers did not come at the same time
    first, second = first[first.index(start) :], second[second.index(start) :]
    length = min(len(first), len(second))
    assert length > 20
    assert first[:length] == second[:length]
    assert any(gap > 1 for gap, *_ in first[:length])


def test_states_are_lost_on_both_topics_and_the_others_stay_periodic(ros, sim):
    # The noise makes each state another one, so that the two topics can be compared.
    process, seen = sim(faults__drop_probability=0.3, faults__noise='[0.5]', publish_clock=True)
    until(ros, seen, 60)
    gaps = np.diff(seen.stamps) / PERIOD_NS
    assert (gaps == gaps.round()).all()
    assert 0.1 < 1 - 1 / gaps.mean() < 0.5
    states, observations = [tuple(row) for row in seen.values], [tuple(message.data) for message in seen.observations]
    shared = next(
        state for state in states if state in observations
    )  # one subscriber may be found later than the other
    states, observations = states[states.index(shared) :], observations[observations.index(shared) :]
    length = min(len(states), len(observations))
    assert length > 30
    assert states[:length] == observations[:length]
    assert summary_of(process)['faults']['drop'] > 5


def test_all_states_can_be_lost(ros, sim):
    _, seen = sim()
    until(ros, seen, 3)
    assert all(result.successful for result in ros.set_parameters('sim_node', faults__drop_probability=1.0))
    ros.until_quiet(seen.states, 0.4)
    ros.set_parameters('sim_node', faults__drop_probability=0.0)
    until(ros, seen, 3)


def test_periods_vary_within_the_jitter_and_stamps_are_true(ros, sim):
    _, seen = sim(faults__jitter_s=0.01, physics_step_s=0.001)
    until(ros, seen, 60)
    gaps = np.diff(seen.stamps) / MS
    gaps = gaps[gaps < 65]  # where the machine stalled, states are missed and whole periods are dropped
    assert len(gaps) > 40
    assert 30 - 1e-6 <= gaps.min() < 35 and 45 < gaps.max() <= 50 + 1e-6
    assert gaps.mean() == pytest.approx(40, abs=4)
    ages = np.array(seen.received) - seen.stamps
    assert ages.min() > 0


def test_a_delayed_state_keeps_the_stamp_of_its_measurement(ros, sim):
    process, seen = sim(faults__observation_delay_s=0.07)
    until(ros, seen, 20)
    assert (np.array(seen.received) - seen.stamps).min() >= 70 * MS
    assert in_step(seen.stamps, PERIOD_NS)
    ros.set_parameters('sim_node', faults__observation_delay_s=0.0)
    first = until(ros, seen, 20) + 5
    assert (np.array(seen.received) - seen.stamps)[first:].min() < 70 * MS
    assert summary_of(process)['faults']['observation_delay'] >= 20


def test_a_delayed_command_takes_effect_later(ros, sim):
    process, seen = sim(faults__command_delay_s=0.1)
    command = ros.publisher(VECTOR, 'command')
    until(ros, seen, 3)
    sent = time.time_ns()
    command.publish(interface_class(VECTOR)(data=[100.0]))
    moved = ros.until(lambda: next((state for state in seen.states if state.effort[0] == 100.0), None))
    held = [state for state in seen.states if state.effort[0] == 0.0]
    assert to_nanoseconds(moved.header.stamp) >= sent + 100 * MS
    assert all(state.position == held[0].position for state in held), 'until then the robot is held'
    assert summary_of(process)['faults'] == {'command_delay': 1}


def test_a_delayed_command_is_discarded_at_a_reset(ros, sim):
    _, seen = sim(faults__command_delay_s=3.0)  # longer than a busy machine takes for the call
    command = ros.publisher(VECTOR, 'command')
    until(ros, seen, 3)
    command.publish(interface_class(VECTOR)(data=[100.0]))
    sent = time.time_ns()
    ros.spin(0.1)
    assert ros.call('std_srvs/srv/Trigger', 'sim_node/reset').success
    ros.until(lambda: seen.stamps[-1] > sent + 3200 * MS, 'the time at which it would take effect')
    assert {state.effort[0] for state in seen.states} == {0.0}


def test_a_sensor_sticks_and_is_freed_while_the_robot_moves(ros, sim):
    process, seen = sim(faults__noise='[0.5]')
    until(ros, seen, 3)
    ros.set_parameters('sim_node', faults__stuck=['hinge'])
    first = until(ros, seen, 15) + UNDER_WAY
    assert (np.ptp(seen.values[first:], axis=0) > 0).tolist() == [True, False, True, False]
    assert list(seen.observations[-1].data)[1] == seen.values[-1, 1]
    ros.set_parameters('sim_node', faults__stuck=['slider/position'])
    first = until(ros, seen, 15) + UNDER_WAY
    assert (np.ptp(seen.values[first:], axis=0) > 0).tolist() == [False, True, True, True]
    ros.set_parameters('sim_node', faults__stuck=[])
    first = until(ros, seen, 15) + UNDER_WAY
    assert (np.ptp(seen.values[first:], axis=0) > 0).all()
    assert summary_of(process)['faults']['stuck'] > 10


def test_a_sensor_reads_nan_with_a_probability(ros, sim):
    process, seen = sim()
    until(ros, seen, 3)
    ros.set_parameters('sim_node', faults__nan=['slider/velocity'], faults__nan_probability=0.5)
    first = until(ros, seen, 40) + UNDER_WAY
    broken = np.isnan(seen.values[first:])
    assert broken.any(axis=0).tolist() == [False, False, True, False]
    assert 0.1 < broken[:, 2].mean() < 0.9
    assert any(math.isnan(value) for message in seen.observations for value in message.data)
    assert summary_of(process)['faults']['nan'] > 5


def test_a_hung_driver_repeats_its_last_message(ros, sim):
    process, seen = sim(faults__noise='[0.5]')
    until(ros, seen, 3)
    ros.set_parameters('sim_node', faults__frozen=True)
    first = until(ros, seen, 15) + UNDER_WAY
    assert len(set(seen.stamps[first:])) == len({tuple(row) for row in seen.values[first:]}) == 1
    freed = time.time_ns()
    ros.set_parameters('sim_node', faults__frozen=False)
    first = until(ros, seen, 15) + UNDER_WAY
    assert in_step(seen.stamps[first:], PERIOD_NS)
    assert seen.stamps[-1] > freed
    assert summary_of(process)['faults']['frozen'] >= 8


def test_faults_are_shown_in_the_log_and_in_the_diagnostics(ros, sim):
    process, _ = sim(faults__noise='[0.01]')
    assert 'faults: noise 0.01' in ros.until(lambda: 'faults:' in process.output and process.output)
    arrays = ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    ros.set_parameters('sim_node', faults__drop_probability=0.5)

    def values():
        return {pair.key for array in arrays for status in array.status for pair in status.values}

    ros.until(lambda: {'faults.noise', 'faults.drop'} <= values(), 'counts in the diagnostics')
    assert 'faults: noise 0.01, drop_probability 0.5' in process.output


def test_noise_switched_on_during_a_run_begins_when_its_unit_is_measured(ros, sim):
    process, seen = sim()
    until(ros, seen, 3)
    ros.set_parameters('sim_node', faults__noise=[0.5])

    def noisy():
        return (np.ptp(seen.values[-5:], axis=0) > 0).all()  # held at its initial state, it does not move by itself

    ros.until(noisy, 'noise')
    assert 'faults.noise begins when the standard deviation of the signals has been measured' in process.output
    assert summary_of(process)['faults']['noise'] > 0


def test_invalid_faults_are_refused_and_an_atomic_change_applies_none_of_them(ros, sim):
    process, seen = sim()
    [result] = ros.set_parameters('sim_node', atomically=True, faults__drop_probability=1.0, faults__stuck=['hing'])
    assert not result.successful
    assert "stuck names 'hing', which is not an observation or a joint. Did you mean 'hinge'" in result.reason
    [result] = ros.set_parameters('sim_node', faults__nan_probability=2.0)
    assert "parameter 'faults.nan_probability' is 2.0; it must be from 0 to 1" in result.reason
    [result] = ros.set_parameters('sim_node', faults__noise=[0.1, 0.1])
    assert 'noise has 2 values; it must have one, or one for each of slider/position' in result.reason
    until(ros, seen, 5)
    assert 'faults:' not in process.output


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'faults__nan': "['elbow']"}, "nan names 'elbow'"),
        ({'faults__jitter_s': -0.1}, "parameter 'faults.jitter_s' is -0.1 s"),
        ({'faults__drop': 0.1}, "there is no parameter 'faults.drop'. Did you mean 'faults."),
    ],
)
def test_a_start_with_invalid_faults_is_refused_in_one_sentence(ros, values, words):
    arguments = [word for name, value in values.items() for word in ('-p', f'{name.replace("__", ".")}:={value}')]
    process = ros.start('sim_node', *arguments)
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert words in line


# --- and what policy_node makes of it


def test_every_state_that_arrives_under_losses_jitter_and_noise_gets_its_command(ros):
    file = ros.folder / 'faults.yaml'
    settings = yaml.safe_load(Path(share_path('config', 'sim_faults.yaml')).read_text())
    # A busy machine may hold up the robot for longer than the controller's defaults; the faults are the subject.
    patient = {'max_state_age_s': 30.0, 'watchdog_timeout_s': 60.0}
    file.write_text(yaml.safe_dump({**settings, '/**/policy_node': {'ros__parameters': patient}}))
    process = ros.start([*BRINGUP, 'control', 'duration:=5', f'params:={file}'])
    counts = ros.counts_of('policy_node')
    ros.until(lambda: process.exit_code is not None, 'the end of the run')
    summary = json.loads(process.output.splitlines()[-1])
    assert summary['faults'].keys() == {'drop', 'jitter', 'noise'}
    assert summary['states'] > 80
    assert summary['fallbacks'] == 0
    assert answered_all(counts()), counts()


@pytest.fixture
def driven(ros, sim):
    """The simulated robot and the shipped policy, in motion: the policy's statuses."""
    _, seen = sim()
    policy = share_path('policies', 'InvertedPendulum-v5.safetensors')
    ros.start('policy_node', '-p', f'policy:={policy}', '-p', 'autostart:=true', '-p', 'arm_on_activate:=true',
              '-p', 'watchdog_timeout_s:=2', '-p', 'max_state_age_s:=2')  # fmt: skip
    ros.until(lambda: seen.states and seen.states[-1].effort[0] != 0.0, 'the robot to move')
    return ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', 10)


def test_a_hung_driver_is_a_fault_of_policy_node(ros, driven):
    ros.set_parameters('sim_node', faults__frozen=True)
    ros.until(lambda: driven and driven[-1].level == b'\x02', 'the fault')
    assert 'no usable state for' in driven[-1].message


def test_lasting_nan_is_a_fault_of_policy_node_that_names_the_signal(ros, driven):
    ros.set_parameters('sim_node', faults__nan=['hinge/velocity'])
    ros.until(lambda: driven and driven[-1].level == b'\x02', 'the fault')
    assert 'hinge/velocity' in driven[-1].message
