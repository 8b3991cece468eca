"""Kinds of columns: the way from a column's cells to latent coordinates, and back.

``emimpute.kinds.available()`` lists them; :mod:`emimpute.kinds.base` says what one is.
"""

from __future__ import annotations

from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.binary import Binary
from emimpute.kinds.bounded import Bounded
from emimpute.kinds.bracket import brackets
from emimpute.kinds.censored import Censored
from emimpute.kinds.constant import Constant
from emimpute.kinds.count import Count
from emimpute.kinds.datetime import Datetime, Timedelta
from emimpute.kinds.interval import Interval
from emimpute.kinds.nominal import Nominal
from emimpute.kinds.ordinal import Ordinal
from emimpute.kinds.positive import Positive
from emimpute.kinds.real import Real
from emimpute.kinds.registry import available, get, register
from emimpute.kinds.skewed import Skewed
from emimpute.kinds.text import Id, Text

__all__ = [
    "Binary",
    "Bounded",
    "Cells",
    "Censored",
    "Coding",
    "Constant",
    "Count",
    "Datetime",
    "Id",
    "Interval",
    "Kind",
    "Nominal",
    "Ordinal",
    "Positive",
    "Real",
    "Skewed",
    "Text",
    "Timedelta",
    "available",
    "brackets",
    "get",
]

for _kind in (
    Text,
    Id,
    Real,
    Timedelta,
    Datetime,
    Skewed,
    Bounded,
    Positive,
    Censored,
    Count,
    Nominal,
    Ordinal,
    Binary,
    Interval,
    Constant,
):  # the last one in is the first one asked
    register(_kind, source="built in")
