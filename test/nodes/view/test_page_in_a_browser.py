"""The page of a real run in headless Chromium: a user moves a slider, lets go, and presses the emergency stop."""

import contextlib
import shutil
import socket

import pytest
from playwright.sync_api import Error, sync_playwright
from ros_bench import BRINGUP

pytestmark = [pytest.mark.ros, pytest.mark.slow]
BROWSERS = ('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome')
# Software rendering, as on a machine without a graphics card; a sandbox of its own needs rights that containers lack.
FLAGS = ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist']
PATIENCE_MS = 60_000


@pytest.fixture(scope='module')
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Error:
            pytest.skip(f'there is no browser: neither {", ".join(BROWSERS)} nor one of playwright install chromium')
        yield browser
        browser.close()


@pytest.fixture
def port():
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def open_page(ros, browser):
    """Opens the page of a run as soon as it is served; returns it, its errors, and the addresses it asked for."""

    def opened(port):
        page = browser.new_page(viewport={'width': 640, 'height': 480})
        page.set_default_timeout(PATIENCE_MS)
        errors, requested = [], []
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.on('request', lambda request: requested.append(request.url))

        def served():
            with contextlib.suppress(Error):
                return page.goto(f'http://127.0.0.1:{port}')
            return None

        ros.until(served, 'the page')
        page.get_by_role('button', name='Emergency stop').wait_for()
        return page, errors, requested

    return opened


def test_a_slider_moves_the_command_and_stop_faults_the_policy(ros, open_page, port):
    robot = ['robot:=quadruped', 'drive:=false', 'view:=true', f'view_port:={port}']
    run = ros.start([*BRINGUP, 'control', *robot])
    page, errors, requested = open_page(port)
    received = ros.subscribe('geometry_msgs/msg/Twist', 'cmd_vel', matched=False)
    states = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status')
    forward = page.get_by_role('slider').first
    forward.focus()
    for _ in range(20):
        page.keyboard.press('ArrowRight')
    ros.until(lambda: received and received[-1].linear.x > 0.1, 'a velocity on cmd_vel')
    page.get_by_role('button', name='Let go').first.click()
    ros.until(lambda: received[-1].linear.x == 0, 'a velocity of zero')
    page.get_by_role('button', name='Emergency stop').click()
    ros.until(lambda: any('emergency stop' in state.message for state in states), 'the fault')
    page.get_by_text('emergency stop', exact=False).first.wait_for()
    ros.until(lambda: 'fault' in page.inner_text('body'), 'the fault on the page')
    assert errors == []
    assert all(url.startswith((f'http://127.0.0.1:{port}', 'data:', 'blob:')) for url in requested), requested
    page.close()
    assert run.exit_code is None
