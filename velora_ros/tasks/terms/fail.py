"""Terms that end an episode as a failure: ``(sim) -> (n,)``, true or false."""

from typing import Any

import numpy as np

from velora_ros.errors import TaskError
from velora_ros.tasks.mujoco_simulations import Sim
from velora_ros.tasks.robot_model import RobotModel
from velora_ros.tasks.terms.term import Term


def tilted(angle: float) -> Term:
    """Fail where the base's z axis deviates from the vertical by more than an angle [rad]."""
    if not 0 < angle < np.pi:
        raise TaskError(f'fail.tilted: the angle is {angle}; it must be between 0 and pi, in rad.')
    return Term('tilted', lambda sim: sim.base.gravity[:, 2] > -np.cos(angle))


def touches(first: str, second: str = '') -> Term:
    """Fail where a geom or body touches a second geom or body, or anything if no second name is given."""
    name = f'contact:{first}:{second}' if second else f'contact:{first}'

    def prepare(model: RobotModel) -> Any:
        return model.contact(first, second, 'fail.touches')

    return Term(f'touches({first})', lambda sim: sim.sensor(name)[:, 0] > 0, '', prepare)


def height_below(height: float, body: str = '') -> Term:
    """Fail where the base, or the given body or site, is below a height [m]."""

    def compute(sim: Sim) -> Any:
        return (sim.position(body)[:, 2] if body else sim.free_joint.qpos[:, 2]) < height

    return Term('height_below', compute)


def out_of_bounds(body: str, x: tuple[float, float], y: tuple[float, float]) -> Term:
    """Fail where a body or site leaves a rectangle of the world [m]."""

    def compute(sim: Sim) -> Any:
        place = sim.position(body)
        outside = (place[:, 0] < x[0]) | (place[:, 0] > x[1])
        return outside | (place[:, 1] < y[0]) | (place[:, 1] > y[1])

    return Term('out_of_bounds', compute)
