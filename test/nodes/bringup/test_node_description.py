from pathlib import Path

import yaml

from velora_ros.nodes.bringup.node_description import NodeDescription
from velora_ros.nodes.bringup.node_process import write_parameter_files


def test_arguments_come_in_the_order_of_launch_ros(tmp_path):
    parameters = {'n': 1, 'l': ['a', 'b']}
    node = NodeDescription(
        'node', 'module', '/ns', ('a.yaml', 'b.yaml'), parameters=parameters, remaps=(('from', 'to'),)
    )
    [file] = write_parameter_files(node, tmp_path)
    assert node.ros_arguments([file]) == [
        '--ros-args', '-r', '__node:=node', '-r', '__ns:=/ns',
        '--params-file', 'a.yaml', '--params-file', 'b.yaml', '--params-file', file, '-r', 'from:=to',
    ]  # fmt: skip
    assert yaml.safe_load(Path(file).read_text()) == {'/ns/node': {'ros__parameters': {'n': 1, 'l': ['a', 'b']}}}
