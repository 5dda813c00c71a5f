"""
Which nodes make up a run, with which parameters: kept as data here, in one place.

``launch/*.launch.py`` turn it into launch actions. Without ``launch``, this module starts the same processes with the
same arguments by itself::

    python -m velora_ros.nodes.bringup control duration:=60 env:=InvertedPendulum-v5 policy:=file.safetensors
    python -m velora_ros.nodes.bringup control train:=true duration:=300

The last line printed is the run's summary. Exit status: 0 when the run passed or was ended by Ctrl-C or SIGTERM, 1 when
it did not pass or a required process died, 2 for arguments that cannot be right.
"""

import dataclasses
import importlib.util
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.bringup.entries import BOOLEAN, Argument, Entry, Surroundings, Value
from velora_ros.nodes.ros.parameter_files import sections_of, value_in
from velora_ros.utils import how_to_install, share_path

# After the controller was killed the simulator goes on for a while, so that its summary shows what became of the robot.
ROBOT_FILES = ('.xml', '.mjcf', '.urdf', '.mjb')  # as in gym/robot_files.py, which loads gymnasium
AFTERMATH_S = 5.0

_DEFAULT_ENV = 'InvertedPendulum-v5'
_TRAINING = ('torch', 'array_api_compat', 'matplotlib', 'tensorboardX', 'threadpoolctl', 'tqdm')
_WORDS = {'true': True, '1': True, 'yes': True, 'on': True, 'false': False, '0': False, 'no': False, 'off': False}
_ENV = Argument('env', '', f'Gymnasium id of the MuJoCo environment; empty is that of params, else {_DEFAULT_ENV}.')
_NAMESPACE = Argument(
    'namespace', '', 'Namespace of all nodes, below a pushed one unless it begins with /; several robots have one each.'
)
_PARAMS = Argument(
    'params', '', 'A parameter file of your own for all nodes; it overrides the shipped ones, arguments override it.'
)
_PARAMS_FILE = Argument('params_file', '', 'Another name of params.')
_STEPS = Argument('steps', '', "Environment steps of the training; empty takes the parameter file's number.")
_RUN_DIR = Argument('run_dir', '', "Folder of the training's run; empty is that of params, else a new one below runs/.")
_SEED = Argument(
    'seed',
    '',
    'One seed, one run: it fixes initial states, and weights and noise in training; empty is 0, or as in params.',
)
_AUTOSTART = Argument(
    'autostart', '', 'Whether the nodes begin by themselves; empty is as in params, else true.', BOOLEAN
)
_LOG_LEVEL = Argument('log_level', '', 'Log level of all nodes: debug, info, warn, error or fatal; empty is info.')
_REQUIRED = Argument(
    'required',
    'false',
    'Shut down everything that the launch runs when this run is over or failed; false ends its own nodes only.',
    BOOLEAN,
)

ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    'control': (
        _ENV,
        Argument(
            'policy',
            '',
            'Policy file, or the name of a shipped one; empty takes that of params, else the one shipped for env, or '
            'with train:=true none. A real robot (sim:=false) needs one of its own.',
        ),
        Argument('duration', '0', 'Simulated seconds after which the run ends and is judged; 0 runs until Ctrl-C.'),
        Argument('sim', 'true', 'Start the simulated robot; false for a real one, which is then not armed.', BOOLEAN),
        Argument('train', 'false', 'Train meanwhile, and let the simulated robot have each better policy.', BOOLEAN),
        _STEPS,
        _RUN_DIR,
        _NAMESPACE,
        Argument('robots', '1', 'How many robots side by side; of several each is in a namespace robot1, robot2, ...'),
        Argument(
            'use_sim_time',
            '',
            'Live by /clock, which the simulated robot then publishes; empty is as in params, else false.',
            BOOLEAN,
        ),
        _SEED,
        _PARAMS,
        _PARAMS_FILE,
        Argument('command_topic', '', 'Topic of the commands; empty is command, in the namespace.'),
        _AUTOSTART,
        Argument('use_respawn', 'false', 'Start policy_node again, 2 s after it ended by a fault.', BOOLEAN),
        _REQUIRED,
        _LOG_LEVEL,
    ),
    'train': (
        _ENV,
        _SEED,
        _STEPS,
        _RUN_DIR,
        Argument('out', '', 'Another file for the best policy, beside the one in the run folder.'),
        _NAMESPACE,
        _PARAMS,
        _PARAMS_FILE,
        _AUTOSTART,
        _REQUIRED,
        _LOG_LEVEL,
    ),
}
"""The launch arguments of each run."""


@dataclasses.dataclass(frozen=True)
class _Request:
    """
    What was asked for.

    Args:
        values: every argument of the run by name.
        surroundings: what a launch file around the run says.
        first: of several simulated robots the first, which has the clock.
    """

    values: Mapping[str, str]
    surroundings: Surroundings
    first: bool = True

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, '')

    def true(self, name: str) -> bool:
        """Tell whether an argument is set to true."""
        return self[name] == 'true'

    @property
    def namespace(self) -> str:
        """The absolute namespace of the nodes."""
        given = _checked_namespace(self['namespace'])
        outer = '/' if given.startswith('/') else self.surroundings.namespace
        return f'/{"/".join(part for part in f"{outer}/{given}".split("/") if part)}'

    def own(self, node: str, parameter: str) -> Any:
        """Return what the launch files around the run and the user's own file say; None where they do not."""
        name, value = self._full_name(node), None
        for source in (*self.surroundings.parameters, self['params']):
            if isinstance(source, tuple):
                given = source[1] if source[0] == parameter else None
            else:
                given = value_in(source, name, parameter)
            value = value if given is None else given
        return value

    def sections(self, node: str) -> tuple[str, ...]:
        """Return the same as parameter files that override the shipped ones whatever their keys are."""
        name, outer = self._full_name(node), self.surroundings.parameters
        texts = []
        for source in outer:
            if isinstance(source, tuple):
                texts.append(yaml.safe_dump({name: {'ros__parameters': {source[0]: source[1]}}}))
            else:
                texts += sections_of(source, name)
        return (*texts, *sections_of(self['params'], name, bare_only=not outer))

    def _full_name(self, node: str) -> str:
        return f'{self.namespace.rstrip("/")}/{node}'


def build(run: str, given: Mapping[str, str], surroundings: Surroundings | None = None) -> list[Entry]:
    """
    Return the nodes of a run.

    Args:
        run: a key of :data:`ARGUMENTS`.
        given: launch arguments by name; what is absent or empty takes its default.
        surroundings: what a launch file around the run has set for everything in it.

    Raises:
        ConfigError: the run or an argument is unknown, or a value cannot be right.
    """
    if run not in ARGUMENTS:
        raise ConfigError(f"there is no run '{run}'.{did_you_mean(run, ARGUMENTS)}")
    known = {argument.name: argument for argument in ARGUMENTS[run]}
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no argument '{name}'.{did_you_mean(name, known)}")
    values = {name: given.get(name) or argument.default for name, argument in known.items()}
    for argument in known.values():
        if argument.choices == BOOLEAN and values[argument.name]:
            values[argument.name] = _boolean(argument.name, values[argument.name])
    values['params'] = _one_of(values, 'params', 'params_file')
    return _BUILDERS[run](_Request(values, surroundings or Surroundings()))


def publishes_clock(entry: Entry, surroundings: Surroundings, params: str) -> bool:
    """Tell whether a node will publish ``/clock``, so that further simulators do not."""
    request = _Request({'namespace': entry.namespace, 'params': params}, surroundings)
    for parameter in ('publish_clock', 'use_sim_time'):
        value = entry.parameters.get(parameter, request.own(entry.name, parameter))
        if entry.executable == 'sim_node' and value is not None:
            return bool(value)
    return False


def _boolean(name: str, value: str) -> str:
    """Return 'true' or 'false' for every spelling that ROS knows."""
    if value.lower() not in _WORDS:
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be true or false (True, False, 1, 0).")
    return BOOLEAN[0] if _WORDS[value.lower()] else BOOLEAN[1]


def _one_of(values: Mapping[str, str], name: str, other: str) -> str:
    """Return the value of an argument that has two names."""
    if values[name] and values[other] and values[name] != values[other]:
        raise ConfigError(
            f"the arguments '{name}' and '{other}' mean the same, but are '{values[name]}' and '{values[other]}'; "
            'give one of them. To pass several parameter files, join them into one.'
        )
    return values[name] or values[other]


def _control(request: _Request) -> list[Entry]:
    robots, seed = _integer('robots', request['robots']), _seed(request, 'sim_node')
    if robots < 1 or (robots > 1 and request.true('train')):
        raise ConfigError(f"the argument 'robots' is {robots}; it must be at least 1, and 1 with train:=true.")
    if robots == 1:
        return _one_robot(request)
    if request['command_topic'].startswith('/'):
        raise ConfigError(
            f"the argument 'command_topic' is '{request['command_topic']}', one topic for {robots} robots; leave the "
            'leading slash away, so that each has its own.'
        )
    entries: list[Entry] = []
    for index in range(robots):
        own = {'namespace': f'{request["namespace"].rstrip("/")}/robot{index + 1}', 'seed': str(seed + index)}
        if not request['namespace'].startswith('/'):
            own['namespace'] = own['namespace'].lstrip('/')
        entries += _one_robot(
            dataclasses.replace(request, values={**request.values, **own}, first=request.first and index == 0)
        )
    return entries


def _one_robot(request: _Request) -> list[Entry]:
    simulated, training = request.true('sim'), request.true('train')
    duration = _seconds('duration', request['duration'])
    if duration and not simulated:
        raise ConfigError(
            f"the argument 'duration' is {duration:g}, but only a simulated robot (sim:=true) has an end."
        )
    for name in ('steps', 'run_dir'):
        if request[name] and not training:
            raise ConfigError(f"the argument '{name}' is '{request[name]}', but nothing is trained; add train:=true.")
    if not training:
        return [*([_sim_node(request, duration)] if simulated else []), _policy_node(request, simulated=simulated)]
    run = _run_folder(request)
    if not simulated:  # nothing that was never tried commands a real robot
        return [_policy_node(request, simulated=False), _trainer_node(request, run, required=False)]
    return [
        _sim_node(request, duration, learning=True),
        _policy_node(request, simulated=True, follow=run),
        _trainer_node(request, run, audience=True),
    ]


def _train(request: _Request) -> list[Entry]:
    return [_trainer_node(request, _run_folder(request), alone=True)]


def _run_folder(request: _Request) -> str:
    """Return the absolute path of the run's folder: policy_node is told which one it may take policies from."""
    missing = [name for name in _TRAINING if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'training needs {", ".join(missing)}, which {"are" if len(missing) > 1 else "is"} not installed here. '
            f'{how_to_install("train")} In a clone, make control TRAIN=1 and make train set it up.'
        )
    from velora_ros.training.runs.paths import default_folder  # noqa: PLC0415 - control alone loads no training

    given = request['run_dir'] or request.own('trainer_node', 'run_dir')
    folder = given or default_folder(_env(request, 'trainer_node'), _seed(request, 'trainer_node'))
    return str(Path(folder).expanduser().absolute())


def _env(request: _Request, node: str) -> str:
    return request['env'] or str(request.own(node, 'env') or _DEFAULT_ENV)


def _seed(request: _Request, node: str) -> int:
    own = request.own(node, 'seed')
    return _integer('seed', request['seed']) if request['seed'] else own if isinstance(own, int) else 0


def _given(request: _Request) -> dict[str, Value]:
    """Return what the arguments say of environment and seed; what they leave open is up to the files."""
    env: dict[str, Value] = {'env': request['env']} if request['env'] else {}
    return env | ({'seed': _integer('seed', request['seed'])} if request['seed'] else {})


def _clock(request: _Request) -> dict[str, Value]:
    """Return what the argument says of the clock to live by; empty leaves it to the files."""
    return {'use_sim_time': request.true('use_sim_time')} if request['use_sim_time'] else {}


def _autostart(request: _Request, node: str) -> dict[str, Value]:
    """Return whether the node begins by itself: by the argument, else by the files, else it does."""
    if request['autostart']:
        return {'autostart': request.true('autostart')}
    return {} if request.own(node, 'autostart') is not None else {'autostart': True}


def _entry(request: _Request, name: str, files: Sequence[str], parameters: dict[str, Value], **more: Any) -> Entry:
    own = request['params']
    if own and not Path(own).expanduser().is_file():
        raise ConfigError(
            f"the parameter file '{own}' (params or params_file) does not exist; give a YAML file of ROS parameters."
        )
    if not re.fullmatch(r'|([\w./]+:=)?(debug|info|warn|error|fatal)', request['log_level'].lower()):
        raise ConfigError(
            f"the argument 'log_level' is '{request['log_level']}'; it must be debug, info, warn, error or fatal."
        )
    return Entry(
        name,
        name,
        request.namespace,
        (*(str(share_path('config', file)) for file in files), *([str(Path(own).expanduser())] if own else [])),
        request.sections(name),
        parameters,
        log_level=request['log_level'],
        **more,
    )


def _remaps(request: _Request) -> tuple[tuple[str, str], ...]:
    topic = request['command_topic']
    if not re.fullmatch(r'|(~/|/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', topic):
        raise ConfigError(
            f"the argument 'command_topic' is '{topic}'; it must be a topic's name, e.g. "
            "'forward_effort_controller/commands', or '/cmd_vel' in no namespace."
        )
    return (('command', topic),) if topic else ()


def _sim_node(request: _Request, duration: float, *, learning: bool = False) -> Entry:
    parameters = {**_given(request), **_clock(request), 'summary_line': True}
    if duration:
        parameters['duration_s'] = duration
    if not request.first or request.surroundings.has_clock:  # of several simulators, one has the clock
        parameters['publish_clock'] = False
    if learning:
        parameters['learning'] = True
    return _entry(request, 'sim_node', ['sim_node.yaml'], parameters, remaps=_remaps(request), ends_run=True)


def _policy_node(request: _Request, *, simulated: bool, follow: str = '') -> Entry:
    """Describe policy_node; ``follow``: the run's folder from which it takes each better policy."""
    parameters = _autostart(request, 'policy_node')
    own = request.own('policy_node', 'policy')
    if request['policy']:
        parameters['policy'] = request['policy']
    elif not own and not simulated:
        raise ConfigError(
            "the argument 'policy' is empty, and no policy drives a real robot (sim:=false) by default; add "
            'policy:=FILE, or set policy for policy_node in the file given as params.'
        )
    elif not own and not follow:
        parameters['policy'] = _shipped_policy(_env(request, 'sim_node'))
    _look_for_policy(str(request['policy'] or own or ''))
    if follow:
        parameters |= {'follow_trainer': True, 'policy_dirs': [follow]}
    parameters |= _clock(request)
    # Nothing but the simulator's own file ever arms a robot by itself.
    files = ['policy_node.yaml', *(['control.yaml'] if simulated else [])]
    updates = (('policy_update', 'trainer_node/policy'),) if follow else ()
    return _entry(
        request,
        'policy_node',
        files,
        parameters,
        remaps=(*_remaps(request), *updates),
        linger_s=AFTERMATH_S if simulated else 0.0,
        respawn=request.true('use_respawn'),
    )


def _trainer_node(
    request: _Request, run: str, *, alone: bool = False, audience: bool = False, required: bool = True
) -> Entry:
    """Describe trainer_node; ``alone``: the run ends with it, ``audience``: a controller takes its policies."""
    parameters = {**_given(request), 'run_dir': run, **_autostart(request, 'trainer_node')}
    if request['steps']:
        parameters['total_steps'] = _integer('steps', request['steps'])
    if request['out']:
        parameters['out'] = request['out']
    if alone:
        parameters['exit_when_done'] = True
    if audience:
        rival = request['policy'] or request.own('policy_node', 'policy')
        # Without a policy of its own the controller waits for the first one.
        parameters |= {'rival': str(rival)} if rival else {'announce_untrained': True, 'exit_when_failed': True}
    parameters |= _clock(request)
    files = ['trainer_node.yaml', *([] if alone else ['control.yaml'])]
    return _entry(request, 'trainer_node', files, parameters, required=required, ends_run=alone)


_BUILDERS = {'control': _control, 'train': _train}


def _look_for_policy(given: str) -> None:
    """Find out before anything starts that a policy's file does not exist."""
    name = given if given.endswith('.safetensors') else f'{given}.safetensors'
    if given and not Path(given).expanduser().exists() and not share_path('policies', name).is_file():
        raise ConfigError(
            f"the policy is '{given}': there is no such file, and no shipped policy has that name. Shipped are: "
            f'{_shipped()}.{did_you_mean(given, _shipped().split(", ")) if "/" not in given else ""}'
        )


def _shipped_policy(env: str) -> str:
    path = share_path('policies', f'{env}.safetensors')
    if not path.is_file():
        how = f'Train one with velora_ros train --env {env} --out FILE, and give it with policy:=FILE.'
        if Path(env).suffix.lower() in ROBOT_FILES:  # a robot file alone has no reward to train for
            how = 'Give one with policy:=FILE; docs/simulator.md tells how to train for a robot of your own.'
        raise ConfigError(f"no policy ships for the environment '{env}'; there are: {_shipped()}. {how}")
    return str(path)


def _shipped() -> str:
    return ', '.join(sorted(file.stem for file in share_path('policies').glob('*.safetensors'))) or 'none'


def _checked_namespace(value: str) -> str:
    if not re.fullmatch(r'/?|(/?[A-Za-z_][A-Za-z0-9_]*)+/?', value):
        raise ConfigError(
            f"the argument 'namespace' is '{value}'; it must be names of letters, digits and underscores, joined by "
            "slashes, e.g. 'robot1' or 'lab/robot1'."
        )
    return value


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
            raise ConfigError(f"'{word}' is not a launch argument; write name:=value, for example duration:=60.")
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
    from velora_ros.nodes.bringup.processes import run_entries  # noqa: PLC0415 - launch files need only the list above

    return run_entries(entries)
