"""The file that a run starts from (``--from``): a policy, a saved agent, or a checkpoint, also of another run."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError, PolicyFileError, SpecError
from velora_ros.policy import PolicyFile
from velora_ros.policy.file_kinds import AGENT, AGENT_KEY, CHECKPOINT, MISSING, POLICY, RUN, identify
from velora_ros.spec import PolicySpec
from velora_ros.training.runs.paths import RunPaths, checkpoint_files

OF_THE_ACTOR = ('n_neurons', 'sparsity', 'cell', 'normalise', 'dt_input')
OF_THE_CRITIC = ('critic_sizes', 'n_critics', 'critic_neurons')


@dataclass(frozen=True)
class StartFile:
    """
    A file that a run starts from.

    Args:
        path: the file itself; for a run, its newest checkpoint.
        kind: ``policy``, ``agent`` or ``checkpoint``.
        fixed: hyperparameters that the file determines, by name.
        spec: observations and actions of the policy; None if an agent was saved before it was trained.
        environment: id of the environment in which the policy was trained; None: not known.
        digest: SHA-256 of the content, in hex.
        provenance: how the policy was trained.
        policy: the policy, if the file is one.
    """

    path: Path
    kind: str
    fixed: Mapping[str, Any]
    spec: PolicySpec | None
    environment: str | None
    digest: str
    provenance: Mapping[str, Any]
    policy: PolicyFile | None = None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'StartFile':
        """
        Read the data that training needs from a file; only a policy is read completely.

        Raises:
            PolicyFileError: the file is damaged, or is not a policy, a saved agent, a checkpoint or a run folder.
        """
        place = Path(path)
        found = identify(place)
        if found.kind == RUN:
            kept = checkpoint_files(RunPaths(place))
            if not kept:
                raise PolicyFileError(f"the run in '{place}' has no checkpoint yet; give one of its policy files.")
            place, found = kept[0], identify(kept[0])
        if found.kind == POLICY:
            return cls._of_policy(place, PolicyFile.load(place))
        if found.kind in (AGENT, CHECKPOINT):
            return cls._of_agent(place, found.kind)
        what = 'does not exist' if found.kind == MISSING else f'is {found.text}'
        raise PolicyFileError(
            f"'{place}' {what}; training can start from a policy, a saved agent, a checkpoint, or the folder of a run."
        )

    @classmethod
    def _of_policy(cls, place: Path, file: PolicyFile) -> 'StartFile':
        scale, offset = file.tensors['normalisation.scale'], file.tensors['normalisation.offset']
        before = file.provenance.get('hyperparameters')
        dt_input = before.get('dt_input', True) if isinstance(before, dict) else True
        fixed = {
            'n_neurons': file.n_neurons,
            'sparsity': float(file.wiring.get('sparsity', 0.5)),
            'cell': file.cell,
            'normalise': bool((scale != 1).any() or (offset != 0).any()),
            'dt_input': bool(dt_input),
        }
        return cls(place, POLICY, fixed, file.spec, file.environment, file.digest, file.provenance, file)

    @classmethod
    def _of_agent(cls, place: Path, kind: str) -> 'StartFile':
        data = place.read_bytes()
        try:
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], 'little')])
            metadata = json.loads(header['__metadata__'][AGENT_KEY])
            arguments, spec = metadata['arguments'], metadata['spec']
            fixed = {name: arguments[name] for name in (*OF_THE_ACTOR, *OF_THE_CRITIC) if name in arguments}
            fixed['critic_sizes'] = tuple(fixed['critic_sizes'])
            return cls(
                place,
                kind,
                fixed,
                None if spec is None else PolicySpec.from_dict(spec),
                metadata['environment'],
                hashlib.sha256(data).hexdigest(),
                metadata['provenance'],
            )
        except (ValueError, KeyError, TypeError, SpecError) as error:
            raise PolicyFileError(f"'{place}' is a damaged saved agent ({error}); load another copy of it.") from error

    def refuse_others(self, given: Mapping[str, Any]) -> None:
        """
        Check that the given hyperparameters agree with the file's.

        Raises:
            ConfigError: a value differs.
        """
        for name, value in given.items():
            if name in self.fixed and self.fixed[name] != (tuple(value) if isinstance(value, list) else value):
                raise ConfigError(
                    f"{name} is {value!r}, but '{self.path}' has {self.fixed[name]!r}, and training from it "
                    f'keeps this value; omit {name}, or train a new agent.'
                )

    def refuse_other_contract(self, spec: PolicySpec) -> None:
        """
        Check that the policy's observations, actions and period match an environment's.

        Units may differ, and so may numbered names (``action_0``), because older files have different names.

        Raises:
            SpecError: names, bounds or the nominal period differ.
        """
        if self.spec is None:
            return
        for field in ('observation_names', 'action_names', 'action_low', 'action_high', 'control_period'):
            own, others = getattr(self.spec, field), getattr(spec, field)
            if own != others and not (field.endswith('names') and _same_names(own, others)):
                raise SpecError(
                    f"the policy in '{self.path}' has {field} {_shown(own)}, but this environment has "
                    f'{_shown(others)}; training can only continue in an environment with the same observations, '
                    'actions and period. Use such an environment, or train a new agent.'
                )

    def summary(self) -> dict[str, Any]:
        """Return the entry about this file for the provenance of the new policies."""
        return {
            'file': self.path.name,
            'kind': self.kind,
            'digest': self.digest,
            'environment': self.environment,
            'steps': self.provenance.get('steps'),
            'seed': self.provenance.get('seed'),
        }


def _same_names(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    pairs = list(zip(one, other, strict=False))
    return len(one) == len(other) and all(a == b or _counts(a) or _counts(b) for a, b in pairs)


def _counts(name: str) -> bool:
    """Return whether a name is only a numbered placeholder, such as ``obs_3`` or ``action_0``."""
    word, _, number = name.rpartition('_')
    return word in ('obs', 'action') and number.isdecimal()


def _shown(value: Any) -> str:
    return f'[{", ".join(map(str, value))}]' if isinstance(value, tuple) else f'{value:g} s'
