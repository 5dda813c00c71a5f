"""Runs: the folder of a training, its configuration, checkpoints, tables, events, policies and provenance."""
