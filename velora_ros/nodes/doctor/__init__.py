"""
Examines a robot before it is armed: compares live topics or a recording with a policy file.

``listen.py`` and :mod:`velora_ros.recordings` get the messages, ``decode.py`` converts them to arrays, ``examine.py``
runs the checks of :mod:`velora_ros.doctor`, and ``ask.py`` asks the user to move joints. Nothing is published.
"""
