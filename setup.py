"""What the package contains and needs. colcon and ament read this file, setup.cfg and package.xml."""

from itertools import groupby
from operator import attrgetter
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'velora_ros'
SHARE = f'share/{PACKAGE}'


def tree(folder: str) -> list[tuple[str, list[str]]]:
    """Return (folder below share, its files) for a folder and all below it, which is how data_files wants them."""
    files = [path for path in Path(folder).rglob('*') if path.is_file() and path.suffix != '.pyc']
    files.sort(key=attrgetter('parent', 'name'))
    return [
        (f'{SHARE}/{parent}', [str(path) for path in group]) for parent, group in groupby(files, attrgetter('parent'))
    ]


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Trains liquid-network policies in MuJoCo and runs them on robots over ROS 2, in real time.',
    long_description=Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    maintainer='The velora_ros maintainers',
    maintainer_email='maintainers@velora-ros.example',
    license='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.11',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed', 'robots/*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml']),
        *tree('launch'),
        *tree('config'),
        *tree('policies'),
    ],
    # What the process on the robot needs: no torch. rclpy and the messages come from ROS or requirements/ros-*.txt.
    install_requires=[
        'gymnasium[mujoco]>=1.0',
        'mujoco>=3.0',
        'numba>=0.59',
        'numpy>=1.26',
        'pyyaml>=6.0',
        'safetensors>=0.4',
    ],
    extras_require={
        'train': [
            'gymnasium[torch]>=1.0',
            'matplotlib>=3.6',
            'tensorboardX>=2.6',
            'threadpoolctl>=3.1',
            'torch>=2.1',
            'tqdm>=4.64',
        ],
        'render': ['imageio-ffmpeg>=0.5'],
        'record': ['mcap>=1.6', 'mcap-ros2-support>=0.6'],
        'view': ['mjviser>=0.0.14', 'viser>=1.0.27'],
        'onnx': ['onnx>=1.16', 'onnxruntime>=1.18'],
        'sweep': ['pydantic>=2.5', 'ray[tune]>=2.60'],
        'test': [
            'hypothesis>=6.90',
            'ipython>=8.0',
            'ncps>=1.0',
            'playwright>=1.40',
            'psutil>=5.9',
            'pytest>=7.4',
            'pytest-xdist>=3.5',
            'tensorboard>=2.14',
        ],
    },
    zip_safe=False,
    entry_points={
        'console_scripts': [
            f'{PACKAGE} = {PACKAGE}.cli.main:main',
            f'sim_node = {PACKAGE}.nodes.sim.__main__:main',
            f'policy_node = {PACKAGE}.nodes.policy.__main__:main',
            f'trainer_node = {PACKAGE}.nodes.trainer.__main__:main',
            f'view_node = {PACKAGE}.nodes.view.__main__:main',
            f'record = {PACKAGE}.nodes.record.__main__:main',
            f'doctor = {PACKAGE}.nodes.doctor.__main__:main',
        ],
    },
)
