"""Make an environment by its id, with an error that helps where it cannot be made."""

import difflib
import os
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.gym.rendering import MUJOCO_GL, OFF_SCREEN, choose_backend

Env = gym.Env[Any, Any]

MODEL_FILE = '.xml'
_MADE_AS = '_velora_made_as'


def is_model_file(env_id: str) -> bool:
    """Return whether this is the path of an MJCF file rather than an id."""
    return env_id.endswith(MODEL_FILE)


def make(env_id: str, **kwargs: Any) -> Env:
    """
    Make a gymnasium environment, or one from an MJCF file.

    Where images are asked for on a machine without a display, the OpenGL backend is chosen before MuJoCo is imported.

    Args:
        env_id: id in gymnasium's registry, ``module:id`` for an environment that registers itself on import, or the
            path of an MJCF file, ``*.xml``, which becomes a :class:`velora_ros.gym.mjcf.ModelEnv`.
        **kwargs: for the environment, e.g. ``render_mode``; for an MJCF file also ``reward`` and ``control_period``.

    Raises:
        UnsupportedEnvironmentError: there is no such id or file, a package is missing, or the environment refuses the
            keywords.
        ConfigError: ``MUJOCO_GL`` names no OpenGL backend.
    """
    if not isinstance(env_id, str):
        raise UnsupportedEnvironmentError(
            f"the environment id is {env_id!r}; it must be text like 'InvertedPendulum-v5'."
        )
    if kwargs.get('render_mode') in OFF_SCREEN:
        choose_backend()
    try:
        env: Env = gym.make(_model_spec(env_id) if is_model_file(env_id) else env_id, **kwargs)
    except UnsupportedEnvironmentError:
        raise
    except RuntimeError as error:
        if MUJOCO_GL not in str(error):  # which MuJoCo looks at whenever it is imported
            raise
        raise ConfigError(
            f"the environment variable {MUJOCO_GL} is '{os.environ.get(MUJOCO_GL)}', which MuJoCo does not know; "
            'set it to egl, osmesa or glfw, or unset it.'
        ) from error
    except (gym.error.UnregisteredEnv, gym.error.DeprecatedEnv, ModuleNotFoundError) as error:
        raise UnsupportedEnvironmentError(_unknown(env_id, error)) from error
    except (ImportError, gym.error.DependencyNotInstalled) as error:
        raise UnsupportedEnvironmentError(
            f"the environment '{env_id}' needs a package that is not installed ({_one_line(error)}); "
            "for the MuJoCo environments: pip install 'gymnasium[mujoco]'."
        ) from error
    except (gym.error.Error, TypeError, ValueError, OSError, AttributeError) as error:
        if 'Malformed' in str(error):
            raise UnsupportedEnvironmentError(_unknown(env_id, error)) from error
        raise UnsupportedEnvironmentError(
            f"the environment '{env_id}' cannot be made with {kwargs or 'its defaults'}: {_one_line(error)}. "
            "Check the keywords against the environment's documentation."
        ) from error
    if _without_module(env_id) != env_id:
        setattr(env.unwrapped, _MADE_AS, env_id)  # its spec forgets the module, without which nobody can make it again
    return env


def id_of(env: Env) -> str | None:
    """Return the id that makes an environment again, ``module:id`` where :func:`make` was given that; None: none."""
    if env.spec is None:
        return None
    made_as: str | None = getattr(env.unwrapped, _MADE_AS, None)
    return made_as or env.spec.id


def same_id(one: str | None, other: str | None) -> bool:
    """Return whether two ids mean one environment: gymnasium, and files of older versions, leave the module out."""
    return one == other or (one is not None and other is not None and _without_module(one) == _without_module(other))


def _model_spec(file: str) -> EnvSpec:
    """Describe an MJCF file's environment so that gymnasium can make it, and a second one of the same making."""
    return EnvSpec('MJCF-v0', entry_point='velora_ros.gym.mjcf:ModelEnv', kwargs={'file': file})


def _without_module(env_id: str) -> str:
    return env_id if is_model_file(env_id) else env_id.partition(':')[2] or env_id


def _unknown(env_id: str, error: Exception) -> str:
    """Name the nearest ids: the same name first, then a similar one."""
    known = [name for name in gym.registry if '/' not in name]
    base = env_id.rsplit('-v', 1)[0].lower()
    same = [name for name in known if name.rsplit('-v', 1)[0].lower() == base]
    nearest = same[-1:] or difflib.get_close_matches(env_id, known, n=1)
    if isinstance(error, ModuleNotFoundError):
        return f"the environment '{env_id}' asks for a module that is not installed ({_one_line(error)}); install it."
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ''
    return (
        f"there is no environment '{env_id}'. {hint}Valid are the ids of gymnasium's registry, 'Name-v<version>' "
        '(gymnasium.pprint_registry() lists them), and module:id for others.'
    )


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split()).rstrip('.')
