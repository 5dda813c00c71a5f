"""A controller on a bench: a robot's clock, and a policy that sums what it sees."""

import numpy as np

from velora_ros.control import Controller, Settings
from velora_ros.errors import ObservationError
from velora_ros.spec import PolicySpec

T = 0.02
SECOND = 1_000_000_000
SPEC = PolicySpec(
    observation_names=('hinge/position', 'hinge/velocity'),
    observation_units=('rad', 'rad/s'),
    action_names=('slider/effort', 'gripper/position'),
    action_units=('N', 'm'),
    action_low=(-3.0, 0.1),
    action_high=(3.0, 0.9),
    control_period=T,
)


class Accumulator:
    """A recurrent policy that sums its observations over time; a test can make its action NaN, or make it refuse."""

    spec = SPEC

    def __init__(self):
        self.hidden = np.zeros(1)
        self.dts = []
        self.answer = None
        self.sick = self.stepped = False

    def twin(self):
        """Another policy with the same settings."""
        twin = Accumulator()
        twin.dts, twin.answer, twin.sick = self.dts, self.answer, self.sick
        return twin

    def reset(self):
        self.hidden = np.zeros(1)

    def step(self, observation, dt):
        if not np.isfinite(observation).all():
            raise ObservationError('not finite')
        if self.sick:
            raise ObservationError('the hidden state would not be finite')
        self.dts.append(dt)
        self.stepped = True
        with np.errstate(over='ignore'):  # 1e308 over two periods is infinite, and tanh(inf) is 1
            self.hidden = np.tanh(self.hidden + observation.sum() * (T if dt is None else dt))
        return np.array([10.0, 1.0]) * self.hidden if self.answer is None else self.answer


def as_array(command):
    """A command as an array, for arithmetic."""
    return None if command is None else np.array(command)


class Bench:
    """A controller and two clocks: states are one period apart by default."""

    def __init__(self, armed=True, **limits):
        self.policy = Accumulator()
        self.controller = Controller(self.policy, Settings(**limits))
        self.controller.activate(arm=armed)
        self.time = 100.0
        self.offset = 0.0  # of the robot's clock from the steady one

    @property
    def now(self):
        """The robot's clock [ns]."""
        return round((self.time + self.offset) * SECOND)

    def state(self, values=(0.5, 0.1), *, after=T, age=0.0):
        self.time += after
        stamp = self.now - round(age * SECOND)
        return as_array(self.controller.decide(np.asarray(values, dtype=float), stamp, self.now, self.time))

    def repeat(self, *, after=0.0):
        self.time += after
        return as_array(self.controller.repeat(self.now, self.time))

    def interpolate(self, *, after=0.0):
        self.time += after
        return as_array(self.controller.interpolate(self.now, self.time))

    def silence(self, seconds):
        self.time += seconds
        return as_array(self.controller.watchdog(self.time))

    @property
    def reason(self):
        return self.controller.status.reason
