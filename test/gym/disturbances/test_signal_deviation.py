import gymnasium as gym
import numpy as np

from velora_ros.gym import make, signal_deviation
from velora_ros.gym.disturbances.signal_deviation import affordable_steps

PENDULUM = 'InvertedPendulum-v5'


def test_signal_deviation_is_that_of_a_random_policy():
    deviation = signal_deviation(make(PENDULUM), steps=500)
    assert deviation.shape == (4,)
    assert (deviation > 0).all()
    np.testing.assert_array_equal(deviation, signal_deviation(make(PENDULUM), steps=500))


def test_signal_deviation_is_quiet_and_finite_where_random_commands_make_the_simulation_diverge(tmp_path, capfd):
    model = tmp_path / 'wild.xml'
    model.write_text(
        '<mujoco><worldbody><body><joint name="arm" axis="0 1 0"/><geom size=".1" pos=".3 0 0"/></body></worldbody>'
        '<actuator><motor joint="arm" ctrlrange="-1e12 1e12"/></actuator></mujoco>'
    )
    deviation = signal_deviation(make(str(model)), steps=50)
    assert np.isfinite(deviation).all()
    assert capfd.readouterr() == ('', '')


def test_a_large_simulation_is_given_fewer_steps(tmp_path):
    link = '<body pos="{0} 0 0"><joint name="j{0}" axis="0 1 0"/><geom size=".1" pos=".3 0 0"/></body>'
    bodies = ''.join(link.format(i) for i in range(300))
    model = tmp_path / 'large.xml'
    model.write_text(
        f'<mujoco><worldbody>{bodies}</worldbody><actuator><motor joint="j0" ctrlrange="-1 1"/></actuator></mujoco>'
    )
    assert affordable_steps(make(PENDULUM)) == 1000
    assert affordable_steps(make(str(model))) == 50


def test_signal_deviation_stands_environments_that_write_into_the_same_array():
    class SameArray(gym.ObservationWrapper):
        seen = np.zeros(4)

        def observation(self, observation):
            self.seen[:] = observation
            return self.seen

    deviation = signal_deviation(SameArray(make(PENDULUM)), steps=500)
    np.testing.assert_array_equal(deviation, signal_deviation(make(PENDULUM), steps=500))
