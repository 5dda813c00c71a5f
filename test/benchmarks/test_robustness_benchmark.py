"""The comparison of liquid cells and controls is fair, and its page shows the figures of its table."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'
sys.path.insert(0, str(BENCHMARKS))  # the benchmarks are scripts, not a package

import results_page_robustness  # noqa: E402
import robustness  # noqa: E402

from velora_ros.gym import Disturbances  # noqa: E402
from velora_ros.models import LiquidDDPG  # noqa: E402


def model(name):
    variant = robustness.VARIANTS[name]
    config = robustness.configuration(variant, {})
    env = robustness.environment(variant, config.disturbances())
    n_observations = env.observation_space.shape[0]
    agent = config.agent_arguments()
    agent['n_neurons'] = robustness.neurons(variant, config, n_observations, 1)
    env.close()
    return LiquidDDPG(n_observations, action_dim=1, seed=0, **agent), config


@pytest.mark.parametrize('name', [name for name in robustness.VARIANTS if name != 'measured-dt'])
def test_every_variant_has_the_same_size_within_ten_percent(name):
    ours = model('measured-dt')[0].agent.wiring.n_parameters
    assert abs(model(name)[0].agent.wiring.n_parameters / ours - 1) < 0.1


def test_all_but_the_naive_one_are_trained_alike():
    configs = {name: model(name)[1] for name in robustness.VARIANTS}
    naive = configs.pop('naive')
    assert naive.disturbances() == Disturbances()
    assert len({tuple(sorted(config.train_arguments().items())) for config in configs.values()}) == 1
    assert len({config.disturbances() for config in configs.values()}) == 1


def test_each_disturbance_is_tested_alone():
    for kind, levels in robustness.LEVELS.items():
        for level in levels:
            settings = robustness.disturbance(kind, level)
            active = [settings.observation_noise > 0, settings.dropped_frames > 0, settings.period_jitter > 0]
            assert sum([*active, any(settings.action_delay)]) == (kind != 'none')


def test_the_page_shows_the_median_and_the_worst(tmp_path):
    rows = []
    for seed in range(5):
        for kind, levels in robustness.LEVELS.items():
            rows += [['gru', seed, kind, level, 900 + 10 * seed, 0, 0, 0, 10, 538, 1, 1, 1, '{}'] for level in levels]
    path = tmp_path / 'robustness.csv'
    robustness.append(path, rows[:3], robustness.COLUMNS)
    robustness.append(path, rows[3:], robustness.COLUMNS)
    with path.open(newline='') as file:
        assert next(csv.reader(file)) == robustness.COLUMNS
    page = results_page_robustness.section(path, tmp_path)
    assert '| gru | 5 | 538 | 920 (900) |' in page
    assert (tmp_path / 'robustness.png').stat().st_size > 10_000
    assert np.median(results_page_robustness.read(path)['gru', 'delay', 2.0]) == 920
