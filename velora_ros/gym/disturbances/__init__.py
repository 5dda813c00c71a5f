"""What makes an environment, or the simulated robot, as hard as a real one: noise, delay, uneven time, lost frames."""
