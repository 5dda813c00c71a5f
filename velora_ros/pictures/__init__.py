"""
Pictures, as PNG and SVG through matplotlib: learning curves, diagnostics, a policy's wiring and its hidden state.

``read_runs``, ``seed_statistics`` and ``rollout`` provide the data and need only numpy. ``style`` and the other modules
import matplotlib, so import them only where a picture is wanted.
"""
