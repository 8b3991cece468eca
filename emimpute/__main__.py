"""``python -m emimpute``: the same as the command ``emimpute``."""

import sys

from emimpute.interfaces.cli import main

if __name__ == "__main__":
    sys.exit(main())
