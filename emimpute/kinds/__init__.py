"""Kinds of columns: the way from a column's cells to latent coordinates, and back.

``emimpute.kinds.available()`` lists them; :mod:`emimpute.kinds.base` says what one is.
"""

from __future__ import annotations

from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.constant import Constant
from emimpute.kinds.real import Real
from emimpute.kinds.registry import available, get, register

__all__ = ["Cells", "Coding", "Constant", "Kind", "Real", "available", "get"]

for _kind in (Real, Constant):  # the last one in is the first one asked
    register(_kind, source="built in")
