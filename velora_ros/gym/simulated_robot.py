"""A gymnasium MuJoCo environment as a robot: physics in small steps, with a command that can change at each step."""

import math
from typing import Any, NamedTuple

import gymnasium as gym
import mujoco
import numpy as np
import numpy.typing as npt
from gymnasium.envs.mujoco import MujocoEnv

from velora_ros.errors import SpecError, UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import FAILURES, described
from velora_ros.gym.env_to_spec import spec_from_env
from velora_ros.gym.find_normalising_wrappers import statistics_warning
from velora_ros.gym.flattening import flat
from velora_ros.gym.floating_base import FloatingBase, FloatingBaseSensor
from velora_ros.gym.servo_gains import Gains, ServoGains
from velora_ros.gym.servos_and_control_limits import are_position_servos, kept_controls, resting_controls
from velora_ros.gym.simulated_time import SimulatedTime
from velora_ros.gym.step_without_physics import step_without_physics
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]

_SINGLE_AXIS = (int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE))


class Period(NamedTuple):
    """The outcome of one control period; if ``held``, the robot was held in its initial state and the reward is 0."""

    observation: Array
    reward: float
    terminated: bool
    truncated: bool
    held: bool


class SimulatedRobot(SimulatedTime):
    """
    Runs a MuJoCo environment one physics step at a time.

    ``env.step`` simulates a whole control period under one action. A robot's command can arrive in the middle of a
    period, so the physics runs step by step here. At the end of the period ``env.step`` gets the result instead of
    simulating: it sees the states before and after, and computes observation, reward and termination. With one command
    in a period and the environment's own time step, the outcome equals ``env.step`` bit for bit.

    After a reset the robot is held in its initial state until a command or :meth:`release`; its time continues. Without
    a command, position servos keep their pose and all other actuators get 0.

    Args:
        env: a gymnasium MuJoCo environment, wrapped or not; the caller closes it.
        max_physics_step: largest physics step [s]; a larger step of the environment is divided. 0: no limit.

    Raises:
        UnsupportedEnvironmentError: the environment is not a MujocoEnv, a wrapper changes its actions, or a policy
            cannot work with its spaces.
    """

    command_delay = 0.0
    """Delay of commands [s]."""

    def __init__(self, env: 'gym.Env[Any, Any]', *, max_physics_step: float = 0.0) -> None:
        env = self._env = flat(env)
        self._base = _mujoco_env(env)
        self.spec = spec_from_env(env)
        self._model: mujoco.MjModel = self._base.model
        self._env_step = float(self._model.opt.timestep)
        parts = max(1, math.ceil(self._env_step / max_physics_step - 1e-9)) if max_physics_step > 0 else 1
        self.physics_step = self._env_step / parts
        """Duration of one physics step [s]."""
        self.steps_per_period = self._base.frame_skip * parts
        """Physics steps in the nominal control period."""
        joints = [self._model.joint(index) for index in range(self._model.njnt)]
        joints = [joint for joint in joints if joint.name and int(joint.type[0]) in _SINGLE_AXIS]
        self.joint_names = [str(joint.name) for joint in joints]
        """Names of the joints with one axis; the pose of a free body is only in the observation."""
        self._qpos = np.array([joint.qposadr[0] for joint in joints], dtype=int)
        self._dof = np.array([joint.dofadr[0] for joint in joints], dtype=int)
        free = np.flatnonzero(self._model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
        self._base_sensor = FloatingBaseSensor(self._model, int(free[0])) if len(free) else None
        self.takes_gains = bool(are_position_servos(self._model).all())
        """Whether every actuator is a position servo, whose gains can be set."""
        self._gains: ServoGains | None = None  # None until a command sets gains
        self._before = mujoco.MjData(self._model)
        self._after = mujoco.MjData(self._model)
        super().__init__()
        self.reset()

    @property
    def caution(self) -> str:
        """A warning for policies that drive the robot; ``''`` if there is none."""
        return statistics_warning(self._env)

    @property
    def model(self) -> mujoco.MjModel:
        """The robot's own MuJoCo model; do not change it."""
        return self._model

    @property
    def view(self) -> dict[str, Any]:
        """The environment's default camera, as fields of ``mjvCamera``; empty: a view of the whole model."""
        return dict(self._base.mujoco_renderer.default_cam_config or {})

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest value of each observation, each of shape (observation,)."""
        space = self._env.observation_space
        assert isinstance(space, gym.spaces.Box)
        return np.asarray(space.low, dtype=np.float64), np.asarray(space.high, dtype=np.float64)

    @property
    def positions(self) -> Array:
        """Joint positions [rad or m], shape (joints,)."""
        return np.asarray(self._base.data.qpos[self._qpos], dtype=np.float64)

    @property
    def velocities(self) -> Array:
        """Joint velocities [rad/s or m/s], shape (joints,)."""
        return np.asarray(self._base.data.qvel[self._dof], dtype=np.float64)

    @property
    def efforts(self) -> Array:
        """Forces and torques of the actuators on the joints [N or N m], shape (joints,)."""
        return np.asarray(self._base.data.qfrc_actuator[self._dof], dtype=np.float64)

    @property
    def base(self) -> FloatingBase | None:
        """Current pose and motion of the first body with a free joint; None if no body has one."""
        return self._base_sensor.measure(self._base.data, held=self.holding) if self._base_sensor else None

    @property
    def has_base(self) -> bool:
        """Whether a body has a free joint."""
        return self._base_sensor is not None

    def reset(self, seed: int | None = None) -> Array:
        """
        Put the robot in a new initial state and hold it there.

        Until the first command, position servos get their control from the keyframe that the environment started from,
        or, without one, the control that keeps their pose; all other actuators get 0.

        Args:
            seed: seed of this and all later initial states; None: the random generator continues.

        Returns:
            The observation, shape (observation,).
        """
        if self._gains is not None:
            self._gains.set(Gains())
        try:
            observation, _ = self._env.reset(seed=seed)
        except UnsupportedEnvironmentError:
            raise
        except FAILURES as error:  # it is the environment's own code and may raise anything
            raise self._failure('at a reset', error) from error
        self.observation: Array = np.array(observation, dtype=np.float64)
        """The newest observation, from the last reset or from the end of the last control period."""
        self.episode_return = 0.0
        """Sum of rewards since the last reset."""
        self.holding = True
        """Whether the robot is held in its initial state."""
        mujoco.mj_copyData(self._after, self._model, self._base.data)
        mujoco.mj_fwdPosition(self._model, self._after)  # some environments set only the positions
        self._command = self._bounded(resting_controls(self._model, self._after))
        self._begin_period()
        return self.observation

    def set_action(self, action: npt.ArrayLike) -> None:
        """
        Apply an action of the environment from the next physics step on, and release a held robot.

        Args:
            action: shape (action,), finite, in the environment's units; clipped to the bounds.
        """
        self._command = np.clip(np.asarray(action, dtype=np.float64), self.spec.low, self.spec.high)
        self.release()

    def set_gains(self, gains: Gains) -> None:
        """Set the position servos' gains from the next physics step on; call this only if :attr:`takes_gains`."""
        if self._gains is None:
            model = self._model
            every = np.arange(model.nu)
            self._gains = ServoGains(model, every, model.actuator_gainprm, model.actuator_biasprm)
        self._gains.set(gains)

    def check_command(self, command: npt.ArrayLike) -> Array:
        """
        Return the action that a command stands for, in the environment's units and clipped to the bounds.

        Args:
            command: shape (action,), in the spec's order and in SI units.

        Raises:
            SpecError: the length is wrong or a value is not finite.
        """
        return self._bounded(self.spec.from_si(finite_command(command, self.spec)))

    def _bounded(self, values: Array) -> Array:
        return np.clip(values, self.spec.low, self.spec.high)

    def relax(self) -> None:
        """
        Withdraw the command: position servos keep their target, all other actuators get 0 or the nearest bound.

        A held robot stays held.
        """
        self._command = self._bounded(kept_controls(self._model, self._command))

    def release(self) -> None:
        """Release a held robot."""
        self.holding = False

    def push(self, speed: float) -> bool:
        """Change the horizontal velocity of the base by ``speed`` [m/s] in a random direction; False without a base."""
        if self._base_sensor is None:
            return False
        angle = self._base.np_random.uniform(0, 2 * np.pi)
        place = self._base_sensor.dof
        self._base.data.qvel[place : place + 2] += speed * np.array([np.cos(angle), np.sin(angle)])
        return True

    def set_period(self, steps: int) -> None:
        """
        Set the length of the current control period; call this when it begins.

        The reward of the period is weighted by its length, so that returns count nominal periods, as in TimingJitter.

        Args:
            steps: physics steps of the period, at least 1.
        """
        self._period_steps = steps

    def copy_state(self, target: mujoco.MjData) -> None:
        """Copy the whole state of the simulation, for example to draw it in another thread."""
        mujoco.mj_copyData(target, self._model, self._base.data)

    def advance(self) -> Period | None:
        """
        Advance by one physics step.

        Returns:
            The outcome of the control period if it ended with this step, otherwise None.

        Raises:
            UnsupportedEnvironmentError: the environment's ``step`` does not simulate through ``do_simulation``.
        """
        ends = self._count_step(held=self.holding)
        if not self.holding:
            self._moved = True
            self._simulate()
        return self._end_period() if ends else None

    def _simulate(self) -> None:
        self._base.data.ctrl[:] = self._command
        self._model.opt.timestep = self.physics_step
        mujoco.mj_step(self._model, self._base.data)
        # Some environments compute rewards from their own time step.
        self._model.opt.timestep = self._env_step

    def _begin_period(self) -> None:
        self._step_in_period, self._period_steps = 0, self.steps_per_period
        self._moved = False
        mujoco.mj_copyData(self._before, self._model, self._base.data)

    def _end_period(self) -> Period:
        if not self._moved:
            self._begin_period()
            return Period(self.observation, 0.0, terminated=False, truncated=False, held=True)
        length = self._step_in_period / self.steps_per_period
        observation, reward, terminated, truncated = self._outcome(length)
        reward = float(reward) * length
        self.observation = np.array(observation, dtype=np.float64)
        self.episode_return += reward
        self._begin_period()
        return Period(self.observation, reward, bool(terminated), bool(truncated), held=False)

    def _outcome(self, length: float) -> tuple[Any, Any, bool, bool]:
        """Return the result of ``env.step`` for the period that ends now, which lasts ``length`` nominal periods."""
        data = self._base.data
        mujoco.mj_rnePostConstraint(self._model, data)  # as MujocoEnv does after its last step
        mujoco.mj_copyData(self._after, self._model, data)
        mujoco.mj_copyData(data, self._model, self._before)
        action = self._command.astype(self._env.action_space.dtype)
        try:
            return step_without_physics(self._env, action, self._after, length)
        except UnsupportedEnvironmentError:
            raise
        except FAILURES as error:
            raise self._failure('in a step', error) from error

    def _failure(self, when: str, error: BaseException) -> UnsupportedEnvironmentError:
        return UnsupportedEnvironmentError(
            f'{type(self._base).__name__} failed {when} with {described(error)}. Correct the environment.'
        )


def finite_command(command: npt.ArrayLike, spec: PolicySpec) -> Array:
    """
    Return a command as an array, shape (action,).

    Raises:
        SpecError: the length is wrong or a value is not finite.
    """
    values = np.asarray(command, dtype=np.float64)
    if values.shape != (spec.action_dim,):
        raise SpecError(
            f'the command has {values.size} values; the robot takes {spec.action_dim}: {", ".join(spec.action_names)}.'
        )
    if not np.isfinite(values).all():
        raise SpecError(f'the command is {values.tolist()}; every value must be finite.')
    return values


def _mujoco_env(env: 'gym.Env[Any, Any]') -> MujocoEnv:
    base = env.unwrapped
    if not isinstance(base, MujocoEnv):
        raise UnsupportedEnvironmentError(
            f"'{env.spec.id if env.spec else type(base).__name__}' is not a MuJoCo environment of gymnasium, so it has "
            "no joints and no physics steps; use one, for example 'InvertedPendulum-v5'."
        )
    if env.action_space != base.action_space:
        raise UnsupportedEnvironmentError(
            f'a wrapper changes the action space from {base.action_space} to {env.action_space}; a simulated robot '
            'needs the actions of its actuators. Remove the wrapper.'
        )
    return base
