"""A point that is looked at: the information in coordinates around it, and what directions there mean for parameters.

The coordinates are those of the problem's chart, in which the information of the complete data is n times the identity.
A product with the information costs an E-step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.models.mvn import MVNChart, MVNProblem, Normal, Statistics

__all__ = ["Place", "keys", "parameters", "symmetric_matrices", "triangle"]

_APART = 1e-6  # length of a displacement for a directional derivative, where rounding does not ask for more
_NAMES = ["parameter", "column", "column2"]


@dataclass(frozen=True, eq=False)
class Place:
    """The point, and a chart around it, of p coordinates, as many as there are parameters."""

    problem: MVNProblem
    params: Normal  # standardised
    statistics: Statistics
    chart: MVNChart
    gradient: np.ndarray  # (p,) at the origin of the chart
    apart: float  # length of a displacement for a directional derivative

    caveats: tuple[str, ...] = ()

    @classmethod
    def of(cls, problem: MVNProblem, params: Normal) -> Place:
        """The place of standardised parameters. May raise ``numpy.linalg.LinAlgError``."""
        chart = problem.chart(params)
        statistics, loglik = problem.expect(params)
        # A difference of gradients errs by its length, and by rounding over its length.
        noise = problem.noise(params, loglik + problem.log_prior(params)) / problem.rows
        gradient = chart.gradient(params, statistics)
        return cls(problem, params, statistics, chart, gradient, max(_APART, math.sqrt(noise)))

    @property
    def cost(self) -> float:
        """Multiplications that :meth:`whole` takes, roughly."""
        d, patterns = len(self.params.mean), len(self.problem.patterns.masks)
        return float(2 * patterns * d**4 + 10 * len(self.gradient) ** 3)

    def whole(self) -> np.ndarray:
        """The information per row (p, p), in closed form."""
        return self.problem.information(self.params, self.statistics)

    def beside(self, vector: np.ndarray) -> np.ndarray:
        """The gradient at ``vector`` (p,): one E-step."""
        params = self.chart.from_vector(vector)
        gradient: np.ndarray = self.chart.gradient(params, self.problem.expect(params)[0])
        return gradient

    def information(self, direction: np.ndarray) -> np.ndarray:
        """The information per row times ``direction`` (p,): one E-step."""
        size = self.apart / float(np.linalg.norm(direction))
        return np.asarray((self.gradient - self.beside(size * direction)) / size)

    def curvature(self, direction: np.ndarray) -> float:
        """The information per row along a unit ``direction`` (p,), more exactly: two E-steps."""
        size = math.sqrt(self.apart) / 10  # differences about the middle err by the square of their length
        slope = self.beside(-size * direction) - self.beside(size * direction)
        return float(slope @ direction) / (2 * size)

    def start(self) -> np.ndarray:
        """Where the default start is, (p,). May raise ``numpy.linalg.LinAlgError``."""
        return self.chart.to_vector(self.problem.start())

    def distance(self, vector: np.ndarray) -> float:
        """Length of a displacement (p,), in the unit of ``tol``."""
        return self.chart.distance(vector)

    def cosines(self, directions: np.ndarray) -> np.ndarray:
        """Correlation of each parameter's estimate with that of each of some unit ``directions`` (p, k), without gaps.

        A direction moves the means by La and the covariances by LHLᵀ; these are divided by √n complete-data standard
        errors. (Under a prior both are shorter in the covariances by the stretch of the chart, which cancels.)
        """
        factor, cov = self.chart.factor, self.params.cov
        d = len(cov)
        row, column = triangle(d)
        means = factor @ directions[:d] / np.sqrt(np.diag(cov))[:, None]
        moved = factor @ symmetric_matrices(directions[d:].T, d) @ factor.T
        error = np.sqrt(np.diag(cov)[row] * np.diag(cov)[column] + cov[row, column] ** 2)
        cosines: np.ndarray = np.concatenate([means, moved[:, row, column].T / error[:, None]])
        return cosines

    def complete(self, cosines: np.ndarray) -> np.ndarray:
        """Variance of each parameter's estimate without gaps, (P,), in units where it has these ``cosines`` (P, p)."""
        return np.asarray(np.square(cosines).sum(axis=1))

    def coefficients(self, direction: np.ndarray) -> np.ndarray:
        """Coefficients (p,) of the linear function of means and covariances that grows along a unit ``direction`` (p,).

        With a = L⁻¹Δμ and H = L⁻¹ΔΣL⁻ᵀ, its change is a·u + ½ tr(HU), u and U from the direction.
        """
        d = len(self.params.mean)
        row, column = triangle(d)
        inverse = np.linalg.inv(self.problem.scale[:, None] * self.chart.factor)
        of_cov = inverse.T @ (self.chart.stretch * symmetric_matrices(direction[None, d:], d)[0]) @ inverse
        coefficients = np.concatenate([inverse.T @ direction[:d], of_cov[row, column] / np.where(row == column, 2, 1)])
        return np.asarray(coefficients * math.sqrt(self.problem.rows))


def symmetric_matrices(vectors: np.ndarray, d: int) -> np.ndarray:
    """Symmetric matrices (k, d, d) from rows (k, d(d+1)/2): their diagonals over √2, and what is above them."""
    whole = np.zeros((len(vectors), d, d))
    i, j = np.triu_indices(d, 1)
    whole[:, i, j] = whole[:, j, i] = vectors[:, d:]
    whole[:, range(d), range(d)] = math.sqrt(2) * vectors[:, :d]
    return whole


def triangle(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lower triangle, column by column."""
    column, row = np.triu_indices(d)
    return row, column


def parameters(labels: Sequence[Any], cuts: Sequence[int] = ()) -> pd.MultiIndex:
    """(parameter, column, column2) of means, of covariances (the lower triangle column by column), and of cut points.

    ``labels`` are those of the d coordinates; ``cuts`` says which of them each cut point is of, numbered from 1 there.
    """
    d = len(labels)
    row, column = triangle(d)
    numbers = [list(cuts[:k]).count(j) + 1 for k, j in enumerate(cuts)]
    own = np.empty(d + 1 + max(numbers, default=0), dtype=object)
    for place, label in enumerate([*labels, "", *range(1, len(own) - d)]):
        own[place] = label  # one by one: a tuple is one label
    names = np.repeat(np.array(["mean", "cov", "cut"], dtype=object), [d, len(row), len(cuts)])
    first = np.concatenate([np.arange(d), row, np.asarray(cuts, dtype=int)])
    second = np.concatenate([np.full(d, d), column, d + np.asarray(numbers, dtype=int)])
    return keys([names, own[first], own[second]], _NAMES)


def keys(parts: Sequence[np.ndarray], names: Sequence[str]) -> pd.MultiIndex:
    """``pd.MultiIndex.from_arrays``, but for labels that are tuples, which that takes apart."""
    levels: list[Any] = []  # which the stubs want as sequences of other things than pandas does
    codes: list[Any] = []
    for part in parts:
        numbers, labels = pd.factorize(part)
        try:
            order = np.argsort(labels, kind="stable")
        except TypeError:  # labels of several types keep their order
            order = np.arange(len(labels))
        levels.append(pd.Index(labels[order], tupleize_cols=False))
        codes.append(np.argsort(order)[numbers])
    return pd.MultiIndex(levels=levels, codes=codes, names=list(names))
