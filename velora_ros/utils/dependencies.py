"""Optional dependencies: what each extra of the package installs, and how to install it."""

EXTRAS = {
    'train': ('torch', 'gymnasium[torch]', 'matplotlib', 'tensorboardX', 'threadpoolctl', 'tqdm'),
    'render': ('imageio-ffmpeg',),
    'record': ('mcap', 'mcap-ros2-support'),
    'view': ('viser', 'mjviser'),
    'onnx': ('onnx', 'onnxruntime'),
    'sweep': ('pydantic', 'ray[tune]'),
}
"""The packages of setup.py's extras. This package is on no package index, so messages name its dependencies instead."""


def how_to_install(extra: str) -> str:
    """Return a sentence on how to install an extra's dependencies, in a clone or a ROS workspace."""
    names = ' '.join(f"'{name}'" if '[' in name else name for name in EXTRAS[extra])
    return f'Install it into the environment that runs this: pip install {names}.'
