"""
Pictures for people: learning curves, a policy's wiring, its hidden state at work. PNG and SVG through matplotlib.

It knows policies and environments, no agent and no ROS. ``curves`` and ``rollout`` are data and need numpy alone; the
modules that draw load matplotlib, so that who only sometimes draws imports them late.
"""
