"""Kind `count`: how often something happened, as steps of one latent coordinate.

Up to ten distinct counts are ordered answers, with cut points that are estimated. More of them are intervals between
known bounds, those that a standard normal has under the smoothed distribution of the counts
(:mod:`emimpute.kinds.smoothed`), whose tail goes on beyond the largest. Filled in is the conditional expectation of the
count, rounded to a whole number whatever the dtype; ``fit.cells()`` has it before rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from emimpute.errors import ColumnError, shown
from emimpute.kinds import cutpoints
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.numbers import Z95, Origin, from_numbers, origin_of, to_numbers
from emimpute.kinds.smoothed import Smoothed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["Count", "CountCoding", "FewCounts", "ManyCounts"]

_FEW = 10  # distinct counts up to which each has a cut point of its own


@dataclass(frozen=True)
class CountCoding(Coding):
    """What both codings of counts have in common: whole numbers, read and written exactly."""

    origin: Origin  # zero, and the sort of numbers that the column held
    kind: ClassVar[str] = "count"

    def count_at(self, z: np.ndarray) -> np.ndarray:
        """The count (r,) in whose interval each latent value (r,) lies."""
        raise NotImplementedError

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (r,) of the count, from those of its latent coordinate."""
        raise NotImplementedError

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:
        """Conditional expectations of the count, rounded to whole numbers."""
        expected, _ = self.moments(mean[:, 0], np.sqrt(var[:, 0, 0]))
        return from_numbers(np.rint(expected), self.origin, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The counts in whose intervals ``z`` (r, 1) lies."""
        return from_numbers(self.count_at(z[:, 0]), self.origin, like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Mean and sd of the count, not rounded, and the counts that bound 95 %; floats."""
        m, sd = mean[:, 0], np.sqrt(var[:, 0, 0])
        expected, spread = self.moments(m, sd)
        low, high = (self.count_at(m + side * sd) for side in (-Z95, Z95))
        return {"estimate": expected, "sd": spread, "low": low, "high": high}

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd of the count."""
        (expected,), (sd,) = self.moments(mean, np.sqrt(var[0]))
        return f"{expected:.6g}", f"{sd:.6g}"


@dataclass(frozen=True)
class FewCounts(CountCoding):
    """Some distinct counts with cut points between them, which EM moves.

    A count of new data that was not seen in fitting has the interval of the two counts around it together, or beyond
    them that of the outermost.
    """

    values: tuple[int, ...]  # (L,) increasing
    points: tuple[float, ...]  # (L - 1,)

    @cached_property
    def _at(self) -> np.ndarray:
        return np.array(self.points)

    @cached_property
    def _values(self) -> np.ndarray:
        return np.array(self.values, dtype=float)

    @property
    def cuts(self) -> tuple[np.ndarray, ...]:
        """The cut points."""
        return (self._at.copy(),)

    def settled(self, cuts: tuple[np.ndarray, ...]) -> Self:
        """With the cut points that EM found."""
        return replace(self, points=tuple(cuts[0].tolist()))

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Intervals between cut points (n, 1). ColumnError: what is no count."""
        counts = _counts(column, self.origin)
        gaps, last = np.isnan(counts), len(self.values) - 1
        counts = np.where(gaps, 0.0, counts)
        above = np.searchsorted(self._values, counts, side="left")  # the nearest seen count that is not less
        below = np.searchsorted(self._values, counts, side="right") - 1
        lower = cutpoints.cells(np.where(gaps, -1, np.clip(below, 0, last)), self._at).lower
        upper = cutpoints.cells(np.where(gaps, -1, np.clip(above, 0, last)), self._at).upper
        return Cells(lower, upper)

    def count_at(self, z: np.ndarray) -> np.ndarray:
        """One of the counts that were seen, (r,)."""
        return np.asarray(self._values[cutpoints.level_at(z, self._at)])

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (r,) over the counts that were seen."""
        return cutpoints.moments(cutpoints.probabilities(self._at, mean, sd), self._values)

    def to_json(self) -> dict[str, Any]:
        """Origin, counts and cut points."""
        return {"origin": self.origin.to_json(), "values": list(self.values), "cuts": list(self.points)}


@dataclass(frozen=True)
class ManyCounts(CountCoding):
    """Known bounds for every count, from 0 to far beyond the largest."""

    smoothed: Smoothed

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Intervals between known bounds (n, 1). ColumnError: what is no count."""
        counts = _counts(column, self.origin)
        gaps = np.isnan(counts)
        distinct, place = np.unique(np.where(gaps, 0.0, counts), return_inverse=True)
        low = self.smoothed.bounds(distinct - 1)
        high = np.maximum(self.smoothed.bounds(distinct), low)  # equal where a float cannot tell them apart
        lower, upper = np.where(gaps, -np.inf, low[place]), np.where(gaps, np.inf, high[place])
        return Cells(lower[:, np.newaxis], upper[:, np.newaxis])

    def count_at(self, z: np.ndarray) -> np.ndarray:
        """Any count from 0, (r,)."""
        return self.smoothed.count_at(z)

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (r,) over all counts."""
        return self.smoothed.moments(mean, sd)

    def to_json(self) -> dict[str, Any]:
        """Origin, counts, how often each was seen, and the negative binomial."""
        s = self.smoothed
        learned = {"values": list(s.values), "times": list(s.times), "mu": s.mu, "size": s.size}
        return {"origin": self.origin.to_json()} | learned


class Count(Kind):
    """Counts 0, 1, 2, …, which are declared: numbers are taken as they are otherwise."""

    name: ClassVar[str] = "count"

    def accepts(self, column: pd.Series[Any]) -> bool:  # noqa: ARG002 (only on request: numbers are real by default)
        """Never by itself."""
        return False

    def learn(self, column: pd.Series[Any]) -> CountCoding:
        """Cut points or bounds. ColumnError: no numbers, negative or broken ones, or a single distinct one."""
        origin = origin_of(column)
        if origin.family != "number":
            msg = f"Column {shown(column.name)} holds times, not counts: convert it to numbers, or use kind 'real'."
            raise ColumnError(msg)
        zero = replace(origin, value=0)
        counts = _counts(column, zero)
        counts = counts[~np.isnan(counts)]
        values, times = np.unique(counts, return_counts=True)
        if len(values) == 1:
            msg = (
                f"Column {shown(column.name)} holds one count only ({values[0]:.15g}): "
                "kind 'count' needs two; use kind 'constant'."
            )
            raise ColumnError(msg)
        if len(values) > _FEW:
            return ManyCounts(zero, Smoothed.of(counts))
        return FewCounts(zero, tuple(map(int, values.tolist())), tuple(cutpoints.start(times).tolist()))

    def restore(self, learned: Mapping[str, Any]) -> CountCoding:
        """From counts and cut points, or counts and the negative binomial."""
        origin, values = Origin.from_json(learned["origin"]), tuple(learned["values"])
        if "cuts" in learned:
            return FewCounts(origin, values, tuple(learned["cuts"]))
        return ManyCounts(origin, Smoothed(values, tuple(learned["times"]), learned["mu"], learned["size"]))


def _counts(column: pd.Series[Any], origin: Origin) -> np.ndarray:
    """The counts (n,) as floats, NaN where missing. ColumnError for what is none, naming the first row."""
    counts = to_numbers(column, origin)
    wrong = np.flatnonzero((counts < 0) | (counts != np.rint(counts)) & ~np.isnan(counts))
    if wrong.size:
        row = shown(column.index[wrong[:1]].tolist()[0])
        msg = (
            f"Column {shown(column.name)} holds {counts[wrong[0]]:.15g} in row label {row}, which is no count "
            "(0, 1, 2, ...): correct it, or use kind 'real'."
        )
        raise ColumnError(msg)
    return counts
