r"""A point of a normal with intervals that is looked at, in coordinates in which plain EM is a step along the gradient.

With J the Jacobian of the EM map, J = 1 - A⁻¹I/n, where A is the information of the complete data: the identity for
means and covariances in the chart's coordinates, and for cut points, which the complete data would give away, what
their own step divides by. With A = RRᵀ the coordinates here are u = Rᵀv of the chart's v. Where some entries of Σ are
fixed, the chart's v move along the rest by ``onto``, and A is the identity seen through that. Along *idle* directions,
in which nothing changes by construction (origin and unit of a column between cut points), the information is set to 1.

Parameters are those that are identified: a column between cut points has mean 0 and variance 1, so its cut points count
in these units, and its covariance with another such column is a correlation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.inference.standing.places import symmetric_matrices, triangle
from emimpute.models.cuts import tridiagonal
from emimpute.models.mvn import CutNormal

if TYPE_CHECKING:
    from emimpute.models.mixed import BoxStatistics, MixedProblem
    from emimpute.models.mixedchart import MixedChart
    from emimpute.models.mvn import Normal

__all__ = ["BoxPlace", "standardised"]

_HALF = 0.5  # of a Newton step, that plain EM moves cut points by
_APART = 1e-4  # length of a displacement for derivatives about the middle; they err by its square
_NEAR = 3e-5  # and to one side, by its length: rounding in EP's sweeps allows no less
_NOTHING = 1e-12  # squared length of the derivative of what is fixed
_STEP = 6.0  # multiplications of an E-step, in units of n d² (d + 40)


def standardised(problem: MixedProblem, law: Normal) -> CutNormal:
    """The parameters ``law``, in the coordinates' units, as the problem has them; cut points are its own first ones."""
    scale = problem.scale
    cuts = law.cuts if isinstance(law, CutNormal) else problem.cuts.start
    return CutNormal((law.mean - problem.centre) / scale, law.cov / np.outer(scale, scale), cuts)


@dataclass(frozen=True, eq=False)
class BoxPlace:
    """The point, and p coordinates around it; there are fewer parameters than that, P of which are listed."""

    problem: MixedProblem
    params: CutNormal  # standardised, columns between cut points with mean 0 and variance 1
    statistics: BoxStatistics
    chart: MixedChart
    gradient: np.ndarray  # (p,)
    root: np.ndarray  # (p, p) R, lower triangular
    idle: np.ndarray  # (p, q) orthonormal

    caveats = (
        "A column between cut points has mean 0 and variance 1; its complete data would give the cut points away.",
    )

    @classmethod
    def of(cls, problem: MixedProblem, params: CutNormal) -> BoxPlace:
        """The place of standardised parameters. May raise ``numpy.linalg.LinAlgError``."""
        chart = problem.chart(params)
        statistics, _ = problem.expect(params)
        root = np.linalg.cholesky(_complete(chart, statistics, problem.rows))
        gradient = np.linalg.solve(root, chart.gradient(params, statistics))
        return cls(problem, params, statistics, chart, gradient, root, np.linalg.qr(root.T @ chart.idle)[0])

    @property
    def cost(self) -> float:
        """Multiplications that :meth:`whole` takes, roughly."""
        n, d = self.problem.known.shape
        return float(2 * len(self.gradient) * _STEP * n * d**2 * (d + 40))

    def whole(self) -> np.ndarray:
        """The information per row (p, p), from two E-steps for each coordinate."""
        p = len(self.gradient)
        found = np.empty((p, p))
        for k, side in enumerate(_APART * np.eye(p)):
            found[:, k] = (self._beside(-side) - self._beside(side)) / (2 * _APART)
        return self._seen((found + found.T) / 2)

    def nearly_whole(self) -> np.ndarray:
        """The same in closed form, as far as that goes: see :mod:`emimpute.models.boxinformation`."""
        along = self.chart.idle
        return self._seen(self.problem.information(self.params, self.statistics) - along @ along.T)

    def _seen(self, of_chart: np.ndarray) -> np.ndarray:
        """An information matrix (p, p) of the chart's coordinates in those here."""
        half = np.linalg.solve(self.root, np.linalg.solve(self.root, of_chart).T)
        onto = np.eye(len(half)) - self.idle @ self.idle.T
        return np.asarray(onto @ ((half + half.T) / 2) @ onto + self.idle @ self.idle.T)

    def _beside(self, vector: np.ndarray) -> np.ndarray:
        """The gradient at the chart's ``vector`` (p,): one E-step."""
        params = self.chart.from_vector(vector)
        gradient: np.ndarray = self.chart.gradient(params, self.problem.expect(params)[0])
        return gradient

    def information(self, direction: np.ndarray) -> np.ndarray:
        """The information per row times ``direction`` (p,): one E-step."""
        size = _NEAR / float(np.linalg.norm(direction))
        beside = self._beside(np.linalg.solve(self.root.T, size * direction))
        slope = (self.gradient - np.linalg.solve(self.root, beside)) / size
        return np.asarray(slope - self._held(slope) + self._held(direction))

    def curvature(self, direction: np.ndarray) -> float:
        """The information per row along a unit ``direction`` (p,), more exactly: two E-steps."""
        along = np.linalg.solve(self.root.T, _APART * direction)
        slope = np.linalg.solve(self.root, self._beside(-along) - self._beside(along)) / (2 * _APART)
        return float(direction @ (slope - self._held(slope) + self._held(direction)))

    def start(self) -> np.ndarray:
        """Where the default start is, (p,), cut points by the observed shares.

        May raise ``numpy.linalg.LinAlgError``.
        """
        found = self.problem.start()
        vector = self.root.T @ self.chart.to_vector(CutNormal(found.mean, found.cov, self._by_shares, found.raw))
        return np.asarray(vector - self._held(vector))

    @property
    def _by_shares(self) -> np.ndarray:
        from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

        cuts, w = self.problem.cuts, self.problem.weights
        weight = np.broadcast_to(w[:, None], cuts.high.shape).ravel()
        below = np.bincount(cuts.high.ravel() + 1, weight, minlength=len(cuts.start) + 1)[1:]
        for j in cuts.columns:
            own = cuts.column == j
            below[own] = np.cumsum(below[own])
        return np.asarray(ndtri(below / self.problem.counts))

    def _held(self, vector: np.ndarray) -> np.ndarray:
        return np.asarray(self.idle @ (self.idle.T @ vector))

    def distance(self, vector: np.ndarray) -> float:
        """Length of a displacement (p,), in the unit of ``tol``."""
        return float(self.chart.distance(np.linalg.solve(self.root.T, vector)))

    @cached_property
    def slopes(self) -> np.ndarray:
        """Derivatives (P, p) of the parameters in the coordinates here; rows of 0 for what is fixed."""
        p, problem, params = len(self.gradient), self.problem, self.params
        d, own = len(params.mean), problem.cuts.column
        directions = np.linalg.solve(self.root.T, np.eye(p))
        if self.chart.onto is not None:
            directions = self.chart.onto @ directions
        factor, m = self.chart.normal.factor, p - len(own)
        mean = factor @ directions[:d]  # (d, p)
        stretched = symmetric_matrices(directions[d:m].T, d) / self.chart.normal.stretch
        cov = (factor @ stretched @ factor.T).transpose(1, 2, 0)  # (d, d, p)
        cuts = np.linalg.solve(self.chart.root.T, directions[m:])
        free = np.zeros(d, dtype=bool)
        free[problem.cuts.columns] = True
        grow = np.where(free[:, None], cov[range(d), range(d)], 0.0) / 2  # relative growth of the unit
        cuts = cuts - mean[own] - params.cuts[:, None] * grow[own]
        row, column = triangle(d)
        cov = cov[row, column] - params.cov[row, column, None] * (grow[row] + grow[column])
        slopes = np.concatenate([np.where(free[:, None], 0.0, mean), cov, cuts])
        slopes[np.square(slopes).sum(axis=1) < _NOTHING] = 0.0
        return slopes

    @property
    def fixed(self) -> np.ndarray:
        """Which parameters have their value by definition, (P,) bool."""
        return np.asarray(~self.slopes.any(axis=1))

    def cosines(self, directions: np.ndarray) -> np.ndarray:
        """Correlation (P, k), without gaps, of each parameter's estimate with that along unit ``directions`` (p, k)."""
        size = np.linalg.norm(self.slopes, axis=1)
        return np.asarray(self.slopes @ directions / np.where(size > 0, size, 1.0)[:, None])

    def complete(self, cosines: np.ndarray) -> np.ndarray:  # noqa: ARG002 (which a place without cut points needs)
        """Variance of each parameter's estimate from complete latent data, (P,), which give the cut points away."""
        m = len(self.gradient) - len(self.params.cuts)
        squares = np.square(self.slopes)
        return np.asarray(squares[:, :m].sum(axis=1) / np.where(self.fixed, np.nan, squares.sum(axis=1)))

    def coefficients(self, direction: np.ndarray) -> np.ndarray:
        """Coefficients (P,) of the linear function that grows along a unit ``direction``; NaN for what is fixed."""
        slopes = self.slopes[~self.fixed]
        found = np.full(len(self.slopes), np.nan)
        found[~self.fixed] = np.linalg.solve(slopes @ slopes.T, slopes @ direction)
        unit = self.problem.scale
        row, column = triangle(len(unit))
        of_parameter = np.concatenate([unit, unit[row] * unit[column], np.ones(len(self.params.cuts))])
        return np.asarray(found * math.sqrt(self.problem.rows) / of_parameter)


def _complete(chart: MixedChart, statistics: BoxStatistics, rows: float) -> np.ndarray:
    """A (p, p) in the chart's coordinates."""
    c = len(statistics.cuts)
    p = len(chart.idle)
    complete = np.eye(p)
    if c:
        curve = tridiagonal(statistics.curve) / (_HALF * rows)
        complete[p - c :, p - c :] = np.linalg.solve(chart.root, np.linalg.solve(chart.root, curve).T)
    if chart.onto is None:
        return complete
    _, sizes, vectors = np.linalg.svd(chart.onto)
    taken: Any = vectors[sizes < math.sqrt(np.finfo(float).eps)]
    return np.asarray(chart.onto.T @ complete @ chart.onto + taken.T @ taken)
