"""``velora_ros evaluate FILE``: run a policy in an environment, deterministically and without torch, as on a robot."""

import argparse
import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from velora_ros.cli import evaluate_task
from velora_ros.cli.arguments import add_env_arguments, add_hyperparameters, given_hyperparameters, whole_number
from velora_ros.cli.film import Film, film_path
from velora_ros.errors import ConfigError, MissingDependencyError, SpecError
from velora_ros.gym import Disturbances, PartialObservation, TimingJitter, disturb, make, spec_from_env
from velora_ros.gym.describe_env_errors import close
from velora_ros.gym.find_normalising_wrappers import statistics_warning
from velora_ros.gym.make_env import same_id
from velora_ros.gym.rendering import check_rendering
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.engine_protocol import ENGINES
from velora_ros.spec import PolicySpec
from velora_ros.training.evaluation import evaluate
from velora_ros.training.records import EvaluationResult

Env = gym.Env[Any, Any]

NO_DISTURBANCES, AS_IN_TRAINING = 'none', 'training'


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``evaluate`` to the parser."""
    parser = commands.add_parser('evaluate', help='run a policy and report its returns', description=__doc__)
    parser.add_argument('file', metavar='FILE', help='policy file')
    parser.add_argument('--env', metavar='ID', help='environment (default: as in training)')
    parser.add_argument(
        '--task', metavar='TASK', help='a task instead of an environment, e.g. quadruped or my_robot.py:WALK'
    )
    add_env_arguments(parser, 'keyword for the environment; can be given more than once (default: as in training)')
    parser.add_argument(
        '--episodes', metavar='K', type=whole_number(1), default=10, help='number of episodes (default: 10)'
    )
    parser.add_argument('--seed', metavar='S', type=whole_number(0), default=0, help='seed of the resets (default: 0)')
    parser.add_argument(
        '--max-steps', metavar='N', type=whole_number(1), help='maximum steps of an episode (default: no limit)'
    )
    parser.add_argument('--engine', choices=ENGINES, default='auto', help='engine that runs the policy (default: auto)')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--render', metavar='FILE', help='film the first episode, as .mp4 or .gif')
    disturbances = parser.add_argument_group('disturbances')
    disturbances.add_argument(
        '--disturbances',
        choices=(NO_DISTURBANCES, AS_IN_TRAINING),
        default=NO_DISTURBANCES,
        help='as in training, or none; the flags below override single settings (default: none)',
    )
    disturbances.add_argument('--undisturbed', action='store_true', help='for a task: without its noise and variation')
    add_hyperparameters(disturbances, only='env')
    parser.add_argument('--seconds', metavar='S', type=float, help='for a task: longest duration of an episode [s]')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Evaluate the policy and print the result.

    Raises:
        VeloraError: the policy cannot be read, the environment cannot be made, or they do not fit each other.
    """
    _refuse_ignored(arguments)
    if arguments.task:
        evaluate_task.run(arguments)
        return
    film = film_path(arguments.render) if arguments.render else None
    policy = Policy.load(arguments.file, arguments.engine)
    env_id = environment_of(policy.file, arguments.env)
    disturbances = training_disturbances(policy.file) if arguments.disturbances == AS_IN_TRAINING else {}
    disturbances |= given_hyperparameters(arguments, only='env')
    result = evaluate_in(
        policy,
        env_id,
        episodes=arguments.episodes,
        seed=arguments.seed,
        max_steps=arguments.max_steps,
        disturbances=Disturbances(**disturbances),
        film=film,
        env_args=dict(arguments.env_arg),
    )
    report = {
        'event': 'evaluation',
        'policy': arguments.file,
        'digest': policy.digest,
        'environment': env_id,
        'seed': arguments.seed,
        'disturbances': disturbances,
        **statistics(result),
        'returns': list(result.returns),
        'lengths': list(result.lengths),
    }
    print(json.dumps(report) if arguments.json else _text(report))
    if film is not None and not arguments.json:
        print(f'film: {film}')


def _refuse_ignored(arguments: argparse.Namespace) -> None:
    """Refuse the flags that have no effect with a task, or without one."""
    if not arguments.task:
        given = {'--seconds': arguments.seconds is not None, '--undisturbed': arguments.undisturbed}
        if found := [flag for flag, is_given in given.items() if is_given]:
            raise ConfigError(f'{found[0]} is for tasks; add --task TASK, or omit it.')
        return
    given = {
        '--env': arguments.env is not None,
        '--env-arg': bool(arguments.env_arg),
        '--max-steps': arguments.max_steps is not None,
        '--engine': arguments.engine != ENGINES[0],
        '--render': arguments.render is not None,
        '--disturbances': arguments.disturbances != NO_DISTURBANCES,
        **{f'--{name.replace("_", "-")}': True for name in given_hyperparameters(arguments, only='env')},
    }
    if found := [flag for flag, is_given in given.items() if is_given]:
        raise ConfigError(f'{found[0]} has no effect with --task; omit one of them.')


def environment_of(file: PolicyFile, env_id: str | None) -> str:
    """
    Return the requested environment, otherwise the policy's training environment.

    Raises:
        ConfigError: no environment is given, and the policy file names none.
    """
    if found := env_id or file.environment:
        return found
    raise ConfigError('the policy file does not name an environment; choose one with --env ID.')


def env_args_of(file: PolicyFile, env_id: str) -> dict[str, Any]:
    """Return the keywords of the training environment; none if ``env_id`` is another environment."""
    found = file.provenance.get('env_args') if same_id(env_id, file.environment) else None
    return dict(found) if isinstance(found, dict) else {}


def training_disturbances(file: PolicyFile) -> dict[str, Any]:
    """
    Return the disturbances with which a policy was trained, by name; defaults are omitted.

    Raises:
        ConfigError: the policy file does not contain the hyperparameters of its training.
    """
    recorded = file.provenance.get('hyperparameters')
    if not isinstance(recorded, dict):
        raise ConfigError(
            'the policy file does not contain the hyperparameters of its training; give the disturbances by their '
            'flags, for example --action-delay 0 1.'
        )
    known = {item.name: item.default for item in dataclasses.fields(Disturbances) if item.name in recorded}
    settings = Disturbances(**{name: recorded[name] for name in known})
    return {name: recorded[name] for name, default in known.items() if getattr(settings, name) != default}


def statistics(result: EvaluationResult) -> dict[str, Any]:
    """Return the number of episodes, and mean, standard deviation, minimum and maximum of their returns."""
    low, high = min(result.returns), max(result.returns)
    return {'episodes': len(result.returns), 'mean': result.mean, 'std': result.std, 'min': low, 'max': high}


def fitted(env: Env, spec: PolicySpec) -> Env:
    """
    Return the environment, wrapped so that it has the policy's observations, in the policy's order.

    Args:
        env: the environment.
        spec: spec of the policy.

    Raises:
        SpecError: the environment lacks an observation of the policy, or has other actions.
    """
    own = spec_from_env(env, spec.control_period)
    if missing := [name for name in spec.observation_names if name not in own.observation_names]:
        raise SpecError(
            f'the policy reads {", ".join(missing)}, which the environment does not observe; '
            f'it observes {", ".join(own.observation_names)}. Use the environment that the policy was trained in.'
        )
    if (
        spec.with_actions_of(own).action_names != own.action_names
        or (own.low > spec.low).any()
        or (own.high < spec.high).any()
    ):
        raise SpecError(
            f'the policy commands {_bounds(spec)}; the environment takes {_bounds(own)}. '
            'Use the environment that the policy was trained in.'
        )
    timed = env.has_wrapper_attr('dt_range')
    if own.control_period != spec.control_period and not timed:  # the policy must get the real elapsed time
        env = TimingJitter(env, period_range=(1, 1), drop_probability=0)
    if own.observation_names != spec.observation_names:
        env = PartialObservation(env, list(spec.observation_names))
    return env


def evaluate_in(
    policy: Policy,
    env_id: str,
    *,
    episodes: int = 1,
    seed: int = 0,
    max_steps: int | None = None,
    disturbances: Disturbances | None = None,
    film: Path | None = None,
    env_args: Mapping[str, Any] | None = None,
) -> EvaluationResult:
    """
    Make an environment, run whole episodes in it and close it.

    Args:
        policy: chooses the actions.
        env_id: name of the environment.
        episodes: number of episodes.
        seed: seed of the resets.
        max_steps: maximum steps of an episode; None: no limit.
        disturbances: disturbances of the environment; None: none.
        env_args: keywords for the environment; the keywords of training are kept if the environment is the same.
        film: path of a film of the first episode, checked by :func:`velora_ros.cli.film.film_path`; None: no film.

    Raises:
        VeloraError: the environment cannot be made or does not fit the policy, or the film cannot be made.
    """
    if film is not None:
        check_rendering()
    rendering = {'render_mode': 'rgb_array'} if film else {}
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='.*not in the possible render_modes')  # the error is raised below
        env = make(env_id, **{**env_args_of(policy.file, env_id), **(env_args or {}), **rendering})
    modes = (env.metadata or {}).get('render_modes') or []
    if film is not None and 'rgb_array' not in modes:
        close(env)
        raise MissingDependencyError(
            f"the environment '{env_id}' cannot be filmed: its render_modes {modes} lack rgb_array. "
            'Evaluate it without --render.'
        )
    if warning := statistics_warning(env):
        warnings.warn(warning, stacklevel=2)
    try:
        env = fitted(disturb(env, disturbances or Disturbances()), policy.spec)
        if film is None:
            return evaluate(policy, env, episodes=episodes, seed=seed, max_steps=max_steps)
        env = filmed = Film(env, film, spec_from_env(env, policy.period).control_period)
        try:
            return evaluate(policy, env, episodes=episodes, seed=seed, max_steps=max_steps)
        finally:
            filmed.finish()
    finally:
        close(env)


def _bounds(spec: PolicySpec) -> str:
    rows = zip(spec.action_names, spec.action_low, spec.action_high, strict=True)
    return ', '.join(f'{name} in [{low:g}, {high:g}]' for name, low, high in rows)


def _text(report: dict[str, Any]) -> str:
    returns = ' '.join(f'{value:.1f}' for value in report['returns'])
    disturbed = ''.join(f'\n  {name} {value}' for name, value in report['disturbances'].items())
    spread = ', '.join(f'{name} {report[name]:.2f}' for name in ('mean', 'std', 'min', 'max'))
    return (
        f'{report["policy"]} ({report["digest"][:12]}) in {report["environment"]}, '
        f'{report["episodes"]} episodes, seed {report["seed"]}{disturbed}\n'
        f'  return   {spread}\n'
        f'  returns  {returns}\n'
        f'  steps    {" ".join(map(str, report["lengths"]))}'
    )
