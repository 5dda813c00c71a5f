"""The requests of the node, carried out in the training process."""

import json
import threading

from written_events import WrittenEvents

from velora_ros.nodes.trainer.pause_save_stop import TrainingRequests


def test_only_a_stop_before_the_training_ends_the_process_at_once(monkeypatch):
    left = []
    monkeypatch.setattr('velora_ros.nodes.trainer.pause_save_stop.os._exit', left.append)
    requests = TrainingRequests(WrittenEvents())
    requests.take('pause')
    requests.take('resume')
    assert not left
    requests.take('stop')
    assert left == [0]
    begun = TrainingRequests(WrittenEvents())
    begun.begin()
    begun.take('stop')
    assert left == [0]


def test_a_change_that_comes_while_changes_are_applied_is_applied_once(monkeypatch):
    requests, taken = TrainingRequests(WrittenEvents()), []
    requests.take('set {"noise_scale": 0.1}')
    parse = json.loads

    def slowly(text):
        """Let an episode begin between the reading of the request and the storing of its changes."""
        episode = threading.Thread(target=lambda: taken.append(requests.on_episode_start()))
        episode.start()
        episode.join(1.0)
        return parse(text)

    monkeypatch.setattr('velora_ros.nodes.trainer.pause_save_stop.json.loads', slowly)
    requests.take('set {"actor_lr": 0.5}')
    monkeypatch.undo()
    taken.append(requests.on_episode_start())
    assert sum('noise_scale' in one for one in taken) == 1
    assert sum('actor_lr' in one for one in taken) == 1


def test_an_episode_that_begins_while_an_order_is_stored_waits_for_it():
    requests, taken = TrainingRequests(WrittenEvents()), []
    with requests._changes_lock:
        episode = threading.Thread(target=lambda: taken.append(requests.on_episode_start()))
        episode.start()
        episode.join(0.1)
        assert not taken
        requests._changes = {'noise_scale': 0.2}
    episode.join(5.0)
    assert taken == [{'noise_scale': 0.2}]
