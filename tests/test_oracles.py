"""The quasi-Monte Carlo oracle, against closed forms and scipy: what it says of its own error is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import box, cone
from scipy.special import ndtr
from scipy.stats import multivariate_normal, truncnorm

GOOD = 1e-4  # a bound smaller than this is of use in the tests of expectation propagation


def equicorrelated(d, rho):
    return np.full((d, d), rho) + (1 - rho) * np.eye(d)


@pytest.mark.parametrize("d", [2, 3, 4, 5, 6])
def test_the_orthant_of_equicorrelated_halves(d):
    """P(all z > 0) = 1/(d + 1) at correlation 1/2; by symmetry equal means."""
    found = box(np.zeros(d), np.full(d, np.inf), np.zeros(d), equicorrelated(d, 0.5), seed=d)
    assert found.probability.holds(1 / (d + 1))
    assert found.probability.bound < GOOD
    assert found.mean.holds(found.mean.value.mean(), slack=found.mean.bound.max())


def test_the_orthant_of_three():
    """P = 1/8 + (sum of arcsines)/4π, and the mean by Rosenbaum's formula: unequal correlations, signs mixed."""
    cov = np.array([[1, 0.6, -0.3], [0.6, 1, 0.2], [-0.3, 0.2, 1]])
    found = box(np.zeros(3), np.full(3, np.inf), np.zeros(3), cov)
    angles = np.arcsin(cov[[0, 0, 1], [1, 2, 2]])
    p = 1 / 8 + angles.sum() / (4 * np.pi)
    assert found.probability.holds(p)
    # E z = Σ over faces j of cov[:, j] φ(0) P(others > 0 | z_j = 0) / P (Tallis 1961)
    faces = []
    for j in range(3):
        k, m = (i for i in range(3) if i != j)
        partial = (cov[k, m] - cov[j, k] * cov[j, m]) / np.sqrt((1 - cov[j, k] ** 2) * (1 - cov[j, m] ** 2))
        faces.append((1 / 4 + np.arcsin(partial) / (2 * np.pi)) / np.sqrt(2 * np.pi))
    assert found.mean.holds(cov @ faces / p)
    assert found.mean.bound.max() < GOOD


def test_independent_coordinates_are_truncated_one_by_one():
    """Product, means and variances of scipy's truncnorm; the last coordinate is free."""
    lower, upper = np.array([-1.0, 0.5, -np.inf, -np.inf]), np.array([2.0, np.inf, 0.3, np.inf])
    mean, sd = np.array([0.2, -0.1, 0.4, 1.0]), np.array([1.5, 0.7, 1.0, 2.0])
    found = box(lower, upper, mean, np.diag(sd**2))
    a, b = (lower - mean) / sd, (upper - mean) / sd
    assert found.probability.holds(np.prod(ndtr(b) - ndtr(a)))
    assert found.mean.holds(truncnorm.mean(a, b, mean, sd))
    assert found.cov.holds(np.diag(truncnorm.var(a, b, mean, sd)))
    assert found.cov.bound.max() < 10 * GOOD * sd.max() ** 2


@pytest.mark.parametrize("d", [3, 5])
def test_scipy_says_the_same(d):
    """Probabilities of boxes with unequal covariances."""
    rng = np.random.default_rng(d)
    root = rng.normal(size=(d, d))
    cov, mean = root @ root.T + np.eye(d), rng.normal(size=d)
    lower, upper = mean - 1 - rng.random(d), mean + 2 * rng.random(d)
    theirs = multivariate_normal(mean, cov, maxpts=1_000_000, abseps=1e-8, releps=1e-8, seed=1)
    found = box(lower, upper, mean, cov)
    assert found.probability.holds(theirs.cdf(upper, lower_limit=lower), slack=1e-6)
    assert found.log_p.bound < GOOD


@pytest.mark.parametrize("d", [2, 3, 5])
def test_cones_share_the_space(d):
    """The categories' probabilities add to one; the choice's mixture of moments gives back mean and covariance."""
    rng = np.random.default_rng(d)
    mean, cov = rng.normal(size=d) / 2, np.eye(d) + 1
    parts = [cone(k, mean, cov, seed=k) for k in range(d + 1)]
    p = np.array([part.probability.value for part in parts])
    bound = sum(part.probability.bound for part in parts)
    assert abs(p.sum() - 1) <= bound
    means = np.array([part.mean.value for part in parts])
    slack = bound * np.abs(means).max() + sum(part.mean.bound.max() for part in parts)
    np.testing.assert_allclose(p @ means, mean, atol=slack, rtol=0)


def test_independent_utilities_of_equal_mean_are_chosen_alike():
    """With within-block covariance I + 11ᵀ and mean 0, d + 1 categories have 1/(d + 1) each."""
    for k in range(4):
        assert cone(k, np.zeros(3), np.eye(3) + 1, seed=k).probability.holds(1 / 4)


@pytest.mark.parametrize("k", [0, 1, 3])
def test_a_cone_holds_its_own_mean(k):
    """The mean of what chose category k would choose it too: a cone is convex."""
    mean = cone(k, np.array([0.3, -0.5, 0.1]), np.eye(3) + 1).mean.value
    assert (mean < 0).all() if k == 0 else mean[k - 1] > 0 and mean.argmax() == k - 1


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_the_same_bits(seed):
    cov = equicorrelated(3, 0.3)
    one, two = (box([-1, 0, 0], [1, 2, np.inf], np.zeros(3), cov, seed=seed, log2_points=6) for _ in range(2))
    assert one.probability.value == two.probability.value
    np.testing.assert_array_equal(one.cov.value, two.cov.value)


def test_the_bound_is_kept():
    """Over fifty seeds the truth is outside a 99.9 % bound at most twice."""
    misses = sum(
        not box(
            np.zeros(3), np.full(3, np.inf), np.zeros(3), equicorrelated(3, 0.5), seed=seed, log2_points=7
        ).probability.holds(0.25, slack=0)
        for seed in range(50)
    )
    assert misses <= 2
