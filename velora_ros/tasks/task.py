"""``Task``: observations, actions, rewards and variation of a robot in one declaration, and its environments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from velora_ros.spec import PolicySpec
from velora_ros.tasks.actions.protocols import Action
from velora_ros.tasks.built_task import BuiltTask, build
from velora_ros.tasks.check_task import check
from velora_ros.tasks.curriculum import Curriculum
from velora_ros.tasks.scores import Score, means
from velora_ros.tasks.single_env import TaskEnv
from velora_ros.tasks.terms.command import Command
from velora_ros.tasks.terms.vary import Variation
from velora_ros.tasks.vector_env import TaskVectorEnv

AnyTerm = Any  # a Term, or a function of the simulation


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """
    A task of a robot. Everything is checked when the task is made.

    Args:
        model: path of an MJCF or URDF file, an ``MjSpec``, or ``menagerie:NAME``.
        period: time between two observations, T [s], a whole number of the model's time steps.
        episode: longest duration of an episode [s].
        act: what the policy commands, from :mod:`velora_ros.tasks.terms.act`.
        observe: what the policy reads, in this order.
        reward: terms and their weights; the reward of a step is their weighted sum.
        start: keyframe of the start pose; or positions by patterns of joints, with ``base`` for height or place; empty:
            the keyframe ``home`` or ``stand``, else the model's reference pose.
        critic: what only a critic sees during training, besides the observations without noise.
        commands: commands by name.
        fail: what ends an episode as a failure.
        vary: what differs between simulations and episodes.
        curriculum: how the variation, including noise and bias, grows in training; None: it is full from the start.
        reward_floor: lowest reward of a step, which a step that fails gets; None: the reward is not bounded. Tasks
            whose episodes end with a fall need 0: if a step costs more than it earns, a policy learns to fall.
        metrics: terms that are reported in ``infos['metrics']``; empty: the tracking of twist commands.
        score: computes the task's own figures from a recording of many episodes (:mod:`velora_ros.tasks.scores`).
        discount: the discount factor per period in training, unless the user gives one; None: by the recipe's rule.
        train_steps: budget of a training, in transitions of all simulations, unless the user gives another; None: the
            default for tasks (:data:`velora_ros.training.recipe.TASK_STEPS`).
        name: the reference with which the task can be found; set by :func:`velora_ros.tasks.find_task.find`.

    Raises:
        TaskError: a part of the task is not valid or does not fit the model.
    """

    model: Any
    period: float
    episode: float
    act: Action
    observe: Sequence[AnyTerm]
    reward: Mapping[AnyTerm, float]
    start: str | Mapping[str, Any] = ''
    critic: Sequence[AnyTerm] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    fail: Sequence[AnyTerm] = ()
    vary: Sequence[Variation] = ()
    curriculum: Curriculum | None = None
    reward_floor: float | None = None
    metrics: Sequence[AnyTerm] = ()
    score: Score = means
    discount: float | None = None
    train_steps: int | None = None
    name: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, '_built', build(self))
        object.__setattr__(self, '_spec', check(self))

    def __deepcopy__(self, memo: Any) -> 'Task':
        return self  # it is immutable, and gymnasium copies the keywords of environments

    @property
    def built(self) -> BuiltTask:
        """The task with its compiled model."""
        built: BuiltTask = self._built  # type: ignore[attr-defined]
        return built

    @property
    def policy_spec(self) -> PolicySpec:
        """The specification of the task's policies, with the contract that connects them to a robot."""
        spec: PolicySpec = self._spec  # type: ignore[attr-defined]
        contract = spec.contract
        return spec if contract is None else replace(spec, contract=replace(contract, task=self.name))

    @property
    def horizon(self) -> int:
        """Largest number of periods that a policy must look ahead: to the end of an episode, or to the next command."""
        every = [sum(one.every) / 2 for one in self.commands.values() if one.every is not None]
        return max(1, min([self.built.steps, *(round(seconds / self.period) for seconds in every)]))

    def make(self, **options: Any) -> TaskEnv:
        """Return an environment; for the options see :class:`velora_ros.tasks.single_env.TaskEnv`."""
        return TaskEnv(self, **options)

    def make_vec(self, n: int, **options: Any) -> TaskVectorEnv:
        """Return a vector environment; for the options see :class:`velora_ros.tasks.vector_env.TaskVectorEnv`."""
        return TaskVectorEnv(self, n, **options)
