"""
A robot in an MJCF or URDF file as a gymnasium environment: joints and sensors are observed, actuators are commanded.

It has no task. The simulator needs none; to train a policy, give it a reward::

    env = velora_ros.gym.make('arm.xml', reward=lambda model, data, action: -abs(data.joint('elbow').qpos[0]))

or derive your own environment from :class:`ModelEnv` and register it with gymnasium.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.envs.mujoco import MujocoEnv

from velora_ros.contract.joint_signals import Signal
from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import read_robot_file
from velora_ros.gym.joints_of_actions import commanded_signals
from velora_ros.gym.observation_names import signal_of_joint
from velora_ros.gym.servos_and_control_limits import control_limits, resting_controls, settle_states

Array = npt.NDArray[np.float64]
Reward = Callable[[Any, Any, Array], float]

CONTROL_PERIOD_S = 0.02
START_KEYS = ('home', 'stand')
_COMPONENTS = {1: ('',), 3: ('.x', '.y', '.z'), 4: ('.w', '.x', '.y', '.z')}
_UNITS = {
    'ACCELEROMETER': 'm/s^2', 'VELOCIMETER': 'm/s', 'GYRO': 'rad/s', 'FORCE': 'N', 'TORQUE': 'N*m', 'TOUCH': 'N',
    'MAGNETOMETER': 'T', 'RANGEFINDER': 'm', 'TENDONPOS': 'm', 'TENDONVEL': 'm/s', 'FRAMEPOS': 'm',
    'FRAMELINVEL': 'm/s', 'FRAMEANGVEL': 'rad/s', 'FRAMELINACC': 'm/s^2', 'FRAMEANGACC': 'rad/s^2',
    'BALLANGVEL': 'rad/s', 'SUBTREECOM': 'm', 'SUBTREELINVEL': 'm/s', 'CLOCK': 's',
}  # fmt: skip
_SINGLE_AXIS = (int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE))
_UNSTABLE = [int(getattr(mujoco.mjtWarning, f'mjWARN_BADQ{what}')) for what in ('POS', 'VEL', 'ACC')]


class ModelEnv(MujocoEnv):
    """
    A robot from an MJCF file, a URDF file or a compiled model (``.mjb``).

    The observation is the position of each joint with one axis, then the velocity of each, then the values of each
    sensor, all in the file's order; sensors that only repeat a joint's position or velocity are omitted. The action is
    one value for each actuator, within its limits (``control_limits`` in ``gym/servos_and_control_limits.py``). An
    episode begins at the keyframe ``home``, ``stand`` or the first keyframe, in this order, otherwise at the reference
    pose. It ends only when the simulation becomes unstable.

    A URDF has no actuators: each joint with an effort limit gets a motor with that limit, unless another joint moves it
    (``<mimic>``). If the file has ``<transmission>`` or ``<ros2_control>`` elements, only the joints that they name get
    a motor.

    Args:
        file: path of the file.
        control_period: time between two observations [s]; the file's time step is reduced if it does not divide it.
        reward: function of MuJoCo's model, data and the action, called after each period; None: the reward is 0.
        reset_noise: largest distance of a joint from its start position, drawn uniformly [rad or m].
        **rendering: arguments of MujocoEnv for rendering, such as ``render_mode``.

    Raises:
        UnsupportedEnvironmentError: the file is missing or invalid, has no actuators, or has joints, sensors or
            actuators without a name or without limits.
    """

    metadata = {'render_modes': ['human', 'rgb_array', 'depth_array', 'rgbd_tuple']}  # noqa: RUF012 - gymnasium's way

    def __init__(
        self,
        file: str,
        *,
        control_period: float = CONTROL_PERIOD_S,
        reward: Reward | None = None,
        reset_noise: float = 0.0,
        **rendering: Any,
    ) -> None:
        if not (math.isfinite(control_period) and control_period > 0):
            raise UnsupportedEnvironmentError(
                f'control_period is {control_period} s; it must be a positive, finite number of seconds.'
            )
        path = Path(file).expanduser()
        if not path.is_file():
            raise UnsupportedEnvironmentError(
                f"there is no file '{path}'; give the path of {read_robot_file.kind_of(file)}."
            )
        self._control_period, self._file = float(control_period), file
        self._reward, self._reset_noise = reward, reset_noise
        super().__init__(str(path.resolve()), 1, None, **rendering)
        self.frame_skip = round(self._control_period / self.model.opt.timestep)
        self.metadata = {**self.metadata, 'render_fps': round(1 / self.dt)}
        self._joints = [i for i in range(self.model.njnt) if int(self.model.jnt_type[i]) in _SINGLE_AXIS]
        self._sensors = [i for i in range(self.model.nsensor) if not self._repeats_a_joint(i)]
        adr, dim = self.model.sensor_adr, self.model.sensor_dim
        self._readings = np.array([adr[i] + k for i in self._sensors for k in range(dim[i])], dtype=int)
        self._observed, self._commanded = self._find_observed(), self._find_commanded()
        self.observation_space = spaces.Box(-np.inf, np.inf, (len(self._observed),), np.float64)

    @property
    def has_reward(self) -> bool:
        """Whether there is a reward: a function was given, or a derived class overrides :meth:`step`."""
        return self._reward is not None or type(self).step is not ModelEnv.step

    def observation_signals(self) -> list[Signal]:
        """Return the name and the unit of each observation."""
        return self._observed

    def action_signals(self) -> list[Signal]:
        """Return the name and the unit of each action; env_to_spec.py checks whether derived classes change actions."""
        return self._commanded

    def step(self, action: Any) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        """Simulate one control period under the action."""
        self.do_simulation(action, self.frame_skip)
        reward = self._reward(self.model, self.data, action) if self._reward else 0.0
        return self._get_obs(), reward, self.is_unstable(), False, {}

    def is_unstable(self) -> bool:
        """Return whether the simulation diverged in this episode; MuJoCo then continues from the reference pose."""
        return any(self.data.warning[index].number for index in _UNSTABLE)

    def reset_model(self) -> Array:
        """Put the robot in its keyframe or its reference pose; position servos start at their current position."""
        if self.model.nkey:
            mujoco.mj_resetDataKeyframe(self.model, self.data, self._start_key())
        places = self.model.jnt_qposadr[self._joints]
        self.data.qpos[places] += self.np_random.uniform(-self._reset_noise, self._reset_noise, len(places))
        mujoco.mj_forward(self.model, self.data)
        if self.model.na:
            settle_states(self.model, self.data, resting_controls(self.model, self.data))
            mujoco.mj_forward(self.model, self.data)
        return self._get_obs()

    def _start_key(self) -> int:
        names = [self.model.key(index).name.lower() for index in range(self.model.nkey)]
        return next((names.index(name) for name in START_KEYS if name in names), 0)

    def _get_obs(self) -> Array:
        model, data = self.model, self.data
        positions, velocities = data.qpos[model.jnt_qposadr[self._joints]], data.qvel[model.jnt_dofadr[self._joints]]
        return np.concatenate([positions, velocities, data.sensordata[self._readings]])

    def _initialize_simulation(self) -> tuple[Any, Any]:
        urdf = False
        try:
            urdf = read_robot_file.is_urdf(self.fullpath)
            model = read_robot_file.read(self.fullpath)
        except (ValueError, OSError) as error:
            raise self._refusal(
                f'cannot be read: {" ".join(str(error).split()).rstrip(".")}. Correct the file'
            ) from error
        size = model.vis.global_  # of pictures; enlarged as in MujocoEnv
        size.offwidth, size.offheight = max(size.offwidth, self.width), max(size.offheight, self.height)
        if model.nu == 0:
            advice = 'give joints a <limit> with an effort above 0' if urdf else 'add an <actuator> section'
            raise self._refusal(f'has no actuators, so there is nothing to command; {advice}')
        for index in range(model.nu):
            limits = control_limits(model, index)
            if limits is None:
                name = model.actuator(index).name or f'number {index}'
                raise self._refusal(
                    f"has an actuator '{name}' without limits; give it a ctrlrange, or a forcerange if it is a motor, "
                    'or limit the joint that it moves (range for a position servo, actuatorfrcrange for a motor)'
                )
            model.actuator_ctrllimited[index], model.actuator_ctrlrange[index] = 1, limits
        data = mujoco.MjData(model)
        # A period holds a whole number of physics steps, none larger than the file's.
        model.opt.timestep = self._control_period / math.ceil(self._control_period / model.opt.timestep - 1e-9)
        return model, data

    def _repeats_a_joint(self, index: int) -> bool:
        sensor = int(self.model.sensor_type[index])
        return sensor in (int(mujoco.mjtSensor.mjSENS_JOINTPOS), int(mujoco.mjtSensor.mjSENS_JOINTVEL))

    def _find_observed(self) -> list[Signal]:
        for index in self._joints:
            if not self.model.joint(index).name:
                body = self.model.body(int(self.model.jnt_bodyid[index])).name
                raise self._refusal(f"has a joint without a name, in the body '{body}'; name it")
        signals = [signal_of_joint(self.model, i, what) for what in ('position', 'velocity') for i in self._joints]
        for index in self._sensors:
            signals += self._sensor_signals(index)
        if not signals:
            raise self._refusal(
                'has neither a single-axis joint nor a sensor, so there is nothing to observe; add sensors'
            )
        return signals

    def _sensor_signals(self, index: int) -> list[Signal]:
        name, kind = self.model.sensor(index).name, mujoco.mjtSensor(int(self.model.sensor_type[index])).name
        if not name:
            raise self._refusal(f'has a sensor without a name, number {index}; name it')
        unit, size = _UNITS.get(kind.removeprefix('mjSENS_'), ''), int(self.model.sensor_dim[index])
        return [Signal(name + part, unit) for part in _COMPONENTS.get(size, [f'.{k}' for k in range(size)])]

    def _find_commanded(self) -> list[Signal]:
        signals = []
        for index, signal in enumerate(commanded_signals(self, self.model.nu)):
            name = self.model.actuator(index).name
            on_joint = int(self.model.actuator_trntype[index]) in (0, 1)  # mjTRN_JOINT, mjTRN_JOINTINPARENT
            if signal is None and not name and not on_joint:
                raise self._refusal(f'has an actuator without a name that drives no joint, number {index}; name it')
            signals.append(signal or Signal(name or f'action_{index}', ''))
        return signals

    def _refusal(self, what: str) -> UnsupportedEnvironmentError:
        return UnsupportedEnvironmentError(f"the robot file '{self._file}' {what}.")
