"""``velora_ros export FILE --onnx OUT``: a policy for engines that know nothing of this package."""

import argparse

from velora_ros.policy import PolicyFile
from velora_ros.policy.onnx_export import save_onnx


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command."""
    parser = commands.add_parser(
        'export',
        help='write a policy as an ONNX model',
        description=__doc__,
        epilog='The model is one step: observation, hidden, dt in; action, next_hidden out. hidden is zeros and dt the '
        "period at the start of an episode. Names, units, bounds and the digest are in the model's metadata.",
    )
    parser.add_argument('file', metavar='FILE', help='policy file')
    parser.add_argument('--onnx', metavar='OUT', required=True, help='the ONNX file to write')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Export and say what was written.

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
