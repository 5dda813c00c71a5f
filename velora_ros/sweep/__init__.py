"""
Many training runs from one file: every setting with every seed, in parallel on Ray Tune, each in its own run folder.

``sweep_file`` checks the file, ``settings`` derives the settings from it, and ``plan`` lists the trials. ``ray_tune``
runs them (the only module that imports Ray), ``trial`` is one training run, ``folder`` and ``results`` store the
results.
"""
