"""A robot of another vendor's DDS, without ROS: it publishes joint states and counts the commands that it gets."""

import os
import sys
import time
from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float64, int32, sequence, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

PATIENCE_S = 170.0  # less than that of the test
# As ROS 2 does it when discovery stays on this machine: no multicast, participants found through their ports.
LOOPBACK = """
    <General><Interfaces><NetworkInterface name="lo"/></Interfaces><AllowMulticast>false</AllowMulticast></General>
    <Discovery>
        <ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>31</MaxAutoParticipantIndex>
        <Peers><Peer Address="127.0.0.1"/></Peers><SPDPInterval>500ms</SPDPInterval>
    </Discovery>
"""


@dataclass
class Time(IdlStruct, typename='builtin_interfaces.msg.dds_.Time_'):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename='std_msgs.msg.dds_.Header_'):
    stamp: Time
    frame_id: str


@dataclass
class JointState(IdlStruct, typename='sensor_msgs.msg.dds_.JointState_'):
    header: Header
    name: sequence[str]
    position: sequence[float64]
    velocity: sequence[float64]
    effort: sequence[float64]


@dataclass
class Dimension(IdlStruct, typename='std_msgs.msg.dds_.MultiArrayDimension_'):
    label: str
    size: uint32
    stride: uint32


@dataclass
class Layout(IdlStruct, typename='std_msgs.msg.dds_.MultiArrayLayout_'):
    dim: sequence[Dimension]
    data_offset: uint32


@dataclass
class Vector(IdlStruct, typename='std_msgs.msg.dds_.Float64MultiArray_'):
    layout: Layout
    data: sequence[float64]


def main(wanted: int) -> int:
    number = int(os.environ['ROS_DOMAIN_ID'])
    domain = Domain(number, f'<CycloneDDS><Domain id="any">{LOOPBACK}</Domain></CycloneDDS>')
    participant = DomainParticipant(number)
    qos = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepLast(1))
    writer = DataWriter(participant, Topic(participant, 'rt/joint_states', JointState), qos=qos)
    reader = DataReader(participant, Topic(participant, 'rt/command', Vector), qos=qos)
    commands = 0
    end = time.monotonic() + PATIENCE_S
    while commands < wanted and time.monotonic() < end:
        now = time.time_ns()
        header = Header(Time(now // 10**9, now % 10**9), '')
        writer.write(JointState(header, ['slider', 'hinge'], [0.1, -0.2], [0.3, -0.4], []))
        time.sleep(0.02)
        commands += sum(len(sample.data) == 1 and abs(sample.data[0]) <= 3.0 for sample in reader.take(10))
    sys.stdout.write(f'{commands} commands\n')
    del domain
    return 0 if commands >= wanted else 1


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1])))
