"""Numbers of a column as a person reads them: times as times, and no finer than their spread gives a reason to.

>>> import pandas as pd
>>> from emimpute.kinds.writing import Origin
>>> printed(36.5, 2.25, Origin(18262, "datetime", "D"))
('2020-02-06 12:00', '2 days 06:00')
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.kinds.numbers import summary
from emimpute.kinds.writing import clock, split

if TYPE_CHECKING:
    from emimpute.kinds.writing import Origin

__all__ = ["printed"]

_DIGITS = ".6g"
_UNITS = (("min", 86_400.0), ("s", 3_600.0), ("ms", 1.0), ("us", 1e-3))  # rounded to; the least spread in seconds


def printed(mean: float, sd: float, origin: Origin) -> tuple[str, str]:
    """Mean and sd of numbers counted from ``origin``, as text: of datetimes (those with a zone in UTC) and so on."""
    if origin.family == "number" or not math.isfinite(mean + sd):
        high, low = split(origin.value)
        return f"{(mean + low) + high:{_DIGITS}}", f"{sd:{_DIGITS}}"
    like = pd.Series(dtype=_dtype(origin))
    told = summary(np.array([mean]), np.array([sd]), origin, like)
    estimate, spread = told["estimate"][0], told["sd"][0]
    if origin.family == "period":
        return str(estimate), f"{spread:{_DIGITS}} periods"
    unit = _finest(spread)
    place = _elapsed(estimate, unit) if origin.family == "timedelta" else _moment(estimate, unit)
    return place, _elapsed(spread, unit)


def _dtype(origin: Origin) -> Any:
    if origin.family == "period":
        return origin.unit
    return clock(origin.family, "s" if origin.unit == "D" else str(origin.unit))


def _finest(spread: pd.Timedelta) -> str:
    """The unit below which digits of something that varies by ``spread`` say nothing."""
    seconds = spread.total_seconds()
    return next((unit for unit, least in _UNITS if seconds >= least), "ns")


def _moment(moment: pd.Timestamp, unit: str) -> str:
    if unit == "min":
        return f"{moment.round(unit):%Y-%m-%d %H:%M}{'' if moment.tz is None else ' UTC'}"
    rounded = moment if unit == "ns" else moment.round(unit)  # pandas 2 fails to round to what is finer than the unit
    return str(rounded.tz_localize(None)) + ("" if moment.tz is None else " UTC")


def _elapsed(elapsed: pd.Timedelta, unit: str) -> str:
    rounded = elapsed if unit == "ns" else elapsed.round(unit)  # pandas 2 cannot round to what is finer than its unit
    said = str(rounded).removeprefix("0 days ")
    if unit == "min":
        return said.removesuffix(":00")
    return said.rstrip("0") if "." in said else said
