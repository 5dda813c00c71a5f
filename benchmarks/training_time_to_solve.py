"""
Train one seed with the preset `tuned` on InvertedPendulum-v5 until it stays solved.

    python benchmarks/training_time_to_solve.py SEED [DEVICE]

Solved: the first of three consecutive evaluations of at least 950. Seconds are training time without evaluations.
"""

import json
import sys

import gymnasium

from velora_ros.models import LiquidDDPG
from velora_ros.policy import PolicyFile
from velora_ros.training import Callback, EvaluationRecord, StopTraining, TrainConfig
from velora_ros.training.presets import preset_path
from velora_ros.utils import set_device

ENVIRONMENT, SOLVED, IN_A_ROW, STEPS = 'InvertedPendulum-v5', 950, 3, 50_000


class Solved(Callback):
    """Ends training after enough good evaluations in a row."""

    def __init__(self) -> None:
        self.good: list[EvaluationRecord] = []

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Count good evaluations in a row."""
        self.good = [*self.good, record] if record.result.mean >= SOLVED else []
        if len(self.good) == IN_A_ROW:
            raise StopTraining('solved')


def main() -> None:
    """Train and print one JSON line."""
    seed, device = int(sys.argv[1]), set_device(sys.argv[2] if len(sys.argv) > 2 else 'cpu')
    config = TrainConfig.from_yaml(preset_path(ENVIRONMENT, 'tuned'))
    env, eval_env, solved = gymnasium.make(ENVIRONMENT), gymnasium.make(ENVIRONMENT), Solved()
    agent = config.agent_arguments()
    model = LiquidDDPG(4, agent.pop('n_neurons'), 1, seed=seed, device=device, **agent)
    arguments = {**config.train_arguments(), 'n_episodes': STEPS, 'eval_every': 500, 'eval_episodes': 10}
    result = model.train(env, **arguments, total_steps=STEPS, eval_env=eval_env, callbacks=[solved], progress=False)
    first = solved.good[0] if result.stopped else None
    print(
        json.dumps(
            {
                'seconds': round(first.seconds, 1) if first else None,
                'steps': first.steps if first else None,
                'trained': result.steps,
            }
        )
    )


if __name__ == '__main__':
    main()
