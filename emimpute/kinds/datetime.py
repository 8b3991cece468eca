"""Dates, times and lengths of time: numbers of ticks, kept as exactly as other numbers are.

What is normal here is the moment itself, so these kinds are :class:`~emimpute.kinds.Real` for columns of a clock, under
names that say what they hold. A fill is a moment in the column's unit and zone; a length of time is nothing but a
number, and may come out negative. Where it cannot be, kind ``positive`` takes its logarithm.

>>> import pandas as pd
>>> column = pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-03"]))
>>> coding = Datetime().learn(column)
>>> z = coding.encode(column).lower
>>> coding.decode((z[:1] + z[2:]) / 2, column).astype("M8[D]").tolist()
[datetime.date(2020, 1, 2)]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from emimpute.kinds.real import Real, RealCoding

if TYPE_CHECKING:
    from emimpute.kinds.reading import Family

__all__ = ["Datetime", "DatetimeCoding", "Timedelta", "TimedeltaCoding"]


@dataclass(frozen=True)
class DatetimeCoding(RealCoding):
    """A moment is its distance from the origin, in the unit of the column it was learned from."""

    kind: ClassVar[str] = "datetime"


@dataclass(frozen=True)
class TimedeltaCoding(RealCoding):
    """A length of time in the unit of the column it was learned from, less the origin."""

    kind: ClassVar[str] = "timedelta"


class Datetime(Real):
    """Dates and times, with or without a zone, and periods."""

    name: ClassVar[str] = "datetime"
    families: ClassVar[tuple[Family, ...]] = ("datetime", "zoned", "period")
    coding: ClassVar[type[RealCoding]] = DatetimeCoding


class Timedelta(Real):
    """Time differences."""

    name: ClassVar[str] = "timedelta"
    families: ClassVar[tuple[Family, ...]] = ("timedelta",)
    coding: ClassVar[type[RealCoding]] = TimedeltaCoding
