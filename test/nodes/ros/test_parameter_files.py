import pytest
import rclpy

from velora_ros.nodes.ros.parameter_files import names_a_node, sections_of, value_in


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
def test_a_section_applies_to_the_nodes_that_its_key_matches(file, section, matches):
    own = file(f'{section}:\n  ros__parameters:\n    seed: 7\n')
    assert value_in(own, '/robot1/sim_node', 'seed') == (7 if matches else None)


def test_the_last_section_that_sets_a_parameter_counts(file):
    own = file(
        '/**:\n  ros__parameters: {seed: 1, faults: {jitter_s: 0.5}}\n'
        '/**/sim_node:\n  ros__parameters: {seed: 2}\n'
        '/**/policy_node:\n  ros__parameters: {seed: 3}\n'
    )
    assert value_in(own, '/sim_node', 'seed') == 2
    assert value_in(own, '/sim_node', 'faults.jitter_s') == 0.5
    assert value_in(own, '/sim_node', 'faults.noise') is None


@pytest.mark.parametrize('text', ['', '[]', '/**: 3', '/**:\n  ros__parameters: 3', 'a: [', '/**:\n  other: {seed: 1}'])
def test_an_invalid_parameter_file_sets_nothing(file, text):
    assert value_in(file(text), '/sim_node', 'seed') is None


def test_a_missing_file_sets_nothing():
    assert value_in('', '/sim_node', 'seed') is None
    assert value_in('nowhere.yaml', '/sim_node', 'seed') is None


@pytest.mark.ros
def test_values_are_those_that_rcl_reads_from_the_file(ros, file):
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


def test_a_namespace_can_be_a_key_of_its_own(file):
    own = file(
        'left:\n  sim_node:\n    ros__parameters: {seed: 1}\n  arm:\n    sim_node:\n      ros__parameters: {seed: 2}\n'
    )
    found = [value_in(own, f'{namespace}/sim_node', 'seed') for namespace in ('/left', '/left/arm', '/right', '')]
    assert found == [1, 2, None, None]
    assert names_a_node(own, ('sim_node',)) and not names_a_node(own, ('policy_node',))


def test_numbers_and_quotes_stay_as_they_were_written(file):
    [text] = sections_of(file("sim_node:\n  ros__parameters: {a: 1e-3, b: 'true', c: [1, 2]}\n"), '/left/sim_node')
    assert text.splitlines() == ['/left/sim_node:', "  ros__parameters: {a: 1e-3, b: 'true', c: [1, 2]}"]


@pytest.mark.ros
def test_a_section_keyed_by_the_full_name_overrides_all_others(ros, tmp_path):
    shipped, own = (tmp_path / f'{name}.yaml' for name in ('shipped', 'own'))
    shipped.write_text('/**/probe:\n  ros__parameters: {a: 1, b: 1.0}\n')
    own.write_text('/**:\n  ros__parameters: {a: 2}\nprobe:\n  ros__parameters: {b: 1e-3}\n')
    sections = [tmp_path / f'section{number}.yaml' for number in range(2)]
    for path, text in zip(sections, sections_of(str(own), '/lab/probe'), strict=True):
        path.write_text(text)

    def meant(*files):
        words = [word for path in files for word in ('--params-file', str(path))]
        arguments = ['--ros-args', '-p', 'a:=9', *words]
        node = rclpy.create_node('probe', namespace='/lab', context=ros.node.context, cli_args=arguments)
        try:
            return {name: parameter.value for name, parameter in node._parameter_overrides.items()}
        finally:
            node.destroy_node()

    assert meant(shipped, own) == {'a': 1, 'b': 1.0}
    assert meant(shipped, own, *sections) == {'a': 2, 'b': 0.001}
