"""Read a task's model as an ``MjSpec``, to which terms may add actuators and sensors before it is compiled."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mujoco

from velora_ros.errors import MissingDependencyError, TaskError
from velora_ros.gym import read_robot_file
from velora_ros.tasks.name_patterns import fits, select, unknown

MENAGERIE, MENAGERIE_ROOT = 'menagerie:', 'MENAGERIE_ROOT'
FLOOR = 'floor'
_GEOM, _BODY = mujoco.mjtObj.mjOBJ_GEOM, mujoco.mjtObj.mjOBJ_BODY  # XBODY would be the whole subtree
_SINGLE_AXIS = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)


class RobotModel:
    """
    A robot's model before it is compiled.

    Args:
        model: path of an MJCF or URDF file, ``menagerie:NAME``, or an ``MjSpec``, which is copied.

    Raises:
        TaskError: the model cannot be read.
    """

    def __init__(self, model: Any) -> None:
        self.spec = read(model)
        self._name_unnamed()
        self._add_floor()

    @property
    def joints(self) -> list[str]:
        """Names of the joints with one axis."""
        return [joint.name for joint in self.spec.joints if joint.type in _SINGLE_AXIS]

    def joint_names(self, pattern: str, term: str) -> list[str]:
        """Return the joints with one axis that a pattern selects."""
        return select(pattern, self.joints, 'joint', term)

    def geom_names(self, pattern: str, term: str) -> list[str]:
        """Return the colliding geoms that a pattern selects, or the single geom with exactly this name."""
        names = [geom.name for geom in self.spec.geoms]
        solid = [geom.name for geom in self.spec.geoms if geom.contype or geom.conaffinity]
        if pattern in names:
            return [pattern]
        return select(pattern, solid, 'geom that collides', term)

    def contact(self, first: str, second: str = '', term: str = '') -> str:
        """
        Add a sensor that counts contacts of a geom or body, and return the sensor's name.

        Without ``second``, contacts with anything count. If a name is part of exactly one geom's name, it means that
        geom.

        Raises:
            TaskError: there is no such geom or body.
        """
        name = f'contact:{first}:{second}' if second else f'contact:{first}'
        if self.spec.sensor(name) is None:
            kind, found = self._touching(first, term)
            other = {} if not second else dict(zip(('reftype', 'refname'), self._touching(second, term), strict=True))
            count_only = [1, 0, 1]  # mjCONDATA_FOUND, no reduction, one slot
            sensor = mujoco.mjtSensor.mjSENS_CONTACT
            self.spec.add_sensor(name=name, type=sensor, objtype=kind, objname=found, intprm=count_only, **other)
        return name

    def distance(self, first: str, second: str, most: float, term: str = '') -> str:
        """
        Add a sensor of the distance between two geoms or bodies, at most ``most`` [m]; return the sensor's name.

        Raises:
            TaskError: there is no such geom or body.
        """
        name = f'distance:{first}:{second}'
        if self.spec.sensor(name) is None:
            pair = dict(zip(('objtype', 'objname'), self._touching(first, term), strict=True))
            pair |= dict(zip(('reftype', 'refname'), self._touching(second, term), strict=True))
            self.spec.add_sensor(name=name, type=mujoco.mjtSensor.mjSENS_GEOMDIST, cutoff=most, **pair)
        return name

    def geom_velocity(self, geom: str) -> str:
        """Add a sensor of a geom's velocity in the world's frame [m/s]; return the sensor's name."""
        name = f'velocity:{geom}'
        if self.spec.sensor(name) is None:
            sensor = mujoco.mjtSensor.mjSENS_FRAMELINVEL
            self.spec.add_sensor(name=name, type=sensor, objtype=_GEOM, objname=geom)
        return name

    def compiled(self) -> mujoco.MjModel:
        """
        Return the compiled model.

        Raises:
            TaskError: MuJoCo cannot compile it.
        """
        try:
            return self.spec.compile()
        except ValueError as error:
            raise TaskError(f'the model cannot be compiled: {_one_line(error)}; correct the file.') from error

    def _touching(self, name: str, term: str) -> tuple[Any, str]:
        geoms, bodies = [geom.name for geom in self.spec.geoms], [body.name for body in self.spec.bodies]
        if name in geoms:
            return _GEOM, name
        if name in bodies:
            return _BODY, name
        alike = [geom.name for geom in self.spec.geoms if (geom.contype or geom.conaffinity) and fits(name, geom.name)]
        if len(alike) == 1:
            return _GEOM, alike[0]
        raise unknown(name, [*geoms, *bodies], 'geom or body', term)

    def _name_unnamed(self) -> None:
        """Name unnamed geoms after their body, so that contacts can be distinguished."""
        for body in self.spec.bodies:
            for number, geom in enumerate(body.geoms):
                if not geom.name:
                    geom.name = f'{body.name}/geom{number}'

    def _add_floor(self) -> None:
        """Add a plane under a floating robot whose file has no floor."""
        world = self.spec.worldbody
        floating = any(joint.type == mujoco.mjtJoint.mjJNT_FREE for joint in self.spec.joints)
        if floating and not any(geom.contype or geom.conaffinity for geom in world.geoms):
            world.add_geom(name=FLOOR, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.05])


def read(model: Any) -> mujoco.MjSpec:
    """
    Return the specification of a model, not yet compiled.

    Raises:
        TaskError: the model is missing, of another kind, or cannot be read.
    """
    if isinstance(model, mujoco.MjSpec):
        return model.copy()
    if not isinstance(model, str | os.PathLike):
        raise TaskError(
            f'the model is of type {type(model).__name__}; give the path of an MJCF or URDF file, '
            f'{MENAGERIE}NAME or a mujoco.MjSpec.'
        )
    path = Path(_in_menagerie(str(model)) if str(model).startswith(MENAGERIE) else model).expanduser()
    if foreign := read_robot_file.foreign_file(str(path)):
        raise TaskError(foreign)
    if not path.is_file():
        raise TaskError(f"there is no model '{path}'; give the path of an MJCF or URDF file.")
    try:
        return read_robot_file.specification(str(path))
    except (ValueError, OSError) as error:
        raise TaskError(f"the model '{path}' cannot be read: {_one_line(error)}; correct the file.") from error


def _in_menagerie(name: str) -> str:
    """Return the path of a robot in MuJoCo Menagerie: in a checkout, otherwise from the package, which downloads it."""
    robot = name.removeprefix(MENAGERIE)
    if root := os.environ.get(MENAGERIE_ROOT):
        folder = Path(root) / robot
        files = sorted(folder.glob('*.xml'))
        found = [
            file for file in files if file.stem not in ('scene', 'scene_mjx') and not file.stem.startswith('scene')
        ]
        return str(_shortest(found, folder))
    try:
        package: Any = importlib.import_module('mujoco_menagerie')
    except ImportError as error:
        raise MissingDependencyError(
            f"'{name}' needs a checkout of MuJoCo Menagerie, named by {MENAGERIE_ROOT}, or the package "
            'mujoco-menagerie, which downloads the robot once: pip install mujoco-menagerie.'
        ) from error
    return str(package.get_path(robot))


def _shortest(files: Sequence[Path], folder: Path) -> Path:
    if not files:
        raise TaskError(f"there is no robot in '{folder}'; set {MENAGERIE_ROOT} to a checkout of MuJoCo Menagerie.")
    return min(files, key=lambda file: len(file.name))


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split()).rstrip('.')
