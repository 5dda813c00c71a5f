import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym.disturbances.random_generators import StreamGenerators
from velora_ros.gym.disturbances.stuck_and_nan_sensors import NanSensors, StuckSensors, indices_of

NAMES = ('hinge/position', 'hinge/velocity', 'goal')


def test_each_stream_gets_stuck_at_its_own_value_when_it_is_read():
    sensors = StuckSensors(2, 3)
    sensors.choose([1])
    first, second = np.arange(6.0).reshape(2, 3), np.full((2, 3), 9.0)
    np.testing.assert_array_equal(sensors.read(first, np.array([True, False])), first)
    np.testing.assert_array_equal(sensors.read(second), [[9, 1, 9], [9, 9, 9]])
    np.testing.assert_array_equal(sensors.read(first), [[0, 1, 2], [3, 9, 5]])
    sensors.choose([])
    assert not sensors.any
    np.testing.assert_array_equal(sensors.read(first), first)


def test_each_stream_reads_nan_by_itself_and_only_when_it_is_read():
    streams = StreamGenerators('nan', 2)
    streams.reset([0, 1])
    sensors = NanSensors([0, 2], 0.5, streams)
    true = np.ones((2, 3))
    failed = np.array([sensors.read(true)[1] for _ in range(200)])
    assert 60 < failed[:, 0].sum() < 140 and (failed[:, 0] != failed[:, 1]).any()
    read, nan = NanSensors([0, 2], 1.0, streams).read(true, np.array([False, True]))
    assert nan.tolist() == [False, True]
    assert np.isnan(read).tolist() == [[False] * 3, [True, False, True]]
    assert np.isfinite(true).all()


def test_sensors_are_chosen_by_observation_or_by_joint():
    assert indices_of('stuck', ['hinge'], NAMES) == [0, 1]
    assert indices_of('stuck', ['goal', 'hinge/velocity'], NAMES) == [1, 2]
    with pytest.raises(ConfigError, match=r"nan names 'gaol', .* Did you mean 'goal'"):
        indices_of('nan', ['gaol'], NAMES)
