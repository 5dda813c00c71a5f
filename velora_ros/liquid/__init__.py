"""
The liquid network: wiring (numpy) -> cell (one step, explicit hidden state and elapsed time) -> network (a sequence).

``Wiring`` needs no torch; the other names import it on first use.
"""

from typing import TYPE_CHECKING, Any

from velora_ros.liquid.wiring import Wiring

if TYPE_CHECKING:
    from velora_ros.liquid.cfc_cell import CfCCell
    from velora_ros.liquid.network import LiquidNetwork

__all__ = ['CfCCell', 'LiquidNetwork', 'Wiring']


def __getattr__(name: str) -> Any:
    if name == 'CfCCell':
        from velora_ros.liquid.cfc_cell import CfCCell  # noqa: PLC0415 - the robot's process must start without torch

        return CfCCell
    if name == 'LiquidNetwork':
        from velora_ros.liquid.network import LiquidNetwork  # noqa: PLC0415

        return LiquidNetwork
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
