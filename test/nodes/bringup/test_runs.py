"""The list of nodes as data, and the runner that starts it where there is no launch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup import runs
from velora_ros.nodes.bringup.entries import Entry
from velora_ros.nodes.bringup.processes import parameter_files
from velora_ros.nodes.bringup.runs import build, parse

SOURCE = Path(__file__).resolve().parents[3]
PATIENCE = 60.0

# Stands in for nodes: `python -m velora_ros.nodes.<executable>` with a module of our own choice.
RUNNER = """
import os, sys
from velora_ros.nodes.bringup import processes
from velora_ros.nodes.bringup.entries import Entry
processes.RESPAWN_DELAY_S = 0.1
processes.PATIENCE_S = 60.0  # longer than any test: a process that is killed was killed for another reason
processes.HURRY_S = float(os.environ.get('HURRY_S', processes.HURRY_S))
entries = [Entry(executable, executable, package=sys.argv[1], **{'namespace': '/'} | eval(options))
           for executable, options in zip(sys.argv[2::2], sys.argv[3::2])]
sys.exit(processes.run_entries(entries))
"""
WAITS = """
import os, pathlib, signal, sys, time
stop = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: stop.append(number))
pathlib.Path(__file__).with_suffix(f'.{os.getpid()}').touch()
print('waits', os.getpid(), flush=True)
while not stop:
    time.sleep(0.01)
time.sleep(0.3)  # what a clean end takes
print('stopped by', signal.Signals(stop[0]).name, flush=True)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('waits', os.getpid(), flush=True)
time.sleep(60)
"""
# Begins when another program is ready for signals, or when the runner knows that it ended.
AFTER = """
import pathlib, time
def looks(name, ended):
    pids = [file.suffix[1:] for file in pathlib.Path(__file__).parent.glob(f'{name}.[0-9]*')]
    return pids and not (ended and pathlib.Path('/proc', pids[0]).exists())
while not looks(NAME, ENDED):
    time.sleep(0.01)
"""
ENDS = """
import os, pathlib, signal
pathlib.Path(__file__).with_suffix(f'.{os.getpid()}').touch()
"""
PASSES = """
print('{"event": "control_summary", "falls": 0}', flush=True)
print('after the summary')
"""


@pytest.fixture
def policy(make_policy_file, tmp_path):
    path = tmp_path / 'policy.safetensors'
    make_policy_file().save(path)
    return str(path)


@pytest.fixture
def run(tmp_path):
    """Starts the runner on small programs instead of nodes."""
    package = tmp_path / 'programs' / 'nodes'
    package.mkdir(parents=True)
    started = []

    def start(**programs):
        words = []
        for name, (text, options) in programs.items():
            (package / f'{name}.py').write_text(text)
            words += [name, repr(options)]
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(SOURCE), str(tmp_path)])}
        started.append(
            subprocess.Popen(
                [sys.executable, '-c', RUNNER, 'programs', *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def after(name, program, ended=False):
    """The program, begun when the one of that name is ready for signals, or when the runner knows that it ended."""
    return AFTER.replace('NAME', repr(name)).replace('ENDED', str(ended)) + program


def wait_for(process, words, count=1):
    """Read lines until so many of them have the words; returns the lines."""
    lines = []
    while sum(words in line for line in lines) < count:
        line = process.stdout.readline()
        assert line, f'{words!r} never came: {lines}'
        lines.append(line)
    return lines


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return 'Z' not in Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]


def test_control_starts_the_simulator_and_the_policy(policy):
    simulator, controller = build('control', {'policy': policy, 'duration': '60', 'env': 'Hopper-v5', 'seed': '4'})
    assert (simulator.executable, controller.executable) == ('sim_node', 'policy_node')
    assert simulator.parameters == {'env': 'Hopper-v5', 'seed': 4, 'duration_s': 60.0, 'summary_line': True}
    assert controller.parameters == {'policy': policy, 'autostart': True}
    assert simulator.required
    assert simulator.ends_run
    assert controller.required


@pytest.fixture
def own(tmp_path):
    """Somebody's parameter file for all nodes."""
    path = tmp_path / 'own.yaml'
    path.write_text(
        '/**/sim_node:\n  ros__parameters: {env: InvertedDoublePendulum-v5, seed: 7}\n'
        f'/**/trainer_node:\n  ros__parameters: {{env: Hopper-v5, seed: 8, run_dir: {tmp_path / "run"}}}\n'
    )
    return path


def test_what_no_argument_says_is_up_to_the_own_parameter_file(own):
    simulator, controller = build('control', {'params': str(own)})
    assert simulator.files[-1] == controller.files[-1] == str(own)
    assert not {'env', 'seed'} & simulator.parameters.keys()
    assert Path(controller.parameters['policy']).stem == 'InvertedDoublePendulum-v5'
    [trainer] = build('train', {'params': str(own)})
    assert not {'env', 'seed'} & trainer.parameters.keys()
    assert trainer.parameters['run_dir'] == str(own.parent / 'run')
    _, controller, trainer = build('control', {'params': str(own), 'train': 'true'})
    assert controller.parameters['policy_dirs'] == [trainer.parameters['run_dir']] == [str(own.parent / 'run')]
    robots = build('control', {'params': str(own), 'robots': '2'})[::2]
    assert [robot.parameters['seed'] for robot in robots] == [7, 8]


def test_an_argument_goes_before_the_own_parameter_file(own):
    given = {'params': str(own), 'env': 'InvertedPendulum-v5', 'seed': '4'}
    simulator, controller = build('control', given)
    assert simulator.parameters == {'env': 'InvertedPendulum-v5', 'seed': 4, 'summary_line': True}
    assert Path(controller.parameters['policy']).stem == 'InvertedPendulum-v5'
    [trainer] = build('train', given | {'run_dir': '~/run'})
    assert trainer.parameters['seed'] == 4
    assert trainer.parameters['run_dir'] == str(Path('~/run').expanduser())


def test_the_own_parameter_file_may_name_the_policy(own, policy):
    own.write_text(f'/**/policy_node:\n  ros__parameters: {{policy: {policy}}}\n')
    _, controller = build('control', {'params': str(own), 'env': 'Hopper-v5'})
    assert 'policy' not in controller.parameters
    *_, trainer = build('control', {'params': str(own), 'train': 'true'})
    assert trainer.parameters['rival'] == policy


def test_only_the_simulated_robot_is_armed_by_itself(policy):
    def armed(entries):
        settings = {}
        for file in entries[-1].files:
            settings |= yaml.safe_load(Path(file).read_text())['/**/policy_node']['ros__parameters']
        return settings['arm_on_activate']

    assert armed(build('control', {'policy': policy}))
    assert not armed(build('control', {'policy': policy, 'sim': 'false'}))


def niceness(trainer):
    """What the trainer's files say; later ones override earlier ones."""
    sections = [yaml.safe_load(Path(file).read_text())['/**/trainer_node'] for file in trainer.files]
    return {name: value for section in sections for name, value in section['ros__parameters'].items()}.get('nice', 0)


def test_with_training_the_controller_follows_the_trainer_from_nothing(tmp_path):
    run = str(tmp_path / 'run')
    simulator, controller, trainer = build('control', {'train': 'true', 'steps': '500', 'seed': '4', 'run_dir': run})
    assert simulator.parameters['learning'] is True
    assert controller.parameters == {'autostart': True, 'follow_trainer': True, 'policy_dirs': [run]}
    assert controller.remaps == (('policy_update', 'trainer_node/policy'),)
    assert trainer.executable == 'trainer_node'
    expected = {'run_dir': run, 'total_steps': 500, 'seed': 4, 'announce_untrained': True, 'autostart': True}
    assert expected.items() <= trainer.parameters.items()
    assert niceness(trainer) > 0
    assert 'exit_when_done' not in trainer.parameters
    assert trainer.required


def test_with_training_a_given_policy_commands_until_a_better_one_is_found(policy):
    _, controller, trainer = build('control', {'train': 'true', 'policy': policy})
    assert controller.parameters['policy'] == trainer.parameters['rival'] == policy
    assert controller.parameters['follow_trainer'] is True
    assert not {'announce_untrained', 'exit_when_failed'} & trainer.parameters.keys()


def test_a_real_robot_never_follows_a_trainer(policy):
    controller, trainer = build('control', {'train': 'true', 'sim': 'false', 'policy': policy})
    assert controller.parameters == {'autostart': True, 'policy': policy}
    assert controller.remaps == ()
    assert not trainer.required


def test_a_run_that_was_given_no_folder_gets_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = []
    for _ in range(2):
        [trainer] = build('train', {'env': 'Hopper-v5', 'seed': '3'})
        folders.append(Path(trainer.parameters['run_dir']))
        folders[-1].mkdir(parents=True)
        (folders[-1] / 'config.yaml').touch()
    assert folders == [tmp_path / 'runs' / name for name in ('Hopper-v5-seed3', 'Hopper-v5-seed3-2')]


def test_training_alone_ends_with_it(tmp_path):
    [trainer] = build('train', {'out': 'best.safetensors', 'run_dir': str(tmp_path)})
    assert trainer.parameters['exit_when_done'] is True
    assert trainer.parameters['out'] == 'best.safetensors'
    assert trainer.ends_run
    assert niceness(trainer) == 0


def test_training_without_torch_is_refused_with_what_to_do(monkeypatch):
    for missing in ('torch', 'threadpoolctl', 'array_api_compat'):
        monkeypatch.setattr(runs.importlib.util, 'find_spec', lambda name, missing=missing: name != missing or None)
        for run, given in (('train', {}), ('control', {'train': 'true'})):
            with pytest.raises(ConfigError, match=f'training needs {missing}, which is not installed') as refusal:
                build(run, given)
            assert "pip install torch 'gymnasium[torch]' " in str(refusal.value)


def test_a_real_robot_gets_no_simulator(policy):
    [controller] = build('control', {'policy': policy, 'sim': 'false', 'namespace': 'robot1'})
    assert controller.full_name == '/robot1/policy_node'
    assert controller.linger_s == 0.0


@pytest.mark.parametrize('yes', ['true', 'True', '1'])
def test_simulated_time_goes_to_every_node(policy, yes):
    for entry in build('control', {'policy': policy, 'use_sim_time': yes}):
        assert entry.parameters['use_sim_time'] is True
    for entry in build('control', {'policy': policy, 'use_sim_time': 'False'}):
        assert entry.parameters['use_sim_time'] is False
    for entry in build('control', {'policy': policy}):
        assert 'use_sim_time' not in entry.parameters


def test_both_spellings_of_a_boolean_are_read(policy):
    assert len(build('control', {'policy': policy, 'sim': 'False'})) == 1
    assert len(build('control', {'policy': policy, 'sim': 'TRUE', 'train': '0'})) == 2


def test_the_nodes_begin_by_themselves_unless_an_argument_or_the_own_file_says_otherwise(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('policy_node:\n  ros__parameters: {autostart: false}\n')
    given = {'policy': policy, 'sim': 'false'}
    assert build('control', given)[0].parameters['autostart'] is True
    assert build('control', {**given, 'autostart': 'False'})[0].parameters['autostart'] is False
    for namespace in ('', 'left'):
        [entry] = build('control', {**given, 'params_file': str(own), 'namespace': namespace})
        assert 'autostart' not in entry.parameters
        assert entry.files[-1] == str(own)
    assert 'autostart: false' in entry.sections[-1]  # rcl itself would not find it in the namespace
    [entry] = build('control', {**given, 'params_file': str(own), 'autostart': 'true'})
    assert entry.parameters['autostart'] is True


def test_commands_can_go_to_another_topic(policy):
    entries = build('control', {'policy': policy, 'command_topic': 'forward_effort_controller/commands'})
    assert [entry.remaps for entry in entries] == [(('command', 'forward_effort_controller/commands'),)] * 2


def test_a_real_robot_takes_the_policy_of_the_own_file(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text(f'left:\n  policy_node:\n    ros__parameters: {{policy: {policy}}}\n')
    [entry] = build('control', {'params': str(own), 'sim': 'False', 'namespace': '/left'})
    assert 'policy' not in entry.parameters
    with pytest.raises(ConfigError, match="'policy' is empty"):
        build('control', {'params': str(own), 'sim': 'False', 'namespace': '/right'})
    own.write_text('/**:\n  ros__parameters: {policy: nowhere.safetensors}\n')
    with pytest.raises(ConfigError, match="the policy is 'nowhere"):
        build('control', {'params': str(own)})


def test_a_file_of_one_s_own_comes_after_the_shipped_ones(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('/**/policy_node:\n  ros__parameters:\n    fallback: zero\n')
    for entry in build('control', {'policy': policy, 'params': str(own)}):
        assert entry.files[-1] == str(own)
        assert all(Path(file).is_file() for file in entry.files)


@pytest.mark.parametrize(('given', 'namespace'), [('', '/'), ('/', '/'), ('r1', '/r1'), ('/a/b', '/a/b')])
def test_namespaces_become_absolute(policy, given, namespace):
    assert {entry.namespace for entry in build('control', {'policy': policy, 'namespace': given})} == {namespace}


def test_several_robots_have_a_namespace_and_a_seed_each_and_one_clock(policy):
    given = {'policy': policy, 'robots': '2', 'namespace': 'lab', 'seed': '5', 'use_sim_time': 'true'}
    entries = build('control', given)
    names = ['sim_node', 'policy_node']
    assert [entry.full_name for entry in entries] == [f'/lab/robot{n}/{name}' for n in (1, 2) for name in names]
    simulators = [entry.parameters for entry in entries if entry.name == 'sim_node']
    assert [parameters['seed'] for parameters in simulators] == [5, 6]
    assert [parameters.get('publish_clock') for parameters in simulators] == [None, False]
    assert [entry.namespace for entry in build('control', {**given, 'namespace': '', 'sim': 'false'})] == [
        '/robot1',
        '/robot2',
    ]


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['contrl'], "Did you mean 'control'"),
        (['control', 'polcy:=x'], "there is no argument 'polcy'. Did you mean 'policy'?"),
        (['control', 'duration'], 'name:=value'),
        (['control', 'duration:=soon'], "'duration' is 'soon'"),
        (['control', 'duration:=-1'], "'duration' is '-1'"),
        (['control', 'duration:=nan'], "'duration' is 'nan'"),
        (['control', 'seed:=1.5'], "'seed' is '1.5'"),
        (['control', 'sim:=maybe'], "'sim' is 'maybe'; it must be true or false"),
        (['control', 'sim:=false'], "'policy' is empty, and no policy drives a real robot"),
        (['control', 'train:=true', 'sim:=no'], "'policy' is empty, and no policy drives a real robot"),
        (['control', 'policy:=/nope.safetensors'], "the policy is '/nope.safetensors': there is no such file"),
        (['control', 'policy:=InvertedPendulum-v4'], "Did you mean 'InvertedPendulum-v5'?"),
        (['control', 'params:=a.yaml', 'params_file:=b.yaml'], "'params' and 'params_file' mean the same"),
        (['control', 'log_level:=loud'], "'log_level' is 'loud'; it must be debug, info"),
        (['control', 'command_topic:=my topic'], "'command_topic' is 'my topic'; it must be a topic's name"),
        (['control', 'robots:=2', 'command_topic:=/cmd'], 'one topic for 2 robots'),
        (['train', 'autostart:=later'], "'autostart' is 'later'; it must be true or false"),
        (['control', 'namespace:=a-b'], "'namespace' is 'a-b'"),
        (['control', 'params:=nowhere.yaml'], "the parameter file 'nowhere.yaml'"),
        (['control', 'env:=Nothing-v0'], "no policy ships for the environment 'Nothing-v0'"),
        (['control', 'sim:=false', 'duration:=5'], "'duration' is 5"),
        (['control', 'robots:=0'], "'robots' is 0; it must be at least 1"),
        (['control', 'robots:=two'], "'robots' is 'two'"),
        (['control', 'robots:=2', 'train:=true'], 'and 1 with train:=true'),
        (['control', 'steps:=500'], "'steps' is '500', but nothing is trained; add train:=true"),
        (['control', 'train:=2'], "'train' is '2'; it must be true or false"),
        (['train', 'steps:=many'], "'steps' is 'many'"),
        ([], 'Valid: control, train'),
    ],
)
def test_wrong_arguments_are_refused_with_what_would_be_valid(words, message, capfd):
    assert runs.main(words) == 2
    captured = capfd.readouterr()
    assert message in captured.err
    assert captured.out == ''


def test_help_lists_every_argument(capsys):
    assert runs.main(['--help']) == 0
    text = capsys.readouterr().out
    for table in runs.ARGUMENTS.values():
        for argument in table:
            assert f'{argument.name}:=' in text
            assert argument.description in text


def test_words_after_the_run_are_arguments():
    assert parse(['control', 'policy:=a:=b', 'env:=']) == ('control', {'policy': 'a:=b', 'env': ''})
    with pytest.raises(ConfigError):
        parse(['control', 'policy=a'])


def test_arguments_come_in_the_order_of_launch_ros(tmp_path):
    parameters = {'n': 1, 'l': ['a', 'b']}
    entry = Entry('x', 'node', '/ns', ('a.yaml', 'b.yaml'), parameters=parameters, remaps=(('from', 'to'),))
    [file] = parameter_files(entry, tmp_path)
    assert entry.ros_arguments([file]) == [
        '--ros-args', '-r', '__node:=node', '-r', '__ns:=/ns',
        '--params-file', 'a.yaml', '--params-file', 'b.yaml', '--params-file', file, '-r', 'from:=to',
    ]  # fmt: skip
    assert yaml.safe_load(Path(file).read_text()) == {'/ns/node': {'ros__parameters': {'n': 1, 'l': ['a', 'b']}}}


def test_the_summary_is_the_last_line_and_the_run_passes(run):
    process = run(sim=(after('policy', PASSES), {'ends_run': True}), policy=(WAITS, {}))
    output = process.communicate(timeout=PATIENCE)[0]
    lines = output.splitlines()
    assert process.returncode == 0
    assert lines[-1] == '{"event": "control_summary", "falls": 0}'
    assert lines.count(lines[-1]) == 1
    assert '[sim] after the summary' in lines
    assert '[policy] stopped by SIGTERM' in lines


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_cleanly(run, number):
    process = run(one=(WAITS, {}), two=(WAITS, {}))
    wait_for(process, 'waits', count=2)
    process.send_signal(number)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    assert output.count('stopped by SIGTERM') == 2
    assert 'Traceback' not in output


def test_a_signal_that_comes_early_ends_everything_without_a_traceback(run):
    process = run(one=('import time; print("imports", flush=True); time.sleep(60)', {}))
    wait_for(process, 'imports')
    process.send_signal(signal.SIGINT)
    assert 'Traceback' not in process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0


def test_ctrl_c_while_the_runner_itself_loads_leaves_no_traceback(tmp_path):
    (tmp_path / 'yaml.py').write_text('import time; print("imports", flush=True); time.sleep(60)')
    search = os.pathsep.join([str(tmp_path), str(SOURCE)])
    with subprocess.Popen(
        [sys.executable, '-m', 'velora_ros.nodes.bringup', 'control'],
        env={**os.environ, 'PYTHONPATH': search},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        wait_for(process, 'imports')
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == ''
    assert process.returncode == -signal.SIGINT


def test_the_death_of_a_required_process_stops_the_rest_and_fails_the_run(run):
    process = run(dies=(after('waits', 'raise SystemExit(3)'), {}), waits=(WAITS, {}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert 'dies ended with exit status 3; the rest stops.' in output
    assert '[waits] stopped by SIGTERM' in output


# Ends by a signal the first time, and stays the second time.
FALLS_ONCE = f"""
import os, pathlib, signal
mark = pathlib.Path(__file__).with_suffix('.fell')
if not mark.exists():
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
{WAITS}
"""


def test_a_node_that_is_to_be_started_again_is(run):
    sim = after('policy', PASSES)
    process = run(policy=(FALLS_ONCE, {'respawn': True, 'linger_s': 60.0}), sim=(sim, {'ends_run': True}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    assert 'policy was ended by SIGKILL; it is started again in 0.1 s.' in output
    assert '[policy] stopped by SIGTERM' in output


def test_a_node_that_is_to_be_started_again_ends_with_the_run(run):
    process = run(policy=('raise SystemExit(1)', {'respawn': True}), waits=(WAITS, {}))
    wait_for(process, 'it is started again', count=2)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    assert 'stopped by SIGTERM' in output


def test_the_death_of_another_process_changes_nothing(run):
    sim = after('helper', PASSES, ended=True)
    process = run(helper=(f'{ENDS}raise SystemExit(3)', {'required': False}), sim=(sim, {'ends_run': True}))
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_a_simulator_that_fails_its_run_fails_all(run):
    fails = after('policy', f'{PASSES}\nraise SystemExit(1)')
    process = run(sim=(fails, {'ends_run': True}), policy=(WAITS, {}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert output.splitlines()[-1].startswith('{"event": "control_summary"')


def test_a_robot_that_does_not_pass_leaves_another_one_s_run_alone(run):
    fails = f'{ENDS}{PASSES}\nraise SystemExit(1)'
    later = after('fails', f'time.sleep(0.3){PASSES}\nprint("later")', ended=True)
    left, right = ({'ends_run': True, 'namespace': f'/{name}'} for name in ('left', 'right'))
    process = run(fails=(fails, left), later=(later, right))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert '[right/later] later' in output
    assert output.count('{"event": "control_summary"') == 2


def test_the_rest_lingers_when_a_signal_killed_a_process(run):
    killed = f'{ENDS}os.kill(os.getpid(), signal.SIGKILL)'
    sim = after('dies', f'time.sleep(0.3){PASSES}', ended=True)
    process = run(dies=(killed, {'linger_s': 60.0}), sim=(sim, {'ends_run': True}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert 'dies was ended by SIGKILL; the rest stops.' in output
    assert output.splitlines()[-1].startswith('{"event": "control_summary"')


def test_the_rest_does_not_linger_when_a_start_was_refused(run):
    process = run(dies=('raise SystemExit(1)', {'linger_s': 60.0}), waits=(WAITS, {}))
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 1


def test_a_stubborn_process_is_ended_and_a_second_signal_loses_patience(run):
    process = run(stubborn=(STUBBORN, {}))
    wait_for(process, 'waits')
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert 'stubborn did not end in time and is killed.' in output


def test_several_signals_at_once_are_one(run, monkeypatch):
    monkeypatch.setenv('HURRY_S', '60')  # on a busy machine an end in order may take longer than 2 s
    process = run(one=(WAITS, {}), two=(WAITS, {}))
    wait_for(process, 'waits', count=2)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    assert output.count('stopped by SIGTERM') == 2


def test_no_orphans_when_the_runner_itself_is_killed(run):
    process = run(waits=(WAITS, {}))
    pid = int(wait_for(process, 'waits')[-1].split()[-1])
    process.kill()
    deadline = time.monotonic() + PATIENCE
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


def test_a_closed_output_ends_the_run(run):
    process = run(chatty=('while True: print("x" * 1000, flush=True)', {}))
    wait_for(process, 'x')
    process.stdout.close()
    process.wait(PATIENCE)
    process.stdout = None


def test_discovery_stays_on_the_machine_unless_the_variable_is_set(run, monkeypatch):
    says = "import os; print(os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'])"
    monkeypatch.delenv('ROS_AUTOMATIC_DISCOVERY_RANGE', raising=False)
    assert '[says] LOCALHOST' in run(says=(says, {'ends_run': True})).communicate(timeout=PATIENCE)[0]
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    assert '[says] SUBNET' in run(says=(says, {'ends_run': True})).communicate(timeout=PATIENCE)[0]
