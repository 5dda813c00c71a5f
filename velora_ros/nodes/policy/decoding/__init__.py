"""Decode: from a message to its stamp and values, the first step from a state to a command."""
