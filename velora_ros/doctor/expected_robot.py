"""Derives from a policy file and parameters the robot that the policy expects, in the robot's own names and units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from velora_ros.contract.joint_signals import joint_signal
from velora_ros.contract.source_plan import JOINTS, SourcePlan
from velora_ros.contract.sources import ObservationSettings, plan
from velora_ros.doctor.samples import Array, ExpectedJoint
from velora_ros.policy.foreign.foreign_policy_file import OnnxFile
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.spec.robot_contract import OWN_TYPES, Source

# Sources of these types may be silent, because they are commands.
COMMANDS = ('Twist', 'TwistStamped', 'PoseStamped', 'PointStamped')
IMU = 'Imu'


@dataclass(frozen=True)
class ExpectedSource:
    """
    A topic that the policy reads.

    Args:
        source: the topic and its type.
        fields: the fields that are read.
        is_trigger: whether each message may trigger a command.
    """

    source: Source
    fields: Sequence[str]
    is_trigger: bool

    @property
    def may_be_silent(self) -> bool:
        """Whether the policy runs without messages of this topic, for example because they are velocity commands."""
        return bool(self.source.missing) or self.source.type.rpartition('/')[2] in COMMANDS

    @property
    def joints(self) -> list[str]:
        """The joints whose signals are read, each once."""
        signals = [joint_signal(text) for text in self.fields] if self.source.type == JOINTS else []
        return list(dict.fromkeys(signal[0] for signal in signals if signal))

    @property
    def reads_orientation(self) -> bool:
        """Whether the orientation of an inertial sensor is read."""
        return self.source.type == IMU and any(text.startswith('orientation') for text in self.fields)


@dataclass(frozen=True)
class ExpectedRobot:
    """
    A policy's expectations of a robot.

    Args:
        period: the control period [s].
        sources: the topics that the policy reads, the trigger first.
        joints: the joints whose positions the policy reads.
        commanded: the joints that the policy commands, in the order of its actions; empty if it commands no joints.
        interface: the commanded interface: ``position``, ``velocity`` or ``effort``; ``''`` if it is not known.
        steps_at_period: whether the policy takes one step per period, however often messages arrive.
    """

    period: float
    sources: Sequence[ExpectedSource]
    joints: Sequence[ExpectedJoint]
    commanded: Sequence[str]
    interface: str
    steps_at_period: bool


def expected_robot(
    file: PolicyFile | OnnxFile,
    settings: ObservationSettings,
    *,
    command_fields: Sequence[str] = (),
    rate_hz: float = 0.0,
) -> ExpectedRobot:
    """
    Return a policy's expectations of a robot.

    Args:
        file: the content of the policy file, or of an ONNX model.
        settings: the parameters ``observation.*``, which replace the values in the file.
        command_fields: the parameter ``command.fields``.
        rate_hz: the parameter ``rate_hz``.

    Raises:
        ConfigError: the settings do not fit the policy.
    """
    spec = file.spec
    settings = _from_contract(file) if spec.contract is not None and not settings.fields else settings
    made = plan(spec.observation_names, settings)
    sources = [
        ExpectedSource(one.source, one.fields, is_trigger=place == 0)
        for place, one in enumerate(made.sources)
        if one.source.type not in OWN_TYPES
    ]
    commanded, interface = _commanded(file, command_fields)
    return ExpectedRobot(
        spec.control_period,
        sources,
        [joint for one in made.sources if one.source.type == JOINTS for joint in _joints(file, settings, one)],
        commanded,
        interface,
        steps_at_period=rate_hz != 0 or spec.contract is not None,
    )


def _from_contract(file: PolicyFile | OnnxFile) -> ObservationSettings:
    contract = file.spec.contract
    assert contract is not None
    return ObservationSettings(
        sources=contract.sources,
        fields=contract.fields,
        scale=contract.scale,
        offset=contract.offset,
        transform=contract.transform,
    )


def _joints(file: PolicyFile | OnnxFile, settings: ObservationSettings, one: SourcePlan) -> list[ExpectedJoint]:
    """Return the joints whose positions are read from a source; joint states have one value for each field."""
    spec, count = file.spec, file.spec.observation_dim
    scales = _each(settings.scale, count, 1.0)
    offsets = _each(settings.offset, count, 0.0)
    kinds = settings.transform if len(settings.transform) == count else ('none',) * count
    mean, gain = _statistics(file)
    start = _start_pose(file)
    found = []
    for text, place in zip(one.fields, one.places, strict=True):
        signal = joint_signal(text)
        if signal is None or signal[1] != 'position' or kinds[place] not in ('none', 'unwrap') or gain[place] == 0:
            continue
        spread = float('inf') if kinds[place] == 'unwrap' else 1 / abs(gain[place] * scales[place])
        found.append(
            ExpectedJoint(
                name=signal[0],
                unit=spec.observation_units[place] if spec.observation_units[place] in ('rad', 'm') else '',
                sign=float(np.sign(scales[place])),
                mean=float((mean[place] - offsets[place]) / scales[place]),
                deviation=float(spread),
                start=start.get(signal[0]),
            )
        )
    return found


def _statistics(file: PolicyFile | OnnxFile) -> tuple[Array, Array]:
    """Return each observation's mean and inverse deviation in training, shape (observation,); NaN if unknown."""
    if isinstance(file, OnnxFile):  # they are part of the network
        unknown = np.full(file.spec.observation_dim, np.nan)
        return unknown, unknown
    mean, gain = (file.tensors[f'normalisation.{name}'].astype(float) for name in ('offset', 'scale'))
    return mean, gain


def _each(values: Sequence[float], count: int, default: float) -> Sequence[float]:
    return values if len(values) == count else (default,) * count


def _start_pose(file: PolicyFile | OnnxFile) -> dict[str, float]:
    contract = file.spec.contract
    if contract is None or not contract.command.start_pose:
        return {}
    return dict(zip(contract.command.fields, contract.command.start_pose, strict=True))


def _commanded(file: PolicyFile | OnnxFile, fields: Sequence[str]) -> tuple[list[str], str]:
    contract = file.spec.contract
    names = list(fields or (contract.command.fields if contract is not None else file.spec.action_names))
    signals = [joint_signal(name) for name in names]
    interfaces = {signal[1] for signal in signals if signal}
    interface = contract.command.interface if contract is not None else ''
    joints = [signal[0] if signal else name for signal, name in zip(signals, names, strict=True)]
    if contract is None and not all(signals):
        return [], ''
    if any('.' in name or name.isdecimal() for name in names):  # parts of a Twist, or places in a vector
        return [], interface
    return joints, interface or (interfaces.pop() if len(interfaces) == 1 else '')
