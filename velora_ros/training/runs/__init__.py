"""Runs: the folder of a training run, its configuration, checkpoints, tables, events, policies and provenance."""
