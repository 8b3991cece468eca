"""Kind `ordinal`: answers in order, each the interval of one latent coordinate between two cut points.

Only the order counts, not the distances: where the cut points lie is estimated with everything else, started from the
observed shares. A gap is filled by the median category, which has the least expected distance, or by the most probable
one. A level that is declared but was never observed has no place between two cut points: it is left out of the coding,
has probability 0, and stays a category of the dtype.

McKelvey & Zavoina 1975, https://doi.org/10.1080/0022250X.1975.9989847; Olsson 1979,
https://doi.org/10.1007/BF02296207.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, EMImputeError, named, shown
from emimpute.kinds import cutpoints
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.levels import Levels, distinct, in_order, plain, values_of
from emimpute.kinds.numbers import Z95
from emimpute.kinds.reading import missing, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Ordinal", "OrdinalCoding", "learned_cuts"]


@dataclass(frozen=True)
class OrdinalCoding(Coding):
    """Levels in order, and the cut points between those that were seen."""

    levels: Levels  # all that are declared
    seen: tuple[int, ...]  # places of the L that were observed
    points: tuple[float, ...]  # L - 1 cut points
    fill: str = "median"
    estimated: bool = True  # whether EM moves the cut points
    kind: ClassVar[str] = "ordinal"

    @cached_property
    def kept(self) -> Levels:
        """The L levels that were seen in fitting."""
        return self.levels.take(self.seen)

    @property
    def unseen(self) -> tuple[Any, ...]:
        """Levels that are declared and were never observed: nothing is ever filled with them."""
        return tuple(label for i, label in enumerate(self.levels.labels) if i not in self.seen)

    @cached_property
    def _at(self) -> np.ndarray:
        return np.array(self.points)

    @property
    def cuts(self) -> tuple[np.ndarray, ...]:
        """The cut points, unless they are fixed."""
        return (self._at.copy(),) if self.estimated else super().cuts

    def settled(self, cuts: tuple[np.ndarray, ...]) -> Self:
        """With the cut points that EM found."""
        return replace(self, points=tuple(cuts[0].tolist())) if self.estimated else self

    @property
    def within(self) -> np.ndarray | None:
        """Variance 1 where the cut points are fixed: they are then those of a standard normal."""
        return None if self.estimated else np.ones((1, 1))

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Intervals between cut points (n, 1). ColumnError: a level that was not seen in fitting."""
        return cutpoints.cells(self.kept.codes(column), self._at)

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:
        """The median category, or with ``fill="mode"`` the most probable one."""
        if self.fill == "mode":
            return self.kept.write(self._shares(mean, var).argmax(axis=1), like)
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The levels in which ``z`` (r, 1) lies."""
        return self.kept.write(cutpoints.level_at(z[:, 0], self._at), like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """The level that is filled in, those that bound 95 %, and the sd of the levels' numbers or else of ranks."""
        m, sd = mean[:, 0], np.sqrt(var[:, 0, 0])
        shares = self._shares(mean, var)
        best = shares.argmax(axis=1) if self.fill == "mode" else cutpoints.level_at(m, self._at)
        low, high = (cutpoints.level_at(m + side * sd, self._at) for side in (-Z95, Z95))
        values = values_of(self.kept.labels)
        scores = np.arange(len(self.kept), dtype=float) if values is None else values
        said = {"estimate": best, "low": low, "high": high}
        return {name: self.kept.shown(codes) for name, codes in said.items()} | {
            "sd": cutpoints.moments(shares, scores)[1]
        }

    def probabilities(self, mean: np.ndarray, var: np.ndarray) -> Mapping[Any, np.ndarray]:
        """Of every declared level, in order; 0 for those that were never observed."""
        shares = self._shares(mean, var)
        found = {label: np.zeros(len(mean)) for label in self.levels.labels}
        return found | dict(zip(self.kept.labels, shares.T, strict=True))

    def _shares(self, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
        return cutpoints.probabilities(self._at, mean[:, 0], np.sqrt(var[:, 0, 0]))

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd of the levels where they are numbers or booleans, nothing where they are words."""
        values = values_of(self.kept.labels)
        if values is None:
            return "", ""
        (centre,), (sd,) = cutpoints.moments(self._shares(mean[np.newaxis], var[np.newaxis]), values)
        return f"{centre:.6g}", f"{sd:.6g}"

    def to_json(self) -> dict[str, Any]:
        """Levels, which were seen, cut points, and how gaps are filled."""
        return {
            "levels": self.levels.to_json(),
            "seen": list(self.seen),
            "cuts": list(self.points),
            "fill": self.fill,
            "estimated": self.estimated,
        }

    @classmethod
    def from_json(cls, learned: Mapping[str, Any]) -> Self:
        """The same again."""
        levels = Levels.from_json(learned["levels"])
        return cls(levels, tuple(learned["seen"]), tuple(learned["cuts"]), learned["fill"], learned["estimated"])


@dataclass(frozen=True)
class Ordinal(Kind):
    """Answers in order: ordered categories, and numbers or text that are declared so.

    Parameters
    ----------
    levels
        The levels from lowest to highest; needed for text, which has no order of its own. By default ordered categories
        are in their order, and numbers, dates and intervals in theirs.
    fill
        ``"median"``, the category of least expected distance, or ``"mode"``, the most probable one.
    cuts
        ``"ml"``: cut points are estimated with the other parameters. ``"margins"``: they stay at the observed shares,
        which is as good where the column is completely observed, and biased where its gaps depend on other columns.

    Raises
    ------
    EMImputeError
        For options that are none of these.
    """

    levels: Iterable[Any] | None = None
    fill: Literal["median", "mode"] = "median"
    cuts: Literal["ml", "margins"] = "ml"
    name: ClassVar[str] = "ordinal"

    def __post_init__(self) -> None:
        """Keep the levels as a tuple, and refuse options that mean nothing."""
        for option, value, known in (("fill", self.fill, _FILLS), ("cuts", self.cuts, _CUTS)):
            if value not in known:
                raise EMImputeError(f"Ordinal({option}=...) is {' or '.join(map(repr, known))}, not {value!r}.")
        if self.levels is None:
            return
        levels = () if isinstance(self.levels, str) else tuple(map(plain, self.levels))
        if len(set(levels)) < max(len(levels), 2):
            given = f"{self.levels!r}" if isinstance(self.levels, str) else named(levels)
            raise EMImputeError(f"Ordinal(levels=...) is a list of two or more different levels, not {given or '[]'}.")
        object.__setattr__(self, "levels", levels)

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Ordered categories, unless fewer than two of them are observed."""
        dtype = column.dtype
        if not isinstance(dtype, pd.CategoricalDtype) or not dtype.ordered:
            return False
        return len(np.unique(column.cat.codes[~missing(column)])) > 1

    def learn(self, column: pd.Series[Any]) -> OrdinalCoding:
        """Levels and first cut points. ColumnError: no known order, a value outside ``levels``, a single level."""
        levels = self._levels(column)
        seen, points = learned_cuts(levels, column, self.name)
        return OrdinalCoding(levels, seen, points, self.fill, self.cuts == "ml")

    def _levels(self, column: pd.Series[Any]) -> Levels:
        labels, codes = distinct(column)
        if self.levels is not None:
            strange = np.flatnonzero(np.array([label not in set(self.levels) for label in labels] + [False])[codes])
            if strange.size:
                value, row = labels[codes[strange[0]]], column.index[strange[:1]].tolist()[0]
                msg = (
                    f"Column {shown(column.name)} holds {shown(value)} (row label {shown(row)}), which is not among"
                    f" levels= ({named(self.levels)}): add it there, or correct the data."
                )
                raise ColumnError(msg)
            return Levels(tuple(self.levels))
        if getattr(column.dtype, "ordered", False):
            return Levels(labels)
        ordered = read(column) is not None or all(isinstance(label, pd.Interval | pd.Period) for label in labels)
        if not ordered and values_of(labels) is None:
            example = ", ".join(map(repr, in_order(labels)[:2]))
            msg = (
                f"Column {shown(column.name)} holds levels without an order ({named(in_order(labels))}): "
                f"give it from lowest to highest, as Ordinal(levels=[{example}, ...]), or make it an ordered category."
            )
            raise ColumnError(msg)
        return Levels(in_order(labels))

    def restore(self, learned: Mapping[str, Any]) -> OrdinalCoding:
        """From levels and cut points."""
        return OrdinalCoding.from_json(learned)


_FILLS = ("median", "mode")
_CUTS = ("ml", "margins")


def learned_cuts(levels: Levels, column: pd.Series[Any], kind: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Which of the levels ``column`` holds, and cut points between them. ColumnError if there are fewer than two."""
    counts = levels.counts(column)
    seen = np.flatnonzero(counts)
    if seen.size < 2:
        if not seen.size:
            msg = f"Column {shown(column.name)} has no observed value to learn from: give it values, or leave it out."
        else:
            msg = (
                f"Column {shown(column.name)} holds one level only ({shown(levels.labels[seen[0]])}): "
                f"kind {kind!r} needs two; use kind 'constant'."
            )
        raise ColumnError(msg)
    return tuple(seen.tolist()), tuple(cutpoints.start(counts[seen]).tolist())
