"""
Runs a trained policy on a robot: states in, commands out, in real time. A lifecycle node.

Subscribes:
    joint_states (sensor_msgs/JointState): the robot's state, when every name of the policy is a joint signal.
    observation (std_msgs/Float64MultiArray): the observation as a vector, when some name is not.
    reset (std_msgs/Empty): the robot was put somewhere else; forgets the hidden state.
    emergency_stop (std_msgs/Bool): true latches a fault; false never releases it.

Publishes:
    command (std_msgs/Float64MultiArray): commands in the policy's action order, within its bounds.
    ~/status (diagnostic_msgs/DiagnosticStatus): state, fault, or the reason for not commanding; latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): rate, latency, input age, counters, policy; once a second.
    ~/debug/observation, ~/debug/hidden, ~/debug/raw_action (std_msgs/Float64MultiArray): while someone listens.

Services:
    ~/arm, ~/emergency_stop (std_srvs/SetBool); ~/reset_state, ~/clear_fault, ~/reload_policy (std_srvs/Trigger);
    the lifecycle services of every managed node.

Parameters (``policy_node_parameters.py`` has their defaults and meaning):
    policy, engine, autostart, arm_on_activate, auto_recover, max_state_age_s, watchdog_timeout_s, max_gap_s,
    fallback, fallback_pose, command.type, command.interface, observation.fields, and qos_overrides of every topic.

A Float64MultiArray has no stamp: if this node is killed, the robot keeps the last command unless its own driver
times out. On SIGINT, SIGTERM, deactivation and faults the fallback command goes out first.
"""

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from velora_ros.control.controller import EMERGENCY_STOP
from velora_ros.control.safety import Safety
from velora_ros.errors import ConfigError, SpecError, VeloraError
from velora_ros.nodes.interfaces import create_service
from velora_ros.nodes.parameters import ParameterTable, Values
from velora_ros.nodes.policy_loop import OWNER, PolicyLoop
from velora_ros.nodes.policy_node_parameters import AT_CONFIGURE, PARAMETERS, settings_of
from velora_ros.nodes.policy_node_report import UNCONFIGURED, Report
from velora_ros.nodes.spin import STEADY, run
from velora_ros.policy import Policy
from velora_ros.utils import share_path

DIAGNOSTICS_PERIOD_S = 1.0

Transition = Callable[['PolicyNode', LifecycleState], None]


def _transition(method: Transition) -> Callable[['PolicyNode', LifecycleState], TransitionCallbackReturn]:
    """Make a transition fail with its sentence; rclpy would swallow the exception."""

    @wraps(method)
    def guarded(self: 'PolicyNode', state: LifecycleState) -> TransitionCallbackReturn:
        try:
            method(self, state)
        except VeloraError as error:
            self.fail(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.fail(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return guarded


class PolicyNode(LifecycleNode):
    """
    The lifecycle node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is wrong, or autostart failed; the sentence says why.
    """

    def __init__(self) -> None:
        super().__init__('policy_node')
        self.exit_code: int | None = None
        self._loop: PolicyLoop | None = None
        self._fault = ''
        self._failure = ''
        self._table = ParameterTable(self, PARAMETERS, validate=self._validate, apply=self._apply)
        self._autostarting = bool(self._table['autostart'])
        self._report = Report(self)
        for name, callback in (
            ('~/arm', self._on_arm),
            ('~/emergency_stop', self._on_emergency_stop),
            ('~/reset_state', self._on_reset_state),
            ('~/clear_fault', self._on_clear_fault),
            ('~/reload_policy', self._on_reload_policy),
        ):
            create_service(self, OWNER, name, callback)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._on_diagnostics, clock=STEADY)
        if self._autostarting:
            self._autostart()
        else:
            self._report.status(UNCONFIGURED)

    def close(self) -> None:
        """Stop the robot before the process ends."""
        if self._loop is not None and self._loop.active:
            self._loop.stop()

    def fail(self, reason: str) -> None:
        """Say why a transition failed: by the process's end when autostarting, else in the log."""
        self._failure = reason
        if not self._autostarting:
            self.get_logger().error(reason)

    def _autostart(self) -> None:
        transitions: tuple[Callable[[], Any], ...] = (self.trigger_configure, self.trigger_activate)
        for transition in transitions:
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise ConfigError(self._failure)
        self._autostarting = False

    # --- transitions -----------------------------------------------------------------------------------------------

    @_transition
    def on_configure(self, state: LifecycleState) -> None:
        """Load and warm up the policy, check everything against it, create the topics."""
        values = self._table.values
        policy = self._load(values)
        self._loop = PolicyLoop(
            self,
            policy,
            settings=settings_of(values),
            fields=values['observation.fields'],
            report=self._report,
            fault=self._fault,
        )
        self._report.status(self._loop.status)

    @_transition
    def on_activate(self, state: LifecycleState) -> None:
        """Take states in, from a fresh hidden state; command when ``arm_on_activate`` is set."""
        self._configured.start(arm=self._table['arm_on_activate'])

    @_transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Send the fallback, then fall silent."""
        self._configured.stop()

    @_transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Give policy and topics back; a latched fault stays."""
        self._release()

    @_transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """Send the fallback if the robot was commanded, and give everything back."""
        self.close()
        self._release()

    @_transition
    def on_error(self, state: LifecycleState) -> None:
        """Stop the robot after an unexpected error and go back to unconfigured."""
        self.close()
        self._release()

    @property
    def _configured(self) -> PolicyLoop:
        if self._loop is None:
            raise ConfigError('the node is not configured; configure it first.')
        return self._loop

    def _release(self) -> None:
        if self._loop is not None:
            self._fault = self._loop.controller.fault
            self._loop.destroy()
            self._loop = None
        self._report.status(UNCONFIGURED)

    def _load(self, values: Values) -> Policy:
        path = values['policy']
        if not path:
            raise ConfigError("the parameter 'policy' is empty; give the path of a policy file (.safetensors).")
        policy = Policy.load(_policy_path(path), engine=values['engine'])
        policy.warm_up()
        return policy

    # --- parameters ------------------------------------------------------------------------------------------------

    def _validate(self, values: Values) -> None:
        settings = settings_of(values)
        if self._loop is None:
            return
        Safety(self._loop.policy.spec, settings)
        for name in AT_CONFIGURE:
            if values[name] != self._table[name]:
                raise ConfigError(f"parameter '{name}' is read when the node is configured; clean the node up first.")

    def _apply(self, values: Values) -> None:
        if self._loop is not None:
            self._loop.apply(settings_of(values))

    # --- services --------------------------------------------------------------------------------------------------

    def _on_arm(self, request: Any, response: Any) -> Any:
        loop = self._loop
        if loop is None or not loop.active:
            response.message = 'the node is not active; activate it first.'
        elif not request.data:
            loop.send(loop.controller.disarm())
            response.success, response.message = True, 'disarmed'
        elif loop.controller.arm():
            loop.send(None)
            response.success, response.message = True, 'armed'
        else:
            response.message = f'a fault is latched: {loop.controller.fault}. Call ~/clear_fault first.'
        return response

    def _on_emergency_stop(self, request: Any, response: Any) -> Any:
        if not request.data:
            response.message = 'false releases nothing; call ~/clear_fault.'
            return response
        if self._loop is None:
            self._fault = EMERGENCY_STOP
        else:
            self._loop.send(self._loop.controller.emergency_stop())
        response.success, response.message = True, 'emergency stop latched'
        return response

    def _on_clear_fault(self, request: Any, response: Any) -> Any:
        self._fault = ''
        if self._loop is not None:
            self._loop.controller.clear_fault()
            self._loop.send(None)
        response.success = True
        response.message = 'armed' if self._loop is not None and self._loop.controller.armed else 'disarmed'
        return response

    def _on_reset_state(self, request: Any, response: Any) -> Any:
        if self._loop is not None:
            self._loop.forget('request')
        response.success, response.message = True, 'hidden state forgotten'
        return response

    def _on_reload_policy(self, request: Any, response: Any) -> Any:
        """Read the file again, between two ticks; the running policy stays if anything is wrong with the new one."""
        try:
            loop = self._configured
            policy = self._load(self._table.values)
            if policy.spec != loop.policy.spec:
                raise SpecError(_difference(policy, loop.policy))
            loop.swap(policy)
            response.success, response.message = True, f'running {policy.digest[:12]}'
        except VeloraError as error:
            response.message = f'{error} The old policy stays.'
        return response

    def _on_diagnostics(self) -> None:
        if self._loop is not None:
            self._loop.diagnose(self._table['policy'])


def _policy_path(given: str) -> Path:
    """Return the file itself, or the shipped one of that name when there is no such file."""
    path = Path(given).expanduser()
    shipped = share_path('policies', given if given.endswith('.safetensors') else f'{given}.safetensors')
    return shipped if not path.exists() and shipped.exists() else path


def _difference(new: Policy, old: Policy) -> str:
    before, after = old.spec.to_dict(), new.spec.to_dict()
    changes = [f'{key} is {after[key]} instead of {before[key]}' for key in before if after[key] != before[key]]
    return f'the new policy does not fit the running one: {"; ".join(changes)}.'


def main() -> None:
    """Run policy_node until SIGINT or SIGTERM."""
    sys.exit(run(PolicyNode))


if __name__ == '__main__':
    main()
