"""A gymnasium MuJoCo environment as a robot: physics in small steps, and a command that may change at any of them."""

import math
from typing import Any, NamedTuple

import gymnasium as gym
import mujoco
import numpy as np
import numpy.typing as npt
from gymnasium.envs.mujoco import MujocoEnv

from velora_ros.errors import SpecError, UnsupportedEnvironmentError
from velora_ros.gym.actuators import kept_controls, resting_controls
from velora_ros.gym.env_to_spec import spec_from_env
from velora_ros.gym.environment_errors import FAILURES, described
from velora_ros.gym.flattening import flat
from velora_ros.gym.running_statistics import statistics_warning

Array = npt.NDArray[np.float64]

_SINGLE_AXIS = (int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE))


class Period(NamedTuple):
    """What one control period brought; ``held`` says that the robot did not move in it, so the reward is 0."""

    observation: Array
    reward: float
    terminated: bool
    truncated: bool
    held: bool


class Base(NamedTuple):
    """
    Pose and motion of a floating base at its body's origin; velocities and acceleration along the body's own axes.

    The acceleration is what an accelerometer measures: at rest 9.81 m/s^2 upwards.
    """

    position: Array
    """In the world, shape (3,) [m]."""
    orientation: Array
    """As w, x, y, z, shape (4,)."""
    velocity: Array
    """Shape (3,) [m/s]."""
    angular_velocity: Array
    """Shape (3,) [rad/s]."""
    acceleration: Array
    """Shape (3,) [m/s^2]."""


class SimulatedRobot:
    """
    Runs a MuJoCo environment one physics step at a time.

    ``env.step`` simulates a whole control period under one action. A robot's command arrives in mid-period, so here the
    physics runs step by step, and at the end of the period ``env.step`` is given the result instead of simulating: it
    sees the state before and after, and tells observation, reward and termination. With one command to a period and
    the environment's own time step the outcome equals ``env.step`` bit for bit.

    After a reset the robot is held at its initial state, its time going on, until a command or :meth:`release`. While
    nobody commands it, position servos keep their pose and everything else gets zero.

    Args:
        env: a gymnasium MuJoCo environment, wrapped or not; the caller closes it.
        max_physics_step: largest physics step [s]; a larger one of the environment is divided. 0 leaves it alone.

    Raises:
        UnsupportedEnvironmentError: the environment is no MujocoEnv, a wrapper changes its actions, or no policy can be
            made for its spaces.
    """

    def __init__(self, env: 'gym.Env[Any, Any]', *, max_physics_step: float = 0.0) -> None:
        env = self._env = flat(env)
        self._base = _mujoco_env(env)
        self.spec = spec_from_env(env)
        self._model: mujoco.MjModel = self._base.model
        self._env_step = float(self._model.opt.timestep)
        parts = max(1, math.ceil(self._env_step / max_physics_step - 1e-9)) if max_physics_step > 0 else 1
        self.physics_step = self._env_step / parts
        """Time of one physics step [s]."""
        self.steps_per_period = self._base.frame_skip * parts
        """Physics steps in the nominal control period."""
        joints = [self._model.joint(index) for index in range(self._model.njnt)]
        joints = [joint for joint in joints if joint.name and int(joint.type[0]) in _SINGLE_AXIS]
        self.joint_names = [str(joint.name) for joint in joints]
        """Names of the joints with one axis; a free body's pose is in the observation only."""
        self._qpos = np.array([joint.qposadr[0] for joint in joints], dtype=int)
        self._dof = np.array([joint.dofadr[0] for joint in joints], dtype=int)
        free = np.flatnonzero(self._model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
        self._free = int(free[0]) if len(free) else None
        self._measured = mujoco.MjData(self._model) if len(free) else None
        self._before = mujoco.MjData(self._model)
        self._after = mujoco.MjData(self._model)
        self._steps = self._held_steps = 0
        self.reset()

    @property
    def caution(self) -> str:
        """What a policy that drives it must not miss; ``''`` where there is nothing."""
        return statistics_warning(self._env)

    @property
    def model(self) -> mujoco.MjModel:
        """MuJoCo's model of it; the robot's own, to be read only."""
        return self._model

    @property
    def view(self) -> dict[str, Any]:
        """Where gymnasium looks at it from, as fields of ``mjvCamera``; empty for a view of the whole."""
        return dict(self._base.mujoco_renderer.default_cam_config or {})

    @property
    def time(self) -> float:
        """Simulated time since this object was made, held time and resets included [s]."""
        return self._steps * self.physics_step

    @property
    def period_end(self) -> float:
        """The :attr:`time` at which the running control period ends [s]."""
        return (self._steps + self._period_steps - self._step_in_period) * self.physics_step

    @property
    def held_time(self) -> float:
        """The part of :attr:`time` in which the robot was held [s]."""
        return self._held_steps * self.physics_step

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
        """What the actuators exert on the joints [N m or N], shape (joints,)."""
        return np.asarray(self._base.data.qfrc_actuator[self._dof], dtype=np.float64)

    @property
    def base(self) -> Base | None:
        """Pose and motion of the first body with a free joint now; None where no body has one."""
        if self._free is None or self._measured is None:
            return None
        # What MuJoCo leaves behind was computed before the last step; forces and poses of now need a pass of their own.
        data = self._measured
        mujoco.mj_copyData(data, self._model, self._base.data)
        mujoco.mj_forward(self._model, data)
        dof, body = int(self._model.jnt_dofadr[self._free]), int(self._model.jnt_bodyid[self._free])
        turned = data.xmat[body].reshape(3, 3)  # columns: the body's axes in the world
        moves = np.zeros(3) if self.holding else data.qacc[dof : dof + 3]
        return Base(
            data.xpos[body].copy(),
            data.xquat[body].copy(),
            turned.T @ data.qvel[dof : dof + 3],
            data.qvel[dof + 3 : dof + 6].copy(),
            turned.T @ (moves - self._model.opt.gravity),
        )

    @property
    def has_base(self) -> bool:
        """Whether a body has a free joint."""
        return self._free is not None

    def reset(self, seed: int | None = None) -> Array:
        """
        Put the robot at a new initial state and hold it there.

        Until the first command position servos get the control of the keyframe that the environment put the robot at,
        else the one that keeps their pose; everything else gets zero.

        Args:
            seed: seed of this and all later initial states; None goes on with the one before.

        Returns:
            The observation, shape (observation,).
        """
        try:
            observation, _ = self._env.reset(seed=seed)
        except UnsupportedEnvironmentError:
            raise
        except FAILURES as error:  # it is somebody else's code, and may raise anything
            raise self._failure('at a reset', error) from error
        self.observation: Array = np.array(observation, dtype=np.float64)
        """The newest observation: of the last reset, or of the end of the last control period."""
        self.episode_return = 0.0
        """Sum of rewards since the last reset."""
        self.holding = True
        """Whether the robot is held at its initial state."""
        mujoco.mj_copyData(self._after, self._model, self._base.data)
        mujoco.mj_fwdPosition(self._model, self._after)  # an environment may have set positions alone
        self._command = self._bounded(resting_controls(self._model, self._after))
        self._begin_period()
        return self.observation

    def set_command(self, command: npt.ArrayLike) -> None:
        """
        Apply a command from the next physics step on, and let a held robot go; see :meth:`check_command`.

        Args:
            command: shape (action,), in the spec's order and SI units.

        Raises:
            SpecError: the command is refused; the one before stays.
        """
        self.set_action(self.check_command(command))

    def set_action(self, action: npt.ArrayLike) -> None:
        """
        Apply an action of the environment from the next physics step on, and let a held robot go.

        Args:
            action: shape (action,), finite, in the environment's own units; what is beyond a bound is clipped to it.
        """
        self._command = np.clip(np.asarray(action, dtype=np.float64), self.spec.low, self.spec.high)
        self.release()

    def check_command(self, command: npt.ArrayLike) -> Array:
        """
        Return the action of a command, in the environment's own units and within the bounds.

        Args:
            command: shape (action,), in the spec's order and SI units; what is beyond a bound is clipped to it.

        Raises:
            SpecError: the length is wrong or a value is not finite.
        """
        values = np.asarray(command, dtype=np.float64)
        if values.shape != (self.spec.action_dim,):
            raise SpecError(
                f'the command has {values.size} values; the robot takes {self.spec.action_dim}: '
                f'{", ".join(self.spec.action_names)}.'
            )
        if not np.isfinite(values).all():
            raise SpecError(f'the command is {values.tolist()}; every value must be finite.')
        return self._bounded(self.spec.from_si(values))

    def _bounded(self, values: Array) -> Array:
        return np.clip(values, self.spec.low, self.spec.high)

    def relax(self) -> None:
        """
        Take the command back: position servos keep their target, all other actuators get zero or the nearest bound.

        A held robot stays held.
        """
        self._command = self._bounded(kept_controls(self._model, self._command))

    def release(self) -> None:
        """Let a held robot go."""
        self.holding = False

    def set_period(self, steps: int) -> None:
        """
        Make the running control period longer or shorter than the nominal one; to be called when it begins.

        Its reward is weighted by its length, so that returns count nominal periods, as TimingJitter does.

        Args:
            steps: its physics steps, at least 1.
        """
        self._period_steps = steps

    def copy_state(self, target: mujoco.MjData) -> None:
        """Copy the whole state of the simulation, for example to draw it elsewhere."""
        mujoco.mj_copyData(target, self._model, self._base.data)

    def advance(self) -> Period | None:
        """
        Advance by one physics step.

        Returns:
            What the control period brought when it ended with this step, else None.

        Raises:
            UnsupportedEnvironmentError: the environment's ``step`` does not simulate through ``do_simulation``.
        """
        self._steps += 1
        self._step_in_period += 1
        if self.holding:
            self._held_steps += 1
        else:
            self._moved = True
            self._simulate()
        return self._end_period() if self._step_in_period >= self._period_steps else None

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
        observation, reward, terminated, truncated = self._replay(length)
        reward = float(reward) * length
        self.observation = np.array(observation, dtype=np.float64)
        self.episode_return += reward
        self._begin_period()
        return Period(self.observation, reward, bool(terminated), bool(truncated), held=False)

    def _replay(self, length: float) -> tuple[Any, Any, bool, bool]:
        """Take the state back to the beginning of the period, and let ``env.step`` find its end, so many T later."""
        data = self._base.data
        mujoco.mj_rnePostConstraint(self._model, data)  # as MujocoEnv does after its last step
        mujoco.mj_copyData(self._after, self._model, data)
        mujoco.mj_copyData(data, self._model, self._before)
        action = self._command.astype(self._env.action_space.dtype)
        driven: list[Any] = []
        frames = self._base.frame_skip

        def take_result(ctrl: Any, n_frames: int) -> None:
            mujoco.mj_copyData(data, self._model, self._after)
            driven.append(np.asarray(ctrl))

        vars(self._base)['do_simulation'] = take_result
        # Some environments divide by the time that the period took, frame_skip times the time step; frame_skip is a
        # whole number, which they loop over, and the time step makes up for the rest.
        if length != 1:
            self._base.frame_skip = max(1, round(frames * length))
            self._model.opt.timestep = self._env_step * (frames * length / self._base.frame_skip)
        try:
            observation, reward, terminated, truncated, _ = self._env.step(action)
        except UnsupportedEnvironmentError:
            raise
        except FAILURES as error:
            raise self._failure('in a step', error) from error
        finally:
            del vars(self._base)['do_simulation']
            self._base.frame_skip, self._model.opt.timestep = frames, self._env_step
        if len(driven) != 1 or not np.array_equal(driven[0], action):
            raise UnsupportedEnvironmentError(
                f'{type(self._base).__name__}.step does not hand the action to do_simulation once and unchanged, as '
                "gymnasium's own MuJoCo environments do; so its actuators cannot be driven as a robot's."
            )
        return observation, reward, terminated, truncated

    def _failure(self, when: str, error: BaseException) -> UnsupportedEnvironmentError:
        return UnsupportedEnvironmentError(
            f'{type(self._base).__name__} failed {when} with {described(error)}. Correct the environment.'
        )


def _mujoco_env(env: 'gym.Env[Any, Any]') -> MujocoEnv:
    base = env.unwrapped
    if not isinstance(base, MujocoEnv):
        raise UnsupportedEnvironmentError(
            f"'{env.spec.id if env.spec else type(base).__name__}' is not a MuJoCo environment of gymnasium, so it has "
            "no joints and no physics steps; take one, for example 'InvertedPendulum-v5'."
        )
    if env.action_space != base.action_space:
        raise UnsupportedEnvironmentError(
            f'a wrapper changes the actions from {base.action_space} to {env.action_space}; a robot takes what its '
            'actuators take. Leave the wrapper away.'
        )
    return base
