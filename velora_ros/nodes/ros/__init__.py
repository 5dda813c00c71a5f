"""Code that the nodes share: topics, parameters, conversions, clocks and the executor."""
