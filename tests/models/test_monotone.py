"""Monotone patterns in closed form: the same maximum as EM's, with weights and priors, and no iteration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from references import cases, load
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


# Nearly monotone -----------------------------------------------------------------------------------------------------


def nearly(seed: int = 0, n: int = 400, d: int = 8, share: float = 0.02) -> np.ndarray:
    """Dropout, and a few further gaps."""
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.normal(size=(n, d)), axis=1) + rng.normal(size=(n, d))
    z[np.arange(d) >= rng.integers(1, d + 1, n)[:, None]] = np.nan
    z[rng.random((n, d)) < share] = np.nan
    return z[:, rng.permutation(d)]


@pytest.mark.parametrize("prior", [None, Ridge(3.0), Shrink(0.5)])
def test_a_nearly_monotone_table_starts_from_the_closed_form(prior):
    """It begins nearer the maximum, needs fewer E-steps, and ends at the same place."""
    problem = MVN().bind(latent(nearly()), None, prior)
    near = list(iterates(problem))
    far = list(iterates(problem, start=problem.start()))
    assert near[0].params is problem.nearby
    assert near[0].esteps == 2  # the default start was looked at as well
    assert near[0].logpost > far[0].logpost
    assert near[-1].esteps < far[-1].esteps
    assert distance(near[-1].params, far[-1].params) < 1e-6


def test_the_closed_form_start_of_a_monotone_table_is_its_maximum():
    problem = MVN().bind(latent(dropout()))
    assert distance(problem.nearby, problem.solution) < CLOSED


def test_neither_order_nor_units_choose_another_start():
    z = nearly()
    z[:, 3] = np.where(np.isnan(z[:, 2]), np.nan, np.nan_to_num(z[:, 3]))  # two columns seen in the same rows
    z[np.flatnonzero(~np.isnan(z[:, 2]))[0], 2], z[np.flatnonzero(~np.isnan(z[:, 3]))[1], 3] = np.nan, np.nan
    whole = MVN().bind(latent(z)).nearby
    rng = np.random.default_rng(1)
    for _ in range(5):
        order = rng.permutation(8)
        units = 10.0 ** rng.integers(-3, 4, 8) * rng.choice([-1, 1], 8)
        other = MVN().bind(latent((z * units + 5 * units)[:, order])).nearby
        sign = np.sign(units)[order]
        np.testing.assert_allclose(other.mean * sign, whole.mean[order], rtol=0, atol=1e-8)
        np.testing.assert_allclose(other.cov * np.outer(sign, sign), whole.cov[np.ix_(order, order)], rtol=0, atol=1e-8)


def test_scattered_gaps_have_no_such_start():
    z = np.random.default_rng(0).normal(size=(200, 6))
    z[np.random.default_rng(1).random(z.shape) < 0.3] = np.nan
    problem = MVN().bind(latent(z))
    assert problem.nearby is None
    assert next(iterates(problem)).esteps == 1


def test_plain_em_starts_where_it_always_did():
    problem = MVN().bind(latent(nearly()))
    first = next(iterates(problem, engine="em"))
    assert first.esteps == 1
    assert (first.params.cov == problem.start().cov).all()


@pytest.mark.parametrize("name", [name for name in cases("ml") if name != "bfi_sapa60"])
def test_it_costs_at_most_an_e_step_more(name):
    """To the stop, over the reference cases; and many fewer on the slowest one."""
    problem = MVN().bind(latent(load(name).frame.to_numpy(float)))
    *_, usual = iterates(problem, start=problem.start())
    *_, chosen = iterates(problem)
    assert chosen.esteps <= usual.esteps + 1
    if name == "boys_num":
        assert chosen.esteps <= 20 < usual.esteps


@pytest.mark.parametrize(("name", "said"), [("btheb", "monotone patterns: closed form."), ("boys_num", None)])
def test_the_summary_says_so(name, said):
    said = said or ("started from the closed form of nearly monotone patterns; L-BFGS in the EM metric, Newton finish.")
    assert emimpute.fit(load(name).frame).engine == said


def test_complete_data_say_so():
    z = np.random.default_rng(0).normal(size=(30, 3))
    assert emimpute.fit(pd.DataFrame(z)).engine == "nothing missing: closed form."
