import signal

import pytest

from velora_ros.utils.termination_signals import ending_signals


@pytest.mark.parametrize('handler', [signal.SIG_DFL, signal.SIG_IGN])
def test_a_closed_terminal_ends_the_process_unless_nohup_ignores_it(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGHUP, handler)
    try:
        assert (signal.SIGHUP in ending_signals()) == (handler == signal.SIG_DFL)
        assert {signal.SIGINT, signal.SIGTERM} <= set(ending_signals())
    finally:
        signal.signal(signal.SIGHUP, before)
