"""Two correlated standard normals in a rectangle: its probability, and the mean and covariance of what lies in it.

Two interval answers in one row ask for this. The probability is one integral, ∫ φ(x) [Φ(β(x)) − Φ(α(x))] dx, where α
and β are the other coordinate's bounds in its law given x; with the moments of that law (``truncated``) under the same
integral come the rectangle's. Formulas by subtraction (Owen's T, Tallis' moments) leave nothing of a small probability;
here every term is positive, so small ones keep their digits. Gauss-Legendre nodes are placed where the mass is:

- the point of the rectangle with the largest density, and the slopes of the log density there, bound how far from it
  the integrand can matter; x is the coordinate in which that is the shorter way;
- where the correlation is so strong that Φ(β(x)) is nearly a step, the way is cut on either side of the steps.

>>> import numpy as np
>>> log_p, mean, cov = rectangle(np.zeros(2), np.full(2, np.inf), 0.5)
>>> float(np.exp(log_p).round(12))  # 1/4 + arcsin(ρ)/2π
0.333333333333
>>> mean.round(6).tolist()
[0.89762, 0.89762]
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np

from emimpute.normal.truncated import truncated

__all__ = ["rectangle", "slope"]

_BLOCK = 512  # stretches at a time, so that they stay in the cache
_DROP = 34.0  # a density below exp(−34) of the largest one is left out: 2e-15 where all of the way is open
_STEP = 8.0  # standard deviations on either side of which Φ is a constant
_LEVELS = ((3.0, 12), (8.0, 22), (12.0, 28), (18.0, 36), (np.inf, 48))  # up to this length so many nodes (measured)
_SHARPEST = 0.3  # a fall of the log density by one asks for as many nodes as this much length (measured)
_LONG = 24.0  # what is longer is cut at the steps; no stretch is longer than 18 then
_TINY = np.finfo(float).tiny

_RULES = [np.polynomial.legendre.leggauss(n) for _, n in _LEVELS]


def rectangle(
    lower: np.ndarray, upper: np.ndarray, rho: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log probability, mean and covariance of a standard bivariate normal z in a rectangle.

    Parameters
    ----------
    lower, upper
        (..., 2), bounds in standard deviations, infinite ones too.
    rho
        (...), correlations, between −1 and 1. The leading shapes broadcast.

    Returns
    -------
    tuple
        log P(lower < z < upper), (...); E z given that, (..., 2), inside the bounds; its covariance, (..., 2, 2). Where
        rounding has left no width: −inf, the point, and no variance. NaN gives NaN.

    Raises
    ------
    ValueError
        If a correlation is not between −1 and 1, or a lower bound is above its upper bound.

    Notes
    -----
    Against 50-digit arithmetic, |ρ| ≤ .999 and P from 1 to 1e-300: relative error of P 1e-13 (or that of a narrow
    rectangle's bounds), of the mean 1e-12 standard deviations, of variances 5e-12.
    """
    a, b, r, shape = _columns(lower, upper, rho)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # infinite bounds, NaN, no width
        way = _way(a, b, r)
        p, x, y, xx, xy, yy = _integrals(way)
        x, y, xx, xy, yy = (np.where(p == 0, 0, total / p) for total in (x, y, xx, xy, yy))
        log_p = np.log(p) - way.depth - 0.5 * log(2 * pi)
    mean = way.in_order(way.x + x, way.y + y)
    cov = np.empty((2, 2, len(r)))
    cov[0, 0], cov[1, 1] = np.minimum(way.in_order(xx - x * x, yy - y * y), 1)
    cov[0, 1] = cov[1, 0] = xy - x * y
    mean = np.clip(mean, a, b)
    return log_p.reshape(shape), mean.T.reshape(*shape, 2), np.moveaxis(cov, 2, 0).reshape(*shape, 2, 2)


def slope(
    lower: np.ndarray, upper: np.ndarray, rho: np.ndarray | float, moments: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """Derivative d log P / dρ, (...), from what :func:`rectangle` gave for the same arguments.

    Two sums say the same: the densities at the four corners with alternating signs, over P (Plackett 1954,
    https://doi.org/10.1093/biomet/41.3-4.351), and the mean over the rectangle of d log φ₂/dρ. The first cancels in
    narrow rectangles, the second at strong correlations; each element takes the one with the smaller terms.
    """
    a, b, r, shape = _columns(lower, upper, rho)
    log_p, mean, cov = (np.broadcast_to(part, shape + part.shape[part.ndim - k :]) for k, part in enumerate(moments))
    log_p, mean, cov = log_p.ravel(), mean.reshape(-1, 2).T, cov.reshape(-1, 4).T
    s2 = (1 - r) * (1 + r)
    with np.errstate(invalid="ignore", over="ignore"):
        corners = np.stack(
            [
                sign * np.exp(-0.5 * np.where(far, np.inf, _square(x, y, r) / s2) - log_p)
                for x, y, sign in ((a[0], a[1], 1), (a[0], b[1], -1), (b[0], a[1], -1), (b[0], b[1], 1))
                for far in (np.isinf(x) | np.isinf(y),)
            ]
        ) / (2 * pi * np.sqrt(s2))
        squares = cov[[0, 3]] + mean**2
        cross = cov[1] + mean[0] * mean[1]
        inside = np.stack([r / s2, *(-r / s2**2 * squares), (1 + r * r) / s2**2 * cross])
        better = np.abs(corners).max(axis=0) <= np.abs(inside).max(axis=0)
        found: np.ndarray = np.where(better, corners.sum(axis=0), inside.sum(axis=0))
    return found.reshape(shape)


def _columns(
    lower: np.ndarray, upper: np.ndarray, rho: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
    """Bounds (2, K), correlations (K,), and the shape to come back to."""
    lower, upper, rho = (np.asarray(each, dtype=float) for each in (lower, upper, rho))
    lower, upper, rho = np.broadcast_arrays(lower, upper, rho[..., None])
    if (np.abs(rho) >= 1).any():
        msg = f"a correlation is not between -1 and 1: {rho[np.abs(rho) >= 1][0]}; equal coordinates are one interval"
        raise ValueError(msg)
    if (lower > upper).any():
        wrong = lower > upper
        msg = f"a rectangle's lower bound is above its upper: {lower[wrong][0]} > {upper[wrong][0]}; exchange them"
        raise ValueError(msg)
    return lower.reshape(-1, 2).T, upper.reshape(-1, 2).T, rho[..., 0].ravel(), rho.shape[:-1]


@dataclass(frozen=True)
class _Way:
    """Where to integrate: x from ``left`` to ``right``, y inside; all (K,)."""

    first: np.ndarray  # x is the first coordinate (else the second)
    x: np.ndarray  # the largest density is at (x, y)
    y: np.ndarray
    depth: np.ndarray  # and is exp(−depth) of that at zero
    left: np.ndarray
    right: np.ndarray
    length: np.ndarray  # of the way, in units of the integrand's sharpest feature
    below: np.ndarray  # bounds of y
    above: np.ndarray
    r: np.ndarray
    s: np.ndarray  # the standard deviation of y given x

    def in_order(self, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
        """What belongs to x and y, as first and second coordinate (2, K)."""
        return np.stack([np.where(self.first, of_x, of_y), np.where(self.first, of_y, of_x)])


def _square(x: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Twice minus the log density at (x, y), times 1 − r²."""
    square: np.ndarray = x * x - 2 * r * x * y + y * y
    return square


def _way(a: np.ndarray, b: np.ndarray, r: np.ndarray) -> _Way:
    s2 = (1 - r) * (1 + r)
    s = np.sqrt(s2)
    peak = _peak(a, b, r)
    push = (peak - r * peak[::-1]) / s2  # minus the slopes of the log density; a bound holds against them
    push = np.where(((peak == a) & (push > 0)) | ((peak == b) & (push < 0)), push, 0)
    other = push[::-1]
    right = np.minimum(b, peak + _reach(np.maximum(push, 0), np.abs(other), r * np.sign(other), s2))
    left = np.maximum(a, peak - _reach(np.maximum(-push, 0), np.abs(other), -r * np.sign(other), s2))

    span = right - left
    first = span[0] <= span[1]
    x, y, along, across, left_x, right_x, below, above = (
        np.where(first, *pair)
        for pair in (peak, peak[::-1], np.abs(push), np.abs(other), left, right, a[::-1], b[::-1])
    )
    span = right_x - left_x
    fall = np.minimum(_DROP, (along + across * np.abs(r)) * span)
    depth = 0.5 * (x * x + ((y - r * x) / s) ** 2)
    length = np.maximum(span / s, _SHARPEST * fall)
    return _Way(first, x, y, depth, left_x, right_x, length, below, above, r, s)


def _peak(a: np.ndarray, b: np.ndarray, r: np.ndarray) -> np.ndarray:
    """The point of the rectangle with the largest density (2, K).

    In one of its coordinates at least it is as near to zero as the bounds allow: were both pushed to a far bound, each
    by the other, |x| ≤ |ρy| and |y| ≤ |ρx|.
    """
    near = np.clip(0.0, a, b)
    one = np.stack([near[0], np.clip(r * near[0], a[1], b[1])])
    two = np.stack([np.clip(r * near[1], a[0], b[0]), near[1]])
    return np.where(_square(one[0], one[1], r) <= _square(two[0], two[1], r), one, two)


def _reach(push: np.ndarray, other: np.ndarray, r: np.ndarray, s2: np.ndarray) -> np.ndarray:
    """How far from the peak, in one direction, the log density of x may stay above −34 of the peak's.

    With t the distance and y ≥ 0 the other coordinate's from the bound that holds it, the log density falls by at least
    push t + other y + (t² − 2rty + y²)/2s². Its least value over y is at y = 0 while rt ≤ s² other, and after that
    (push + r other) t + t²/2 − s² other²/2; where no bound holds y (other = 0), the second from the start.
    """
    straight = 2 * _DROP / (push + np.sqrt(push**2 + 2 * _DROP / s2))
    total, drop = push + r * other, 2 * _DROP + s2 * other**2
    bent = drop / (total + np.sqrt(total**2 + drop))
    return np.where((other > 0) & (r * straight <= s2 * other), straight, bent)


def _stretches(way: _Way) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The ways, cut: of which element, from where, to where, and with which rule."""
    level = np.searchsorted([top for top, _ in _LEVELS], way.length)
    level[np.isnan(way.length)] = 0
    long = np.flatnonzero(way.length > _LONG)
    whole = np.flatnonzero(~(way.length > _LONG))
    with np.errstate(divide="ignore"):
        steps = np.stack([way.below[long], way.above[long]]) / way.r[long]
        around = _STEP * way.s[long] / np.abs(way.r[long])
    left, right = way.left[long], way.right[long]
    cuts = np.sort(np.clip(np.concatenate([steps - around, steps + around]), left, right), axis=0)
    edges = np.concatenate([left[None], cuts, right[None]])
    kept = edges[1:] > edges[:-1]
    return (
        np.concatenate([whole, np.broadcast_to(long, kept.shape)[kept]]),
        np.concatenate([way.left[whole], edges[:-1][kept]]),
        np.concatenate([way.right[whole], edges[1:][kept]]),
        np.concatenate([level[whole], np.full(kept.sum(), len(_LEVELS) - 2)]),
    )


def _integrals(way: _Way) -> np.ndarray:
    """∫ of 1, u, v, u², uv, v² (6, K), with (u, v) the distance from the peak and the density there 1."""
    element, left, right, level = _stretches(way)
    sums = np.empty((6, len(element)))
    for k, (nodes, weights) in enumerate(_RULES):
        chosen = np.flatnonzero(level == k)
        for start in range(0, len(chosen), _BLOCK):
            part = chosen[start : start + _BLOCK]
            sums[:, part] = _quadrature(way, element[part], left[part], right[part], (nodes[:, None], weights[:, None]))
    return np.stack([np.bincount(element, weights=each, minlength=len(way.x)) for each in sums])


def _quadrature(
    way: _Way, at: np.ndarray, left: np.ndarray, right: np.ndarray, rule: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """The six integrals over some stretches (6, S), of the elements ``at``; arrays inside are (nodes, S)."""
    nodes, weights = rule
    r, s, x0, y0 = way.r[at], way.s[at], way.x[at], way.y[at]
    half = 0.5 * (right - left)
    u = (left - x0 + half) + half * nodes
    x = x0 + u
    log_z, mean, variance = truncated((way.below[at] - r * x) / s, (way.above[at] - r * x) / s)
    mass = np.exp(log_z + way.depth[at] - 0.5 * x * x) * (half * weights)
    v = r * x + s * mean - y0
    mass_u, mass_v = mass * u, mass * v
    squares = (mass_u * u, mass_u * v, mass_v * v + mass * variance * (s * s))
    return np.stack([each.sum(axis=0) for each in (mass, mass_u, mass_v, *squares)])
