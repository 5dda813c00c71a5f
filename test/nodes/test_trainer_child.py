"""The training process, spoken to as trainer_node does."""

import json
import subprocess
import sys
import threading

from velora_ros.nodes.trainer_child import Orders
from velora_ros.training.config import TrainConfig


def test_a_stop_before_the_training_began_ends_the_process_without_a_run(tmp_path):
    run = tmp_path / 'run'
    job = {
        'env': 'InvertedPendulum-v5', 'seed': 0, 'total_steps': 100, 'run_dir': str(run), 'resume': False, 'out': '',
        'rival': '', 'announce_untrained': False, 'nice': 0, 'config': TrainConfig(n_episodes=100).__dict__,
    }  # fmt: skip
    result = subprocess.run(
        [sys.executable, '-m', 'velora_ros.nodes.trainer_child'],
        input=f'{json.dumps(job)}\nstop\n', capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    [event] = result.stdout.splitlines()
    assert json.loads(event) == {
        'event': 'end', 'steps': 0, 'seconds': 0.0, 'stopped': 'stopped on request before it began'
    }  # fmt: skip
    assert (result.returncode, run.exists()) == (0, False)


def test_only_a_stop_that_comes_before_the_training_leaves_at_once():
    left = []
    orders = Orders(lambda *_, **__: None, lambda: left.append(True))
    orders.take('pause')
    orders.take('resume')
    assert not left
    orders.take('stop')
    assert left == [True]
    begun = Orders(lambda *_, **__: None, lambda: left.append(True))
    begun.begin()
    begun.take('stop')
    assert left == [True]


def test_a_change_that_comes_while_changes_are_taken_is_applied_once_and_not_lost(monkeypatch):
    orders, taken = Orders(lambda *_, **__: None, lambda: None), []
    orders.take('set {"noise_scale": 0.1}')
    parse = json.loads

    def slowly(text):
        """Let an episode begin between the reading of the order and the storing of its changes."""
        episode = threading.Thread(target=lambda: taken.append(orders.on_episode_start()))
        episode.start()
        episode.join(1.0)
        return parse(text)

    monkeypatch.setattr('velora_ros.nodes.trainer_child.json.loads', slowly)
    orders.take('set {"actor_lr": 0.5}')
    monkeypatch.undo()
    taken.append(orders.on_episode_start())
    assert sum('noise_scale' in one for one in taken) == 1
    assert sum('actor_lr' in one for one in taken) == 1


def test_an_episode_that_begins_while_an_order_is_stored_waits_for_it():
    orders, taken = Orders(lambda *_, **__: None, lambda: None), []
    with orders._changing:
        episode = threading.Thread(target=lambda: taken.append(orders.on_episode_start()))
        episode.start()
        episode.join(0.1)
        assert not taken
        orders._changes = {'noise_scale': 0.2}
    episode.join(5.0)
    assert taken == [{'noise_scale': 0.2}]
