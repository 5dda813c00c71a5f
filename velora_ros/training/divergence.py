"""What is said where training has run away: one sentence, whatever notices it first."""

from velora_ros.errors import DivergenceError


def diverged(what: str) -> DivergenceError:
    """Return what to raise where a number of the agent's own is not finite; ``what`` begins the sentence."""
    return DivergenceError(
        f'{what} is not finite: training has diverged. Lower actor_lr and critic_lr, lower reward_scale where rewards '
        'are large, or limit the gradients with max_grad_norm, and train a new agent.'
    )
