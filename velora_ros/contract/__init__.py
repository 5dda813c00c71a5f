"""
What an observation is read from and what an action means, for tasks, control and nodes alike.

This subpackage uses only numpy: no ROS, no torch, no clock. Functions of numbers take arrays of any leading shape,
``(..., observation)``, so one robot and a thousand simulations share them.
"""
