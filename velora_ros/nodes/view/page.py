"""
The page: the robot in 3D, its status, and its controls. It uses viser, but not ROS.

The page passes on each request as an object of :mod:`velora_ros.nodes.view.requests_from_page`, in viser's thread.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import viser
from mjviser import ViserMujocoScene

from velora_ros.nodes.view.displayed_robot import DisplayedRobot
from velora_ros.nodes.view.page_server import PageServer
from velora_ros.nodes.view.parameters import Ranges
from velora_ros.nodes.view.requests_from_page import BUTTONS, Button, Drive, Goal, LetGo, Press, Request, Stop
from velora_ros.nodes.view.traces import CommandTrace, HiddenTrace

Place = tuple[float, float, float]

GOAL, SCAN = '/fixed_bodies/goal', '/fixed_bodies/scan'  # the frame that moves when the camera follows the robot
GOAL_COLOUR, SCAN_COLOUR = (230, 73, 128), (201, 42, 42)
_DISTANCE = 1.4  # distance of the camera from the robot, in sizes of the model
_ELEVATION = 28.0  # elevation of the camera [degrees]
_STEPS = 100  # step of a slider
_LEAST_STEP = 1e-3
_COLOURS = (
    '#1971c2', '#e8590c', '#2f9e44', '#9c36b5', '#c92a2a', '#0c8599',
    '#f08c00', '#5f3dc4', '#66a80f', '#862e9c', '#495057', '#d6336c',
)  # fmt: skip


class Page:
    """
    The page of one robot.

    Args:
        server: serves the page.
        robot: the robot.
        ranges: lowest and highest speed of each slider [m/s, m/s, rad/s].
        on_request: called with every request.
        follow: whether the camera follows the robot.
    """

    def __init__(
        self,
        server: PageServer,
        robot: DisplayedRobot,
        ranges: Ranges,
        on_request: Callable[[Request], None],
        *,
        follow: bool,
    ) -> None:
        self._server, self._on_request = server, on_request
        gui = server.gui
        gui.configure_theme(control_width='medium', show_logo=False, show_share_button=False)
        self._scene = ViserMujocoScene(server, robot.model, num_envs=1)
        self._scene.camera_tracking_enabled = follow
        self._size = float(robot.model.stat.extent)
        self._status = gui.add_html('')
        stop = gui.add_button(
            'Emergency stop', color='red', hint='Latches a fault; policy_node sends the fallback command.'
        )
        self._call_on(stop.on_click, Stop)
        self._groups = {node: self._add_buttons(node) for node in ('controller', 'simulator')}
        self._answer = gui.add_html('')
        self._add_sliders(ranges)
        self._add_goal(np.asarray(robot.model.stat.center, np.float64))
        self._add_tabs()
        self._points: Any = None

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self._server.url

    @property
    def is_open(self) -> bool:
        """Whether a browser has the page open."""
        return bool(self._server.get_clients())

    def draw(self, data: Any) -> None:
        """Show the robot in the state ``data``, an ``MjData``."""
        self._scene.update_from_mjdata(data)

    def draw_scan(self, points: npt.NDArray[np.float64]) -> None:
        """Show the points that a laser scanner hits, shape (hits, 3), in the world [m]."""
        shown = points.astype(np.float32)
        if self._points is None:
            size = 0.01 * self._size
            self._points = self._server.scene.add_point_cloud(
                SCAN, shown, SCAN_COLOUR, point_size=size, point_shape='circle', precision='float32'
            )
        else:
            self._points.points = shown

    def say(self, status: str) -> None:
        """Show the status of the policy and the simulation, given as HTML."""
        if status != self._status.content:
            self._status.content = status

    def answer(self, text: str) -> None:
        """Show the response to the last request, given as HTML."""
        self._answer.content = f'<div style="font-size:0.8em;padding:0 0.8em">{text}</div>'

    def show_buttons(self, available: Sequence[Button]) -> None:
        """Show only the buttons whose services exist."""
        for node, group in self._groups.items():
            labels = tuple(button.label for button in BUTTONS if button.node == node and button in available)
            if labels and labels != group.options:
                group.options = labels
            group.visible = bool(labels)

    def show_hands(self, *, drive: bool, goal: bool) -> None:
        """Show the sliders if ``drive`` (cmd_vel has a subscriber), and the goal if ``goal`` (goal_pose has one)."""
        self._drive.visible = drive
        self._goal_folder.visible = self._gizmo.visible = self._marker.visible = goal

    def take_hands_off(self) -> None:
        """Set the sliders to zero."""
        for slider in self._sliders:
            slider.value = 0.0

    def move_goal(self, place: Place) -> None:
        """Show the goal at a position x, y, z [m]."""
        self._gizmo.position = self._marker.position = np.array(place)
        self._place.value = place

    def show_hidden(self, trace: HiddenTrace) -> None:
        """Show the picture of the newest hidden states."""
        if (picture := trace.picture()) is not None:
            self._hidden.image = picture
            self._hidden.visible, self._no_hidden.visible = True, False

    def show_commands(self, trace: CommandTrace) -> None:
        """Show the curves of the newest commands."""
        if not trace.names:
            return
        if self._curves is None or self._curve_names != trace.names:
            self._add_curves(trace)
        elif self._curves is not None:
            self._curves.data = trace.curves()

    def close(self) -> None:
        """Stop serving the page."""
        self._server.stop()

    # --- widgets ----------------------------------------------------------------------------------------------------

    def _call_on(self, listen: Callable[[Any], Any], request: Callable[[], Request | None]) -> None:
        """
        Pass on a request when a user, not this program, changes a widget.

        It is async, so it runs in viser's event loop, which keeps the requests in order.
        """

        async def on_event(event: Any) -> None:
            if event.client_id is not None and (asked := request()) is not None:
                self._on_request(asked)

        listen(on_event)

    def _add_buttons(self, node: str) -> Any:
        labels = {button.label: button for button in BUTTONS if button.node == node}
        name = {'controller': 'policy', 'simulator': 'simulation'}[node]
        group = self._server.gui.add_button_group(name, tuple(labels), visible=False)
        self._call_on(group.on_click, lambda: Press(labels[group.value]) if group.value in labels else None)
        return group

    def _add_sliders(self, ranges: Ranges) -> None:
        gui = self._server.gui
        self._drive = gui.add_folder('Drive (cmd_vel)', visible=False)
        names = ('forward [m/s]', 'left [m/s]', 'turn [rad/s]')
        with self._drive:
            self._sliders: list[Any] = [
                gui.add_slider(name, low, high, max((high - low) / _STEPS, _LEAST_STEP), 0.0, visible=low < high)
                for name, (low, high) in zip(names, ranges, strict=True)
            ]
            for slider in self._sliders:
                self._call_on(slider.on_update, lambda: Drive(*(one.value for one in self._sliders)))
            let_go = gui.add_button('Let go', hint='Sends zero velocity, and then stops publishing.')
            self._call_on(let_go.on_click, LetGo)

    def _add_goal(self, place: npt.NDArray[np.float64]) -> None:
        gui, scene = self._server.gui, self._server.scene
        self._goal_folder = gui.add_folder('Goal (goal_pose)', visible=False)
        with self._goal_folder:
            self._place: Any = gui.add_vector3('place [m]', tuple(place.tolist()), step=0.01)
            let_go = gui.add_button('Let go', hint='Stops publishing the goal.')
            self._call_on(let_go.on_click, LetGo)
        self._gizmo = scene.add_transform_controls(
            GOAL, scale=0.12 * self._size, disable_rotations=True, position=place, visible=False
        )
        self._marker = scene.add_icosphere(
            f'{GOAL}_marker', radius=0.02 * self._size, color=GOAL_COLOUR, opacity=0.8, position=place, visible=False
        )
        self._call_on(self._gizmo.on_update, self._dragged)
        self._call_on(self._place.on_update, self._typed)

    def _dragged(self) -> Request:
        x, y, z = (float(value) for value in self._gizmo.position)
        self._marker.position = np.array([x, y, z])
        self._place.value = x, y, z
        return Goal(x, y, z)

    def _typed(self) -> Request:
        self._gizmo.position = self._marker.position = np.array(self._place.value)
        return Goal(*self._place.value)

    def _add_tabs(self) -> None:
        gui = self._server.gui
        tabs = gui.add_tab_group()
        with tabs.add_tab('Hidden state'):
            self._no_hidden = gui.add_html('<div style="font-size:0.8em;padding:0.8em">No data yet.</div>')
            self._hidden = gui.add_image(np.full((8, 8, 3), 247, np.uint8), format='png', visible=False)
        self._command_tab = tabs.add_tab('Commands')
        with self._command_tab:
            self._no_commands = gui.add_html('<div style="font-size:0.8em;padding:0.8em">No data yet.</div>')
        with tabs.add_tab('Camera'):
            self._scene.create_scene_gui(camera_distance=_DISTANCE * self._size, camera_elevation=_ELEVATION)
        self._curves: Any = None
        self._curve_names: tuple[str, ...] = ()

    def _add_curves(self, trace: CommandTrace) -> None:
        if self._curves is not None:
            self._curves.remove()
        self._no_commands.visible = False
        self._curve_names = trace.names
        series = [viser.uplot.Series(label='time')]
        series += [
            viser.uplot.Series(label=name, stroke=colour, width=1)
            for name, colour in zip(trace.names, _COLOURS, strict=False)
        ]
        with self._command_tab:
            self._curves = self._server.gui.add_uplot(
                trace.curves(), tuple(series), scales={'x': viser.uplot.Scale(time=False, auto=True)}, height=260
            )
