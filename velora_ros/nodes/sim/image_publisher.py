"""The publisher of ``~/image``: a thread draws the simulated robot, only while there is a subscriber."""

import contextlib
import os
import queue
import threading

import mujoco
from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.gym.camera import Camera
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.timers import Timers
from velora_ros.nodes.sim.loop import SimLoop
from velora_ros.nodes.sim.parameters import OWNER

# Niceness of the drawing thread and of the threads that OpenGL starts. With 10, it yields to everything else and still
# gets processor time on a busy machine. With 19, an image would take minutes on a busy machine, and the node would wait
# for it when it ends.
NICENESS = 10
# After this many failures in a row the camera stays off.
MOST_FAILURES = 5


class ImagePublisher:
    """
    Draws and publishes images.

    The node's thread only copies the state, which takes microseconds; MuJoCo draws in another thread, without Python's
    lock. If an image is not finished when the next one is due, the next one is skipped. After a failure, the camera is
    recreated for the next image. Of several failures in a row, the first is logged; after :data:`MOST_FAILURES`, the
    camera stays off.

    Args:
        node: sim_node.
        loop: the simulation.
        values: the node's parameters.

    Raises:
        ConfigError: the model has no such camera.
        MissingDependencyError: OpenGL does not work on this machine.
    """

    def __init__(self, node: Node, loop: SimLoop, values: Values) -> None:
        self._loop = loop
        self._frame_id = values['image.camera'] or 'camera'
        self._arguments = (values['image.width'], values['image.height'], values['image.camera'], loop.robot.view)
        self._state = mujoco.MjData(loop.robot.model)
        self._stamp = 0
        self._requested, self._closing = threading.Event(), False
        self._publisher = create_publisher(node, OWNER, '~/image')
        self._thread = threading.Thread(target=self._draw, name='camera', daemon=True)
        self._logger = node.get_logger()
        self._first_result: queue.Queue[Exception | None] = queue.Queue()
        self._thread.start()
        # OpenGL holds Python's lock for some tenths of a second when it starts, so real time must begin only
        # afterwards.
        error = self._first_result.get()
        if isinstance(error, VeloraError):
            raise error
        if error is not None:
            self._logger.error(
                f'the camera is off: its first image failed with {_one_line(error)}. The simulation runs without '
                'images.'
            )
            return
        Timers(node).set(self._request_image, 1 / values['image.rate_hz'])

    def close(self) -> None:
        """Finish the current image and end the thread."""
        self._closing = True
        self._requested.set()
        self._thread.join()

    def _request_image(self) -> None:
        """Pass the state to the thread, unless there is no subscriber or the thread is still busy."""
        if self._requested.is_set() or not self._publisher.get_subscription_count():
            return
        self._loop.robot.copy_state(self._state)
        self._stamp = self._loop.stamp
        self._requested.set()

    def _draw(self) -> None:
        """Draw one image for each request; runs in the thread."""
        with contextlib.suppress(OSError):  # some sandboxes refuse to change the niceness
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        camera: Camera | None = None
        try:
            camera = self._make_camera()
            camera.picture(self._state)
        except Exception as error:  # of any type: the node waits for this result
            self._first_result.put(error)
            self._free(camera)
            return
        self._first_result.put(None)
        failures = 0
        while self._requested.wait() and not self._closing:
            try:
                if camera is None:
                    camera = self._make_camera()
                image = camera.picture(self._state)
                self._publisher.publish(conversions.to_image(image, self._frame_id, self._stamp))
                failures = 0
            except Exception as error:
                self._free(camera)
                camera, failures = None, failures + 1
                self._log(error, failures)
                if failures == MOST_FAILURES or self._closing:
                    return  # the request stays set, so no further state is passed on
            self._requested.clear()
        self._free(camera)

    def _make_camera(self) -> Camera:
        return Camera(self._loop.robot.model, *self._arguments)

    @staticmethod
    def _free(camera: Camera | None) -> None:
        if camera is not None:
            with contextlib.suppress(Exception):  # after a failed image, closing may fail too
                camera.close()

    def _log(self, error: Exception, failures: int) -> None:
        """Log the first of several failures in a row, and the one after which the camera stays off."""
        if self._closing:
            return  # the publisher is being destroyed, so a failure means nothing
        if failures == MOST_FAILURES:
            self._logger.error(
                f'the camera is off: {failures} images in a row failed, the last one with {_one_line(error)}. The '
                'simulation runs without images; start the node again to get images.'
            )
        elif failures == 1:
            self._logger.warning(
                f'rendering an image failed: {_one_line(error)}. The camera is recreated for the next image.'
            )


def _one_line(error: Exception) -> str:
    return ' '.join(f'{type(error).__name__}: {error}'.split()).rstrip('.')
