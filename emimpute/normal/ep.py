r"""Normal vectors known to lie in boxes: probability and moments by expectation propagation, corrected by pairs.

A row's coordinates have a normal law N(0, V) and are known to lie in a box. Expectation propagation (Minka 2001,
https://doi.org/10.48550/arXiv.1301.2294; Cunningham, Hennig & Lacoste-Julien 2011, arXiv:1111.6832) puts for every
side of the box a *site* exp(ν x - τ x²/2), such that the normal law with all sites has the moments of the same law
with one site exchanged for the side it stands for (the *tilted* law of the *cavity*). It is exact for one coordinate,
and biased for several coarse ones. Multiplying each pair's exact probability under its own cavity over what the two
sites made of it (Opper, Paquet & Winther 2013, https://jmlr.org/papers/v14/opper13a.html) is exact for two
coordinates, and takes away most of the bias for more.

The moments are those that belong to the corrected probability, that is its derivatives in the natural parameters of the
law: where the sites move with the parameters, by the adjoint of EP's fixed-point equations. With both the sites'
sufficient statistics t = (x, -x²/2) centred at EP's mean, Q and T their covariances under the approximation and under
the tilted law, W = Cov(t_i, t_j) between coordinates (C, and C∘C/2), and K = Q⁻¹ - T⁻¹, a change e of the
approximation's moments moves the sites by (I - KW)⁻¹ K e, and a change c of the tilted moments by (I - KW)⁻¹ T⁻¹ c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emimpute.normal.pairs import Tilted, pairs
from emimpute.normal.small import invert
from emimpute.normal.truncated import truncated

__all__ = ["Boxed", "Sites", "boxed"]

_TOL = 3e-9  # mismatch of a tilted moment, in sd of the approximation, at which EP has settled
_ROUNDED = 8 * np.finfo(float).eps / _TOL  # times a mean, what rounding makes of a mismatch where intervals are narrow
_SWEEPS = 300
_ADJOINT = 1e-9  # relative change at which the adjoint has settled
_TAIL = 20.0  # sd of the cavity beyond which a tail is as good as exponential
_NARROW = 1e-2  # width, in sd of the cavity, below which an interval's law is as good as uniform
_ROOT_2PI = np.sqrt(2 * np.pi)


@dataclass(frozen=True, eq=False)
class Sites:
    """The sites exp(ν x - τ x²/2) of K rows' k coordinates, in the coordinates' own origin."""

    tau: np.ndarray  # (K, k)
    nu: np.ndarray  # (K, k)


@dataclass(frozen=True, eq=False)
class Boxed:
    """Of K rows of k coordinates in boxes: what :func:`boxed` finds."""

    sites: Sites
    logz: np.ndarray  # (K,) log probability of the box
    mean: np.ndarray  # (K, k)
    cov: np.ndarray  # (K, k, k)
    lower: np.ndarray  # (K, k) derivative of log Z in the lower bound
    upper: np.ndarray  # (K, k) and in the upper one
    curvature: np.ndarray  # (3, K, k) minus the second derivatives (lower², upper², lower·upper), cavities held
    settled: np.ndarray  # (K,) bool, whether EP's sweeps did
    response: np.ndarray | None = (
        None  # (2, 2, K, k) how, with the lower and with the upper bound, the sites' ν and τ move
    )


@dataclass(frozen=True, eq=False)
class _Fixed:
    """EP where its sweeps ended; K rows of k coordinates, centred at the prior mean."""

    low: np.ndarray  # (K, k) the box
    high: np.ndarray
    tau: np.ndarray  # (K, k) the sites
    nu: np.ndarray
    mean: np.ndarray  # (K, k) the approximation
    cov: np.ndarray  # (K, k, k)
    at: np.ndarray  # (K, k) mean and sd of the cavity
    scale: np.ndarray
    logz: np.ndarray  # (K, k) log probability of each side under its cavity
    first: np.ndarray  # (K, k) mean and variance of the cut cavity, in its own sd
    second: np.ndarray
    settled: np.ndarray  # (K,)

    @cached_property
    def var(self) -> np.ndarray:
        """Variances of the approximation, (K, k)."""
        return np.ascontiguousarray(np.diagonal(self.cov, axis1=1, axis2=2))

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The box in sd of the cavities, 0 in the place of infinite bounds, (K, k) each."""
        low, high = (self.low - self.at) / self.scale, (self.high - self.at) / self.scale
        return np.where(np.isinf(low), 0.0, low), np.where(np.isinf(high), 0.0, high)

    @cached_property
    def densities(self) -> tuple[np.ndarray, np.ndarray]:
        """Density of the tilted laws at the bounds, 0 at infinite ones, (K, k) each."""
        sides = zip((self.low, self.high), self.bounds, strict=True)
        below, above = (
            np.exp(np.where(np.isinf(bound), -np.inf, -x * x / 2 - self.logz)) / (_ROOT_2PI * self.scale)
            for bound, x in sides
        )
        return below, above

    @cached_property
    def central(self) -> tuple[np.ndarray, np.ndarray]:
        """Third and fourth central moments of the tilted laws, (K, k) each."""
        (a, b), (p, q) = self.bounds, (self.scale * density for density in self.densities)
        m1 = self.first
        m2 = self.second + m1**2
        m3 = 2 * m1 + a**2 * p - b**2 * q
        m4 = 3 * m2 + a**3 * p - b**3 * q
        third = m3 - 3 * m1 * m2 + 2 * m1**3
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        # A narrow interval's and a tail's are differences that cancel: there the law is uniform, or exponential.
        width = (self.high - self.low) / self.scale
        narrow = width * np.maximum(1.0, np.minimum(np.abs(a), np.abs(b))) < _NARROW
        third, fourth = np.where(narrow, 0.0, third), np.where(narrow, 1.8 * self.second**2, fourth)
        for tail, side in ((np.isfinite(self.low) & (a > _TAIL), 2.0), (np.isfinite(self.high) & (b < -_TAIL), -2.0)):
            third = np.where(tail & ~narrow, side * self.second**1.5, third)
            fourth = np.where(tail & ~narrow, 9 * self.second**2, fourth)
        return third * self.scale**3, fourth * self.scale**4

    @cached_property
    def spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """T, the tilted covariance of t, by its entries 11, 12, 22, (K, k) each."""
        third, fourth = self.central
        return self.var, -third / 2, (fourth - self.var**2) / 4

    @cached_property
    def inverse(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """T⁻¹ likewise."""
        t11, t12, t22 = self.spread
        det = t11 * t22 - t12 * t12
        return t22 / det, -t12 / det, t11 / det

    @cached_property
    def moved(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """c: how the tilted moments of t move with the lower and with the upper bound, (K, k) each."""
        found = []
        for bound, density in zip((self.low, self.high), self.densities, strict=True):
            x = np.where(density > 0, bound - self.mean, 0.0)
            found.append((density * x, density * (self.var - x * x) / 2))
        return (-found[0][0], -found[0][1]), found[1]


def boxed(
    mean: np.ndarray,
    cov: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    start: Sites | None = None,
    *,
    precision: np.ndarray | None = None,
    correct: bool = True,
    respond: bool = False,
) -> Boxed:
    """Probability and moments of normal rows given that they lie in boxes.

    Parameters
    ----------
    mean, cov
        Law of each row before its box is known: (K, k) and (K, k, k).
    lower, upper
        The boxes (K, k); bounds may be infinite.
    start
        Sites to begin with, of a similar law; a good guess saves sweeps.
    precision
        The inverses of ``cov``, if they are known.
    correct
        Whether the correction by pairs is made.
    respond
        Whether the sites' response to the bounds is wanted, cavities held.
    """
    precision = np.linalg.inv(cov) if precision is None else precision
    begin = None if start is None else (start.tau, start.nu - start.tau * mean)
    fixed = _sweep(precision, lower - mean, upper - mean, begin)
    below, above = fixed.densities
    a, b = (bound / fixed.scale for bound in fixed.bounds)
    curvature = np.stack([below * (below - a), above * (above + b), -below * above])
    response = None
    if respond:
        # the cavity held, the approximation's moments follow by the site alone: c = Q (dν, dτ)
        response = np.array([(c1 / fixed.var, 2 * c2 / fixed.var**2) for c1, c2 in fixed.moved])
    sites = Sites(fixed.tau, fixed.nu + fixed.tau * mean)
    logz, m, c, slopes = _normaliser(precision, fixed), fixed.mean, fixed.cov, (-below, above)
    change = _by_pairs(fixed) if correct and mean.shape[1] > 1 else None
    if change is not None:
        logz, m = logz + change.logz, m + change.shift
        c = c + change.spread - change.shift[:, :, None] * change.shift[:, None, :]
        slopes = (slopes[0] + change.lower, slopes[1] + change.upper)
    return Boxed(sites, logz, mean + m, c, *slopes, curvature, fixed.settled, response)


def _sweep(
    precision: np.ndarray, low: np.ndarray, high: np.ndarray, start: tuple[np.ndarray, np.ndarray] | None
) -> _Fixed:
    """EP's sweeps, all coordinates at once, each row until its tilted moments agree with the approximation's.

    Inside, the rows come last: see :mod:`emimpute.normal.small`.
    """
    rows, k = low.shape
    prior, low_t, high_t = np.ascontiguousarray(precision.transpose(1, 2, 0)), low.T.copy(), high.T.copy()
    tau, nu = np.zeros((2, k, rows)) if start is None else (start[0].T.copy(), start[1].T.copy())
    out, cov, settled = np.empty((6, k, rows)), np.empty((k, k, rows)), np.zeros(rows, dtype=bool)
    left, damping, before = np.arange(rows), np.ones(rows), np.full(rows, np.inf)
    t, v, diagonal = tau, nu, np.arange(k)
    for _ in range(_SWEEPS):
        c = prior.copy()
        c[diagonal, diagonal] += t
        c, _ = invert(c)
        var = c[diagonal, diagonal]
        # 1 - τ C_ii and m/C_ii - ν, without the differences that leave nothing where an interval is narrow
        of_others = c.copy()
        of_others[diagonal, diagonal] = 0.0
        from_others = np.einsum("ijr,jr->ir", of_others, v)
        cavity = var / np.einsum("ijr,ijr->ir", prior, c)
        at = from_others * cavity / var
        m = from_others + var * v
        scale = np.sqrt(cavity)
        z, first, second = truncated((low_t - at) / scale, (high_t - at) / scale)
        mismatch = np.maximum(np.abs(at + scale * first - m) / np.sqrt(var), np.abs(cavity * second / var - 1))
        mismatch = (mismatch / np.maximum(_ROUNDED * np.abs(m) / np.sqrt(var), 1.0)).max(0)
        done = mismatch < _TOL
        stay = ~done
        if done.any():
            ready = left[done]
            settled[ready] = True
            tau[:, ready], nu[:, ready] = t[:, done], v[:, done]
            out[:, :, ready], cov[:, :, ready] = np.stack([m, at, scale, z, first, second])[:, :, done], c[:, :, done]
            if not stay.any():
                break
        # A row whose mismatch grew overshoots: it takes shorter steps from now on.
        damping = np.where(mismatch > before, np.maximum(damping / 2, 0.05), damping)
        before, last = mismatch, (left, t, v, np.stack([m, at, scale, z, first, second]), c)
        with np.errstate(over="ignore"):  # where no variance is left, a row never settles, and is told so
            new = (1 / second - 1) / cavity
            t, v = t + damping * (new - t), v + damping * ((at + scale * first) * (new + 1 / cavity) - at / cavity - v)
        if done.any():
            left, damping, before, t, v = left[stay], damping[stay], before[stay], t[:, stay], v[:, stay]
            prior, low_t, high_t = prior[:, :, stay], low_t[:, stay], high_t[:, stay]
    else:
        ready, tau[:, last[0]], nu[:, last[0]] = last[0], last[1], last[2]
        out[:, :, ready], cov[:, :, ready] = last[3], last[4]
    m, at, scale, z, first, second = (np.ascontiguousarray(each.T) for each in out)
    c = np.ascontiguousarray(cov.transpose(2, 0, 1))
    return _Fixed(low, high, tau.T.copy(), nu.T.copy(), m, c, at, scale, z, first, second, settled)


def _normaliser(precision: np.ndarray, fixed: _Fixed) -> np.ndarray:
    """EP's log Z (K,)."""
    volume = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(fixed.cov)[1]
    cavity = fixed.scale**2
    # at²/cavity - mean²/var + ν mean, as one term that is small where an interval is narrow
    each = fixed.logz + (fixed.at * (fixed.at - fixed.mean) / cavity + np.log(cavity / fixed.var)) / 2
    return np.asarray(volume / 2 + each.sum(axis=1))


@dataclass(frozen=True, eq=False)
class _Change:
    """What the pairs add to EP's answer."""

    logz: np.ndarray  # (K,)
    shift: np.ndarray  # (K, k) of the mean
    spread: np.ndarray  # (K, k, k) of the second moment about EP's mean
    lower: np.ndarray  # (K, k) of the derivatives in the bounds
    upper: np.ndarray


def _by_pairs(fixed: _Fixed) -> _Change | None:
    """The correction by pairs and all that follows from it; None where no pair is worth it."""
    low, high, c, var = fixed.low - fixed.mean, fixed.high - fixed.mean, fixed.cov, fixed.var
    below, above = fixed.densities
    found = pairs(c, Tilted(var, low, high, fixed.at - fixed.mean, fixed.scale, fixed.logz, below, above))
    if found is None:
        return None
    rows, k = low.shape
    row, i, j = found.row, found.i, found.j
    flat = np.concatenate([row * k + i, row * k + j])

    def gather(both: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Sums (K, k) over the pairs of each coordinate."""
        return np.bincount(flat, np.concatenate(both), minlength=rows * k).reshape(rows, k)

    # log R depends on the approximation through the pair's mean and covariance C₂: P ε and ½ P S P, P = C₂⁻¹
    ci, cj, cij, (e_i, e_j), (s_ii, s_jj, s_ij) = var[row, i], var[row, j], c[row, i, j], found.mean, found.square
    det = ci * cj - cij * cij
    half = 0.5 / det**2
    h11, h12 = cj * s_ii - cij * s_ij, cj * s_ij - cij * s_jj
    h21, h22 = ci * s_ij - cij * s_ii, ci * s_jj - cij * s_ij
    by_mean = gather(((cj * e_i - cij * e_j) / det, (ci * e_j - cij * e_i) / det))
    by_cov = np.zeros_like(c)
    by_cov[row, i, j] = by_cov[row, j, i] = half * (h12 * ci - h11 * cij)
    by_cov[:, range(k), range(k)] = gather((half * (h11 * cj - h12 * cij), half * (h22 * ci - h21 * cij)))
    shift = (c @ by_mean[:, :, None])[:, :, 0]
    bend = c @ by_cov @ c
    # and through the sites themselves, which the pair's cavity is without
    by_sites = np.stack([shift - gather(found.mean), gather((s_ii, s_jj)) / 2 - np.diagonal(bend, axis1=1, axis2=2)])
    y, moves = _adjoint(fixed, by_sites)
    x, slopes = fixed.inverse, []
    for (c1, c2), pair, alone, sign in zip(
        fixed.moved, (found.low, found.high), (below, above), (-1.0, 1.0), strict=True
    ):
        through = x[0] * c1 * y[0] + x[1] * (c1 * y[1] + c2 * y[0]) + x[2] * c2 * y[1]
        slopes.append(sign * (gather(pair) - gather((alone[row, i], alone[row, j]))) + through)
    shift = shift + (c @ moves[0][:, :, None])[:, :, 0]
    spread = 2 * bend - (c * moves[1][:, None, :]) @ c
    return _Change(np.bincount(row, found.log, minlength=rows), shift, spread, *slopes)


def _adjoint(fixed: _Fixed, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(I - WK)⁻¹ b =: y, and Ky, (2, K, k) each.

    With W's diagonal blocks, which are Q, set apart: y = T Q⁻¹ (b + W'Ky), whose iteration contracts as EP's own does.
    """
    k = b.shape[2]
    (t11, t12, t22), inverse = fixed.spread, fixed.inverse
    q11, q22 = 1 / fixed.var, 2 / fixed.var**2
    k11, k12, k22 = q11 - inverse[0], -inverse[1], q22 - inverse[2]
    others = fixed.cov.copy()
    others[:, range(k), range(k)] = 0.0
    squares = others * others / 2
    y, moves = np.zeros_like(b), np.zeros_like(b)
    for _ in range(_SWEEPS):
        r0 = (b[0] + (others @ moves[0][:, :, None])[:, :, 0]) * q11
        r1 = (b[1] + (squares @ moves[1][:, :, None])[:, :, 0]) * q22
        new = np.stack([t11 * r0 + t12 * r1, t12 * r0 + t22 * r1])
        change = np.abs(new - y).max()
        y = new
        moves = np.stack([k11 * y[0] + k12 * y[1], k12 * y[0] + k22 * y[1]])
        if change <= _ADJOINT * np.abs(y).max():
            break
    return y, moves
