r"""The estimate as a point of the likelihood: information of three kinds, row scores, and what parameters change by.

All of it is in the coordinates v of a chart at the point, in which complete data would have the information n times the
identity: nothing there depends on units, and nearly collinear columns are no trouble. ``slopes`` leads from v to means,
covariances and cut points: the covariance matrix of their estimates is slopes · I⁻¹ · slopesᵀ.

The information is minus the second derivative of the log posterior in (μ, Σ), also where the point is not quite the
maximum: a covariance matrix moves on a straight line then, not along the chart's own curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import EMImputeError, named
from emimpute.inference.standing.boxplaces import BoxPlace, standardised
from emimpute.inference.standing.places import Place, symmetric_matrices, triangle
from emimpute.inference.standing.rowscores import of_boxes, of_points, padded
from emimpute.models.conditional import conditionals
from emimpute.models.factored import FactoredProblem
from emimpute.models.information import curvature
from emimpute.models.mixed import MixedProblem
from emimpute.models.mvn import MVNProblem, Normal, whitened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

__all__ = ["BoxPoint", "NormalPoint", "locate"]

_PARAMETERS = 1900  # of an information matrix at most (60 columns),
_COST = 1e11  # and multiplications: some ten seconds
_ILL = 1e8  # condition number above which the precision form is left
_BOX_COST = 1e10  # which are slower ones where cells are intervals


def locate(law: Law, latent: Latent, weights: np.ndarray | None, prior: Any) -> NormalPoint | BoxPoint:
    """The point of ``law`` under the likelihood of ``latent`` (n, d) with case weights (n,) and ``prior``.

    Raises EMImputeError for models other than the normal distribution, and ``numpy.linalg.LinAlgError`` where the
    covariance matrix is singular.
    """
    problem: Any = law.model.bind(latent, weights, prior)
    if isinstance(problem, FactoredProblem):
        problem = problem.unfactored()  # every parameter is to be a coordinate
    used = np.asarray(latent.known.any(axis=1))
    w = np.ones(len(used)) if weights is None else np.asarray(weights, dtype=float)
    rows = np.flatnonzero(used & (w > 0))
    if isinstance(problem, MixedProblem):
        kinds = sorted(
            {c.kind for c in law.table.codings if c.cuts and any(map(len, c.cuts))}.union(_intervals(law, latent))
        )
        return BoxPoint(_checked(BoxPlace.of, problem, standardised(problem, law.params)), rows, w[rows], tuple(kinds))
    if not isinstance(problem, MVNProblem):
        msg = f"Standard errors are known for the model 'mvn', and this fit has the model {law.model.name!r}."
        raise EMImputeError(msg)
    scale = problem.scale
    at = Normal((law.params.mean - problem.centre) / scale, law.params.cov / np.outer(scale, scale))
    return NormalPoint(_checked(Place.of, problem, at), rows, w[rows], latent)


def _checked(of: Any, problem: Any, params: Any) -> Any:
    if problem.degenerate(params):
        msg = "the covariance matrix is singular"
        raise np.linalg.LinAlgError(msg)
    return of(problem, params)


def _intervals(law: Law, latent: Latent) -> set[str]:
    """Kinds of the columns with interval cells."""
    inside = (latent.known & ~latent.observed).any(axis=0)
    return {c.kind for c, span in zip(law.table.codings, latent.spans, strict=True) if inside[span].any()}


@dataclass(frozen=True, eq=False)
class NormalPoint:
    """A point whose likelihood is that of points alone: everything in closed form."""

    place: Place
    rows: np.ndarray  # (r,) of the frame, which count
    weights: np.ndarray  # (r,) theirs
    latent: Latent

    default = "observed"
    cuts = ()

    @property
    def total(self) -> float:
        """n, or the sum of the weights."""
        return self.place.problem.rows

    @property
    def too_large(self) -> bool:
        """Whether the information is too large to be formed."""
        return len(self.place.gradient) > _PARAMETERS or self.place.cost > _COST

    @property
    def unit(self) -> np.ndarray:
        """Units (P,) of the parameters."""
        return _units(self.place.problem.scale, 0)

    @property
    def fixed(self) -> np.ndarray:
        """Which parameters have their value by definition, (P,) bool."""
        return np.zeros(len(self.place.gradient), dtype=bool)

    @cached_property
    def slopes(self) -> np.ndarray:
        """Derivatives (P, p) of means and covariances, standardised, in v."""
        chart, d = self.place.chart, len(self.place.params.mean)
        row, column = triangle(d)
        some = symmetric_matrices(np.eye(len(row)), d) / chart.stretch
        moved = chart.factor @ some @ chart.factor.T
        out = np.zeros((d + len(row), d + len(row)))
        out[:d, :d], out[d:, d:] = chart.factor, moved[:, row, column].T
        return out

    def without_gaps(self, slopes: np.ndarray) -> np.ndarray:
        """Variances (k,) of functions with these ``slopes`` (k, p), had there been no gaps."""
        return np.asarray(np.square(slopes).sum(axis=1) / self.total)

    def information(self, cov_type: str) -> np.ndarray:
        """Information per row (p, p): "observed", "expected" given the patterns, or "complete"."""
        if cov_type == "complete":
            return np.eye(len(self.place.gradient))
        return self._observed if cov_type == "observed" else self._expected

    @cached_property
    def _observed(self) -> np.ndarray:
        found = self.place.whole().copy()
        d, n, problem = len(self.place.params.mean), self.total, self.place.problem
        # The chart bends along the gradient; here Σ moves straight.
        second = whitened(self.place.chart.factor, self.place.statistics.second + problem.added)
        found[d:, d:] += curvature((second - problem.divisor * np.eye(d)) / 2) / (n * self.place.chart.stretch**2)
        return found

    @cached_property
    def _expected(self) -> np.ndarray:
        """Σ P in the means and ½ Σ tr(EPFP) in the covariances, nothing between, and the prior's own curvature."""
        params, problem, chart = self.place.params, self.place.problem, self.place.chart
        d, precision = len(params.mean), np.linalg.inv(params.cov)
        straight, square = np.zeros((d, d)), np.zeros((d * d, d * d))
        ill = np.linalg.cond(params.cov) > _ILL
        table = problem.table.covariance_form(problem.patterns) if ill else problem.table
        for c in conditionals(table, params.mean, params.cov, precision):
            weight = c.chunk.weight
            p = chart.factor.T @ padded(c, precision) @ chart.factor
            flat = p.reshape(len(p), -1)
            straight += (weight @ flat).reshape(d, d)
            square += (flat.T * weight) @ flat / 2
        four = square.reshape(d, d, d, d).transpose(3, 0, 1, 2).reshape(d * d, d * d)  # tr(EPFP): P_jk P_li
        out = np.zeros((len(self.place.gradient),) * 2)
        out[:d, :d], out[d:, d:] = straight, _symmetric(_symmetric(four).T)
        if problem.prior is not None:
            added, more = whitened(chart.factor, problem.added), problem.divisor - problem.rows
            out[d:, d:] += curvature(added - more / 2 * np.eye(d))
        out[d:] /= chart.stretch
        out[:, d:] /= chart.stretch
        return np.asarray((out + out.T) / (2 * self.total))

    def scores(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores (k, P), standardised and times the weight, of the places (k,) among ``rows``, some at a time."""
        problem = self.place.problem
        some = self.latent.take(self.rows)
        holes = ~some.observed
        z = (some.points - problem.centre) / problem.scale
        z[holes] = 0.0
        for rows, found in of_points(z, some.patterns, self.place.params):
            yield rows, found * self.weights[rows, None]


@dataclass(frozen=True, eq=False)
class BoxPoint:
    """A point whose likelihood has intervals: row scores in closed form, and the information by differences of them."""

    place: BoxPlace
    rows: np.ndarray  # (r,)
    weights: np.ndarray  # (r,)
    kinds: tuple[str, ...]  # of the columns with intervals

    default = "sandwich"

    @property
    def total(self) -> float:
        """n, or the sum of the weights."""
        return self.place.problem.rows

    @property
    def cuts(self) -> tuple[int, ...]:
        """The coordinate of each cut point."""
        return tuple(self.place.problem.cuts.column.tolist())

    @property
    def too_large(self) -> bool:
        """Whether the information would take too long."""
        return len(self.place.gradient) > _PARAMETERS or self.place.cost > _BOX_COST

    @property
    def unit(self) -> np.ndarray:
        """Units (P,) of the parameters."""
        return _units(self.place.problem.scale, len(self.cuts))

    @property
    def fixed(self) -> np.ndarray:
        """Which parameters have their value by definition, (P,) bool."""
        return self.place.fixed

    @property
    def slopes(self) -> np.ndarray:
        """Derivatives (P, p) of means, covariances and cut points, standardised, in v."""
        return self.place.slopes

    def without_gaps(self, slopes: np.ndarray) -> np.ndarray:
        """Variances (k,) of functions with these ``slopes`` (k, p) for complete latent data, which tell cut points."""
        m = len(self.place.gradient) - len(self.cuts)
        return np.asarray(np.square(slopes[:, :m]).sum(axis=1) / self.total)

    def information(self, cov_type: str) -> np.ndarray:
        """Observed information per row (p, p), 1 along directions in which nothing changes."""
        if cov_type != "observed":
            msg = (
                f"The {cov_type} information is not known for columns of kind {named(self.kinds)}, whose cells are "
                f"intervals: ask for cov_type='observed', or of standard errors for 'sandwich'."
            )
            raise EMImputeError(msg)
        return self._observed

    @cached_property
    def _observed(self) -> np.ndarray:
        return self.place.whole()

    def scores(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores (k, P), standardised and times the weight, of the places (k,) among ``rows``, some at a time."""
        for rows, found in of_boxes(self.place.problem, self.place.params):
            yield rows, found * self.weights[rows, None]


def _units(scale: np.ndarray, cuts: int) -> np.ndarray:
    row, column = triangle(len(scale))
    return np.concatenate([scale, scale[row] * scale[column], np.ones(cuts)])


def _symmetric(rows: np.ndarray) -> np.ndarray:
    """Rows [ij] (d², q) taken to the coordinates of symmetric matrices: √2 × diagonal, then ij + ji above it."""
    d = round(len(rows) ** 0.5)
    i, j = np.triu_indices(d, 1)
    return np.concatenate([2**0.5 * rows[:: d + 1], rows[i * d + j] + rows[j * d + i]])
