"""The compiled loops of the liquid network: its layers, cells and matrix products, forwards and backwards."""
