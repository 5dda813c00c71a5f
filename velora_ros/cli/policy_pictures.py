"""The pictures of a policy: its wiring, its hidden state over time, and a film of an episode."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from velora_ros.cli.evaluate import env_args_of, environment_of, evaluate_in, fitted
from velora_ros.errors import VeloraError
from velora_ros.gym import make
from velora_ros.gym.describe_env_errors import closing
from velora_ros.pictures.rollout import Rollout, roll_out
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.paths import RunPaths
from velora_ros.utils.output import write_line

STEPS = 200  # of the hidden-state picture
FILM_SECONDS = 20.0


def draw(file: PolicyFile, wanted: Mapping[str, str], *, env_id: str | None, steps: int, seed: int) -> None:
    """
    Draw the wiring, the hidden state, or both.

    Args:
        file: the policy.
        wanted: the path of each picture, by its name (``wiring``, ``hidden``).
        env_id: the environment in which the policy runs for ``hidden``; None: the training environment.
        steps: number of steps.
        seed: seed of the first reset.

    Raises:
        VeloraError: a path does not end in .png or .svg, the environment cannot be made or does not fit, or the disk is
            full.
    """
    from velora_ros.pictures.draw_hidden_state import draw_hidden  # noqa: PLC0415 - matplotlib, only for a picture
    from velora_ros.pictures.draw_wiring import draw_wiring  # noqa: PLC0415
    from velora_ros.pictures.style import picture_path, save  # noqa: PLC0415

    paths = {name: picture_path(path, f'--{name}') for name, path in wanted.items()}
    if 'hidden' in paths:
        title = f'{environment_of(file, env_id)}: {file.n_neurons} neurons at work'
        save(draw_hidden(_roll_out(file, env_id, steps, seed), title), paths['hidden'])
    if 'wiring' in paths:
        save(draw_wiring(file), paths['wiring'])


def illustrate(folder: str | os.PathLike[str]) -> None:
    """
    Draw wiring and hidden state of a run's best policy, film it, and print the path of each picture.

    If a picture cannot be made, one line is written to standard error, and the others are still made.

    Args:
        folder: folder of the run, with a policy in it.
    """
    paths = RunPaths(folder)
    try:
        file = PolicyFile.load(paths.best_policy if paths.best_policy.exists() else paths.last_policy)
        seed = RunConfig.load(paths.config).seed
    except VeloraError as error:
        _explain('pictures', error)
        return
    film = paths.film if importlib.util.find_spec('imageio_ffmpeg') else paths.film.with_suffix('.gif')
    for name, path in (('wiring', paths.wiring), ('hidden state', paths.hidden_state), ('film', film)):
        try:
            if name == 'film':
                _film(path, file, seed)
            else:
                draw(file, {name.removesuffix(' state'): str(path)}, env_id=None, steps=STEPS, seed=seed)
        except (VeloraError, OSError, ValueError) as error:
            _explain(name, error)
        else:
            write_line(f'{name}: {path}')


def _roll_out(file: PolicyFile, env_id: str | None, steps: int, seed: int) -> Rollout:
    name = environment_of(file, env_id)
    with closing(make(name, **env_args_of(file, name))) as env:
        return roll_out(Policy(file), fitted(env, file.spec), steps=steps, seed=seed)


def _film(path: Path, file: PolicyFile, seed: int) -> None:
    steps = max(1, round(FILM_SECONDS / file.spec.control_period))
    evaluate_in(Policy(file), file.environment or '', seed=seed, max_steps=steps, film=path)


def _explain(name: str, error: Exception) -> None:
    write_line(f'velora_ros: no {name}: {" ".join(str(error).split())}', error=True)
