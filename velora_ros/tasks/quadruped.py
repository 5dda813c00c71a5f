"""The quadruped's task: follow ``cmd_vel``, with a real gait."""

from velora_ros.robots import model
from velora_ros.tasks import Task, act, command, curriculum, fail, gait, metrics, observe, reward, scores, vary
from velora_ros.tasks.mujoco_simulations import Array, Sim
from velora_ros.tasks.terms.term import Term

FEET = '_foot'
TROT = gait.Gait(
    feet=('FR_foot', 'FL_foot', 'RR_foot', 'RL_foot'), offsets=(0.0, 0.5, 0.5, 0.0), period=0.5, ground=0.5,
    height=0.09, rest=0.02,
)  # fmt: skip

IN_TIME, TRACKING = TROT.in_time(), reward.track_linear()


def walks(sim: Sim) -> Array:
    """Return tracking multiplied by the share of feet in time, (n,): shuffling reaches 0.5, a trot 0.8."""
    product: Array = TRACKING.compute(sim) * IN_TIME.compute(sim)
    return product


QUADRUPED = Task(
    name='quadruped',
    model=model('quadruped'),
    period=0.02,
    episode=20.0,
    start='home',
    act=act.joint_targets(scale={'hip': 0.25, '*': 0.5}),
    observe=[
        observe.gyro(noise=0.1),
        observe.gravity(noise=0.02),
        observe.joint_positions(noise=0.01),
        observe.joint_velocities(noise=0.5),
        observe.last_action(),
        observe.command('twist', scale=(2.0, 2.0, 1.0)),
        TROT.clock(),
    ],
    critic=[
        observe.base_velocity(scale=2.0), observe.base_height(scale=5.0), observe.contacts(FEET), gait.phases(FEET),
        gait.foot_motion(FEET), curriculum.strength(),
    ],
    commands={'twist': command.twist(x=(-0.5, 1.0), y=(-0.4, 0.4), yaw=(-1.0, 1.0), every=(3.0, 8.0), still=0.1)},
    reward={
        TRACKING: 1.5,
        reward.track_yaw(): 0.75,
        IN_TIME: 2.0,  # half of the feet of a robot that stands are in time: without the next line standing would be
        reward.alive(): -1.0,  # paid well, and a step would not be worth the risk of a fall
        TROT.lift(): -30.0,
        gait.slip_speed(FEET): -0.5,
        curriculum.late(gait.slip_speed(FEET)): -1.0,
        reward.flat_base(): -1.0,
        reward.height(0.26): -10.0,
        reward.vertical_speed(): -0.5,
        reward.roll_pitch_rate(): -0.02,
        reward.pose(): -0.02,
        reward.action_rate(): -0.02,
        reward.power(): -3e-4,
    },
    reward_floor=0.0,
    fail=[fail.tilted(0.93), fail.touches('trunk'), fail.touches('head')],
    vary=[
        vary.start_pose(joints=0.1, velocities=0.1, yaw=3.14),
        vary.friction(FEET, (0.4, 1.2)),
        vary.mass('trunk', (0.8, 1.2)),
        vary.com('trunk', 0.02),
        vary.gains((0.9, 1.1)),
        vary.push(0.5, every=(4.0, 8.0)),
        vary.delay(action=(0, 1)),
    ],
    curriculum=curriculum.Curriculum('walks', above=0.8),
    discount=0.97,
    train_steps=1_700_000,
    metrics=[*metrics.walking(FEET), Term('walks', walks)],
    score=scores.walking,
)  # fmt: skip
