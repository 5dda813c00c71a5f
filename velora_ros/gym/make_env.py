"""``make``: make an environment from its id or a robot file, with clear errors."""

import contextlib
import difflib
import inspect
import re
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs import registration
from gymnasium.envs.registration import EnvSpec

from velora_ros.errors import UnsupportedEnvironmentError, VeloraError, did_you_mean
from velora_ros.gym.describe_env_errors import FAILURES, close, described, one_line, origin_of, with_causes
from velora_ros.gym.flattening import flat
from velora_ros.gym.read_robot_file import ENDINGS, foreign_file, is_robot_file
from velora_ros.gym.rendering import OFF_SCREEN, backend_failure, choose_backend

Env = gym.Env[Any, Any]

MADE_AS = '_velora_made_as'
"""Attribute of an environment: the id from which it can be made again, if it differs from the id in its spec."""


def make(env_id: str, **kwargs: Any) -> Env:
    """
    Make an environment from a gymnasium id or a robot file.

    Observations that are a dictionary or a tuple become one vector (:class:`velora_ros.gym.flattening.NamedFlatten`).
    For images on a machine without a display, the OpenGL backend is chosen before MuJoCo is imported.

    Args:
        env_id: id in gymnasium's registry, ``module:id`` for an environment that registers itself on import, or the
            path of an MJCF file (``.xml``, ``.mjcf``), a URDF file (``.urdf``) or a compiled model (``.mjb``), which
            becomes a :class:`velora_ros.gym.robot_file_env.ModelEnv`.
        **kwargs: keywords for the environment, for example ``render_mode``; for a robot file also ``reward`` and
            ``control_period``.

    Raises:
        UnsupportedEnvironmentError: there is no such id or file, a package is missing, or the environment's constructor
            fails; the message contains the constructor's error, which is also the ``__cause__``.
        ConfigError: ``MUJOCO_GL`` is not the name of an OpenGL backend.
        MissingDependencyError: the OpenGL backend does not work here.
    """
    if not isinstance(env_id, str):
        raise UnsupportedEnvironmentError(
            f"the environment id is {env_id!r}; it must be a string such as 'InvertedPendulum-v5'."
        )
    if reason := foreign_file(env_id):
        raise UnsupportedEnvironmentError(reason)
    if kwargs.get('render_mode') in OFF_SCREEN:
        choose_backend()
    try:
        env: Env = gym.make(_model_spec(env_id) if is_robot_file(env_id) else env_id, **kwargs)
    except VeloraError:
        raise
    except FAILURES as error:  # a constructor may raise anything
        raise _failure(env_id, kwargs, error) from error
    if _without_module(env_id) != env_id:
        setattr(env.unwrapped, MADE_AS, env_id)  # its spec lacks the module, which is needed to make it again
    try:
        return flat(env)
    except VeloraError:
        close(env)
        raise


def id_of(env: Env) -> str | None:
    """Return the id, with its module, from which :func:`make` can make an environment again; None if it has no id."""
    if env.spec is None:
        return None
    made_as: str | None = getattr(env.unwrapped, MADE_AS, None)
    return made_as or env.spec.id


def same_id(one: str | None, other: str | None) -> bool:
    """Return whether two ids mean the same environment; gymnasium and files of older versions omit the module."""
    return one == other or (one is not None and other is not None and _without_module(one) == _without_module(other))


def _model_spec(file: str) -> EnvSpec:
    """Return the specification of a robot file's environment, from which gymnasium can make it again."""
    return EnvSpec('MJCF-v0', entry_point='velora_ros.gym.robot_file_env:ModelEnv', kwargs={'file': file})


def _without_module(env_id: str) -> str:
    return env_id if is_robot_file(env_id) else env_id.partition(':')[2] or env_id


def _failure(env_id: str, kwargs: Mapping[str, Any], error: BaseException) -> VeloraError:
    """Return the error to raise if an environment cannot be made: the cause, and the original message."""
    if broken := backend_failure(error):
        return broken
    module, _, _ = env_id.rpartition(':')
    missing = [one for one in with_causes(error) if isinstance(one, ModuleNotFoundError) and one.name]
    if missing and f'{module}.'.startswith(f'{missing[-1].name}.'):
        return UnsupportedEnvironmentError(
            f"the environment '{env_id}' needs a module that is not installed ({one_line(missing[-1])}); install it."
        )
    known = is_robot_file(env_id) or _without_module(env_id) in gym.registry
    if not known and isinstance(error, gym.error.Error):
        return UnsupportedEnvironmentError(_unknown(env_id))
    if isinstance(error, ModuleNotFoundError | gym.error.DependencyNotInstalled):
        reason = one_line(missing[-1] if missing else error)
        advice = "pip install 'gymnasium[mujoco]'" if 'mujoco' in reason.lower() else 'install it'
        return UnsupportedEnvironmentError(
            f"the environment '{env_id}' needs a package that is not installed ({reason}): {advice}."
        )
    if _is_about_keywords(error, kwargs):
        return UnsupportedEnvironmentError(_about_keywords(env_id, kwargs, one_line(error.__cause__ or error)))
    return UnsupportedEnvironmentError(
        f"the environment '{env_id}' cannot be made: its constructor failed with {described(error)}. "
        'Correct the environment, or install the versions of the packages that it was written for.'
    )


def _is_about_keywords(error: BaseException, kwargs: Mapping[str, Any]) -> bool:
    """Return whether a constructor was called with unknown keywords, or without a required one."""
    if isinstance(error, gym.error.Error):
        return 'render_mode' in one_line(error) and 'render_mode' in kwargs
    origin = error.__cause__ or error  # gymnasium raises a TypeError again, with the keywords
    if not isinstance(origin, TypeError):
        return False
    text = one_line(origin)
    if kwargs and 'takes no arguments' in text and origin_of(origin).filename == registration.__file__:
        return True
    if any(f"unexpected keyword argument '{name}'" in text for name in kwargs):
        return True
    return 'required' in text and origin_of(origin).filename == registration.__file__


def _about_keywords(env_id: str, kwargs: Mapping[str, Any], reason: str) -> str:
    """Return a message that names the missing keywords of a constructor, or its valid keywords."""
    missing = re.findall(r"'(\w+)'", reason.partition('required')[2])
    if missing:
        given = ' '.join(f'--env-arg {name}=VALUE' for name in missing)
        which = ' and '.join(f"'{name}'" for name in missing)
        keywords, them = ('keywords', 'them') if len(missing) > 1 else ('keyword', 'it')
        return (
            f"the environment '{env_id}' cannot be made without the {keywords} {which}; pass {them} to make, or on the "
            f'command line with {given}.'
        )
    if list(kwargs) == ['render_mode'] or "'render_mode'" in reason:
        return f"the environment '{env_id}' cannot be rendered: its constructor does not accept render_mode."
    known = _keywords_of(env_id)
    reason = re.sub(r"\. Did you mean '\w+'\?$", '', reason)  # Python 3.13 adds it; the valid keywords follow below
    unknown = [name for name in kwargs if f"'{name}'" in reason]
    valid = did_you_mean(unknown[0], known) if unknown and known else " See the environment's documentation."
    return f"the environment '{env_id}' cannot be made with {dict(kwargs)}: {reason}.{valid}"


def _keywords_of(env_id: str) -> list[str]:
    """Return the keywords of an environment's constructor; none if its signature cannot be read."""
    with contextlib.suppress(Exception):  # the registry's entry may be any object that makes an environment
        spec = _model_spec(env_id) if is_robot_file(env_id) else gym.spec(_without_module(env_id))
        entry: Any = spec.entry_point
        maker = registration.load_env_creator(entry) if isinstance(entry, str) else entry
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return [name for name, one in inspect.signature(maker).parameters.items() if one.kind in kinds]
    return []


def _unknown(env_id: str) -> str:
    """Return a message with the nearest id: another version of the same name, otherwise a similar name."""
    known = [name for name in gym.registry if '/' not in name]
    base = env_id.rsplit('-v', 1)[0].lower()
    same = [name for name in known if name.rsplit('-v', 1)[0].lower() == base]
    nearest = same[-1:] or difflib.get_close_matches(env_id, known, n=1)
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ''
    return (
        f"there is no environment '{env_id}'. {hint}Give an id of gymnasium's registry, 'Name-v<version>' "
        '(gymnasium.pprint_registry() lists them), module:id for others, or the path of a robot file '
        f'({", ".join(ENDINGS)}).'
    )
