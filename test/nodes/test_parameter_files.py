import pytest
import rclpy

from velora_ros.nodes.parameter_files import value_in


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / 'own.yaml'
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize(
    ('section', 'matches'),
    [
        ('/**/sim_node', True), ('/**', True), ('/robot1/sim_node', True), ('robot1/sim_node', True),
        ('/*/sim_node', True), ('/robot1/*', True), ('/**/robot1/sim_node', True), ('/robot1/**', True),
        ('/sim_node', False), ('sim_node', True), ('/*', False), ('/robot2/sim_node', False),
        ('/**/policy_node', False),
    ],
)  # fmt: skip
def test_a_section_is_about_the_nodes_that_its_name_matches(file, section, matches):
    own = file(f'{section}:\n  ros__parameters:\n    seed: 7\n')
    assert value_in(own, '/robot1/sim_node', 'seed') == (7 if matches else None)


def test_the_last_section_that_says_something_counts(file):
    own = file(
        '/**:\n  ros__parameters: {seed: 1, faults: {jitter_s: 0.5}}\n'
        '/**/sim_node:\n  ros__parameters: {seed: 2}\n'
        '/**/policy_node:\n  ros__parameters: {seed: 3}\n'
    )
    assert value_in(own, '/sim_node', 'seed') == 2
    assert value_in(own, '/sim_node', 'faults.jitter_s') == 0.5
    assert value_in(own, '/sim_node', 'faults.noise') is None


@pytest.mark.parametrize('text', ['', '[]', '/**: 3', '/**:\n  ros__parameters: 3', 'a: [', '/**:\n  other: {seed: 1}'])
def test_what_is_no_parameter_file_says_nothing(file, text):
    assert value_in(file(text), '/sim_node', 'seed') is None


def test_no_file_says_nothing():
    assert value_in('', '/sim_node', 'seed') is None
    assert value_in('nowhere.yaml', '/sim_node', 'seed') is None


@pytest.mark.ros
def test_it_says_what_ros_itself_makes_of_the_file(ros, file):
    own = file(
        '/**/probe:\n  ros__parameters: {a: 1, b: 1, c: 1}\n/**:\n  ros__parameters: {a: 2, d: 2, e: 2}\n'
        '/lab/probe:\n  ros__parameters: {b: 3, e: 3}\nlab/probe:\n  ros__parameters: {g: {f: 4}, a: 4}\n'
        '/*/probe:\n  ros__parameters: {c: 5}\n/other/probe:\n  ros__parameters: {a: 6}\n'
    )
    arguments = ['--ros-args', '--params-file', own]
    node = rclpy.create_node('probe', namespace='/lab', context=ros.node.context, cli_args=arguments)
    try:
        meant = {name: parameter.value for name, parameter in node._parameter_overrides.items()}
    finally:
        node.destroy_node()
    assert meant.keys() == {'a', 'b', 'c', 'd', 'e', 'g.f'}
    assert {name: value_in(own, '/lab/probe', name) for name in meant} == meant
