"""
policy_node: runs a trained policy on a robot.

``node.py`` has the lifecycle, the services and the parameters. ``state_to_command.py`` has the path of a message:
``decode`` (``decoding/``), ``observe`` and ``decide`` (:mod:`velora_ros.control`), ``encode`` (``encoders.py``).
``serialised_messages.py`` decodes joint states and encodes vectors as bytes.
"""
