"""``velora_ros export FILE --onnx OUT | --c OUT``: write a policy for other runtimes and languages."""

import argparse

from velora_ros.errors import ConfigError
from velora_ros.policy import PolicyFile
from velora_ros.policy.c_export import save_c
from velora_ros.policy.onnx_export import save_onnx


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``export`` to the parser."""
    parser = commands.add_parser(
        'export',
        help='write a policy as an ONNX model or as C code',
        description=__doc__,
        epilog='The ONNX model is one step with the inputs observation, hidden and dt and outputs action and '
        'next_hidden; names, units, bounds and the digest are in its metadata. The C file has the functions '
        'NAME_reset, NAME_step and NAME_to_si, where NAME comes from the name of the file. docs/export.md explains '
        'both.',
    )
    parser.add_argument('file', metavar='FILE', help='policy file')
    parser.add_argument('--onnx', metavar='OUT', help='the ONNX file to write')
    parser.add_argument('--c', metavar='OUT', help='the C99 file to write')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Export the policy and print what was written.

    Raises:
        VeloraError: no output is named, the policy cannot be read, onnx is missing, or a file cannot be written.
    """
    if not (arguments.onnx or arguments.c):
        raise ConfigError('no output is named; add --onnx OUT, --c OUT, or both.')
    file = PolicyFile.load(arguments.file)
    spec, digest = file.spec, file.digest[:12]
    if arguments.onnx:
        save_onnx(file, arguments.onnx)
        print(
            f'{arguments.onnx}: observation (B, {spec.observation_dim}), hidden (B, {file.hidden_size}), dt (B, 1) [s] '
            f'-> action (B, {spec.action_dim}), next_hidden (B, {file.hidden_size}); digest {digest}'
        )
    if arguments.c:
        name = save_c(file, arguments.c)
        print(
            f'{arguments.c}: {name}_step(state, observation[{spec.observation_dim}], dt [s], '
            f'action[{spec.action_dim}]); digest {digest}'
        )
