"""Pictures of the first of many simulations, by gymnasium's renderer; the camera follows a floating base."""

from typing import Any

import mujoco
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

from velora_ros.tasks.mujoco_simulations import Sim

WIDTH, HEIGHT = 640, 480


class TaskRenderer:
    """
    Draws the first simulation.

    Args:
        sim: the simulations.
        mode: ``rgb_array`` or ``human``.
    """

    def __init__(self, sim: Sim, mode: str) -> None:
        self._sim, self._mode = sim, mode
        self._model = sim.batch.get_model(0)
        size = self._model.vis.global_
        size.offwidth, size.offheight = max(size.offwidth, WIDTH), max(size.offheight, HEIGHT)
        if not self._model.nlight:
            self._model.vis.headlight.ambient[:], self._model.vis.headlight.diffuse[:] = 0.5, 0.6
        self._data = mujoco.MjData(self._model)
        camera = self._camera()
        self._renderer = MujocoRenderer(self._model, self._data, camera, WIDTH, HEIGHT)
        if camera:
            self._renderer.camera_id = None  # else each picture sets the camera free, and the robot leaves the picture

    def draw(self) -> Any:
        """Return a picture, shape (height, width, 3); None if a window shows it."""
        self._sim.batch.get_data(0, self._data)
        return self._renderer.render(self._mode)

    def close(self) -> None:
        """Close the window."""
        self._renderer.close()  # type: ignore[no-untyped-call]

    def _camera(self) -> dict[str, Any]:
        free = [i for i in range(self._model.njnt) if int(self._model.jnt_type[i]) == int(mujoco.mjtJoint.mjJNT_FREE)]
        if not free:
            return {}
        size = float(self._model.stat.extent)
        kind = int(mujoco.mjtCamera.mjCAMERA_TRACKING)
        body = int(self._model.jnt_bodyid[free[0]])
        return {'type': kind, 'trackbodyid': body, 'distance': max(min(3 * size, 3.0), 1.2), 'elevation': -15.0}
