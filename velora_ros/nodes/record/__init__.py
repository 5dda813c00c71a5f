"""
Records a robot's topics in an MCAP file, in a process of its own.

``topic_choice.py`` says which topics, ``recorder.py`` subscribes and queues, :mod:`velora_ros.recordings` writes.
"""
