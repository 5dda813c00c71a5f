"""The commands and answers on docs/trainer.md, checked: each command runs as the equivalent rclpy call."""

import os
import re
import signal
from pathlib import Path

import pytest
import yaml

from velora_ros.nodes.ros.topics_services_qos import LATCHED, TOPICS

pytestmark = pytest.mark.ros

PAGE = Path(__file__).resolve().parents[3] / 'docs' / 'trainer.md'
LEVELS = {b'\0': 'ok', b'\1': 'warn', b'\2': 'error'}
PARAMETER_KINDS = {1: ('Boolean', 'bool'), 2: ('Integer', 'integer'), 3: ('Double', 'double'), 4: ('String', 'string')}


def session():
    """The page's commands with the answers that the page shows."""
    steps = []
    for block in re.findall(r'```console\n(.*?)```', PAGE.read_text(encoding='utf-8'), re.DOTALL):
        for line in block.splitlines():
            if line.startswith('$ '):
                steps.append((line[2:], []))
            elif block.startswith('$ '):
                steps[-1][1].append(line)
    return steps


class Shell:
    """Does what the commands do, and answers in their words."""

    def __init__(self, ros):
        self.ros = ros

    def run(self, command):
        words = command.split(' ', 5)
        if words[:2] == ['kill', '-KILL']:
            return self.kill()
        return getattr(self, f'{words[1]}_{words[2]}')(*words[3:])

    def service_call(self, name, kind, fields='{}'):
        answer = self.ros.call(kind, name, **yaml.safe_load(fields.strip("'")))
        text = f"(success={answer.success}, message='{answer.message}')"
        return [f'{kind.replace("/", ".")}_Response{text}']

    def param_set(self, node, name, value):
        [result] = self.ros.set_parameters(node, **{name: yaml.safe_load(value)})
        return ['Set parameter successful' if result.successful else f'Setting parameter failed: {result.reason}']

    def param_get(self, node, name):
        answer = self.ros.call('rcl_interfaces/srv/GetParameters', f'{node}/get_parameters', names=[name])
        word, field = PARAMETER_KINDS[answer.values[0].type]
        return [f'{word} value is: {getattr(answer.values[0], f"{field}_value")}']

    def topic_echo(self, once, name):
        row = next(row for row in TOPICS if row.node == 'trainer_node' and name.endswith(row.name.removeprefix('~')))
        seen = self.ros.subscribe(row.type, name, LATCHED.profile() if row.qos == LATCHED else 10)
        self.ros.until(lambda: seen, name)
        if not hasattr(seen[0], 'status'):
            return [f'data: {seen[0].data}']
        status = seen[0].status[0]
        head = {'level': LEVELS[status.level], 'message': status.message} if name == '/diagnostics' else {}
        return [f'{key}: {value}' for key, value in {**head, **{v.key: v.value for v in status.values}}.items()]

    def kill(self):
        [process] = [line for line in self.topic_echo('--once', '/diagnostics') if line.startswith('process: ')]
        os.kill(int(process.split()[1]), signal.SIGKILL)
        return []


def fits(expected, answered):
    """Whether each line of the page is among the answer's, an ellipsis standing for anything."""
    patterns = [re.escape(line).replace('…', '.*') for line in expected]
    return all(any(re.fullmatch(pattern, line) for line in answered) for pattern in patterns)


def test_the_page_is_a_session_of_every_kind_of_command():
    commands = [command for command, _ in session()]
    for start in ('ros2 service call', 'ros2 param set', 'ros2 param get', 'ros2 topic echo', 'kill'):
        assert any(command.startswith(start) for command in commands)
    assert all(expected for command, expected in session() if not command.startswith('kill'))


def test_every_command_of_the_page_gets_the_answer_on_the_page(ros, tmp_path):
    settings = ('total_steps:=10000000', 'eval_every:=300', 'eval_episodes:=1', 'start_steps:=50', 'boost_ratio:=1.0')
    process = ros.start('trainer_node', *(word for text in settings for word in ('-p', text)))
    shell = Shell(ros)
    for command, expected in session():
        answered = shell.run(command)
        if 'topic echo' in command:  # the requested change may take a while to arrive
            ros.until(lambda c=command, e=expected: fits(e, shell.run(c)), f'{command}: {expected}')
        else:
            assert fits(expected, answered), f'{command} answered {answered}'
    process.signal(signal.SIGINT)
    assert process.wait() == 0
