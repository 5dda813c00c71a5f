"""
Film a run of `make control` for the README: record the topics of the nodes, then draw them.

    MUJOCO_GL=egl .venv/bin/python tools/film_control.py docs/images/control.gif

The left half is the robot in the poses of `joint_states`, drawn by MuJoCo. The right half shows the command and the
policy's hidden state (`policy_node/debug/hidden`), as received. Nothing is simulated a second time.
"""

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import rclpy
from matplotlib.figure import Figure  # noqa: TID253 - this script draws
from PIL import Image
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.executor import make_executor

ENVIRONMENT = 'InvertedPendulum-v5'
SECONDS = 8.0
FRAMES_PER_S = 10.0
WINDOW_S = 4.0
HEIGHT = 300


def record(policy: str) -> dict[str, list[tuple[float, Any]]]:
    """Start the nodes, record their topics, stop them; return (seconds since the first state, values) by topic."""
    arguments = [f'env:={ENVIRONMENT}', *([f'policy:={policy}'] if policy else [])]
    run = subprocess.Popen(
        [sys.executable, '-m', 'velora_ros.nodes.bringup', 'control', *arguments], start_new_session=True
    )
    rclpy.init()
    node = rclpy.create_node('film')
    seen: dict[str, list[tuple[float, Any]]] = {'joints': [], 'command': [], 'hidden': []}

    def note(topic: str, values: Any) -> None:
        seen[topic].append((STEADY.now().nanoseconds * 1e-9, values))

    def on_joints(message: JointState) -> None:
        note('joints', dict(zip(message.name, message.position, strict=True)))

    node.create_subscription(JointState, 'joint_states', on_joints, qos_profile_sensor_data)
    for topic, name in (('command', 'command'), ('hidden', 'policy_node/debug/hidden')):
        node.create_subscription(
            Float64MultiArray,
            name,
            lambda message, topic=topic: note(topic, list(message.data)),
            qos_profile_sensor_data,
        )
    executor = make_executor(node)
    executor.add_node(node)
    while len(seen['hidden']) < 2 or seen['hidden'][-1][0] - seen['hidden'][1][0] < SECONDS:
        executor.spin_once(timeout_sec=0.1)
    os.kill(run.pid, signal.SIGINT)
    run.wait()
    node.destroy_node()
    rclpy.try_shutdown()
    start = seen['hidden'][1][0]
    return {topic: [(time - start, values) for time, values in rows if time >= start] for topic, rows in seen.items()}


class Robot:
    """Draws the environment's model in a pose."""

    def __init__(self) -> None:
        self.env = gymnasium.make(ENVIRONMENT, render_mode='rgb_array', width=HEIGHT, height=HEIGHT)
        self.env.reset(seed=0)
        base: Any = self.env.unwrapped
        self.model, self.data = base.model, base.data
        self.model.vis.headlight.ambient[:] = 0.5  # the model has no light
        self.model.vis.headlight.diffuse[:] = 0.6

    def draw(self, positions: dict[str, float]) -> np.ndarray:
        """Return the picture, shape (HEIGHT, HEIGHT, 3)."""
        for name, value in positions.items():
            self.data.joint(name).qpos[:] = value
        mujoco.mj_forward(self.model, self.data)
        image: np.ndarray = np.asarray(self.env.render()).copy()
        image[(image == 0).all(axis=-1)] = 255  # the empty background
        return image


def draw_traces(seen: dict[str, list[tuple[float, Any]]], now: float) -> np.ndarray:
    """Return command and hidden state over the last seconds, shape (HEIGHT, 2 HEIGHT, 3)."""
    figure = Figure(figsize=(2 * HEIGHT / 100, HEIGHT / 100), dpi=100, layout='constrained')
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    for axis, topic, label in zip(axes, ('command', 'hidden'), ('command', 'hidden state'), strict=True):
        rows = [(time, values) for time, values in seen[topic] if now - WINDOW_S <= time <= now]
        if rows:
            axis.plot([time for time, _ in rows], np.array([values for _, values in rows]), lw=1.2)
        axis.set_ylabel(label, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    axes[0].set_ylim(-3.1, 3.1)
    axes[1].set_ylim(-1.05, 1.05)
    axes[1].set_xlim(now - WINDOW_S, now)
    axes[1].set_xlabel('seconds of the run', fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format='png')
    return np.asarray(Image.open(file).convert('RGB'))


def main() -> None:
    """Record the run, draw it and write the film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path)
    parser.add_argument('--policy', default='', help='policy file (default: the shipped one)')
    options = parser.parse_args()
    seen = record(options.policy)
    robot = Robot()
    frames = []
    for now in np.arange(0.5, SECONDS, 1 / FRAMES_PER_S):
        pose = [values for time, values in seen['joints'] if time <= now][-1]
        frames.append(Image.fromarray(np.hstack([robot.draw(pose), draw_traces(seen, now)])).quantize(64))
    frames[0].save(
        options.out, save_all=True, append_images=frames[1:], duration=1000 / FRAMES_PER_S, loop=0, optimize=True
    )


if __name__ == '__main__':
    main()
