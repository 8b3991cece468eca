r"""Data augmentation where cells are intervals: the P-step, and the chain.

The prior has the density :math:`|R|^{-(d+1)/2}` in the correlation matrix R and is flat in means, cut points and
logarithms of standard deviations: where every column is real that is the noninformative prior of
:mod:`emimpute.inference.drawing.posterior`. Times the fit's ridge, if it has one. Data of intervals need not rule out
correlations of ±1, where that density has poles; so there is a ridge of half a row on the correlations,
:math:`|R|^{-ν/2} \exp(-ν/2 \sum_j (R^{-1})_{jj})` over the columns j of intervals, and the posterior is proper
whatever the answers. Blocks that are fixed by definition are so in R. (A uniform prior on R is proper by itself, and
draws correlations to 0: of 200 rows of eight ordered columns posterior means of correlations of .5 were .068 below
maximum likelihood, and .023 under this one. ``tests/benchmarks/posterior_prior.py`` measures it.)

A coordinate between cut points has mean 0 and variance 1. Were that kept throughout, the chain would move slowly, and
the covariances had no law that one can draw from. So its latent values and cut points are moved together, to another
origin and unit (parameter expansion: Liu & Wu 1999, https://doi.org/10.2307/2669940; for correlations Liu & Daniels
2006, https://doi.org/10.1198/106186006X160681). In the expanded parameters

- the coordinates G that are not in blocks are regressed on those that are, F, and the slopes β and residual covariance
  Ψ have the matrix normal and inverse Wishart law of a regression under the prior |Ψ|^(-(d+1)/2);
- cross-covariances of several blocks are moved by random-walk Metropolis steps in the metric of their information;
- both are a proposal, accepted by what the prior and the cut points' Jacobian make of it,
  :math:`|\Sigma_{FF}|^{g-(d+1)/2} \prod_G s_j^{-c_j}` and the ridges, where g is the number of coordinates G, s are
  their sd and c_j counts the cut points of coordinate j.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import EMImputeError
from emimpute.inference.drawing.augmented import Augmented, State
from emimpute.inference.drawing.copies import NO_COVARIANCE, REDRAWS, copies
from emimpute.inference.drawing.wishart import inverse_wishart
from emimpute.inference.standing.boxplaces import standardised
from emimpute.models.mvn import CutNormal

if TYPE_CHECKING:
    from emimpute.inference.complete import Law
    from emimpute.latent import Latent
    from emimpute.models.mixed import MixedProblem
    from emimpute.models.mvn import Normal

__all__ = ["BoxChain"]

_WEAK = 0.5  # df of the ridge on correlations of intervals, at least
_NARROW = 0.5  # of the posterior's precision, that starts are drawn with
_SETTLE = 10  # sweeps from a place inside the bounds
_TRIES = 4  # proposals of a P-step
_WALK = 5, 60  # Metropolis steps of covariances between blocks, besides one for each, and at most
_SWEEPS = 1  # of an I-step: more made no difference to how far a chain moves (measured)
_CELLS = 2e7  # that weights stand for


@dataclass(frozen=True, eq=False)
class BoxChain:
    """Data augmentation in the problem's coordinates."""

    problem: MixedProblem
    mode: CutNormal
    cells: Augmented
    rows: float
    df: float  # of the fit's ridge
    more: float  # of the ridge that keeps correlations of intervals from ±1, besides

    @classmethod
    def of(cls, law: Law, latent: Latent, weights: np.ndarray | None, prior: Any) -> BoxChain:
        """The chain for a table (n, d) with intervals and case weights (n,). Raises EMImputeError for too few rows."""
        problem: Any = law.model.bind(latent, weights, prior)
        mode = problem.canonical(standardised(problem, law.params))
        point, d = problem.table.point, len(problem.centre)
        df = 0.0 if prior is None else float(prior.df)
        more = max(_WEAK - df, 0.0)
        total = float(problem.weights.sum())
        if total - 1 + df + more < d:
            msg = (
                f"With {total:g} rows and {d} columns the posterior has no proper distribution: use fewer columns, or "
                f"a ridge of more prior df."
            )
            raise EMImputeError(msg)
        hidden = ~point.all(axis=1)
        if problem.weights[hidden].sum() * d > _CELLS:
            msg = (
                f"These case weights stand for {total:g} rows, and each is drawn for itself: use "
                f"draw(method='bootstrap'), or smaller weights."
            )
            raise EMImputeError(msg)
        rows, weight = copies(problem.weights, hidden)
        used = np.flatnonzero(_used(latent, weights))
        cones = [replace(cone, of_row=cone.of_row[used[rows]]) for cone in latent.cones]
        cells = Augmented.of(problem, mode.cuts, cones, (rows, weight))
        return cls(problem, mode, cells, total, df, more)

    def start(self, rng: np.random.Generator, rate: float) -> State:
        """A place farther from the mode than draws from the posterior are."""
        d, p = len(self.mode.mean), self.problem
        rows = max(_NARROW * (1 - rate) * (self.rows - 1 + self.df + self.more), d + 2.0)
        cov = inverse_wishart(rows, rows * self.mode.cov, rng)
        mean = self.mode.mean + np.linalg.cholesky(cov / rows) @ rng.standard_normal(d)
        mean[list(p.pinned)] = 0.0
        params = p.canonical(CutNormal(mean, p.blocks.fix(cov), self.mode.cuts))
        z = self.cells.begin.copy()
        for column in self.cells.columns:  # beside the cut points, which have moved
            if column.own.stop > column.own.start:
                own = params.cuts[column.own]
                z[column.rows, column.j] = _between(column.low, column.high, own)
        return self.cells.step(State(params, z), rng, _SETTLE)

    def step(self, state: State, rng: np.random.Generator) -> State:
        """I-step and P-step."""
        for _ in range(REDRAWS):
            state = self.cells.step(state, rng, _SWEEPS)
            try:
                return self._parameters(state, rng)
            except np.linalg.LinAlgError:
                continue
        raise EMImputeError(NO_COVARIANCE)

    def natural(self, state: State) -> Normal:
        """In the coordinates' units."""
        return self.problem.natural(state.params)

    def _parameters(self, state: State, rng: np.random.Generator) -> State:
        """Parameters given all cells, and the cells in the unit that goes with them."""
        z, a, (f, g) = state.z, self.cells.weight, self._parts
        centre = a @ z / self.rows
        away = z - centre
        scatter = away.T @ (away * a[:, None]) + np.diag(self._ridge)
        df = self.rows - 1 + self.df + self.more
        fixed = scatter[np.ix_(f, f)]
        slopes = np.linalg.solve(fixed, scatter[np.ix_(f, g)])
        residual = scatter[np.ix_(g, g)] - scatter[np.ix_(g, f)] @ slopes
        half = np.linalg.inv(np.linalg.cholesky(fixed))
        np.linalg.cholesky(residual)
        cov = state.params.cov
        beside = np.linalg.solve(cov[np.ix_(f, f)], cov[np.ix_(f, g)])
        now = cov[np.ix_(f, f)], beside, cov[np.ix_(g, g)] - cov[np.ix_(g, f)] @ beside
        weight = self._weight(*now)
        shift = centre[f] - state.params.mean[f]
        about = fixed + self.rows * np.outer(shift, shift)
        for _ in range(_TRIES):
            block = self._walk(now[0], about, rng)
            rest = inverse_wishart(df, residual, rng) if len(g) else residual
            noise = half.T @ rng.standard_normal((len(f), len(g))) @ np.linalg.cholesky(rest).T
            proposed = block, slopes + noise, rest
            heavier = self._weight(*proposed)
            if math.log(max(rng.random(), 1e-300)) < heavier - weight:
                now, weight = proposed, heavier
        block, slope, rest = now
        mean = np.zeros(len(centre))
        mean[f] = self._mean_of_blocks(centre[f], block, rng)
        at = centre[g] + np.linalg.cholesky(rest) @ rng.standard_normal(len(g)) / math.sqrt(self.rows)
        mean[g] = at + slope.T @ (mean[f] - centre[f])
        cov = np.empty_like(cov)
        cov[np.ix_(f, f)] = block
        cov[np.ix_(f, g)] = block @ slope
        cov[np.ix_(g, f)] = cov[np.ix_(f, g)].T
        cov[np.ix_(g, g)] = rest + slope.T @ block @ slope
        params = CutNormal(mean, (cov + cov.T) / 2, state.params.cuts)
        own = self.problem.cuts.columns
        z[:, own] = (z[:, own] - mean[own]) / np.sqrt(np.diag(params.cov)[own])
        return State(self.problem.canonical(params), z)

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates in fixed blocks, and the others."""
        inside = np.zeros(len(self.mode.mean), dtype=bool)
        for span in self.problem.blocks.spans:
            inside[span] = True
        return np.flatnonzero(inside), np.flatnonzero(~inside)

    @cached_property
    def _counts(self) -> np.ndarray:
        """How many cut points each coordinate outside blocks has."""
        counts = np.bincount(self.problem.cuts.column, minlength=len(self.mode.mean))
        return np.asarray(counts[self._parts[1]])

    @cached_property
    def _boxed(self) -> np.ndarray:
        """Which coordinates have cells that are intervals, (d,) bool."""
        boxed = np.zeros(len(self.mode.mean), dtype=bool)
        boxed[[column.j for column in self.cells.columns]] = True
        return boxed

    @cached_property
    def _ridge(self) -> np.ndarray:
        """The scatter (d,) that proposals add."""
        return np.asarray((self.df + self.more * self._boxed) * self.problem.delta)

    def _weight(self, block: np.ndarray, slopes: np.ndarray, rest: np.ndarray) -> float:
        """Logarithm of the target over the density of proposals."""
        g = self._parts[1]
        cut, boxed = self._counts > 0, self._boxed[g]
        variances = np.diag(rest) + np.einsum("ij,ij->j", slopes, block @ slopes)
        logs = np.log(variances)
        found = (len(g) - (len(self.mode.mean) + 1) / 2) * _logdet(block) - float(self._counts @ logs) / 2
        if boxed.any():  # ridges are on the correlations of these, not on what stands for them
            precision = np.diag(np.linalg.inv(rest))
            excess = precision * (variances - self.problem.delta[g])
            found -= float((self.df * cut + self.more * boxed) @ excess) / 2
            found += float((self.df * cut + self.more) @ logs) / 2
        return float(found)

    def _walk(self, block: np.ndarray, about: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Covariance of the blocks after some Metropolis steps, given their scatter ``about`` their mean."""
        i, j, root = self._between_blocks
        if not len(i):
            return block
        count = self.rows + self.df + self.more

        def density(cov: np.ndarray) -> float:
            try:
                factor = np.linalg.cholesky(cov)
            except np.linalg.LinAlgError:
                return -np.inf
            half = np.linalg.inv(factor)
            return -count * float(np.log(np.diag(factor)).sum()) - float((half.T @ half * about).sum()) / 2

        here = density(block)
        for _ in range(min(_WALK[0] + len(i), _WALK[1])):
            moved = block.copy()
            moved[i, j] += root @ rng.standard_normal(len(i))
            moved[j, i] = moved[i, j]
            there = density(moved)
            if math.log(max(rng.random(), 1e-300)) < there - here:
                block, here = moved, there
        return block

    @cached_property
    def _between_blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Entries (row, column) of the blocks' covariance that are free, and how far a step of them goes."""
        f, _ = self._parts
        number = np.zeros(len(self.mode.mean), dtype=int)
        for k, span in enumerate(self.problem.blocks.spans):
            number[span] = k
        i, j = np.nonzero(np.triu(number[f][:, None] != number[f]))
        if not len(i):
            return i, j, np.zeros((0, 0))
        p = np.linalg.inv(self.mode.cov[np.ix_(f, f)])
        information = p[np.ix_(i, i)] * p[np.ix_(j, j)] + p[np.ix_(i, j)] * p[np.ix_(j, i)]
        root = np.linalg.cholesky(np.linalg.inv(information * self.rows))
        return i, j, 2.4 / math.sqrt(len(i)) * root

    def _mean_of_blocks(self, centre: np.ndarray, block: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Of the coordinates in blocks, 0 where it is so by definition."""
        zero = np.isin(self._parts[0], self.problem.pinned)
        mean = np.zeros(len(centre))
        own = block[np.ix_(~zero, ~zero)]
        if zero.any():
            gain = np.linalg.solve(block[np.ix_(zero, zero)], block[np.ix_(zero, ~zero)]).T
            mean[~zero] -= gain @ centre[zero]
            own = own - gain @ block[np.ix_(zero, ~zero)]
        noise = np.linalg.cholesky(own) @ rng.standard_normal(len(own)) / math.sqrt(self.rows)
        mean[~zero] += centre[~zero] + noise
        return mean


def _used(latent: Latent, weights: np.ndarray | None) -> np.ndarray:
    """Which rows a bound problem holds, (n,) bool."""
    known = np.asarray(latent.known.any(axis=1))
    return known if weights is None else np.asarray(known & (weights > 0))


def _between(low: np.ndarray, high: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """A number inside each cell."""
    ends = np.concatenate([cuts, [cuts[-1] + 1.0]])
    above = np.where(high >= 0, ends[high], ends[low] + 1.0)
    below = np.where(low >= 0, ends[low], above - 1.0)
    return np.asarray((below + above) / 2)


def _logdet(matrix: np.ndarray) -> float:
    return float(np.linalg.slogdet(matrix)[1])
