"""``velora_ros train --env ID``: train, and write the policy with the best evaluation."""

import argparse
import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from velora_ros.cli.arguments import add_env_arguments, add_hyperparameters, given_hyperparameters, whole_number
from velora_ros.cli.evaluate import statistics
from velora_ros.cli.policy_pictures import illustrate
from velora_ros.cli.stop_on_signals import stop_on_signals
from velora_ros.errors import ConfigError, MissingDependencyError
from velora_ros.gym.describe_env_errors import close
from velora_ros.gym.make_env import same_id
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.callbacks import Callback, EarlyStopping, KeepBest
from velora_ros.training.evaluation import episode_seed, evaluate
from velora_ros.training.hyperparameters import DefaultEpisodes, TrainConfig, without_effect
from velora_ros.training.presets import read_yaml
from velora_ros.training.recipe import SIMULATIONS, named_hyperparameters, task_steps
from velora_ros.training.runs.config import TASK_ENV, RunConfig
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import default_folder
from velora_ros.training.runs.start_from_file import StartFile
from velora_ros.utils import set_seed
from velora_ros.utils.atomic_files import check_writable
from velora_ros.utils.dependencies import how_to_install
from velora_ros.utils.output import write_line

FINAL_EPISODES = 10
FINAL_STREAM = 2**31  # training never seeds with (seed, FINAL_STREAM)


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``train`` to the parser."""
    parser = commands.add_parser(
        'train',
        help='train a policy',
        description=__doc__,
        epilog='Hyperparameters come from the recipe for every environment, config/train/recipe.yaml; with --preset '
        'NAME from config/train/ID-NAME.yaml, and with --config from a file. Flags override them. Evaluations have '
        'the disturbances of training. Ctrl-C ends training early and writes the policy; --resume continues a run '
        'that was stopped or killed.',
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument('--task', metavar='TASK', help='task, e.g. quadruped or my_robot.py:WALK')
    begin.add_argument('--env', metavar='ID', help='environment, e.g. InvertedPendulum-v5')
    begin.add_argument(
        '--resume', metavar='DIR', help='resume the run in this folder; --steps can be larger than before'
    )
    add_env_arguments(parser, 'keyword for the environment, e.g. --env-arg frame_skip=5; can be given more than once')
    parser.add_argument(
        '--from',
        dest='start_from',
        metavar='FILE',
        help='start from a policy, a saved agent, a checkpoint, or the newest checkpoint of a run folder',
    )
    parser.add_argument('--seed', metavar='S', type=whole_number(0), help='equal seeds give equal runs (default: 0)')
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        '--steps',
        metavar='N',
        type=whole_number(1),
        help="largest number of environment steps, over all environments (default for a task: the task's own)",
    )
    budget.add_argument('--episodes', metavar='N', type=whole_number(1), help='largest number of episodes')
    parser.add_argument(
        '--num-envs',
        metavar='N',
        type=whole_number(1),
        help='environments to train in at once (default: 1; for a task 64)',
    )
    parser.add_argument(
        '--out', metavar='FILE', help='policy file (default: policies/best.safetensors in the run folder)'
    )
    parser.add_argument(
        '--run-dir', metavar='DIR', help='folder of checkpoints, policies and curves (default: runs/ID-seedS)'
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        '--preset', metavar='NAME', default='', help='preset of the environment, e.g. tuned (default: recipe)'
    )
    source.add_argument('--config', metavar='YAML', help='file of hyperparameters, instead of a preset')
    parser.add_argument('--device', metavar='NAME', help='cpu, cuda or auto (default: cpu)')
    parser.add_argument(
        '--control-period', metavar='SECONDS', type=float, help='nominal period, if the environment has none'
    )
    parser.add_argument(
        '--checkpoint-every',
        metavar='SECONDS',
        type=float,
        default=30.0,
        help='minimum time between two checkpoints; 0: one after every episode (default: 30)',
    )
    parser.add_argument(
        '--keep-checkpoints',
        metavar='N',
        type=whole_number(1),
        default=3,
        help='number of checkpoints to keep (default: 3)',
    )
    stopping = parser.add_argument_group('stopping early; give these again when you resume the run')
    stopping.add_argument(
        '--stop-at', metavar='RETURN', type=float, help='stop after three evaluations in a row that reach this return'
    )
    stopping.add_argument(
        '--patience', metavar='N', type=whole_number(1), help='stop after N evaluations without an improvement'
    )
    parser.add_argument('--no-pictures', action='store_true', help='no pictures and no film of the best policy')
    add_hyperparameters(parser.add_argument_group('hyperparameters'))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Train, write the policy, and evaluate it once more with new seeds.

    Raises:
        VeloraError: a hyperparameter, the environment, the run's folder or a file is not valid.
    """
    if arguments.task:
        arguments.env, arguments.env_arg = TASK_ENV, [*arguments.env_arg, ('task', arguments.task)]
    if arguments.resume:
        _resume_run(arguments)
    elif arguments.env or arguments.start_from:
        _start_run(arguments)
    else:
        raise ConfigError('nothing to train; give --task NAME, --env ID, --from FILE or --resume DIR.')


def _start_run(arguments: argparse.Namespace) -> None:
    start = StartFile.load(arguments.start_from) if arguments.start_from else None
    if start is not None:
        arguments.env = arguments.env or start.environment
        start.refuse_others(given_hyperparameters(arguments))
    if not arguments.env:
        raise ConfigError(f"'{arguments.start_from}' does not name an environment; choose one with --env ID.")
    env_args = _env_args(arguments, start)
    if arguments.env == TASK_ENV and not arguments.task:  # named by its id, or by the file to start from
        arguments.task = env_args.get('task')
    hyperparameters, source = configuration(arguments)
    budget = ''
    if arguments.task and isinstance(hyperparameters.n_episodes, DefaultEpisodes):
        arguments.steps = task_steps(arguments.task)
        hyperparameters = dataclasses.replace(hyperparameters, n_episodes=arguments.steps)
        budget = f'{arguments.steps} steps of all simulations together; --steps sets another budget'
    if start is not None:
        hyperparameters = dataclasses.replace(hyperparameters, **start.fixed)
        source += f', with {", ".join(start.fixed)} from {start.path}'
    config = RunConfig(
        env=arguments.env,
        env_args=env_args,
        start_from=None if start is None else str(start.path.absolute()),
        seed=arguments.seed or 0,
        hyperparameters=hyperparameters,
        total_steps=arguments.steps,
        control_period=arguments.control_period,
        device=arguments.device or 'cpu',
        flags=shlex.join(_flags(arguments)),
        num_envs=arguments.num_envs or (SIMULATIONS if arguments.task else 1),
    )
    folder = Path(arguments.run_dir) if arguments.run_dir else default_folder(_name(arguments), config.seed)
    RunFolder(folder).refuse_second_run()  # before torch is loaded
    training = _Training(config, arguments)
    if budget:
        write_line(budget)
    write_line(f'hyperparameters from {source}:')
    values = dataclasses.asdict(hyperparameters)
    write_line('\n'.join(f'  {name}: {_yaml(value)}' for name, value in values.items()))
    with training, _started(arguments, config) as run_folder:
        training.run(run_folder)


def _started(arguments: argparse.Namespace, config: RunConfig) -> RunFolder:
    """Start the run in the given folder, or in a free folder that no other run takes at the same time."""
    if arguments.run_dir:
        return RunFolder.start(arguments.run_dir, config)
    return RunFolder.start_in_free(lambda: default_folder(_name(arguments), config.seed), config)


def _resume_run(arguments: argparse.Namespace) -> None:
    if arguments.run_dir:
        raise ConfigError('--resume already names the folder of the run; omit --run-dir.')
    if arguments.start_from:
        raise ConfigError('--resume continues a run and --from starts one; omit one of them.')
    with RunFolder.resume(arguments.resume) as folder:
        started_with = folder.started_with
        started_with.refuse_differences(_given(arguments, started_with.hyperparameters), folder.folder)
        folder.change(**_budget(arguments), **({'device': arguments.device} if arguments.device else {}))
        training = _Training(folder.started_with, arguments)
        with training:
            training.run(folder)


class _Training:
    """Model and environment of a run, made before the run's folder so that an error leaves no folder behind."""

    def __init__(self, config: RunConfig, arguments: argparse.Namespace) -> None:
        self._config, self._arguments = config, arguments
        if config.hyperparameters.eval_every == 0 and (arguments.stop_at, arguments.patience) != (None, None):
            raise ConfigError(
                '--stop-at and --patience judge evaluations, but eval_every is 0, so there are none; set --eval-every, '
                'or omit them.'
            )
        self._out = Path(arguments.out) if arguments.out else None
        if self._out is not None:
            check_writable(self._out, '--out')
        self._training = _import_training(config.seed)
        self.env = self._training.make_environment(config)
        try:
            self._model = self._training.make_model(config, self.env, fresh=not arguments.resume)
            self._trained_in = self._training.make_training_environment(config, self.env)
        except BaseException:
            close(self.env)
            raise

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for env in {id(one): one for one in (self._trained_in, self.env)}.values():
            close(env)

    def run(self, folder: RunFolder) -> None:
        """Train and write the policy; evaluate and draw it, or say how to resume a run that was stopped."""
        arguments = self._arguments
        out = self._out or folder.best_policy
        callbacks: list[Callback] = [] if out == folder.best_policy else [KeepBest(out)]
        if arguments.stop_at is not None or arguments.patience is not None:
            callbacks.append(EarlyStopping(threshold=arguments.stop_at, patience=arguments.patience))
        options = {'checkpoint_every': arguments.checkpoint_every, 'keep_checkpoints': arguments.keep_checkpoints}
        with stop_on_signals() as stop:
            result = self._training.train_run(
                folder, self._model, self._trained_in, callbacks=[*callbacks, stop], **options
            )
        file = _with_provenance(result.best_policy or self._model.agent.policy_file(), self._config)
        file.save(out)
        if stop.reason:  # a user who stops a run does not want to wait for an evaluation
            again = f' --out {out}' if arguments.out else ''
            write_line(f'{stop.reason}; to resume: {folder.how_to_resume}{again}')
            return
        _evaluate(file, self.env, self._config, out)
        if not arguments.no_pictures:
            illustrate(folder.folder)


def _name(arguments: argparse.Namespace) -> str:
    """Return the name for the run's folder and its preset: the task's, otherwise the environment's."""
    name: str = arguments.task or arguments.env
    return name


def configuration(arguments: argparse.Namespace) -> tuple[TrainConfig, str]:
    """
    Return the hyperparameters, from the recipe, preset or file and then the flags, and a text about their origin.

    Raises:
        ConfigError: a name or a value is not valid, or a flag has no effect.
    """
    if arguments.config:
        values, source = read_yaml(arguments.config), str(arguments.config)
    else:
        values, source = named_hyperparameters(_name(arguments), arguments.preset)
    if flags := given_hyperparameters(arguments):
        source += f', with {", ".join(flags)} from the command line'
    budget = {name: value for name, value in _budget(arguments).items() if name == 'n_episodes'}
    config = TrainConfig.from_dict({**values, **flags, **budget})
    for name, reason in without_effect(config).items():
        if name in flags:
            raise ConfigError(f'--{name.replace("_", "-")} has no effect, because {reason}; omit it, or change that.')
    return config, source


def _env_args(arguments: argparse.Namespace, start: StartFile | None) -> dict[str, Any]:
    """Return the keywords for the environment; given keywords override the keywords of the start file's training."""
    is_same = start is not None and same_id(start.environment, arguments.env)
    before = start.provenance.get('env_args', {}) if start is not None and is_same else {}
    return {**before, **dict(arguments.env_arg)}


def _budget(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given budget; --steps also sets n_episodes, to a number that does not limit the run."""
    if arguments.episodes:
        return {'n_episodes': arguments.episodes, 'total_steps': None}
    return {'n_episodes': arguments.steps, 'total_steps': arguments.steps} if arguments.steps else {}


def _given(arguments: argparse.Namespace, started_with: TrainConfig) -> dict[str, Any]:
    """
    Return the values that the command line gives for a run that is resumed.

    Raises:
        ConfigError: a name or a value is not valid.
    """
    path = Path(arguments.config) if arguments.config else None
    if arguments.preset:
        raise ConfigError("--resume keeps the run's hyperparameters; omit --preset.")
    values = {} if path is None else read_yaml(path)
    given = {**values, **given_hyperparameters(arguments)}
    checked = dataclasses.asdict(TrainConfig.from_dict({**dataclasses.asdict(started_with), **given}))
    others = {'seed': arguments.seed, 'control_period': arguments.control_period, 'num_envs': arguments.num_envs}
    others |= {'env_args': dict(arguments.env_arg) or None}
    return {name: checked[name] for name in given} | {
        name: value for name, value in others.items() if value is not None
    }


def _import_training(seed: int) -> Any:
    """Return the module that trains; it needs torch, which the other commands do not."""
    set_seed(seed)  # it also reports a missing torch
    try:
        from velora_ros.models import run_from_config  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError(
            f'training needs {error.name}, which is not installed. {how_to_install("train")}'
        ) from error
    return run_from_config


def _with_provenance(file: PolicyFile, config: RunConfig) -> PolicyFile:
    """Return the policy with the current command and hyperparameters; its budget may have grown meanwhile."""
    provenance = {
        **file.provenance,
        'command': config.command,
        'hyperparameters': dataclasses.asdict(config.hyperparameters),
    }
    return dataclasses.replace(file, provenance=provenance)


def _evaluate(file: PolicyFile, env: Any, config: RunConfig, out: Path) -> None:
    """Evaluate the policy with seeds that training did not use, and write it once more with the returns."""
    seed, max_steps = episode_seed(config.seed, FINAL_STREAM), config.hyperparameters.longest_evaluation
    result = evaluate(Policy(file), env, episodes=FINAL_EPISODES, seed=seed, max_steps=max_steps)
    report = statistics(result)
    dataclasses.replace(file, provenance={**file.provenance, 'evaluation': {'seed': seed, **report}}).save(out)
    write_line(
        f'{out}: return {report["mean"]:.2f} +- {report["std"]:.2f} '
        f'({report["min"]:.2f} to {report["max"]:.2f}) over {FINAL_EPISODES} episodes with new seeds'
    )


def _flags(arguments: argparse.Namespace) -> Sequence[str]:
    """Return the arguments, besides environment, seed and budget, that repeat the run."""
    given = {name: getattr(arguments, name) for name in ('config', 'control_period', 'stop_at', 'patience')}
    given |= {'preset': arguments.preset or None, **given_hyperparameters(arguments)}
    given_to_env = [(name, value) for name, value in arguments.env_arg if name != 'task' or not arguments.task]
    words = [word for name, value in given_to_env for word in ('--env-arg', f'{name}={json.dumps(value)}')]
    words += ['--from', arguments.start_from] if arguments.start_from else []
    for name, value in given.items():
        flag = f'--{name.replace("_", "-")}'
        if isinstance(value, bool):
            words.append(flag if value else f'--no-{flag[2:]}')
        elif value is not None:
            words += [flag, *(map(str, value) if isinstance(value, tuple | list) else [str(value)])]
    return words


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)
