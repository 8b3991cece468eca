"""Two kinds of columns for emimpute: amounts that people round, and directions of the compass.

Installing the package is all that is needed: its entry points make the names ``heaped`` and ``compass`` known.
"""

from emimpute_heaped.compass import Compass
from emimpute_heaped.heaped import Heaped

__all__ = ["Compass", "Heaped"]
