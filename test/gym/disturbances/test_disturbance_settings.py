import dataclasses
import math

import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import Disturbances, FaultSettings


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'drop_probability': 1.1}, 'drop_probability is 1.1; it must be from 0 to 1'),
        ({'drop_probability': math.nan}, 'drop_probability is nan'),
        ({'nan_probability': -0.1}, 'nan_probability is -0.1'),
        ({'jitter_s': -1.0}, 'jitter_s is -1.0; it must be from 0 to 10 s'),
        ({'observation_delay_s': math.inf}, 'observation_delay_s is inf; it must be from 0 to 10 s'),
        ({'command_delay_s': -0.1}, 'command_delay_s is -0.1'),
        ({'noise': [0.0, -0.1]}, 'noise is 0.0 -0.1; it must be from 0 to 100'),
    ],
)
def test_faults_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        FaultSettings(**settings)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'period_jitter': 1.5}, 'period_jitter is 1.5; it must be from 0 to 1 periods'),
        ({'dropped_frames': 1.5}, 'dropped_frames is 1.5; it must be from 0 to 1'),
        ({'max_dropped': -1}, 'max_dropped is -1; it must be finite and at least 0 frames'),
        ({'action_delay': (1,)}, r'action_delay is \[1\]; it must be two numbers, in control periods'),
        ({'observation_delay': (2, 1)}, r'observation_delay is \[2, 1\]; it must be two numbers'),
        ({'action_delay': (0, 1.5)}, r'action_delay is \[0, 1.5\]; .*both must be whole numbers'),
        ({'observation_bias': -1.0}, 'observation_bias is -1.0'),
        ({'observation_noise': (0.1, math.nan)}, 'observation_noise is 0.1 nan'),
    ],
)
def test_disturbances_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        Disturbances(**settings)


def test_settings_print_what_is_not_at_its_default():
    assert str(FaultSettings()) == str(Disturbances()) == 'none'
    assert str(FaultSettings(noise=[0.01], stuck=['a', 'b'])) == 'noise 0.01, stuck a b'
    assert str(Disturbances(action_delay=[0, 2], period_jitter=0.5)) == 'period_jitter 0.5, action_delay 0 2'


def test_equal_settings_are_equal_and_hashable():
    assert FaultSettings(noise=[]) == FaultSettings()
    assert {Disturbances(stuck=['a']), Disturbances(stuck=('a',))} == {Disturbances(stuck=['a'])}


def test_every_setting_has_an_explanation_and_a_range():
    for kind in (Disturbances, FaultSettings):
        for item in dataclasses.fields(kind):
            assert item.metadata['help'] and item.metadata['low'] < item.metadata['high']


def test_faults_in_seconds_become_disturbances_in_control_periods():
    faults = FaultSettings(
        noise=[0.1], observation_delay_s=0.06, command_delay_s=0.04, drop_probability=0.2, jitter_s=0.01, nan=['hinge']
    )
    assert faults.disturbances(0.04) == Disturbances(
        observation_noise=[0.1],
        observation_delay=(1.5, 1.5),
        action_delay=(1.0, 1.0),
        dropped_frames=0.2,
        max_dropped=None,
        period_jitter=0.25,
        nan=['hinge'],
        privileged=False,
    )
    assert FaultSettings(jitter_s=9.0).disturbances(0.04).period_jitter == 1.0
