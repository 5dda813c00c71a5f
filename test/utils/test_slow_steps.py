import threading

import pytest

from velora_ros.utils.slow_steps import listen_to_slow_steps, slow_step


def test_only_a_step_that_takes_long_writes_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with listen_to_slow_steps(said.append):
        with slow_step('quick', after=60.0):
            pass
        heard = threading.Event()
        with listen_to_slow_steps(lambda text: (said.append(text), heard.set())), slow_step('slow', after=0.0):
            assert heard.wait(10.0)
    assert said == ['slow']
    assert capsys.readouterr() == ('', '')
