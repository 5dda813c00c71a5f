"""Decoding reads the stamp and the values from a message: the first step from a state to a command."""
