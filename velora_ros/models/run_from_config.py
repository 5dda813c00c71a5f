"""Make a run's environment and agent from its configuration, and train; for commands, trainer_node and sweeps."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from velora_ros.errors import ConfigError
from velora_ros.gym import check_statistics, disturb, make, spec_from_env
from velora_ros.gym.describe_env_errors import close
from velora_ros.gym.make_vector import make_many_of, make_vector
from velora_ros.models.liquid_ddpg import LiquidDDPG
from velora_ros.training import Callback, RunConfig, RunFolder, TrainResult
from velora_ros.training.vector_env_checks import check_streams
from velora_ros.utils import set_device, set_seed

Env = gymnasium.Env[Any, Any]


def make_environment(config: RunConfig) -> Env:
    """
    Make the environment of a run, with the disturbances that its hyperparameters set.

    Raises:
        UnsupportedEnvironmentError: the environment cannot be made, or no policy can be trained in it, for example
            because a wrapper keeps running statistics.
        ConfigError: the run's environment has no name, or has wrappers that only the program which started the run
            can make.
    """
    env = make(config.name_of_env(), **config.env_args)
    try:
        check_statistics(env)
        return disturb(env, config.hyperparameters.disturbances())
    except BaseException:
        close(env)
        raise


def make_training_environment(config: RunConfig, env: Env) -> Env | VectorEnv[Any, Any, Any]:
    """
    Return the environment that a run trains in, or a vector of environments if the run uses several.

    Args:
        config: the configuration of the run.
        env: the environment from :func:`make_environment`; a run in a single environment uses it directly.

    Raises:
        UnsupportedEnvironmentError: there is not enough memory for so many environments.
        ConfigError: a hyperparameter needs a single environment, or the replay is too small for so many environments.
    """
    if config.num_envs == 1:
        return env
    check_streams(config.num_envs, config.hyperparameters)
    if (simulate_many := make_many_of(env)) is not None:  # a task steps all simulations in one call
        vector: VectorEnv[Any, Any, Any] = simulate_many(config.num_envs, random_ages=True, growing=True)
        return vector
    return make_vector(lambda: make_environment(config), config.num_envs)


def make_model(config: RunConfig, env: Env, *, fresh: bool = True) -> LiquidDDPG:
    """
    Make the agent of a run in its initial state; the global random generators are seeded.

    Args:
        config: the configuration of the run.
        env: the environment from :func:`make_environment`.
        fresh: whether the run starts now; a resumed run no longer needs the file from which it began.

    Raises:
        VeloraError: the device, a size or the environment is invalid.
    """
    set_seed(config.seed)
    device, spec = set_device(config.device), spec_from_env(env, config.control_period)
    if fresh and config.control_period not in {None, spec.control_period}:
        raise ConfigError(
            f'control_period is {config.control_period:g} s, but the environment has its own, {spec.control_period:g} '
            "s; omit it, or change the environment's own period, for example with its keyword frame_skip."
        )
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
    run: RunFolder,
    model: LiquidDDPG,
    env: Env | VectorEnv[Any, Any, Any],
    *,
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> TrainResult:
    """
    Start or resume a run, as the configuration in its folder says.

    Args:
        run: the open folder.
        model: the model from :func:`make_model`; in a resumed run, the newest checkpoint replaces its agent.
        env: the environment from :func:`make_training_environment`.
        callbacks: called in addition to the callbacks that write into the folder.
        **options: ``checkpoint_every``, ``keep_checkpoints`` and ``progress`` of ``LiquidDDPG.train``.

    Raises:
        VeloraError: see ``LiquidDDPG.train``.
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
