import pytest

from velora_ros.errors import TaskError
from velora_ros.tasks.find_task import find


@pytest.mark.parametrize(
    ('line', 'near'),
    [
        ('observe.gyroscope(noise=0.1)', "there is no 'observe.gyroscope'. Did you mean 'gyro'? Valid: base_height, "),
        ('reward.track_lin()', "there is no 'reward.track_lin'. Did you mean 'track_linear'? Valid: action_rate, "),
        ('vary.frictions("floor")', "there is no 'vary.frictions'. Did you mean 'friction'? Valid: armature, "),
        ('act.servo()', "there is no 'act.servo'. Valid: joint_efforts, joint_targets, twist."),
    ],
)
def test_a_misspelt_term_in_a_task_file_gets_the_nearest_one(tmp_path, line, near):
    path = tmp_path / 'robot.py'
    path.write_text(f'from velora_ros.tasks import act, observe, reward, vary\nterm = {line}\n')
    with pytest.raises(TaskError) as error:
        find(str(path))
    assert f"'{path}': {near}" in str(error.value)


@pytest.mark.parametrize('helper', ['quaternions', '_vector', 'np', 'Observation'])
def test_only_terms_are_suggested(tmp_path, helper):
    path = tmp_path / 'robot.py'
    path.write_text('from velora_ros.tasks import observe\nobserve.missing\n')
    with pytest.raises(TaskError) as error:
        find(str(path))
    assert helper not in str(error.value)


def test_another_missing_attribute_is_told_as_it_is(tmp_path):
    path = tmp_path / 'robot.py'
    path.write_text('import math\nmath.nothing\n')
    with pytest.raises(TaskError, match='cannot be loaded: it fails with AttributeError'):
        find(str(path))
