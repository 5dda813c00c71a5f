"""The launch file with the real launch, over real DDS; it runs where ROS 2 is installed and is skipped elsewhere."""

import unittest
from pathlib import Path

import pytest

pytest.importorskip('launch_testing', reason="ROS 2's launch_testing is not installed here")

import launch_testing.actions
import launch_testing.asserts
import launch_testing.markers
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

CONTROL = Path(__file__).resolve().parents[3] / 'launch' / 'control.launch.py'


@pytest.mark.launch_test
# launch leaves sockets and its loop to the garbage collector.
@pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')
@launch_testing.markers.keep_alive
def generate_test_description():
    run = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(CONTROL)))
    return LaunchDescription([run, launch_testing.actions.ReadyToTest()])


class TestRun(unittest.TestCase):
    def test_the_policy_moves_the_robot(self, proc_output):
        proc_output.assertWaitFor('moving | return', timeout=60, stream='stderr')


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    def test_the_summary_was_printed_and_every_process_ended_well(self, proc_output, proc_info):
        launch_testing.asserts.assertInStdout(proc_output, '"event": "control_summary"', 'sim_node-1')
        launch_testing.asserts.assertExitCodes(proc_info)
