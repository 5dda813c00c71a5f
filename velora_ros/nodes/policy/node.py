"""
Runs a trained policy on a robot: states in, commands out, in real time. A lifecycle node.

Subscribes:
    joint_states (sensor_msgs/JointState): the robot's state, if every observation of the policy is a joint signal.
    observation (std_msgs/Float64MultiArray): the observation as a vector, otherwise.
    the topics in ``observation.sources`` instead, if it is set: Imu, Odometry, Twist or any other message type.
    reset (std_msgs/Empty): the robot was moved to another place; resets the hidden state.
    emergency_stop (std_msgs/Bool): true latches a fault; false never releases it. Publishers may have any reliability
        and durability; a transient-local true that was published before this node started is received too.
    tf, tf_static (tf2_msgs/TFMessage): for goals in a frame other than the robot's, if tf2_msgs is installed.
    policy_update (std_msgs/String): the path of the first policy or of a better policy; only with ``follow_trainer``.

Publishes:
    command (std_msgs/Float64MultiArray, or JointState, JointTrajectory, Twist, TwistStamped): commands within their
        bounds, in the policy's action order or in the order of ``command.fields``.
    ~/status (diagnostic_msgs/DiagnosticStatus): state, fault, or the reason for not commanding; latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): rate, latency, input age, counters, policy; once a second.
    ~/debug/observation, ~/debug/hidden, ~/debug/raw_action (std_msgs/Float64MultiArray): while there are subscribers.

Services:
    ~/arm, ~/emergency_stop (std_srvs/SetBool); ~/start, ~/reset_state, ~/clear_fault, ~/reload_policy
    (std_srvs/Trigger);
    the lifecycle services of every managed node.

Parameters (``parameters.py`` has their defaults and meaning):
    policy, policy_dirs, follow_trainer, engine, autostart, arm_on_activate, auto_recover, max_state_age_s,
    watchdog_timeout_s, max_gap_s, fallback, fallback_pose, ramp_s, slew_rate, rate_hz, command.type,
    command.interface, command.fields, command.layout, command.velocities, command.interpolate, command.scale,
    command.offset, command.si_confirmed, command.frame_id, control_period_confirmed, gains_confirmed, start_pose_speed,
    start_when_ready, max_tilt, max_joint_speed, max_deviation, observation.sources, observation.fields,
    observation.scale, observation.offset, observation.transform, observation.nonfinite, for each source
    observation.<source>.topic, .type, .max_age_s, .missing, .frame_id, .low, .high, .mounting_rpy,
    .zero_means_no_return, .period_s, .phase, .moves_with and .moves_above, and qos_overrides of every topic.

A Float64MultiArray has no stamp: if this node is killed, the robot keeps the last command unless its own driver
times out. On SIGINT, SIGTERM, SIGHUP, deactivation and faults the fallback command is sent first.

This file has the lifecycle, the parameters and the latched fault. ``loop.py`` has what exists while the node is
configured, and ``state_to_command.py`` the path of a message, from the robot's state to the command.
"""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from velora_ros.control.arming import EMERGENCY_STOP
from velora_ros.control.status import Status
from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.policy.emergency_stop import EmergencyStop
from velora_ros.nodes.policy.loop import PolicyLoop
from velora_ros.nodes.policy.parameters import needs_configure, parameters
from velora_ros.nodes.policy.parameters_with_contract import sources_at_start, with_contract
from velora_ros.nodes.policy.periodic_diagnostics import STEPS
from velora_ros.nodes.policy.policy_changes import PolicyChanges
from velora_ros.nodes.policy.policy_folders import PolicyFolders
from velora_ros.nodes.policy.policy_loader import await_policy, load
from velora_ros.nodes.policy.services import PolicyServices
from velora_ros.nodes.policy.settings_of_parameters import check_times, settings_of
from velora_ros.nodes.policy.status_and_diagnostics import UNCONFIGURED, Diagnostics
from velora_ros.nodes.policy.topic_factory import OWNER
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import create_service
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.rclpy_compat import release_state_machine, start_values

DIAGNOSTICS_PERIOD_S = 1.0

Transition = Callable[['PolicyNode', LifecycleState], None]


def _transition(method: Transition) -> Callable[['PolicyNode', LifecycleState], TransitionCallbackReturn]:
    """Let a transition fail if it raises an exception, and report the error; rclpy itself would discard it."""

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
        ConfigError: a parameter is invalid, or autostart failed; the message says why.
    """

    def __init__(self) -> None:
        super().__init__('policy_node')
        self.exit_code: int | None = None
        self._loop: PolicyLoop | None = None
        self._fault = self._failure = ''
        self._idle_steps = 0
        self._starting, self._finalized = True, False
        rows = parameters(sources_at_start(start_values(self)))
        self._table = ParameterTable(self, rows, validate=self._validate, apply=self._apply)
        self._starting = False
        self._folders = PolicyFolders(self._table['policy_dirs'], self._table['policy'])
        self._autostarting = bool(self._table['autostart'])
        self._diagnostics = Diagnostics(self)
        self._changes = PolicyChanges(
            self,
            self._table,
            self._folders,
            self._diagnostics,
            loop=lambda: self._loop,
            not_there=lambda: self._not_there,
        )
        self._emergency_stop = EmergencyStop(self, self._stop_now)
        PolicyServices(self, loop=lambda: self._loop, not_there=lambda: self._not_there, reload=self._changes.reload)
        create_service(self, OWNER, '~/clear_fault', self._on_clear_fault)
        self.create_timer(DIAGNOSTICS_PERIOD_S / STEPS, self._on_diagnostics, clock=STEADY)
        if self._autostarting and self._table['follow_trainer'] and not self._table['policy']:
            await_policy(self, self._autostart)
        elif self._autostarting:
            self._autostart()
        else:
            self._diagnostics.publish_status(self._status)

    def close(self) -> None:
        """Send the fallback command and stop commanding, before the process ends."""
        if self._loop is not None and self._loop.active:
            self._loop.stop()

    def destroy_node(self) -> None:
        """Destroy the node at once, so that it leaves the ROS graph even if the process continues."""
        super().destroy_node()  # type: ignore[no-untyped-call]
        release_state_machine(self)

    def fail(self, reason: str) -> None:
        """Record why a transition failed, and log it; with autostart, the process ends with this reason instead."""
        self._failure = reason
        if not self._autostarting:
            self.get_logger().error(reason)

    def _autostart(self) -> None:
        transitions: Any = self.trigger_configure, self.trigger_activate
        for transition in transitions:
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise ConfigError(self._failure)
        self._autostarting = False

    # --- transitions -----------------------------------------------------------------------------------------------

    @_transition
    def on_configure(self, state: LifecycleState) -> None:
        """Load and warm up the policy, check the parameters against it, create the topics."""
        values = self._table.values
        path = self._folders.check(values['policy'])
        policy = load(path, values['engine'])
        self._loop = PolicyLoop(
            self, policy, values, diagnostics=self._diagnostics, fault=self._fault, follow=self._changes.change_or_stay
        )
        self._changes.begin(values['policy'])
        self.get_logger().info(self._loop.summary(str(path)))
        self._diagnostics.publish_status(self._loop.status)

    @_transition
    def on_activate(self, state: LifecycleState) -> None:
        """Start reading states with a fresh hidden state; send commands if ``arm_on_activate`` is set."""
        self._configured.start(arm=self._table['arm_on_activate'])

    @_transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Send the fallback, then stop commanding."""
        self._configured.stop()

    @_transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Release the policy and its topics; a latched fault remains."""
        self._release()

    @_transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """Send the fallback if the robot was commanded, and release everything."""
        self.close()
        self._finalized = True
        self._release()

    @_transition
    def on_error(self, state: LifecycleState) -> None:
        """Stop the robot after an unexpected error and go back to unconfigured."""
        self.close()
        self._release()

    @property
    def _configured(self) -> PolicyLoop:
        if self._loop is None:
            raise ConfigError(self._not_there)
        return self._loop

    @property
    def _not_there(self) -> str:
        """The reason why there is no policy."""
        if self._finalized:
            return 'the node is finalized; start its process again.'
        return 'the node is unconfigured; configure it first.'

    def _release(self) -> None:
        if self._loop is not None:
            self._fault = self._loop.controller.fault
            self._loop.destroy()
            self._loop = None
        self._diagnostics.publish_status(self._status)

    @property
    def _status(self) -> Status:
        if self._loop is not None:
            return self._loop.status
        if self._finalized:
            return Status('error' if self._fault else 'ok', 'finalized', self._fault)
        return Status('error', 'fault', self._fault) if self._fault else UNCONFIGURED

    # --- parameters ------------------------------------------------------------------------------------------------

    def _validate(self, values: Values) -> None:
        settings_of(values)
        if self._starting:
            return
        if values['policy'] != self._table['policy'] and values['policy'] != self._changes.running:
            path = self._folders.check(values['policy'], exists=self._loop is not None)
            if self._loop is not None:
                self._loop.check_fits(path)
        if self._loop is None:
            return
        spec = self._loop.policy.spec
        definite = with_contract(values, spec)
        safety, _ = self._loop.controller.check(settings_of(definite))
        check_times(definite, safety)
        for name, value in values.items():
            if value != self._table[name] and needs_configure(name):
                raise ConfigError(f"parameter '{name}' is read when the node is configured; clean the node up first.")

    def _apply(self, values: Values) -> None:
        if self._loop is not None:
            self._loop.apply(values)
            self._changes.follow_parameter(values['policy'])

    # --- the latched fault and the diagnostics ---------------------------------------------------------------------

    def _stop_now(self) -> None:
        self._fault = EMERGENCY_STOP
        if self._loop is not None:
            self._loop.send(self._loop.controller.emergency_stop())
        else:
            self._diagnostics.publish_status(self._status)

    def _on_clear_fault(self, request: Any, response: Any) -> Any:
        if self._loop is None and (self._finalized or not self._fault):
            response.message = self._not_there if self._finalized else f'no fault is latched; {self._not_there}'
            return response
        self._fault = ''
        response.success, response.message = True, 'disarmed'
        if self._loop is not None:
            self._loop.controller.clear_fault()
            self._loop.send(None)
            response.message = 'armed' if self._loop.controller.armed else 'disarmed'
        else:
            self._diagnostics.publish_status(self._status)
        return response

    def _on_diagnostics(self) -> None:
        if self._loop is not None:
            self._loop.diagnose(self._table['policy'])
            return
        self._idle_steps += 1
        if self._idle_steps % STEPS == 0:
            self._diagnostics.publish_idle(self._status)
