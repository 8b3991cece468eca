r"""The derivative of any function of the mean and the covariance matrix, by differences that units cannot spoil.

The function is moved along μ + La and L exp(H)Lᵀ, Σ = LLᵀ: displacements in sd, and in a covariance matrix that stays
positive definite. Two central differences are combined so that their error is of the fourth order (Richardson).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError
from emimpute.inference.standing.places import symmetric_matrices, triangle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["jacobian", "values_of"]

_STEP = 2e-3  # in sd
_SMOOTH = 1e-3  # difference of the two quotients, relative to the largest slope


def values_of(
    function: Callable[[Any, Any], Any], labels: pd.Index[Any], mean: np.ndarray, cov: np.ndarray
) -> tuple[pd.Index[Any], np.ndarray]:
    """The function's values (q,) at mean (d,) and covariance (d, d), and their names.

    A Series, a DataFrame or a dict names them; a single number is named "value". Raises EMImputeError where they are
    no finite numbers.
    """
    result: Any = function(pd.Series(mean.copy(), index=labels), pd.DataFrame(cov.copy(), index=labels, columns=labels))
    if isinstance(result, dict):
        result = pd.Series(result)
    try:
        values = np.asarray(result, dtype=float)
    except (TypeError, ValueError) as error:
        msg = f"The function of (mean, cov) is to return numbers, and it returned {type(result).__name__}."
        raise EMImputeError(msg) from error
    if not np.isfinite(values).all():
        msg = "The function of (mean, cov) is to return finite numbers near the estimate, and it returned others."
        raise EMImputeError(msg)
    if isinstance(result, pd.Series):
        return result.index, values
    if isinstance(result, pd.DataFrame):
        return pd.MultiIndex.from_product([result.index, result.columns]), values.ravel()
    names = pd.Index(["value"]) if not values.ndim else pd.RangeIndex(values.size)
    return names, values.ravel()


def jacobian(
    function: Callable[[Any, Any], Any], labels: pd.Index[Any], mean: np.ndarray, cov: np.ndarray, count: int
) -> tuple[np.ndarray, bool]:
    """Derivatives (q, P) of ``count`` values in means and the lower triangle, and whether they look smooth.

    Raises EMImputeError where a displacement changes how many values there are, or makes them infinite.
    """
    d = len(mean)
    row, column = triangle(d)
    p = d + len(row)
    factor = np.linalg.cholesky(cov)

    def at(vector: np.ndarray) -> np.ndarray:
        power, vectors = np.linalg.eigh(symmetric_matrices(vector[None, d:], d)[0])
        root = factor @ (vectors * np.exp(power / 2))
        found = values_of(function, labels, mean + factor @ vector[:d], root @ root.T)[1]
        if len(found) != count:
            msg = f"The function of (mean, cov) returned {count} values at the estimate, and {len(found)} beside it."
            raise EMImputeError(msg)
        return found

    wide, narrow = np.empty((2, count, p))
    for k, side in enumerate(np.eye(p)):
        wide[:, k] = (at(_STEP * side) - at(-_STEP * side)) / (2 * _STEP)
        narrow[:, k] = (at(_STEP / 2 * side) - at(-_STEP / 2 * side)) / _STEP
    slope = (4 * narrow - wide) / 3
    smooth = np.abs(wide - narrow).max(axis=1, initial=0.0) <= _SMOOTH * np.abs(slope).max(axis=1, initial=0.0)
    # from derivatives in a and H to those in μ and the lower triangle of Σ: a = L⁻¹Δμ, H = L⁻¹ΔΣL⁻ᵀ
    half = np.linalg.inv(factor)
    matrices = symmetric_matrices(slope[:, d:], d) / 2
    by_cov = half.T @ matrices @ half
    lower = by_cov[:, row, column] * np.where(row == column, 1.0, 2.0)
    return np.concatenate([slope[:, :d] @ half, lower], axis=1), bool(smooth.all())
