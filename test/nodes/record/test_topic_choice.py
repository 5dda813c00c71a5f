"""Which topics are recorded."""

from velora_ros.nodes.record.topic_choice import choose_topics

VECTOR, STRING = 'std_msgs/msg/Float64MultiArray', 'std_msgs/msg/String'
GRAPH = {
    '/joint_states': ['sensor_msgs/msg/JointState'],
    '/command': [VECTOR],
    '/other': [VECTOR],
    '/camera': ['sensor_msgs/msg/Image'],
    '/policy_node/debug/hidden': [VECTOR],
    '/robot_description': [STRING],
    '/rosout': ['rcl_interfaces/msg/Log'],
    '/parameter_events': ['rcl_interfaces/msg/ParameterEvent'],
}
OWN = ['/command', '/policy_node/debug/hidden', '/rosout']


def test_the_controllers_topics_and_those_that_describe_a_robot_are_chosen():
    chosen = list(choose_topics(GRAPH, OWN))
    assert chosen == [
        '/joint_states',
        '/command',
        '/policy_node/debug/hidden',
        '/robot_description',
    ]


def test_the_hidden_state_can_be_left_out():
    assert '/policy_node/debug/hidden' not in choose_topics(GRAPH, OWN, hidden=False)
    assert '/policy_node/debug/hidden' in choose_topics(GRAPH, OWN, hidden=False, named=['/policy_node/debug/hidden'])


def test_named_topics_come_on_top():
    assert choose_topics(GRAPH, [], named=['/camera'])['/camera'] == 'sensor_msgs/msg/Image'
    assert '/camera' not in choose_topics(GRAPH, [])


def test_everything_is_all_but_the_logs_and_parameter_events():
    assert set(GRAPH) - set(choose_topics(GRAPH, [], everything=True)) == {'/rosout', '/parameter_events'}
