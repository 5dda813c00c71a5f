"""
How fast training is, and how soon it solves InvertedPendulum-v5. `make bench-training` runs it.

    python benchmarks/training.py [--quick | --full] [--seeds 100-104] [--only speed|cell|solve|vector]

1. Environment steps per second on InvertedPendulum-v5, batch of 128 (ours: 16 sequences of 8), one update a step, one
   thread: ours and velora 0.1.1 with 10 neurons, stable-baselines3 DDPG with 64x64; its TD3 and the DDPG settings of
   its zoo as extra rows. Each in its own process, in turns, five repeats, medians. Timed from step 1,000 to a last step
   that is printed, earlier for the slower sides (--full: 5,000 for all). Set-up and compilation are not timed; their
   time is printed.
2. Forward and backward of the recurrent layer and the whole update, beside ncps' cell in torch.
3. Training time until the task is solved: the first of three consecutive evaluations (10 episodes, deterministic, every
   500 steps) of at least 950, with the preset `tuned`, evaluations not counted.
4. Training in 1, 16 and 64 environments beside stable-baselines3's SAC in as many, with the same critics, batch and
   updates (training_vector.py): transitions learnt from, and environment steps, per second.

CPU time is printed beside wall time; it varies less on a shared machine. The last line is JSON.
"""

import argparse
import json
from typing import Any

import numpy as np
from measuring import in_own_process, machine

FIRST = 1_000
LASTS = {'ours': 5_000, 'velora': 2_000, 'sb3': 2_500, 'sb3_td3': 2_500, 'sb3_zoo': 1_500}
QUICK_LASTS = {'ours': 2_000, 'velora': 1_200, 'sb3': 1_300}
FULL_LAST = 5_000
MEASURED_BY = ('velora', 'sb3')
VECTOR_SIZES = ((64, 128), (256, 256), (256, 1024))  # width of the critics, transitions of a batch
VECTOR_ENVS = (1, 16, 64)


def speeds(lasts: dict[str, int], repeats: int) -> dict[str, dict[str, list[float]]]:
    """Return every side's figures of all repeats, measured in turns."""
    results: dict[str, dict[str, list[float]]] = {name: {} for name in lasts}
    for repeat in range(repeats):
        for name, last in lasts.items():
            one = in_own_process('training_speed.py', name, FIRST, last, repeat)
            print(f'  {repeat + 1}/{repeats} {name:8} {one}', flush=True)
            for key, value in one.items():
                results[name].setdefault(key, []).append(value)
    return results


def report_speeds(results: dict[str, dict[str, list[float]]], lasts: dict[str, int]) -> dict[str, Any]:
    """Print and return the medians: steps per second, and the ratios within each repeat."""
    per_second, ratios = {}, {}
    for name, one in results.items():
        medians = {key: float(np.median(values)) for key, values in one.items()}
        wall, cpu = (
            float(np.median(np.divide(results['ours'][key], one[key]))) for key in ('steps_per_s', 'steps_per_cpu_s')
        )
        print(
            f'{name:8} {medians["steps_per_s"]:7.1f} steps/s, {medians["steps_per_cpu_s"]:7.1f} per processor second '
            f'(steps {FIRST} to {lasts[name]}; set-up and compilation {medians["set_up_s"]:.1f} s); '
            f'ours is {wall:.2f} times as fast in wall time, {cpu:.2f} times in processor time'
        )
        per_second[name] = round(medians['steps_per_s'], 1)
        ratios[name] = round(wall, 2)
    return {'steps_per_s': per_second, 'ratio': {name: ratios[name] for name in MEASURED_BY}}


def solve(seeds: range) -> tuple[list[float | None], list[int | None]]:
    """Return training seconds and steps until the first of three good evaluations; None if there was none."""
    results = []
    for seed in seeds:
        one = in_own_process('training_time_to_solve.py', seed)
        results.append(one)
        print(f'  seed {seed}: {one}', flush=True)
    return [one['seconds'] for one in results], [one['steps'] for one in results]


def vector(seconds: int, n_envs: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Print and return rates of ours and of SAC, and how many times as fast ours learns, by environments and sizes."""
    results = {}
    for width, batch in VECTOR_SIZES:
        for n in n_envs:
            ours, sac = (
                in_own_process('training_vector.py', side, n, width, batch, seconds) for side in ('ours', 'sb3_sac')
            )
            name, ratio = f'{n} x {width}x{width} x {batch}', ours['learnt_per_s'] / sac['learnt_per_s']
            cpu_ratio = ours['learnt_per_cpu_s'] / sac['learnt_per_cpu_s']
            print(
                f'{n:2} environments, critics {width}x{width}, batch {batch:4}: ours learns from '
                f'{ours["learnt_per_s"]:9,.0f} transitions/s and takes {ours["steps_per_s"]:6,.0f} steps/s; SAC '
                f'{sac["learnt_per_s"]:7,.0f} and {sac["steps_per_s"]:6,.0f}; {ratio:.2f} times, {cpu_ratio:.2f} '
                'times in processor time',
                flush=True,
            )
            results[name] = {'ours': ours['learnt_per_s'], 'sac': sac['learnt_per_s'], 'ratio': round(ratio, 2)}
    return results


def main() -> None:
    """Run the four parts and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='two short repeats of the main three, one seed')
    parser.add_argument('--full', action='store_true', help='steps 1,000 to 5,000 for all sides')
    parser.add_argument('--seeds', default='100-104', help='seeds of the runs of part 3; 0-9 are for tuning')
    parser.add_argument('--only', choices=('speed', 'cell', 'solve', 'vector'), help='run only this part')
    options = parser.parse_args()
    print(machine('torch', 'numba', 'numpy', 'gymnasium', 'mujoco', 'velora', 'stable-baselines3', 'ncps'))
    result: dict[str, Any] = {'benchmark': 'training'}
    if options.only in {None, 'speed'}:
        lasts = dict.fromkeys(LASTS, FULL_LAST) if options.full else QUICK_LASTS if options.quick else LASTS
        result |= report_speeds(speeds(lasts, 2 if options.quick else 5), lasts)
    if options.only in {None, 'cell'}:
        print(json.dumps(in_own_process('training_cell.py', 10 if options.quick else 50)), flush=True)
    if options.only in {None, 'solve'}:
        first, _, last = options.seeds.partition('-')
        seeds = range(int(first), int(last or first) + 1)
        result['solve_s'], result['solve_steps'] = solve(seeds[:1] if options.quick else seeds)
    if options.only in {None, 'vector'}:
        result['vector'] = vector(*((3, (64,)) if options.quick else (15, VECTOR_ENVS)))
    print(json.dumps(result))


if __name__ == '__main__':
    main()
