"""The life of a node's process, with a node of a few lines: spin, signals, failures, exit status."""

import os
import re
import signal
import sys

import pytest
from ros_bench import SOURCE

pytestmark = pytest.mark.ros

TICKER = """
import sys
from rclpy.node import Node
from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.run_node import run

class Ticker(Node):
    exit_code = None
    ticks = 0
    def __init__(self):
        super().__init__('ticker')
        self.create_timer(0.01, self.tick, clock=STEADY)
        if 'refuse' in sys.argv:
            raise ConfigError('this start is refused.')
    def tick(self):
        self.ticks += 1
        if self.ticks == 20 and 'end' in sys.argv:
            self.exit_code = 3
        if self.ticks == 20 and 'fail' in sys.argv:
            raise ZeroDivisionError('an error in the code')
        if self.ticks >= 20 and 'give up' in sys.argv and self.count_subscribers('/rosout'):
            raise ConfigError('this cannot go on.')
    def close(self):
        print('closed after', self.ticks, 'ticks', flush=True)

print('starting', flush=True)
sys.exit(run(Ticker))
"""
LIFECYCLE = """
import gc, sys
from pathlib import Path
from rclpy.lifecycle import LifecycleNode
from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.run_node import run

class Short(LifecycleNode):
    exit_code = None
    def __init__(self):
        super().__init__('short')
        gc.freeze()
        threads('running')
        if 'refuse' in sys.argv:
            raise ConfigError('this start is refused.')
        self.exit_code = 0
    def close(self):
        pass

def threads(when):
    names = [(task / 'comm').read_text() for task in Path('/proc/self/task').iterdir()]
    print(when, sum(name.startswith(('dds.udp', 'dds.ev')) for name in names) > 0, flush=True)

run(Short)
threads('ended')
"""


@pytest.fixture
def ticker(ros):
    return lambda *arguments: ros.start([sys.executable, '-c', TICKER], *arguments)


def test_timers_run_and_a_node_ends_itself_with_its_own_status(ticker):
    process = ticker('end')
    assert process.wait() == 3
    assert process.output == 'starting\nclosed after 20 ticks\n'


def test_an_unexpected_error_closes_the_node_and_is_shown(ros, ticker):
    process = ticker('fail')
    ros.processes.remove(process)  # its traceback is what is wanted
    assert process.wait() == 1
    assert 'closed after 20 ticks' in process.output
    assert process.output.rstrip().endswith('ZeroDivisionError: an error in the code')


def test_a_node_that_cannot_continue_is_closed_and_logs_why(ros, ticker):
    logged = ros.subscribe('rcl_interfaces/msg/Log', '/rosout', matched=False)
    process = ticker('give up', '--ros-args', '-r', '__node:=other', '-r', '__ns:=/left')
    ros.until(lambda: any(line.msg == 'this cannot go on.' for line in logged), 'the reason on /rosout')
    assert process.wait() == 1
    assert re.search(r'closed after \d+ ticks\n\[FATAL\] \[.*\] \[left.other\]: this cannot go on.\n$', process.output)
    assert 'Traceback' not in process.output


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_the_node_and_ends_the_process(ros, ticker, number):
    process = ticker()
    ros.until(lambda: 'ticker' in ros.node.get_node_names(), 'the node')
    process.signal(number)
    process.signal(number)
    assert process.wait() == 0
    assert process.output.startswith('starting\nclosed after ')
    assert process.output.count('\n') == 2


@pytest.mark.parametrize('arguments', [[], ['refuse']])
def test_no_thread_of_the_middleware_outlives_a_lifecycle_node(ros, arguments):
    process = ros.start([sys.executable, '-c', LIFECYCLE], *arguments, RMW_IMPLEMENTATION='rmw_fastrtps_cpp')
    assert process.wait() == 0
    assert process.output.startswith('running True\n')
    assert process.output.endswith('ended False\n')


def test_a_refused_start_is_one_fatal_message_on_the_console_and_in_the_log_file(ros, ticker, tmp_path):
    process = ros.start([sys.executable, '-c', TICKER], 'refuse', ROS_LOG_DIR=str(tmp_path))
    assert process.wait() == 1
    assert re.fullmatch(r'starting\n\[FATAL\] \[[\d.]+\] \[ticker\]: this start is refused.\n', process.output)
    [file] = tmp_path.iterdir()
    assert '[FATAL]' in file.read_text() and 'this start is refused.' in file.read_text()


def test_a_parameter_file_that_rcl_cannot_parse_is_reported_in_one_message(ros, ticker):
    file = ros.folder / 'bad.yaml'
    file.write_text('/**/ticker:\n  ros__parameters:\n    gains: [0, 1.5]\n')
    process = ticker('--ros-args', '--params-file', file)
    assert process.wait() == 1
    assert 'write [0.0, 1.5] instead of [0, 1.5]' in process.output
    assert str(file) in process.output
    assert 'Traceback' not in process.output


@pytest.mark.parametrize(
    ('arguments', 'environment', 'message'),
    [
        (('--ros-args', '--bogus'), {}, "unknown ROS arguments ['--bogus']"),
        (('--ros-args', '-r', '__node:=0bad'), {}, '__node:=0bad'),
        ((), {'ROS_SECURITY_ENABLE': 'true', 'ROS_SECURITY_STRATEGY': 'Enforce'}, 'ROS_SECURITY_ENABLE'),
    ],
)
def test_every_failure_to_start_ros_is_reported_in_one_message(ros, arguments, environment, message):
    process = ros.start([sys.executable, '-c', TICKER], *arguments, **environment)
    assert process.wait() == 1
    assert '[ticker]: ROS cannot start: ' in process.output
    assert process.output.count('[FATAL]') == 1
    assert message in process.output
    assert 'Traceback' not in process.output


@pytest.mark.parametrize('node', ['policy', 'sim', 'trainer'])
def test_ctrl_c_while_the_modules_of_a_node_are_imported_leaves_no_traceback(ros, tmp_path, node):
    (tmp_path / 'rclpy.py').write_text('import time; print("imports", flush=True); time.sleep(60)')
    search = os.pathsep.join([str(tmp_path), str(SOURCE)])
    process = ros.start([sys.executable, '-m', f'velora_ros.nodes.{node}'], PYTHONPATH=search)
    ros.until(lambda: process.output == 'imports\n', 'the import')
    process.signal(signal.SIGINT)
    assert process.wait() == -signal.SIGINT
    assert process.output == 'imports\n'
