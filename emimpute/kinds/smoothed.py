r"""The distribution of counts, smoothed: a little of a negative binomial mixed into the observed shares.

.. math:: F(y) = \frac{n F_n(y) + \alpha F_0(y)}{n + \alpha}, \qquad \alpha = \sqrt n,

the posterior mean under a Dirichlet process with base F₀ (Ferguson 1973, https://doi.org/10.1214/aos/1176342360), where
F₀ is the negative binomial with the observed mean and variance. So every count has a probability, those between and
beyond the observed ones too, and a latent standard normal a bound for each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Smoothed"]

_END = 12.0  # latent standard deviations at which counts end; a normal is beyond with probability 2e-33
_EVERY = 1024  # counts up to which each has its own place in the table
_GRID = 64  # places in the table per latent standard deviation, above that
_HEAPS = 512  # observed values that may each have a place
_SMALL = 1e-280  # below it tails are taken from their leading terms
_POISSON = 1e-6  # least excess of the variance over the mean, relative to it
_PAIRS = 1 << 18  # of rows and places worked on at a time


@dataclass(frozen=True)
class Smoothed:
    """Distinct counts with how often each was seen, and the negative binomial of mean ``mu`` and size ``size``."""

    values: tuple[int, ...]  # increasing
    times: tuple[int, ...]
    mu: float
    size: float

    @classmethod
    def of(cls, counts: np.ndarray) -> Smoothed:
        """From observed counts (n,), whole numbers from 0 of which not all are equal, as floats."""
        values, times = np.unique(counts, return_counts=True)
        mu, variance = float(counts.mean()), float(counts.var())
        size = mu * mu / max(variance - mu, _POISSON * mu)
        return cls(tuple(map(int, values.tolist())), tuple(times.tolist()), mu, size)

    def bounds(self, counts: np.ndarray) -> np.ndarray:
        """Φ⁻¹(F(y)) for counts y (r,): the upper end of y's interval, and the lower one of y + 1's; −∞ for y = −1."""
        from scipy.special import ndtri_exp  # noqa: PLC0415 (importing emimpute stays light)

        with np.errstate(divide="ignore"):
            below = np.log(self._cumulated[np.searchsorted(self._seen, counts, side="right")])
            above = np.log(1.0 - self._cumulated[np.searchsorted(self._seen, counts, side="right")])
        n = float(sum(self.times))
        observed, added = math.log(n / (n + math.sqrt(n))), -math.log1p(math.sqrt(n))
        lower, upper = self._tails(np.maximum(counts, 0.0))
        below = np.where(counts < 0, -np.inf, np.logaddexp(observed + below, added + lower))
        above = np.where(counts < 0, 0.0, np.logaddexp(observed + above, added + upper))
        left = below < above
        tail = ndtri_exp(np.where(left, below, above))
        return np.asarray(np.where(left, tail, -tail))

    @cached_property
    def _seen(self) -> np.ndarray:
        return np.array(self.values, dtype=float)

    @cached_property
    def _cumulated(self) -> np.ndarray:
        shares = np.concatenate([[0], np.cumsum(self.times)]) / sum(self.times)
        return np.asarray(shares)

    def _tails(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log of the negative binomial's P(Y ≤ y) and P(Y > y), (r,) each, finite however small."""
        from scipy.special import betainc  # noqa: PLC0415 (importing emimpute stays light)

        share = self.mu / (self.mu + self.size)
        lower = betainc(self.size, y + 1, self.size / (self.mu + self.size))
        upper = betainc(y + 1, self.size, share)
        return self._log(lower, y, share, -1), self._log(upper, y + 1, share, 1)

    def _log(self, tail: np.ndarray, first: np.ndarray, share: float, way: int) -> np.ndarray:
        """Log of a tail that begins with the mass of ``first`` and goes up or down, also where it is none in floats."""
        with np.errstate(divide="ignore"):
            log = np.log(tail)
        tiny = np.flatnonzero(tail < _SMALL)
        if tiny.size:  # the terms fall nearly like those of a geometric series
            at = first[tiny]
            ratio = share * (at + self.size) / (at + 1) if way > 0 else at / (share * (at - 1 + self.size))
            log[tiny] = self._log_mass(at) - np.log1p(-np.minimum(ratio, 1 - 1e-9))
        return np.asarray(log)

    def _log_mass(self, y: np.ndarray) -> np.ndarray:
        from scipy.special import gammaln  # noqa: PLC0415 (importing emimpute stays light)

        zero = -self.size * math.log1p(self.mu / self.size)
        step = -math.log1p(self.size / self.mu)
        return np.asarray(gammaln(y + self.size) - gammaln(self.size) - gammaln(y + 1) + zero + y * step)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Counts in increasing order, the last so large that none is ever needed beyond it, and their bounds."""
        last = float(max(self.values[-1], 1))
        while self.bounds(np.array([last]))[0] < _END and last < 2.0**52:
            last *= 2
        if last <= _EVERY:
            places = np.arange(last + 1)
        else:
            start = max(float(self.bounds(np.zeros(1))[0]), -_END)
            goals = np.arange(start, _END, 1 / _GRID)
            found = self._first(goals, np.full(goals.shape, -1.0), np.full(goals.shape, last))
            heaps = self._seen if len(self._seen) <= _HEAPS else self._seen[:1]
            places = np.unique(np.concatenate([[0.0, last], found, heaps, np.maximum(heaps - 1, 0)]))
        return places, np.maximum.accumulate(self.bounds(places))

    def _first(self, z: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The smallest count (r,) whose bound is not below ``z`` (r,): above ``low``, at most ``high``."""
        while (high - low > 1).any():
            middle = np.floor((low + high) / 2)
            enough = self.bounds(middle) >= z
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
            high = np.maximum(high, low + 1)
        return high

    def count_at(self, z: np.ndarray) -> np.ndarray:
        """The count (r,) in whose interval each latent value (r,) lies, as floats."""
        places, bounds = self._table
        z = np.minimum(z, bounds[-1])
        at = np.searchsorted(bounds, z, side="left")
        high, low = places[at], np.where(at > 0, places[at - 1], -1.0)
        return self._first(z, low, high)

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (r,) of the count where its latent coordinate is normal with ``mean`` and ``sd`` (r,).

        The sum Σ P(Y > y), exact where the counts end below 1 024; above, interpolated linearly between some 1 000.
        """
        from scipy.special import ndtr  # noqa: PLC0415 (importing emimpute stays light)

        from emimpute.kinds.cutpoints import standardized  # noqa: PLC0415

        places, bounds = self._table
        gap = np.diff(places)
        weight = np.zeros(len(places))
        weight[0] = 1 + places[0]
        weight[:-1] += (gap - 1) / 2
        weight[1:] += (gap + 1) / 2
        first, second = np.empty(len(mean)), np.empty(len(mean))
        rows = max(_PAIRS // len(places), 1)
        for start in range(0, len(mean), rows):
            some = slice(start, start + rows)
            above = ndtr(-standardized(bounds, mean[some], sd[some]))
            first[some], second[some] = above @ weight, above @ (weight * (2 * places + 1))
        return first, np.sqrt(np.maximum(second - first * first, 0.0))
