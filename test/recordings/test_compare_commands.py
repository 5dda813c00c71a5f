"""Two series of commands side by side."""

import numpy as np
import pytest

from velora_ros.recordings.compare_commands import Commands, Comparison, pair_with_states


def commands(times, width=1):
    return Commands(np.array(times, dtype=np.int64), np.zeros((len(times), width)))


def comparison(recorded, other):
    recorded, other = np.array(recorded, dtype=float), np.array(other, dtype=float)
    times = np.arange(len(recorded)) * 0.5
    return Comparison(['a', 'b'], ['N', ''], np.array([10.0, 2.0]), times, recorded, other)


def test_a_command_answers_the_newest_state_before_it():
    states = np.array([100, 200, 300, 400])
    found, answers = pair_with_states(states, commands([50, 110, 205, 390, 500]))
    assert found.tolist() == [0, 1, 2, 3]
    assert answers.tolist() == [1, 2, 3, 4]


def test_where_it_is_not_certain_which_state_a_command_answers_none_counts():
    states = np.array([100, 200, 300, 400, 500, 600])
    found, answers = pair_with_states(states, commands([110, 310, 320, 410, 510, 610]))  # that of 200 came late
    assert (found.tolist(), answers.tolist()) == ([0, 4, 5], [0, 4, 5])


def test_states_without_a_command_are_left_out():
    found, answers = pair_with_states(np.array([100, 200, 300]), commands([310]))
    assert (found.tolist(), answers.tolist()) == ([2], [0])
    assert [len(one) for one in pair_with_states(np.array([100]), commands([]))] == [0, 0]


def test_each_action_has_its_largest_difference_and_when_it_was():
    first, second = comparison([[1, 0], [2, 0], [3, 0]], [[1, 0], [-2, 0], [4, 0.5]]).rows()
    assert (first['largest'], first['at_s'], first['share_of_range']) == (4.0, 0.5, 0.4)
    assert first['difference_rms'] == pytest.approx(np.sqrt(17 / 3))
    assert (second['largest'], second['at_s']) == (0.5, 1.0)


def test_the_moments_that_differ_most_are_relative_to_the_range_and_in_order():
    found = comparison([[0, 0], [0, 0], [0, 0]], [[1, 0.0], [0, 1.5], [5, 0]]).largest_moments(2)
    assert found == [(0.5, 1, 0.0, 1.5), (1.0, 0, 0.0, 5.0)]


def test_nothing_recorded_gives_rows_without_numbers():
    empty = comparison(np.zeros((0, 2)), np.zeros((0, 2)))
    assert [row['largest'] for row in empty.rows()] == [None, None]
    assert empty.largest_moments(3) == []
