"""Brackets: the numbers that an answer such as "30–39", "65+" or ``pd.Interval(30, 40)`` leaves possible.

:func:`parse` reads one, :class:`Brackets` many as arrays of bounds. Brackets of whole numbers between which a unit is
left, as 30–39 and 40–49, are meant as completed years are: the first reaches up to where the second begins.

>>> parse("30 – 39"), parse("65 and over"), parse("$1.5k-2k").upper
(Bracket(lower=30.0, upper=39.0, left=True, right=True), Bracket(lower=65.0, upper=inf, left=True, right=False), 2000.0)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, shown
from emimpute.kinds.numbers import to_numbers
from emimpute.kinds.reading import read
from emimpute.kinds.writing import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bracket", "Brackets", "brackets", "parse", "step"]


@dataclass(frozen=True)
class Bracket:
    """The numbers from ``lower`` to ``upper``, and whether these themselves belong to it."""

    lower: float
    upper: float
    left: bool = True
    right: bool = True
    unit: float | None = field(default=None, repr=False)  # of the last digit, where it was written as text


_NUMBER = r"[-−+]?\s?(?:\d{1,3}(?:[,' _]\d{3})+|\d+)(?:\.\d+)?|[-−+]?\s?\.\d+|[-−+]?\s?(?:inf|infinity|∞)"
_VALUE = rf"(?P<SIDE>{_NUMBER})\s?(?P<SIDE_unit>[kKmM]\b)?"
_BETWEEN = r"\s*(?:-|–|—|−|\.\.\.?|…|~|\bto\b|\bup to\b|\buntil\b)\s*"
_BELOW = r"(?:<|(?:less|fewer|lower|smaller|younger|shorter) than|under|below|before)"
_UP_TO = r"(?:<=|≤|=<|up to|at most|no more than|not more than|maximum|max\.?)"
_ABOVE = r"(?:>|(?:more|greater|higher|larger|older|longer) than|over|above|after)"
_FROM = r"(?:>=|≥|=>|at least|from|no less than|not less than|minimum|min\.?)"
_OR_MORE = r"(?:\+|(?:and|or|&)\s(?:more|over|above|older|higher|greater|up|longer|later)|plus|and up|or up)"
_OR_LESS = r"(?:(?:and|or|&)\s(?:less|fewer|under|below|younger|lower|shorter|earlier))"


def _form(pattern: str) -> re.Pattern[str]:
    for side in "ab":
        pattern = pattern.replace(f"{{{side}}}", _VALUE.replace("SIDE", side))
    return re.compile(pattern, re.IGNORECASE)


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The ways to write a bracket, in the order in which they are tried; compiled when the first is read."""
    return (
        ("in brackets", _form(r"(?P<open>[\[(\]])\s*{a}\s*[,;]\s*{b}\s*(?P<close>[\])\[])")),
        ("below", _form(_UP_TO.replace("(?:", "(?P<including>", 1) + r"\s*{b}")),
        ("below", _form(_BELOW + r"\s*{b}")),
        ("above", _form(_FROM.replace("(?:", "(?P<including>", 1) + r"\s*{a}")),
        ("above", _form(_ABOVE + r"\s*{a}")),
        ("above", _form(r"{a}\s*(?P<including>" + _OR_MORE[3:])),
        ("below", _form(r"{b}\s*(?P<including>" + _OR_LESS[3:])),
        ("from to", _form(r"(?:from\s)?{a}" + _BETWEEN + r"(?P<less><|under\s|less than\s|below\s)?\s*{b}")),
        ("from to", _form(r"between\s{a}\sand\s{b}")),
        ("one number", _form(r"{a}")),
    )


_UNITS = re.compile(
    r"[$€£¥₹%]|\b(?:years?|yrs?|y|old|of age|months?|weeks?|days?|hours?|hrs?|minutes?|mins|kg|cm)\b"
    r"|\b(?:usd|eur|gbp|euros?|dollars?)\b",
    re.IGNORECASE,
)


def parse(label: Any) -> Bracket | None:
    """The bracket that a ``pd.Interval`` of numbers, a number or a text says; None for anything else.

    Known are 30-39 (with any dash, "to" or "..."), [30, 40), <18, ≤ 17, 65+, "60 and more", "under 18", "at least 60",
    "up to 20", a single number; thousands may be set off by commas or spaces or written as 10k, and units of time and
    money are passed over. The bounds are as written: that the lower one is below the upper one is not checked.
    """
    if isinstance(label, pd.Interval):
        try:
            lower, upper = float(label.left), float(label.right)
        except TypeError:
            return None
        point = lower == upper
        return Bracket(lower, upper, label.closed_left or point, label.closed_right or point)
    if isinstance(label, int | float) and not isinstance(label, bool):
        return Bracket(float(label), float(label))
    if not isinstance(label, str):
        return None
    text = " ".join(_UNITS.sub(" ", label).split())
    for form, pattern in _forms():
        if found := pattern.fullmatch(text):
            return _bracket(form, found.groupdict())
    return None


def _bracket(form: str, said: dict[str, str | None]) -> Bracket:
    if "b" in said and "a" in said and said["b_unit"] and not said["a_unit"]:
        said["a_unit"] = said["b_unit"]  # 10-20k
    (lower, one), (upper, other) = (_number(said, side) for side in "ab")
    unit, including = min(one, other), bool(said.get("including"))
    if form == "in brackets":
        return Bracket(lower, upper, said["open"] == "[", said["close"] == "]", unit)
    if form == "below":
        return Bracket(-math.inf, upper, left=False, right=including, unit=unit)
    if form == "above":
        return Bracket(lower, math.inf, left=including, right=False, unit=unit)
    if form == "one number":
        return Bracket(lower, lower, unit=unit)
    return Bracket(lower, upper, right=not said.get("less"), unit=unit)


def _number(said: dict[str, str | None], side: str) -> tuple[float, float]:
    """A number and the unit of its last digit."""
    text = said.get(side)
    if text is None:
        return math.nan, math.inf
    text = re.sub(r"[,' _]", "", text.replace("−", "-")).replace("∞", "inf")
    thousands = {"": 1.0, "k": 1e3, "m": 1e6}[(said.get(f"{side}_unit") or "").lower()]
    number = float(text) * thousands
    return number, thousands * 10.0 ** -len(text.partition(".")[2]) if math.isfinite(number) else math.inf


def step(found: Sequence[Bracket]) -> float:
    """The unit that is left between brackets written as 30-39, 40-49; 0 where none is, or where they share ends."""
    unit = min((0.0 if b.unit is None else b.unit for b in found), default=0.0)
    if not 0 < unit < math.inf:
        return 0.0
    begins = np.array([b.lower for b in found if b.left])
    ends = np.array([b.upper for b in found if b.right])
    wide = np.array([b.upper for b in found if b.right and b.lower < b.upper])
    meets = np.isclose(ends[:, np.newaxis] + unit, begins, rtol=0, atol=unit / 1e6).any()
    shares = np.isclose(wide[:, np.newaxis], begins, rtol=0, atol=unit / 1e6).any()
    return unit if meets and not shares else 0.0


def reaching(bracket: Bracket, unit: float) -> Bracket:
    """The bracket of completed units: 30–39 reaches up to 40, and more than 64 begins at 65. As it is for unit 0."""
    if not unit:
        return bracket
    lower = bracket.lower if bracket.left else bracket.lower + unit
    upper = bracket.upper + unit if bracket.right else bracket.upper
    return replace(bracket, lower=lower, upper=upper, left=True, right=False)


@dataclass(frozen=True, eq=False)
class Brackets:
    """L brackets as arrays."""

    lower: np.ndarray  # (L,)
    upper: np.ndarray  # (L,)
    left: np.ndarray  # (L,) bool: whether the lower bound itself belongs to it
    right: np.ndarray  # (L,) bool

    @classmethod
    def of(cls, found: Sequence[Bracket]) -> Brackets:
        """From one by one."""
        sides = zip(*((b.lower, b.upper, b.left, b.right) for b in found), strict=True)
        lower, upper, left, right = (np.array(side) for side in sides)
        return cls(lower, upper, left, right)

    @property
    def share_a_point(self) -> bool:
        """Whether one number lies in all of them, ends included: then they say nothing of a spread."""
        return bool(self.lower.max() <= self.upper.min())

    def holding(self, numbers: np.ndarray) -> np.ndarray:
        """Which bracket (r,) holds each of the numbers (r,).

        Of several the narrowest, then the most central; where none does, the nearest.
        """
        found = np.empty(len(numbers), dtype=np.intp)
        rows = max(_PAIRS // len(self.lower), 1)
        for first in range(0, len(numbers), rows):
            found[first : first + rows] = self._holding(numbers[first : first + rows, np.newaxis])
        return found

    def _holding(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            width = self.upper - self.lower
            centre = np.where(np.isinf(width), np.clip(0.0, self.lower, self.upper), self.lower + width / 2)
            away = np.maximum(np.maximum(self.lower - x, x - self.upper), 0.0)
            outside = np.where(self.left, x < self.lower, x <= self.lower)
            outside |= np.where(self.right, x > self.upper, x >= self.upper)
            off = np.abs(x - centre)
        left = np.ones(outside.shape, dtype=bool)
        for cost in (outside, away, np.broadcast_to(width, outside.shape), off):
            kept = np.where(left, cost, np.inf)
            left &= kept == kept.min(axis=1, keepdims=True)
        return np.asarray(left.argmax(axis=1))


_PAIRS = 1 << 18  # of numbers and brackets compared at a time


def brackets(lower: pd.Series[Any], upper: pd.Series[Any]) -> pd.Series[Any]:
    """One column of brackets from two of bounds, for kind ``interval``; closed on both sides.

    A missing bound is none, and so is -inf below or inf above: only a lower bound of 60 says "60 or more". Where both
    are missing the cell is, and where they are equal it is known exactly. Index and name are those of ``lower``.

    Raises ColumnError where a lower bound is above its upper one (naming the row), where bounds are not numbers, and
    where the two have different indexes.

    >>> import pandas as pd
    >>> brackets(pd.Series([30, 60, None]), pd.Series([39, None, None])).tolist()
    [Interval(30.0, 39.0, closed='both'), Interval(60.0, inf, closed='both'), nan]
    """
    if len(lower) != len(upper) or not lower.index.equals(upper.index):
        msg = f"The bounds {shown(lower.name)} and {shown(upper.name)} differ in their index: take them from one frame."
        raise ColumnError(msg)
    zero = Origin(0.0)
    low, high = to_numbers(_without(lower, -np.inf), zero), to_numbers(_without(upper, np.inf), zero)
    crossed = np.flatnonzero(low > high)
    if crossed.size:
        i = crossed[0]
        msg = (
            f"Column {shown(lower.name)} has a lower bound above the upper bound of {shown(upper.name)} in row label "
            f"{shown(lower.index[crossed[:1]].tolist()[0])}: {low[i]:.15g} > {high[i]:.15g}; exchange or correct them."
        )
        raise ColumnError(msg)
    gone = np.isnan(low) & np.isnan(high)
    low, high = (np.where(np.isnan(bound) & ~gone, end, bound) for bound, end in ((low, -np.inf), (high, np.inf)))
    cells = pd.arrays.IntervalArray.from_arrays(low, high, closed="both")
    return pd.Series(cells, index=lower.index, name=lower.name)


def _without(bounds: pd.Series[Any], end: float) -> pd.Series[Any]:
    """Bounds with a gap where they are the ``end`` of the line."""
    view = read(bounds)
    if view is None or view.values.dtype.kind != "f":
        return bounds
    return bounds.mask((view.values == end) & ~view.missing)
