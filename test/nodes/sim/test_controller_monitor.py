"""The counts of the commanding node that belong to the current run."""

import pytest

from velora_ros.nodes.ros.conversions import to_diagnostic, to_diagnostics
from velora_ros.nodes.sim.controller_monitor import ControllerMonitor

pytestmark = pytest.mark.ros


def test_counts_from_before_the_run_do_not_belong_to_it(ros):
    controller = ControllerMonitor(ros.node, 'policy_node')
    publisher = ros.publisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 10)

    def tell(uptime, fallbacks):
        status = to_diagnostic('policy_node', 'ok', 'armed', {'uptime_s': uptime, 'fallbacks': fallbacks})
        publisher.publish(to_diagnostics(status, 0))

    tell(100.0, 7)
    tell(101.0, 8)
    ros.until(lambda: controller.fallbacks == 1, 'the one that is new')
    tell(0.5, 2)  # the node was restarted
    ros.until(lambda: controller.fallbacks == 3, 'those of the new life')


def test_counts_of_a_controller_that_started_later_belong_to_the_run(ros):
    controller = ControllerMonitor(ros.node, 'policy_node')
    publisher = ros.publisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 10)
    publisher.publish(to_diagnostics(to_diagnostic('policy_node', 'ok', '', {'uptime_s': 0.0, 'fallbacks': 2}), 0))
    ros.until(lambda: controller.fallbacks == 2, 'both')


def test_policies_that_ran_silently_before_they_took_over_are_swaps_too(ros):
    controller = ControllerMonitor(ros.node, 'policy_node')
    publisher = ros.publisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 10)
    values = {'uptime_s': 0.0, 'reset.swap': 1, 'swap.taken_over': 2}
    publisher.publish(to_diagnostics(to_diagnostic('policy_node', 'ok', '', values), 0))
    ros.until(lambda: controller.swaps == 3, 'all three')


def test_a_controller_that_stands_the_robot_up_does_not_drive_it_yet(ros):
    controller = ControllerMonitor(ros.node, 'policy_node')
    publisher = ros.publisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 10)
    assert controller.drives is None
    for state, drives in (('standing up', False), ('ready', False), ('armed', True)):
        status = to_diagnostic('policy_node', 'ok', '', {'uptime_s': 1.0, 'state': state})
        publisher.publish(to_diagnostics(status, 0))
        ros.until(lambda drives=drives: controller.drives is drives, state)
