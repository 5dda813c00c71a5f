"""
Learned recurrent policies that run on robots.

Train a liquid-network policy (LiquidDDPG) in MuJoCo, save it as one file, and run it in a ROS 2 node in real time.
Importing this package loads neither torch nor ROS: each subpackage imports what it needs.
"""

__version__ = '0.1.0'
