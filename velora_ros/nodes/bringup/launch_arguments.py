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
    f'Gymnasium id of the MuJoCo environment; if empty, from the parameter file, otherwise {DEFAULT_ENV}.',
)
ROBOT = Argument(
    'robot',
    '',
    "A task's robot instead of env: quadruped, arm, rover, my_robot.py:WALK or module:WALK; if empty, from the "
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
    'Your own parameter file for all nodes; it overrides the shipped files, and launch arguments override it.',
)
PARAMS_FILE = Argument('params_file', '', 'Another name for params.')
STEPS = Argument('steps', '', 'Number of environment steps to train; if empty, from the parameter file.')
RUN_DIR = Argument(
    'run_dir', '', 'Folder of the training run; if empty, from the parameter file, otherwise a new one below runs/.'
)
SEED = Argument(
    'seed',
    '',
    'Seed of the initial states, and of weights and noise in training; if empty, from the parameter file, otherwise 0.',
)
AUTOSTART = Argument(
    'autostart',
    '',
    'Whether the nodes start working by themselves; if empty, from the parameter file, otherwise true.',
    BOOLEAN,
)
LOG_LEVEL = Argument('log_level', '', 'Log level of all nodes: debug, info, warn, error or fatal; if empty, info.')
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
            'Policy file, or the name of a shipped policy; if empty, from the parameter file, otherwise the policy '
            'shipped for env or robot, or none with train:=true. For a real robot (sim:=false) it must be given.',
        ),
        Argument('duration', '0', 'Simulated seconds after which the run ends and is judged; 0 runs until Ctrl-C.'),
        Argument(
            'sim', 'true', 'Start the simulated robot; with false, a real robot is used, which is not armed.', BOOLEAN
        ),
        Argument('train', 'false', 'Also train, and give each better policy to the simulated robot.', BOOLEAN),
        Argument(
            'drive',
            '',
            'Publish commands to the simulated robot, a pattern of cmd_vel or goals, while no other node does; if '
            'empty, true with robot, otherwise false.',
            BOOLEAN,
        ),
        Argument(
            'view', 'false', 'Serve a page for a browser on this machine that shows the robot and drives it.', BOOLEAN
        ),
        Argument(
            'view_port',
            '',
            'TCP port of the page; several robots use successive ports. If empty, from the parameter file, otherwise '
            '8080.',
        ),
        STEPS,
        RUN_DIR,
        NAMESPACE,
        Argument('robots', '1', 'Number of robots; several get the namespaces robot1, robot2, ...'),
        Argument(
            'use_sim_time',
            '',
            'Use the time on /clock, which the simulated robot then publishes; if empty, from the parameter file, '
            'otherwise false.',
            BOOLEAN,
        ),
        SEED,
        PARAMS,
        PARAMS_FILE,
        Argument('command_topic', '', 'Topic of the commands; if empty, command, in the namespace.'),
        AUTOSTART,
        Argument('use_respawn', 'false', 'Restart policy_node 2 s after it ended with a failure.', BOOLEAN),
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
