"""The pictures of one policy: its wiring, and its hidden state at work."""

from collections.abc import Mapping

from velora_ros.cli.evaluate import env_args_of, environment_of, fitted
from velora_ros.gym import make
from velora_ros.gym.environment_errors import close
from velora_ros.pictures.draw_hidden_state import draw_hidden
from velora_ros.pictures.draw_wiring import draw_wiring
from velora_ros.pictures.rollout import Rollout, roll_out
from velora_ros.pictures.style import picture_path, save
from velora_ros.policy import Policy, PolicyFile


def draw(file: PolicyFile, wanted: Mapping[str, str], *, env_id: str | None, steps: int, seed: int) -> None:
    """
    Draw ``wiring``, ``hidden`` or both.

    Args:
        file: the policy.
        wanted: where each goes, by name.
        env_id: where the policy runs for ``hidden``; None: where it was trained.
        steps: for how long.
        seed: of the first reset.

    Raises:
        VeloraError: a name is not one of a picture, the environment cannot be had or does not fit, or the disk is full.
    """
    paths = {name: picture_path(path, f'--{name}') for name, path in wanted.items()}
    if 'hidden' in paths:
        save(draw_hidden(_roll_out(file, env_id, steps, seed), _name(file, env_id)), paths['hidden'])
    if 'wiring' in paths:
        save(draw_wiring(file), paths['wiring'])


def _roll_out(file: PolicyFile, env_id: str | None, steps: int, seed: int) -> Rollout:
    name = environment_of(file, env_id)
    env = make(name, **env_args_of(file, name))
    try:
        return roll_out(Policy(file), fitted(env, file.spec), steps=steps, seed=seed)
    finally:
        close(env)


def _name(file: PolicyFile, env_id: str | None) -> str:
    return f'{environment_of(file, env_id)}: {file.n_neurons} neurons at work'
