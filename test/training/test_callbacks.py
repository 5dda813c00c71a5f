import math
from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.errors import ConfigError, StorageError
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training import (
    Callback,
    EarlyStopping,
    EvaluateIn,
    EvaluationRecord,
    EvaluationResult,
    KeepBest,
    RunState,
    StopTraining,
    TrainResult,
    evaluate,
)  # fmt: skip


def record(mean: float, steps: int = 500) -> EvaluationRecord:
    return EvaluationRecord(steps, 1, 1.0, EvaluationResult((mean,), (1,)))


def stopped_after(callback: EarlyStopping, means: list[float]) -> int | None:
    """Feed evaluations; return how many it took to stop, None if it did not."""
    for count, mean in enumerate(means, start=1):
        try:
            callback.on_evaluation(record(mean, 500 * count), None, is_best=False)  # type: ignore[arg-type]
        except StopTraining:
            return count
    return None


# --- early stopping


@pytest.mark.parametrize(
    ('options', 'means', 'count'),
    [
        ({'threshold': 9}, [9, 9, 9, 9], 3),
        ({'threshold': 9}, [9, 9, 8, 9, 9, 10], 6),
        ({'threshold': 9}, [9, 9, 8, 9, 9], None),
        ({'threshold': 9, 'in_a_row': 1}, [1, 2, 9], 3),
        ({'patience': 2}, [1, 2, 2, 1], 4),
        ({'patience': 2}, [1, 0, 2, 1, 3, 1], None),
        ({'patience': 3, 'threshold': 100}, [5, 4, 3, 2], 4),
    ],
)
def test_it_stops_when_it_is_good_enough_or_no_longer_gets_better(
    options: dict[str, Any], means: list[float], count: int | None
) -> None:
    callback = EarlyStopping(**options)
    assert stopped_after(callback, means) == count


@pytest.mark.parametrize('by', ['solved', 'patience'])
def test_the_result_can_tell_solved_from_a_lack_of_progress(by: str) -> None:
    callback = EarlyStopping(threshold=9, in_a_row=1) if by == 'solved' else EarlyStopping(patience=1)
    with pytest.raises(StopTraining) as stop:
        for mean in (9, 0):
            callback.on_evaluation(record(mean), None, is_best=False)  # type: ignore[arg-type]
    assert stop.value.by == by


def test_a_resumed_run_stops_where_an_uninterrupted_one_would() -> None:
    means = [9.0, 9.0, 9.0]
    for done in range(3):
        callback = EarlyStopping(threshold=9)
        callback.on_train_start(None, None)
        result = TrainResult(evaluations=[record(mean) for mean in means[:done]])
        callback.on_resume(RunState(0, 0.0, 0.0, {}, result))
        assert stopped_after(callback, means[done:]) == 3 - done


def test_a_second_training_is_counted_anew() -> None:
    callback = EarlyStopping(threshold=9, in_a_row=2)
    assert stopped_after(callback, [9]) is None
    callback.on_train_start(None, None)
    assert stopped_after(callback, [9, 9]) == 2


@pytest.mark.parametrize(
    'options', [{}, {'threshold': math.nan}, {'patience': 0}, {'threshold': 1, 'in_a_row': 0}, {'patience': 1.5}]
)
def test_what_can_never_stop_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        EarlyStopping(**options)


# --- in training


def trained(*callbacks: Callback, **options: Any) -> tuple[LiquidDDPG, TrainResult]:
    model = LiquidDDPG(2, 10, 1, seed=3)
    arguments = {'n_episodes': 12, 'start_steps': 16, 'eval_every': 20, 'eval_episodes': 2, **options}
    result = model.train(Reach(), 32, eval_env=Reach(), callbacks=callbacks, boost_ratio=1, progress=False, **arguments)
    return model, result


def test_early_stopping_ends_training_and_says_why() -> None:
    _, result = trained(EarlyStopping(threshold=-1e9, in_a_row=2))
    assert result.steps == 40
    assert result.stopped == result.reason == '2 evaluations in a row at or above -1e+09, after 40 steps'
    assert result.stopped_by == 'solved'


def test_neither_evaluations_nor_callbacks_change_what_is_learnt(tmp_path: Any) -> None:
    class Busy(Callback):
        def on_step(self, steps: int) -> None:
            np.random.default_rng().random()

        def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
            Policy(policy, 'numpy').step([0.5, 1.0])

    def weights(*callbacks: Callback, **options: Any) -> dict[str, Any]:
        return dict(trained(*callbacks, **options)[0].agent.policy_file().tensors)

    plain = weights(eval_every=0)
    watched = weights(
        Busy(), KeepBest(tmp_path / 'best'), EvaluateIn(Reach(), episodes=2), EarlyStopping(threshold=1e9)
    )
    for name, tensor in plain.items():
        np.testing.assert_array_equal(tensor, watched[name])


def test_a_callback_gets_the_model_that_is_trained() -> None:
    class Asks(Callback):
        asked: Any = None

        def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
            self.asked = self.model.predict(np.ones(2), noise_scale=0)[0].shape

    asks = Asks()
    for _ in range(2):  # a second training has another model
        model, _ = trained(asks, n_episodes=1, eval_every=0)
        assert asks.asked == (1,)
        assert asks.model is model


def test_a_callback_with_a_model_of_its_own_keeps_it() -> None:
    class Property(Callback):
        @property
        def model(self) -> str:  # type: ignore[override]
            return 'mine'

    class Own(Callback):
        def __init__(self) -> None:
            self.model = 'hull'

    class Slots(Callback):
        __slots__ = ()

    own = [Property(), Own(), Slots()]
    trained(*own, n_episodes=1, eval_every=0)
    assert [one.model for one in own[:2]] == ['mine', 'hull']


def test_the_best_policy_is_on_disk_as_soon_as_it_is_found(tmp_path: Any) -> None:
    class Look(Callback):
        digests: list[tuple[str, str]] = []  # noqa: RUF012 - one object

        def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
            if is_best:
                self.digests.append((policy.digest, PolicyFile.load(tmp_path / 'best').digest))

    _, result = trained(KeepBest(tmp_path / 'best'), look := Look())
    assert look.digests and all(ours == on_disk for ours, on_disk in look.digests)
    assert result.best_policy is not None
    assert PolicyFile.load(tmp_path / 'best').digest == result.best_policy.digest


def test_a_best_policy_that_cannot_be_written_ends_training_with_a_clear_error(tmp_path: Any) -> None:
    with pytest.raises(StorageError, match='could not be written'):
        trained(KeepBest(tmp_path / 'absent' / 'best'))


def test_another_environment_is_evaluated_in_with_the_same_seeds_each_time() -> None:
    class Policies(Callback):
        files: list[PolicyFile] = []  # noqa: RUF012 - one object

        def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
            self.files.append(policy)

    elsewhere = Reach(length=3)
    _, result = trained(other := EvaluateIn(elsewhere, episodes=4, seed=7), policies := Policies())
    assert [one.steps for one in other.records] == [one.steps for one in result.evaluations]
    for one, file in zip(other.records, policies.files, strict=True):
        assert one.result == evaluate(Policy(file), Reach(length=3), episodes=4, seed=7)
    assert not elsewhere.closed
