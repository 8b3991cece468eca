"""Normal scores: a piecewise linear map between the quantiles of a column and those of a normal law.

The knots are means of equally many neighbouring values, at least five, so that none is a row of the data, placed at the
normal quantile of the middle of their ranks. Between the knots the map is linear, and beyond the outer ones it goes on
as it came; so it is monotone, onto the line both ways, and what is expected under it has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Scores"]

_MOST, _FEWEST = 200, 5  # knots; values that a knot is the mean of
_CELLS = 1 << 20  # numbers held at a time


@dataclass(frozen=True)
class Scores:
    """An increasing piecewise linear map from ``z`` to ``x`` through the knots (K,) of each, K ≥ 2."""

    x: tuple[float, ...]
    z: tuple[float, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> Scores | None:
        """From observed ``values`` (n,); None where they make no two knots."""
        from scipy.special import ndtri  # noqa: PLC0415 (import emimpute loads no scipy)

        n = values.size
        groups = np.array_split(np.sort(values), min(_MOST, n // _FEWEST)) if n >= 2 * _FEWEST else []
        x = np.array([group.mean() for group in groups])
        ends = np.cumsum([group.size for group in groups])
        # One value that fills several groups is one knot, in the middle of its ranks.
        new = np.flatnonzero(np.diff(x, prepend=-np.inf) > 0)
        if new.size < 2:
            return None
        starts = np.append(0, ends)[new]
        stops = np.append(starts[1:], n)
        return cls(tuple(x[new].tolist()), tuple(ndtri((starts + stops) / (2 * n)).tolist()))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The scores z (any shape) of ``x``; NaN stays NaN."""
        return _line(x, np.array(self.x), np.array(self.z))

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """The x (any shape) of the scores ``z``."""
        return _line(z, np.array(self.z), np.array(self.x))

    def expectation(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (r,) of x for z normal with ``mean`` and ``sd`` (r,): a sum over the segments, exact."""
        found = np.empty((2, mean.size))
        for rows in _blocks(mean.size, len(self.x)):
            found[:, rows] = self._expectation(mean[rows, np.newaxis], sd[rows, np.newaxis])
        return found[0], found[1]

    def _expectation(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from scipy.special import ndtr  # noqa: PLC0415 (import emimpute loads no scipy)

        x, z = np.array(self.x), np.array(self.z)
        slope = np.diff(x) / np.diff(z)
        sd = np.maximum(sd, np.finfo(float).tiny)
        with np.errstate(over="ignore"):
            ends = np.clip((z[1:-1] - mean) / sd, -40.0, 40.0)  # (r, K - 2), of the segments in sds
        left = np.pad(ends, ((0, 0), (1, 0)), constant_values=-40.0)
        right = np.pad(ends, ((0, 0), (0, 1)), constant_values=40.0)
        # Each segment has mass p, and its first two moments of t, the standardised z.
        p = np.where(left > 0, ndtr(-left) - ndtr(-right), ndtr(right) - ndtr(left))
        at_left, at_right = np.exp(-(left**2) / 2), np.exp(-(right**2) / 2)
        first = (at_left - at_right) / np.sqrt(2 * np.pi)
        second = p + (left * at_left - right * at_right) / np.sqrt(2 * np.pi)
        middle = self.inverse(mean)
        start, step = x[:-1] + slope * (mean - z[:-1]) - middle, slope * sd  # of x - middle, a line in t
        shift = (start * p + step * first).sum(axis=1, keepdims=True)
        start = start - shift
        var = (start**2 * p + 2 * start * step * first + step**2 * second).sum(axis=1)
        return (middle + shift)[:, 0], np.sqrt(np.maximum(var, 0.0))


def _line(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The line through the knots (x, y), continued beyond the outer ones."""
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)
    slope = np.diff(y) / np.diff(x)
    near_right = (at - x[i]) > (x[i + 1] - at)  # from the nearer knot, so that the map meets both exactly
    knot = np.where(near_right, i + 1, i)
    return np.asarray(y[knot] + slope[i] * (at - x[knot]))


def _blocks(rows: int, knots: int) -> Iterator[slice]:
    step = max(_CELLS // knots, 1)
    for first in range(0, rows, step):
        yield slice(first, first + step)
