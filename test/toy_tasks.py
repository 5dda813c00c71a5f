"""Small robots whose tasks are tested: a legged one with two feet, and the repository's arm."""

from typing import Any

from velora_ros.tasks import Task, act, command, fail, observe, reward, vary
from velora_ros.utils.shipped_files import share_path

HOPPER = """
<mujoco model="biped">
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 0.05"/>
    <body name="trunk" pos="0 0 0.32">
      <freejoint name="base"/>
      <geom name="trunk" type="box" size="0.1 0.1 0.04" mass="2"/>
      <site name="imu"/>
      <body name="left" pos="0 0.12 0">
        <joint name="left_hip" axis="0 1 0" range="-1 1"/>
        <geom name="left_leg" type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02" mass="0.3" conaffinity="0"/>
        <geom name="left_foot" type="box" pos="0 0 -0.29" size="0.08 0.05 0.03" mass="0.1"/>
      </body>
      <body name="right" pos="0 -0.12 0">
        <joint name="right_hip" axis="0 1 0" range="-1 1"/>
        <geom name="right_leg" type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02" mass="0.3" conaffinity="0"/>
        <geom name="right_foot" type="box" pos="0 0 -0.29" size="0.08 0.05 0.03" mass="0.1"/>
      </body>
    </body>
  </worldbody>
  <sensor><gyro name="imu" site="imu"/></sensor>
</mujoco>
"""


def walker(**changes: Any) -> Task:
    """The task of the legged toy, with all kinds of terms."""
    import mujoco

    fields: dict[str, Any] = {
        'model': mujoco.MjSpec.from_string(HOPPER),
        'period': 0.02,
        'episode': 1.0,
        'act': act.joint_targets(scale=0.5, stiffness={'hip': 20.0}, damping=0.5, effort_limit=10.0),
        'observe': [
            observe.gyro(noise=0.2, bias=0.1),
            observe.gravity(noise=0.05),
            observe.joint_positions(),
            observe.joint_velocities(noise=0.5),
            observe.last_action(),
            observe.command('twist'),
        ],
        'critic': [observe.base_velocity(), observe.base_height(), observe.contacts('foot')],
        'commands': {
            'twist': command.twist(x=(-0.5, 1.0), y=(-0.2, 0.2), yaw=(-1.0, 1.0), every=(0.2, 0.4), still=0.1)
        },
        'reward': {
            reward.track_linear('twist'): 1.0,
            reward.track_yaw('twist'): 0.5,
            reward.flat_base(): -1.0,
            reward.action_rate(): -0.01,
            reward.power(): -1e-3,
            reward.air_time('foot', 0.2): 0.5,
            reward.slip('foot'): -0.1,
        },
        'fail': [fail.tilted(0.93), fail.touches('trunk', 'floor')],
        'vary': [
            vary.start_pose(joints=0.1, velocities=0.1, yaw=3.14),
            vary.friction('foot', (0.4, 1.2)),
            vary.mass('trunk', (0.8, 1.2)),
            vary.com('trunk', 0.02),
            vary.gains((0.9, 1.1)),
            vary.push(0.5, every=(0.1, 0.3)),
            vary.delay((0, 1), observation=(0, 1)),
            vary.drop_frames(0.1),
        ],
        'reward_floor': 0.0,
    }
    return Task(**{**fields, **changes})


def reacher(**changes: Any) -> Task:
    """A task of the repository's arm: the hand reaches a goal."""
    fields: dict[str, Any] = {
        'model': share_path('config', 'arm.xml'),
        'period': 0.02,
        'episode': 1.0,
        'start': 'home',
        'act': act.joint_targets(scale=2.0, mode='increment'),
        'observe': [
            observe.joint_positions(),
            observe.joint_velocities(),
            observe.goal('goal', relative_to='hand'),
        ],
        'commands': {'goal': command.goal(box=((0.1, 0.4), (0.0, 0.0), (0.4, 0.7)))},
        'reward': {reward.reach('hand', 'goal', 0.1): 1.0, reward.progress('hand', 'goal'): 1.0},
    }
    return Task(**{**fields, **changes})
