"""Pictures of the simulated robot on ~/image: drawn in a thread of their own, and only while somebody looks."""

import os
import queue
import threading
from collections.abc import Callable

import mujoco
from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.gym.camera import Camera
from velora_ros.gym.robot import SimulatedRobot
from velora_ros.nodes import conversions
from velora_ros.nodes.interfaces import create_publisher
from velora_ros.nodes.parameters import Values
from velora_ros.nodes.sim_node_parameters import OWNER
from velora_ros.nodes.timers import Timers

# Drawing yields to everything else: the kernel's least urgent priority, for this thread and those that OpenGL makes.
LEAST_URGENT = 19


class CameraOutput:
    """
    Publishes pictures.

    The node's thread only copies the state, some microseconds; MuJoCo draws without Python's lock. A picture that is
    not ready when the next is due is not hurried: the next is left out.

    Args:
        node: where the topic and the timer live.
        robot: the robot.
        values: the node's parameters.
        stamp: tells the time of the robot's state [ns].

    Raises:
        ConfigError: the model has no such camera.
        MissingDependencyError: no picture can be made on this machine.
    """

    def __init__(self, node: Node, robot: SimulatedRobot, values: Values, stamp: Callable[[], int]) -> None:
        self._robot, self._name, self._tell_stamp = robot, values['image.camera'] or 'camera', stamp
        self._arguments = (values['image.width'], values['image.height'], values['image.camera'], robot.view)
        self._state = mujoco.MjData(robot.model)
        self._stamp = 0
        self._asked, self._closing = threading.Event(), False
        self._publisher = create_publisher(node, OWNER, '~/image')
        self._thread = threading.Thread(target=self._draw, name='camera', daemon=True)
        self._ready: queue.Queue[VeloraError | None] = queue.Queue()
        self._thread.start()
        # OpenGL's start holds Python's lock for some tenths of a second: it must be over when real time begins.
        if (error := self._ready.get()) is not None:
            raise error
        Timers(node).set(self._ask, 1 / values['image.rate_hz'])

    def close(self) -> None:
        """Finish the picture at hand and end the thread."""
        self._closing = True
        self._asked.set()
        self._thread.join()

    def _ask(self) -> None:
        """Hand the state to the thread, unless nobody looks or it is still busy."""
        if self._asked.is_set() or not self._publisher.get_subscription_count():
            return
        self._robot.copy_state(self._state)
        self._stamp = self._tell_stamp()
        self._asked.set()

    def _draw(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_URGENT)
        try:
            camera = Camera(self._robot.model, *self._arguments)
            camera.picture(self._state)
        except VeloraError as error:
            self._ready.put(error)
            return
        self._ready.put(None)
        while self._asked.wait() and not self._closing:
            picture = camera.picture(self._state)
            self._publisher.publish(conversions.to_image(picture, self._name, self._stamp))
            self._asked.clear()
        camera.close()
