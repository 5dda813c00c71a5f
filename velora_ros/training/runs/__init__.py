"""The run of a training in its folder: configuration, checkpoints, resuming, tables, events, policies, provenance."""
