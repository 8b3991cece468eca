r"""The multivariate normal: exact EM for any missingness pattern, with a diagonal ridge if one is asked for.

Work is done in standardised coordinates (every coordinate minus its observed mean, over its observed sd), so that
nothing depends on units and sums do not cancel; :meth:`MVNProblem.natural` undoes it. Dempster, Laird & Rubin 1977
(https://doi.org/10.1111/j.2517-6161.1977.tb01600.x); Little & Rubin 2019 (https://doi.org/10.1002/9781119482260),
chapter 11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from emimpute.latent import coverage
from emimpute.models.complete import complete
from emimpute.models.conditional import Rows, conditionals, reduced
from emimpute.models.information import cost, curvature, observed_information
from emimpute.models.monotone import monotone_order, monotone_part, nearly_monotone, regressions
from emimpute.models.triangular import moments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.latent import Latent, Patterns
    from emimpute.models.factored import FactoredProblem
    from emimpute.models.mixed import MixedProblem
    from emimpute.models.priors import Prior

__all__ = [
    "MVN",
    "MVNChart",
    "MVNProblem",
    "Normal",
    "Statistics",
    "correlation",
    "quotients",
    "symmetric",
    "whitened",
    "whitened_eigen",
]

_FLAT = 1e-7  # information per row, relative to the complete data's, below which a direction is flat
_ILL = 1e8  # condition number above which the precision form is left
_SINGULAR = (
    1e-10  # smallest eigenvalue of the correlation matrix that its likelihood, in double precision, tells from 0
)
_LONG = 1e9  # multiplications of the regressions behind a start, at most: half a second
_PAYS = 0.5  # share of complete columns from which to factor them out makes a fit faster (measured)
_BALANCED = 1e-10  # observed correlation that is told from 0 neither by rounding nor by a change of units


@dataclass(frozen=True, eq=False)
class Normal:
    """A normal distribution of d coordinates."""

    mean: np.ndarray  # (d,)
    cov: np.ndarray  # (d, d)


@dataclass(frozen=True, eq=False)
class CutNormal(Normal):
    """A normal distribution and the cut points between ordered answers."""

    cuts: np.ndarray  # (c,) of all coordinates, one after the other
    raw: np.ndarray | None = None  # (d, d) what ``cov`` was made of, where some of its entries are fixed


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

    def bind(
        self, latent: Latent, weights: np.ndarray | None = None, prior: Prior | None = None
    ) -> MVNProblem | FactoredProblem | MixedProblem:
        """The problem of fitting to ``latent`` (n, d) with case weights (n,), complete columns factored out.

        Rows without weight, and rows in which nothing is observed, do not count.
        """
        if latent.boxed:
            from emimpute.models import mixed  # noqa: PLC0415 (it is built on this module)

            return mixed.bind(latent, weights, prior)
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
        # norm2's observed variances have the divisor count - 1 (1 where a coordinate was seen once)
        delta = spread / scale**2 / np.maximum(count - 1, 1)
        logdet = 2 * float(count @ np.log(scale)) + float(count.sum()) * math.log(2 * math.pi)
        nothing = Rows(np.zeros((0, len(scale))), np.zeros(0), np.zeros(0, dtype=int), ())
        whole = MVNProblem(nothing, found, float(w.sum()), anchor + centre, scale, delta, logdet, prior)
        complete_columns = np.asarray(found.masks.all(axis=0))
        if _PAYS <= complete_columns.mean() < 1:
            from emimpute.models.factored import factor  # noqa: PLC0415 (it wraps what is defined here)

            return factor(whole, blocks, w_root, complete_columns)
        return replace(whole, table=Rows.sort(blocks, w_root, found))

    def complete(
        self, params: Normal, latent: Latent, *, variance: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, list[np.ndarray] | None]:
        """Holes filled, see :meth:`emimpute.models.base.Model.complete`; here by the law of a normal row."""
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
        return self._by_regressions(order, self.patterns.masks[:, order])

    @cached_property
    def nearby(self) -> Normal | None:
        """What the closed form says of the monotone part, where nearly all observed cells are in it; None elsewhere.

        Also None where that would take as long as many E-steps.
        """
        if self.table.x.size * len(self.delta) ** 2 > _LONG:
            return None
        weights = np.empty_like(self.table.centre)
        weights[self.table.order] = self.table.centre**2
        products = self.table.x.T @ self.table.x
        size = np.sqrt(np.diag(products))
        together = products / np.outer(size, size).clip(min=np.finfo(float).tiny)
        order = nearly_monotone(self.patterns, weights, together)
        return None if order is None else self._by_regressions(order, monotone_part(self.patterns.masks, order))

    def _by_regressions(self, order: np.ndarray, cells: np.ndarray) -> Normal | None:
        """The closed form for columns in monotone ``order`` (d,), of which each pattern has the ``cells`` (K, d)."""
        observed = cells[self.patterns.of_row[self.table.order]]
        divisor, penalty = self.divisor - self.rows, np.diag(self.added)[order]
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
        if table is not self.table:
            first, second, minus2 = moments(table, params.mean, params.cov)
            return Statistics(self.rows, params.mean, first, (second + second.T) / 2), -(self.constant + minus2) / 2
        first, second, filled = np.zeros(d), np.zeros((d, d)), np.zeros((d, d))
        variance, solved = np.zeros((d, d)), np.zeros((d, d))
        minus2, covariance_count = self.constant, 0.0
        for c in conditionals(table, params.mean, params.cov, precision):
            weight, deviations = c.chunk.weight, c.deviations
            first += table.centre[c.chunk.rows] @ deviations
            minus2 += float(weight @ c.logdet) + c.quadratic
            if c.chunk.precision:
                filled += deviations.T @ deviations
                variance += c.total()
                minus2 += logdet * float(weight.sum())
            else:
                second += deviations.T @ deviations
                solved += c.total()
                covariance_count += float(weight.sum())
            del c, deviations  # before the next are made
        minus2 += float((filled * precision).sum())
        second += filled + variance
        if covariance_count:
            second += covariance_count * params.cov - params.cov @ solved @ params.cov
        return Statistics(self.rows, params.mean, first, (second + second.T) / 2), -minus2 / 2

    def maximize(self, statistics: Statistics) -> Normal:
        """M-step: maximum likelihood from the expected statistics (divisor n), or the mode under the prior."""
        step = statistics.first / statistics.count
        scatter = statistics.second - statistics.count * np.outer(step, step)
        return Normal(statistics.origin + step, (scatter + self.added) / self.divisor)

    @cached_property
    def added(self) -> np.ndarray:
        """The scatter (d, d) that the prior adds to the data's."""
        return np.diag((0.0 if self.prior is None else self.prior.df) * self.delta)

    @cached_property
    def divisor(self) -> float:
        """What the scatter is divided by: the rows, and what the prior counts for."""
        return self.rows if self.prior is None else self.rows + self.prior.df + self.prior.extra(len(self.delta))

    def log_prior(self, params: Normal) -> float:
        """Log prior density at ``params`` up to a constant, as norm2 counts it (in the data's own units)."""
        return log_prior(self.prior, params.cov, self.delta, self.scale)

    def chart(self, reference: Normal) -> MVNChart:
        """Coordinates around ``reference``."""
        return MVNChart(self, reference.mean, np.linalg.cholesky(reference.cov), math.sqrt(self.divisor / self.rows))

    def noise(self, params: Normal, logpost: float) -> float:
        """Rounding error of the log posterior: relative for its sum, like cond(Σ) for each row's quadratic form."""
        values = np.linalg.eigvalsh(correlation(params.cov))
        return float(np.finfo(float).eps) * (
            64 * abs(logpost) + self.rows * len(values) * float(values[-1] / values[0])
        )

    def degenerate(self, params: Normal) -> bool:
        """Whether the correlation matrix is singular to double precision, or a variance 0 beside the observed one."""
        if not (np.diag(params.cov) > _SINGULAR**2).all():
            return True
        return bool(np.linalg.eigvalsh(correlation(params.cov))[0] < _SINGULAR)

    @cached_property
    def information_cost(self) -> float:
        """How many E-steps as long as one :meth:`information` takes, roughly."""
        return cost(self.table)

    def information(self, params: Normal, statistics: Statistics) -> np.ndarray:
        """Observed information per row (p, p): minus the log posterior's Hessian in the chart laid at ``params``."""
        d, n = len(params.mean), statistics.count
        factor = np.linalg.cholesky(params.cov)
        table = self._planned(np.linalg.eigvalsh(params.cov))
        precision = np.linalg.inv(params.cov)
        rows = ((c, table.centre[c.chunk.rows, None]) for c in conditionals(table, params.mean, params.cov, precision))
        information = observed_information(rows, precision, factor, 1)
        # The chart is not linear: where the gradient in Σ is not 0 it adds -tr(G (EF + FE))/2, G = ½(T₂ - n I). Of the
        # penalty, which is linear in H but for tr(exp(-H)R)/2, R/2 is left.
        white = whitened(factor, statistics.second)
        bend = (n * np.eye(d) - white) / 2
        if self.prior is not None:
            bend += whitened(factor, self.added) / 2
        information[d:, d:] += curvature(bend)
        stretch = np.ones(len(information))
        stretch[d:] = self.chart(params).stretch
        return np.asarray(information / (n * np.outer(stretch, stretch)))

    def undetermined(self, params: Normal) -> list[tuple[int, ...]]:
        """Pairs of coordinates (one alone: its variance) whose covariance moves along flat directions at ``params``."""
        d = len(params.mean)
        values, vectors = np.linalg.eigh(self.information(params, self.expect(params)[0]))
        chart, sd = self.chart(params), np.sqrt(np.diag(params.cov))
        moved = np.zeros((d, d))
        for direction in vectors[:, values < _FLAT].T:
            moved += np.square(
                chart.factor @ (symmetric(direction[d:], d) / chart.stretch) @ chart.factor.T / np.outer(sd, sd)
            )
        return [(int(i), int(j))[: 1 + (i != j)] for i, j in np.argwhere(np.triu(moved) > moved.max() / 4)]

    def natural(self, params: Normal) -> Normal:
        """``params`` in the units of the latent coordinates."""
        return Normal(self.centre + self.scale * params.mean, params.cov * np.outer(self.scale, self.scale))


def correlation(cov: np.ndarray) -> np.ndarray:
    """The correlation matrix (d, d) of a covariance matrix."""
    sd = np.sqrt(np.diag(cov))
    return np.asarray(cov / np.outer(sd, sd))


class _Penalised(Protocol):
    @property
    def added(self) -> np.ndarray: ...
    @property
    def divisor(self) -> float: ...


@dataclass(frozen=True, eq=False)
class MVNChart:
    """μ = μ₀ + L₀a, Σ = L₀ exp(H) L₀ᵀ; the vector is a, the diagonal of H over √2, and H above the diagonal.

    In these coordinates the complete-data information at the origin is n times the identity, whatever the order or
    units of the columns. Under a prior the complete data count for more than n rows in H, so its coordinates are
    stretched.
    """

    problem: _Penalised
    mean: np.ndarray  # (d,)
    factor: np.ndarray  # (d, d) L₀
    stretch: float  # of the coordinates of H; 1 without a prior

    def to_vector(self, params: Normal) -> np.ndarray:
        """Coordinates (d + d(d+1)/2,) of ``params``.

        Raises ``numpy.linalg.LinAlgError`` where Σ is singular, seen from the reference.
        """
        values, vectors = whitened_eigen(self.factor, params.cov)
        h = self.stretch * ((vectors * np.log(values)) @ vectors.T)
        a = np.linalg.solve(self.factor, params.mean - self.mean)
        return np.concatenate([a, np.diag(h) / math.sqrt(2), h[np.triu_indices(len(a), 1)]])

    def from_vector(self, vector: np.ndarray) -> Normal:
        """The parameters at ``vector``."""
        values, vectors = np.linalg.eigh(symmetric(vector[len(self.mean) :], len(self.mean)) / self.stretch)
        root = self.factor @ (vectors * np.exp(values / 2))
        return Normal(self.mean + self.factor @ vector[: len(self.mean)], root @ root.T)

    def gradient(self, params: Normal, statistics: Statistics) -> np.ndarray:
        """Gradient per row of the log posterior at ``params``, where ``statistics`` are the E-step's; may raise too."""
        d, divisor = len(self.mean), self.problem.divisor
        second = statistics.second + self.problem.added
        # With S = L₀⁻¹ΣL₀⁻ᵀ = exp(H), all in whitened coordinates: dℓ/dS = ½ S⁻¹(T₂ - divisor·S)S⁻¹, dℓ/da = S⁻¹T₁.
        values, vectors = whitened_eigen(self.factor, params.cov)
        t2 = vectors.T @ whitened(self.factor, second) @ vectors
        slope = t2 / np.outer(values, values) / 2
        slope[np.diag_indices(d)] -= divisor / values / 2
        dh = vectors @ (slope * quotients(values)) @ vectors.T / self.stretch
        t1 = np.linalg.solve(self.factor, statistics.first)
        da = vectors @ ((vectors.T @ t1) / values)
        return np.concatenate([da, math.sqrt(2) * np.diag(dh), 2 * dh[np.triu_indices(d, 1)]]) / statistics.count

    def along(self, cov: np.ndarray, by_mean: np.ndarray, by_cov: np.ndarray) -> np.ndarray:
        """Derivatives in the coordinates (p,), at ``cov``, from those in the mean (d,) and the covariance (d, d)."""
        values, vectors = whitened_eigen(self.factor, cov)
        slope = vectors.T @ self.factor.T @ by_cov @ self.factor @ vectors
        dh = vectors @ (slope * quotients(values)) @ vectors.T / self.stretch
        upper = 2 * dh[np.triu_indices(len(cov), 1)]
        return np.concatenate([self.factor.T @ by_mean, math.sqrt(2) * np.diag(dh), upper])

    def distance(self, vector: np.ndarray) -> float:
        """The larger of the Euclidean length of L₀⁻¹Δμ and the Frobenius norm of L₀⁻¹ΔΣL₀⁻ᵀ, to first order."""
        d = len(self.mean)
        of_cov = math.sqrt(2) * float(np.linalg.norm(vector[d:])) / self.stretch
        return max(float(np.linalg.norm(vector[:d])), of_cov)


def log_prior(prior: Prior | None, cov: np.ndarray, delta: np.ndarray, scale: np.ndarray) -> float:
    """Log density of ``prior`` up to a constant, where ``cov`` (d, d) is in units of ``scale`` (d,)."""
    if prior is None:
        return 0.0
    values = np.linalg.eigvalsh(cov)
    logdet = float(np.log(values).sum()) + 2 * float(np.log(scale).sum())
    trace = float(delta @ np.diag(np.linalg.inv(cov)))
    return -((prior.df + prior.extra(len(delta))) * logdet + prior.df * trace) / 2


def whitened_eigen(factor: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (d,) and vectors (d, d) of F⁻¹ Σ F⁻ᵀ; raises ``numpy.linalg.LinAlgError`` where it is singular."""
    values, vectors = np.linalg.eigh(whitened(factor, cov))
    if not values[0] > math.sqrt(np.finfo(float).tiny):
        msg = "the covariance matrix is singular seen from the reference"
        raise np.linalg.LinAlgError(msg)
    return values, vectors


def whitened(factor: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """F⁻¹ M F⁻ᵀ for a symmetric M, (d, d)."""
    white = np.linalg.solve(factor, np.linalg.solve(factor, matrix).T)
    return np.asarray((white + white.T) / 2)


def quotients(values: np.ndarray) -> np.ndarray:
    """What the derivative of exp at H multiplies by in the eigenbasis of H, of eigenvalues log ``values`` (d,).

    They are divided differences (Daleckii-Krein): (x - y) / (log x - log y) = sqrt(xy) sinh(t)/t with t = log(x/y)/2,
    which does not cancel.
    """
    log = np.log(values)
    t = np.subtract.outer(log, log) / 2
    return np.asarray(np.sqrt(np.outer(values, values)) * np.where(t == 0, 1.0, np.sinh(t) / np.where(t == 0, 1.0, t)))


def symmetric(vector: np.ndarray, d: int) -> np.ndarray:
    """H (d, d) from its diagonal over √2 and what is above it."""
    h = np.zeros((d, d))
    h[np.triu_indices(d, 1)] = vector[d:]
    h += h.T
    h[np.diag_indices(d)] = vector[:d] * math.sqrt(2)
    return h
