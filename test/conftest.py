"""Fixtures that several rooms' tests share."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import hypothesis
import numpy as np
import pytest

from velora_ros.errors import MissingDependencyError
from velora_ros.gym.rendering import check_rendering
from velora_ros.liquid.wiring import Wiring
from velora_ros.policy import PolicyFile
from velora_ros.policy.layout import shapes
from velora_ros.spec import PolicySpec

# A shell that runs the tests in the background makes them ignore SIGINT, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # as under nohup: still ignored here, but not by what is started
    signal.signal(signal.SIGHUP, lambda number, frame: None)

# A busy machine, and what is compiled at its first call, make any example slow: no test is judged by its time.
hypothesis.settings.register_profile('no deadline', deadline=None)
hypothesis.settings.load_profile('no deadline')


FIGURES: list[str] = []


@pytest.fixture
def tell() -> Callable[[str], None]:
    """Measured figures that belong into the report: lines at its end."""
    return FIGURES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what tests measured."""
    for line in FIGURES:
        terminalreporter.write_line(line)


def random_policy_file(
    n_observations: int = 4,
    n_neurons: int = 20,
    n_actions: int = 1,
    *,
    seed: int = 0,
    spread: float = 0.5,
    cell: str = 'cfc',
    **fields: Any,
) -> PolicyFile:
    """A policy with random weights; `fields` replaces fields of the file (spec, dt_range, environment, ...)."""
    rng = np.random.default_rng(seed)
    wiring = Wiring.random(n_observations, n_neurons, n_actions, rng=rng, cell=cell)
    sizes = {'n_neurons': n_neurons, 'inter': wiring.n_inter, 'command': wiring.n_command, 'motor': n_actions}
    sizes |= {} if cell == 'cfc' else {'cell': cell}  # a file that does not say has the liquid cell
    expected = shapes(n_observations, sizes)
    tensors = {n: (spread * rng.normal(size=s)).astype(np.float32) for n, s in expected.items()}
    for layer, mask in (('inter', wiring.inter), ('command', wiring.command), ('motor', wiring.motor)):
        tensors[f'wiring.{layer}'] = mask.astype(np.uint8)
        tensors[f'{layer}.weight'] *= np.tile(mask, (len(tensors[f'{layer}.weight']) // len(mask), 1))
    defaults = {
        'spec': PolicySpec(
            observation_names=tuple(f'obs_{i}' for i in range(n_observations)),
            observation_units=('',) * n_observations,
            action_names=tuple(f'action_{i}' for i in range(n_actions)),
            action_units=('',) * n_actions,
            action_low=tuple(-3.0 - i for i in range(n_actions)),
            action_high=tuple(2.0 + i for i in range(n_actions)),
            control_period=0.04,
        ),
        'wiring': {**sizes, 'sparsity': wiring.sparsity, 'seed': seed},
        'dt_range': (0.004, 0.08),
        'environment': 'InvertedPendulum-v5',
        'provenance': {'seed': seed, 'returns': [1.0, 2.5], 'command': 'drawn at random'},
    }
    return PolicyFile(tensors=tensors, **{**defaults, **fields})


@pytest.fixture(scope='session')
def make_policy_file() -> Callable[..., PolicyFile]:
    """The factory `random_policy_file`."""
    return random_policy_file


@pytest.fixture(scope='session')
def ros_bench(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], AbstractContextManager[Any]]:
    """A function that opens a :class:`ros_bench.RosBench` on a domain of its own, for fixtures of any scope."""

    @contextmanager
    def opened() -> Iterator[Any]:
        from ros_bench import RosBench, own_domain

        with own_domain() as domain:
            bench = RosBench(domain, tmp_path_factory.mktemp('ros'))
            try:
                yield bench
            finally:
                bench.close()

    return opened


@pytest.fixture
def ros(ros_bench: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """A :class:`ros_bench.RosBench` for one test."""
    with ros_bench() as bench:
        yield bench


@pytest.fixture
def opengl() -> None:
    """Skip a test that needs a picture where none can be made."""
    try:
        check_rendering()
    except MissingDependencyError as error:
        pytest.skip(str(error))
