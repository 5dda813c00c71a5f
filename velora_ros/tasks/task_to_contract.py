"""The contract of a task's policies: where a robot provides each observation, and what it receives for each action."""

from dataclasses import replace
from typing import Any

from velora_ros.errors import SpecError
from velora_ros.policy import PolicyFile
from velora_ros.spec import RobotContract, Source
from velora_ros.tasks.episodes import Episodes
from velora_ros.tasks.observation_noise_and_delay import Observer
from velora_ros.tasks.observation_sources import IMU, JOINTS, ODOMETRY, XYZ, Reading, identifier
from velora_ros.tasks.terms.term import Observation


def robot_contract(task: Any, episodes: Episodes) -> RobotContract | None:
    """Return the contract of a task; None if its action does not define what a robot receives."""
    command = getattr(episodes.drive, 'command', None)
    if command is None:
        return None
    observer = episodes.observer
    found = [reading_of(observer, term, place) for term, place in zip(observer.terms, observer.places, strict=True)]
    return RobotContract(
        task=task.name,
        varied=tuple(f'{one.name}: {one.detail}' if one.detail else one.name for one in task.built.vary),
        sources=_ordered(found, episodes),
        fields=tuple(field for reading in found for field in reading.fields),
        scale=tuple(observer.scale.tolist()),
        default=tuple(value for reading in found for value in reading.defaults or (0.0,) * len(reading.fields)),
        command=command,
        transform=_transforms(found),
    )


def with_contract(file: PolicyFile, task: Any) -> PolicyFile:
    """
    Return a policy that was trained on a task, with the task's contract and unchanged weights.

    Raises:
        SpecError: the policy's observations or actions differ from the task's.
    """
    spec = task.policy_spec
    contract = spec.contract
    if contract is None:
        raise SpecError(f"the task '{task.name}' does not define what a robot receives; give its action a 'command'.")
    for name, own, offered in replace(file.spec, contract=None).differences(replace(spec, contract=None)):
        raise SpecError(
            f"the policy has {name} {own} and the task '{task.name}' has {offered}; give the task that the policy was "
            'trained on.'
        )
    if file.provenance.get('env_args', {}).get('undisturbed'):
        contract = replace(contract, varied=())
    return replace(file, spec=replace(file.spec, contract=contract))


def reading_of(observer: Observer, term: Observation, place: slice) -> Reading:
    """Return where a robot provides a term: in a standard message, otherwise in a Float64MultiArray of its own."""
    count = place.stop - place.start
    reading = term.find(observer.sim) or _by_its_source(term, count)
    if reading is not None:
        return reading
    name = identifier(term.name).strip('_')
    source = Source(name, f'observation/{name}', 'Float64MultiArray')
    return Reading((source,), tuple(f'{name}:{i}' for i in range(count)))


def _by_its_source(term: Observation, count: int) -> Reading | None:
    """Return where a user's term is read from, if its source says so, for example ``Odometry twist.twist.linear.x``."""
    kind, _, path = term.source.partition(' ')
    source = next((one for one in (IMU, ODOMETRY) if one.type == kind), None)
    if source is None or count not in (1, 3) or not path.replace('.', '').replace('_', '').isalnum():
        return None
    return Reading((source,), tuple(f'{source.name}:{path}{f".{axis}" if count == 3 else ""}' for axis in XYZ[:count]))


def _transforms(readings: list[Reading]) -> tuple[str, ...]:
    """Return the transform of each observation; empty if there is none."""
    each = [kind for one in readings for kind in one.transforms or ('none',) * len(one.fields)]
    return () if set(each) == {'none'} else tuple(each)


def _ordered(readings: list[Reading], episodes: Episodes) -> tuple[Source, ...]:
    """Return all sources. The first one triggers a step of the policy: joint states, otherwise the first sensor."""
    sources: dict[str, Source] = {}
    for reading in readings:
        for one in reading.sources:
            sources.setdefault(one.name, one)
    told = {one.name for one in episodes.sim.command_sources.values()}

    def rank(source: Source) -> int:
        return 3 if not source.topic else 2 if source.name in told else int(source.type != JOINTS.type)

    return tuple(sorted(sources.values(), key=rank))
