import numpy as np
import pytest
from toy_tasks import walker

from velora_ros.errors import TaskError
from velora_ros.tasks import curriculum, reward, vary

EASY = curriculum.Curriculum('tracking', above=0.0, by=0.5)  # every episode that does not fail is a success
HARD = curriculum.Curriculum('tracking', above=2.0, by=0.5)  # none is
VARY = [
    vary.start_pose(joints=0.1),
    vary.friction('foot', (0.4, 1.2)),
    vary.mass('trunk', (0.8, 1.2)),
    vary.com('trunk', 0.02),
    vary.gains((0.9, 1.1)),
    vary.push(0.5, every=(0.1, 0.2)),
    vary.delay(action=(0, 1), observation=(0, 2)),
    vary.period((0.5, 1.5)),
    vary.drop_frames(0.5),
]
STANDS = {'fail': [], 'episode': 0.2}


def episodes(env, count):
    """Run so many episodes in all simulations, without actions."""
    env.reset(seed=3)
    for _ in range(count):
        for _ in range(env.task.built.steps):
            infos = env.step(np.zeros(env.action_space.shape))[-1]
        env.reset()
    return infos


def test_variation_is_full_from_the_start_unless_it_grows():
    task = walker(curriculum=EASY)
    assert (task.make_vec(2).sim.strength == 1).all()
    assert (task.make_vec(2, growing=True).sim.strength == 0).all()
    assert (walker().make_vec(2, growing=True).sim.strength == 1).all()
    assert (task.make_vec(2, growing=True, undisturbed=True).sim.strength == 0).all()


def test_variation_without_strength_changes_nothing():
    env = walker(curriculum=HARD, vary=VARY, **STANDS).make_vec(4, growing=True)
    infos = episodes(env, 2)
    observations, infos = env.reset()
    clean = infos['privileged_state'][:, : observations.shape[1]]
    np.testing.assert_allclose(observations, clean, rtol=1e-6, atol=1e-6)
    model = env.task.built.model
    np.testing.assert_array_equal(env.sim.batch.get_model(1).geom_friction, model.geom_friction)
    np.testing.assert_array_equal(env.sim.batch.get_model(1).body_mass, model.body_mass)
    np.testing.assert_array_equal(env.sim.batch.get_model(1).body_ipos, model.body_ipos)
    np.testing.assert_array_equal(env.sim.batch.get_model(1).actuator_biasprm, model.actuator_biasprm)
    assert env.sim.batch.get_model(1).opt.timestep == model.opt.timestep
    assert (infos['drawn']['mass'] == 1).all()
    assert all((infos['drawn'][name] == 0).all() for name in ('com', 'delay of actions', 'delay of observations'))


def test_at_full_strength_it_is_what_it_is_without_growth():
    grown = walker(curriculum=curriculum.Curriculum('tracking', above=0.0, by=1.0), vary=VARY, **STANDS)
    env, always = grown.make_vec(4, growing=True), walker(vary=VARY, **STANDS).make_vec(4)
    episodes(env, 1)
    episodes(always, 1)
    assert (env.sim.strength == 1).all()
    for _ in range(5):
        action = np.full(env.action_space.shape, 0.1)
        np.testing.assert_array_equal(env.step(action)[0][:, -3:], always.step(action)[0][:, -3:])  # the commands
    for name, drawn in always.sim.drawn.items():
        np.testing.assert_array_equal(env.sim.drawn[name], drawn)


def test_it_grows_with_each_success_and_shrinks_with_any_other_episode():
    env = walker(curriculum=EASY, **STANDS).make_vec(3, growing=True)
    episodes(env, 1)
    assert (env.sim.strength == 0.5).all()
    env.episodes.strengths.follow({'tracking': np.ones(3)}, np.array([False, True, False]))
    env.step(np.zeros((3, 2)))
    env.reset(options={'reset_mask': np.array([True, True, False])})
    np.testing.assert_array_equal(env.sim.strength, [1.0, 0.0, 0.5])


def test_half_the_strength_halves_what_is_drawn():
    env = walker(curriculum=EASY, vary=[vary.com('trunk', 0.02)], **STANDS).make_vec(64, growing=True)
    episodes(env, 1)
    assert 0.009 < np.abs(env.sim.drawn['com']).max() <= 0.01


def test_a_state_that_was_saved_while_variation_grew_goes_on_exactly():
    task = walker(curriculum=EASY, **STANDS)
    env, other = task.make_vec(3, growing=True), task.make_vec(3, growing=True)
    episodes(env, 1)
    env.step(np.zeros((3, 2)))
    other.set_state(env.get_state())
    for one in (env, other):
        for _ in range(9):
            one.step(np.zeros((3, 2)))
    np.testing.assert_array_equal(env.reset()[0], other.reset()[0])
    np.testing.assert_array_equal(env.sim.strength, other.sim.strength)


def test_a_critic_can_see_the_strength():
    env = walker(curriculum=EASY, critic=[curriculum.strength()], vary=[], **STANDS).make_vec(2, growing=True)
    episodes(env, 1)
    assert (env.reset()[1]['privileged_state'][:, -1] == env.sim.strength).all()
    assert (env.sim.strength > 0).all()


def test_growth_by_a_metric_that_the_task_lacks_or_by_nothing_is_refused():
    with pytest.raises(TaskError, match=r"no metric 'traking'.*tracking"):
        walker(curriculum=curriculum.Curriculum('traking', above=0.7))
    with pytest.raises(TaskError, match='by is 0; it must be above 0'):
        curriculum.Curriculum('tracking', above=0.7, by=0)


def test_a_late_cost_counts_as_much_as_the_variation():
    late = {reward.alive(): 1.0, curriculum.late(reward.alive()): -0.5}
    env = walker(curriculum=EASY, reward=late, reward_floor=None, **STANDS).make_vec(2, growing=True)
    env.reset(seed=3)
    assert (env.step(np.zeros((2, 2)))[1] == 1).all()
    episodes(env, 2)
    assert (env.step(np.zeros((2, 2)))[1] == 0.5).all()
