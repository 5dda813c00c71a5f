"""config/joystick.yaml names topics, types and services that the nodes have."""

import yaml

from velora_ros.nodes.ros.topics_services_qos import SERVICES, topic
from velora_ros.tasks.find_task import find
from velora_ros.utils.shipped_files import share_path


def joystick():
    text = share_path('config', 'joystick.yaml').read_text()
    return yaml.safe_load(text)['/**/joy_teleop']['ros__parameters']


def test_it_drives_within_the_trained_range_and_only_while_a_button_is_held():
    drive, told = joystick()['drive'], topic('sim_node', 'in', 'cmd_vel')
    assert (drive['topic_name'], drive['interface_type']) == (told.name, told.type)
    assert drive['deadman_buttons']
    command = find('quadruped').commands['twist']
    scales = [drive['axis_mappings'][entry.replace('.', '-')]['scale'] for entry in command.entries]
    assert scales == list(command.high)


def test_another_button_stops_the_robot_and_one_pushes_the_simulated_one():
    stop, row = joystick()['stop'], topic('policy_node', 'in', 'emergency_stop')
    assert (stop['topic_name'], stop['interface_type']) == (row.name, row.type)
    assert stop['message_value'] == {'data': {'value': True}}
    assert not set(stop['deadman_buttons']) & set(joystick()['drive']['deadman_buttons'])
    push = joystick()['push']
    assert (push['service_name'], push['interface_type']) in {
        (one.name.replace('~', one.node), one.type) for one in SERVICES
    }
