"""
Trains a policy in a process of its own, and tells how it goes.

Publishes:
    ~/episode_return (std_msgs/Float64): return of each training episode, exploration noise included.
    ~/metrics (diagnostic_msgs/DiagnosticArray): losses and speed after each episode, with the newest diagnostics of
        learning, of the last 1,000 steps (docs/training.md has the table).
    ~/policy (std_msgs/String): path of the newest best policy; latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): state, speed, losses, best return and the training process's last
        sign of life; once a second.

Services:
    ~/start, ~/stop (std_srvs/Trigger): begin with the parameters as they are; end, keeping what was learnt.
    ~/pause (std_srvs/SetBool): pause or go on.
    ~/save (std_srvs/Trigger): write a checkpoint at the end of the running episode.

Parameters (``parameters.py`` has their defaults and meaning):
    env, preset, seed, total_steps, run_dir, out, resume, resume_on_death, announce_untrained, rival, nice, autostart,
    exit_when_done, exit_when_failed, every hyperparameter, and qos_overrides of every topic. The hyperparameters
    default to the environment's preset in ``config/train``. noise_scale, update_ratio, actor_lr and critic_lr may
    change at any time and do so with the next episode; the others hold from one ~/start to the next.

torch is loaded by the training process only, so every service answers at once, whatever the training does. Its death is
noticed and reported, and with ``resume_on_death`` another goes on; a node that is killed takes it along.
"""

import json
import signal
import sys
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
from velora_ros.nodes.ros.run_node import run
from velora_ros.nodes.trainer.parameters import PARAMETERS, config_of, job_of, refuse_changes, with_preset
from velora_ros.nodes.trainer.process_handle import Event, TrainingProcess
from velora_ros.nodes.trainer.training_status import SILENCE_S, Progress
from velora_ros.training.callbacks import LIVE

OWNER = 'trainer_node'
POLL_S = 0.1
DIAGNOSTICS_PERIOD_S = 1.0
# After SIGINT the training gets so long to write what it has; launch sends SIGTERM after 5 s.
PATIENCE_S = 4.0
# After ~/stop it gets so long: it may be in the middle of an evaluation.
STOP_PATIENCE_S = 30.0

IDLE, RUNNING, PAUSED, STOPPING, DONE, FAILED = 'idle', 'training', 'paused', 'stopping', 'done', 'failed'
RESUMING = 'resuming'
AT_WORK = (RUNNING, PAUSED, STOPPING, RESUMING)


class TrainerNode(Node):
    """
    The node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is wrong.
    """

    def __init__(self) -> None:
        super().__init__('trainer_node')
        self.exit_code: int | None = None
        self._training: TrainingProcess | None = None
        self._state, self._reason, self._since = IDLE, '', 0.0
        self._job: dict[str, Any] = {}
        self._live: dict[str, float] = {}
        self._progress = Progress()
        self._deaths, self._died_at, self._state_then = 0, -1, IDLE
        given = start_values(self)
        env, preset = given.get('env', PARAMETERS[0].default), given.get('preset', '')
        rows = with_preset(env, preset) if isinstance(env, str) and isinstance(preset, str) else PARAMETERS
        self._table = ParameterTable(self, rows, validate=self._validate, apply=self._apply)
        names = ('~/episode_return', '~/metrics', '~/policy', '/diagnostics')
        self._out = {name: create_publisher(self, OWNER, name) for name in names}
        for name, callback in (
            ('~/start', self._on_start),
            ('~/stop', self._on_stop),
            ('~/save', self._on_save),
            ('~/pause', self._on_pause),
        ):
            create_service(self, OWNER, name, callback)
        check_qos_overrides(self)
        self.create_timer(POLL_S, self._poll, clock=STEADY)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=STEADY)
        if self._table['autostart']:
            self._start()

    def close(self) -> None:
        """End the training, which writes what it has."""
        if self._state in AT_WORK:
            self._become(STOPPING)
        if self._training is not None:
            self._training.end(PATIENCE_S)
        self._poll()

    # --- the training process --------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._training is not None:  # it said its last word a moment ago
            self._training.end(0.0)
            self._poll()
        values = self._table.values
        job = job_of(values, self._job.get('run_dir', ''))
        self._job, self._live = job, {name: values[name] for name in LIVE}
        self._progress = Progress(job['run_dir'], job['total_steps'])
        self._deaths, self._died_at = 0, -1
        self._training = TrainingProcess(job)
        if job['resume']:
            self._training.send(f'set {json.dumps(self._live)}')
        verb = 'going on with' if job['resume'] else 'into'
        steps = f'{job["env"]}, seed {job["seed"]}, {job["total_steps"]} steps'
        self._become(RUNNING, f'{steps}, {verb} {job["run_dir"]}')

    def _poll(self) -> None:
        """Take the training's news; notice its end."""
        if self._training is None:
            return
        if self._state == STOPPING and time.monotonic() - self._since > STOP_PATIENCE_S:
            self.get_logger().error(f'the training process did not stop within {STOP_PATIENCE_S:g} s; it is killed')
            self._training.end(0.0)
        status = self._training.status  # before the events: nothing it said before its end is lost
        for event in self._training.events():
            self._take(event)
        if status is not None:
            self._training.close()
            self._training = None
            self._conclude(status)

    def _take(self, event: Event) -> None:
        kind = event.pop('event')
        self._progress.take(kind, event)
        if kind == 'alive' and self._state == RESUMING:
            self._become(self._state_then, f'resumed after {self._progress.steps} steps')
        elif kind == 'episode':
            self._out['~/episode_return'].publish(conversions.to_number(event['episode_return']))
            self._publish('~/metrics', 'ok', f'episode {event["episode"]}', {**event, **self._progress.learning})
        elif kind == 'error':
            self._become(FAILED, event['message'])
        elif kind == 'end':
            self._conclude_well(event)
        elif text := self._told(kind, event):
            self.get_logger().info(text)
        if 'policy' in event:
            self._out['~/policy'].publish(conversions.to_text(event['policy']))

    def _told(self, kind: str, event: Event) -> str:
        """Return what people are told of an event."""
        if kind == 'evaluation':
            announced = f', announced as policy {self._progress.policies}' if 'policy' in event else ''
            best = ', the best so far' if event['best'] else ''
            return f'step {event["steps"]}: return {event["mean"]:.1f} +- {event["std"]:.1f}{best}{announced}'
        if kind == 'policy':
            return f'{event["what"]}: {event["policy"]}'
        if kind == 'changed':
            pairs = ', '.join(f'{name} {value:g}' for name, value in event['values'].items())
            return f'{pairs} from step {self._progress.steps} on'
        return f'checkpoint {event["path"]}' if kind == 'saved' else str(event.get('message', ''))

    def _conclude_well(self, event: Event) -> None:
        best = '' if self._progress.best is None else f', best return {self._progress.best:.1f}'
        reason = f', {event["stopped"]}' if event['stopped'] else ''
        self._become(DONE, f'{event["steps"]} steps in {event["seconds"]:.0f} s{reason}{best}; {self._job["run_dir"]}')

    def _conclude(self, status: int) -> None:
        """Note that the process is gone, whether it said its last word or not."""
        asked_to_end = self._state == STOPPING
        if self._state in AT_WORK:
            self._on_death(f'was killed by {_signal_name(-status)}' if status < 0 else f'ended with status {status}')
        if self._table['exit_when_done'] and self._training is None:
            self.exit_code = 0 if self._state == DONE else 1
        nothing_comes = self._state == FAILED and not self._progress.policies and not asked_to_end
        if nothing_comes and self._table['exit_when_failed']:
            self.exit_code = 1

    def _on_death(self, how: str) -> None:
        """Report the death, and start another process if that is wished and the last one got anywhere."""
        steps = self._progress.steps
        self._state_then = self._state_then if self._state == RESUMING else self._state
        sentence = f'the training process {how} after {steps} steps'
        self._deaths += 1
        if self._state == STOPPING or not self._table['resume_on_death'] or steps <= self._died_at:
            again = ', again without a step forward' if self._deaths > 1 and steps <= self._died_at else ''
            kept = "what it wrote is kept; ~/start with the parameter 'resume' goes on from the newest checkpoint"
            self._become(FAILED, f'{sentence}{again}; {kept}')
        else:
            self._died_at = steps
            self._training = TrainingProcess({**self._job, 'resume': True, 'announced': self._progress.announced})
            self._progress.begin()
            self._training.send(f'set {json.dumps(self._live)}')
            if self._state_then == PAUSED:
                self._training.send('pause')
            self._become(RESUMING, f'{sentence}; another one goes on from the newest checkpoint')
        self._diagnose()

    def _become(self, state: str, reason: str = '') -> None:
        self._state, self._reason, self._since = state, reason, time.monotonic()
        text = f'{state}: {reason}' if reason else state
        if state in (FAILED, RESUMING):
            self.get_logger().error(text)
        else:
            self.get_logger().info(text)

    # --- parameters ------------------------------------------------------------------------------------------------

    def _validate(self, values: Values) -> None:
        config_of(values)
        if self._state in AT_WORK:
            refuse_changes(self._table.values, values)

    def _apply(self, values: Values) -> None:
        """Hand on what changes with the next episode."""
        changes = {name: values[name] for name in LIVE if values[name] != self._live.get(name)}
        if self._training is not None and self._state in AT_WORK and changes:
            self._live |= changes
            self._training.send(f'set {json.dumps(changes)}')

    # --- services --------------------------------------------------------------------------------------------------

    def _on_start(self, request: Any, response: Any) -> Any:
        if self._state in AT_WORK:
            response.message = f'already {self._state}; call ~/stop first.'
            return response
        try:
            self._start()
            response.success, response.message = True, f'{self._state}: {self._reason}'
        except VeloraError as error:
            response.message = str(error)
        return response

    def _on_stop(self, request: Any, response: Any) -> Any:
        told = f'stopping; what was learnt is in {self._job.get("run_dir")}'
        return self._order(response, 'stop', (RUNNING, PAUSED, RESUMING), STOPPING, told)

    def _on_pause(self, request: Any, response: Any) -> Any:
        if request.data:
            return self._order(response, 'pause', (RUNNING, PAUSED), PAUSED, 'paused')
        return self._order(response, 'resume', (PAUSED, RUNNING), RUNNING, 'training')

    def _on_save(self, request: Any, response: Any) -> Any:
        told = 'a checkpoint follows at the end of the running episode'
        return self._order(response, 'save', (RUNNING, PAUSED), self._state, told)

    def _order(self, response: Any, word: str, while_: tuple[str, ...], state: str, told: str) -> Any:
        """Hand an order to the training; the answer does not wait for it to be carried out."""
        if self._training is None or self._state not in while_:
            response.message = f'there is nothing to {word}: {self._state}; ~/start begins a training.'
            return response
        self._training.send(word)
        if state != self._state:
            self._become(state, '' if state == STOPPING else self._reason)
        response.success, response.message = True, told
        return response

    # --- news ------------------------------------------------------------------------------------------------------

    def _diagnose(self) -> None:
        silent = self._state == RUNNING and self._progress.silence > SILENCE_S
        level = 'warn' if silent else {FAILED: 'error', RESUMING: 'error', PAUSED: 'warn'}.get(self._state, 'ok')
        text = f'{self._state}: {self._reason}' if self._reason else self._state
        if silent:
            text = (
                f'no sign of life for {self._progress.silence:.0f} s: an evaluation takes long, or the training hangs'
            )
        process: dict[str, Any] = {'process': 'none'}
        if self._training is not None:
            process = {'process': self._training.pid, 'silence_s': self._progress.silence}
        values = {'state': self._state, **process, 'deaths': self._deaths, **self._progress.values()}
        self._publish('/diagnostics', level, text, values)

    def _publish(self, topic: str, level: str, text: str, values: Values) -> None:
        name = self.get_fully_qualified_name().lstrip('/')
        robot = conversions.hardware_id(self.get_namespace(), self._table['env'])
        status = conversions.to_diagnostic(f'{name}: training', level, text, values, hardware_id=robot)
        stamp = self.get_clock().now().nanoseconds
        self._out[topic].publish(conversions.to_diagnostics(status, stamp))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'


def main() -> None:
    """Run trainer_node until SIGINT or SIGTERM, or with ``exit_when_done`` until the training is over."""
    sys.exit(run(TrainerNode))
