r"""The multivariate normal: exact EM for any missingness pattern, with a diagonal ridge if one is asked for.

Work is done in standardised coordinates (every coordinate minus its observed mean, over its observed sd), so that
nothing depends on units and sums do not cancel; :meth:`MVNProblem.natural` undoes it. Dempster, Laird & Rubin 1977
(https://doi.org/10.1111/j.2517-6161.1977.tb01600.x); Little & Rubin 2019 (https://doi.org/10.1002/9781119482260),
chapter 11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.latent import coverage
from emimpute.models.complete import complete
from emimpute.models.conditional import Rows, conditionals, reduced
from emimpute.models.information import cost, curvature, observed_information
from emimpute.models.monotone import monotone_order, regressions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.latent import Latent, Patterns
    from emimpute.models.priors import Prior

__all__ = ["MVN", "MVNChart", "MVNProblem", "Normal", "Statistics"]

_FLAT = 1e-7  # information per row, relative to the complete data's, below which a direction is flat
_ILL = 1e8  # condition number above which the precision form is left
_SINGULAR = (
    1e-10  # smallest eigenvalue of the correlation matrix that its likelihood, in double precision, tells from 0
)
_BALANCED = 1e-10  # observed correlation that is told from 0 neither by rounding nor by a change of units


@dataclass(frozen=True, eq=False)
class Normal:
    """A normal distribution of d coordinates."""

    mean: np.ndarray  # (d,)
    cov: np.ndarray  # (d, d)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Expected sufficient statistics about a common origin. They add: chunks of rows, weights, machines."""

    count: float
    origin: np.ndarray  # (d,)
    first: np.ndarray  # (d,) Σ w E[z - origin]
    second: np.ndarray  # (d, d) Σ w E[(z - origin)(z - origin)ᵀ]

    def __add__(self, other: Statistics) -> Statistics:
        if not np.array_equal(self.origin, other.origin):
            msg = "Statistics add only about the same origin."
            raise ValueError(msg)
        return Statistics(self.count + other.count, self.origin, self.first + other.first, self.second + other.second)


@dataclass(frozen=True)
class MVN:
    """One normal distribution over all coordinates (``model="mvn"``)."""

    name: ClassVar[str] = "mvn"

    def bind(self, latent: Latent, weights: np.ndarray | None = None, prior: Prior | None = None) -> MVNProblem:
        """The problem of fitting to ``latent`` (n, d) with case weights (n,).

        Rows without weight, and rows in which nothing is observed, do not count.
        """
        w = np.ones(len(latent.points)) if weights is None else np.asarray(weights, dtype=float)
        used = np.flatnonzero((w > 0) & latent.observed.any(axis=1))
        found = latent.patterns if len(used) == len(w) else latent.patterns.rows(used)
        count, anchor, centre, spread = _moments(latent, w)
        scale = np.sqrt(spread / count)
        scale[~(scale > 0)] = 1.0

        def standardised(rows: np.ndarray) -> np.ndarray:
            some = latent.take(used[rows])
            z, holes = some.points, ~some.observed
            z -= anchor
            z -= centre
            z /= scale
            z[holes] = 0.0
            return z

        w = w[used]
        blocks, w_root, found = reduced(standardised, w, found)
        rows = Rows.sort(blocks, w_root, found)
        # norm2's observed variances have the divisor count - 1 (1 where a coordinate was seen once)
        delta = spread / scale**2 / np.maximum(count - 1, 1)
        logdet = 2 * float(count @ np.log(scale)) + float(count.sum()) * math.log(2 * math.pi)
        return MVNProblem(rows, found, float(w.sum()), anchor + centre, scale, delta, logdet, prior)

    def complete(
        self, params: Normal, latent: Latent, *, variance: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """See :func:`emimpute.models.complete.complete`."""
        return complete(params.mean, params.cov, latent, variance=variance, rng=rng)

    def to_json(self, params: Normal) -> dict[str, Any]:
        """The parameters as JSON types."""
        return {"mean": params.mean.tolist(), "cov": params.cov.tolist()}

    def from_json(self, document: Mapping[str, Any]) -> Normal:
        """What :meth:`to_json` wrote."""
        d = len(document["mean"])
        return Normal(np.array(document["mean"], dtype=float), np.array(document["cov"], dtype=float).reshape(d, d))


def _moments(latent: Latent, weights: np.ndarray) -> np.ndarray:
    """Of each coordinate's used cells: their weight, one of them, mean and sum of squares about it, (4, d).

    The one is subtracted before sums are taken, and the mean is what remains: at 1e7, sd 1, sums would cancel.
    """
    moments = np.empty((4, latent.points.shape[1]))
    for j in range(moments.shape[1]):
        seen = (latent.lower[:, j] == latent.upper[:, j]) & (weights > 0)
        w, z = weights[seen], latent.points[:, j][seen]
        anchor = z[0]
        z -= anchor
        mean = w @ z / w.sum()
        z -= mean
        moments[:, j] = w.sum(), anchor, mean, w @ z**2
    return moments


@dataclass(frozen=True, eq=False)
class MVNProblem:
    """The multivariate normal bound to data; parameters are :class:`Normal` in standardised coordinates."""

    table: Rows
    patterns: Patterns  # of the (reduced) rows, in the order before sorting
    rows: float  # n, or the sum of the weights, over rows with something observed
    centre: np.ndarray  # (d,) observed means
    scale: np.ndarray  # (d,) observed sd (divisor: count)
    delta: np.ndarray  # (d,) observed variances (divisor: count - 1) in standardised coordinates: the prior's scale
    constant: float  # what -2 log-likelihood has besides the standardised rows' log|Σ_oo| and quadratic form
    prior: Prior | None

    @property
    def closed(self) -> bool:
        """Whether no row has a hole."""
        return bool(self.patterns.masks.all())

    @cached_property
    def solution(self) -> Normal | None:
        """The maximiser in closed form, where the patterns are monotone (complete data are); None elsewhere."""
        order = monotone_order(self.patterns)
        if order is None:
            return None
        observed = self.patterns.masks[self.patterns.of_row[self.table.order]][:, order]
        divisor, penalty = self._divisor - self.rows, np.diag(self._added)[order]
        try:
            mean, cov = regressions(self.table.x[:, order], self.table.centre, observed, penalty, divisor)
        except np.linalg.LinAlgError:
            return None
        back = np.argsort(order)
        return Normal(mean[back], cov[np.ix_(back, back)])

    def start(self, rng: np.random.Generator | None = None) -> Normal:
        """Observed means and variances, and zero correlations where a gradient points away from them.

        Where the observed cross-product of a pair is 0 to rounding, as in tables that stay what they are when a
        column changes its sign, zero may be a saddle that EM would never leave (Murray 1977). Such pairs start at a
        small correlation.

        With ``rng`` a place at random: nine parts of a correlation matrix that may be any one alike, and one part of
        the identity, so that it is not near the edge. The means stay, for with covariances given the best means are
        unique. The units of the columns do not enter, nor does their order: those draw first that go least with the
        others.
        """
        d = len(self.centre)
        products = self.table.x.T @ self.table.x
        size = np.sqrt(np.diag(products))
        if rng is not None:
            together = products / np.outer(size, size).clip(min=np.finfo(float).tiny)
            turn = np.empty(d, dtype=int)
            turn[np.argsort(np.round((together**2).sum(axis=0), 9), kind="stable")] = np.arange(d)
            factor = rng.standard_normal((d, d + 1))[turn]  # its normalised Wishart matrix is uniform
            factor /= np.linalg.norm(factor, axis=1, keepdims=True)
            return Normal(np.zeros(d), 0.9 * factor @ factor.T + 0.1 * np.eye(d))
        balanced = (np.abs(products) < _BALANCED * np.outer(size, size)) & (coverage(self.patterns) > 0)
        cov = np.where(balanced, 0.5 / max(d, 1), 0.0)
        np.fill_diagonal(cov, 1.0)
        return Normal(np.zeros(d), cov)

    @cached_property
    def _ill_conditioned_table(self) -> Rows:
        return self.table.covariance_form(self.patterns)

    def _planned(self, eigenvalues: np.ndarray) -> Rows:
        """The rows in the forms that a covariance matrix with these eigenvalues allows."""
        return self.table if eigenvalues[-1] < _ILL * eigenvalues[0] else self._ill_conditioned_table

    def expect(self, params: Normal) -> tuple[Statistics, float]:
        """E-step; raises ``numpy.linalg.LinAlgError`` where Σ is not positive definite."""
        d = len(params.mean)
        values, vectors = np.linalg.eigh(params.cov)
        if not values[0] > 16 * d * np.finfo(float).eps * values[-1]:
            msg = "the covariance matrix is not positive definite"
            raise np.linalg.LinAlgError(msg)
        precision = (vectors / values) @ vectors.T
        logdet = float(np.log(values).sum())
        table = self._planned(values)
        first, second, filled = np.zeros(d), np.zeros((d, d)), np.zeros((d, d))
        variance, solved = np.zeros(d * d), np.zeros(d * d)
        minus2, covariance_count = self.constant, 0.0
        for c in conditionals(table, params.mean, params.cov, precision):
            weight, deviations = c.chunk.weight, c.deviations
            first += table.centre[c.chunk.rows] @ deviations
            small = np.bincount(c.pairs.ravel(), weights=(c.inverse * weight).ravel(), minlength=d * d)
            minus2 += float(weight @ c.logdet) + c.quadratic
            if c.chunk.precision:
                filled += deviations.T @ deviations
                variance += small
                minus2 += logdet * float(weight.sum())
            else:
                second += deviations.T @ deviations
                solved += small
                covariance_count += float(weight.sum())
            del c, deviations  # before the next are made
        minus2 += float((filled * precision).sum())
        second += filled + variance.reshape(d, d)
        if covariance_count:
            second += covariance_count * params.cov - params.cov @ solved.reshape(d, d) @ params.cov
        return Statistics(self.rows, params.mean, first, (second + second.T) / 2), -minus2 / 2

    def maximize(self, statistics: Statistics) -> Normal:
        """M-step: maximum likelihood from the expected statistics (divisor n), or the mode under the prior."""
        step = statistics.first / statistics.count
        scatter = statistics.second - statistics.count * np.outer(step, step)
        return Normal(statistics.origin + step, (scatter + self._added) / self._divisor)

    @cached_property
    def _added(self) -> np.ndarray:
        """The scatter (d, d) that the prior adds to the data's."""
        return np.diag((0.0 if self.prior is None else self.prior.df) * self.delta)

    @cached_property
    def _divisor(self) -> float:
        """What the scatter is divided by: the rows, and what the prior counts for."""
        return self.rows if self.prior is None else self.rows + self.prior.df + self.prior.extra(len(self.delta))

    def log_prior(self, params: Normal) -> float:
        """Log prior density at ``params`` up to a constant, as norm2 counts it (in the data's own units)."""
        if self.prior is None:
            return 0.0
        df, d = self.prior.df, len(params.mean)
        values = np.linalg.eigvalsh(params.cov)
        logdet = float(np.log(values).sum()) + 2 * float(np.log(self.scale).sum())
        trace = float(self.delta @ np.diag(np.linalg.inv(params.cov)))
        return -((df + self.prior.extra(d)) * logdet + df * trace) / 2

    def chart(self, reference: Normal) -> MVNChart:
        """Coordinates around ``reference``."""
        return MVNChart(self, reference.mean, np.linalg.cholesky(reference.cov), math.sqrt(self._divisor / self.rows))

    def noise(self, params: Normal, logpost: float) -> float:
        """Rounding error of the log posterior: relative for its sum, like cond(Σ) for each row's quadratic form."""
        values = np.linalg.eigvalsh(_correlation(params.cov))
        return float(np.finfo(float).eps) * (
            64 * abs(logpost) + self.rows * len(values) * float(values[-1] / values[0])
        )

    def degenerate(self, params: Normal) -> bool:
        """Whether the correlation matrix is singular to double precision, or a variance 0 beside the observed one."""
        if not (np.diag(params.cov) > _SINGULAR**2).all():
            return True
        return bool(np.linalg.eigvalsh(_correlation(params.cov))[0] < _SINGULAR)

    @cached_property
    def information_cost(self) -> float:
        """How many E-steps as long as one :meth:`information` takes, roughly."""
        return cost(self.table)

    def information(self, params: Normal, statistics: Statistics) -> np.ndarray:
        """Observed information per row (p, p): minus the log posterior's Hessian in the chart laid at ``params``."""
        d, n = len(params.mean), statistics.count
        factor = np.linalg.cholesky(params.cov)
        table = self._planned(np.linalg.eigvalsh(params.cov))
        information = observed_information(table, params.mean, params.cov, factor)
        # The chart is not linear: where the gradient in Σ is not 0 it adds -tr(G (EF + FE))/2, G = ½(T₂ - divisor I).
        white = np.linalg.solve(factor, np.linalg.solve(factor, statistics.second).T)
        bend = -(white - n * np.eye(d)) / 2
        if self.prior is not None:
            ridge = np.linalg.solve(factor, np.linalg.solve(factor, self.prior.df * np.diag(self.delta)).T)
            divisor = self.prior.df + self.prior.extra(d)
            bend += ridge - (ridge - divisor * np.eye(d)) / 2
            information[d:, d:] -= divisor * np.eye(d * (d + 1) // 2)
        stretch = np.ones(len(information))
        stretch[d:] = self.chart(params).stretch
        result: np.ndarray = (information + curvature(bend)) / (n * np.outer(stretch, stretch))
        return result

    def undetermined(self, params: Normal) -> list[tuple[int, ...]]:
        """Pairs of coordinates (one alone: its variance) whose covariance moves along flat directions at ``params``."""
        d = len(params.mean)
        values, vectors = np.linalg.eigh(self.information(params, self.expect(params)[0]))
        chart, sd = self.chart(params), np.sqrt(np.diag(params.cov))
        moved = np.zeros((d, d))
        for direction in vectors[:, values < _FLAT].T:
            moved += np.square(chart.factor @ chart.symmetric(direction) @ chart.factor.T / np.outer(sd, sd))
        return [(int(i), int(j))[: 1 + (i != j)] for i, j in np.argwhere(np.triu(moved) > moved.max() / 4)]

    def natural(self, params: Normal) -> Normal:
        """``params`` in the units of the latent coordinates."""
        return Normal(self.centre + self.scale * params.mean, params.cov * np.outer(self.scale, self.scale))


def _correlation(cov: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(cov))
    return np.asarray(cov / np.outer(sd, sd))


@dataclass(frozen=True, eq=False)
class MVNChart:
    """μ = μ₀ + L₀a, Σ = L₀ exp(H) L₀ᵀ; the vector is a, the diagonal of H over √2, and H above the diagonal.

    In these coordinates the complete-data information at the origin is n times the identity, whatever the order or
    units of the columns. Under a prior the complete data count for more than n rows in H, so its coordinates are
    stretched.
    """

    problem: MVNProblem
    mean: np.ndarray  # (d,)
    factor: np.ndarray  # (d, d) L₀
    stretch: float  # of the coordinates of H; 1 without a prior

    def to_vector(self, params: Normal) -> np.ndarray:
        """Coordinates (d + d(d+1)/2,) of ``params``.

        Raises ``numpy.linalg.LinAlgError`` where Σ is singular, seen from the reference.
        """
        values, vectors = self._eigen(params.cov)
        h = self.stretch * ((vectors * np.log(values)) @ vectors.T)
        a = np.linalg.solve(self.factor, params.mean - self.mean)
        return np.concatenate([a, np.diag(h) / math.sqrt(2), h[np.triu_indices(len(a), 1)]])

    def from_vector(self, vector: np.ndarray) -> Normal:
        """The parameters at ``vector``."""
        values, vectors = np.linalg.eigh(self.symmetric(vector))
        root = self.factor @ (vectors * np.exp(values / 2))
        return Normal(self.mean + self.factor @ vector[: len(self.mean)], root @ root.T)

    def gradient(self, params: Normal, statistics: Statistics) -> np.ndarray:
        """Gradient per row of the log posterior at ``params``, where ``statistics`` are the E-step's; may raise too."""
        d, divisor = len(self.mean), self.problem._divisor  # noqa: SLF001 (a chart is the other half of its problem)
        second = statistics.second + self.problem._added  # noqa: SLF001
        # With S = L₀⁻¹ΣL₀⁻ᵀ = exp(H), all in whitened coordinates: dℓ/dS = ½ S⁻¹(T₂ - divisor·S)S⁻¹, dℓ/da = S⁻¹T₁.
        values, vectors = self._eigen(params.cov)
        t2 = vectors.T @ self._whiten(second) @ vectors
        slope = t2 / np.outer(values, values) / 2
        slope[np.diag_indices(d)] -= divisor / values / 2
        # The derivative of exp in the eigenbasis of H multiplies by divided differences (Daleckii-Krein):
        # (x - y) / (log x - log y) = sqrt(xy) sinh(t)/t with t = log(x/y)/2, which does not cancel.
        log = np.log(values)
        t = np.subtract.outer(log, log) / 2
        quotient = np.sqrt(np.outer(values, values)) * np.where(t == 0, 1.0, np.sinh(t) / np.where(t == 0, 1.0, t))
        dh = vectors @ (slope * quotient) @ vectors.T / self.stretch
        t1 = np.linalg.solve(self.factor, statistics.first)
        da = vectors @ ((vectors.T @ t1) / values)
        return np.concatenate([da, math.sqrt(2) * np.diag(dh), 2 * dh[np.triu_indices(d, 1)]]) / statistics.count

    def distance(self, vector: np.ndarray) -> float:
        """The larger of the Euclidean length of L₀⁻¹Δμ and the Frobenius norm of L₀⁻¹ΔΣL₀⁻ᵀ, to first order."""
        d = len(self.mean)
        of_cov = math.sqrt(2) * float(np.linalg.norm(vector[d:])) / self.stretch
        return max(float(np.linalg.norm(vector[:d])), of_cov)

    def _eigen(self, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = np.linalg.eigh(self._whiten(cov))
        if not values[0] > math.sqrt(np.finfo(float).tiny):
            msg = "the covariance matrix is singular seen from the reference"
            raise np.linalg.LinAlgError(msg)
        return values, vectors

    def _whiten(self, matrix: np.ndarray) -> np.ndarray:
        half = np.linalg.solve(self.factor, matrix)
        white = np.linalg.solve(self.factor, half.T)
        return np.asarray((white + white.T) / 2)

    def symmetric(self, vector: np.ndarray) -> np.ndarray:
        """H (d, d) at ``vector``."""
        d = len(self.mean)
        h = np.zeros((d, d))
        h[np.triu_indices(d, 1)] = vector[2 * d :]
        h += h.T
        h[np.diag_indices(d)] = vector[d : 2 * d] * math.sqrt(2)
        return np.asarray(h / self.stretch)
