"""The information by sites: close to the Hessian, exact where the theory says so, and blind along the orbits."""

from __future__ import annotations

import numpy as np
import pytest
from intervals import bracket, mixed, ordinal, real, table
from scipy.linalg import eigh

from emimpute.em import iterates
from emimpute.models.mvn import MVN
from emimpute.models.priors import Shrink
from emimpute.normal import pairs

STEP = 1e-4


def hessian(problem, params) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minus the log posterior's Hessian per row by differences, the idle directions set to 1; and the information."""
    chart = problem.chart(params)
    at = chart.to_vector(params)

    def slope(vector: np.ndarray) -> np.ndarray:
        there = chart.from_vector(vector)
        return chart.gradient(there, problem.expect(there)[0])

    h = np.empty((len(at), len(at)))
    for i, e in enumerate(np.eye(len(at)) * STEP):
        h[:, i] = (slope(at - e) - slope(at + e)) / (2 * STEP)
    idle = chart.idle @ chart.idle.T
    return (h + h.T) / 2 + idle, problem.information(params, problem.expect(params)[0]), idle


def ratios(latent, prior=None) -> np.ndarray:
    problem = MVN().bind(latent, None, prior)
    *_, last = iterates(problem)
    h, information, _ = hessian(problem, last.params)
    return eigh(h, information, eigvals_only=True)


@pytest.fixture(autouse=True)
def _everything(monkeypatch):
    """Let every pair count: what comes and goes has no derivative."""
    monkeypatch.setattr(pairs, "_WORTH", (1e-300, 1e-299))


def test_it_is_close_for_answers_in_order():
    """Eigenvalues of the Hessian in its metric within .88 to 1.1: a Newton step by it is off by an eighth at most."""
    for seed in range(2):
        found = ratios(mixed(seed, n=200, with_nominal=False))
        assert found[0] > 0.88
        assert found[-1] < 1.1


@pytest.mark.parametrize("options", [{}, {"with_nominal": False, "pinned": True}], ids=["nominal", "pinned"])
def test_it_is_roughly_right_for_cones_and_pinned_coordinates(options):
    found = ratios(mixed(1, n=200, **options))
    assert found[0] > 0.5
    assert found[-1] < 1.6


def test_a_prior_counts():
    """Were its part left out, or taken twice, there would be a third between them."""
    found = ratios(mixed(1, n=60, with_nominal=False), Shrink(20.0))
    assert found[0] > 0.8
    assert found[-1] < 1.2


def test_points_have_the_observed_information():
    """Where next to nothing is an interval, there is nothing to approximate."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((150, 3)) @ rng.standard_normal((3, 3))
    z[rng.random((150, 3)) < 0.2] = np.nan
    z[0, 2] = 0.3
    lower, upper = np.where(np.isnan(z[:, 2]), -np.inf, z[:, 2]), np.where(np.isnan(z[:, 2]), np.inf, z[:, 2])
    lower[0], upper[0] = 0.3 - 1e-3, 0.3 + 1e-3
    found = ratios(table(real(z[:, 0]), real(z[:, 1]), bracket(lower, upper)))
    np.testing.assert_allclose(found, 1, atol=1e-3)


def test_it_is_one_along_the_orbits_and_symmetric():
    problem = MVN().bind(mixed(2, n=80))
    params = problem.maximize(problem.expect(problem.start())[0])
    information = problem.information(params, problem.expect(params)[0])
    idle = problem.chart(params).idle
    np.testing.assert_allclose(information, information.T, atol=1e-12)
    np.testing.assert_allclose(idle.T @ information @ idle, np.eye(idle.shape[1]), atol=1e-8)


def test_a_column_alone_has_the_multinomials_information():
    """Cut points of one column whose law is free are as free as its shares, and exactly as informed."""
    codes = np.repeat([0, 1, 2, 3], [30, 50, 15, 5])
    found = ratios(table(ordinal(codes), real(np.random.default_rng(1).standard_normal(100))))
    assert found[0] > 0.9
    assert found[-1] < 1.1
