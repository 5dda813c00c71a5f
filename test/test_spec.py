from typing import Any

import pytest

from velora_ros.errors import SpecError
from velora_ros.spec import PolicySpec

GOOD: dict[str, Any] = {
    'observation_names': ('hinge/position', 'hinge/velocity'),
    'observation_units': ('rad', 'rad/s'),
    'action_names': ('slider/effort',),
    'action_units': ('N',),
    'action_low': (-3.0,),
    'action_high': (3.0,),
    'control_period': 0.04,
}


def test_a_spec_survives_its_dictionary() -> None:
    spec = PolicySpec(**GOOD)
    assert PolicySpec.from_dict(spec.to_dict()) == spec
    assert (spec.observation_dim, spec.action_dim) == (2, 1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'observation_names': ('a', 'a')}, 'repeats a'),
        ({'observation_names': ()}, 'is empty'),
        ({'observation_units': ('rad',)}, 'observation_units has 1 entries; 2'),
        ({'action_low': (3.0,)}, 'low below high'),
        ({'action_high': (float('inf'),)}, 'finite'),
        ({'control_period': 0.0}, 'positive'),
    ],
)
def test_an_inconsistent_spec_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        PolicySpec(**{**GOOD, **change})


@pytest.mark.parametrize('change', [{'extra': 1}, {'action_names': 'slider'}, {'action_low': ['x']}])
def test_a_dictionary_that_is_none_of_ours_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        PolicySpec.from_dict({**GOOD, **change})
    with pytest.raises(SpecError, match='lacks'):
        PolicySpec.from_dict({})


def test_an_assumed_period_is_marked_and_a_file_without_the_mark_is_not_assumed() -> None:
    spec = PolicySpec(**GOOD, control_period_assumed=True)
    assert spec.to_dict()['control_period_assumed'] is True
    assert PolicySpec.from_dict(spec.to_dict()) == spec
    assert 'control_period_assumed' not in PolicySpec(**GOOD).to_dict()  # digests of older files stay
    assert not PolicySpec.from_dict(PolicySpec(**GOOD).to_dict()).control_period_assumed
    with pytest.raises(SpecError, match="'yes' is not true or false"):
        PolicySpec.from_dict({**spec.to_dict(), 'control_period_assumed': 'yes'})
