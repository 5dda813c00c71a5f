"""The training loop and what hangs on it: evaluation, callbacks, metrics. It knows a protocol, no concrete agent."""

from velora_ros.training.agent_protocol import Agent
from velora_ros.training.callbacks import Callback, EarlyStopping, EvaluateIn, KeepBest, StopTraining
from velora_ros.training.diagnostics import DIAGNOSTICS, DiagnosticsRecord
from velora_ros.training.evaluation import evaluate
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.loop import LoopSettings, run
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, EvaluationResult, RunState, TrainResult
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import RunPaths, free_folder

__all__ = [
    'DIAGNOSTICS',
    'Agent',
    'Callback',
    'DiagnosticsRecord',
    'EarlyStopping',
    'EpisodeRecord',
    'EvaluateIn',
    'EvaluationRecord',
    'EvaluationResult',
    'KeepBest',
    'LoopSettings',
    'RunConfig',
    'RunFolder',
    'RunPaths',
    'RunState',
    'StopTraining',
    'TrainConfig',
    'TrainResult',
    'evaluate',
    'free_folder',
    'run',
]
