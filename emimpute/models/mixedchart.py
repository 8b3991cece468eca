"""Coordinates of a normal with intervals: a normal's, its covariance yet to be brought to its blocks, and cut points.

Not all of these say something. A column with cut points may be shifted and stretched along with them; and what fixed
blocks take back might as well not have moved. Along such *idle* directions nothing changes: they are left out of every
move, and where an information is wanted there, the complete data's is put in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.mvn import CutNormal, MVNChart

if TYPE_CHECKING:
    from emimpute.models.mixed import BoxStatistics, MixedProblem

__all__ = ["MixedChart", "lay"]

_HALF = 0.5  # cut points move half as far as their own information says: the means move with them


def lay(problem: MixedProblem, reference: CutNormal) -> MixedChart:
    """The chart around ``reference``; raises ``numpy.linalg.LinAlgError`` where its covariance is singular."""
    factor = np.linalg.cholesky(reference.cov)
    normal = MVNChart(problem, reference.mean, factor, math.sqrt(problem.divisor / problem.rows))
    sd = np.sqrt(np.diag(reference.cov))
    metric = problem.cuts.metric(reference.cuts, reference.mean, sd, problem.counts) / (_HALF * problem.rows)
    root = np.linalg.cholesky(metric)
    idle, onto = _directions(problem, reference, normal, root)
    return MixedChart(problem, normal, reference.cuts, root, sd[problem.cuts.column], idle, onto)


@dataclass(frozen=True, eq=False)
class MixedChart:
    """The normal's chart, of a covariance matrix that is yet to be brought to its blocks, and the cut points beside it.

    Cut points move in the metric of their columns' own information; what is idle does not move.
    """

    problem: MixedProblem
    normal: MVNChart
    cuts: np.ndarray  # (c,) at the reference
    root: np.ndarray  # (c, c) Cholesky factor of their metric
    unit: np.ndarray  # (c,) sd of their coordinates
    idle: np.ndarray  # (p, q) orthonormal directions in which nothing changes
    onto: np.ndarray | None  # (p, p) how the coordinates move what is not fixed; None: as they are

    def to_vector(self, params: CutNormal) -> np.ndarray:
        """Coordinates (p,) of ``params``; may raise ``numpy.linalg.LinAlgError``."""
        free = params if params.raw is None else replace(params, cov=params.raw)
        return np.concatenate([self.normal.to_vector(free), self.root.T @ (params.cuts - self.cuts)])

    def from_vector(self, vector: np.ndarray) -> CutNormal:
        """The parameters at ``vector``, but for what of it is idle; may raise ``numpy.linalg.LinAlgError``."""
        m = len(vector) - len(self.cuts)
        vector = vector - self.held(vector)
        free = self.normal.from_vector(vector[:m])
        mean = free.mean.copy()
        mean[list(self.problem.pinned)] = 0.0
        cuts = self.cuts + np.linalg.solve(self.root.T, vector[m:])
        blocks = self.problem.blocks
        return CutNormal(mean, blocks.fix(free.cov), cuts, free.cov if blocks else None)

    def gradient(self, params: CutNormal, statistics: BoxStatistics) -> np.ndarray:
        """Gradient (p,) per row of the log posterior at ``params``, where ``statistics`` are the E-step's."""
        problem = self.problem
        s = params.cov if params.raw is None else params.raw
        precision = np.linalg.inv(params.cov)
        spread = statistics.second - statistics.count * params.cov
        slope = problem.blocks.pull(s, precision @ spread @ precision / 2)
        if problem.prior is not None:
            canonical = problem.scales.fix(s)
            inverse = np.linalg.inv(canonical)
            excess = problem.added - (problem.divisor - problem.rows) * canonical
            slope += problem.scales.pull(s, inverse @ excess @ inverse / 2)
        by_mean = precision @ statistics.first
        by_mean[list(problem.pinned)] = 0.0
        normal = self.normal.along(s, by_mean, slope) / statistics.count
        g = np.concatenate([normal, np.linalg.solve(self.root, statistics.slope) / statistics.count])
        return np.asarray(g - self.held(g))

    def held(self, vector: np.ndarray) -> np.ndarray:
        """The part of ``vector`` along which nothing changes."""
        return np.asarray(self.idle @ (self.idle.T @ vector))

    def distance(self, vector: np.ndarray) -> float:
        """The normal's distance, or the farthest that a cut point moves in sd of its coordinate, if that is farther."""
        m = len(vector) - len(self.cuts)
        moved = np.linalg.solve(self.root.T, vector[m:]) / self.unit
        return max(self.normal.distance(vector[:m]), float(np.abs(moved).max(initial=0.0)))


def _directions(
    problem: MixedProblem, at: CutNormal, chart: MVNChart, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Directions (p, q) in which nothing changes, and for those that the fixed entries take back, what they fix (p, f).

    A column's latent scale may be shifted and stretched with its cut points; fixed blocks take back what moves them.
    """
    d, cuts = len(at.mean), problem.cuts
    half = np.linalg.inv(chart.factor)

    def vector(mean: np.ndarray, cov: np.ndarray, of_cuts: np.ndarray) -> np.ndarray:
        h = chart.stretch * half @ cov @ half.T
        return np.concatenate([half @ mean, np.diag(h) / math.sqrt(2), h[np.triu_indices(d, 1)], root.T @ of_cuts])

    nothing, none = np.zeros((d, d)), np.zeros(len(cuts.start))
    free, taken, fixed = [], [], []
    for j in cuts.columns:
        own, e = (cuts.column == j).astype(float), np.eye(d)[j]
        free.append(vector(e, nothing, own))
        turn = np.outer(e, at.cov[j])
        free.append(vector(e * at.mean[j], turn + turn.T, own * at.cuts))
    taken += [vector(np.zeros(d), move, none) for move in problem.blocks.idle(at.cov)]
    taken += [vector(np.eye(d)[j], nothing, none) for j in problem.pinned]
    for i, j in zip(*problem.blocks.entries(), strict=True):  # reads an entry of S off a vector
        e = np.outer(chart.factor[i], chart.factor[j]) / chart.stretch
        e = (e + e.T) / 2
        upper = 2 * e[np.triu_indices(d, 1)]
        fixed.append(np.concatenate([np.zeros(d), math.sqrt(2) * np.diag(e), upper, none]))
    fixed += [np.concatenate([chart.factor[j], np.zeros(d * (d + 1) // 2), none]) for j in problem.pinned]
    p = d + d * (d + 1) // 2 + len(none)
    both = np.stack([*free, *taken], axis=1) if free or taken else np.zeros((p, 0))
    if not taken:
        return np.linalg.qr(both)[0], None
    out, reads = np.stack(taken, axis=1), np.stack(fixed)
    return np.linalg.qr(both)[0], np.eye(p) - out @ np.linalg.solve(reads @ out, reads)
