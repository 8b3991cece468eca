"""How the cells of a column become places on an axis: numbers, dates, lengths of time, or levels in a row."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import dates as untyped_dates
from matplotlib.axis import XAxis
from matplotlib.ticker import MaxNLocator

from emimpute.kinds.reading import missing, read
from emimpute.plots.words import each, font

if TYPE_CHECKING:
    from datetime import tzinfo

    from matplotlib.axis import Axis

dates: Any = untyped_dates

__all__ = ["Levels", "Scale", "scale_of"]

_OF_LEVELS = frozenset({"nominal", "ordinal", "binary"})  # kinds of categories, whatever stands for these in the cells
_FEW = 25  # whole numbers from the first to the last, up to which each is a level of its own
_TICKS = 5
_LETTERS = 30  # of all tick labels below a panel, above which these are slanted
_SECONDS = {"D": 86400.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}  # in a tick of the clock
_LENGTHS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


class Scale(ABC):
    """The way from cells to an axis."""

    unit: str = ""  # what is said behind the column's name

    @abstractmethod
    def at(self, cells: pd.Series[Any]) -> np.ndarray:
        """Places (n,) of ``cells``, NaN for missing ones."""

    @abstractmethod
    def dress(self, axis: Axis, *, longest: int = 14) -> None:
        """Ticks and their labels, these of ``longest`` characters at most."""


@dataclass(frozen=True)
class Numbers(Scale):
    """Numbers are their own places."""

    def at(self, cells: pd.Series[Any]) -> np.ndarray:
        """The numbers."""
        view = read(cells)
        if view is None:
            return np.full(len(cells), np.nan)
        return np.where(view.missing, np.nan, np.where(view.missing, 0, view.values).astype(float))

    def dress(self, axis: Axis, *, longest: int = 14) -> None:  # noqa: ARG002 (numbers are short)
        """Few ticks: panels are small."""
        axis.set_major_locator(MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))


@dataclass(frozen=True)
class Logarithms(Scale):
    """Positive numbers at their decimal logarithms, under ticks in their own unit."""

    unit: str = "log scale"

    def at(self, cells: pd.Series[Any]) -> np.ndarray:
        """Decimal logarithms; NaN for what has none."""
        x = Numbers().at(cells)
        logarithms: np.ndarray = np.log10(x, where=x > 0, out=np.full(len(x), np.nan))
        return logarithms

    def dress(self, axis: Axis, *, longest: int = 14) -> None:  # noqa: ARG002 (numbers are short)
        """Ticks at whole powers of ten; where the view spans few of these, at 1, 2 and 5 times them."""
        low, high = axis.get_view_interval()
        for leading in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
            powers = range(math.floor(low) - 1, math.ceil(high) + 1)
            ticks = [math.log10(k) + power for power in powers for k in leading]
            ticks = [tick for tick in ticks if low <= tick <= high]
            if len(ticks) >= 3:
                break
        step = -(-len(ticks) // _TICKS)
        axis.set_ticks(ticks[::step], labels=[_power(tick) for tick in ticks[::step]])


@dataclass(frozen=True)
class Dates(Scale):
    """Points in time, in days as matplotlib counts them; periods begin where they begin."""

    zone: tzinfo | None = None

    def at(self, cells: pd.Series[Any]) -> np.ndarray:
        """Days since 1970."""
        if isinstance(cells.dtype, pd.PeriodDtype):
            cells = cells.dt.to_timestamp()
        view = read(cells)
        if view is None or view.unit is None:
            return np.full(len(cells), np.nan)
        days = np.asarray(dates.date2num(view.values.astype(f"M8[{view.unit}]")), dtype=float)
        return np.where(view.missing, np.nan, days)

    def dress(self, axis: Axis, *, longest: int = 14) -> None:  # noqa: ARG002 (dates are short)
        """Dates, as short as they can be."""
        locator = dates.AutoDateLocator(tz=self.zone, minticks=2, maxticks=_TICKS)
        axis.set_major_locator(locator)
        axis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=self.zone))


@dataclass(frozen=True)
class Lengths(Scale):
    """Lengths of time, in the largest unit of which there are some."""

    unit: str = "seconds"
    seconds: float = 1.0  # in a unit

    def at(self, cells: pd.Series[Any]) -> np.ndarray:
        """The lengths in that unit."""
        return _seconds(cells) / self.seconds

    def dress(self, axis: Axis, *, longest: int = 14) -> None:  # noqa: ARG002 (numbers are short)
        """Few ticks: panels are small."""
        axis.set_major_locator(MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))


@dataclass(frozen=True, eq=False)
class Levels(Scale):
    """Answers one after the other: level k at k."""

    levels: tuple[Any, ...]

    def at(self, cells: pd.Series[Any]) -> np.ndarray:
        """Which level each cell is."""
        places = {level: float(place) for place, level in enumerate(self.levels)}
        gaps = missing(cells)
        return np.array(
            [np.nan if gap else places.get(cell, np.nan) for cell, gap in zip(cells.tolist(), gaps, strict=True)]
        )

    def words(self, longest: int) -> list[str]:
        """The levels as they are drawn."""
        return each(self.levels, longest)

    def dress(self, axis: Axis, *, longest: int = 14) -> None:
        """A tick for each level, or for some of them where there are many."""
        step = max(1, -(-len(self.levels) // 12))
        words = self.words(longest)[::step]
        slanted: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
        long = isinstance(axis, XAxis) and max(map(len, words), default=0) * len(words) > _LETTERS
        axis.set_ticks(range(0, len(self.levels), step), labels=words, **font(*words), **(slanted if long else {}))


def scale_of(  # noqa: PLR0911 (one return for each scale)
    cells: pd.Series[Any], kind: str, also: pd.Series[Any] | None = None
) -> Scale:
    """The scale of a column of that kind; ``also`` holds cells that may lie outside what was observed.

    A column of few different whole numbers, as answers from 1 to 5 are, has levels.
    """
    everything = cells if also is None else pd.concat([cells, also])
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return Levels(tuple(cells.cat.categories.tolist()))
    view = read(everything)
    if view is None or kind in _OF_LEVELS or pd.api.types.infer_dtype(cells, skipna=True) == "boolean":
        return Levels(_sorted(everything))
    if view.family in {"datetime", "zoned", "period"}:
        return Dates(getattr(cells.dtype, "tz", None))
    if view.family == "timedelta":
        longest = np.nanmax(np.abs(_seconds(everything)), initial=0.0)
        return Lengths(*next((one for one in _LENGTHS if longest >= 2 * one[1]), _LENGTHS[-1]))
    if kind == "positive":
        return Logarithms()
    found = view.observed
    if view.values.dtype.kind in "iu" and len(found) and int(found.max()) - int(found.min()) < _FEW:
        return Levels(tuple(range(int(found.min()), int(found.max()) + 1)))
    return Numbers()


def _power(tick: float) -> str:
    """A decimal logarithm as the number it is of; ``10^6`` where that is long."""
    power = math.floor(tick + 1e-9)
    if -4 < power < 5:
        return f"{10**tick:.0f}" if power >= 0 else f"{10**tick:.4g}"
    leading = round(10 ** (tick - power))
    times = "" if leading == 1 else rf"{leading} \times "
    return f"${times}10^{{{power}}}$"


def _sorted(cells: pd.Series[Any]) -> tuple[Any, ...]:
    """The different observed cells, in order where they have one."""
    found = list(dict.fromkeys(cells[~missing(cells)].tolist()))
    try:
        return tuple(sorted(found))
    except TypeError:
        return tuple(sorted(found, key=str))


def _seconds(cells: pd.Series[Any]) -> np.ndarray:
    view = read(cells)
    if view is None or view.unit is None:
        return np.full(len(cells), np.nan)
    return np.where(view.missing, np.nan, view.values.astype(float) * _SECONDS[view.unit])
