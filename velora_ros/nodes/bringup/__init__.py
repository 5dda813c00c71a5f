"""Starts the nodes of a run: what starts, with which parameters, as launch actions or as processes."""
