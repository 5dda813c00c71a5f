"""The launch arguments of each run: name, default, description and choices."""

from dataclasses import dataclass

BOOLEAN = ('true', 'false')
"""The choices of a boolean argument; True, False, 1 and 0 are accepted as well, as everywhere in ROS."""

DEFAULT_ENV = 'InvertedPendulum-v5'


@dataclass(frozen=True)
class Argument:
    """One launch argument, ``name:=value``; if ``choices`` is empty, any value is valid."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


ENV = Argument(
    'env',
    '',
    f"Gymnasium id of the MuJoCo environment; if empty, the parameter file's value, or else {DEFAULT_ENV}.",
)
ROBOT = Argument(
    'robot',
    '',
    "A task's robot instead of env: quadruped, arm, rover, my_robot.py:WALK or module:WALK; if empty, the parameter "
    "file's value (task of sim_node).",
)
NAMESPACE = Argument(
    'namespace',
    '',
    'Namespace of all nodes, below a pushed namespace unless it begins with /; several robots are in the namespaces '
    'robot1, robot2, ... below it.',
)
PARAMS = Argument(
    'params',
    '',
    'Your own parameter file for all nodes; it overrides the shipped files, and launch arguments override it.',
)
PARAMS_FILE = Argument('params_file', '', 'Another name for params.')
STEPS = Argument('steps', '', "Number of environment steps to train; if empty, the parameter file's value.")
RUN_DIR = Argument(
    'run_dir', '', "Folder of the training run; if empty, the parameter file's value, or else a new folder in runs/."
)
SEED = Argument(
    'seed',
    '',
    "Seed of the initial states, and of weights and noise in training; if empty, the parameter file's value, or 0.",
)
AUTOSTART = Argument(
    'autostart',
    '',
    "Whether the nodes start to work without a service call; if empty, the parameter file's value, or else true.",
    BOOLEAN,
)
LOG_LEVEL = Argument('log_level', '', 'Log level of all nodes: debug, info, warn, error or fatal; if empty, info.')
REQUIRED = Argument(
    'required',
    'false',
    'Shut down the whole launch when this run is over or has failed; with false, only the nodes of this run end.',
    BOOLEAN,
)

ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    'control': (
        ENV,
        ROBOT,
        Argument(
            'policy',
            '',
            "Policy file, or the name of a shipped policy; if empty, the parameter file's value, or else the policy "
            'shipped for env or robot, or none with train:=true. A real robot (sim:=false) has no default policy.',
        ),
        Argument('duration', '0', 'Simulated seconds after which the run ends and is evaluated; 0 runs until Ctrl-C.'),
        Argument(
            'sim',
            'true',
            'Start the simulated robot. With false, the nodes run for a real robot, and policy_node is not armed.',
            BOOLEAN,
        ),
        Argument('train', 'false', 'Also train, and use each better policy on the simulated robot.', BOOLEAN),
        Argument(
            'drive',
            '',
            'Publish commands for the simulated robot, a pattern of cmd_vel or goals, while no other node does; if '
            "empty, the parameter file's value, or else true if robot is given, otherwise false.",
            BOOLEAN,
        ),
        Argument(
            'view',
            'false',
            'Serve a page for a browser on this machine, which shows the robot and can drive it.',
            BOOLEAN,
        ),
        Argument(
            'view_port',
            '',
            "TCP port of the page; several robots use successive ports. If empty, the parameter file's value, or else "
            '8080.',
        ),
        STEPS,
        RUN_DIR,
        NAMESPACE,
        Argument('robots', '1', 'Number of robots; several get the namespaces robot1, robot2, ...'),
        Argument(
            'use_sim_time',
            '',
            "Use the time on /clock, which the simulated robot then publishes; if empty, the parameter file's value, "
            'or else false.',
            BOOLEAN,
        ),
        SEED,
        PARAMS,
        PARAMS_FILE,
        Argument('command_topic', '', 'Topic of the commands; if empty, command in the namespace.'),
        AUTOSTART,
        Argument('use_respawn', 'false', 'Restart policy_node 2 s after it has failed.', BOOLEAN),
        REQUIRED,
        LOG_LEVEL,
    ),
    'train': (
        ENV,
        SEED,
        STEPS,
        RUN_DIR,
        Argument('out', '', 'Additional file to which the best policy is written.'),
        NAMESPACE,
        PARAMS,
        PARAMS_FILE,
        AUTOSTART,
        REQUIRED,
        LOG_LEVEL,
    ),
}
"""The launch arguments of each run."""
