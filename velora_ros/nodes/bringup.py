"""
Which nodes make up a run, with which parameters: kept as data here, in one place.

``launch/*.launch.py`` turn it into launch actions. Without ``launch``, this module starts the same processes with the
same arguments by itself::

    python -m velora_ros.nodes.bringup control duration:=60 env:=InvertedPendulum-v5 policy:=file.safetensors

The last line printed is the run's summary. Exit status: 0 when the run passed or was ended by Ctrl-C or SIGTERM, 1 when
it did not pass or a required process died, 2 for arguments that cannot be right.
"""

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.entries import Argument, Entry, Value
from velora_ros.utils import share_path

# After the controller was killed the simulator goes on for a while, so that its summary shows what became of the robot.
AFTERMATH_S = 5.0

_BOOLEAN = ('true', 'false')
_ENV = Argument('env', 'InvertedPendulum-v5', 'Gymnasium id of the MuJoCo environment.')
_NAMESPACE = Argument('namespace', '', 'Namespace of all nodes; several robots run side by side in one each.')
_PARAMS = Argument('params', '', 'A parameter file of your own for all nodes; it overrides the shipped ones.')
_SEED = Argument('seed', '0', 'One seed, one run: it fixes initial states, and weights and noise in training.')

ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    'control': (
        _ENV,
        Argument('policy', '', 'Policy file, or the name of a shipped one; empty takes the one shipped for env.'),
        Argument('duration', '0', 'Simulated seconds after which the run ends and is judged; 0 runs until Ctrl-C.'),
        Argument('sim', 'true', 'Start the simulated robot; false for a real one, which is then not armed.', _BOOLEAN),
        Argument('train', 'false', 'Also train a policy for env beside the run, as train.launch.py does.', _BOOLEAN),
        _NAMESPACE,
        Argument('use_sim_time', 'false', 'Live by /clock; the simulated robot then publishes it.', _BOOLEAN),
        _SEED,
        _PARAMS,
    ),
    'train': (
        _ENV,
        _SEED,
        Argument('steps', '', "Environment steps; empty takes the parameter file's number."),
        Argument('run_dir', '', 'Folder of policy and learning curve; empty is runs/<env>-seed<seed>.'),
        Argument('out', '', 'Policy file to write; empty is policy.safetensors in the run folder.'),
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
    simulated, duration = values['sim'] == 'true', _seconds('duration', values['duration'])
    if duration and not simulated:
        raise ConfigError(
            f"the argument 'duration' is {duration:g}, but only a simulated robot (sim:=true) has an end."
        )
    return [
        *([_sim_node(values, duration)] if simulated else []),
        _policy_node(values, simulated=simulated),
        *([_trainer_node(values, alone=False)] if values['train'] == 'true' else []),
    ]


def _train(values: Mapping[str, str]) -> list[Entry]:
    return [_trainer_node(values, alone=True)]


def _sim_node(values: Mapping[str, str], duration: float) -> Entry:
    parameters: dict[str, Value] = {'env': values['env'], 'seed': _integer('seed', values['seed'])}
    if duration:
        parameters['duration_s'] = duration
    if values['use_sim_time'] == 'true':
        parameters['publish_clock'] = True
    files = _files(['sim_node.yaml'], values['params'])
    return Entry('sim_node', 'sim_node', _namespace(values['namespace']), files, parameters, ends_run=True)


def _policy_node(values: Mapping[str, str], *, simulated: bool) -> Entry:
    parameters: dict[str, Value] = {'policy': values['policy'] or _shipped_policy(values['env']), 'autostart': True}
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
        linger_s=AFTERMATH_S if simulated else 0.0,
    )


def _trainer_node(values: Mapping[str, str], *, alone: bool) -> Entry:
    parameters: dict[str, Value] = {'env': values['env'], 'seed': _integer('seed', values['seed']), 'autostart': True}
    if steps := values.get('steps'):
        parameters['total_steps'] = _integer('steps', steps)
    parameters |= {name: values[name] for name in ('run_dir', 'out') if values.get(name)}
    if alone:
        parameters['exit_when_done'] = True
    files = _files(['trainer_node.yaml'], values['params'])
    return Entry(
        'trainer_node',
        'trainer_node',
        _namespace(values['namespace']),
        files,
        parameters,
        required=alone,
        ends_run=alone,
    )


_BUILDERS = {'control': _control, 'train': _train}


def _shipped_policy(env: str) -> str:
    path = share_path('policies', f'{env}.safetensors')
    if not path.is_file():
        shipped = sorted(file.stem for file in share_path('policies').glob('*.safetensors'))
        raise ConfigError(
            f"no policy ships for the environment '{env}'; there are: {', '.join(shipped) or 'none'}. Train one with "
            f'velora_ros train --env {env} --out FILE, and give it with policy:=FILE.'
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
