import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

from velora_ros.errors import ConfigError
from velora_ros.tasks.find_task import find
from velora_ros.training import recipe as rules
from velora_ros.training.discount import discount
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.recipe import TASK_STEPS, named_hyperparameters, recipe, task_steps


def test_the_recipe_is_valid_and_differs_between_environments_only_by_its_rules() -> None:
    hopper, pusher = recipe('Hopper-v5'), recipe('Pusher-v5')
    assert TrainConfig.from_dict(hopper).n_neurons in range(64, 129)
    assert (hopper.pop('gamma'), pusher.pop('gamma')) == (0.99, 0.95)
    assert (hopper.pop('trace'), pusher.pop('trace')) == (0.9, 0.0)
    assert hopper == pusher


def test_every_environment_gets_the_recipe_and_a_text_that_says_so() -> None:
    values, source = named_hyperparameters('Pusher-v5')
    assert values == recipe('Pusher-v5')
    assert 'recipe.yaml' in source
    assert 'gamma 0.95: a time limit of 100 steps' in source
    assert named_hyperparameters('HalfCheetah-v5')[0] == recipe('HalfCheetah-v5')  # although there is a preset for it
    assert 'no time limit is known' in named_hyperparameters('Nothing-v0')[1]


def test_tasks_have_their_own_values_where_many_simulations_need_others() -> None:
    values, source = named_hyperparameters('quadruped')
    config = TrainConfig.from_dict(values)
    assert 'recipe-task.yaml' in source
    assert config.burn_in > 0
    assert config.samples_per_transition > 0
    assert config.buffer_size == recipe('Pusher-v5')['buffer_size']


def test_robots_with_few_actions_learn_by_many_small_updates(tmp_path: Path) -> None:
    (tmp_path / 'toy.py').write_text('from toy_tasks import walker\n\nWALK = walker()\n')
    reference = f'{tmp_path / "toy.py"}:WALK'
    values, source = named_hyperparameters(reference)
    large = named_hyperparameters('quadruped')[0]
    assert 'with recipe-task.yaml and recipe-task-small.yaml' in source
    assert values == recipe(reference)
    assert values['batch_size'] < large['batch_size']
    assert values['actor_lr'] > large['actor_lr']
    assert values['samples_per_transition'] == large['samples_per_transition']


def test_a_preset_is_used_only_by_its_name() -> None:
    own, source = named_hyperparameters('HalfCheetah-v5', 'tuned')
    assert source.endswith('HalfCheetah-v5-tuned.yaml')
    assert named_hyperparameters('HalfCheetah-v5', rules.RECIPE)[0] == recipe('HalfCheetah-v5') != own
    with pytest.raises(ConfigError, match=r"'robost' for 'HalfCheetah-v5'; the valid presets are tuned, recipe"):
        named_hyperparameters('HalfCheetah-v5', 'robost')


def test_the_time_limit_of_an_environment_that_a_module_registers_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'registers_short.py').write_text(
        "import gymnasium\ngymnasium.register('Short-v0', 'gymnasium:Env', max_episode_steps=200)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert recipe('registers_short:Short-v0')['gamma'] == pytest.approx(0.975)
    finally:
        gymnasium.registry.pop('Short-v0', None)


def test_the_recipe_of_an_environment_is_found_without_loading_mujoco() -> None:
    """MuJoCo's window library starts a process when it is loaded, which trainer_node must not have."""
    code = (
        'import sys; from velora_ros.training.recipe import named_hyperparameters as n; n("Pusher-v5"); '
        'sys.exit("mujoco" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_episodes_that_are_longer_than_the_default_are_not_cut(tmp_path: Path) -> None:
    (tmp_path / 'toy.py').write_text('from toy_tasks import walker\n\nLONG = walker(episode=60.0)\n')
    long = find(f'{tmp_path / "toy.py"}:LONG')
    assert recipe(long.name)['max_steps'] == long.built.steps > TrainConfig.max_steps
    assert 'max_steps' not in recipe('quadruped')
    assert 'max_steps' not in recipe('Reacher-v5')  # 50 steps, which the environment counts itself
    gymnasium.register('LongEnough-v0', 'gymnasium:Env', max_episode_steps=3000)
    try:
        assert recipe('LongEnough-v0')['max_steps'] == 3000
    finally:
        gymnasium.registry.pop('LongEnough-v0', None)


def test_a_task_may_name_its_own_discount() -> None:
    values, source = named_hyperparameters('quadruped')
    assert values['gamma'] == recipe('quadruped')['gamma'] == find('quadruped').discount
    assert 'the task sets it' in source
    assert recipe('rover')['gamma'] == discount(find('rover').horizon)


@pytest.mark.parametrize('name', ['quadruped', 'arm', 'rover'])
def test_shipped_tasks_name_how_long_they_are_trained(name: str) -> None:
    assert task_steps(name) == find(name).train_steps >= 500_000
    assert 'n_episodes' not in named_hyperparameters(name)[0]


def test_a_task_that_names_no_budget_or_cannot_be_read_has_that_of_the_recipe() -> None:
    assert task_steps('nothing_here.py:WALK') == TASK_STEPS
