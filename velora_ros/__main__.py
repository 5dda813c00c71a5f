"""``python -m velora_ros``: the command line."""

import sys

from velora_ros.cli.main import main

sys.exit(main())
