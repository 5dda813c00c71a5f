"""
policy_node: runs a trained policy on a robot.

``node.py`` has the lifecycle, services and parameters, ``loop.py`` the path of a message: ``decode``
(``decoding/decoders.py``), ``observe`` and ``decide`` (:mod:`velora_ros.control`), ``encode`` (``encoders.py``).
"""
