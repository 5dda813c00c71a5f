"""Optional dependencies: what each extra of the package installs, and how to install it."""

EXTRAS = {
    'train': ('torch', 'gymnasium[torch]', 'matplotlib', 'tensorboardX', 'threadpoolctl', 'tqdm'),
    'render': ('imageio-ffmpeg',),
    'record': ('mcap', 'mcap-ros2-support'),
    'view': ('viser', 'mjviser'),
    'onnx': ('onnx', 'onnxruntime'),
    'sweep': ('pydantic', 'ray[tune]'),
}
"""
The dependencies of each extra in setup.py. Messages name these dependencies, because no package index has velora_ros.
"""


def how_to_install(extra: str) -> str:
    """Return a sentence on how to install an extra's dependencies, in a clone or a ROS workspace."""
    names = ' '.join(f"'{name}'" if '[' in name else name for name in EXTRAS[extra])
    return f'Install it in the Python environment of this program: pip install {names}.'
