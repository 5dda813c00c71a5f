"""Checks of the numbers that a vector of environments returns; every error names the stream."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Array

Flags = npt.NDArray[np.bool_]


class VectorNumbers:
    """
    Checks and copies the numbers of n streams, each kind in one call for all of them.

    Every method raises UnsupportedEnvironmentError if a number or a shape is invalid.

    Args:
        n: number of streams.
        spec: names and period of each stream's environment.
    """

    def __init__(self, n: int, spec: PolicySpec) -> None:
        self._n, self._spec = n, spec

    def rewards(self, values: Any, taken: Flags, when: str) -> npt.NDArray[np.float64]:
        """Return the rewards, shape (n,); only rewards of streams in ``taken`` must be finite."""
        try:
            rewards = np.array(values, np.float64)
        except (TypeError, ValueError):
            rewards = np.empty(0)
        if rewards.shape != (self._n,):
            raise UnsupportedEnvironmentError(
                f'the rewards of a step are {_short(values)}; they must be one number for each of the '
                f'{self._n} environments.'
            )
        if not np.isfinite(rewards[taken]).all():
            bad = int(np.flatnonzero(taken & ~np.isfinite(rewards))[0])
            raise UnsupportedEnvironmentError(
                f'stream {bad} of {self._n} returned the reward {rewards[bad]} {when}; rewards must be '
                'finite. Bound the reward, or end the episode before it diverges.'
            )
        return rewards

    def flags(self, values: Any, what: str) -> Flags:
        """Return terminations or truncations, shape (n,)."""
        flags = np.array(values, bool)
        if flags.shape != (self._n,):
            raise UnsupportedEnvironmentError(
                f'the {what} of a step have the shape {flags.shape}; they must be one flag for each of the '
                f'{self._n} environments.'
            )
        return flags

    def elapsed(self, info: Mapping[str, Any], which: Flags) -> Array:
        """Return dt/T, shape (n,); 1 for streams that are not in ``which``, and if the infos have no dt."""
        seconds = info.get('dt')
        if seconds is None:
            return np.ones(self._n, np.float32)
        given = which & np.asarray(info.get('_dt', which), bool)
        times: npt.NDArray[np.float64] = np.where(given, seconds, self._spec.control_period).astype(np.float64)
        if (bad := ~(np.isfinite(times) & (times > 0))).any():
            stream = int(np.flatnonzero(bad)[0])
            raise UnsupportedEnvironmentError(
                f"infos['dt'] of stream {stream} of {self._n} is {times[stream]}; it must be the elapsed time, a "
                'finite number of seconds above 0. Omit it if every step takes the nominal period.'
            )
        return (times / self._spec.control_period).astype(np.float32)

    def rows(self, values: Any, which: Flags, shape: tuple[int, ...], what: str, when: str) -> Array:
        """Return a copy of an array of shape (n, *shape); only the rows of ``which`` must be finite."""
        wanted = (self._n, *shape)
        try:
            array = np.array(values, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UnsupportedEnvironmentError(
                f'the {what} {when} is a {type(values).__name__} and not an array of numbers; it must have the shape '
                f'{wanted}.'
            ) from error
        if array.shape != wanted:
            raise UnsupportedEnvironmentError(
                f'the {what} {when} has the shape {array.shape}; it must have {wanted}, one row for each environment.'
            )
        if not np.isfinite(array[which]).all():
            raise UnsupportedEnvironmentError(
                f'the {what} {when} is not finite in {self.first_bad(np.where(which[:, None], array, 0))}; end the '
                'episode before the simulation diverges.'
            )
        return array

    def first_bad(self, values: npt.NDArray[Any]) -> str:
        """Return the stream and the entry of the first number that is not finite in an array (n, entries)."""
        stream, entry = (int(index[0]) for index in np.nonzero(~np.isfinite(values)))
        names = self._spec.observation_names
        name = f' ({names[entry]})' if values.shape[1] == len(names) else ''
        return f'stream {stream} of {self._n}, entry {entry}{name}'


def _short(values: Any) -> str:
    return f'an array of shape {values.shape}' if isinstance(values, np.ndarray) else f'a {type(values).__name__}'
