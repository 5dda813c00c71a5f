"""What computes the values and gradients of an update: torch (complete) and numba (small networks on the CPU)."""
