"""
Every kind of command layer by name: the liquid cell, and two other cells for comparison.

A cell takes the inter neurons' output u, its own state h and the elapsed time, and returns h' in [-1, 1]. Everything
around the cell (inter layer, sparse wiring, motor layer, training) stays the same, so that a difference between two
results is due to the cell.

To add a cell, write its torch module and add it to :data:`CELLS`. Without kernels it trains on the torch backend.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from velora_ros.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class CellKind:
    """
    The properties of a cell.

    Args:
        gates: number of gates; the stacked weight has one block of rows for each.
        time_input: whether the elapsed time is another input, dt/T - 1, between u and h; in the liquid cell it is part
            of the equation.
        recurrent: whether h is an input; otherwise there are no synapses from h.
        module: its torch module as ``package.module:Class``, with the interface of
            :class:`velora_ros.liquid.network.Cell`.
        kernels: its compiled loops as ``package.module:Class``, a subclass of
            :class:`velora_ros.liquid.kernels.cell_kernels.CellKernels`; empty if it has none.
    """

    gates: int
    time_input: bool
    recurrent: bool
    module: str
    kernels: str = ''


CFC = 'cfc'
_HERE = 'velora_ros.liquid'
CELLS = {
    CFC: CellKind(4, False, True, f'{_HERE}.cfc_cell:CfCCell', f'{_HERE}.kernels.cfc:CfCKernels'),
    'gru': CellKind(3, True, True, f'{_HERE}.gru_cell:GRUCell', f'{_HERE}.kernels.gru:GRUKernels'),
    'mlp': CellKind(1, True, False, f'{_HERE}.mlp_cell:MLPCell', f'{_HERE}.kernels.mlp:MLPKernels'),
}


def cell_kind(cell: str) -> CellKind:
    """
    Return the cell with this name.

    Raises:
        ConfigError: there is no such cell.
    """
    if cell not in CELLS:
        raise ConfigError(f"there is no cell '{cell}'.{did_you_mean(str(cell), CELLS)}")
    return CELLS[cell]


def module_of(cell: str) -> Any:
    """Return the torch module class of a cell."""
    return _load(cell_kind(cell).module)


def kernels_of(cell: str) -> Any:
    """
    Return the class of a cell's compiled loops.

    Raises:
        ConfigError: the cell has none.
    """
    path = cell_kind(cell).kernels
    if not path:
        with_kernels = ', '.join(name for name, kind in CELLS.items() if kind.kernels)
        raise ConfigError(
            f"the cell '{cell}' has no kernels; use the backend torch, or a cell with kernels: {with_kernels}."
        )
    return _load(path)


def _load(path: str) -> Any:
    """Import the object ``package.module:name``, only when needed: most processes use neither torch nor numba."""
    module, _, name = path.partition(':')
    return getattr(importlib.import_module(module), name)
