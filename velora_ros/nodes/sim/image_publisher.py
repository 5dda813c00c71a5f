"""Pictures of the simulated robot on ~/image: drawn in a thread of their own, and only while somebody looks."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable

import mujoco
from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.gym.camera import Camera
from velora_ros.gym.simulated_robot import SimulatedRobot
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.ros.timers import Timers
from velora_ros.nodes.sim.parameters import OWNER

# Niceness of drawing, for this thread and those that OpenGL makes: it yields to everything else, and still gets a
# processor on a busy machine. At 19 a picture takes minutes there, for which a node that ends would wait.
NICENESS = 10
# So many pictures in a row may fail until the camera stays off.
MOST_FAILURES = 5


class CameraOutput:
    """
    Publishes pictures.

    The node's thread only copies the state, some microseconds; MuJoCo draws without Python's lock. A picture that is
    not ready when the next is due is not hurried: the next is left out. A picture that fails is logged, the first of
    several, and the camera is made again for the next one; after MOST_FAILURES in a row it stays off.

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
        self._logger = node.get_logger()
        self._ready: queue.Queue[Exception | None] = queue.Queue()
        self._thread.start()
        # OpenGL's start holds Python's lock for some tenths of a second: it must be over when real time begins.
        error = self._ready.get()
        if isinstance(error, VeloraError):
            raise error
        if error is not None:
            self._logger.error(
                f'the camera is off: its first picture failed with {_words(error)}. The simulation goes on without '
                'pictures.'
            )
            return
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
        with contextlib.suppress(OSError):  # some sandboxes refuse to change priorities; then it draws at the usual one
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        camera: Camera | None = None
        try:
            camera = self._make_camera()
            camera.picture(self._state)
        except Exception as error:  # of whatever kind: the node waits for this answer
            self._ready.put(error)
            self._free(camera)
            return
        self._ready.put(None)
        failures = 0
        while self._asked.wait() and not self._closing:
            try:
                if camera is None:
                    camera = self._make_camera()
                picture = camera.picture(self._state)
                self._publisher.publish(conversions.to_image(picture, self._name, self._stamp))
                failures = 0
            except Exception as error:
                self._free(camera)
                camera, failures = None, failures + 1
                self._tell(error, failures)
                if failures == MOST_FAILURES or self._closing:
                    return  # asked for still: nothing is handed over any more
            self._asked.clear()
        self._free(camera)

    def _make_camera(self) -> Camera:
        return Camera(self._robot.model, *self._arguments)

    @staticmethod
    def _free(camera: Camera | None) -> None:
        if camera is not None:
            with contextlib.suppress(Exception):  # what failed to draw may fail to let go as well
                camera.close()

    def _tell(self, error: Exception, failures: int) -> None:
        """Say the first of several failures in a row, and the last."""
        if self._closing:
            return  # the topic is being taken away: nobody waits for this picture
        if failures == MOST_FAILURES:
            self._logger.error(
                f'the camera is off: {failures} pictures in a row failed, the last with {_words(error)}. The '
                'simulation goes on without pictures; start the node again to have some.'
            )
        elif failures == 1:
            self._logger.warning(f'a picture failed: {_words(error)}. The camera starts again with the next one.')


def _words(error: Exception) -> str:
    """Return an exception in one line."""
    return ' '.join(f'{type(error).__name__}: {error}'.split()).rstrip('.')
