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
        ({'observation_units': ('rad',)}, 'observation_units has 1 entries; it must have 2'),
        ({'action_low': (3.0,)}, 'the low bound must be below the high one'),
        ({'action_high': (float('inf'),)}, 'finite'),
        ({'control_period': 0.0}, 'positive'),
    ],
)
def test_an_inconsistent_spec_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        PolicySpec(**{**GOOD, **change})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'action_scale': (1.0, 2.0)}, 'action_scale has 2 entries; it must have 1'),
        ({'action_scale': (0.0,)}, "action_scale of 'slider/effort' is 0.0; it must be finite and not zero"),
        ({'action_scale': (float('nan'),)}, 'must be finite and not zero'),
        ({'action_offset': (float('inf'),)}, "action_offset of 'slider/effort' is inf; it must be finite"),
        ({'action_units': ('100 N',)}, "action_units has '100 N'; give the SI unit alone"),
        ({'action_units': ('-2.5e-3 N*m',)}, 'give the SI unit alone'),
    ],
)
def test_an_invalid_scale_or_offset_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        PolicySpec(**{**GOOD, **change})


def test_actions_and_si_values_are_each_other_s_inverse_and_a_negative_scale_swaps_the_bounds() -> None:
    spec = PolicySpec(**{**GOOD, 'action_low': (-1.0,), 'action_scale': (-100.0,), 'action_offset': (5.0,)})
    assert (spec.si_low.tolist(), spec.si_high.tolist()) == ([-295.0], [105.0])
    assert spec.to_si([[0.0], [3.0]]).tolist() == [[5.0], [-295.0]]
    assert spec.from_si(spec.to_si([0.5])).tolist() == [0.5]
    assert PolicySpec.from_dict(spec.to_dict()) == spec


def test_action_holds_survives_the_dictionary_and_is_omitted_if_all_are_false() -> None:
    spec = PolicySpec(**GOOD, action_holds=(True,))
    assert PolicySpec.from_dict(spec.to_dict()) == spec
    assert PolicySpec(**GOOD, action_holds=(False,)) == PolicySpec(**GOOD)
    with pytest.raises(SpecError, match='action_holds has 2 entries; it must have 1'):
        PolicySpec(**GOOD, action_holds=(True, False))
    with pytest.raises(SpecError, match='not true or false'):
        PolicySpec.from_dict({**spec.to_dict(), 'action_holds': [1]})


def test_differences_include_optional_fields() -> None:
    spec = PolicySpec(**GOOD)
    scaled = PolicySpec(**{**GOOD, 'action_units': ('',)}, action_scale=(2.0,))
    assert spec.differences(spec) == []
    assert spec.differences(scaled) == [('action_units', ('N',), ('',)), ('action_scale', (), (2.0,))]
    assert scaled.differences(spec)[1] == ('action_scale', (2.0,), ())


@pytest.mark.parametrize('names', [('slider/effort',), ('action_0',)])
def test_an_older_spec_takes_over_names_and_scales_of_its_actions(names: tuple[str, ...]) -> None:
    now = PolicySpec(**{**GOOD, 'action_names': names, 'action_units': ('',)}, action_scale=(99.9999999,))
    assert PolicySpec(**GOOD, action_scale=(100.0,)).with_actions_of(now) == now


def test_other_actions_are_not_taken_over() -> None:
    spec = PolicySpec(**GOOD)
    for name in ('hinge/effort', 'action_1'):
        assert spec.with_actions_of(PolicySpec(**{**GOOD, 'action_names': (name,)})) is spec
    low = PolicySpec(**{**GOOD, 'action_low': (-1.0,)})
    assert spec.with_actions_of(low) == spec, 'bounds are no words'


def test_a_scale_of_one_and_an_offset_of_zero_are_none_and_leave_the_dictionary_as_it_was() -> None:
    spec = PolicySpec(**GOOD, action_scale=(1.0,), action_offset=(0.0,))
    assert spec == PolicySpec(**GOOD) and not spec.is_extended
    assert spec.to_dict() == PolicySpec(**GOOD).to_dict()
    assert (spec.scale, spec.offset) == ((1.0,), (0.0,))


@pytest.mark.parametrize(
    ('unit', 'scale', 'si_unit'),
    [('100 N', 100.0, 'N'), ('-2.5 N*m', -2.5, 'N*m'), ('1e-05 N', 1e-5, 'N'), ('0 N', 1.0, ''), ('m/s', 1.0, 'm/s')],
)
def test_a_dictionary_of_version_1_is_converted(unit: str, scale: float, si_unit: str) -> None:
    spec = PolicySpec.from_dict({**GOOD, 'action_units': (unit,)})
    assert (spec.scale, spec.action_units) == ((scale,), (si_unit,))
    assert (spec.action_low, spec.action_high) == ((-3.0,), (3.0,)), 'the environment takes what it took'


@pytest.mark.parametrize('change', [{'extra': 1}, {'action_names': 'slider'}, {'action_low': ['x']}])
def test_an_invalid_dictionary_is_refused(change: dict[str, Any]) -> None:
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
