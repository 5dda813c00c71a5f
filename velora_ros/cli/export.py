"""``velora_ros export FILE --onnx OUT``: write a policy as an ONNX model, for other runtimes and languages."""

import argparse

from velora_ros.policy import PolicyFile
from velora_ros.policy.onnx_export import save_onnx


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command."""
    parser = commands.add_parser(
        'export',
        help='write a policy as an ONNX model',
        description=__doc__,
        epilog='The model is one step with the inputs observation, hidden and dt and outputs action and next_hidden. '
        'At the start of an episode hidden is zero and dt is the nominal period. Names, units, bounds and the digest '
        "are in the model's metadata.",
    )
    parser.add_argument('file', metavar='FILE', help='policy file')
    parser.add_argument('--onnx', metavar='OUT', required=True, help='the ONNX file to write')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Export the policy and print what was written.

    Raises:
        VeloraError: the policy cannot be read, onnx is missing, or the file cannot be written.
    """
    file = PolicyFile.load(arguments.file)
    save_onnx(file, arguments.onnx)
    spec = file.spec
    print(
        f'{arguments.onnx}: observation (B, {spec.observation_dim}), hidden (B, {file.hidden_size}), dt (B, 1) [s] -> '
        f'action (B, {spec.action_dim}), next_hidden (B, {file.hidden_size}); digest {file.digest[:12]}'
    )
