"""
Trains a policy in a separate process and publishes the progress of training.

Publishes:
    ~/episode_return (std_msgs/Float64): return of each training episode, including exploration noise.
    ~/metrics (diagnostic_msgs/DiagnosticArray): losses and speed after each episode, with the newest diagnostics of
        learning over the last 1,000 steps (docs/training.md has the table).
    ~/policy (std_msgs/String): path of the newest best policy; latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): state, speed, losses, best return, and the time since the last event
        of the training process; once a second.

Services:
    ~/start, ~/stop (std_srvs/Trigger): start training with the current parameters; stop training and keep the results.
    ~/pause (std_srvs/SetBool): pause or continue.
    ~/save (std_srvs/Trigger): write a checkpoint at the end of the current episode.

Parameters (``parameters.py`` has their defaults and meaning):
    env, task, preset, env_args, start_from, device, seed, total_steps, run_dir, out, resume, resume_on_death,
    announce_untrained, rival, nice, spare_cpus, autostart, exit_when_done, exit_when_failed, every hyperparameter, and
    qos_overrides of every topic. The hyperparameters default to the recipe, ``config/train/recipe.yaml``.
    noise_scale, update_ratio, actor_lr and critic_lr may change at any time, and take effect at the next episode; the
    others take effect at the next ~/start.

Only the training process loads torch, so every service answers at once, even during training. If that process dies, the
node reports it and, with ``resume_on_death``, starts another one. If the node is killed, the training process ends too.
"""

from typing import Any

from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import create_publisher, create_service
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.rclpy_compat import start_values
from velora_ros.nodes.trainer.job import make_job
from velora_ros.nodes.trainer.parameters import PARAMETERS, hyperparameters_of, refuse_changes, with_preset
from velora_ros.nodes.trainer.process_supervisor import (
    DONE,
    FAILED,
    PAUSED,
    RESUMING,
    STOPPING,
    TRAINING,
    Event,
    ProcessSupervisor,
)
from velora_ros.nodes.trainer.training_status import SILENCE_S
from velora_ros.training.hyperparameters import LIVE

OWNER = 'trainer_node'
POLL_S = 0.1
DIAGNOSTICS_PERIOD_S = 1.0
LEVELS = {FAILED: 'error', RESUMING: 'error', PAUSED: 'warn'}


class TrainerNode(Node):
    """
    The node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self) -> None:
        super().__init__('trainer_node')
        self.exit_code: int | None = None
        self._training = ProcessSupervisor(self.get_logger())
        given = start_values(self)
        env, preset = given.get('task') or given.get('env', PARAMETERS[0].default), given.get('preset', '')
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
        """Stop training, and wait until it has written its results."""
        self._training.shut_down()
        self._read_events()

    # --- services --------------------------------------------------------------------------------------------------

    def _on_start(self, request: Any, response: Any) -> Any:
        if self._training.is_active:
            response.message = f'already {self._training.state}; call ~/stop first.'
            return response
        try:
            self._start()
            response.success, response.message = True, f'{self._training.state}: {self._training.reason}'
        except VeloraError as error:
            response.message = str(error)
        return response

    def _start(self) -> None:
        self._training.await_exit()
        self._read_events()
        values = self._table.values
        job = make_job(values, self._training.run_dir)
        self._training.start(job, {name: values[name] for name in LIVE})

    def _on_stop(self, request: Any, response: Any) -> Any:
        answer = f'stopping; the results are in {self._training.run_dir}'
        return self._request(response, 'stop', (TRAINING, PAUSED, RESUMING), STOPPING, answer)

    def _on_pause(self, request: Any, response: Any) -> Any:
        if request.data:
            return self._request(response, 'pause', (TRAINING, PAUSED), PAUSED, 'paused')
        return self._request(response, 'resume', (PAUSED, TRAINING), TRAINING, 'training')

    def _on_save(self, request: Any, response: Any) -> Any:
        answer = 'a checkpoint will be written at the end of the current episode'
        return self._request(response, 'save', (TRAINING, PAUSED), self._training.state, answer)

    def _request(self, response: Any, request: str, valid_in: tuple[str, ...], state: str, answer: str) -> Any:
        """Send a request to the training process, and respond without waiting until it is carried out."""
        before = self._training.state
        response.success = self._training.request(request, valid_in, state)
        valid = f'{", ".join(valid_in[:-1])} or {valid_in[-1]}'
        refusal = f'cannot {request}: the state is {before}; it must be {valid}.'
        response.message = answer if response.success else refusal
        return response

    # --- parameters ------------------------------------------------------------------------------------------------

    def _validate(self, values: Values) -> None:
        hyperparameters_of(values)
        if self._training.is_active:
            refuse_changes(self._table.values, values)

    def _apply(self, values: Values) -> None:
        """Send the values that take effect at the next episode to the training process."""
        self._training.change({name: values[name] for name in LIVE})

    # --- reports of the training process ----------------------------------------------------------------------------

    def _read_events(self) -> None:
        deaths = self._training.deaths
        for kind, event in self._training.read_events(restart=self._table['resume_on_death']):
            if kind == 'exit':
                self._on_exit(stopping=event['stopping'])
            else:
                self._publish_event(kind, event)
        if self._training.deaths != deaths:
            self._publish_diagnostics()

    def _publish_event(self, kind: str, event: Event) -> None:
        if kind == 'episode':
            self._topics['~/episode_return'].publish(conversions.to_number(event['episode_return']))
            values = {**event, **self._training.status.learning}
            self._publish_status('~/metrics', 'ok', f'episode {event["episode"]}', values)
        if 'policy' in event:
            self._topics['~/policy'].publish(conversions.to_text(event['policy']))

    def _on_exit(self, *, stopping: bool) -> None:
        """End the node after training, if ``exit_when_done`` or ``exit_when_failed`` demands it."""
        state = self._training.state
        without_policy = state == FAILED and not self._training.status.policies and not stopping
        if self._table['exit_when_done']:
            self.exit_code = 0 if state == DONE else 1
        if self._table['exit_when_failed'] and without_policy:
            self.exit_code = 1

    def _publish_diagnostics(self) -> None:
        training = self._training
        level = LEVELS.get(training.state, 'ok')
        text = f'{training.state}: {training.reason}' if training.reason else training.state
        if training.state == TRAINING and training.status.silence > SILENCE_S:
            level = 'warn'
            text = (
                f'no event from the training process for {training.status.silence:.0f} s: it runs a long evaluation, '
                'or it hangs; if it hangs, call ~/stop'
            )
        process: dict[str, Any] = {'process': 'none'}
        if training.pid is not None:
            process = {'process': training.pid, 'silence_s': training.status.silence}
        values = {'state': training.state, **process, 'deaths': training.deaths, **training.status.values()}
        self._publish_status('/diagnostics', level, text, values)

    def _publish_status(self, topic: str, level: str, text: str, values: Values) -> None:
        name = self.get_fully_qualified_name().lstrip('/')
        robot = conversions.hardware_id(self.get_namespace(), self._table['task'] or self._table['env'])
        status = conversions.to_diagnostic(f'{name}: training', level, text, values, hardware_id=robot)
        stamp = self.get_clock().now().nanoseconds
        self._topics[topic].publish(conversions.to_diagnostics(status, stamp))
