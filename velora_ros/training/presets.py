"""Presets of hyperparameters: where ``config/train/ID-PRESET.yaml`` is found, and how such a YAML file is read."""

import re
from pathlib import Path
from typing import Any

import yaml

from velora_ros.errors import ConfigError
from velora_ros.utils.shipped_files import share_path


def preset_path(env_id: str, preset: str) -> Path:
    """
    Return a shipped preset of an environment or task, ``config/train/ID-PRESET.yaml``.

    Raises:
        ConfigError: the preset does not exist.
    """
    stem = re.sub(r'[^\w.-]', '-', env_id)
    folder = share_path('config', 'train')
    path = folder / f'{stem}-{preset}.yaml'
    if path.is_file():
        return path
    known = sorted(other.stem.removeprefix(f'{stem}-') for other in folder.glob(f'{stem}-*.yaml'))
    valid = ', '.join([*known, 'recipe'])
    raise ConfigError(f"there is no preset '{preset}' for '{env_id}'; the valid presets are {valid}.")


def read_yaml(path: str | Path) -> dict[str, Any]:
    """
    Return a YAML file's mapping.

    Raises:
        ConfigError: the file cannot be read, or does not hold a mapping.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration '{path}' cannot be read ({error}); give the path of a YAML file."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"the configuration '{path}' is not valid YAML: {' '.join(str(error).split())}. Correct the file."
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"the configuration '{path}' holds a {type(values).__name__}; it must hold 'name: value' lines."
        )
    return values
