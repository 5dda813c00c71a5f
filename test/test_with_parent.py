import os
import subprocess
import sys
import time
from pathlib import Path

from with_parent import with_parent

PATIENCE = 60.0
PARENT = """
import subprocess, sys, time
from with_parent import with_parent
child = subprocess.Popen(with_parent([sys.executable, '-c', 'print("runs", flush=True); import time; time.sleep(600)']))
print(child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid):
    """Whether it runs; one that has ended may stay as a zombie where nobody asks for its status."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_a_process_ends_when_the_one_that_started_it_is_killed():
    command = [sys.executable, '-c', PARENT]
    paths = os.pathsep.join(sys.path)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONPATH': paths}
    ) as parent:
        lines = {parent.stdout.readline().strip() for _ in range(2)}  # in either order
        child = int((lines - {'runs'}).pop())
        assert is_running(child)
        parent.kill()
    end = time.monotonic() + PATIENCE
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(child)


def test_the_command_gets_its_own_place_arguments_and_exit_status():
    code = 'import os, sys; print(os.getpid(), sys.argv[1:]); sys.exit(3)'
    with subprocess.Popen(
        with_parent([sys.executable, '-c', code, 'a b', '']), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.read() == f"{child.pid} ['a b', '']\n"
    assert child.returncode == 3
