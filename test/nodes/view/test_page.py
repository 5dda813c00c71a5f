"""The page, seen by a client that speaks viser's protocol: what it shows, what it asks for, whom it refuses."""

import socket
import time

import numpy as np
import pytest
from page_client import PageClient
from websockets.exceptions import ConnectionClosed

from velora_ros.errors import ConfigError
from velora_ros.nodes.view.displayed_robot import load
from velora_ros.nodes.view.page import GOAL, Page
from velora_ros.nodes.view.page_address import check_free, is_local, is_own_page
from velora_ros.nodes.view.page_server import PageServer
from velora_ros.nodes.view.requests_from_page import BUTTONS, Drive, Goal, LetGo, Press, Stop
from velora_ros.nodes.view.robot_pose import RobotPose
from velora_ros.nodes.view.traces import CommandTrace, HiddenTrace

RANGES = ((-0.5, 1.0), (0.0, 0.0), (-1.0, 1.0))
PATIENCE = 20.0


@pytest.fixture(scope='module')
def port():
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope='module')
def shown(port):
    """A page of the pendulum and the requests that it passed on."""
    requests = []
    page = Page(
        PageServer('127.0.0.1', port, 'pendulum'), load('InvertedPendulum-v5'), RANGES, requests.append, follow=False
    )
    yield page, requests
    page.close()


@pytest.fixture
def client(shown, port):
    page, requests = shown
    page.show_hands(drive=True, goal=True)
    page.show_buttons(BUTTONS)
    client = PageClient(port)
    until(client, lambda: page.is_open and client.widget('Emergency stop'))
    requests.clear()
    yield client
    client.close()
    end = time.monotonic() + PATIENCE
    while page.is_open and time.monotonic() < end:
        time.sleep(0.01)


def until(client, condition):
    """Read until the condition holds; returns its value."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, 'it never came'
        client.read()
    return value


def test_nothing_is_asked_for_until_something_is_touched(shown, client):
    client.read(0.3)
    assert shown[1] == []


def test_a_slider_asks_for_all_three_speeds(shown, client):
    client.set('forward [m/s]', 0.5)
    client.set('turn [rad/s]', -1.0)
    requests = until(client, lambda: shown[1][1:] and shown[1])
    assert requests == [Drive(0.5, 0.0, 0.0), Drive(0.5, 0.0, -1.0)]
    assert client.widgets[client.widget('forward [m/s]')]['max'] == 1.0


def test_a_speed_that_the_robot_does_not_have_gets_no_slider(client):
    assert client.widgets[client.widget('left [m/s]')]['visible'] is False


def test_putting_the_sliders_back_is_not_taken_for_a_hand(shown, client):
    page, requests = shown
    client.set('forward [m/s]', 0.25)
    until(client, lambda: requests)
    page.take_hands_off()
    until(client, lambda: client.widgets[client.widget('forward [m/s]')]['value'] == 0)
    assert len(requests) == 1


def test_buttons_ask_for_their_service(shown, client):
    client.set('policy', 'Disarm')
    client.set('simulation', 'Push')
    client.set('Emergency stop', True)
    client.set('Let go', True)
    requests = until(client, lambda: shown[1][3:] and shown[1])
    assert [requests[0].button.label, requests[1].button.label] == ['Disarm', 'Push']
    assert isinstance(requests[0], Press)
    assert requests[2:] == [Stop(), LetGo()]


def test_a_button_that_does_not_exist_asks_for_nothing(shown, client):
    client.set('policy', 'Launch the rocket')
    client.set('Emergency stop', True)
    assert until(client, lambda: shown[1]) == [Stop()]


def test_only_buttons_whose_service_exists_are_shown(shown, client):
    page, _ = shown
    page.show_buttons([button for button in BUTTONS if button.service == 'arm'])
    until(client, lambda: client.widgets[client.widget('policy')]['options'] == ['Arm', 'Disarm'])
    assert client.widgets[client.widget('simulation')]['visible'] is False


def test_a_goal_is_dragged_or_typed(shown, client):
    client.drag(GOAL, (1.0, 2.0, 3.0))
    assert until(client, lambda: shown[1]) == [Goal(1.0, 2.0, 3.0)]
    client.set('place [m]', (1.0, 2.0, 0.5))
    assert until(client, lambda: shown[1][1:]) == [Goal(1.0, 2.0, 0.5)]
    shown[0].move_goal((0.0, 0.25, 0.5))
    until(client, lambda: client.positions[GOAL] == [0.0, 0.25, 0.5])
    assert len(shown[1]) == 2


def test_the_robot_moves_where_its_joints_are(shown, client):
    pose = RobotPose(load('InvertedPendulum-v5'))
    before = len(client.nodes['/bodies/pole/group0'])
    pose.set_joints(['hinge'], [0.3])
    pose.update()
    shown[0].draw(pose.data)
    until(client, lambda: len(client.nodes['/bodies/pole/group0']) > before)


def test_status_hidden_state_and_commands_appear(shown, client):
    page, _ = shown
    page.say('<b>armed</b>')
    hidden, commands = HiddenTrace(), CommandTrace()
    hidden.add(np.ones(8))
    commands.add(0.0, {'slide/effort': 1.0})
    commands.add(0.1, {'slide/effort': 2.0})
    page.show_hidden(hidden)
    page.show_commands(commands)
    commands.add(0.2, {'slide/effort': 3.0})
    page.show_commands(commands)
    until(client, lambda: 'armed' in client.texts())
    kinds = {props.get('type') for props in client.widgets.values()}
    assert {'GuiImageMessage', 'GuiUplotMessage'} <= kinds


def test_a_page_of_another_web_site_is_refused(shown, client, port):
    with pytest.raises(ConnectionClosed, match='served by another server'):
        PageClient(port, origin='http://evil.example').read(PATIENCE)
    own = PageClient(port, origin=f'http://127.0.0.1:{port}')
    until(own, lambda: own.widget('Emergency stop'))
    own.close()
    assert shown[0].is_open


def test_the_page_is_never_shared_over_the_internet(shown, client):
    client.ask_to_share()
    client.set('Emergency stop', True)
    until(client, lambda: shown[1])
    assert shown[0]._server._share_tunnel is None


@pytest.mark.parametrize(
    ('origin', 'host', 'own'),
    [
        ('http://127.0.0.1:8080', '127.0.0.1:8080', True),
        ('http://localhost:8080', 'localhost:8080', True),
        ('http://192.168.0.7:8080', '192.168.0.7:8080', True),
        ('http://[::1]:8080', '[::1]:8080', True),
        (None, '127.0.0.1:8080', True),
        ('http://evil.example', '127.0.0.1:8080', False),
        ('http://127.0.0.1:9000', '127.0.0.1:8080', False),
        ('http://evil.example:8080', 'evil.example:8080', False),  # a name that was rebound to this machine
        ('null', '127.0.0.1:8080', False),
    ],
)
def test_a_page_is_our_own_if_it_comes_from_an_address_that_cannot_be_rebound(origin, host, own):
    assert is_own_page(origin, host) == own


def test_addresses_of_this_machine_only():
    assert [is_local(host) for host in ('127.0.0.1', '127.0.0.9', 'localhost', '::1')] == [True] * 4
    assert [is_local(host) for host in ('0.0.0.0', '192.168.0.7', 'robot.local')] == [False] * 3


def test_a_port_that_is_taken_is_refused_with_what_to_do():
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f"'port' is {port}, but another program.* give another port"):
            check_free('127.0.0.1', port)


def test_an_address_that_is_not_this_machine_s_is_refused():
    with pytest.raises(ConfigError, match=r"'host' is '192\.0\.2\.1', where no page can be served"):
        check_free('192.0.2.1', 8080)
    with pytest.raises(ConfigError, match=r"'host' is 'no\.such\.host\.invalid', which has no address"):
        check_free('no.such.host.invalid', 8080)
