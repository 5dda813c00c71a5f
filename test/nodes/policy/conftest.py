"""One running policy_node for all tests of a module."""

import pytest
from policy_robot import SPEC, Robot


@pytest.fixture(scope='module')
def running(ros_bench, make_policy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp('policies') / 'policy.safetensors'
    make_policy_file(spec=SPEC).save(path)
    with ros_bench() as ros:
        yield Robot(ros, path).until_it_answers()


@pytest.fixture
def robot(running):
    """The running robot, armed, without a fault, its hidden state fresh."""
    return running.ready()
