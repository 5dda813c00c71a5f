"""
Disturbances of a real robot: noise, bias, delays, uneven periods, lost frames and failing sensors.

==========================  ===========================================================================
disturbance_settings.py     ``Disturbances``, the settings: units, valid ranges, explanations
disturb_arrays.py           all disturbances of n streams in one object, for vectors of environments and sim_node
disturb_env.py              ``disturb``, which stacks gymnasium wrappers around one environment
one file per disturbance    the disturbance on arrays of n streams and, if it has one, its gymnasium wrapper
random_generators.py        the random generators: one for each stream and disturbance, restarted at resets
signal_deviation.py         the unit of the noise
==========================  ===========================================================================
"""
