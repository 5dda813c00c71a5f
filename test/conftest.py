"""Fixtures shared by the tests of several subpackages, and how the tests are distributed to several processes."""

import contextlib
import importlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from velora_ros.errors import MissingDependencyError
from velora_ros.gym.rendering import check_rendering
from velora_ros.liquid.wiring import Wiring
from velora_ros.policy import PolicyFile
from velora_ros.policy.tensor_layout import shapes
from velora_ros.spec import PolicySpec

# torch's CUDA wheels bring triton. A process that loads it after Mesa's software renderer crashes: both contain LLVM.
with contextlib.suppress(ImportError):
    importlib.import_module('triton')

# A shell that runs the tests in the background makes them ignore SIGINT, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # as under nohup: still ignored here, but not by what is started
    signal.signal(signal.SIGHUP, lambda number, frame: None)

# A busy machine, and what is compiled at its first call, make any example slow: no test is judged by its time.
hypothesis.settings.register_profile('no deadline', deadline=None)
hypothesis.settings.load_profile('no deadline')


# `make test` runs pytest with `-n auto --dist loadgroup`. Tests of nodes mostly wait, hence more processes than cores.
PROCESSES_PER_CORE = 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Several processes for the whole suite or a folder of it; none where files or tests are named or `-s` is given."""
    named = [Path(word.partition('::')[0]).resolve() for word in config.args]
    if config.option.capture == 'no' or not any(path.is_dir() for path in named):
        return 0
    cores = len(os.sched_getaffinity(0))
    return PROCESSES_PER_CORE * cores if {config.rootpath, Path(__file__).parent} & set(named) else cores


# Their tests take long and wait much of it: they begin first, so that no process is left with one of them at the end.
LONG = ('cli/test_sweep.py', 'trainer/test_node.py', 'test_train_run.py', 'test_control_run.py', 'test_examples.py')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Keep tests that share a node in one process: those whose module opens a bench of its own. Begin with the long ones.

    The order within a module stays.
    """
    items.sort(key=lambda item: next((n for n, name in enumerate(LONG) if item.path.match(name)), len(LONG)))
    for item in items:
        names = getattr(item, 'fixturenames', ())
        if 'ros_bench' in names and 'ros' not in names:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition('::')[0]))


FIGURE = 'figure'  # the name of a test's property that is a measured figure


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Measured figures for the report: lines at its end, from whichever process measured them."""
    return lambda line: record_property(FIGURE, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what tests measured."""
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, 'when', '') == 'call':
            for name, value in report.user_properties:
                if name == FIGURE:
                    terminalreporter.write_line(str(value))


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
