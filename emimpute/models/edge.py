"""Whether the likelihood has a bound at the edge of the parameter space, where a covariance matrix is singular.

Let λ be the variance of a linear combination of columns that goes to 0. Where c rows (in weight) have all of its
columns, each halving of λ gains them ½ c log 2, without end. Where no row has them all, as with three columns that are
seen only in pairs and whose correlations fit no covariance matrix, the gain dies out as λ does. So the gain is
measured, at two depths.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emimpute.models.mvn import MVNProblem, Normal

__all__ = ["bounded"]

_HIGH, _LOW = (1e-5, 1e-6), (1e-7, 1e-8)  # smallest eigenvalues of the correlation matrix between which to measure


def bounded(problem: MVNProblem, params: Normal) -> bool:
    """Whether the log-likelihood stays below some bound near ``params``, a nearly singular normal distribution.

    False also where it cannot be computed.
    """
    if getattr(problem, "coarsely_degenerate", lambda _: False)(params):
        return True  # the probability of an interval is at most 1
    sd = np.sqrt(np.maximum(np.diag(params.cov), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(params.cov / np.outer(sd, sd))

    def loglik(least: float) -> float:
        return problem.expect(_raised(params, sd, np.maximum(values, least), vectors))[1]

    try:
        above, below = loglik(_HIGH[1]) - loglik(_HIGH[0]), loglik(_LOW[1]) - loglik(_LOW[0])
    except np.linalg.LinAlgError:
        return False
    lowest = _raised(params, sd, np.maximum(values, _LOW[1]), vectors)
    return not below > max(above / 2, problem.noise(lowest, loglik(_LOW[1])))


def _raised(params: Normal, sd: np.ndarray, values: np.ndarray, vectors: np.ndarray) -> Normal:
    return replace(params, cov=(vectors * values) @ vectors.T * np.outer(sd, sd))
