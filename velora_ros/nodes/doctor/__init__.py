"""
Examines a robot before it is armed: live topics or a recording, beside a policy file.

``listen.py`` and :mod:`velora_ros.recordings` get the messages, ``decode.py`` makes arrays of them, ``examine.py`` runs
the checks of :mod:`velora_ros.doctor`, and ``ask.py`` asks for joints to be moved. It publishes nothing.
"""
