"""Kind `interval`: brackets, in which a number is known to lie without being known itself.

The latent coordinate is the number. A bracket such as 30-39 is the interval between its bounds, one without an end is
unbounded there, and equal bounds are a point, so a column may mix exact and bracketed answers. A gap is filled by the
bracket that holds the conditional median; the number itself, its sd and its 95 % interval are in ``fit.cells()``.

Stewart 1983, https://doi.org/10.2307/2297773.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, EMImputeError, shown
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.bracket import Brackets, parse, reaching, step
from emimpute.kinds.levels import Levels, distinct, in_order, plain
from emimpute.kinds.numbers import Z95
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emimpute.kinds.bracket import Bracket

__all__ = ["Interval", "IntervalCoding"]

_SCALES = ("linear", "log")


@dataclass(frozen=True)
class IntervalCoding(Coding):
    """The brackets that gaps may be filled with, and how text is read."""

    levels: Levels
    unit: float = 0.0  # what is left between brackets that are written as 30-39, 40-49
    scale: str = "linear"
    kind: ClassVar[str] = "interval"
    uses_variance: ClassVar[bool] = False

    @cached_property
    def _brackets(self) -> Brackets:
        return Brackets.of(_read(self.levels.labels, self.unit))

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Intervals (n, 1). ColumnError: what is no bracket; lower above upper; on a log scale, nothing above 0."""
        labels, codes = distinct(column)
        used = np.unique(codes[codes >= 0])
        found = _checked([labels[i] for i in used], used, codes, column, self)
        table = np.full((2, len(labels) + 1), np.inf)
        table[0] = -np.inf
        if found:
            each = Brackets.of([reaching(b, self.unit) for b in found])
            table[:, used] = self._latent(each.lower), self._latent(each.upper)
        return Cells(table[0][codes][:, np.newaxis], table[1][codes][:, np.newaxis])

    def _latent(self, numbers: np.ndarray) -> np.ndarray:
        if self.scale == "linear":
            return numbers
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.maximum(numbers, 0.0)))

    def _numbers(self, z: np.ndarray) -> np.ndarray:
        if self.scale == "linear":
            return z
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:  # noqa: ARG002 (a median is enough)
        """The brackets that hold the conditional medians."""
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The brackets that hold ``z`` (r, 1): of ``like``'s categories, or else of those observed in fitting.

        Where several do, the narrowest and most central one; where none does, the nearest.
        """
        levels, among = self.levels, self._brackets
        if isinstance(like.dtype, pd.CategoricalDtype) and len(like.dtype.categories):
            levels = Levels(tuple(map(plain, like.dtype.categories)))
            found = [parse(label) for label in levels.labels]
            if any(bracket is None for bracket in found):
                strange = next(label for label, bracket in zip(levels.labels, found, strict=True) if bracket is None)
                raise ColumnError(_unreadable(strange, like, ""))
            among = Brackets.of([reaching(bracket, self.unit) for bracket in found if bracket])
        return levels.write(among.holding(self._numbers(z[:, 0])), like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Estimate, sd and 95 % interval of the number itself, as floats."""
        m, sd = mean[:, 0], np.sqrt(var[:, 0, 0])
        low, high = (self._numbers(m + side * sd) for side in (-Z95, Z95))
        estimate, spread = self._moments(m, sd)
        return {"estimate": estimate, "sd": spread, "low": low, "high": high}

    def _moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.scale == "linear":
            return mean, sd
        with np.errstate(over="ignore", invalid="ignore"):
            centre = np.exp(mean + sd * sd / 2)
            return centre, centre * np.sqrt(np.expm1(sd * sd))

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd of the number itself."""
        centre, sd = self._moments(mean, np.sqrt(var[0]))
        return f"{centre[0]:.6g}", f"{sd[0]:.6g}"

    def to_json(self) -> dict[str, Any]:
        """Brackets, unit and scale."""
        return {"levels": self.levels.to_json(), "unit": self.unit, "scale": self.scale}


@dataclass(frozen=True)
class Interval(Kind):
    """Brackets: ``pd.Interval`` columns, categories that are intervals, and text like 30-39 that is declared so.

    ``scale="log"`` is for quantities above 0 that are skewed, as incomes: their logarithm is then taken as normal, and
    the log-likelihood is that of the logarithms. Raises EMImputeError for another scale. Two columns of bounds are made
    into one of brackets by :func:`emimpute.kinds.brackets`.
    """

    scale: Literal["linear", "log"] = "linear"
    name: ClassVar[str] = "interval"

    def __post_init__(self) -> None:
        """Refuse a scale that is none."""
        if self.scale not in _SCALES:
            raise EMImputeError(f"Interval(scale=...) is 'linear' or 'log', not {self.scale!r}.")

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Intervals of numbers, or categories that are, unless all observed ones have a number in common."""
        if not _holds_intervals(column):
            return False
        labels, codes = distinct(column)
        found = [parse(labels[i]) for i in np.unique(codes[codes >= 0])]
        return bool(found) and None not in found and not Brackets.of([b for b in found if b]).share_a_point

    def learn(self, column: pd.Series[Any]) -> IntervalCoding:
        """The brackets. ColumnError: nothing observed, what is no bracket, or brackets that say nothing of a spread."""
        labels, codes = distinct(column)
        used = np.unique(codes[codes >= 0])
        if not used.size:
            msg = f"Column {shown(column.name)} has no observed value to learn from: give it values, or leave it out."
            raise ColumnError(msg)
        levels = Levels(labels if isinstance(column.dtype, pd.CategoricalDtype) else in_order(labels))
        coding = IntervalCoding(levels, 0.0, self.scale)
        found = _checked([labels[i] for i in used], used, codes, column, coding)
        unit = step(found)
        if Brackets.of([reaching(b, unit) for b in found]).share_a_point:
            msg = (
                f"Column {shown(column.name)} holds brackets that all have a number in common "
                f"({shown(labels[used[0]])}, for example): they do not tell how far the numbers spread. "
                "Use kind 'ordinal' or 'binary', or 'constant' where there is one only."
            )
            raise ColumnError(msg)
        unread = [label for label in levels.labels if parse(label) is None]
        if unread:  # a category that was not observed
            raise ColumnError(_unreadable(unread[0], column, ""))
        return IntervalCoding(levels, unit, self.scale)

    def restore(self, learned: Mapping[str, Any]) -> IntervalCoding:
        """From brackets, unit and scale."""
        return IntervalCoding(Levels.from_json(learned["levels"]), learned["unit"], learned["scale"])


def _read(labels: Sequence[Any], unit: float) -> list[Bracket]:
    return [reaching(found, unit) for label in labels if (found := parse(label)) is not None]


def _holds_intervals(column: pd.Series[Any]) -> bool:
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if isinstance(dtype, pd.IntervalDtype):
        return getattr(dtype.subtype, "kind", "O") in "iuf"
    return dtype == np.dtype(object) and _all_intervals(column)


def _all_intervals(column: pd.Series[Any]) -> bool:
    observed = np.asarray(column.array, dtype=object)[~missing(column)]
    return observed.size > 0 and all(isinstance(cell, pd.Interval) for cell in observed)


def _checked(
    labels: Sequence[Any], used: np.ndarray, codes: np.ndarray, column: pd.Series[Any], coding: IntervalCoding
) -> list[Bracket]:
    """The brackets that ``labels`` say, ``used`` among the ``codes`` (n,) of ``column``; ColumnError naming a row."""
    found = []
    for label, code in zip(labels, used, strict=True):
        bracket = parse(label)
        if bracket is None or not bracket.lower <= bracket.upper or (coding.scale == "log" and bracket.upper <= 0):
            row = shown(column.index[np.flatnonzero(codes == code)[:1]].tolist()[0])
            if bracket is None:
                raise ColumnError(_unreadable(label, column, f" in row label {row}"))
            if bracket.lower <= bracket.upper:
                what = "nothing above 0, which has no logarithm: correct it, or use scale='linear'."
            else:
                what = f"a lower bound above the upper one ({bracket.lower:.15g} > {bracket.upper:.15g}): correct it."
            raise ColumnError(f"Column {shown(column.name)} holds {shown(label)} in row label {row}, {what}")
        found.append(bracket)
    return found


def _unreadable(label: Any, column: pd.Series[Any], where: str) -> str:
    return (
        f"Column {shown(column.name)} holds {shown(label)}{where}, which is not read as a bracket of numbers: "
        "write it as '30-39', '<18' or '65+', or make pd.Interval of it."
    )
