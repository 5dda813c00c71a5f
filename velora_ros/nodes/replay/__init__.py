"""
Computes what another policy would have commanded in a recording.

``recorded_robot.py`` turns the recorded messages into observations, with policy_node's own decoders;
``what_if.py`` steps the policy with them and compares its commands with the recorded ones.
"""
