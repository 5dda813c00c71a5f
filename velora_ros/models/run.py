"""A whole run from what its folder says: the command line, the trainer's process and a sweep start it here."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium

from velora_ros.gym import check_statistics, disturb, make, spec_from_env
from velora_ros.gym.environment_errors import close
from velora_ros.models.ddpg import LiquidDDPG
from velora_ros.training import Callback, RunConfig, RunFolder, TrainResult
from velora_ros.utils import set_device, set_seed

Env = gymnasium.Env[Any, Any]


def make_environment(config: RunConfig) -> Env:
    """
    Make the environment of a run, disturbed as its hyperparameters say.

    Raises:
        UnsupportedEnvironmentError: it cannot be made, or no policy can be trained in it: a wrapper keeps running
            statistics of its own, for example.
        ConfigError: the run's environment has no name, or wrappers that only the program that made them knows.
    """
    env = make(config.name_of_env(), **config.env_args)
    try:
        check_statistics(env)
        return disturb(env, config.hyperparameters.disturbances())
    except BaseException:
        close(env)
        raise


def make_model(config: RunConfig, env: Env, *, fresh: bool = True) -> LiquidDDPG:
    """
    Make the agent of a run as it is at its beginning; the global random generators are seeded.

    Args:
        config: of the run.
        env: from :func:`make_environment`.
        fresh: the run is about to begin; one that is resumed needs the file no more that it began from.

    Raises:
        VeloraError: the device, a size or the environment is not as it must be.
    """
    set_seed(config.seed)
    device, spec = set_device(config.device), spec_from_env(env, config.control_period)
    agent = config.hyperparameters.agent_arguments()
    if config.start_from and (fresh or Path(config.start_from).exists()):
        model = LiquidDDPG.from_policy(config.start_from, **agent, device=device, seed=config.seed)
        if model.agent.start is not None:
            model.agent.start.file.refuse_other_contract(spec)  # before the run has a folder
    else:
        n_neurons = agent.pop('n_neurons')
        model = LiquidDDPG(spec.observation_dim, n_neurons, spec.action_dim, **agent, device=device, seed=config.seed)
    command = {'command': config.command} if config.command else {}
    model.agent.provenance |= {'hyperparameters': dataclasses.asdict(config.hyperparameters), **command}
    if config.env_args:
        model.agent.provenance['env_args'] = config.env_args
    return model


def train_run(
    run: RunFolder, model: LiquidDDPG, env: Env, *, callbacks: Sequence[Callback] = (), **options: Any
) -> TrainResult:
    """
    Begin or go on with a run, as its folder says.

    Args:
        run: open.
        model: from :func:`make_model`; it becomes the one of the newest checkpoint.
        env: from :func:`make_environment`.
        callbacks: called beside those that write into the folder.
        **options: ``checkpoint_every``, ``keep_checkpoints`` and ``progress`` of ``LiquidDDPG.train``.

    Raises:
        VeloraError: as ``LiquidDDPG.train``.
    """
    config = run.started_with
    return model.train(
        env,
        **config.hyperparameters.train_arguments(),
        total_steps=config.total_steps,
        control_period=config.control_period,
        run_dir=run,
        callbacks=callbacks,
        **options,
    )
