"""The training loop and what hangs on it: evaluation, callbacks, metrics. It knows a protocol, no concrete agent."""

from velora_ros.training.agent import Agent
from velora_ros.training.callbacks import Callback, StopTraining
from velora_ros.training.config import TrainConfig
from velora_ros.training.evaluation import evaluate
from velora_ros.training.loop import LoopSettings, run
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, EvaluationResult, TrainResult

__all__ = [
    'Agent',
    'Callback',
    'EpisodeRecord',
    'EvaluationRecord',
    'EvaluationResult',
    'LoopSettings',
    'StopTraining',
    'TrainConfig',
    'TrainResult',
    'evaluate',
    'run',
]
