"""Arming: whether the robot may be commanded, and the latched fault."""

EMERGENCY_STOP = 'emergency stop'


class Arming:
    """
    Whether the robot is armed, the latched fault, and the reasons not to arm.

    Args:
        fault: a fault that was latched before.
    """

    def __init__(self, fault: str = '') -> None:
        self.armed = False
        self.fault = fault
        """The reason of the latched fault; ``''`` if there is none. It stops all commands."""
        self.refusals: tuple[str, ...] = ()
        """Reasons not to arm, one sentence each; they never disarm."""
        self.is_pending = False
        """Whether to arm as soon as no refusal remains."""

    @property
    def is_commanding(self) -> bool:
        """Whether commands may be sent."""
        return self.armed and not self.fault

    def arm(self) -> None:
        """Arm."""
        self.armed, self.is_pending = True, False

    def arm_when_possible(self, *, arm: bool) -> None:
        """Arm now or as soon as no refusal remains, or disarm."""
        self.armed = arm and not self.refusals
        self.is_pending = arm and not self.armed

    def disarm(self) -> None:
        """Disarm, and arm only when asked again."""
        self.armed = self.is_pending = False

    def latch(self, reason: str) -> None:
        """Latch a fault; it never replaces an emergency stop, because it might clear by itself."""
        self.is_pending = False
        if self.fault != EMERGENCY_STOP:
            self.fault = reason

    def recover(self) -> None:
        """Clear a fault that may clear by itself: any except the emergency stop."""
        if self.fault != EMERGENCY_STOP:
            self.fault = ''

    def clear(self, *, stay_armed: bool) -> None:
        """Clear the fault on request."""
        self.fault = ''
        self.armed = self.armed and stay_armed
