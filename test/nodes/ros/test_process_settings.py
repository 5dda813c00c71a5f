import gc
import sys

import numpy as np
import pytest

from velora_ros.nodes.ros.process_settings import FrozenGarbageCollector, NoOverflowWarnings, ShortSwitchInterval


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    monkeypatch.setattr(FrozenGarbageCollector, '_users', 0)  # a node of this process may still be active
    monkeypatch.setattr(FrozenGarbageCollector, '_theirs', False)
    frozen, interval = gc.get_freeze_count(), sys.getswitchinterval()
    if frozen:
        gc.unfreeze()
    yield
    gc.unfreeze()
    sys.setswitchinterval(interval)


def test_all_objects_are_collectable_again_when_the_last_user_ends():
    one, other = FrozenGarbageCollector(), FrozenGarbageCollector()
    one.begin()
    other.begin()
    one.begin()  # a second policy of the same node
    assert gc.get_freeze_count() > 0
    one.end()
    one.end()
    assert gc.get_freeze_count() > 0
    other.end()
    assert gc.get_freeze_count() == 0


def test_objects_that_the_program_froze_stay_frozen():
    gc.freeze()
    before = gc.get_freeze_count()
    user = FrozenGarbageCollector()
    user.begin()
    user.end()
    assert gc.get_freeze_count() >= before > 0


def test_the_last_user_restores_the_switch_interval():
    sys.setswitchinterval(0.004)
    one, other = ShortSwitchInterval(1e-4), ShortSwitchInterval(1e-4)
    for user in (one, one, other):
        user.begin()
    assert sys.getswitchinterval() == pytest.approx(1e-4)
    one.end()
    one.end()
    assert sys.getswitchinterval() == pytest.approx(1e-4)
    other.end()
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_an_interval_changed_by_others_is_kept():
    user = ShortSwitchInterval(1e-4)
    user.begin()
    sys.setswitchinterval(0.002)
    user.end()
    assert sys.getswitchinterval() == pytest.approx(0.002)


def test_an_overflow_is_not_warned_of_between_begin_and_end():
    largest, quiet = np.array([1e308]), NoOverflowWarnings()
    quiet.begin()
    quiet.begin()
    assert np.isinf(largest * 10)
    quiet.end()
    quiet.end()
    with pytest.warns(RuntimeWarning, match='overflow'):
        _ = largest * 10
