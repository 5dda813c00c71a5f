from velora_ros.gym import TimingJitter, make
from velora_ros.models import LiquidDDPG
from velora_ros.policy import PolicyFile
from velora_ros.training import Callback, EarlyStopping, EvaluateIn, EvaluationRecord, KeepBest, TrainResult
from velora_ros.utils import set_seed


class Diary(Callback):
    """Derive from Callback and override what you need; docs/callbacks.md lists the hooks."""

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        print(f"{record.steps} steps: {record.result.mean:.1f}{', the best so far' if is_best else ''}")

    def on_train_end(self, result: TrainResult) -> None:
        print(f'over after {result.steps} steps: {result.reason}')


set_seed(64)
uneven = EvaluateIn(TimingJitter(make("InvertedPendulum-v5")), episodes=3)

model = LiquidDDPG(4, 20, 1)
model.train(
    make("InvertedPendulum-v5"), 128, total_steps=10_000, eval_every=500,  # often enough for EarlyStopping
    callbacks=[KeepBest("best.safetensors"), uneven, Diary(), EarlyStopping(threshold=950)],
)
print("with uneven time:", [round(record.result.mean) for record in uneven.records])
