"""Training an agent: the loop, evaluations, callbacks, hyperparameters, runs. Agents are used through a protocol."""

from velora_ros.training.agent_protocol import Agent
from velora_ros.training.callbacks import Callback, EarlyStopping, EvaluateIn, KeepBest, StopTraining
from velora_ros.training.diagnostics import DIAGNOSTICS, DiagnosticsRecord
from velora_ros.training.evaluation import evaluate
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, EvaluationResult, RunState, TrainResult
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import RunPaths, free_folder
from velora_ros.training.single_env_loop import TrainingLoop

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
    'RunConfig',
    'RunFolder',
    'RunPaths',
    'RunState',
    'StopTraining',
    'TrainConfig',
    'TrainResult',
    'TrainingLoop',
    'evaluate',
    'free_folder',
]
