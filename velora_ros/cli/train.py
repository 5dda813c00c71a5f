"""``velora_ros train --env ID``: train a policy, and write the best one that its evaluations found."""

import argparse
import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

from velora_ros.cli.arguments import add_hyperparameters, given_hyperparameters, whole_number
from velora_ros.cli.evaluate import statistics
from velora_ros.cli.stopping import stop_on_signals
from velora_ros.errors import ConfigError, MissingDependencyError, StorageError
from velora_ros.gym import disturb, make, spec_from_env
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.config import TrainConfig, preset_path, read_yaml
from velora_ros.training.evaluation import episode_seed, evaluate
from velora_ros.training.records import EvaluationRecord
from velora_ros.utils import set_seed

FINAL_EPISODES = 10
FINAL_STREAM = 2**31  # (seed, FINAL_STREAM) is no pair that training draws from


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command."""
    parser = commands.add_parser(
        'train',
        help='train a policy',
        description=__doc__,
        epilog='Without --config the preset of the environment is used, config/train/ID.yaml, or ID-NAME.yaml with '
        '--preset NAME, if there is one; flags override it. Evaluations are disturbed as training is. Ctrl-C ends '
        'training early and writes what there is.',
    )
    parser.add_argument('--env', metavar='ID', required=True, help='environment, e.g. InvertedPendulum-v5')
    parser.add_argument('--seed', metavar='S', type=whole_number(0), default=0, help='one seed, one run (default: 0)')
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument('--steps', metavar='N', type=whole_number(1), help='environment steps')
    budget.add_argument('--episodes', metavar='N', type=whole_number(1), help='episodes')
    parser.add_argument('--out', metavar='FILE', help='policy file (default: policy.safetensors in the run folder)')
    parser.add_argument('--run-dir', metavar='DIR', help='folder of the learning curve (default: runs/ID-seedS)')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--preset', metavar='NAME', default='', help='a preset beside the usual one, e.g. robust')
    source.add_argument('--config', metavar='YAML', help='hyperparameters, instead of the preset')
    parser.add_argument('--device', metavar='NAME', default='cpu', help='cpu, cuda or auto (default: cpu)')
    parser.add_argument(
        '--control-period', metavar='SECONDS', type=float, help='nominal period, where the environment does not say'
    )
    add_hyperparameters(parser.add_argument_group('hyperparameters'))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Train, write the policy, evaluate it once more on new seeds.

    Raises:
        VeloraError: a hyperparameter, the environment or a file is not as it must be.
    """
    config, source = configuration(arguments)
    env = disturb(make(arguments.env), config.disturbances())
    try:
        folder = Path(arguments.run_dir or f'runs/{_file_name(arguments.env)}-seed{arguments.seed}')
        out = Path(arguments.out) if arguments.out else folder / 'policy.safetensors'
        _prepare(out)
        print(f'hyperparameters from {source}:')
        print('\n'.join(f'  {name}: {_yaml(value)}' for name, value in dataclasses.asdict(config).items()), flush=True)
        file = _train(env, config, arguments, folder, out)
        _finish(file, env, arguments, config, out)
    finally:
        env.close()


def configuration(arguments: argparse.Namespace) -> tuple[TrainConfig, str]:
    """
    Return the hyperparameters and where they come from: the file or the preset, then the flags.

    Raises:
        ConfigError: a name or a value is not valid.
    """
    path = Path(arguments.config) if arguments.config else preset_path(arguments.env, arguments.preset)
    values = {} if path is None else read_yaml(path)
    source = str(path) if values else 'the defaults (there is no preset for this environment)'
    if flags := given_hyperparameters(arguments):
        source += f', with {", ".join(flags)} from the command line'
    if arguments.episodes:
        flags['n_episodes'] = arguments.episodes
    elif arguments.steps:
        flags['n_episodes'] = arguments.steps  # no limit: an episode has at least one step
    return TrainConfig.from_dict({**values, **flags}), source


def _train(env: Any, config: TrainConfig, arguments: argparse.Namespace, folder: Path, out: Path) -> PolicyFile:
    set_seed(arguments.seed)  # it also says so where torch is missing
    try:
        from velora_ros.models import LiquidDDPG  # noqa: PLC0415 - the other commands do without torch
        from velora_ros.utils import set_device  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError(
            f"training needs {error.name}, which is not installed: pip install 'velora_ros[train]'."
        ) from error
    spec = spec_from_env(env, arguments.control_period)
    agent = config.agent_arguments()
    neurons = agent.pop('n_neurons')
    device = set_device(arguments.device)
    model = LiquidDDPG(spec.observation_dim, neurons, spec.action_dim, **agent, device=device, seed=arguments.seed)
    with stop_on_signals() as stop:
        result = model.train(
            env,
            **config.train_arguments(),
            total_steps=arguments.steps,
            control_period=arguments.control_period,
            run_dir=folder,
            callbacks=[_KeepBest(out), stop],
        )
    return result.best_policy or model.learner.policy_file()


class _KeepBest(Callback):
    """Writes each best policy as it is found: a run that is killed, or a disk that fills up, does not lose it."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        if is_best:
            policy.save(self._out)


def _finish(file: PolicyFile, env: Any, arguments: argparse.Namespace, config: TrainConfig, out: Path) -> None:
    """Write the policy, first as it is, then with its returns on seeds that training did not know."""
    command = ['velora_ros', 'train', *_reproducing(arguments)]
    provenance = {**file.provenance, 'command': shlex.join(command), 'hyperparameters': dataclasses.asdict(config)}
    file = dataclasses.replace(file, provenance=provenance)
    file.save(out)
    seed = episode_seed(arguments.seed, FINAL_STREAM)
    result = evaluate(Policy(file), env, episodes=FINAL_EPISODES, seed=seed, max_steps=config.max_steps)
    report = statistics(result)
    dataclasses.replace(file, provenance={**provenance, 'evaluation': {'seed': seed, **report}}).save(out)
    print(
        f'{out}: return {report["mean"]:.2f} +- {report["std"]:.2f} '
        f'({report["min"]:.2f} to {report["max"]:.2f}) over {FINAL_EPISODES} episodes with new seeds'
    )


def _reproducing(arguments: argparse.Namespace) -> list[str]:
    """Return the arguments that make the same policy again, wherever it is to be written."""
    names = ('env', 'seed', 'steps', 'episodes', 'config', 'control_period')
    given = {name: getattr(arguments, name) for name in names} | {'preset': arguments.preset or None}
    given |= given_hyperparameters(arguments)
    words = []
    for name, value in given.items():
        flag = f'--{name.replace("_", "-")}'
        if isinstance(value, bool):
            words.append(flag if value else f'--no-{flag[2:]}')
        elif value is not None:
            words += [flag, *(map(str, value) if isinstance(value, tuple | list) else [str(value)])]
    return words


def _prepare(out: Path) -> None:
    """Find out now, not after hours of training, that the policy cannot be written."""
    if out.is_dir():
        raise ConfigError(f"--out is '{out}', a folder; name a file in it, for example '{out / 'policy.safetensors'}'.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        (out.parent / f'.{out.name}.try.tmp').touch()
        (out.parent / f'.{out.name}.try.tmp').unlink()
    except OSError as error:
        raise StorageError(f"'{out}' cannot be written ({error.strerror}); choose a writable folder.") from error


def _file_name(env_id: str) -> str:
    return re.sub(r'[^\w.-]', '-', env_id)


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)
