"""The exported C file, compiled and called from C: how long one step takes there, and the actions it returns."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from velora_ros.policy import PolicyFile
from velora_ros.policy.c_export import save_c

COMPILERS = ('gcc', 'cc', 'clang')
FLAGS = ('-std=gnu99', '-O2', '-march=native')

# Steps the policy through the observations repeatedly, and prints the durations [ns] and the last round's actions.
CALLER = """
#define POLICY_DECLARATIONS_ONLY
#include "policy.c"
#include <stdio.h>
#include <time.h>
static const float observations[][POLICY_OBSERVATIONS] = {{{observations}}};
int main(void)
{{
    policy_state state;
    float action[POLICY_ACTIONS];
    const int count = sizeof observations / sizeof observations[0];
    for (int round = 0; round <= {rounds}; round++) {{
        policy_reset(&state);
        for (int i = 0; i < count; i++) {{
            struct timespec began, ended;
            clock_gettime(CLOCK_MONOTONIC, &began);
            policy_step(&state, observations[i], {period}f, action);
            clock_gettime(CLOCK_MONOTONIC, &ended);
            printf("%ld %.9g\\n", (ended.tv_sec - began.tv_sec) * 1000000000L + ended.tv_nsec - began.tv_nsec,
                (double)action[0]);
        }}
    }}
    return 0;
}}
"""


def measure_c(file: PolicyFile, rounds: int, observations: np.ndarray) -> tuple[list[float], np.ndarray] | None:
    """
    Return the durations of single steps in C [us], without a first round, and the actions of one round.

    Args:
        file: the policy.
        rounds: passes over the observations, each from a fresh state.
        observations: shape (n, observation).

    Returns:
        None if this machine has no C compiler.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return None
    rows = ', '.join('{' + ', '.join(f'{np.float32(v):.9e}f' for v in row) + '}' for row in observations)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_c(file, folder / 'policy.c')
        caller = CALLER.format(observations=rows, rounds=rounds, period=file.spec.control_period)
        (folder / 'main.c').write_text(caller)
        subprocess.run([compiler, *FLAGS, 'main.c', 'policy.c', '-o', 'main', '-lm'], cwd=folder, check=True)
        lines = subprocess.run([folder / 'main'], capture_output=True, text=True, check=True).stdout.split()
    taken = (np.array(lines[::2], float) / 1000).reshape(rounds + 1, -1)
    actions = np.array(lines[1::2], float).reshape(rounds + 1, -1)
    return taken[1:].ravel().tolist(), actions[-1]
