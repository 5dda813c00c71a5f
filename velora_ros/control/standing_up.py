"""
Decides when the policy takes over after the robot has stood up: in the start pose, upright, and on request.

A policy without a start pose, for example one that commands velocities, takes over immediately.
"""

from velora_ros.control.command_limits import Array, Command, Safety
from velora_ros.control.start_pose import StartPose

ARMED, STANDING_UP, READY = 'armed', 'standing up', 'ready'
TILTED = -0.5
"""A robot is tilted, by more than 60 degrees, if the z component of gravity in its own frame is above this."""
_ROOM = 0.05  # rad or m; a joint may be measured this far outside its limits
_GRAVITY_Z = 'orientation.gravity.z'


class StandingUp:
    """
    Moves the robot to its start pose and waits until the policy may take over.

    Args:
        safety: the limits.
        measures_joints: whether the positions of the commanded joints are known.
    """

    def __init__(self, safety: Safety, *, measures_joints: bool) -> None:
        self._safety = safety
        self.done = True
        """Whether the policy commands."""
        self.refusal = ''
        """Why the robot must not move from its current posture; '' if it may, or if the posture is not known."""
        self._measures = measures_joints
        self._gravity = _gravity_of(safety)
        contract = safety.spec.contract
        self._fields = contract.command.fields if contract else ()
        self._way: StartPose | None = None
        self._told = False

    def begin(self) -> None:
        """Start to move from the measured pose."""
        pose = self._safety.start_pose if self._measures else []
        self._way = _way_to(pose, self._safety) if pose else None
        self.done, self._told = self._way is None, False

    def restart(self) -> None:
        """Start again from the next measured pose, because the robot was moved to another place."""
        if self._way is not None:
            self._way.begin()

    def limit(self, safety: Safety) -> None:
        """Change the limits; a robot that stands up moves at the new speed, unless that is 0, until its next arming."""
        self._safety = safety
        if self._way is not None and safety.start_pose:
            self._way.speeds = safety.start_pose_speeds

    @property
    def state(self) -> str:
        """The state for the status: armed, standing up or ready."""
        if self.done or self._way is None:
            return ARMED
        return READY if self._way.ready else STANDING_UP

    def start(self) -> str:
        """Let the policy take over as soon as the robot is ready; return why it is not ready yet, or ''."""
        self._told = True
        return '' if self.done or self.state == READY else 'the robot stands up first; then the policy takes over.'

    def next(self, measured: Command, steady: float) -> Command:
        """Return the next command on the way to the start pose, within the joints' limits [rad or m]."""
        assert self._way is not None  # otherwise the policy has taken over
        command = self._way.next(measured, steady)
        self.done = self._way.ready and (self._told or self._safety.settings.start_when_ready)
        return command

    def look(self, observation: Array, measured: Command | None) -> None:
        """Check whether the robot may move from its posture, if arming would move it to a start pose."""
        self.refusal = self._judged(observation, measured) if self._measures and self._safety.start_pose else ''

    def _judged(self, observation: Array, measured: Command | None) -> str:
        if self._gravity is not None:
            place, scale, default = self._gravity
            if float(observation[place]) / scale + default > TILTED:
                return 'the robot is tilted by more than 60 degrees; put it upright'
        joints = zip(self._fields, measured or [], self._safety.joint_limits, strict=False)
        for name, position, (low, high) in joints:
            if not low - _ROOM <= position <= high + _ROOM:
                return f"'{name}' is at {position:.3g}, outside its limits from {low:g} to {high:g}; move the joint"
        return ''


def _way_to(pose: Command, safety: Safety) -> StartPose:
    return StartPose(pose, safety.start_pose_speeds, safety.joint_limits, safety.reach)


def _gravity_of(safety: Safety) -> tuple[int, float, float] | None:
    """Return index, scale and default of the z component of gravity in the observation; None if it is not read."""
    contract = safety.spec.contract
    if contract is None:
        return None
    place = next((i for i, field in enumerate(contract.fields) if field.endswith(_GRAVITY_Z)), None)
    return None if place is None else (place, contract.scale[place], contract.default[place])
