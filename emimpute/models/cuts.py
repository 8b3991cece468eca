"""Cut points between ordered answers: which of them bound each cell, and how sharply the data see them.

All columns' cut points are one vector. Where a cell's bound is a cut point, its place in that vector is noted; other
bounds, as a bracket's or a detection limit's, are numbers and stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cuts"]

_HALF = 0.5  # of a Newton step: cut points and means move together, and whole steps of both overshoot
_RARE = 1e-3  # cells at least that an empty category counts as


@dataclass(frozen=True, eq=False)
class Cuts:
    """c cut points and the cells (n, d) they bound."""

    start: np.ndarray  # (c,) where each begins
    column: np.ndarray  # (c,) its coordinate
    low: np.ndarray  # (n, d) cut point that is the cell's lower bound, -1 where none is
    high: np.ndarray  # (n, d) and its upper one

    @classmethod
    def find(cls, lower: np.ndarray, upper: np.ndarray, cuts: Sequence[np.ndarray]) -> Cuts:
        """Those of the cells with bounds (n, d), given each coordinate's cut points (none where they are fixed)."""
        low, high = np.full(lower.shape, -1, dtype=np.int32), np.full(lower.shape, -1, dtype=np.int32)
        first = 0
        for j, own in enumerate(cuts):
            if not len(own):
                continue
            for bound, at in ((lower[:, j], low), (upper[:, j], high)):
                place = np.minimum(np.searchsorted(own, bound), len(own) - 1)
                at[:, j] = np.where(own[place] == bound, first + place, -1)
            first += len(own)
        column = np.repeat(np.arange(len(cuts)), [len(own) for own in cuts])
        return cls(np.concatenate([np.zeros(0), *cuts]), column, low, high)

    @cached_property
    def columns(self) -> np.ndarray:
        """Coordinates that have cut points, (q,)."""
        return np.unique(self.column)

    def bounds(self, at: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cells' bounds (n, d) with the cut points ``at`` (c,) in the place of those they stood for."""
        if not len(at):
            return lower, upper
        lower = np.where(self.low >= 0, at[self.low], lower)
        return lower, np.where(self.high >= 0, at[self.high], upper)

    def gather(self, rows: np.ndarray, inside: np.ndarray, at_low: np.ndarray, at_high: np.ndarray) -> np.ndarray:
        """Sums (c,) of what belongs to the lower and the upper bounds of the cells ``rows`` (r,), ``inside`` (r, k)."""
        place = rows[:, None], np.minimum(inside, self.low.shape[1] - 1)
        pad = inside == self.low.shape[1]
        total = np.zeros(len(self.start) + 1)
        for where, value in ((self.low, at_low), (self.high, at_high)):
            index = np.where(pad, -1, where[place])
            total += np.bincount(index.ravel() + 1, value.ravel(), minlength=len(total))
        return total[1:]

    def beside(self, rows: np.ndarray, inside: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Sums (c,) over the cells between each cut point and the next."""
        place = rows[:, None], np.minimum(inside, self.low.shape[1] - 1)
        both = (self.low[place] >= 0) & (self.high[place] >= 0) & (inside < self.low.shape[1])
        total = np.zeros(len(self.start) + 1)
        total += np.bincount(np.where(both, self.low[place], -1).ravel() + 1, value.ravel(), minlength=len(total))
        return total[1:]

    def spread(self, rows: np.ndarray, inside: np.ndarray, at_low: np.ndarray, at_high: np.ndarray) -> np.ndarray:
        """The same values set out, (r, c): for each row, what belongs to each cut point."""
        r, d = len(rows), self.low.shape[1]
        out = np.zeros((r, len(self.start) + 1))
        place = rows[:, None], np.minimum(inside, d - 1)
        each = np.broadcast_to(np.arange(r)[:, None], inside.shape)
        for where, value in ((self.low, at_low), (self.high, at_high)):  # in a row, no two bounds are one cut point
            out[each, np.where(inside == d, -1, where[place]) + 1] = value
        return out[:, 1:]

    def step(self, at: np.ndarray, slope: np.ndarray, curve: np.ndarray) -> np.ndarray:
        """Half a Newton step from ``at`` (c,): shortened where the cut points would not stay in order."""
        step = _HALF * np.linalg.solve(tridiagonal(curve), slope) if len(at) else slope
        for _ in range(60):
            if self.ordered(at + step):
                return np.asarray(at + step)
            step = step / 2
        return at

    def ordered(self, at: np.ndarray) -> bool:
        """Whether each coordinate's cut points increase."""
        same = self.column[1:] == self.column[:-1]
        return bool((np.diff(at)[same] > 0).all())

    def metric(self, at: np.ndarray, mean: np.ndarray, sd: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Expected information (c, c) of the cut points at ``at``, each column taken alone, were its law known.

        ``counts`` (c,) are the cells of the column each cut point is of.
        """
        from scipy.special import ndtr  # noqa: PLC0415 (importing emimpute stays light)

        z = (at - mean[self.column]) / sd[self.column]
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        first = np.diff(self.column, prepend=-1) != 0
        last = np.diff(self.column, append=-1) != 0
        below = ndtr(z) - np.where(first, 0.0, ndtr(np.roll(z, 1)))
        above = np.where(last, 1.0, ndtr(np.roll(z, -1))) - ndtr(z)
        floor = _RARE / np.maximum(counts, 1.0)
        own = density**2 * (1 / np.maximum(below, floor) + 1 / np.maximum(above, floor))
        beside = np.where(last, 0.0, -density * np.roll(density, -1) / np.maximum(above, floor))
        weight = counts / sd[self.column] ** 2
        # so far from the cells that no density is left, a cut point is not seen at all: any metric will do
        own = np.where(own * counts > 1e-8, own, 1.0)
        return tridiagonal(np.stack([own * weight, beside * weight]))


def tridiagonal(bands: np.ndarray) -> np.ndarray:
    """The symmetric matrix (c, c) of a diagonal and the band beside it, (2, c)."""
    out = np.diag(bands[0])
    i = np.arange(bands.shape[1] - 1)
    out[i, i + 1] = out[i + 1, i] = bands[1][:-1]
    return out
