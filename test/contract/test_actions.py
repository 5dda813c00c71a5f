"""What actions mean on a robot, for one and for many simulations."""

import numpy as np
import pytest

from velora_ros.contract.actions import action_meaning
from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec

NAMES = ('elbow/position', 'wheel/velocity', 'action_2')


def spec(**fields):
    return PolicySpec(('obs_0',), ('',), NAMES, ('',) * 3, (-1.0,) * 3, (2.0,) * 3, 0.02, **fields)


def test_actions_of_many_simulations_are_scaled_shifted_and_clipped():
    meaning = action_meaning(spec(action_scale=(2.0, -1.0, 1.0), action_offset=(0.5, 0.0, 0.0)))
    assert (meaning.low, meaning.high) == ((-1.5, -2.0, -1.0), (4.5, 1.0, 2.0))
    actions = np.array([[1.0, 1.0, 1.0], [9.0, 9.0, -9.0]])
    assert meaning.to_si(actions).tolist() == [[2.5, -1.0, 1.0], [18.5, -9.0, -9.0]]
    assert meaning.clip(meaning.to_si(actions)).tolist() == [[2.5, -1.0, 1.0], [4.5, -2.0, -1.0]]
    assert meaning.to_si(actions[0]).tolist() == meaning.to_si(actions)[0].tolist()


def test_the_user_s_scale_and_offset_replace_those_of_the_policy_file():
    meaning = action_meaning(spec(action_scale=(2.0, 2.0, 2.0)), scale=(1.0, 3.0, -1.0), offset=(0.0, 0.0, 1.0))
    assert (meaning.scale, meaning.offset) == ((1.0, 3.0, -1.0), (0.0, 0.0, 1.0))
    assert (meaning.low[2], meaning.high[2]) == (-1.0, 2.0)


def test_positions_are_known_by_name_by_the_user_s_word_or_as_servos():
    assert action_meaning(spec()).positions == (True, False, False)
    assert action_meaning(spec(action_holds=(False, True, True))).positions == (True, False, True)
    unnamed = PolicySpec(('obs_0',), ('',), ('action_0',), ('',), (-1.0,), (1.0,), 0.02)
    assert action_meaning(unnamed, interface='position').positions == (True,)
    assert action_meaning(unnamed, interface='effort').positions == (False,)


def test_what_does_not_fit_is_refused_with_what_would():
    with pytest.raises(
        ConfigError, match=r"'command\.scale' has 2 values, but the number of actions is 3: elbow/position"
    ):
        action_meaning(spec(), scale=(1.0, 2.0))
    with pytest.raises(ConfigError, match=r"set 'command\.interface' to 'position'"):
        action_meaning(spec(), interface='velocity')
