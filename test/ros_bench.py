"""A workbench for ROS tests: a domain of its own, real nodes in real processes, and a peer that talks to them."""

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from with_parent import with_parent

from velora_ros.nodes.ros.message_types import interface_class

ASK_AGAIN = 6.0  # [s] without an answer of a service
# How long anything may take before a test fails [s]; nothing waits that long when all is well. A training run for which
# nothing is compiled yet takes 13 s of processor time to begin, which may be far more on a busy machine: with 15
# processes per core a control run of 4 s has taken more than 60 s.
PATIENCE = 180.0
SOURCE = Path(__file__).resolve().parents[1]
# `python -m velora_ros.nodes.bringup`, for runs that are not about its patience: on a busy machine a node that ends as
# it should may take longer than the 5 s after which it is killed, or 2 s where two signals came.
BRINGUP = [
    sys.executable, '-c',
    'import sys; from velora_ros.nodes.bringup import command_line, process_runner; '
    'process_runner.PATIENCE_S = process_runner.HURRY_S = 60.0; sys.exit(command_line.main())',
]  # fmt: skip


@contextlib.contextmanager
def own_domain():
    """A ROS domain id, 1 to 100, that no other test on this machine uses at the same time."""
    for domain in random.SystemRandom().sample(range(1, 101), 100):
        with open(Path(tempfile.gettempdir()) / f'velora_ros_test_domain_{domain}.lock', 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield domain
            return
    raise RuntimeError('all ROS domains from 1 to 100 are in use by other tests')


def profiles_variable():
    """The variable that names Fast DDS's profiles; version 3, which comes with Kilted, warns of the other name."""
    folders = [Path(prefix) / 'lib' for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)]
    is_version_3 = any(list(folder.glob('libfastdds.so*')) for folder in folders)
    return 'FASTDDS_DEFAULT_PROFILES_FILE' if is_version_3 else 'FASTRTPS_DEFAULT_PROFILES_FILE'


def answered_all(counts):
    """Whether policy_node answered every state that reached it, by its own counts; how many arrive depends on load."""
    return int(counts['commands']) == int(counts['observations']) > 0 == int(counts['drops']) == int(counts['faults'])


def in_step(stamps, period):
    """
    Whether stamps [ns] follow each other by whole periods, most of them by one.

    A listener on a busy machine may miss a state, and a simulator that was held up drops whole periods.
    """
    steps = np.diff(stamps) / period
    return bool(len(steps) and (steps >= 1).all() and (steps == steps.round()).all() and np.median(steps) == 1)


class Process:
    """A child process in its own session, which ends with this one; its output goes to a file."""

    def __init__(self, arguments, environment, folder):
        self.log = Path(tempfile.mkstemp(dir=folder, suffix='.log')[1])
        with self.log.open('w') as output:
            self._child = subprocess.Popen(
                with_parent(arguments),
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )
        self.pid = self._child.pid

    @property
    def output(self):
        return self.log.read_text()

    @property
    def exit_code(self):
        """The exit status, None while it runs."""
        return self._child.poll()

    def signal(self, number):
        self._child.send_signal(number)

    def wait(self, timeout=PATIENCE):
        return self._child.wait(timeout)

    def end(self):
        """End it whatever its state; returns its output."""
        if self.exit_code is None:
            self.signal(signal.SIGINT)
            try:
                self.wait(5.0)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self.wait()
        return self.output


class RosBench:
    """Starts nodes on one domain and talks to them through a node of the test's own process."""

    def __init__(self, domain, folder):
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        os.environ[profiles_variable()] = str(SOURCE / 'config' / 'fastdds.xml')
        self.domain, self.folder = domain, folder
        self.processes = []
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain)
        self.node = rclpy.create_node(
            'test_peer', context=self._context, use_global_arguments=False, enable_rosout=False
        )
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self.node)

    def start(self, node, *arguments, **environment):
        """Start the node 'policy_node', 'sim_node' or 'trainer_node' with ROS arguments, or another command as a list;
        a simulator prints its summary unless its arguments say otherwise."""
        command = node
        if isinstance(node, str):
            command = [sys.executable, '-m', f'velora_ros.nodes.{node.removesuffix("_node")}', '--ros-args']
        if node == 'sim_node':
            command += ['-p', 'summary_line:=true']
        search = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get('PYTHONPATH')]))
        variables = {**os.environ, 'ROS_DOMAIN_ID': str(self.domain), 'PYTHONPATH': search, 'OMP_NUM_THREADS': '1'}
        variables['PYTHONFAULTHANDLER'] = '1'  # a crash says where it was
        process = Process([*command, *map(str, arguments)], {**variables, **environment}, self.folder)
        self.processes.append(process)
        return process

    def spin(self, seconds):
        """Handle what comes in for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until_quiet(self, messages, seconds=0.5):
        """Handle what comes in until no message was added for a while; returns how many there are then."""

        def unchanged():
            count = len(messages)
            self.spin(seconds)
            return len(messages) == count

        self.until(unchanged, f'{seconds} s without a message')
        return len(messages)

    def until(self, condition, what='a condition'):
        """Handle what comes in until the condition holds; returns its value."""
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            if time.monotonic() > end:
                logs = '\n'.join(process.output for process in self.processes)
                raise AssertionError(f'waited {PATIENCE} s for {what}\n{logs}')
            self._executor.spin_once(timeout_sec=0.05)
        return value

    def counts_of(self, name):
        """A function that returns the values of a node's newest diagnostics as strings, None before the first."""
        arrays = self.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 100, matched=False)

        def newest():
            statuses = [status for array in arrays for status in array.status if status.name.startswith(f'{name}:')]
            return {pair.key: pair.value for pair in statuses[-1].values} if statuses else None

        return newest

    def subscribe(self, kind, topic, qos=10, matched=True):
        """A list that fills with messages; by default waits until a publisher is matched."""
        received, peers = [], []
        events = SubscriptionEventCallbacks(matched=lambda info: peers.append(info.current_count))
        self.node.create_subscription(interface_class(kind), topic, received.append, qos, event_callbacks=events)
        if matched:
            self.until(lambda: peers and peers[-1], f'a publisher of {topic}')
        return received

    def publisher(self, kind, topic, qos=1, matched=True):
        """A publisher; by default waits until a subscriber is matched."""
        publisher = self.node.create_publisher(interface_class(kind), topic, qos)
        if matched:
            self.until(publisher.get_subscription_count, f'a subscriber of {topic}')
        return publisher

    def deliver(self, publisher, message):
        """Publish and wait until every subscriber has it; a match that only this side knows of is not enough."""
        publisher.publish(message)
        assert publisher.wait_for_all_acked(Duration(seconds=PATIENCE)), f'{publisher.topic_name} never arrived'

    def call(self, kind, service, **fields):
        """
        Call a service and return the response.

        On a busy machine a server may answer before it has matched the reader of a client that is new; Fast DDS then
        drops the answer after a tenth of a second. So a request without an answer is repeated, as an operator would do.
        """
        type_ = interface_class(kind)
        client = self.node.create_client(type_, service)
        try:
            self.until(client.service_is_ready, f'the service {service}')
            return self._ask(lambda: client.call_async(type_.Request(**fields)), service)
        finally:
            self.node.destroy_client(client)

    def _ask(self, send, service):
        """Send a request until one is answered; returns the response."""
        asked = [send()]
        again = time.monotonic() + ASK_AGAIN

        def answered():
            nonlocal again
            if time.monotonic() > again:
                asked.append(send())
                again = time.monotonic() + ASK_AGAIN
            return next((future for future in asked if future.done()), None)

        return self.until(answered, f'an answer of {service}').result()

    def transition(self, node, name):
        """Ask a lifecycle node for a transition; returns whether it succeeded."""
        request = interface_class('lifecycle_msgs/msg/Transition')(label=name)
        return self.call('lifecycle_msgs/srv/ChangeState', f'{node}/change_state', transition=request).success

    def settle(self, node):
        """Wait for the answers to all messages so far: a node handles what comes in the order in which it came."""
        self.call('rcl_interfaces/srv/ListParameters', f'{node}/list_parameters')
        self.spin(0.1)

    def set_parameters(self, node, atomically=False, **values):
        """Set parameters (`__` in a name stands for a dot) and return the results."""
        parameters = [Parameter(name.replace('__', '.'), value=value) for name, value in values.items()]
        client = AsyncParameterClient(self.node, node)
        self.until(client.services_are_ready, f'the parameter services of {node}')
        call = client.set_parameters_atomically if atomically else client.set_parameters
        response = self._ask(lambda: call(parameters), 'the parameter service')
        return [response.result] if atomically else response.results

    def close(self):
        """End every process; fails when one of them left a traceback or crashed."""
        outputs = [process.end() for process in self.processes]
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)
        for output in outputs:
            assert 'Traceback' not in output and 'Fatal Python error' not in output, output
