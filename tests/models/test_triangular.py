"""The E-step without an inverse: the same numbers where both are good, and better ones near a singular matrix."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from tables import joint, latent

from emimpute.models.mvn import Normal
from emimpute.models.triangular import moments


def holed(n, d, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
    x[rng.random(x.shape) < 0.3] = np.nan
    return x


@pytest.mark.parametrize(("n", "d"), [(40, 3), (40, 7), (500, 3)])
def test_it_is_the_e_step(n, d):
    """With a pattern for each row, and with many rows of few patterns, which are reduced."""
    problem = joint(latent(holed(n, d)))
    root = np.random.default_rng(1).standard_normal((d, d)) + 2 * np.eye(d)
    at = Normal(np.linspace(-1, 1, d), root @ root.T)
    statistics, loglik = problem.expect(at)
    first, second, minus2 = moments(problem.table.covariance_form(problem.patterns), at.mean, at.cov)
    np.testing.assert_allclose(first, statistics.first, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(second, statistics.second, rtol=1e-10, atol=1e-9)
    assert -(problem.constant + minus2) / 2 == pytest.approx(loglik, rel=1e-12)


def test_it_is_exact_near_a_singular_matrix():
    """Against rational arithmetic, along the direction that hardly varies."""
    tiny = Fraction(1, 2**30)
    cov = [[Fraction(1), Fraction(1), Fraction(1, 2)], [Fraction(1), 1 + tiny, Fraction(1, 2)]]
    cov.append([Fraction(1, 2), Fraction(1, 2), Fraction(1)])
    x = np.array([[0.5, np.nan, 0.25], [np.nan, 0.5, 0.25], [1.0, 1.0, np.nan], [-1.0, -1.0, -0.5], [0.25, 0.25, 1.0]])
    problem = joint(latent(x))
    table = problem.table.covariance_form(problem.patterns)
    sigma = np.array(cov, dtype=float)
    _, second, _ = moments(table, np.zeros(3), sigma)
    seen = ~np.isnan(x[table.order])
    want = sum(_exact(cov, row, mask) for row, mask in zip(table.x, seen, strict=True))
    direction = np.array([1.0, -1.0, 0.0])
    exact = float(want[0, 0] - 2 * want[0, 1] + want[1, 1])
    assert direction @ second @ direction == pytest.approx(exact, rel=1e-6)


def _exact(cov, row, mask):
    """E[zzᵀ] of one row with mean 0, by Gaussian elimination in fractions: sweep the observed in."""
    d = len(row)
    a = [list(line) for line in cov]
    z = [Fraction(float(v)) if m else Fraction(0) for v, m in zip(row, mask, strict=True)]
    residual = list(z)
    fill = [Fraction(0)] * d
    for j in (j for j in range(d) if mask[j]):
        step = residual[j] - fill[j]
        gain = [a[i][j] / a[j][j] for i in range(d)]
        fill = [f + g * step for f, g in zip(fill, gain, strict=True)]
        a = [[a[i][k] - gain[i] * a[j][k] for k in range(d)] for i in range(d)]
    whole = [z[i] if mask[i] else fill[i] for i in range(d)]
    return np.array([[whole[i] * whole[k] + a[i][k] for k in range(d)] for i in range(d)])
