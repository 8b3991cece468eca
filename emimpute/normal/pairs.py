r"""What two coordinates' sites make of their box, set right: the exact pair over its normal counterpart.

For each pair of a row's coordinates, with EP's tilted laws p and approximations q of the same mean and variance,

.. math:: R = \int q(x, y)\, \frac{p(x)}{q(x)} \frac{p(y)}{q(y)} = \sum_l r^l\, \eta_l(x)\, \eta_l(y),

r their correlation under q and η_l the tilted law's moments in normalised Hermite polynomials (Mehler's series):
η_0 = 1 and η_1 = η_2 = 0, so the series begins at r³, and for most pairs of ordered answers ends soon after. Pairs for
which it does not are integrated by :func:`emimpute.normal.bivariate.rectangle`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt

import numpy as np

from emimpute.normal.bivariate import rectangle
from emimpute.normal.truncated import truncated

__all__ = ["Pairs", "Tilted", "pairs"]

_WORTH = (5e-9, 5e-8)  # part of log Z from which on a pair counts, and in full; in between it is faded in
_REST = 1e-10  # what a series may leave out
_ORDERS = (5, 8, 14)  # how far series go
_UNIFORM = 1e-3  # width, in sd of the cavity, below which an interval's law is as good as uniform
_LOG_ROOT_2PI = np.log(2 * np.pi) / 2
_FAR = 1e300  # minus the least log probability that is told from none
_TINY = np.finfo(float).tiny


@dataclass(frozen=True, eq=False)
class Tilted:
    """Tilted laws under EP, in arrays of one shape: intervals, and the normal laws that are cut to them.

    The origin of each is EP's mean, so that the approximation is N(0, var).
    """

    var: np.ndarray
    low: np.ndarray  # bounds
    high: np.ndarray
    at: np.ndarray  # mean and sd of the cavity
    scale: np.ndarray
    logz: np.ndarray  # log probability of the interval under the cavity
    below: np.ndarray  # density of the tilted law at its bounds, 0 at infinite ones
    above: np.ndarray

    def some(self, places: np.ndarray) -> Tilted:
        """Those at ``places`` of the flattened arrays."""
        return Tilted(*(np.ascontiguousarray(getattr(self, f.name)).reshape(-1)[places] for f in fields(self)))


@dataclass(frozen=True, eq=False)
class Pairs:
    """The P pairs worth correcting, and what their exact law differs in from the approximation."""

    row: np.ndarray  # (P,)
    i: np.ndarray  # (P,)
    j: np.ndarray  # (P,)
    log: np.ndarray  # (P,) log R
    mean: tuple[np.ndarray, np.ndarray]  # E x_i, E x_j
    square: tuple[np.ndarray, np.ndarray, np.ndarray]  # E x_i² - C_ii, E x_j² - C_jj, E x_i x_j - C_ij
    low: tuple[np.ndarray, np.ndarray]  # densities at the lower bounds
    high: tuple[np.ndarray, np.ndarray]  # and at the upper ones


def hermite(tilted: Tilted, order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tilted laws' moments in normalised Hermite polynomials, and these at the bounds, (order + 1, ...) each."""
    root = np.sqrt(tilted.var)
    at, var = tilted.at / root, tilted.scale**2 / tilted.var
    ends = [np.where(p > 0, x / root, 0.0) for x, p in ((tilted.low, tilted.below), (tilted.high, tilted.above))]
    density = [p * root * var for p in (tilted.below, tilted.above)]
    eta, low, high = (np.empty((order + 1, *root.shape)) for _ in range(3))
    eta[0] = low[0] = high[0] = 1.0
    for m in range(order):
        more = sqrt(m)
        for at_end, x in ((low, ends[0]), (high, ends[1])):
            at_end[m + 1] = x * at_end[m]
            if m:
                at_end[m + 1] -= more * at_end[m - 1]
            at_end[m + 1] /= sqrt(m + 1)
        if m < 2:  # EP has seen to the first two
            eta[m + 1] = 0.0
            continue
        eta[m + 1] = at * eta[m] + (var - 1) * more * eta[m - 1] + density[0] * low[m] - density[1] * high[m]
        eta[m + 1] /= sqrt(m + 1)
    narrow = tilted.high - tilted.low < _UNIFORM * tilted.scale
    if narrow.any():
        eta[:, narrow] = _uniform(order)[:, None]
    return eta, low, high


def _uniform(order: int) -> np.ndarray:
    """The same of the uniform law of mean 0 and variance 1."""
    x, w = np.polynomial.legendre.leggauss(order + 2)
    x, w = x * sqrt(3), w / 2
    h = [np.ones_like(x), x]
    for m in range(1, order):
        h.append((x * h[m] - sqrt(m) * h[m - 1]) / sqrt(m + 1))
    return np.array([w @ each for each in h])


def pairs(cov: np.ndarray, tilted: Tilted) -> Pairs | None:
    """The pairs, of K rows of k coordinates, whose correction is likely to matter; None where there are none.

    ``cov`` (K, k, k) is the approximation's, ``tilted`` of shape (K, k).
    """
    k = cov.shape[1]
    row, i, j, size = _worth_it(cov, tilted)
    if not len(row):
        return None
    # only the coordinates that are in a pair are worth their series
    used = np.zeros(cov.shape[:2], dtype=bool)
    used[row, i] = used[row, j] = True
    place = np.cumsum(used.ravel()) - 1
    one, other = place[row * k + i], place[row * k + j]
    tilted = tilted.some(np.flatnonzero(used))
    c = cov[row, i, j]
    r = c / np.sqrt(tilted.var[one] * tilted.var[other])
    flat = hermite(tilted, _ORDERS[-1] + 2)
    out = np.empty((10, len(row)))
    left = np.arange(len(row))
    for order in _ORDERS:
        rest = np.exp((order + 1) * np.log(np.abs(r[left])))
        for at in (one[left], other[left]):
            rest *= np.abs(flat[0][order + 1 : order + 3].take(at, axis=1)).sum(axis=0) * (order + 2)
        enough = left[rest < _REST]
        if len(enough):
            out[:, enough] = _series(tilted, flat, r[enough], (one[enough], other[enough]), order)
        left = left[~(rest < _REST)]
    if len(left):
        out[:, left] = _exact(tilted, c[left], one[left], other[left])
    faded = np.flatnonzero(size < _WORTH[1])  # so that log Z does not jump where a pair comes or goes
    share = np.log(size[faded] / _WORTH[0]) / np.log(_WORTH[1] / _WORTH[0])
    out[:6, faded] *= share
    alone = [p[at[faded]] for p in (tilted.below, tilted.above) for at in (one, other)]
    out[6:, faded] = share * out[6:, faded] + (1 - share) * np.array(alone)
    return Pairs(row, i, j, out[0], (out[1], out[2]), (out[3], out[4], out[5]), (out[6], out[7]), (out[8], out[9]))


def _worth_it(cov: np.ndarray, tilted: Tilted) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row and columns of the pairs that may matter, and how much: the leading terms of their series, (P,) each."""
    eta = np.abs(hermite(tilted, 4)[0])
    root = np.sqrt(tilted.var)
    e3, e4 = eta[3] / (tilted.var * root), eta[4] / tilted.var**2
    size = np.abs(cov)
    square = size * size
    size *= e3[:, :, None]
    size *= e3[:, None, :]
    size *= square
    square *= square
    square *= e4[:, :, None]
    square *= e4[:, None, :]
    size += square
    row, i, j = np.nonzero((size > _WORTH[0]) & np.triu(np.ones(cov.shape[1:], dtype=bool), 1))
    return row, i, j, size[row, i, j]


def _series(
    tilted: Tilted, flat: tuple[np.ndarray, ...], r: np.ndarray, of: tuple[np.ndarray, np.ndarray], order: int
) -> np.ndarray:
    """By Mehler's series: log R; means; squares less the variances, product less the covariance; densities, (10, P)."""
    (one, other), (eta, low, high) = of, flat
    e_i, e_j = eta[: order + 3].take(one, axis=1), eta[: order + 3].take(other, axis=1)
    total = 1.0 + np.zeros_like(r)
    mean_i, mean_j, square_i, square_j, cross = np.zeros((5, len(r)))
    at_ends = [table.take(at, axis=1) for table in (low[: order + 1], high[: order + 1]) for at in (one, other)]
    sums = [np.ones_like(r) for _ in at_ends]
    power = np.ones_like(r)
    for m in range(order + 1):
        if m:
            power = power * r
        a_i, a_j = sqrt(m + 1) * e_i[m + 1], sqrt(m + 1) * e_j[m + 1]  # E x h_l
        b_i, b_j = sqrt((m + 1) * (m + 2)) * e_i[m + 2], sqrt((m + 1) * (m + 2)) * e_j[m + 2]  # E (x² - 1) h_l
        if m:
            a_i, a_j = a_i + sqrt(m) * e_i[m - 1], a_j + sqrt(m) * e_j[m - 1]
            b_i, b_j = b_i + 2 * m * e_i[m], b_j + 2 * m * e_j[m]
        if m > 1:
            b_i, b_j = b_i + sqrt(m * (m - 1)) * e_i[m - 2], b_j + sqrt(m * (m - 1)) * e_j[m - 2]
        by_i, by_j = power * e_i[m], power * e_j[m]
        if m > 2:
            total += by_i * e_j[m]
            sums = [s + at[m] * by for s, at, by in zip(sums, at_ends, (by_j, by_i, by_j, by_i), strict=True)]
        mean_i += a_i * by_j
        mean_j += a_j * by_i
        square_i += b_i * by_j
        square_j += b_j * by_i
        cross += a_i * a_j * power
    v_i, v_j = tilted.var[one], tilted.var[other]
    s_i, s_j = np.sqrt(v_i), np.sqrt(v_j)
    cov = r * s_i * s_j
    densities = [p[at] for p in (tilted.below, tilted.above) for at in (one, other)]
    return np.stack(
        [
            np.log(total),
            s_i * mean_i / total,
            s_j * mean_j / total,
            v_i * square_i / total,
            v_j * square_j / total,
            s_i * s_j * cross / total - cov,
            *(p * s / total for p, s in zip(densities, sums, strict=True)),
        ]
    )


def _exact(tilted: Tilted, c_ij: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """By integration over the rectangle, the same (10, P).

    The pair's law is N(0, C₂); without the two sites, of precision τ = 1/C_ii - 1/s_i² and linear term -a_i/s_i² where
    a_i and s_i are its cavity's, it has precision C₂⁻¹ - diag(τ).
    """
    c_i, c_j = tilted.var[one], tilted.var[other]
    cavity = [tilted.scale[x] ** 2 for x in (one, other)]
    linear = [tilted.at[x] / v for x, v in zip((one, other), cavity, strict=True)]
    det = c_i * c_j - c_ij * c_ij
    a = c_j / det - 1 / c_i + 1 / cavity[0]
    b = c_i / det - 1 / c_j + 1 / cavity[1]
    o = -c_ij / det
    over = a * b - o * o
    v_i, v_j, v_ij = b / over, a / over, -o / over
    e_i, e_j = v_i * linear[0] + v_ij * linear[1], v_ij * linear[0] + v_j * linear[1]
    s_i, s_j = np.sqrt(v_i), np.sqrt(v_j)
    rho = v_ij / (s_i * s_j)
    below, above = (
        np.stack([(side[one] - e_i) / s_i, (side[other] - e_j) / s_j], axis=-1) for side in (tilted.low, tilted.high)
    )
    logp, first, second = rectangle(below, above, rho)
    log = logp + (linear[0] * e_i + linear[1] * e_j - np.log(over * det)) / 2
    for h, v, c, x in zip(linear, cavity, (c_i, c_j), (one, other), strict=True):
        log -= tilted.logz[x] + (h * h * v + np.log(v / c)) / 2
    m_i, m_j = e_i + s_i * first[:, 0], e_j + s_j * first[:, 1]
    densities = [
        p / s
        for bound in (below, above)
        for p, s in zip(_edge(bound, (below, above), rho, logp, second), (s_i, s_j), strict=True)
    ]
    return np.stack(
        [
            log,
            m_i,
            m_j,
            v_i * second[:, 0, 0] + m_i**2 - c_i,
            v_j * second[:, 1, 1] + m_j**2 - c_j,
            s_i * s_j * second[:, 0, 1] + m_i * m_j - c_ij,
            *densities,
        ]
    )


def _edge(
    bound: np.ndarray, box: tuple[np.ndarray, np.ndarray], rho: np.ndarray, logp: np.ndarray, cov: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Densities (P,) of both coordinates of boxed standard pairs at their ``bound`` (P, 2); 0 at infinity.

    ``cov`` (P, 2, 2) is the boxed pairs' own. A log-concave density is nowhere above 1/sd; that bounds the rounding
    error of far boxes of nearly dependent pairs, whose densities are small differences of large logarithms.
    """
    rest = np.sqrt((1 - rho) * (1 + rho))
    logp = np.maximum(logp, -_FAR)
    found = []
    for one, other in ((0, 1), (1, 0)):
        x = np.where(np.isinf(bound[:, one]), 0.0, bound[:, one])
        inside = truncated(*((side[:, other] - rho * x) / rest for side in box))[0]
        log = np.where(np.isinf(bound[:, one]), -np.inf, inside - x * x / 2 - logp)
        most = -np.log(np.maximum(cov[:, one, one], _TINY)) / 2
        found.append(np.exp(np.minimum(log - _LOG_ROOT_2PI, most)))
    return found[0], found[1]
