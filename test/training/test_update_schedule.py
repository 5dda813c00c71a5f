"""Updates are due after steps, in fractions."""

import dataclasses

from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.update_schedule import UpdateSchedule

CONFIG = TrainConfig(start_steps=10, boost_steps=0, update_ratio=0.4, samples_per_transition=0)


def test_none_is_due_in_the_start_up_steps_and_fractions_are_kept() -> None:
    updates = UpdateSchedule()
    assert [updates.due(CONFIG, step) for step in range(8, 16)] == [0, 0, 0, 0, 1, 0, 1, 0]
    assert UpdateSchedule(credit=0.7).due(CONFIG, 20) == 1


def test_the_first_steps_after_the_start_up_can_be_boosted() -> None:
    boosted = dataclasses.replace(CONFIG, boost_steps=2, boost_ratio=3.0, update_ratio=1.0)
    updates = UpdateSchedule()
    assert [updates.due(boosted, step) for step in range(9, 14)] == [0, 3, 3, 1, 1]


def test_samples_per_transition_count_for_all_transitions_of_a_vector() -> None:
    shared = dataclasses.replace(CONFIG, batch_size=256, samples_per_transition=16)
    assert UpdateSchedule().due(shared, step=64, taken=64) == 4
