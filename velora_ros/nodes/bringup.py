"""
Which nodes make up a run, with which parameters: kept as data here, in one place.

``launch/*.launch.py`` turn it into launch actions. Without ``launch``, this module starts the same processes with the
same arguments by itself::

    python -m velora_ros.nodes.bringup control duration:=60 env:=InvertedPendulum-v5 policy:=file.safetensors
    python -m velora_ros.nodes.bringup control train:=true duration:=300

The last line printed is the run's summary. Exit status: 0 when the run passed or was ended by Ctrl-C or SIGTERM, 1 when
it did not pass or a required process died, 2 for arguments that cannot be right.
"""

import importlib.util
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.entries import Argument, Entry, Value
from velora_ros.nodes.parameter_files import value_in
from velora_ros.utils import share_path

# After the controller was killed the simulator goes on for a while, so that its summary shows what became of the robot.
AFTERMATH_S = 5.0

_BOOLEAN = ('true', 'false')
_DEFAULT_ENV = 'InvertedPendulum-v5'
_ENV = Argument('env', '', f'Gymnasium id of the MuJoCo environment; empty is that of params, else {_DEFAULT_ENV}.')
_NAMESPACE = Argument('namespace', '', 'Namespace of all nodes; several robots run side by side in one each.')
_PARAMS = Argument(
    'params', '', 'A parameter file of your own for all nodes; it overrides the shipped ones, arguments override it.'
)
_STEPS = Argument('steps', '', "Environment steps of the training; empty takes the parameter file's number.")
_RUN_DIR = Argument('run_dir', '', "Folder of the training's run; empty is that of params, else a new one below runs/.")
_SEED = Argument(
    'seed',
    '',
    'One seed, one run: it fixes initial states, and weights and noise in training; empty is 0, or as in params.',
)

ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    'control': (
        _ENV,
        Argument(
            'policy',
            '',
            'Policy file, or the name of a shipped one; empty takes that of params, else the one shipped for env, or '
            'with train:=true none.',
        ),
        Argument('duration', '0', 'Simulated seconds after which the run ends and is judged; 0 runs until Ctrl-C.'),
        Argument('sim', 'true', 'Start the simulated robot; false for a real one, which is then not armed.', _BOOLEAN),
        Argument('train', 'false', 'Train meanwhile, and let the simulated robot have each better policy.', _BOOLEAN),
        _STEPS,
        _RUN_DIR,
        _NAMESPACE,
        Argument('robots', '1', 'How many robots side by side; of several each is in a namespace robot1, robot2, ...'),
        Argument('use_sim_time', 'false', 'Live by /clock; the simulated robot then publishes it.', _BOOLEAN),
        _SEED,
        _PARAMS,
    ),
    'train': (
        _ENV,
        _SEED,
        _STEPS,
        _RUN_DIR,
        Argument('out', '', 'Another file for the best policy, beside the one in the run folder.'),
        _NAMESPACE,
        _PARAMS,
    ),
}
"""The launch arguments of each run."""


def build(run: str, given: Mapping[str, str]) -> list[Entry]:
    """
    Return the nodes of a run.

    Args:
        run: a key of :data:`ARGUMENTS`.
        given: launch arguments by name; what is absent takes its default.

    Raises:
        ConfigError: the run or an argument is unknown, or a value cannot be right.
    """
    if run not in ARGUMENTS:
        raise ConfigError(f"there is no run '{run}'.{did_you_mean(run, ARGUMENTS)}")
    known = {argument.name: argument for argument in ARGUMENTS[run]}
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no argument '{name}'.{did_you_mean(name, known)}")
    values = {name: given.get(name, argument.default) for name, argument in known.items()}
    for argument in known.values():
        if argument.choices and values[argument.name] not in argument.choices:
            hint = did_you_mean(values[argument.name], argument.choices)
            raise ConfigError(f"the argument '{argument.name}' is '{values[argument.name]}'.{hint}")
    return _BUILDERS[run](values)


def _control(values: Mapping[str, str]) -> list[Entry]:
    robots, seed = _integer('robots', values['robots']), _seed(values, 'sim_node')
    if robots < 1 or (robots > 1 and values['train'] == 'true'):
        raise ConfigError(f"the argument 'robots' is {robots}; it must be at least 1, and 1 with train:=true.")
    if robots == 1:
        return _one_robot(values)
    entries: list[Entry] = []
    for index in range(robots):
        own = {'namespace': f'{values["namespace"].rstrip("/")}/robot{index + 1}', 'seed': str(seed + index)}
        entries += _one_robot({**values, **own, 'clock': str(index == 0).lower()})
    return entries


def _one_robot(values: Mapping[str, str]) -> list[Entry]:
    simulated, training = values['sim'] == 'true', values['train'] == 'true'
    duration = _seconds('duration', values['duration'])
    if duration and not simulated:
        raise ConfigError(
            f"the argument 'duration' is {duration:g}, but only a simulated robot (sim:=true) has an end."
        )
    for name in ('steps', 'run_dir'):
        if values[name] and not training:
            raise ConfigError(f"the argument '{name}' is '{values[name]}', but nothing is trained; add train:=true.")
    if not training:
        return [*([_sim_node(values, duration)] if simulated else []), _policy_node(values, simulated=simulated)]
    run = _run_folder(values)
    if not simulated:  # nothing that was never tried commands a real robot
        return [_policy_node(values, simulated=False), _trainer_node(values, run, required=False)]
    return [
        _sim_node(values, duration, learning=True),
        _policy_node(values, simulated=True, follow=run),
        _trainer_node(values, run, audience=True),
    ]


def _train(values: Mapping[str, str]) -> list[Entry]:
    return [_trainer_node(values, _run_folder(values), alone=True)]


def _run_folder(values: Mapping[str, str]) -> str:
    """Return the absolute path of the run's folder: policy_node is told which one it may take policies from."""
    if importlib.util.find_spec('torch') is None:
        raise ConfigError(
            'training needs torch, which is not installed here: make control TRAIN=1 and make train set it up, '
            "elsewhere pip install 'velora_ros[train]'."
        )
    from velora_ros.training.run_paths import default_folder  # noqa: PLC0415 - control alone loads no training

    given = values['run_dir'] or _own(values, 'trainer_node', 'run_dir')
    folder = given or default_folder(_env(values, 'trainer_node'), _seed(values, 'trainer_node'))
    return str(Path(folder).expanduser().absolute())


def _own(values: Mapping[str, str], node: str, parameter: str) -> Any:
    """Return what the user's own file says; None where it does not."""
    name = f'{_namespace(values["namespace"]).rstrip("/")}/{node}'
    return value_in(values['params'], name, parameter)


def _env(values: Mapping[str, str], node: str) -> str:
    return values['env'] or str(_own(values, node, 'env') or _DEFAULT_ENV)


def _seed(values: Mapping[str, str], node: str) -> int:
    own = _own(values, node, 'seed')
    return _integer('seed', values['seed']) if values['seed'] else own if isinstance(own, int) else 0


def _given(values: Mapping[str, str]) -> dict[str, Value]:
    """Return what the arguments say of environment and seed; what they leave open is up to the files."""
    env: dict[str, Value] = {'env': values['env']} if values['env'] else {}
    return env | ({'seed': _integer('seed', values['seed'])} if values['seed'] else {})


def _sim_node(values: Mapping[str, str], duration: float, *, learning: bool = False) -> Entry:
    parameters = _given(values)
    if duration:
        parameters['duration_s'] = duration
    if values['use_sim_time'] == 'true' and values.get('clock') != 'false':  # of several simulators, one has the clock
        parameters['publish_clock'] = True
    if learning:
        parameters['learning'] = True
    files = _files(['sim_node.yaml'], values['params'])
    return Entry('sim_node', 'sim_node', _namespace(values['namespace']), files, parameters, ends_run=True)


def _policy_node(values: Mapping[str, str], *, simulated: bool, follow: str = '') -> Entry:
    """Describe policy_node; ``follow``: the run's folder from which it takes each better policy."""
    parameters: dict[str, Value] = {'autostart': True}
    if values['policy']:
        parameters['policy'] = values['policy']
    elif not follow and not _own(values, 'policy_node', 'policy'):
        parameters['policy'] = _shipped_policy(_env(values, 'sim_node'))
    if follow:
        parameters |= {'follow_trainer': True, 'policy_dirs': [follow]}
    if values['use_sim_time'] == 'true':
        parameters['use_sim_time'] = True
    # Nothing but the simulator's own file ever arms a robot by itself.
    files = _files(['policy_node.yaml', *(['control.yaml'] if simulated else [])], values['params'])
    return Entry(
        'policy_node',
        'policy_node',
        _namespace(values['namespace']),
        files,
        parameters,
        remaps=(('policy_update', 'trainer_node/policy'),) if follow else (),
        linger_s=AFTERMATH_S if simulated else 0.0,
    )


def _trainer_node(
    values: Mapping[str, str], run: str, *, alone: bool = False, audience: bool = False, required: bool = True
) -> Entry:
    """Describe trainer_node; ``alone``: the run ends with it, ``audience``: a controller takes its policies."""
    parameters = {**_given(values), 'run_dir': run, 'autostart': True}
    if values['steps']:
        parameters['total_steps'] = _integer('steps', values['steps'])
    if values.get('out'):
        parameters['out'] = values['out']
    if alone:
        parameters['exit_when_done'] = True
    if audience:
        rival = values['policy'] or _own(values, 'policy_node', 'policy')
        parameters |= {'rival': str(rival)} if rival else {'announce_untrained': True}
    if values.get('use_sim_time') == 'true':
        parameters['use_sim_time'] = True
    files = _files(['trainer_node.yaml', *([] if alone else ['control.yaml'])], values['params'])
    return Entry(
        'trainer_node',
        'trainer_node',
        _namespace(values['namespace']),
        files,
        parameters,
        required=required,
        ends_run=alone,
    )


_BUILDERS = {'control': _control, 'train': _train}


def _shipped_policy(env: str) -> str:
    path = share_path('policies', f'{env}.safetensors')
    if not path.is_file():
        shipped = sorted(file.stem for file in share_path('policies').glob('*.safetensors'))
        how = f'Train one with velora_ros train --env {env} --out FILE, and give it with policy:=FILE.'
        if env.endswith('.xml'):  # an MJCF file alone has no reward to train for
            how = 'Give one with policy:=FILE; docs/simulator.md tells how to train for a robot of your own.'
        raise ConfigError(
            f"no policy ships for the environment '{env}'; there are: {', '.join(shipped) or 'none'}. {how}"
        )
    return str(path)


def _files(shipped: Sequence[str], own: str) -> tuple[str, ...]:
    if own and not Path(own).is_file():
        raise ConfigError(f"the argument 'params' is '{own}', which is no file; give a YAML file of ROS parameters.")
    return (*(str(share_path('config', name)) for name in shipped), *([own] if own else []))


def _namespace(value: str) -> str:
    if not re.fullmatch(r'/?|(/?[A-Za-z_][A-Za-z0-9_]*)+', value):
        raise ConfigError(
            f"the argument 'namespace' is '{value}'; it must be names of letters, digits and underscores, joined by "
            "slashes, e.g. 'robot1' or 'lab/robot1'."
        )
    return f'/{value.strip("/")}'


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be a number of seconds, 0 or more.")
    return seconds


def _integer(name: str, value: str) -> int:
    if not value.isdecimal():
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be a whole number, 0 or more.")
    return int(value)


def parse(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """
    Split ``run name:=value ...`` into the run and its launch arguments.

    Raises:
        ConfigError: there is no run, or a word is no argument.
    """
    run, *words = arguments or ['']
    given = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not separator:
            raise ConfigError(f"'{word}' is no launch argument; write name:=value, for example duration:=60.")
        given[name] = value
    return run, given


def usage() -> str:
    """Return the help text: every run with its launch arguments."""
    lines = ['python -m velora_ros.nodes.bringup RUN [name:=value ...]', '']
    for run, table in ARGUMENTS.items():
        lines.append(run)
        for argument in table:
            default = f' (default {argument.default})' if argument.default else ''
            lines.append(f'  {argument.name + ":=":16}{argument.description}{default}')
    return '\n'.join(lines) + '\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the nodes of the run named on the command line until it is over; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if {'-h', '--help'} & set(words):
        sys.stdout.write(usage())
        return 0
    try:
        entries = build(*parse(words))
    except ConfigError as error:
        sys.stderr.write(f'{error}\n')
        return 2
    from velora_ros.nodes.processes import run_entries  # noqa: PLC0415 - launch files need only the list above

    return run_entries(entries)


if __name__ == '__main__':
    sys.exit(main())
