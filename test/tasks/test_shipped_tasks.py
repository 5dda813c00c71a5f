import numpy as np
import pytest

from velora_ros.tasks import find_task
from velora_ros.tasks.record_episodes import record


@pytest.fixture(params=['quadruped', 'arm', 'rover'], scope='module')
def task(request):
    return find_task.find(request.param)


def test_a_shipped_task_is_found_by_its_name_and_steps(task):
    env = task.make_vec(3, seed=0)
    observations, infos = env.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        observations, rewards, *_, infos = env.step(rng.uniform(-1, 1, env.action_space.shape))
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()
    assert np.isfinite(infos['privileged_state']).all()
    assert np.abs(observations).max() < 20  # fixed scales bring all observations to about 1


def test_a_shipped_task_has_figures_of_its_own(task):
    env = task.make_vec(3, seed=0, undisturbed=True)
    recording = record(env, lambda _: np.zeros(env.action_space.shape), seed=0, seconds=3.0)
    figures = task.score(recording)
    wanted = {
        'quadruped': {'tracking', 'falls', 'air_time_s', 'slip_m_s', 'action_change'},
        'arm': {'reached', 'error_m'},
        'rover': {'reached', 'collisions', 'path_ratio'},
    }[task.name]
    assert wanted <= set(figures)
    if task.name != 'quadruped':
        assert figures['reached'] == 0.0


def test_the_quadruped_stands_with_an_action_of_zero():
    env = find_task.find('quadruped').make_vec(4, seed=0, undisturbed=True)
    env.reset()
    for _ in range(100):
        *_, terminated, _, _ = env.step(np.zeros((4, 12)))
        assert not terminated.any()


def test_the_variation_of_the_quadruped_grows_by_how_it_walks_and_not_by_tracking_alone():
    task = find_task.find('quadruped')
    assert task.curriculum.metric == 'walks'
    env = task.make_vec(16, seed=0, undisturbed=True)
    env.reset()
    metrics = [env.step(np.zeros((16, 12)))[-1]['metrics'] for _ in range(50)]
    moving, walks = (np.array([one[name] for one in metrics]) for name in ('moving', 'walks'))
    assert walks[moving > 0].mean() < 0.3  # all feet stand, of which half should swing
    assert walks[25:][moving[25:] == 0].min(initial=1.0) > 0.9
