"""
Defines where observations come from and what actions mean, for tasks, control and nodes.

This subpackage uses only numpy: no ROS, no torch, no clock. Numerical functions take arrays of any leading shape, such
as ``(..., observation)``, so they work for one robot and for a thousand simulations.
"""
