"""
Records a robot's topics in an MCAP file, in its own process.

``topic_choice.py`` selects the topics, ``recorder.py`` subscribes and queues, :mod:`velora_ros.recordings` writes.
"""
