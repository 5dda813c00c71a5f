"""LiquidDDPG: deep deterministic policy gradients (arXiv 1509.02971) with a liquid neural network as the actor."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch.optim import Adam, Optimizer

from velora_ros.errors import ConfigError
from velora_ros.liquid import Wiring
from velora_ros.liquid.sizes import equal_neurons
from velora_ros.models.agent import DDPGAgent
from velora_ros.models.agent_to_policy_file import default_spec
from velora_ros.models.fine_tuning import Start, wiring_of
from velora_ros.models.prediction import predict
from velora_ros.models.random_streams import Streams, draw_run_seed
from velora_ros.models.sb3_agent import SB3Model
from velora_ros.models.train import Call, train
from velora_ros.spec import PolicySpec
from velora_ros.training import Callback, TrainConfig, TrainResult, agent_file
from velora_ros.training.evaluation_env import one_of
from velora_ros.training.hyperparameter_signatures import refuse_unknown, taking_hyperparameters
from velora_ros.training.hyperparameters import AGENT, TRAIN, is_number
from velora_ros.training.runs.folder import RunDir
from velora_ros.training.runs.start_from_file import StartFile
from velora_ros.utils import set_device


@taking_hyperparameters(AGENT)
class LiquidDDPG:
    """
    A DDPG agent whose actor is a Neural Circuit Policy with closed-form continuous-time cells.

    The actor has ``command = max(int(0.4 * n_neurons), 1)`` recurrent neurons and ``n_neurons - command`` inter
    neurons. The action bounds are [-1, 1] and the nominal period 1 s until ``train`` or ``load`` sets them.

    Args:
        state_dim: number of observations.
        n_neurons: number of inter and command neurons; at least 2.
        action_dim: number of actions.
        optim: torch optimiser class for actor and critic.
        buffer_size: capacity of the replay buffer [transitions].
        actor_lr: learning rate of the actor.
        critic_lr: learning rate of the critic.
        device: device to compute on; None: the CPU.
        seed: fixes wiring, weights, noise and replay; None: drawn from torch's generator, so ``set_seed`` suffices.
        wiring: synapses of the actor, as ``Wiring.to_dict`` returns them; None: drawn from the seed.
            :meth:`from_policy` uses it.
        **hyperparameters: other hyperparameters of the group ``agent`` in :mod:`velora_ros.training.hyperparameters`.

    Raises:
        ConfigError: a hyperparameter or the seed is out of range, the optimiser is not an optimiser class of torch,
            this machine lacks the device, or the backend cannot run this agent.
    """

    def __init__(
        self,
        state_dim: int,
        n_neurons: int,
        action_dim: int,
        *,
        optim: type[Optimizer] = Adam,
        buffer_size: int = TrainConfig.buffer_size,
        actor_lr: float = TrainConfig.actor_lr,
        critic_lr: float = TrainConfig.critic_lr,
        device: torch.device | str | None = None,
        seed: int | None = None,
        wiring: Mapping[str, Any] | None = None,
        **hyperparameters: Any,
    ) -> None:
        refuse_unknown('LiquidDDPG', AGENT, hyperparameters)
        # TrainConfig refuses values out of range; train checks the replay against the batch.
        config = TrainConfig(
            n_neurons=n_neurons, buffer_size=buffer_size, actor_lr=actor_lr, critic_lr=critic_lr, **hyperparameters,
            batch_size=1, sequence_length=1,
        )  # fmt: skip
        _check_sizes(state_dim=state_dim, action_dim=action_dim)
        _check_optimiser(optim)
        self.state_dim, self.n_neurons, self.action_dim = int(state_dim), config.n_neurons, int(action_dim)
        self.device = torch.device('cpu') if device is None else set_device(device)
        streams = Streams(draw_run_seed() if seed is None else seed)
        self.seed = streams.run_seed
        self._wiring = wiring
        neurons = equal_neurons(config.cell, self.state_dim, self.n_neurons, self.action_dim, config.sparsity)
        synapses = _read_wiring(wiring, self.state_dim, self.action_dim) or Wiring.random(
            self.state_dim, neurons, self.action_dim, rng=streams.wiring, sparsity=config.sparsity, cell=config.cell
        )
        self.agent = DDPGAgent(synapses, streams, config, optim=optim, device=self.device)

    def predict(
        self,
        state: Any,
        hidden: Any = None,
        *,
        noise_scale: float = 0.1,
        dt: float | None = None,
    ) -> tuple[Any, Any]:
        """
        Choose an action. Its noise has its own random stream, so that training is not affected.

        Args:
            state: observation in the environment's units, numpy or torch, shape (S,) or (B, S).
            hidden: what the last call returned, shape (H,) or (B, H); None at the start of an episode.
            noise_scale: standard deviation of the noise, as a share of half the range of each action; 0: none.
            dt: elapsed time since the last observation [s]; None: the nominal period.

        Returns:
            action in the environment's units and within its bounds, shape (A,) or (B, A), and the next hidden state,
            shape (H,) or (B, H); tensors for a tensor, arrays for an array.

        Raises:
            ObservationError: a shape is wrong, or a number is not finite.
            ConfigError: the noise scale or dt is negative or not finite.
        """
        if dt is not None and not (np.isfinite(dt) and dt >= 0):
            raise ConfigError(f'dt is {dt}; it must be a number of seconds, 0 or more, or None for the nominal period.')
        learner = self.agent
        ratio = 1.0
        if dt is not None and hidden is not None:  # there is no elapsed time before the first step of an episode
            ratio = float(np.clip(dt / self.spec.control_period, *learner.dt_range))
        return predict(
            learner.networks, self.spec, learner.streams.predict, state, hidden, noise_scale=noise_scale, ratio=ratio
        )

    @taking_hyperparameters(TRAIN)
    def train(
        self,
        env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any],
        batch_size: int,
        *,
        n_episodes: int = TrainConfig.n_episodes,
        max_steps: int = TrainConfig.max_steps,
        noise_scale: float = TrainConfig.noise_scale,
        gamma: float = TrainConfig.gamma,
        tau: float = TrainConfig.tau,
        window_size: int = TrainConfig.window_size,
        total_steps: int | None = None,
        eval_env: gymnasium.Env[Any, Any] | None = None,
        callbacks: Sequence[Callback] = (),
        seed: int | None = None,
        control_period: float | None = None,
        run_dir: RunDir | None = None,
        resume: bool = False,
        checkpoint_every: float = 30.0,
        keep_checkpoints: int = 3,
        progress: bool = True,
        **hyperparameters: Any,
    ) -> TrainResult:
        """
        Train in an environment; a second call continues. During training torch runs on one thread.

        Args:
            env: has a vector of observations (Box) and bounded actions (Box), or is a ``gymnasium.vector.VectorEnv``
                of such environments; it stays open.
            batch_size: transitions that carry loss in one update; a multiple of ``sequence_length``.
            n_episodes: largest number of episodes; the default does not apply if ``total_steps`` is given.
            max_steps: maximum length of an episode [steps]; an episode that reaches it is truncated.
            noise_scale: standard deviation of the exploration noise, as a share of half the range of each action.
            gamma: discount factor of one nominal period.
            tau: share by which the target networks follow in each update.
            window_size: episodes between two status lines.
            total_steps: largest number of environment steps, over all episodes of this run; None: no limit. If
                ``n_episodes`` is given too, training ends when either is reached.
            eval_env: environment of the deterministic evaluations, a different object from ``env``; None: a second
                environment is made from ``env.spec``, or evaluations are skipped if ``env`` has no spec.
            callbacks: objects of :class:`velora_ros.training.Callback`.
            seed: seed of noise, replay and resets; None: the agent's seed.
            control_period: nominal period T [s] of an environment that does not state its own (``env.unwrapped.dt``).
            run_dir: folder for checkpoints, policies, learning curve and TensorBoard events; None: nothing is written.
            resume: whether to resume the run in that folder, bit for bit on the CPU, with the agent of its newest
                checkpoint. Environment and hyperparameters must be the same; the budget may be larger.
            checkpoint_every: minimum time between two checkpoints [s], which are written between episodes; 0: a
                checkpoint after each episode.
            keep_checkpoints: number of newest checkpoints to keep.
            progress: whether to show the backend, a progress bar (on a terminal) and status lines.
            **hyperparameters: other hyperparameters of the group ``train`` in
                :mod:`velora_ros.training.hyperparameters`.

        Returns:
            records of episodes and evaluations, the best policy, and the reason why training ended.

        Raises:
            ConfigError: a hyperparameter is out of range, or the replay is too small for a batch.
            SpecError: the environment does not fit this agent, or differs from its earlier training environment.
            UnsupportedEnvironmentError: a space is not supported, or the environment returned an invalid number.
            DivergenceError: a loss, a weight or an action is not finite; earlier checkpoints are kept.
            StorageError: ``run_dir`` cannot be written, is in use, or holds a run and ``resume`` is False.
            PolicyFileError: the run's checkpoints cannot be read.
        """
        refuse_unknown('train', TRAIN, hyperparameters)
        config = TrainConfig(
            batch_size=batch_size, n_episodes=n_episodes, max_steps=max_steps, noise_scale=noise_scale, gamma=gamma,
            tau=tau, window_size=window_size, **hyperparameters, buffer_size=self.agent.config.buffer_size,
        )  # fmt: skip
        single, vector = (one_of(env), env) if isinstance(env, VectorEnv) else (env, None)
        return train(
            self,
            config,
            Call(
                single, total_steps, eval_env, callbacks, seed, control_period,
                run_dir, resume, checkpoint_every, keep_checkpoints, progress, vector,
            ),
        )  # fmt: skip

    def as_sb3(self, env: gymnasium.Env[Any, Any] | None = None, **options: Any) -> SB3Model:
        """
        Return this agent with the methods of a stable-baselines3 model, for programs that expect one.

        ``evaluate_policy(agent.as_sb3(), env)`` runs unchanged; so does ``agent.as_sb3(env).learn(10_000)``. A policy
        file gets the same ``predict`` from :class:`velora_ros.policy.sb3_policy.SB3Policy`.

        Args:
            env: environment that ``learn`` trains in.
            **options: arguments of :meth:`train` for ``learn``; ``batch_size`` is 128 by default.
        """
        return SB3Model(self, env, options)

    @property
    def spec(self) -> PolicySpec:
        """Names, units, bounds and nominal period of the training environment, or defaults before training."""
        return self.agent.spec or default_spec(self.state_dim, self.action_dim)

    def export(self, path: str | os.PathLike[str]) -> None:
        """
        Write the current policy as a file, which a robot runs without torch.

        Raises:
            StorageError: the file cannot be written; an existing file is not changed.
            DivergenceError: a weight is not finite; an existing file is not changed.
        """
        self.agent.policy_file().save(path)

    def save(self, path: str | os.PathLike[str], *, buffer: bool = False) -> None:
        """
        Write the whole agent, including optimisers and random states; :meth:`load` reads it back.

        Args:
            path: a file, usually ``.safetensors``.
            buffer: whether to save the replay too, so that training can continue where it stopped.

        Raises:
            StorageError: the file cannot be written; an existing file is not changed.
        """
        tensors, values = self.agent.state(buffer=buffer)
        agent_file.write(path, tensors, {**values, 'arguments': self.arguments()})

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments that create this agent again, as JSON values, without the device."""
        given = self.agent.config.agent_arguments()
        given |= {'critic_sizes': list(given['critic_sizes']), 'optim': self.agent.optim.__name__, 'seed': self.seed}
        wiring = {} if self._wiring is None else {'wiring': self._wiring}
        return {'state_dim': self.state_dim, 'action_dim': self.action_dim, **given, **wiring}

    def become(self, arguments: Mapping[str, Any]) -> None:
        """Replace the agent with one made from these arguments; the optimiser's class and the device stay the same."""
        twin = type(self)(**arguments, optim=self.agent.optim, device=self.device)
        self.agent, self.seed = twin.agent, twin.seed

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        optim: type[Optimizer] | None = None,
    ) -> 'LiquidDDPG':
        """
        Read an agent that :meth:`save` wrote; with the replay, if the file contains one.

        Args:
            path: the file.
            device: device to compute on; None: the CPU.
            optim: the optimiser class, if it is not one of ``torch.optim``.

        Raises:
            PolicyFileError: the file is missing, damaged, or of another format version.
            ConfigError: the optimiser's class is not known and was not given.
        """
        tensors, values = agent_file.read(path)
        arguments = dict(values['arguments'])
        name = arguments.pop('optim')
        optim = optim or getattr(torch.optim, name, None)
        if optim is None:
            raise ConfigError(
                f"'{path}' was trained with the optimiser {name}, which torch.optim lacks; pass its class as optim."
            )
        model = cls(**arguments, optim=optim, device=device)
        agent_file.restore(model.agent, tensors, values)
        return model

    @classmethod
    def from_policy(
        cls,
        path: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        seed: int | None = None,
        **arguments: Any,
    ) -> 'LiquidDDPG':
        """
        Make a new agent that continues from an earlier run (fine-tuning).

        From a policy file it takes the actor and the normalisation, and the critic is new; from a saved agent, a
        checkpoint, or a run's newest checkpoint it takes the critic too. The step count starts at 0 and the replay is
        empty. The loaded policy acts from the first step on; it does not learn for ``critic_warm_up`` steps
        (:meth:`train`).

        Args:
            path: a policy, a saved agent, a checkpoint, or the folder of a run.
            device: device to compute on; None: the CPU.
            seed: seed of noise, replay and a new critic; None: drawn from torch's generator.
            **arguments: other arguments of the constructor, for example ``actor_lr``.

        Raises:
            PolicyFileError: the file is missing, damaged or of another kind.
            ConfigError: an argument contradicts the file, or is out of range.
        """
        file = StartFile.load(path)
        if file.policy is None:
            return cls._from_agent(file, device, seed, arguments)
        file.refuse_others(arguments)
        spec, options = file.policy.spec, {**arguments, **file.fixed}
        wiring = wiring_of(file)
        n_neurons = options.pop('n_neurons')
        model = cls(
            spec.observation_dim, n_neurons, spec.action_dim, **options, device=device, seed=seed,
            wiring=wiring.to_dict(),
        )  # fmt: skip
        model.agent.begin_from(Start(file, model.agent.wiring))
        return model

    @classmethod
    def _from_agent(
        cls, file: StartFile, device: torch.device | str | None, seed: int | None, arguments: dict[str, Any]
    ) -> 'LiquidDDPG':
        file.refuse_others(arguments)
        before = cls.load(file.path, device=device, optim=arguments.get('optim'))
        own = {name: value for name, value in before.arguments().items() if name not in ('seed', 'optim', 'wiring')}
        optim = before.agent.optim
        model = cls(
            **{'optim': optim, **own, **arguments},
            device=device,
            seed=seed,
            wiring=before.agent.wiring.to_dict(),
        )
        state = before.agent.networks.state_dict()
        model.agent.begin_from(Start(file, model.agent.wiring, state, before.agent.privileged_dim))
        return model

    def __repr__(self) -> str:
        """Return the sizes, as the constructor takes them."""
        return f'LiquidDDPG({self.state_dim}, {self.n_neurons}, {self.action_dim}, device={str(self.device)!r})'


def _read_wiring(values: Mapping[str, Any] | None, n_sensory: int, n_motor: int) -> Wiring | None:
    """
    Return the given wiring, or None if none was given.

    Raises:
        ConfigError: the wiring is damaged, or its sizes do not match.
    """
    if values is None:
        return None
    try:
        wiring = Wiring.from_dict(values)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(f'wiring is damaged ({error}); pass the output of Wiring.to_dict.') from error
    if (wiring.n_sensory, wiring.n_motor) != (n_sensory, n_motor):
        raise ConfigError(
            f'wiring has {wiring.n_sensory} observations and {wiring.n_motor} actions; the agent is made for '
            f'{n_sensory} and {n_motor}. Pass a wiring of these sizes.'
        )
    return wiring


def _check_sizes(**sizes: Any) -> None:
    for name, value in sizes.items():
        if not is_number(value, int) or value < 1:
            raise ConfigError(f'{name} is {value!r}; it must be an integer, at least 1.')


def _check_optimiser(optim: Any) -> None:
    """Check that an optimiser is a class, because a saved agent is loaded with the optimiser of the same name."""
    if not (isinstance(optim, type) and issubclass(optim, Optimizer)):
        raise ConfigError(
            f'optim is {optim!r}; it must be an optimiser class such as torch.optim.Adam. To give it '
            'other settings, derive a class that passes them to its __init__.'
        )
