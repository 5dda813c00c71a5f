"""Which signals ask this process to end."""

import signal


def ending_signals() -> tuple[signal.Signals, ...]:
    """
    Return the signals that ask this process to end cleanly.

    A closed terminal or a lost connection sends SIGHUP. It is not in the list if it is ignored, as under ``nohup``.
    """
    is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if is_ignored else (signal.SIGHUP,)))
