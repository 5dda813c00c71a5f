"""What the package says of itself in several files must agree."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from launch_standin import NEED_LAUNCH

import velora_ros

ROOT = Path(__file__).parents[1]
PACKAGE_XML = ElementTree.parse(ROOT / 'package.xml').getroot()
# Launch is not on the package index; the tests of the modules that need it have a stand-in.
MODULES = sorted(
    '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')
    for path in (ROOT / 'velora_ros').rglob('*.py')
    if path.stem not in (*NEED_LAUNCH, '__main__')
)
ROS = ('_msgs', '_srvs', '_interfaces', 'rclpy', 'launch', 'launch_ros', 'ament_index_python')
WITH_TORCH = tuple(f'velora_ros.{name}' for name in ('liquid', 'models', 'training', 'replay', 'gym.torch_tensors'))
# Import names that differ from the names they are installed by.
INSTALLED_AS = {'yaml': 'pyyaml', 'tensorboardX': 'tensorboardx', 'google': 'onnx'}  # google.protobuf comes with onnx


def imported_packages(*folders):
    """Top-level names that the sources import, anywhere in them."""
    names = set()
    for path in [path for folder in folders for path in (ROOT / folder).rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'velora_ros'}


def requirements(*names):
    """Names that requirement files and setup.py ask for, extras and versions removed, in lower case."""
    lines = [line for name in names for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()]
    asked = [line for line in lines if line and not line.startswith(('#', '-'))]
    arguments = {
        keyword.arg: keyword.value for keyword in ast.parse((ROOT / 'setup.py').read_text()).body[-1].value.keywords
    }
    asked += ast.literal_eval(arguments['install_requires'])
    asked += [name for extra in ast.literal_eval(arguments['extras_require']).values() for name in extra]
    return {re.match(r'[\w-]+', line).group().lower() for line in asked}


def test_every_file_gives_the_same_version():
    setup_version = re.search(r"version='(.*?)'", (ROOT / 'setup.py').read_text()).group(1)
    assert setup_version == PACKAGE_XML.findtext('version') == velora_ros.__version__


@pytest.mark.parametrize('distribution', ('jazzy', 'kilted'))
def test_every_ros_package_that_is_imported_is_declared(distribution):
    imported = {name for name in imported_packages('velora_ros', 'launch') if name.endswith(ROS) or name in ROS}
    declared = {entry.text for entry in PACKAGE_XML.iter('exec_depend')}
    assert 'rclpy' in imported
    assert imported <= declared
    wheels = {
        name.removeprefix(f'ros-{distribution}-').replace('-', '_') for name in requirements(f'ros-{distribution}')
    }
    assert imported - {'launch', 'launch_ros', 'ament_index_python'} <= wheels


def test_everything_else_that_is_imported_is_required_by_setup_py():
    imported = {INSTALLED_AS.get(name, name) for name in imported_packages('velora_ros')}
    assert {name for name in imported if not name.endswith(ROS) and name not in ROS} <= requirements()


def test_everything_that_set_up_asks_for_is_pinned():
    files = ('constraints.txt', 'requirements/ros-jazzy.txt', 'requirements/ros-kilted.txt')
    lines = [line for name in files for line in (ROOT / name).read_text().splitlines()]
    pinned = {re.match(r'[\w.-]+', line).group().lower() for line in lines if '==' in line and line[0] != '#'}
    assert requirements('ros-jazzy', 'ros-kilted', 'control', 'train', 'test') <= pinned


@pytest.mark.parametrize('module', MODULES)
def test_every_module_can_be_imported(module):
    importlib.import_module(module)


def test_what_runs_on_the_robot_needs_no_torch():
    torch_free = [*(name for name in MODULES if not name.startswith(WITH_TORCH)), 'velora_ros.liquid.wiring']
    program = f'import importlib, sys; sys.modules["torch"] = None; [importlib.import_module(n) for n in {torch_free}]'
    done = subprocess.run([sys.executable, '-c', program], check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
