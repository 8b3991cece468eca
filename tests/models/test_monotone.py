"""Monotone patterns in closed form: the same maximum as EM's, with weights and priors, and no iteration."""

from __future__ import annotations

import numpy as np
import pytest
from references import load
from tables import distance, latent

import emimpute
from emimpute.em import Stop, iterates
from emimpute.models.monotone import monotone_order
from emimpute.models.mvn import MVN
from emimpute.models.priors import Ridge, Shrink

CLOSED = 1e-9  # what plain EM at tol=1e-11 leaves


def dropout(seed: int = 0, n: int = 80, d: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    last = rng.integers(1, d + 1, n)
    z[np.arange(d) >= last[:, None]] = np.nan
    return z[:, rng.permutation(d)]


@pytest.mark.parametrize("prior", [None, Ridge(3.0), Shrink(0.5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_where_em_goes(prior, weighted):
    z = dropout()
    weights = np.random.default_rng(1).integers(1, 4, len(z)).astype(float) if weighted else None
    problem = MVN().bind(latent(z), weights, prior)
    *_, slow = iterates(problem, engine="em", tol=1e-11, max_iter=20_000)
    (only,) = iterates(problem)
    assert only.stop is Stop.NOTHING_MISSING
    assert only.esteps == 1
    assert distance(slow.params, only.params) < CLOSED
    assert only.logpost >= slow.logpost - 1e-9


@pytest.mark.parametrize("name", ["btheb", "apple", "cholesterol"])
def test_reference_cases_with_monotone_patterns(name):
    """Real dropout: the stored maximum, after a single E-step."""
    case = load(name)
    fit = emimpute.fit(case.frame)
    assert fit.n_iter == 1
    assert fit.loglik == pytest.approx(case.loglik, rel=0, abs=1e-9)
    np.testing.assert_allclose(fit.mean, case.mean, rtol=1e-10)


def test_what_is_not_monotone_is_not_taken_for_it():
    z = dropout()
    assert monotone_order(latent(z).patterns) is not None
    row = np.flatnonzero(~np.isnan(z).any(axis=1))[0]
    z[row, np.isnan(z).sum(axis=0).argmin()] = np.nan  # the column that nobody else lacks
    assert monotone_order(latent(z).patterns) is None
    assert MVN().bind(latent(z)).solution is None


def test_too_few_rows_for_a_regression_are_not_taken_for_a_maximum():
    z = dropout(n=40)
    z[3:, 2] = np.nan  # a column with three values
    problem = MVN().bind(latent(z[:, np.argsort(np.isnan(z).sum(axis=0))]))
    *_, last = iterates(problem)
    assert last.stop is Stop.UNBOUNDED
