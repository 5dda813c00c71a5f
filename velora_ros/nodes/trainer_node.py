"""
Trains a policy in a process of its own, and tells how it goes.

Publishes:
    ~/episode_return (std_msgs/Float64): return of each training episode, exploration noise included.
    ~/metrics (diagnostic_msgs/DiagnosticArray): losses and speed after each episode.
    ~/policy (std_msgs/String): path of the newest best policy; latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): the state of the training; once a second.

Services:
    ~/start, ~/stop (std_srvs/Trigger): begin with the parameters as they are; end, keeping what was learnt.
    ~/pause (std_srvs/SetBool): pause or go on.
    ~/save (std_srvs/Trigger): write a checkpoint at the end of the running episode.

Parameters (``trainer_node_parameters.py`` has their defaults and meaning):
    env, preset, seed, total_steps, run_dir, out, autostart, exit_when_done, every hyperparameter, and qos_overrides
    of every topic. The hyperparameters default to the environment's preset in ``config/train``; a change counts from
    the next ~/start.

torch is loaded by the training process only. Its death is noticed and reported; a node that is killed takes it along.
"""

import dataclasses
import sys
from typing import Any

from rclpy.node import Node

from velora_ros.errors import ConfigError
from velora_ros.nodes import conversions
from velora_ros.nodes.interfaces import create_publisher, create_service
from velora_ros.nodes.parameters import ParameterTable, Values, refuse_unused_qos, start_values
from velora_ros.nodes.spin import STEADY, run
from velora_ros.nodes.trainer_node_parameters import PARAMETERS, config_of, policy_path, run_folder, with_preset
from velora_ros.nodes.trainer_process import Event, TrainingProcess

OWNER = 'trainer_node'
POLL_S = 0.1
DIAGNOSTICS_PERIOD_S = 1.0
# After SIGINT the training gets so long to write what it has; launch sends SIGTERM after 5 s.
PATIENCE_S = 4.0

IDLE, RUNNING, PAUSED, STOPPING, DONE, FAILED = 'idle', 'training', 'paused', 'stopping', 'done', 'failed'
AT_WORK = (RUNNING, PAUSED, STOPPING)


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
        self._state, self._reason = IDLE, ''
        self._progress: dict[str, Any] = {}
        given = start_values(self)
        env, preset = given.get('env', PARAMETERS[0].default), given.get('preset', '')
        rows = with_preset(env, preset) if isinstance(env, str) and isinstance(preset, str) else PARAMETERS
        self._table = ParameterTable(self, rows, validate=_validate)
        names = ('~/episode_return', '~/metrics', '~/policy', '/diagnostics')
        self._out = {name: create_publisher(self, OWNER, name) for name in names}
        for name, callback in (
            ('~/start', self._on_start),
            ('~/stop', self._on_stop),
            ('~/save', self._on_save),
            ('~/pause', self._on_pause),
        ):
            create_service(self, OWNER, name, callback)
        refuse_unused_qos(self)
        self.create_timer(POLL_S, self._poll, clock=STEADY)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=STEADY)
        if self._table['autostart']:
            self._start()

    def close(self) -> None:
        """End the training, which writes what it has."""
        if self._training is not None:
            self._training.end(PATIENCE_S)
        self._poll()

    # --- the training process --------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.close()  # of one that said its last word a moment ago
        values = self._table.values
        job = {
            'env': values['env'],
            'seed': values['seed'],
            'total_steps': values['total_steps'],
            'run_dir': run_folder(values),
            'out': policy_path(values),
            'config': dataclasses.asdict(config_of(values)),
        }
        self._training = TrainingProcess(job)
        self._progress = {}
        self._become(RUNNING, f'{job["env"]}, seed {job["seed"]}, {job["total_steps"]} steps, into {job["out"]}')

    def _poll(self) -> None:
        """Take the training's news; notice its end."""
        if self._training is None:
            return
        status = self._training.status  # before the events: nothing it said before its end is lost
        for event in self._training.events():
            self._take(event)
        if status is not None:
            self._training.close()
            self._training = None
            self._conclude(status)

    def _take(self, event: Event) -> None:
        kind = event.pop('event')
        self._progress |= {name: value for name, value in event.items() if name != 'policy'}
        if kind == 'episode':
            self._out['~/episode_return'].publish(conversions.to_number(event['episode_return']))
            self._publish('~/metrics', 'ok', f'episode {event["episode"]}', event)
        elif kind == 'error':
            self._become(FAILED, event['message'])
        elif kind == 'saved':
            self.get_logger().info(f'checkpoint {event["path"]}' if 'path' in event else event['error'])
        elif kind == 'evaluation':
            self.get_logger().info(f'{event["steps"]} steps: return {event["mean"]:.1f} +- {event["std"]:.1f}')
        else:
            reason = f' ({event["stopped"]})' if event['stopped'] else ''
            self._become(DONE, f'{event["steps"]} steps in {event["seconds"]:.0f} s{reason}; {event["policy"]}')
        if 'policy' in event:
            self._out['~/policy'].publish(conversions.to_text(event['policy']))

    def _conclude(self, status: int) -> None:
        if self._state not in (DONE, FAILED):
            how = f'was killed by signal {-status}' if status < 0 else f'ended with status {status}'
            self._become(FAILED, f'the training process {how} before it was done; the best policy so far is kept')
        if self._table['exit_when_done']:
            self.exit_code = 0 if self._state == DONE else 1

    def _become(self, state: str, reason: str = '') -> None:
        self._state, self._reason = state, reason
        if state == FAILED:
            self.get_logger().error(f'{state}: {reason}')
        else:
            self.get_logger().info(f'{state}: {reason}' if reason else state)

    # --- services --------------------------------------------------------------------------------------------------

    def _on_start(self, request: Any, response: Any) -> Any:
        if self._state in AT_WORK:
            response.message = f'already {self._state}; call ~/stop first.'
            return response
        try:
            self._start()
            response.success, response.message = True, self._reason
        except ConfigError as error:
            response.message = str(error)
        return response

    def _on_stop(self, request: Any, response: Any) -> Any:
        return self._order(response, 'stop', STOPPING)

    def _on_pause(self, request: Any, response: Any) -> Any:
        return self._order(response, *(('pause', PAUSED) if request.data else ('resume', RUNNING)))

    def _on_save(self, request: Any, response: Any) -> Any:
        return self._order(response, 'save', self._state)

    def _order(self, response: Any, word: str, state: str) -> Any:
        """Hand an order to the training; the answer does not wait for it to be carried out."""
        if self._training is None or self._state not in (RUNNING, PAUSED):
            response.message = f'nothing to {word}: {self._state}'
            return response
        self._training.send(word)
        if state != self._state:
            self._become(state)
        response.success, response.message = True, state
        return response

    # --- news ------------------------------------------------------------------------------------------------------

    def _diagnose(self) -> None:
        level = {FAILED: 'error', PAUSED: 'warn'}.get(self._state, 'ok')
        self._publish('/diagnostics', level, f'{self._state}: {self._reason}'.rstrip(': '), self._progress)

    def _publish(self, topic: str, level: str, text: str, values: Values) -> None:
        name = self.get_fully_qualified_name().lstrip('/')
        status = conversions.to_diagnostic(name, level, text, values)
        stamp = self.get_clock().now().nanoseconds
        self._out[topic].publish(conversions.to_diagnostics(status, stamp))


def _validate(values: Values) -> None:
    config_of(values)


def main() -> None:
    """Run trainer_node until SIGINT or SIGTERM, or with ``exit_when_done`` until the training is over."""
    sys.exit(run(TrainerNode))


if __name__ == '__main__':
    main()
