"""
Many trainings from one file: settings times seeds, side by side on Ray Tune, each in a run folder of its own.

``plan`` says what is to be trained, ``engine`` has it done (the one module that needs Ray), ``trial`` is one training,
``folder`` and ``results`` keep what came of it.
"""
