"""What the nodes share: topics, parameters, conversions, clocks and the executor."""
