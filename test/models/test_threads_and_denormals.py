"""The processor's mode for denormal numbers belongs to the networks' arithmetic, and to nobody else."""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from toy import Reach

from velora_ros.models import LiquidDDPG
from velora_ros.models.threads_and_denormals import flushes_denormals, flushing
from velora_ros.training import Callback

QUICK: dict[str, Any] = {'start_steps': 10, 'boost_ratio': 1.0, 'eval_every': 10, 'eval_episodes': 1, 'progress': False}
SMALLEST = np.nextafter(np.float32(0), np.float32(1))


@pytest.fixture
def _as_found() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)


class Watching(Reach):
    """Notes whether denormal numbers vanish where the environment computes, in its own thread too."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: set[bool] = set()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.note()
        thread = threading.Thread(target=self.note)
        thread.start()
        thread.join()
        return super().step(action)

    def note(self) -> None:
        self.flushed |= {bool(SMALLEST * np.float32(1) == 0), flushes_denormals()}


class Noting(Callback):
    def __init__(self) -> None:
        self.flushed: set[bool] = set()

    def on_step(self, steps: int) -> None:
        self.flushed.add(flushes_denormals())


@pytest.mark.usefixtures('_as_found')
@pytest.mark.parametrize('mode', [False, True])
def test_environments_and_callbacks_compute_in_the_mode_that_training_was_called_in(mode: bool) -> None:
    env, eval_env, noting = Watching(), Watching(), Noting()
    torch.set_flush_denormal(mode)
    LiquidDDPG(2, 4, 1, seed=0).train(env, 8, total_steps=30, eval_env=eval_env, callbacks=[noting], **QUICK)
    assert flushes_denormals() is mode
    assert env.flushed == eval_env.flushed == noting.flushed == {mode}


@pytest.mark.usefixtures('_as_found')
@pytest.mark.parametrize('optim', [torch.optim.Adam, torch.optim.AdamW])  # numba and torch
def test_updates_and_actions_are_computed_without_denormal_numbers(optim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LiquidDDPG(2, 4, 1, optim=optim, seed=0)
    flushed: dict[str, set[bool]] = {'act': set(), 'average_actor': set()}
    for owner, name in ((model.agent.backend, 'act'), (model.agent.networks, 'average_actor')):
        inner = getattr(owner, name)

        def noting(*args: Any, inner: Any = inner, name: str = name, **kwargs: Any) -> Any:
            flushed[name].add(bool(SMALLEST * np.float32(1) == 0))
            return inner(*args, **kwargs)

        monkeypatch.setattr(owner, name, noting)
    model.train(Reach(), 8, total_steps=30, **QUICK)
    assert flushed == {'act': {True}, 'average_actor': {True}}


@pytest.mark.usefixtures('_as_found')
def test_the_mode_comes_back_after_an_error_and_stays_that_of_this_thread_alone() -> None:
    seen: list[bool] = []

    @flushing
    def fails() -> None:
        seen.append(flushes_denormals())
        raise ValueError('of the test')

    with pytest.raises(ValueError, match='of the test'):
        fails()
    assert seen == [True]
    assert not flushes_denormals()
    assert sys.float_info.min / 2 > 0
