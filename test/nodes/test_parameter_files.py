import pytest

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
        ('/sim_node', False), ('sim_node', False), ('/*', False), ('/robot2/sim_node', False),
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
