"""The pictures of the best policy in a run's folder: its wiring, its hidden state at work, and a film."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from velora_ros.cli.evaluate import evaluate_in
from velora_ros.errors import VeloraError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.paths import RunPaths
from velora_ros.utils.output import write_line

STEPS = 200  # of the hidden-state picture
FILM_SECONDS = 20.0


def illustrate(folder: str | os.PathLike[str]) -> None:
    """
    Draw wiring and hidden state of a run's best policy, and film it; say where each picture is.

    What cannot be made is told in one sentence, and the others are made all the same: nobody loses a trained policy for
    a picture.

    Args:
        folder: the run's, with a policy in it.
    """
    paths = RunPaths(folder)
    try:
        pictures = _pictures(paths)
    except VeloraError as error:
        return _explain('pictures', error)
    for name, (path, make) in pictures.items():
        try:
            make(path)
        except (VeloraError, OSError, ValueError) as error:
            _explain(name, error)
        else:
            write_line(f'{name}: {path}')
    return None


def _pictures(paths: RunPaths) -> dict[str, tuple[Path, Callable[[Path], None]]]:
    file = PolicyFile.load(paths.best_policy if paths.best_policy.exists() else paths.last_policy)
    seed = RunConfig.load(paths.config).seed
    film = paths.film if importlib.util.find_spec('imageio_ffmpeg') else paths.film.with_suffix('.gif')
    return {
        'wiring': (paths.wiring, lambda path: _draw_policy('wiring', path, file, seed)),
        'hidden state': (paths.hidden_state, lambda path: _draw_policy('hidden', path, file, seed)),
        'film': (film, lambda path: _film(path, file, seed)),
    }


def _draw_policy(kind: str, path: Path, file: PolicyFile, seed: int) -> None:
    from velora_ros.cli import pictures  # noqa: PLC0415 - matplotlib, where a picture is wanted

    pictures.draw(file, {kind: str(path)}, env_id=None, steps=STEPS, seed=seed)


def _film(path: Path, file: PolicyFile, seed: int) -> None:
    steps = max(1, round(FILM_SECONDS / file.spec.control_period))
    evaluate_in(Policy(file), file.environment or '', seed=seed, max_steps=steps, film=path)


def _explain(name: str, error: Exception) -> None:
    write_line(f'velora_ros: no {name}: {" ".join(str(error).split())}', error=True)
