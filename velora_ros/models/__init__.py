"""The agents: actor, critic, noise and update behind one public class, :class:`LiquidDDPG`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velora_ros.models.liquid_ddpg import LiquidDDPG

__all__ = ['LiquidDDPG']


def __getattr__(name: str) -> Any:
    if name == 'LiquidDDPG':
        from velora_ros.models.liquid_ddpg import LiquidDDPG  # noqa: PLC0415 - importing the package must not load torch

        return LiquidDDPG
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
