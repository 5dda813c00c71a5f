"""The contract of a task as table rows: what the policy reads and commands, what is rewarded and what varies."""

from typing import Any

import numpy as np

from velora_ros.tasks.episodes import Episodes
from velora_ros.tasks.observation_noise_and_delay import Observer


def contract(task: Any) -> dict[str, Any]:
    """
    Return the contract of a task as a JSON-ready dictionary.

    ``observations`` and ``critic`` have a row for each entry, ``actions`` one for each action; ``rewards``,
    ``failures``, ``commands`` and ``variations`` one for each term.
    """
    episodes = Episodes(task, task.built, 1, threads=1)
    return {
        'period_s': task.period,
        'episode_s': task.episode,
        'observations': _observed(episodes.observer),
        'critic': _observed(episodes.critic),
        'actions': [
            {'name': one.name, 'unit': one.unit, 'scale': one.scale, 'offset': one.offset, 'to': episodes.drive.source}
            for one in episodes.drive.signals
        ],
        'commands': [
            {
                'name': name,
                'entries': [
                    {'name': entry, 'unit': unit, 'range': _range(one, i)}
                    for i, (entry, unit) in enumerate(zip(one.entries, one.unit, strict=True))
                ],
                'every_s': None if one.every is None else list(one.every),
                'still': one.still,
                'from': one.source,
            }
            for name, one in task.commands.items()
        ],
        'rewards': [{'name': term.name, 'weight': weight, 'unit': term.unit} for term, weight in task.built.reward],
        'reward_floor': task.reward_floor,
        'failures': [term.name for term in task.built.fail],
        'variations': [{'name': one.name, 'what': one.detail} for one in task.built.vary],
    }


def _observed(observer: Observer) -> list[dict[str, Any]]:
    rows = []
    for term, place in zip(observer.terms, observer.places, strict=True):
        width = place.stop - place.start
        noise, bias = (np.broadcast_to(np.asarray(one, float), width).tolist() for one in (term.noise, term.bias))
        for i, signal in enumerate(observer.signals[place]):
            scale = float(observer.scale[place.start + i])
            row = {'name': signal.name, 'unit': signal.unit, 'scale': scale, 'noise': noise[i], 'bias': bias[i]}
            rows.append({**row, 'from': term.source})
    return rows


def _range(command: Any, entry: int) -> list[float] | None:
    return [float(command.low[entry]), float(command.high[entry])] if len(command.low) else None
