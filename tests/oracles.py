"""Normal probabilities and moments of boxes and cones by quasi-Monte Carlo, with a seed and an error bound.

What expectation propagation is held against above two dimensions: slow, sure of its error, and sharing no line with the
package. Genz's separation of variables (1992, https://doi.org/10.1080/10618600.1992.10477010): with cov = LLᵀ and
z = mean + Ly the box bounds one y after the other, each a truncated normal drawn through its distribution function, and
the product of their probabilities is an unbiased weight. The points are Sobol's, scrambled several times over; the
scrambles' spread is the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import qmc, t

SCRAMBLES = 16
SURE = float(t.ppf(0.9995, SCRAMBLES - 1))  # standard errors in a two-sided 99.9 % bound


@dataclass(frozen=True)
class Estimate:
    """A value and the bound on its error; arrays of one shape."""

    value: np.ndarray
    bound: np.ndarray

    def holds(self, other: np.ndarray | float, slack: float = 1e-12) -> bool:
        """Whether ``other`` is within the bound everywhere."""
        return bool((np.abs(self.value - other) <= self.bound + slack).all())


@dataclass(frozen=True)
class Truncated:
    """A normal vector given that it lies in a region."""

    probability: Estimate  # ()
    mean: Estimate  # (d,)
    cov: Estimate  # (d, d)

    @property
    def log_p(self) -> Estimate:
        p = self.probability
        return Estimate(np.log(p.value), p.bound / p.value)


def box(lower, upper, mean, cov, *, seed=0, log2_points=13) -> Truncated:
    """The law of z ~ N(mean, cov) given lower < z < upper; all (d,), cov (d, d)."""
    lower, upper, mean = (np.asarray(each, dtype=float) for each in (lower, upper, mean))
    return _gather(lower, upper, mean, np.linalg.cholesky(cov), np.eye(len(mean)), seed=seed, log2_points=log2_points)


def cone(category: int, mean, cov, *, seed=0, log2_points=13) -> Truncated:
    """The law of d utilities z ~ N(mean, cov) given which of d + 1 categories was chosen.

    Category 0 is the one they are measured against: it is chosen where all z < 0. Category k > 0 is chosen where its
    utility is positive and the largest. Either is a box for u = Az, from which z comes back.
    """
    mean, cov = np.asarray(mean, dtype=float), np.asarray(cov, dtype=float)
    d = len(mean)
    A = -np.eye(d)
    if category:
        A[:, category - 1] = 1
    root = np.linalg.cholesky(A @ cov @ A.T)
    return _gather(
        np.zeros(d), np.full(d, np.inf), A @ mean, root, np.linalg.inv(A), seed=seed, log2_points=log2_points
    )


def _gather(lower, upper, mean, root, back, *, seed, log2_points) -> Truncated:
    """Probability and moments of ``back`` times what lies in the box, a row of numbers per scramble."""
    d = len(mean)
    rows = []
    for rng in np.random.default_rng(seed).spawn(SCRAMBLES):
        # The last coordinate needs no point for its probability, but a moment needs its value.
        points = qmc.Sobol(d, rng=rng).random_base2(log2_points)
        weights, u = _separate(lower, upper, mean, root, points)
        z = u @ back.T
        p = weights.mean()
        first = weights @ z / weights.sum()
        second = (z - first).T @ (weights[:, None] * (z - first)) / weights.sum()
        rows.append(np.concatenate([[p], first, second.ravel()]))
    rows = np.array(rows)
    value = rows.mean(axis=0)
    bound = SURE * rows.std(axis=0, ddof=1) / np.sqrt(SCRAMBLES)
    return Truncated(
        Estimate(value[0], bound[0]),
        Estimate(value[1 : d + 1], bound[1 : d + 1]),
        Estimate(value[d + 1 :].reshape(d, d), bound[d + 1 :].reshape(d, d)),
    )


def _separate(lower, upper, mean, root, points) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n,) and vectors (n, d) inside the box, one for each point of the cube."""
    y = np.zeros(points.shape)
    weights = np.ones(len(points))
    for i, row in enumerate(root):
        shift = mean[i] + y[:, :i] @ row[:i]
        a, b = (lower[i] - shift) / row[i], (upper[i] - shift) / row[i]
        sign = np.where(a + b > 0, -1.0, 1.0) if np.isfinite([lower[i], upper[i]]).any() else np.ones(len(a))
        left, right = np.where(sign > 0, a, -b), np.where(sign > 0, b, -a)  # reflected into the lower tail
        low, high = ndtr(left), ndtr(right)
        weights *= high - low
        share = np.clip(points[:, i], 2.0**-40, 1 - 2.0**-40)
        y[:, i] = sign * ndtri(low + share * (high - low))
    return weights, mean + y @ root.T
