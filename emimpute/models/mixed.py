r"""The multivariate normal of columns some of whose cells are intervals: answers in order, brackets, detection limits.

Row by row the E-step is :mod:`emimpute.models.boxes`'; the rest is the multivariate normal's, with these differences.

- Cut points between ordered answers are parameters. Location and scale of their coordinate are then free to choose,
  which makes EM faster (parameter expansion: Liu, Rubin & Wu 1998, https://doi.org/10.1093/biomet/85.4.755), and
  :meth:`MixedProblem.natural` chooses mean 0 and variance 1. Along these orbits the likelihood does not change.
- The complete data would give a cut point away, so it has no M-step. It takes half a Newton step on the likelihood of
  its column's cells under EP's cavities, and the accelerated steps follow its exact derivative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.latent import Latent
from emimpute.models.blocks import Blocks
from emimpute.models.boxes import BoxRows, given
from emimpute.models.boxinformation import box_information
from emimpute.models.cuts import Cuts, tridiagonal
from emimpute.models.information import curvature
from emimpute.models.mixedchart import MixedChart, lay
from emimpute.models.mvn import MVN, CutNormal, Statistics, log_prior, whitened
from emimpute.normal.truncated import truncated

if TYPE_CHECKING:
    from emimpute.models.mvn import Normal
    from emimpute.models.priors import Prior

__all__ = ["MixedProblem", "bind"]

_SINGULAR = 1e-10  # smallest eigenvalue of the correlation matrix that points tell from 0
_NEARLY = 3e-3  # and that intervals do
_PART = 0.1  # of an eigenvector, squared, that is in coordinates with intervals, where the latter counts
_SWEEP = 6.0  # what an E-step does besides one inversion of each row's matrix, in units of that
_FIRST = 6  # EM steps on scores, to start from
_APART = 0.03  # of each correlation, that a run from the edge begins without
_START = 0.05  # smallest eigenvalue of the correlation matrix to start with
_INVERSES = 16  # how much the inverses of inverses of an E-step with intervals add to rounding
_NOISE = 1e-9  # what one row's log Z jumps by as pairs come to be worth it, and go


@dataclass(frozen=True, eq=False)
class BoxStatistics(Statistics):
    """Expected sufficient statistics, and what the log-likelihood is in the cut points."""

    cov: np.ndarray  # (d, d) the parameters they are of
    cuts: np.ndarray  # (c,)
    slope: np.ndarray  # (c,) its derivatives
    curve: np.ndarray  # (2, c) minus the second ones, cavities held: (own, with the next)


def bind(latent: Latent, weights: np.ndarray | None, prior: Prior | None) -> MixedProblem:
    """The problem of fitting to ``latent`` (n, d), some of whose cells are proper intervals."""
    w = np.ones(len(latent.points)) if weights is None else np.asarray(weights, dtype=float)
    known, point = latent.known, latent.observed
    used = np.flatnonzero((w > 0) & known.any(axis=1))
    known, point, w = known[used], point[used], w[used]
    lower, upper = np.where(known, latent.lower[used], -np.inf), np.where(known, latent.upper[used], np.inf)
    fixed = np.array([not len(c) for c in latent.cuts])
    blocks = Blocks(
        (*(cone.span for cone in latent.cones), *(slice(j, j + 1) for j in latent.pinned)),
        (*(cone.within for cone in latent.cones), *(np.eye(1) for _ in latent.pinned)),
    )
    for span in blocks.spans:
        fixed[span] = False
    centre, scale = _units(lower, upper, known, w, fixed)
    cuts = Cuts.find(lower, upper, latent.cuts)
    lower, upper = (lower - centre) / scale, (upper - centre) / scale
    constant = -float(w @ (point @ (np.log(scale) + math.log(2 * math.pi) / 2)))
    cones = [replace(cone, of_row=cone.of_row[used]) for cone in latent.cones]
    table = BoxRows.sort(lower, point, known, cones)
    total = float(w.sum())
    return MixedProblem(
        table, lower, upper, known, w, cuts, total, centre, scale, constant, prior, blocks, latent.pinned
    )


def _units(
    lower: np.ndarray, upper: np.ndarray, known: np.ndarray, w: np.ndarray, fixed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Origin and unit (d,) of each coordinate: mean and sd of its points, middles and ends; 0 and 1 for cut points."""
    centre, scale = np.zeros(lower.shape[1]), np.ones(lower.shape[1])
    for j in np.flatnonzero(fixed):
        low, high, weight = lower[known[:, j], j], upper[known[:, j], j], w[known[:, j]]
        ends = np.where(np.isinf(low), high, np.where(np.isinf(high), low, (low + high) / 2))
        anchor = ends[0]
        ends = ends - anchor
        mean = weight @ ends / weight.sum()
        sd = math.sqrt(weight @ (ends - mean) ** 2 / weight.sum())
        centre[j], scale[j] = anchor + mean, sd if sd > 0 else 1.0
    return centre, scale


@dataclass(frozen=True, eq=False)
class MixedProblem:
    """The normal with intervals bound to data; parameters are :class:`CutNormal` in standardised coordinates."""

    table: BoxRows
    lower: np.ndarray  # (n, d)
    upper: np.ndarray  # (n, d)
    known: np.ndarray  # (n, d) bool
    weights: np.ndarray  # (n,)
    cuts: Cuts
    rows: float
    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    constant: float  # what the log-likelihood has besides
    prior: Prior | None
    blocks: Blocks
    pinned: tuple[int, ...]

    structure = "intervals by expectation propagation, corrected by pairs"
    closed = False
    rough = True  # its information leaves something out
    patience = 4  # E-steps, which are dear here, after which the engine is to ask for the information
    solution = None

    @cached_property
    def delta(self) -> np.ndarray:
        """Variances (d,) that the prior draws to."""
        out = np.ones(len(self.centre))
        for span, within in zip(self.blocks.spans, self.blocks.within, strict=True):
            out[span] = np.diag(within)
        return out

    @cached_property
    def counts(self) -> np.ndarray:
        """Weight of the known cells of each cut point's column, (c,)."""
        return np.asarray((self.weights @ self.known)[self.cuts.column])

    def start(self, rng: np.random.Generator | None = None) -> CutNormal:
        """Cut points by the observed shares, and what a few steps of EM say of the cells' scores.

        A score is the mean of the cell's interval under the coordinate's own law. Scores correlate less than what they
        stand for, by the share of variance that they keep; that is made up for as far as a correlation matrix allows.
        With ``rng`` any correlations.
        """
        d = len(self.centre)
        if rng is not None:
            factor = rng.standard_normal((d, d + 1))
            factor /= np.linalg.norm(factor, axis=1, keepdims=True)
            return CutNormal(np.zeros(d), self.blocks.fix(0.9 * factor @ factor.T + 0.1 * np.eye(d)), self.cuts.start)
        params = self._of_scores()
        sd = np.sqrt(np.diag(params.cov))
        kept = np.where(self.coarse, np.minimum(sd**2, 1.0), 1.0)
        correlation = _correlation(params.cov) / np.sqrt(np.outer(kept, kept))
        np.fill_diagonal(correlation, 1.0)
        least = float(np.linalg.eigvalsh(correlation)[0])
        if least < _START:
            share = (1 - _START) / (1 - least)
            correlation = share * correlation + (1 - share) * np.eye(d)
        unit = np.where(self.coarse, 1.0, sd)
        cov = self.blocks.fix(correlation * np.outer(unit, unit))
        return CutNormal(np.where(self.coarse, 0.0, params.mean), cov, self.cuts.start)

    def resume(self, params: CutNormal) -> CutNormal:
        """A start from ``params`` of the same problem under another prior, away from the edge."""
        found = self.canonical(params)
        apart = np.zeros_like(found.cov)
        for span in (*self.blocks.spans, *(slice(j, j + 1) for j in range(len(apart)))):
            apart[span, span] = found.cov[span, span]
        return replace(found, cov=(1 - _APART) * found.cov + _APART * apart, raw=None)

    def _of_scores(self) -> Normal:
        """Mean and covariance of the cells' scores, after a few steps of EM."""
        d = len(self.centre)
        _, scores, _ = truncated(np.where(self.table.point, -np.inf, self.lower), self.upper)
        for piece in self.table.pieces:
            if piece.frames is not None:  # out of their frames
                at = piece.rows[:, None], np.minimum(piece.inside, d - 1)
                inside = piece.inside < d
                back = (piece.frames[1] @ np.where(inside, scores[at], 0.0)[:, :, None])[:, :, 0]
                scores[np.broadcast_to(at[0], inside.shape)[inside], piece.inside[inside]] = back[inside]
        scores = np.where(self.known, np.where(self.table.point, self.table.x, scores), np.nan)
        problem: Any = MVN().bind(
            Latent(scores, scores, tuple(slice(j, j + 1) for j in range(d))), self.weights, self.prior
        )
        begin = params = problem.start()
        try:
            for _ in range(_FIRST):
                params = problem.maximize(problem.expect(params)[0])
        except np.linalg.LinAlgError:
            params = begin
        found: Normal = problem.natural(params)
        return found

    def expect(self, params: CutNormal) -> tuple[BoxStatistics, float]:
        """E-step; raises ``numpy.linalg.LinAlgError`` where Σ is not positive definite or cut points not in order."""
        d, c = len(params.mean), len(params.cuts)
        if not self.cuts.ordered(params.cuts):
            msg = "cut points are not in order"
            raise np.linalg.LinAlgError(msg)
        lower, upper = self.cuts.bounds(params.cuts, self.lower, self.upper)
        first, second, small = np.zeros(d), np.zeros((d, d)), np.zeros((d + 1) ** 2)
        slope, curve = np.zeros(c), np.zeros((2, c))
        loglik = self.constant
        for g in given(self.table, lower, upper, params.mean, params.cov):
            rows, free = g.piece.rows, g.piece.free
            w = self.weights[rows]
            weighted = g.deviations * w[:, None]
            first += weighted.sum(axis=0)
            second += weighted.T @ g.deviations
            flat = free[:, :, None] * (d + 1) + free[:, None, :]
            small += np.bincount(flat.ravel(), (g.cov * w[:, None, None]).ravel(), minlength=len(small))
            loglik += float(w @ g.loglik)
            if g.boxed is not None and c:
                each = g.piece.inside
                slope += self.cuts.gather(rows, each, w[:, None] * g.boxed.lower, w[:, None] * g.boxed.upper)
                bend = g.boxed.curvature * w[:, None]
                curve[0] += self.cuts.gather(rows, each, bend[0], bend[1])
                curve[1] += self.cuts.beside(rows, each, bend[2])
        second += small.reshape(d + 1, d + 1)[:d, :d]
        return BoxStatistics(
            self.rows, params.mean, first, (second + second.T) / 2, params.cov, params.cuts, slope, curve
        ), loglik

    def maximize(self, statistics: BoxStatistics) -> CutNormal:
        """M-step for means and covariances, and half a Newton step for the cut points."""
        step = statistics.first / statistics.count
        scatter = statistics.second - statistics.count * np.outer(step, step)
        cuts = self.cuts.step(statistics.cuts, statistics.slope, statistics.curve)
        mean = statistics.origin + step
        mean[list(self.pinned)] = 0.0
        cov = self.blocks.maximize((scatter + self.added) / self.divisor, statistics.cov)
        return self.canonical(CutNormal(mean, cov, cuts))

    @cached_property
    def added(self) -> np.ndarray:
        """The scatter (d, d) that the prior adds to the data's."""
        return np.diag((0.0 if self.prior is None else self.prior.df) * self.delta)

    @cached_property
    def divisor(self) -> float:
        """What the scatter is divided by: the rows, and what the prior counts for."""
        return self.rows if self.prior is None else self.rows + self.prior.df + self.prior.extra(len(self.delta))

    def log_prior(self, params: CutNormal) -> float:
        """Log prior density up to a constant, where coordinates with cut points have variance 1."""
        return log_prior(self.prior, self.scales.fix(params.cov), self.delta, self.scale)

    def chart(self, reference: CutNormal) -> MixedChart:
        """Coordinates around ``reference``."""
        return lay(self, reference)

    def noise(self, params: CutNormal, logpost: float) -> float:
        """Rounding error of the log posterior, and what comes and goes with the pairs that are corrected."""
        values = np.linalg.eigvalsh(_correlation(params.cov))
        return (
            float(np.finfo(float).eps)
            * (64 * abs(logpost) + _INVERSES * self.rows * len(values) * float(values[-1] / values[0]))
            + _NOISE * self.rows
        )

    def degenerate(self, params: CutNormal) -> bool:
        """Whether the correlation matrix is singular: to double precision among points, nearly so among intervals.

        Interval cells cannot tell a latent correlation of .9999 from 1, and EP is slow there.
        """
        return bool(np.linalg.eigvalsh(_correlation(params.cov))[0] < _SINGULAR) or self.coarsely_degenerate(params)

    def coarsely_degenerate(self, params: CutNormal) -> bool:
        """Whether a linear combination that intervals have a part in has next to no variance."""
        values, vectors = np.linalg.eigh(_correlation(params.cov))
        coarse = np.square(vectors[self.coarse]).sum(axis=0)
        return bool((values[coarse > _PART] < _NEARLY).any())

    @cached_property
    def coarse(self) -> np.ndarray:
        """Coordinates that have interval cells, (d,) bool."""
        return np.asarray((self.known & ~self.table.point).any(axis=0))

    @cached_property
    def information_cost(self) -> float:
        """How many E-steps as long as one :meth:`information` takes, roughly."""
        d, n = len(self.centre), len(self.weights)
        p = d * (d + 3) / 2 + len(self.cuts.start)
        return float(1 + (n * p * p / 2 + 10 * p**3) / (_SWEEP * n * d**2 * (d + 40)))

    def information(self, params: CutNormal, statistics: BoxStatistics) -> np.ndarray:
        """Information per row (p, p) of the log posterior in the chart laid at ``params``; see boxinformation.

        Along the orbits, where it is 0, it is set to 1.
        """
        d, n, chart = len(params.mean), statistics.count, self.chart(params)
        lower, upper = self.cuts.bounds(params.cuts, self.lower, self.upper)
        rows = given(self.table, lower, upper, params.mean, params.cov, respond=True)
        factor = chart.normal.factor
        normal, with_cuts = box_information(((g, self.weights[g.piece.rows]) for g in rows), factor, self.cuts)
        bend = (n * np.eye(d) - whitened(factor, statistics.second)) / 2
        if self.prior is not None:
            bend += whitened(factor, self.added) / 2
        normal[d:, d:] += curvature(bend)
        m, c = len(normal), len(params.cuts)
        information = np.zeros((m + c, m + c))
        information[:m, :m] = normal
        information[:m, m:], information[m:, :m] = with_cuts[:m], with_cuts[:m].T
        other = self.cuts.column[:, None] != self.cuts.column
        information[m:, m:] = np.where(other, with_cuts[m:], tridiagonal(statistics.curve))
        stretch = np.ones(m)
        stretch[d:] = chart.normal.stretch
        information[:m] /= stretch[:, None]
        information[:, :m] /= stretch
        information[m:] = np.linalg.solve(chart.root, information[m:])
        information[:, m:] = np.linalg.solve(chart.root, information[:, m:].T).T
        along = chart.idle
        onto = np.eye(m + c) - along @ along.T
        if chart.onto is not None:
            onto = chart.onto @ onto
        return np.asarray(onto.T @ ((information + information.T) / (2 * n)) @ onto + along @ along.T)

    def undetermined(self, params: CutNormal) -> list[tuple[int, ...]]:  # noqa: ARG002
        """Which covariances a flat likelihood leaves open: the information here is too rough to tell."""
        return []

    @cached_property
    def scales(self) -> Blocks:
        """All that is fixed by definition, the variances of coordinates with cut points too."""
        own = tuple(slice(int(j), int(j) + 1) for j in self.cuts.columns)
        return Blocks(self.blocks.spans + own, self.blocks.within + (np.eye(1),) * len(own))

    def canonical(self, params: CutNormal) -> CutNormal:
        """The same law, with mean 0 and variance 1 for coordinates with cut points."""
        mean, sd = params.mean.copy(), np.ones(len(params.mean))
        own = self.cuts.columns
        sd[own] = np.sqrt(np.diag(params.cov)[own])
        cuts = (params.cuts - mean[self.cuts.column]) / sd[self.cuts.column]
        mean[own] = 0.0
        return CutNormal(mean, params.cov / np.outer(sd, sd), cuts)

    def natural(self, params: CutNormal) -> CutNormal:
        """``params`` in the units of the coordinates; mean 0 and variance 1 for those with cut points."""
        found = self.canonical(params)
        cov = found.cov * np.outer(self.scale, self.scale)
        return replace(found, mean=self.centre + self.scale * found.mean, cov=cov)


def _correlation(cov: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(cov))
    return np.asarray(cov / np.outer(sd, sd))
