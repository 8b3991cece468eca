r"""Little's test, whether the missingness patterns have the means that one normal distribution gives them.

With :math:`\bar y_k` the mean of the :math:`n_k` rows of pattern k over what they have observed,

.. math:: d^2 = \sum_k n_k (\bar y_k - \mu_k)^T \Sigma_{kk}^{-1} (\bar y_k - \mu_k),

at the maximum likelihood estimate, is asymptotically χ² with :math:`\sum_k |o_k| - d` degrees of freedom where cells
are missing completely at random (Little 1988, https://doi.org/10.1080/01621459.1988.10478722).

Each pattern's summand is a squared length, that of :math:`w = R_{kk}^{-1/2} D^{-1} (\bar y_k - \mu_k)` times
:math:`n_k`, where D are the standard deviations and R the correlations. Of all ways to make the coordinates of a
quadratic form independent this one stays closest to the variables themselves, so :math:`w_j^2` is the share that
variable j has in it: never negative, and free of units (Garthwaite & Koch 2016, https://doi.org/10.1111/anzs.12144).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from emimpute._threads import single_threaded
from emimpute.em import Stop, iterates
from emimpute.latent import blocks, patterns

if TYPE_CHECKING:
    from emimpute.latent import Latent, Patterns
    from emimpute.models.base import Model
    from emimpute.models.mvn import Normal
    from emimpute.models.priors import Prior

__all__ = ["Little", "degrees", "little", "little_bootstrap"]

_TOL = 1e-4  # of a fit to simulated rows: an error that only reorders statistics that are as good as equal
_ESTEPS = 500
_USABLE = {Stop.CONVERGED, Stop.NOTHING_MISSING, Stop.MAX_ITER, Stop.STALLED, Stop.FLAT}


@dataclass(frozen=True, eq=False)
class Little:
    """Little's statistic in its parts; patterns of rows without anything observed are left out."""

    masks: np.ndarray  # (K, d) bool, True = observed
    counts: np.ndarray  # (K,) rows
    shares: np.ndarray  # (K, d) of the statistic; they add up to it, and are 0 where the pattern lacks the coordinate

    @property
    def statistic(self) -> float:
        """d², not negative."""
        return float(self.shares.sum())

    @property
    def df(self) -> int:
        """Degrees of freedom."""
        return degrees(self.masks)


def degrees(masks: np.ndarray) -> int:
    """Σ|o_k| - d for patterns (K, d), d counting the coordinates that some pattern has."""
    return int(masks.sum()) - int(masks.any(axis=0).sum())


@single_threaded
def little(params: Normal, latent: Latent, *, ddof: int = 0) -> Little:
    """The statistic of the points of ``latent`` (n, d) about ``params``.

    ``ddof`` makes Σ that of divisor n - ddof, n being the rows with something observed. Raises
    ``numpy.linalg.LinAlgError`` if the covariance of some pattern is singular.
    """
    observed = latent.observed
    rows = np.flatnonzero(observed.any(axis=1))
    found = patterns(observed[rows])
    return _little(params, latent.points[rows], found, ddof)


def _little(params: Normal, points: np.ndarray, found: Patterns, ddof: int) -> Little:
    n = len(points)
    sd = np.sqrt(np.diag(params.cov))
    corr = params.cov / np.outer(sd, sd)
    means = _pattern_means(points, params.mean, sd, found)
    shares = np.empty(found.masks.shape)
    for some in blocks(len(shares), corr.size, cells=1 << 20):
        masks = found.masks[some]
        # What is missing has correlation 0 with all, and so no part in what follows: patterns then have one size.
        padded = np.where(masks[:, :, None] & masks[:, None, :], corr, np.eye(len(sd)))
        values, vectors = np.linalg.eigh(padded)
        if not (values > 0).all():
            raise np.linalg.LinAlgError
        along = np.einsum("kij,ki->kj", vectors, means[some]) / np.sqrt(values)
        shares[some] = found.counts[some, None] * np.einsum("kij,kj->ki", vectors, along) ** 2
    shares[~found.masks] = 0.0
    return Little(found.masks, found.counts, shares * ((n - ddof) / n if n else 1.0))


def _pattern_means(points: np.ndarray, mean: np.ndarray, sd: np.ndarray, found: Patterns) -> np.ndarray:
    """Standardised means of each pattern's rows, (K, d), 0 where it has nothing observed."""
    order = found.order
    z = (points[order] - mean) / sd
    z[~found.masks[found.of_row[order]]] = 0.0
    if not len(z):
        return np.zeros(found.masks.shape)
    first = np.concatenate([[0], np.cumsum(found.counts)[:-1]])
    means: np.ndarray = np.add.reduceat(z, first, axis=0) / found.counts[:, None]
    return means


@single_threaded
def little_bootstrap(
    model: Model,
    params: Normal,
    latent: Latent,
    prior: Prior | None,
    *,
    times: int,
    ddof: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The statistics of tables drawn from ``params`` with the gaps of ``latent``, each about a fit of its own.

    (times,), NaN where a table had no fit. Each table has a generator of its own, so a longer run begins as a shorter
    one does.
    """
    observed = latent.observed
    rows = np.flatnonzero(observed.any(axis=1))
    holes, found = ~observed[rows], patterns(observed[rows])
    values, vectors = np.linalg.eigh(params.cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    spans = tuple(slice(j, j + 1) for j in range(len(root)))
    statistics = np.full(times, np.nan)
    for number, own in enumerate(rng.spawn(times)):
        # About 0, where rounding is least: the statistic does not depend on it.
        z = np.asfortranarray(own.standard_normal(holes.shape) @ root.T)
        z[holes] = np.nan
        drawn = replace(latent, lower=z, upper=z, spans=spans, cuts=(), cones=(), pinned=())
        fitted = _fitted(model, drawn, prior)
        if fitted is not None:
            try:
                statistics[number] = _little(fitted, z, found, ddof).statistic
            except np.linalg.LinAlgError:
                continue
    return statistics


def _fitted(model: Model, latent: Latent, prior: Prior | None) -> Normal | None:
    """The estimate from ``latent``, None where there is none."""
    problem = model.bind(latent, None, prior)
    try:
        *_, last = iterates(problem, tol=_TOL, max_iter=_ESTEPS)
    except np.linalg.LinAlgError:
        return None
    if last.stop not in _USABLE:
        return None
    params: Normal = problem.natural(last.params)
    return params
