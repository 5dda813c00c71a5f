"""The runner that starts the nodes of a run as processes: output, ends, signals, failures."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from with_parent import with_parent

SOURCE = Path(__file__).resolve().parents[3]
PATIENCE = 60.0

# The runner with small programs instead of nodes.
RUNNER = """
import os, sys
from velora_ros.nodes.bringup import process_runner
from velora_ros.nodes.bringup.node_description import NodeDescription
process_runner.RESPAWN_DELAY_S = 0.1
process_runner.PATIENCE_S = 60.0  # longer than any test, so that a killed process was killed for another reason
process_runner.HURRY_S = float(os.environ.get('HURRY_S', process_runner.HURRY_S))
nodes = [NodeDescription(name, f'programs.{name}', **{'namespace': '/'} | eval(options))
         for name, options in zip(sys.argv[1::2], sys.argv[2::2])]
sys.exit(process_runner.run_processes(nodes))
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
# Waits until another program is ready for signals, or until the runner has reaped it.
AFTER = """
import pathlib, time
def is_ready(name, ended):
    pids = [file.suffix[1:] for file in pathlib.Path(__file__).parent.glob(f'{name}.[0-9]*')]
    return pids and not (ended and pathlib.Path('/proc', pids[0]).exists())
while not is_ready(NAME, ENDED):
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
def run(tmp_path):
    """Starts the runner on small programs instead of nodes."""
    package = tmp_path / 'programs'
    package.mkdir()
    started = []

    def start(**programs):
        words = []
        for name, (text, options) in programs.items():
            (package / f'{name}.py').write_text(text)
            words += [name, repr(options)]
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(SOURCE), str(tmp_path)])}
        started.append(
            subprocess.Popen(
                with_parent([sys.executable, '-c', RUNNER, *words]),
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
    """The program, delayed until the one called `name` is ready for signals, or with `ended` until it was reaped."""
    return AFTER.replace('NAME', repr(name)).replace('ENDED', str(ended)) + program


def wait_for(process, words, count=1):
    """Read lines until `count` of them contain `words`; returns the lines."""
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


def test_an_early_signal_ends_everything_without_a_traceback(run):
    process = run(one=('import time; print("imports", flush=True); time.sleep(60)', {}))
    wait_for(process, 'imports')
    process.send_signal(signal.SIGINT)
    assert 'Traceback' not in process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0


def test_ctrl_c_while_the_runner_imports_leaves_no_traceback(tmp_path):
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


def test_the_end_of_a_required_process_stops_the_rest_and_fails_the_run(run):
    process = run(dies=(after('waits', 'raise SystemExit(3)'), {}), waits=(WAITS, {}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert 'dies ended with exit status 3; all other nodes stop.' in output
    assert '[waits] stopped by SIGTERM' in output


# Killed by a signal the first time; runs until it is stopped the second time.
FALLS_ONCE = f"""
import os, pathlib, signal
mark = pathlib.Path(__file__).with_suffix('.fell')
if not mark.exists():
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
{WAITS}
"""


def test_a_node_with_respawn_is_started_again(run):
    sim = after('policy', PASSES)
    process = run(policy=(FALLS_ONCE, {'respawn': True, 'linger_s': 60.0}), sim=(sim, {'ends_run': True}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    assert 'policy was ended by SIGKILL; it restarts in 0.1 s.' in output
    assert '[policy] stopped by SIGTERM' in output


def test_a_node_with_respawn_ends_with_the_run(run):
    process = run(policy=('raise SystemExit(1)', {'respawn': True}), waits=(WAITS, {}))
    wait_for(process, 'it restarts in', count=2)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    assert 'stopped by SIGTERM' in output


def test_the_end_of_a_process_that_is_not_required_changes_nothing(run):
    sim = after('helper', PASSES, ended=True)
    process = run(helper=(f'{ENDS}raise SystemExit(3)', {'required': False}), sim=(sim, {'ends_run': True}))
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_a_simulator_that_does_not_pass_fails_the_run(run):
    fails = after('policy', f'{PASSES}\nraise SystemExit(1)')
    process = run(sim=(fails, {'ends_run': True}), policy=(WAITS, {}))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert output.splitlines()[-1].startswith('{"event": "control_summary"')


def test_a_robot_that_does_not_pass_leaves_another_robot_running(run):
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
    assert 'dies was ended by SIGKILL; all other nodes stop.' in output
    assert output.splitlines()[-1].startswith('{"event": "control_summary"')


def test_the_rest_does_not_linger_when_a_start_was_refused(run):
    process = run(dies=('raise SystemExit(1)', {'linger_s': 60.0}), waits=(WAITS, {}))
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 1


def test_a_process_that_ignores_sigterm_is_killed_and_sooner_after_a_second_signal(run):
    process = run(stubborn=(STUBBORN, {}))
    wait_for(process, 'waits')
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1
    assert 'stubborn did not end in time, so it is killed.' in output


def test_several_signals_at_once_count_as_one(run, monkeypatch):
    monkeypatch.setenv('HURRY_S', '60')  # on a busy machine an end in order may take longer than 2 s
    process = run(one=(WAITS, {}), two=(WAITS, {}))
    wait_for(process, 'waits', count=2)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    assert output.count('stopped by SIGTERM') == 2


def test_no_process_outlives_a_killed_runner(run):
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


ONE_PROGRAM = """
import sys
from velora_ros.nodes.bringup.node_description import NodeDescription
from velora_ros.nodes.bringup.process_runner import run_processes
sys.exit(run_processes([NodeDescription('speaks', 'standin.speaks', '/', ends_run=True)]))
"""
SPEAKS = """
import pathlib
print('a line', flush=True)
print('{"event": "control_summary"}', flush=True)
pathlib.Path(__file__).with_suffix('.done').touch()
"""


@pytest.mark.parametrize('output', ['>&-', '>/dev/full', '>/dev/full 2>&1'])
def test_a_run_continues_if_its_output_is_closed_or_full(output, tmp_path):
    module = tmp_path / 'standin' / 'speaks.py'
    module.parent.mkdir(parents=True)
    module.write_text(SPEAKS)
    (tmp_path / 'runner.py').write_text(ONE_PROGRAM)
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])}
    command = f'exec {sys.executable} {tmp_path / "runner.py"} {output}'
    result = subprocess.run(
        ['sh', '-c', command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, '')
    assert module.with_suffix('.done').exists()
