"""Numeric tables with gaps for the laws, and what a textbook says of them, row by row and with no regard to speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from emimpute.em import iterates
from emimpute.latent import Latent
from emimpute.models.factored import FactoredProblem
from emimpute.models.mvn import MVN, Normal

if TYPE_CHECKING:
    from emimpute.em import Iterate
    from emimpute.models.mvn import MVNProblem
    from emimpute.models.priors import Prior

SEEDS = st.integers(0, 2**32 - 1)


def latent(x: np.ndarray) -> Latent:
    """A table (n, d) with NaN at its gaps, each column one coordinate."""
    return Latent(x, x, tuple(slice(j, j + 1) for j in range(x.shape[1])))


def joint(table: Latent, weights: np.ndarray | None = None, prior: Prior | None = None) -> MVNProblem:
    """The normal model bound to a table, without any column factored out."""
    problem = MVN().bind(table, weights, prior)
    return problem.unfactored() if isinstance(problem, FactoredProblem) else problem


def run(problem: MVNProblem, **options: object) -> list[Iterate]:
    """All iterates of a run."""
    return list(iterates(problem, **options))


def correlated(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """A complete table (n, d) from a normal distribution, the condition number of whose covariance is 100 at most."""
    mean, cov = anywhere(rng, d)
    return rng.standard_normal((n, d)) @ np.linalg.cholesky(cov).T + mean


def anywhere(rng: np.random.Generator, d: int, least: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """A mean (d,) and a covariance matrix (d, d) whose smallest eigenvalue is ``least``."""
    q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    values = np.append(least, rng.uniform(0.5, 10.0, d - 1))
    return 3 * rng.standard_normal(d), (q * values) @ q.T


@st.composite
def tame(draw: st.DrawFn, *, columns: tuple[int, int] = (1, 5)) -> np.ndarray:
    """Tables whose ML exists and is unique in practice: 3 d + 6 complete rows, others with gaps, one perhaps empty."""
    rng, d = np.random.default_rng(draw(SEEDS)), draw(st.integers(*columns))
    complete, other = 3 * d + 6, draw(st.integers(1, 40))
    x = correlated(rng, complete + other, d)
    gaps = rng.random(x.shape) < draw(st.sampled_from([0.1, 0.3, 0.6]))
    gaps[:complete] = False
    x[gaps] = np.nan
    if draw(st.booleans()):
        x[complete] = np.nan
    return rng.permutation(x)


@st.composite
def wild(draw: st.DrawFn, *, columns: tuple[int, int] = (1, 5)) -> np.ndarray:
    """Tables of which nothing is sure but that each column has two different values."""
    rng, d = np.random.default_rng(draw(SEEDS)), draw(st.integers(*columns))
    n = draw(st.integers(2, 25))
    x = correlated(rng, n, d)
    if draw(st.booleans()):
        x = np.round(x)
    x[rng.random(x.shape) < draw(st.sampled_from([0.0, 0.2, 0.5, 0.8]))] = np.nan
    x[:2] = np.where(np.isnan(x[:2]), 0.0, x[:2])
    x[1] = np.where(x[0] == x[1], x[1] + 1.0, x[1])
    return rng.permutation(x)


@dataclass(frozen=True)
class Moments:
    """Expected complete-data statistics of a table in its own units, and the observed-data log-likelihood."""

    count: float
    first: np.ndarray  # (d,) Σ w E[z]
    second: np.ndarray  # (d, d) Σ w E[(z - μ)(z - μ)ᵀ]
    loglik: float


def textbook(x: np.ndarray, weights: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> Moments:
    """The E-step as Little & Rubin write it: one row at a time, by regression on what was observed."""
    d = x.shape[1]
    count, first, second, loglik = 0.0, np.zeros(d), np.zeros((d, d)), 0.0
    for row, w in zip(x, weights, strict=True):
        o = ~np.isnan(row)
        m = ~o
        if not o.any() or not w:
            continue
        slope = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, m)]).T
        filled = row.copy()
        filled[m] = mean[m] + slope @ (row[o] - mean[o])
        left = np.zeros((d, d))
        left[np.ix_(m, m)] = cov[np.ix_(m, m)] - slope @ cov[np.ix_(o, m)]
        count += w
        first += w * filled
        second += w * (np.outer(filled - mean, filled - mean) + left)
        loglik += w * density(row[o] - mean[o], cov[np.ix_(o, o)])
    return Moments(count, first, second, float(loglik))


def density(deviation: np.ndarray, cov: np.ndarray) -> float:
    """Log density of a normal distribution; SciPy has it, but not where a covariance matrix is nearly singular."""
    if np.linalg.cond(cov) < 1e8:
        return float(multivariate_normal.logpdf(deviation, cov=cov))
    quadratic = float(deviation @ np.linalg.solve(cov, deviation))
    return -(len(cov) * np.log(2 * np.pi) + float(np.linalg.slogdet(cov)[1]) + quadratic) / 2


def standard(problem: MVNProblem, mean: np.ndarray, cov: np.ndarray) -> Normal:
    """Parameters in the table's units as ``problem`` takes them."""
    return Normal((mean - problem.centre) / problem.scale, cov / np.outer(problem.scale, problem.scale))


def expected(problem: MVNProblem, mean: np.ndarray, cov: np.ndarray) -> Moments:
    """The problem's own E-step, in the table's units."""
    statistics, loglik = problem.expect(standard(problem, mean, cov))
    first = problem.scale * statistics.first + statistics.count * mean
    return Moments(statistics.count, first, statistics.second * np.outer(problem.scale, problem.scale), loglik)


def distance(a: Normal, b: Normal) -> float:
    """The distance of ``a`` from ``b`` in the unit of ``tol``: no linear change of the data alters it."""
    factor = np.linalg.cholesky(b.cov)
    of_cov = np.linalg.solve(factor, np.linalg.solve(factor, a.cov - b.cov).T)
    return max(float(np.linalg.norm(np.linalg.solve(factor, a.mean - b.mean))), float(np.linalg.norm(of_cov)))
