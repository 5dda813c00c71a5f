"""
Reads what the metadata of an ONNX model says about its policy.

mjlab writes lists as ``a,b,c``, with numbers rounded to three digits: ``joint_names``, ``joint_stiffness``,
``joint_damping``, ``default_joint_pos``, ``action_scale``, ``observation_names``, ``command_names``, and in newer
releases ``observation_terms_scale``, ``observation_terms_history_length`` and ``observation_terms_clip``. A model that
this package exported contains the whole specification as JSON.
"""

import json
import math
from collections.abc import Mapping

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.policy.foreign.description import MOST_FRAMES, Actions, Description, Term
from velora_ros.spec import PolicySpec

_OWN = ('observation_names', 'observation_units', 'action_names', 'control_period')


def own_spec(metadata: Mapping[str, str]) -> tuple[PolicySpec, tuple[float, float]] | None:
    """
    Return (specification, range of the elapsed time [s]) of a model that this package exported; None for other models.

    Raises:
        PolicyFileError: the metadata is damaged.
    """
    if not all(name in metadata for name in _OWN):
        return None
    try:
        spec = {name: json.loads(text) for name, text in metadata.items() if name in PolicySpec.__dataclass_fields__}
        low, high = (float(value) for value in json.loads(metadata['dt_range']))
        found = PolicySpec.from_dict(spec)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f'{error}' if isinstance(error, SpecError) else 'it does not have what velora_ros export writes'
        raise PolicyFileError(f'its metadata is damaged: {reason[:300]}; export it again.') from error
    if not 0 < low <= found.control_period <= high < math.inf:
        raise PolicyFileError(
            f"its metadata has the 'dt_range' [{low}, {high}] s, which must include the period of "
            f'{found.control_period} s; export it again.'
        )
    return found, (low, high)


def mjlab_description(metadata: Mapping[str, str]) -> Description:
    """
    Return the description in mjlab's metadata; it is empty for a model without this metadata.

    Raises:
        PolicyFileError: a list and its names differ in length, or an entry is not a number.
    """
    terms = _texts(metadata, 'observation_names')
    scales = _groups(metadata, 'observation_terms_scale', len(terms))
    history = _groups(metadata, 'observation_terms_history_length', len(terms))
    clips = _groups(metadata, 'observation_terms_clip', len(terms))
    joints = _texts(metadata, 'joint_names')
    defaults = _numbers(metadata, 'default_joint_pos', len(joints))
    stiffness, damping = (_numbers(metadata, f'joint_{name}', 0) for name in ('stiffness', 'damping'))
    are_of_joints = len(stiffness) == len(damping) == len(joints)  # otherwise they belong to only some of the joints
    observations = tuple(
        Term(
            term,
            scale=scales[i] if scales else (),
            history=_frames(history[i][0]) if history else 0,
            clip=() if not clips or all(map(math.isinf, clips[i])) else clips[i],
        )
        for i, term in enumerate(terms)
    )
    actions = Actions(
        scale=_numbers(metadata, 'action_scale', 0),
        stiffness=stiffness if are_of_joints else (),
        damping=damping if are_of_joints else (),
    )
    return Description(joints=joints, default_positions=defaults, observations=observations, actions=actions)


def _texts(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in metadata.get(key, '').split(',') if word.strip())


def _groups(metadata: Mapping[str, str], key: str, count: int) -> list[tuple[float, ...]]:
    """Return the numbers of each term; semicolons separate several numbers of one term."""
    words = _texts(metadata, key)
    if words and len(words) != count:
        raise PolicyFileError(
            f"its metadata '{key}' has {len(words)} entries, but 'observation_names' has {count}; export it again."
        )
    return [tuple(_number(key, part) for part in word.split(';')) for word in words]


def _numbers(metadata: Mapping[str, str], key: str, count: int) -> tuple[float, ...]:
    values = tuple(_number(key, word) for word in _texts(metadata, key))
    if count and values and len(values) != count:
        raise PolicyFileError(
            f"its metadata '{key}' has {len(values)} entries, but 'joint_names' has {count}; export it again."
        )
    return values


def _frames(length: float) -> int:
    if not 0 <= length <= MOST_FRAMES:
        raise PolicyFileError(
            f"its metadata 'observation_terms_history_length' has the value {length}; the maximum is {MOST_FRAMES}."
        )
    return max(int(length), 1)


def _number(key: str, word: str) -> float:
    if word in ('True', 'False'):
        return float(word == 'True')
    try:
        return float(word)
    except ValueError as error:
        raise PolicyFileError(f"its metadata '{key}' has the entry '{word[:40]}'; it must be a number.") from error
