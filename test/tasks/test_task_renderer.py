"""A picture follows a robot that walks away."""

import numpy as np

from velora_ros.tasks.find_task import find
from velora_ros.tasks.task_renderer import TaskRenderer


def test_a_robot_that_has_walked_away_is_still_in_the_picture(opengl):
    env = find('quadruped').make_vec(1, undisturbed=True)
    env.reset(seed=0)
    renderer = TaskRenderer(env.sim, 'rgb_array')
    try:
        near = dark(renderer.draw())
        env.sim.qpos[0, 0] += 20.0
        env.step(np.zeros((1, 12)))
        assert near > 0.005
        assert dark(renderer.draw()) > 0.5 * near
    finally:
        renderer.close()
        env.close()


def dark(picture):
    """The share of the picture that is as dark as the robot."""
    return float((np.asarray(picture).max(axis=2) < 90).mean())
