"""
Trains a policy in a process of its own and publishes how the training goes.

Publishes:
    ~/episode_return (std_msgs/Float64): return of each training episode, including exploration noise.
    ~/metrics (diagnostic_msgs/DiagnosticArray): losses and speed after each episode, with the newest diagnostics of
        learning over the last 1,000 steps (docs/training.md has the table).
    ~/policy (std_msgs/String): path of the newest best policy; latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): state, speed, losses, best return, and the time since the last event
        of the training process; once a second.

Services:
    ~/start, ~/stop (std_srvs/Trigger): start training with the present parameters; stop it and keep its results.
    ~/pause (std_srvs/SetBool): pause or continue.
    ~/save (std_srvs/Trigger): write a checkpoint at the end of the running episode.

Parameters (``parameters.py`` has their defaults and meaning):
    env, preset, seed, total_steps, run_dir, out, resume, resume_on_death, announce_untrained, rival, nice, autostart,
    exit_when_done, exit_when_failed, every hyperparameter, and qos_overrides of every topic. The hyperparameters
    default to the environment's preset in ``config/train``. noise_scale, update_ratio, actor_lr and critic_lr may
    change at any time and do so with the next episode; the others apply from one ~/start to the next.

Only the training process loads torch, so every service answers at once, whatever the training does. The node reports
the death of that process, and with ``resume_on_death`` starts another one. If the node is killed, the process ends too.
"""

import json
import time
from typing import Any

from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import create_publisher, create_service
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.rclpy_compat import start_values
from velora_ros.nodes.trainer.job import make_job
from velora_ros.nodes.trainer.parameters import PARAMETERS, hyperparameters_of, refuse_changes, with_preset
from velora_ros.nodes.trainer.process_handle import Event, ProcessHandle, describe_exit
from velora_ros.nodes.trainer.training_status import SILENCE_S, TrainingStatus
from velora_ros.training.hyperparameters import LIVE

OWNER = 'trainer_node'
POLL_S = 0.1
DIAGNOSTICS_PERIOD_S = 1.0
# After SIGINT the training process has this long to write its results; launch sends SIGTERM after 5 s.
SHUTDOWN_TIMEOUT_S = 4.0
# After ~/stop it has this long, because it may be in the middle of an evaluation.
STOP_TIMEOUT_S = 30.0

IDLE, RUNNING, PAUSED, STOPPING, DONE, FAILED = 'idle', 'training', 'paused', 'stopping', 'done', 'failed'
RESUMING = 'resuming'
ACTIVE = (RUNNING, PAUSED, STOPPING, RESUMING)


class TrainerNode(Node):
    """
    The node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is wrong.
    """

    def __init__(self) -> None:
        super().__init__('trainer_node')
        self.exit_code: int | None = None
        self._process: ProcessHandle | None = None
        self._state, self._reason, self._since = IDLE, '', 0.0
        self._job: dict[str, Any] = {}
        self._live: dict[str, float] = {}
        self._status = TrainingStatus()
        self._deaths, self._steps_at_death, self._state_before_death = 0, -1, IDLE
        given = start_values(self)
        env, preset = given.get('env', PARAMETERS[0].default), given.get('preset', '')
        rows = with_preset(env, preset) if isinstance(env, str) and isinstance(preset, str) else PARAMETERS
        self._table = ParameterTable(self, rows, validate=self._validate, apply=self._apply)
        names = ('~/episode_return', '~/metrics', '~/policy', '/diagnostics')
        self._topics = {name: create_publisher(self, OWNER, name) for name in names}
        for name, callback in (
            ('~/start', self._on_start),
            ('~/stop', self._on_stop),
            ('~/save', self._on_save),
            ('~/pause', self._on_pause),
        ):
            create_service(self, OWNER, name, callback)
        check_qos_overrides(self)
        self.create_timer(POLL_S, self._read_events, clock=STEADY)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=STEADY)
        if self._table['autostart']:
            self._start()

    def close(self) -> None:
        """Stop the training; it writes its results."""
        if self._state in ACTIVE:
            self._set_state(STOPPING)
        if self._process is not None:
            self._process.stop(SHUTDOWN_TIMEOUT_S)
        self._read_events()

    # --- the training process --------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._process is not None:  # it has reported its end and is about to exit
            self._process.stop(0.0)
            self._read_events()
        values = self._table.values
        job = make_job(values, self._job.get('run_dir', ''))
        self._job, self._live = job, {name: values[name] for name in LIVE}
        self._status = TrainingStatus(job['run_dir'], job['total_steps'])
        self._deaths, self._steps_at_death = 0, -1
        self._process = ProcessHandle(job)
        if job['resume']:
            self._process.send(f'set {json.dumps(self._live)}')
        verb = 'resuming' if job['resume'] else 'into'
        steps = f'{job["env"]}, seed {job["seed"]}, {job["total_steps"]} steps'
        self._set_state(RUNNING, f'{steps}, {verb} {job["run_dir"]}')

    def _read_events(self) -> None:
        """Read the events of the training process, and notice its exit."""
        if self._process is None:
            return
        if self._state == STOPPING and time.monotonic() - self._since > STOP_TIMEOUT_S:
            self.get_logger().error(f'the training process did not stop within {STOP_TIMEOUT_S:g} s and is killed')
            self._process.stop(0.0)
        status = self._process.status  # read before the events, so that no event before the exit is lost
        for event in self._process.read_events():
            self._on_event(event)
        if status is not None:
            self._process.close()
            self._process = None
            self._on_exit(status)

    def _on_event(self, event: Event) -> None:
        kind = event.pop('event')
        self._status.update(kind, event)
        if kind == 'alive' and self._state == RESUMING:
            self._set_state(self._state_before_death, f'resumed after {self._status.steps} steps')
        elif kind == 'episode':
            self._topics['~/episode_return'].publish(conversions.to_number(event['episode_return']))
            self._publish('~/metrics', 'ok', f'episode {event["episode"]}', {**event, **self._status.learning})
        elif kind == 'error':
            self._set_state(FAILED, event['message'])
        elif kind == 'end':
            self._set_state(DONE, f'{self._status.summary(event)}; {self._job["run_dir"]}')
        elif text := self._status.log_line(kind, event):
            self.get_logger().info(text)
        if 'policy' in event:
            self._topics['~/policy'].publish(conversions.to_text(event['policy']))

    def _on_exit(self, status: int) -> None:
        """Note that the process has exited, whether it reported its end or not."""
        stopping = self._state == STOPPING
        if self._state in ACTIVE:
            self._on_death(describe_exit(status))
        if self._table['exit_when_done'] and self._process is None:
            self.exit_code = 0 if self._state == DONE else 1
        without_policy = self._state == FAILED and not self._status.policies and not stopping
        if without_policy and self._table['exit_when_failed']:
            self.exit_code = 1

    def _on_death(self, how: str) -> None:
        """Report that the process died; start another one if that is wanted and this one has made progress."""
        steps = self._status.steps
        self._state_before_death = self._state_before_death if self._state == RESUMING else self._state
        sentence = f'the training process {how} after {steps} steps'
        self._deaths += 1
        if self._state == STOPPING or not self._table['resume_on_death'] or steps <= self._steps_at_death:
            again = ', again without any progress' if self._deaths > 1 and steps <= self._steps_at_death else ''
            kept = "its files are kept; ~/start with the parameter 'resume' resumes from the newest checkpoint"
            self._set_state(FAILED, f'{sentence}{again}; {kept}')
        else:
            self._steps_at_death = steps
            self._process = ProcessHandle({**self._job, 'resume': True, 'announced': self._status.announced})
            self._status.process_started()
            self._process.send(f'set {json.dumps(self._live)}')
            if self._state_before_death == PAUSED:
                self._process.send('pause')
            self._set_state(RESUMING, f'{sentence}; another one resumes from the newest checkpoint')
        self._publish_diagnostics()

    def _set_state(self, state: str, reason: str = '') -> None:
        self._state, self._reason, self._since = state, reason, time.monotonic()
        text = f'{state}: {reason}' if reason else state
        if state in (FAILED, RESUMING):
            self.get_logger().error(text)
        else:
            self.get_logger().info(text)

    # --- parameters ------------------------------------------------------------------------------------------------

    def _validate(self, values: Values) -> None:
        hyperparameters_of(values)
        if self._state in ACTIVE:
            refuse_changes(self._table.values, values)

    def _apply(self, values: Values) -> None:
        """Send the training process what changes with the next episode."""
        changes = {name: values[name] for name in LIVE if values[name] != self._live.get(name)}
        if self._process is not None and self._state in ACTIVE and changes:
            self._live |= changes
            self._process.send(f'set {json.dumps(changes)}')

    # --- services --------------------------------------------------------------------------------------------------

    def _on_start(self, request: Any, response: Any) -> Any:
        if self._state in ACTIVE:
            response.message = f'already {self._state}; call ~/stop first.'
            return response
        try:
            self._start()
            response.success, response.message = True, f'{self._state}: {self._reason}'
        except VeloraError as error:
            response.message = str(error)
        return response

    def _on_stop(self, request: Any, response: Any) -> Any:
        answer = f'stopping; the results are in {self._job.get("run_dir")}'
        return self._send_order(response, 'stop', (RUNNING, PAUSED, RESUMING), STOPPING, answer)

    def _on_pause(self, request: Any, response: Any) -> Any:
        if request.data:
            return self._send_order(response, 'pause', (RUNNING, PAUSED), PAUSED, 'paused')
        return self._send_order(response, 'resume', (PAUSED, RUNNING), RUNNING, 'training')

    def _on_save(self, request: Any, response: Any) -> Any:
        answer = 'a checkpoint follows at the end of the running episode'
        return self._send_order(response, 'save', (RUNNING, PAUSED), self._state, answer)

    def _send_order(self, response: Any, order: str, valid_in: tuple[str, ...], state: str, answer: str) -> Any:
        """Send an order to the training process; the answer does not wait until it is carried out."""
        if self._process is None or self._state not in valid_in:
            response.message = f'cannot {order}: the state is {self._state}; call ~/start to begin a training.'
            return response
        self._process.send(order)
        if state != self._state:
            self._set_state(state, '' if state == STOPPING else self._reason)
        response.success, response.message = True, answer
        return response

    # --- diagnostics -----------------------------------------------------------------------------------------------

    def _publish_diagnostics(self) -> None:
        silent = self._state == RUNNING and self._status.silence > SILENCE_S
        level = 'warn' if silent else {FAILED: 'error', RESUMING: 'error', PAUSED: 'warn'}.get(self._state, 'ok')
        text = f'{self._state}: {self._reason}' if self._reason else self._state
        if silent:
            text = f'no event for {self._status.silence:.0f} s: a long evaluation, or the training process hangs'
        process: dict[str, Any] = {'process': 'none'}
        if self._process is not None:
            process = {'process': self._process.pid, 'silence_s': self._status.silence}
        values = {'state': self._state, **process, 'deaths': self._deaths, **self._status.values()}
        self._publish('/diagnostics', level, text, values)

    def _publish(self, topic: str, level: str, text: str, values: Values) -> None:
        name = self.get_fully_qualified_name().lstrip('/')
        robot = conversions.hardware_id(self.get_namespace(), self._table['env'])
        status = conversions.to_diagnostic(f'{name}: training', level, text, values, hardware_id=robot)
        stamp = self.get_clock().now().nanoseconds
        self._topics[topic].publish(conversions.to_diagnostics(status, stamp))
