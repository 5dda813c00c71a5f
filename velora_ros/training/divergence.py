"""The error of a training that has diverged, in the same words wherever it is noticed."""

from velora_ros.errors import DivergenceError


def diverged(what: str) -> DivergenceError:
    """Return the error for a number of the agent that is not finite; ``what`` begins the message."""
    return DivergenceError(
        f'{what} is not finite: training has diverged. Lower actor_lr and critic_lr, lower reward_scale where rewards '
        'are large, or limit the gradients with max_grad_norm, and train a new agent.'
    )
