"""A task as a ``gymnasium.vector.VectorEnv``: many simulations in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from velora_ros.errors import TaskError
from velora_ros.spec import PolicySpec
from velora_ros.tasks.episodes import Episodes
from velora_ros.tasks.mujoco_simulations import Ids, Sim
from velora_ros.tasks.random_numbers import key_of
from velora_ros.utils.memory import LARGEST_SHARE, does_not_fit, free_memory, resident_memory

if TYPE_CHECKING:
    from velora_ros.tasks.single_env import TaskEnv

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_AGES = 2**40  # no episode has this number
_MODEL, _MEMORY = 'model.', 'memory.'
_FEW = 64


class TaskVectorEnv(VectorEnv[Floats, Floats, Any]):
    """
    n simulations of a task. Episodes end only when they are reset: the autoreset mode is DISABLED.

    Episode e of simulation s depends only on the seed, s and e, not on n, threads or the other simulations.

    ``infos`` contain ``privileged_state``, (n, state), what a critic may see, and ``drawn``, what was drawn for the
    episodes, by name. After a step they also contain, by name and of shape (n,): ``terms``, the weighted terms of the
    reward; ``metrics``, such as ``tracking``; and ``failed``, which failure terms ended an episode.

    Args:
        task: the task.
        n: number of simulations.
        seed: seed of the first reset, if none is given there.
        threads: threads of the physics; 0: one for each CPU.
        undisturbed: whether variation, noise and bias are off; start poses and commands still vary.
        growing: whether the variation begins at zero and grows as the task's ``curriculum`` says, as in training.
        random_ages: whether the first episodes are shorter by a random time, so that they do not all end together.
        render_mode: ``rgb_array`` or ``human``, to draw the first simulation; None: no pictures.
    """

    metadata = {'autoreset_mode': AutoresetMode.DISABLED, 'render_modes': ['rgb_array', 'human']}  # noqa: RUF012

    def __init__(
        self,
        task: Any,
        n: int,
        *,
        seed: int | None = None,
        threads: int = 0,
        undisturbed: bool = False,
        growing: bool = False,
        random_ages: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise TaskError(f'the number of simulations is {n!r}; it must be a whole number of at least 1.')
        if render_mode not in (None, *self.metadata['render_modes']):
            raise TaskError(f"render_mode is '{render_mode}'; it must be rgb_array, human or None.")
        _check_memory(task, int(n))
        self.task, self.num_envs, self.render_mode = task, int(n), render_mode
        self.episodes = Episodes(
            task, task.built, self.num_envs, threads=threads, undisturbed=undisturbed, growing=growing
        )
        self.metadata = {**self.metadata, 'render_fps': max(1, round(1 / task.period))}
        size, actions = self.episodes.observer.size, len(self.episodes.drive.signals)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.single_action_space = spaces.Box(-1, 1, (actions,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.state_size = self.episodes.privileged().shape[1]
        self._seed, self._random_ages = seed, random_ages
        self._bases = np.zeros(self.num_envs, np.uint64)
        self._numbers = np.full(self.num_envs, -1, np.int64)
        self._limits = np.full(self.num_envs, task.built.steps, np.int64)
        self._unborn = np.ones(self.num_envs, bool)
        self._observations = np.zeros((self.num_envs, size), np.float32)
        self._renderer: Any = None

    @property
    def sim(self) -> Sim:
        """The simulations of the task, as its terms read and write them."""
        return self.episodes.sim

    @property
    def dt(self) -> float:
        """Time between two observations, T [s]."""
        return float(self.task.period)

    @property
    def policy_spec(self) -> PolicySpec:
        """Names, units and bounds of what a policy reads and commands, and the period."""
        spec: PolicySpec = self.task.policy_spec
        if spec.contract is None or not self.episodes.undisturbed:
            return spec
        return replace(spec, contract=replace(spec.contract, varied=()))

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """
        Begin episodes in all simulations, or in those that ``options={'reset_mask': mask}`` selects, shape (n,).

        Args:
            seed: one seed for all simulations, or one for each; None: the next episode of the current seed.
            options: ``{'reset_mask': mask}``; None: all simulations.

        Returns:
            the observations of all simulations, shape (n, observation), and infos.
        """
        ids = self._chosen(options)
        self._seed_streams(ids, seed)
        self._numbers[ids] += 1
        self.episodes.begin(ids, key_of(self._bases[ids], self._numbers[ids]))
        self._limits[ids] = self.task.built.steps
        if self._random_ages:
            self._shorten(ids[self._unborn[ids]])
        self._unborn[ids] = False
        self._observations[ids] = self.episodes.observe(ids)[ids]
        return self._observations, self._infos()

    def step(self, actions: Any) -> tuple[Floats, Any, Any, Any, dict[str, Any]]:
        """Simulate a period under actions in [-1, 1], shape (n, action)."""
        given = np.asarray(actions, np.float64)
        if given.shape != self.action_space.shape:
            raise TaskError(f'the actions have the shape {given.shape}; it must be {self.action_space.shape}.')
        if not np.isfinite(given).all():
            row, column = np.argwhere(~np.isfinite(given))[0]
            raise TaskError(f'the action {column} of simulation {row} is {given[row, column]}; it must be finite.')
        if self._numbers.min() < 0:
            raise TaskError('the simulations must be reset before the first step; call reset().')
        outcome = self.episodes.step(given)
        self._observations[:] = self.episodes.observe()
        truncated = (self.sim.steps >= self._limits) & ~outcome.failed
        infos = self._infos()
        infos |= {'terms': outcome.terms, 'metrics': outcome.metrics, 'failed': outcome.failures}
        if self.render_mode == 'human':
            self.render()
        return self._observations, outcome.reward, outcome.failed, truncated, infos

    def render(self) -> Any:
        """Return a picture of the first simulation, as a tuple of one array (height, width, 3)."""
        from velora_ros.tasks.task_renderer import TaskRenderer  # noqa: PLC0415 - OpenGL is loaded on use

        if self.render_mode is None:
            raise TaskError("the environment has no render mode; make it with render_mode='rgb_array' or 'human'.")
        self._renderer = self._renderer or TaskRenderer(self.sim, self.render_mode)
        picture = self._renderer.draw()
        return None if picture is None else (picture,)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def single(self) -> 'TaskEnv':
        """Return one environment of the same task, for names, bounds and evaluations."""
        from velora_ros.tasks.single_env import TaskEnv  # noqa: PLC0415 - it is a vector of one

        return TaskEnv(self.task, undisturbed=self.episodes.undisturbed)

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the whole state, as arrays by name; with it, :meth:`set_state` continues exactly here."""
        return {name: np.array(values) for name, values in self._arrays().items()}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """
        Continue exactly where :meth:`get_state` was called, in an environment of the same task and size.

        Raises:
            TaskError: the state comes from another task or another number of simulations.
        """
        for name, values in state.items():
            if name.startswith(_MEMORY):  # terms may create such arrays at any step
                self.sim.remember(name.removeprefix(_MEMORY), *values.shape[1:])
        own = self._arrays()
        for name, values in own.items():
            if name not in state or np.shape(state[name]) != values.shape:
                found = f'has the shape {np.shape(state[name])}' if name in state else 'is missing'
                raise TaskError(
                    f"'{name}' of the saved state {found}, but this environment needs {values.shape}; use the same "
                    'task and the same number of simulations.'
                )
        for name, values in own.items():
            values[...] = state[name]
        if any(name.startswith(_MODEL) for name in own):
            physics = self.sim.batch.state.copy()
            self.sim.batch.set_const()
            self.sim.batch.state[:] = physics
        self.episodes.resume()

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the live arrays of the whole state, by name."""
        sim = self.sim
        groups = {'commands': sim.commands, 'drawn': sim.drawn, 'memory': sim.memory}
        found = {f'{group}.{name}': values for group, arrays in groups.items() for name, values in arrays.items()}
        found |= {f'{_MODEL}{field}': sim.batch.expand(field) for field in self._changed_fields()}
        found |= {name: getattr(self, f'_{name}') for name in ('bases', 'numbers', 'limits', 'unborn', 'observations')}
        if self.episodes.strengths is not None:
            found |= self.episodes.strengths.arrays()
        return found | {
            'physics': sim.batch.state, 'keys': sim.draws.keys, 'counts': sim.draws.counts, 'steps': sim.steps,
            'action': sim.action, 'last_action': sim.last_action,
        }  # fmt: skip

    def _chosen(self, options: dict[str, Any] | None) -> Ids:
        mask = (options or {}).get('reset_mask')
        if mask is None:
            return self.sim.everyone
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (self.num_envs,):
            raise TaskError(
                f'reset_mask must be a boolean array of shape ({self.num_envs},), not {mask.dtype} {mask.shape}.'
            )
        return np.flatnonzero(mask)

    def _seed_streams(self, ids: Ids, seed: int | Sequence[int | None] | None) -> None:
        if seed is None and (self._numbers[ids] < 0).any():  # never seeded
            if self._seed is None:
                self._seed = int(self.np_random.integers(2**63))
            ids = ids[self._numbers[ids] < 0]
            self._bases[ids] = key_of(self._seed, ids)
        elif isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
            self._bases[ids], self._numbers[ids], self._unborn[ids] = key_of(int(seed), ids), -1, True
        elif seed is not None:
            if len(seed) != self.num_envs:
                raise TaskError(f'there are {len(seed)} seeds; give one for each of the {self.num_envs} simulations.')
            for s in ids:
                if (own := seed[s]) is not None:
                    self._bases[s], self._numbers[s] = key_of(int(own), 0)[0], -1

    def _shorten(self, ids: Ids) -> None:
        """Shorten the first episodes by a random time."""
        words = key_of(self._bases[ids], np.full(len(ids), _AGES))
        self._limits[ids] -= (words % np.uint64(self.task.built.steps)).astype(np.int64)

    def _infos(self) -> dict[str, Any]:
        infos = {'privileged_state': self.episodes.privileged(), 'drawn': self.sim.drawn}
        return infos if self.episodes.durations is None else infos | {'dt': self.episodes.durations}

    def _changed_fields(self) -> list[str]:
        active = [one for one in self.task.built.vary if one.always or not self.episodes.undisturbed]
        return sorted({field for one in active for field in one.fields})


def _check_memory(task: Any, n: int) -> None:
    """Check that n simulations fit into memory; if n is large, measure a few simulations."""
    if n <= 16 * _FEW:
        return
    before = resident_memory()
    few = Episodes(task, task.built, _FEW)
    measured = (resident_memory() - before) / few.sim.n  # nothing, if the process had freed enough memory before
    each = max(measured, mujoco.MjData(task.built.model).nbuffer)
    if why := does_not_fit(n * each, free := free_memory()):
        most = int(LARGEST_SHARE * free / each)
        raise TaskError(f'{n} simulations need {why}; simulate at most {most} at once.')
