r"""How sure the means and covariances of a fit are, for all that is computed from them.

The covariance of the estimates of θ = (μ, vech Σ) is kept as a factor, A with AAᵀ: that of a function g is JA(JA)ᵀ, J
its derivative (the delta method). It comes from the information of the observed data in the chart at the estimate, in
which the complete data have n times the identity: I⁻¹, or with the rows' own scores s the sandwich I⁻¹ Σ w² ssᵀ I⁻¹
(White 1982, https://doi.org/10.2307/1912526), which holds where the columns are not normal, and for weights that are
no counts. Directions along which the data say nothing have no variance: what they move has NaN for its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from emimpute._threads import single_threaded
from emimpute.errors import EMImputeError, unknown
from emimpute.inference.standing.places import triangle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emimpute.inference.complete import Law
    from emimpute.inference.standing.params import Standing
    from emimpute.inference.standing.points import BoxPoint, NormalPoint

__all__ = ["Uncertainty", "slopes", "uncertainty"]

_COV_TYPES = ("observed", "expected", "sandwich")
_FLAT = 1e-7  # information, relative to the complete data's, that is not told from 0
_MOVED = 1e-8  # squared correlation with the flat directions from which a function is one that is left open
_APART = 1e-4  # displacement for numerical derivatives about the middle, in sds; they err by its square
_NUMBERS = 1 << 21  # in the arrays of displaced matrices


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Moments of some d coordinates, and a factor of their estimates' covariance, in the coordinates' own units.

    The parameters are the d means, then the lower triangle of the covariance matrix column by column: P of them.
    """

    mean: np.ndarray  # (d,)
    cov: np.ndarray  # (d, d)
    nobs: float  # rows with something observed, or the sum of their weights
    rows: int  # how many rows that is
    weighted: bool
    root: np.ndarray  # (P, p) A
    observed: np.ndarray  # (P, p) the same from the observed information, whatever ``cov_type`` is
    flat: np.ndarray  # (P, f) how the parameters move along directions that the data leave open
    slopes: np.ndarray  # (P, p) how they move in the coordinates of ``point``
    point: NormalPoint | BoxPoint
    cov_type: str

    def take(self, places: Sequence[int]) -> Uncertainty:
        """The same of some coordinates, in this order."""
        d, chosen = len(self.mean), np.asarray(places, dtype=int)
        number = np.zeros((d, d), dtype=int)
        row, column = triangle(d)
        number[row, column] = number[column, row] = d + np.arange(len(row))
        row, column = triangle(len(chosen))
        parameters = np.concatenate([chosen, number[chosen[row], chosen[column]]])
        return replace(
            self,
            mean=self.mean[chosen],
            cov=self.cov[np.ix_(chosen, chosen)],
            root=self.root[parameters],
            observed=self.observed[parameters],
            flat=self.flat[parameters],
            slopes=self.slopes[parameters],
        )

    def covariance(self, derivative: np.ndarray) -> np.ndarray:
        """Covariance (q, q) of a function's estimates, from its derivative (q, P); NaN for what is left open."""
        factor = derivative @ self.root
        found: np.ndarray = factor @ factor.T
        moved = np.square(derivative @ self.flat).sum(axis=1)
        left_open = moved > _MOVED * np.square(derivative @ self.slopes).sum(axis=1)
        found[left_open] = np.nan
        found[:, left_open] = np.nan
        return found

    def fmi(self, derivative: np.ndarray) -> np.ndarray:
        """A function's fractions of missing information (q,): 1 − variance with complete data / variance observed."""
        variance = np.square(derivative @ self.observed).sum(axis=1)
        left_open = np.isnan(np.diag(self.covariance(derivative)))
        return np.where(left_open, 1.0, np.clip(1 - self.complete(derivative) / variance, 0.0, 1.0))

    def complete(self, derivative: np.ndarray) -> np.ndarray:
        """Variances (q,) that the same estimates would have without gaps."""
        return self.point.without_gaps(derivative @ self.slopes)


def slopes(function: Callable[[np.ndarray], np.ndarray], cov: np.ndarray) -> np.ndarray:
    """Derivative (q, P) of ``function`` of covariance matrices, (B, d, d) -> (B, q), by differences about the middle.

    The first d columns, for means, are 0.
    """
    d, sd = len(cov), np.sqrt(np.diag(cov))
    row, column = triangle(d)
    size = _APART * sd[row] * sd[column]
    batch = max(1, _NUMBERS // max(d * d, 1))
    parts = []
    for first in range(0, len(row), batch):
        some = slice(first, first + batch)
        moved = np.zeros((len(row[some]), d, d))
        each = np.arange(len(moved))
        moved[each, row[some], column[some]] = moved[each, column[some], row[some]] = size[some]
        parts.append((function(cov + moved) - function(cov - moved)).T / (2 * size[some]))
    return np.concatenate([np.zeros((len(parts[0]), d)), *parts], axis=1)


@single_threaded
def uncertainty(law: Law, standing: Standing, cov_type: str | None = None) -> Uncertainty:
    """The uncertainty of ``law``, which has this ``standing`` in the likelihood of its data.

    ``cov_type`` is "observed", "expected" or "sandwich"; by default the standing's own, and "sandwich" where rows have
    weights. Raises EMImputeError where no information matrix exists.
    """
    if cov_type is not None and cov_type not in _COV_TYPES:
        raise EMImputeError(unknown("cov_type", cov_type, _COV_TYPES))
    point = standing.point
    if point is None or point.too_large:
        why = " ".join(standing.notes) or "No column of this fit varies."
        raise EMImputeError(
            f"There are no standard errors for this fit. {why} Fit fewer columns, without those that others determine, "
            "or with a ridge (prior='ridge')."
        )
    weighted = bool((point.weights != 1).any())
    chosen = cov_type or ("sandwich" if weighted else point.default)
    observed, directions = _inverse(point, "observed")
    inverse = _inverse(point, "expected")[0] if chosen == "expected" else observed
    d = len(law.params.mean)
    moments = (point.slopes * point.unit[:, None])[: d * (d + 3) // 2]  # cut points come after them
    root = moments @ inverse
    if chosen == "sandwich":
        size, axes = np.linalg.eigh(_meat(point))
        root = moments @ observed @ observed.T @ (axes * np.sqrt(np.maximum(size, 0.0)))
    return Uncertainty(
        mean=law.params.mean.copy(),
        cov=law.params.cov.copy(),
        nobs=float(point.total),
        rows=len(point.rows),
        weighted=weighted,
        root=root,
        observed=moments @ observed,
        flat=moments @ directions,
        slopes=moments,
        point=point,
        cov_type=chosen,
    )


def _inverse(point: NormalPoint | BoxPoint, cov_type: str) -> tuple[np.ndarray, np.ndarray]:
    """A root (p, r) of the inverse information, and the directions (p, f) in which there is none."""
    values, vectors = np.linalg.eigh(point.information(cov_type))
    if values[0] < -_FLAT:
        raise EMImputeError(
            "The estimate is no maximum of the likelihood, so it has no standard errors: fit with more starts=, or "
            "with a ridge (prior='ridge')."
        )
    known = values > _FLAT
    return vectors[:, known] / np.sqrt(values[known] * point.total), vectors[:, ~known]


def _meat(point: NormalPoint | BoxPoint) -> np.ndarray:
    """Σ w² ssᵀ (p, p) of the rows' scores in the point's coordinates.

    Under a prior each row bears its share of the prior's gradient, so that they add to nothing at the mode.
    """
    p = point.slopes.shape[1]
    squares, total, weighted = np.zeros((p, p)), np.zeros(p), np.zeros(p)
    for rows, found in point.scores():
        v = found @ point.slopes
        squares += v.T @ v
        total += v.sum(axis=0)
        weighted += point.weights[rows] @ v
    if point.place.problem.prior is None:
        return squares
    share = point.place.gradient - total / point.total
    cross = np.outer(weighted, share)
    return np.asarray(squares + cross + cross.T + np.square(point.weights).sum() * np.outer(share, share))
