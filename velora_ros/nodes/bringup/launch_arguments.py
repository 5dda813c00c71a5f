"""The launch arguments of each run: name, default, description and choices."""

from dataclasses import dataclass

BOOLEAN = ('true', 'false')
"""The choices of a boolean argument; True, False, 1 and 0 are accepted as well, as everywhere in ROS."""

DEFAULT_ENV = 'InvertedPendulum-v5'


@dataclass(frozen=True)
class Argument:
    """One launch argument, ``name:=value``; ``choices`` are its only valid values if there are any."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


ENV = Argument(
    'env',
    '',
    f'Gymnasium id of the MuJoCo environment; empty takes it from the parameter file, else {DEFAULT_ENV}.',
)
ROBOT = Argument(
    'robot',
    '',
    "A task's robot instead of env: quadruped, arm, rover, my_robot.py:WALK or module:WALK; empty takes it from the "
    'parameter file (task of sim_node).',
)
NAMESPACE = Argument(
    'namespace',
    '',
    'Namespace of all nodes, below a pushed namespace unless it begins with /; each of several robots has its own.',
)
PARAMS = Argument(
    'params',
    '',
    'A parameter file of your own for all nodes; it overrides the shipped files, and launch arguments override it.',
)
PARAMS_FILE = Argument('params_file', '', 'Another name of params.')
STEPS = Argument('steps', '', 'Number of environment steps to train; empty takes it from the parameter file.')
RUN_DIR = Argument(
    'run_dir', '', 'Folder of the training run; empty takes it from the parameter file, else a new one below runs/.'
)
SEED = Argument(
    'seed',
    '',
    'Seed of the initial states, and in training of weights and noise; empty takes it from the parameter file, else 0.',
)
AUTOSTART = Argument(
    'autostart',
    '',
    'Whether the nodes start working by themselves; empty takes it from the parameter file, else true.',
    BOOLEAN,
)
LOG_LEVEL = Argument('log_level', '', 'Log level of all nodes: debug, info, warn, error or fatal; empty is info.')
REQUIRED = Argument(
    'required',
    'false',
    'Shut down the whole launch when this run is over or failed; with false only the nodes of this run end.',
    BOOLEAN,
)

ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    'control': (
        ENV,
        ROBOT,
        Argument(
            'policy',
            '',
            'Policy file, or the name of a shipped policy; empty takes it from the parameter file, else the policy '
            'shipped for env or robot, or none with train:=true. A real robot (sim:=false) needs a policy of its own.',
        ),
        Argument('duration', '0', 'Simulated seconds after which the run ends and is judged; 0 runs until Ctrl-C.'),
        Argument('sim', 'true', 'Start the simulated robot; false is for a real robot, which is not armed.', BOOLEAN),
        Argument('train', 'false', 'Also train, and give each better policy to the simulated robot.', BOOLEAN),
        Argument(
            'drive',
            '',
            'Publish commands to the simulated robot, a pattern of cmd_vel or goals, while nobody else does; empty is '
            'true with robot, else false.',
            BOOLEAN,
        ),
        Argument(
            'view', 'false', 'Serve a page that shows the robot in a browser of this machine and drives it.', BOOLEAN
        ),
        Argument(
            'view_port',
            '',
            'TCP port of the page; each of several robots has the next one. Empty takes it from the parameter file, '
            'else 8080.',
        ),
        STEPS,
        RUN_DIR,
        NAMESPACE,
        Argument('robots', '1', 'Number of robots; several get the namespaces robot1, robot2, ...'),
        Argument(
            'use_sim_time',
            '',
            'Use /clock as time, which the simulated robot then publishes; empty takes it from the parameter file, '
            'else false.',
            BOOLEAN,
        ),
        SEED,
        PARAMS,
        PARAMS_FILE,
        Argument('command_topic', '', 'Topic of the commands; empty is command, in the namespace.'),
        AUTOSTART,
        Argument('use_respawn', 'false', 'Start policy_node again 2 s after it ended with a failure.', BOOLEAN),
        REQUIRED,
        LOG_LEVEL,
    ),
    'train': (
        ENV,
        SEED,
        STEPS,
        RUN_DIR,
        Argument('out', '', 'Another file for the best policy, in addition to the one in the run folder.'),
        NAMESPACE,
        PARAMS,
        PARAMS_FILE,
        AUTOSTART,
        REQUIRED,
        LOG_LEVEL,
    ),
}
"""The launch arguments of each run."""
