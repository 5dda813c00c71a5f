"""
Records a robot's topics in an MCAP file, in a separate process.

``topic_choice.py`` selects the topics, ``recorder.py`` subscribes to them and queues their messages, and
:mod:`velora_ros.recordings` writes the file.
"""
