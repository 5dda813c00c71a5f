"""Keeps whether the robot is armed, and the latched fault."""

EMERGENCY_STOP = 'emergency stop'


class Arming:
    """
    Keeps whether the robot is armed, the latched fault, and the reasons not to arm.

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
        """Arm; the caller has checked that no refusal and no fault remains."""
        self.armed, self.is_pending = True, False

    def arm_when_possible(self, *, arm: bool) -> None:
        """With ``arm``, arm now or as soon as no refusal remains; otherwise disarm."""
        self.armed = arm and not self.refusals
        self.is_pending = arm and not self.armed

    def disarm(self) -> None:
        """Disarm, and do not arm when the last refusal is removed."""
        self.armed = self.is_pending = False

    def latch(self, reason: str) -> None:
        """Latch a fault; it never replaces an emergency stop, because ``auto_recover`` may clear other faults."""
        self.is_pending = False
        if self.fault != EMERGENCY_STOP:
            self.fault = reason

    def recover(self) -> None:
        """Clear the fault because a usable state arrived (``auto_recover``); an emergency stop remains."""
        if self.fault != EMERGENCY_STOP:
            self.fault = ''

    def clear(self, *, stay_armed: bool) -> None:
        """Clear the fault on request of the user; disarm unless ``stay_armed``."""
        self.fault = ''
        self.armed = self.armed and stay_armed
