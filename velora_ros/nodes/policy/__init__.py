"""
policy_node: runs a trained policy on a robot.

``node.py`` has the lifecycle, services and parameters, ``loop.py`` the path of a message: ``decode`` (``decoding/``),
``observe`` and ``decide`` (:mod:`velora_ros.control`), ``encode`` (``encoders.py``); ``serialised_messages.py`` decodes
joint states and encodes vectors as bytes. ``emergency_stop.py`` handles the emergency stop.
"""
