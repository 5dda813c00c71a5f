"""Film an episode with imageio: as MP4, which needs ffmpeg, or as GIF, which needs only Pillow."""

import contextlib
import importlib
import io
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from velora_ros.errors import ConfigError, MissingDependencyError, StorageError
from velora_ros.gym.rendering import frame, light_up
from velora_ros.utils.atomic_files import atomic_write, check_writable
from velora_ros.utils.dependencies import how_to_install

FASTEST = {'.mp4': 50.0, '.gif': 25.0}  # frames per second


class Film(gym.Wrapper[Any, Any, Any, Any]):
    """
    Films the first episode; the film plays at real speed. The file appears when the film is complete.

    Args:
        env: an environment made with ``render_mode='rgb_array'``.
        path: ``.mp4`` or ``.gif``.
        period: time between two observations [s].

    Raises:
        MissingDependencyError: a package that the film needs is not installed, or the environment cannot be rendered.
        StorageError: the file cannot be written.
    """

    def __init__(self, env: 'gym.Env[Any, Any]', path: Path, period: float) -> None:
        super().__init__(env)
        self._path = path
        self._every = max(1, math.ceil(1 / (period * FASTEST[path.suffix]) - 1e-9))
        self._rate = 1 / (period * self._every)
        self._writer: Any = None
        self._read: Callable[[], bytes]
        self._dark = light_up(env)
        self._episodes = self._steps = self._frames = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the second reset ends the film."""
        answer = self.env.reset(seed=seed, options=options)
        self._episodes += 1
        if self._episodes == 1:
            self._writer = self._open()
            self._take()
        else:
            self.finish()
        return answer

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and take a frame."""
        answer = self.env.step(action)
        self._steps += 1
        if self._writer is not None and self._steps % self._every == 0:
            self._take()
        return answer

    def finish(self) -> None:
        """Write the film to its path, replacing an older film; write nothing if there is no frame."""
        writer, self._writer = self._writer, None
        if writer is not None and not self._frames:
            with contextlib.suppress(Exception):
                writer.close()
                self._read()  # removes the temporary folder
        elif writer is not None:
            try:
                writer.close()
                film = self._read()
                if not film:
                    raise OSError('the folder for temporary files is full')
            except (OSError, ValueError) as error:
                raise _unwritable(self._path, error) from error
            with atomic_write(self._path) as file:
                file.write(film)

    def _open(self) -> Any:
        check_writable(self._path, '--render')
        imageio = importlib.import_module('imageio.v2')
        if self._path.suffix == '.mp4':
            if importlib.util.find_spec('imageio_ffmpeg') is None:
                raise MissingDependencyError(
                    f'an MP4 needs imageio-ffmpeg, which is not installed. {how_to_install("render")} '
                    'Or name a .gif file.'
                )
            try:
                folder = tempfile.TemporaryDirectory(
                    prefix='velora_ros_'
                )  # _read keeps it alive until the film has been read
                path = Path(folder.name) / 'film.mp4'
                self._read = lambda: _whole_mp4(path, folder)
                return imageio.get_writer(path, format='FFMPEG', fps=self._rate, macro_block_size=2)
            except (OSError, ValueError) as error:
                raise _unwritable(self._path, error) from error
        # In memory, where Pillow keeps all frames anyway: a writer that fails on a full disk tries again when deleted.
        buffer = io.BytesIO()
        self._read = buffer.getvalue
        return imageio.get_writer(buffer, format='GIF', duration=1000 / self._rate, loop=0)

    def _take(self) -> None:
        try:
            image = frame(self.env)
            if self._dark:  # a model without lights has no background either; white looks better than black
                image = np.where((image == 0).all(axis=-1, keepdims=True), np.uint8(255), image)
            self._writer.append_data(image)
            self._frames += 1
        except (OSError, ValueError) as error:
            self._writer = None  # nothing is left to finish
            if isinstance(error, MissingDependencyError):
                raise
            raise _unwritable(self._path, error) from error


def film_path(text: str) -> Path:
    """
    Check the path of a film before anything runs.

    Raises:
        ConfigError: the name does not end in a valid format, or the folder is missing.
    """
    path = Path(text)
    if path.suffix not in FASTEST:
        raise ConfigError(f"--render is '{text}'; the name must end in {' or '.join(FASTEST)}.")
    if not path.parent.is_dir():
        raise ConfigError(f"--render is '{text}'; the folder '{path.parent}' does not exist. Create it first.")
    return path


def _whole_mp4(path: Path, folder: 'tempfile.TemporaryDirectory[str]') -> bytes:
    """Return the film that ffmpeg wrote; empty if it is incomplete, which ffmpeg does not report."""
    film = path.read_bytes() if path.exists() else b''
    folder.cleanup()
    return film if b'moov' in film else b''


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"the film '{path}' could not be written: {' '.join(str(error).split())}. Choose another folder."
    )
