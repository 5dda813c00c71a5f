"""A task's robot in real time: the simulation of training, one physics step and one command at a time."""

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.gym.servo_gains import Gains, ServoGains
from velora_ros.gym.simulated_robot import Period, finite_command
from velora_ros.gym.simulated_time import SimulatedTime
from velora_ros.tasks.episodes import UNSTABLE, Episodes
from velora_ros.tasks.extra_topics import RobotSources
from velora_ros.tasks.live_metrics import LiveMetrics
from velora_ros.tasks.live_scores import figures_of, goal_is_reached, has_one_goal
from velora_ros.tasks.lying_start import STANDING, StandingUp, lying
from velora_ros.tasks.random_numbers import key_of
from velora_ros.tasks.robot_message_spec import wire_spec
from velora_ros.tasks.robot_sensors import RobotSensors
from velora_ros.tasks.terms.command import note_change
from velora_ros.tasks.terms.vary import PUSHED

Array = npt.NDArray[np.float64]


class TaskRobot(SimulatedTime):
    """
    One simulation of a task that runs in real time, with the interface of a simulated robot.

    Terms, physics step and scene are the same as in training: with one command at the beginning of each period, the
    task's environment gives the same states and rewards, bit for bit. Commands are in SI units, as a robot's driver
    expects them: position targets, efforts or a twist. After a reset the robot is held until a command or
    :meth:`release`.

    Args:
        task: the task.
        seed: seed of the episodes.
        randomise: whether the robot's physics varies from episode to episode and the robot is pushed, as in training.
        start: ``standing``, ``lying`` or ``on_its_side``. Falls and metrics count only after it has stood up.
        time_limit: whether an episode ends with the task's own time limit.

    Raises:
        TaskError: the robot has no floating base, so it cannot start lying.
    """

    caution = ''

    def __init__(
        self, task: Any, *, seed: int = 0, randomise: bool = False, start: str = STANDING, time_limit: bool = False
    ) -> None:
        self.task, self._seed, self.randomise = task, seed, randomise
        self.episodes = Episodes(task, task.built, 1, threads=1)
        self.sim, self._drive = self.episodes.sim, self.episodes.drive
        self.model: mujoco.MjModel = task.built.model
        self.physics_step = float(self.model.opt.timestep)
        """Duration of one physics step [s]."""
        self.steps_per_period = int(task.built.substeps)
        """Physics steps in the nominal control period."""
        self.sources = RobotSources(task, self.episodes)
        """The topics that the task's policies read besides joints, inertial sensor, odometry and laser."""
        self.sensors = RobotSensors(self.sim, tuple(self.sources.poses.values()))
        self.spec = wire_spec(task, self._drive, self.sensors.names)
        """The signals of the sensors, and the values of the commands in SI units."""
        self.recording = LiveMetrics(task.period)
        """The task's metrics of all episodes so far."""
        self._servos = getattr(self._drive, 'servos', None)
        self.takes_gains = self._servos is not None
        """Whether commands are positions of servos, whose gains can be set."""
        self._gains: ServoGains | None = None  # None until a command sets gains
        self._limit = task.built.steps if time_limit else np.inf
        self.is_driven = True
        """Whether the policy drives the robot and standing up is over; only then do its figures count."""
        self._lying = None if start == STANDING else lying(self.model, task.built.start_qpos, start)
        self._everyone = self.sim.everyone
        self._standing = StandingUp(self.sim)
        self._episode = -1
        super().__init__()
        self._disturbed = True
        self._received: set[str] = set()
        self.reset()

    @property
    def view(self) -> dict[str, Any]:
        """The default camera, as fields of ``mjvCamera``."""
        if not self.sensors.has_base:
            return {}
        kind, body = int(mujoco.mjtCamera.mjCAMERA_TRACKING), int(self.sim.base_body.id)
        return {'type': kind, 'trackbodyid': body, 'distance': 1.8, 'elevation': -15.0}

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Bounds of the sensors' signals, -inf and inf because they have none, each of shape (signals,)."""
        largest = np.full(len(self.sensors.names), np.inf)
        return -largest, largest

    @property
    def observation(self) -> Array:
        """What the task's terms observe now, without noise, shape (observation,)."""
        self.episodes.observer.read(np.zeros(0, np.intp))
        found: Array = self.episodes.observer.clean[0].copy()
        return found

    @property
    def command_delay(self) -> float:
        """Delay of commands in this episode, as drawn with ``randomise`` [s]."""
        return self.episodes.action_delay * float(self.task.period)

    def reset(self, seed: int | None = None) -> Array:
        """
        Put the robot in a new initial state and hold it there; ``randomise`` takes effect from here on.

        Args:
            seed: seed of this and all later episodes; None: the next episode of the current seed.

        Returns:
            The observation, shape (observation,).
        """
        if seed is not None:
            self._seed, self._episode = seed, -1
        if self._disturbed != self.randomise:
            self.episodes.switch(disturbed=self.randomise)
            self._disturbed = self.randomise
        self._episode += 1
        given = {name: self.sim.commands[name].copy() for name in self._received}
        if self._gains is not None:
            self._gains.set(Gains())
        self.episodes.begin(self._everyone, key_of(key_of(self._seed, self._everyone), np.full(1, self._episode)))
        if self._gains is not None:
            self._gains.begin()
        self._keep_commands(given)
        if PUSHED in self.sim.memory:
            self.sim.memory[PUSHED][:] = -np.inf
        if self._lying is not None:
            self._lie_down()
        self.recording.begin()
        self.episode_return = 0.0
        """Sum of rewards since the last reset."""
        self.holding = True
        """Whether the robot is held in its initial state."""
        self._standing.begin(stands=self._lying is None)
        self._begin_period()
        return self.observation

    def check_command(self, command: npt.ArrayLike) -> Array:
        """
        Return a command, clipped to the limits, shape (action,).

        Raises:
            SpecError: the length is wrong or a value is not finite.
        """
        return np.clip(finite_command(command, self.spec), self.spec.low, self.spec.high)

    def set_action(self, action: npt.ArrayLike) -> None:
        """Apply a command from the next physics step on, and release a held robot; shape (action,), SI units."""
        command = np.asarray(action, dtype=np.float64)[None]
        self.sim.action[:] = np.clip(self._drive.action_of(command), -1, 1)
        self._drive.follow(command)
        self.release()

    def set_gains(self, gains: Gains) -> None:
        """Set the position servos' gains from the next physics step on; call this only if :attr:`takes_gains`."""
        assert self._servos is not None
        if self._gains is None:
            gain, bias = (self.sim.batch.expand(f'actuator_{what}prm') for what in ('gain', 'bias'))
            self._gains = ServoGains(self.model, self._servos, gain, bias)
        self._gains.set(gains)

    def relax(self) -> None:
        """Withdraw the command: position servos keep their target, speeds and efforts become zero."""
        self._drive.relax()

    def release(self) -> None:
        """Release a held robot."""
        self.holding = False

    def set_period(self, steps: int) -> None:
        """Set the length of the current control period, in physics steps; call this when it begins."""
        self._period_steps = steps

    def set_command(self, name: str, values: npt.ArrayLike) -> None:
        """
        Let the task judge the robot by a command from the next period on, clipped to the range of training.

        Args:
            name: the command's name in the task.
            values: the command's entries, in its units, shape (entries,).
        """
        one = self.task.commands[name]
        clipped = np.clip(values, one.low, one.high) if len(one.low) else np.asarray(values, np.float64)
        self._received.add(name)
        if not np.array_equal(self.sim.commands[name][0], clipped):
            self.sim.commands[name][:] = clipped
            note_change(self.sim, name, self._everyone)
        self.sim.forget()

    def sample_command(self, name: str) -> Array:
        """Return a command drawn as in training, shape (entries,)."""
        found: Array = np.asarray(self.task.commands[name].sample(self.sim, self._everyone), np.float64)[0]
        return found

    @property
    def is_over(self) -> bool:
        """Whether the episode's goal was reached or its time is over; always False if commands change in an episode."""
        over = bool(self.sim.steps[0] >= self.task.built.steps)
        return has_one_goal(self.task) and (over or goal_is_reached(self.task, self.recording))

    def figures(self, seconds: float = np.inf) -> dict[str, Any]:
        """Return the task's own figures of the run so far, or of its last seconds, ready for JSON."""
        return figures_of(self.task, self.recording, seconds)

    def push(self, speed: float) -> bool:
        """Change the horizontal velocity of the base by ``speed`` [m/s] in a random direction; False without a base."""
        if not self.sensors.has_base:
            return False
        angle = self.sim.draws.uniform(self._everyone, 0, 2 * np.pi, 1)[0, 0]
        self.sim.free_joint.qvel[:, :2] += speed * np.array([np.cos(angle), np.sin(angle)])
        self.sim.remember(PUSHED)[:] = self.sim.time
        return True

    def copy_state(self, target: mujoco.MjData) -> None:
        """Copy the whole state of the simulation, for example to draw it in another thread."""
        self.sim.batch.get_data(0, target)

    def advance(self) -> Period | None:
        """Advance by one physics step; return the outcome of the control period if it ended with this step."""
        ends = self._count_step(held=self.holding)
        if not self.holding:
            self._simulate()
        return self._end_period() if ends else None

    def _simulate(self) -> None:
        if not self._moved_steps:
            self.episodes.vary()
            self.sim.begin_period()
        self._moved_steps += 1
        self.sim.simulate(1)

    def _begin_period(self) -> None:
        self._step_in_period, self._period_steps, self._moved_steps = 0, self.steps_per_period, 0

    def _end_period(self) -> Period:
        moved, length = self._moved_steps, self._step_in_period / self.steps_per_period
        self._begin_period()
        if not moved:
            return Period(np.zeros(0), 0.0, terminated=False, truncated=False, held=True)
        self.episodes.spend(moved * self.physics_step)
        self.sim.end_period()
        outcome = self.episodes.judge()
        self.sim.last_action[:] = self.sim.action
        self.sim.forget()
        reward = float(outcome.reward[0]) * length
        self.episode_return += reward
        stood = self._standing.judge()
        failed = bool(outcome.failed[0] if stood else outcome.failures[UNSTABLE][0])
        if stood and self.is_driven and self._has_commands():
            self.recording.step(outcome.metrics, reward)
        if failed:
            self.recording.fail(next(name for name, mask in outcome.failures.items() if mask[0]))
        truncated = bool(self.sim.steps[0] >= self._limit) and not failed
        return Period(np.zeros(0), reward, terminated=failed, truncated=truncated, held=False)

    def _has_commands(self) -> bool:
        """Whether every command without a time-out, such as a goal, was received."""
        return all(name in self._received for name, one in self.task.commands.items() if one.timeout is None)

    def _keep_commands(self, given: dict[str, Array]) -> None:
        """Keep received commands across a reset; other commands are zero, except goals, which are drawn."""
        for name, one in self.task.commands.items():
            if name in given:
                self.sim.commands[name][:] = given[name]
            elif one.timeout is not None:
                self.sim.commands[name][:] = 0
        self.sim.forget()

    def _lie_down(self) -> None:
        """Write the pose of the lying robot, and let its servos keep it."""
        sim = self.sim
        sim.qpos[:] = self._lying
        sim.qvel[:] = 0
        self._drive.begin(self._everyone)
        sim.batch.forward()
        sim.forget()
