"""What the training process leaves to others; tried in a separate process, whose CPUs and priority may change."""

import os
import subprocess
import sys

import pytest

THREADS = """
import os, threading
from velora_ros.nodes.trainer.cpu_share import leave_cpus, lower_priority
leave_cpus(%d)
sleepers = [threading.Event() for _ in range(3)]
ids = []
threads = [threading.Thread(target=lambda e=e: (ids.append(threading.get_native_id()), e.wait())) for e in sleepers]
for thread in threads: thread.start()
while len(ids) < 3: pass
before = os.getpriority(os.PRIO_PROCESS, 0)
lower_priority(4)
lower_priority(1)
print(*(os.getpriority(os.PRIO_PROCESS, one) - before for one in (0, *ids)), len(os.sched_getaffinity(0)))
for event in sleepers: event.set()
"""


@pytest.mark.parametrize('spare', [0, 1, 1000])
def test_cpus_are_left_and_every_thread_has_a_lower_priority(spare):
    result = subprocess.run(
        [sys.executable, '-c', THREADS % spare], capture_output=True, text=True, timeout=60, check=True
    )
    *added, cpus = map(int, result.stdout.split())
    assert added == [5] * 4
    assert cpus == max(len(os.sched_getaffinity(0)) - spare, 1)
