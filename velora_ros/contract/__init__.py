"""
The sources of an observation and the meaning of an action, for tasks, control and nodes alike.

This subpackage uses only numpy: no ROS, no torch, no clock. Numerical functions take arrays of any leading shape,
``(..., observation)``, so they work for one robot and for a thousand simulations.
"""
