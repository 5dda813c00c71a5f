"""Position servos whose gains come with each command: forces by the new gains, and the servo's own differences kept."""

import mujoco
import numpy as np
import pytest

from velora_ros.gym.servo_gains import Gains, ServoGains

ROBOT = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body><joint name="a" axis="0 1 0"/><geom size="0.1"/>
      <body pos="0 0 1"><joint name="b" axis="0 1 0"/><geom size="0.1"/></body>
    </body>
  </worldbody>
  <actuator><position joint="a" kp="20" kv="0.5" gear="2"/><position joint="b" kp="10"/></actuator>
</mujoco>
"""


@pytest.fixture
def model():
    return mujoco.MjModel.from_xml_string(ROBOT)


def torques(model, targets=(0.0, 0.0)):
    """The servos' torques at the joints, at positions of 0.1 and 0.2 and velocities of 1 and 2."""
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = (0.1, 0.2), (1.0, 2.0)
    data.ctrl[:] = np.array(targets) * model.actuator_gear[:, 0]
    mujoco.mj_forward(model, data)
    return data.qfrc_actuator.copy()


def servos(model):
    return ServoGains(model, [0, 1], model.actuator_gainprm, model.actuator_biasprm)


def test_a_servo_pulls_with_the_stiffness_and_damping_of_the_command(model):
    servos(model).set(Gains(np.array([30.0, 5.0]), np.array([0.7, 0.3])))
    expected = [30 * (0.3 - 0.1) - 0.7 * 1, 5 * (-0.2 - 0.2) - 0.3 * 2]
    assert torques(model, (0.3, -0.2)) == pytest.approx(expected)


def test_without_stiffness_only_the_damping_is_left(model):
    servos(model).set(Gains(np.zeros(2), np.array([0.7, 0.3])))
    assert torques(model, (0.3, -0.2)) == pytest.approx([-0.7, -0.6])


def test_gains_that_are_not_given_are_the_servos_own_again(model):
    before, changed = torques(model), servos(model)
    changed.set(Gains(np.zeros(2), np.ones(2)))
    changed.set(Gains())
    assert torques(model).tolist() == before.tolist()


def test_a_servo_that_is_weaker_than_the_model_stays_so(model):
    weaker = mujoco.MjModel.from_xml_string(ROBOT)
    weaker.actuator_gainprm[:, 0] *= 0.9
    weaker.actuator_biasprm[:, 1] *= 0.9
    ServoGains(model, [0, 1], weaker.actuator_gainprm, weaker.actuator_biasprm).set(
        Gains(np.array([30.0, 5.0]), np.array([0.7, 0.3]))
    )
    assert torques(weaker) == pytest.approx([-0.9 * 30 * 0.1 - 0.7, -0.9 * 5 * 0.2 - 0.3 * 2])
