"""What holds for every table: the likelihood never falls, order and units do not matter, what was observed stays."""

from __future__ import annotations

import functools
import operator
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from tables import SEEDS, anywhere, distance, expected, latent, run, standard, tame, textbook, wild

import emimpute
from emimpute.em import Stop
from emimpute.models.mvn import MVN, Normal, Statistics
from emimpute.models.priors import Ridge, Shrink

ROUNDING = 1e-10  # relative: what sums over a table of this size may lose
SAME = 1e-8  # conditional sds by which answers may differ that ought to be the same
PRIORS = st.sampled_from([None, Shrink(0.5), Shrink(4.0), Ridge(3.0)])
ENGINES = st.sampled_from(["em", "lbfgs"])
UNITS = st.builds(lambda sign, power: sign * 10.0**power, st.sampled_from([-1, 1]), st.integers(-6, 6))


def frame(x):
    return pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])


def fit(x, **options):
    """A fit that may warn of thin pairs and the like, but that has to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        done = emimpute.fit(frame(x), **options)
    assert done.converged
    return done


def law(done):
    return Normal(done.mean.to_numpy(), done.cov.to_numpy())


def sds(x, done):
    """Conditional sds (n, d) of the gaps, 1 where observed."""
    covariances = MVN().complete(law(done), latent(x), variance=True)[1]
    variance = np.column_stack([each[:, 0, 0] for each in covariances])
    return np.sqrt(np.where(np.isnan(x), variance, 1.0))


# The likelihood never falls ------------------------------------------------------------------------------------------


@given(wild(), PRIORS, st.integers(1, 40))
def test_an_em_step_never_lowers_the_log_posterior(x, prior, steps):
    """The plain map, with no safeguard between: EM's own theorem."""
    problem = MVN().bind(latent(x), None, prior)
    params, before = problem.start(), -np.inf
    for _ in range(steps):
        if problem.degenerate(params):
            break
        try:
            statistics, loglik = problem.expect(params)
        except np.linalg.LinAlgError:
            break
        now = loglik + problem.log_prior(params)
        assert now >= before - problem.noise(params, now)
        params, before = problem.maximize(statistics), now


@given(wild(), PRIORS, ENGINES)
def test_the_log_posterior_never_falls_from_iterate_to_iterate(x, prior, engine):
    problem = MVN().bind(latent(x), None, prior)
    history = [i for i in run(problem, engine=engine, max_iter=200) if not np.isnan(i.logpost)]
    for a, b in pairwise(history):
        if b.stop is not Stop.UNBOUNDED:
            assert b.logpost >= a.logpost - problem.noise(b.params, b.logpost)


@given(tame(), PRIORS, ENGINES)
def test_on_an_ordinary_table_it_does_not_fall_by_more_than_rounding(x, prior, engine):
    history = run(MVN().bind(latent(x), None, prior), engine=engine, max_iter=5000)
    posts = np.array([i.logpost for i in history])
    assert history[-1].stop.success
    assert np.diff(posts).min(initial=0.0) >= -ROUNDING * np.abs(posts).max()


@given(tame(), ENGINES)
def test_the_log_posterior_is_the_likelihood_and_the_prior(x, engine):
    prior = Ridge(2.0)
    problem = MVN().bind(latent(x), None, prior)
    last = run(problem, engine=engine, max_iter=5000)[-1]
    found = problem.natural(last.params)
    d = x.shape[1]
    observed = np.diag(np.nanvar(x, axis=0, ddof=1))
    penalty = (prior.df + d + 1) * np.linalg.slogdet(found.cov)[1] + prior.df * np.trace(
        observed @ np.linalg.inv(found.cov)
    )
    assert last.loglik == pytest.approx(textbook(x, np.ones(len(x)), found.mean, found.cov).loglik, rel=ROUNDING)
    assert last.logpost == pytest.approx(last.loglik - penalty / 2, rel=ROUNDING)


# The E-step, by the book ---------------------------------------------------------------------------------------------


def assert_same_moments(found, book, rtol, atol=0.0):
    size = np.abs(book.second).max()
    np.testing.assert_allclose(found.count, book.count, rtol=1e-12)
    np.testing.assert_allclose(found.first, book.first, rtol=0, atol=rtol * (size + np.abs(book.first).max()))
    np.testing.assert_allclose(found.second, book.second, rtol=0, atol=rtol * size)
    np.testing.assert_allclose(found.loglik, book.loglik, rtol=rtol, atol=max(rtol, atol))


@given(wild(columns=(1, 7)), SEEDS, st.sampled_from([1, 4]), st.booleans())
def test_the_e_step_is_the_textbooks(x, seed, times, weighted):
    """In both forms, with weights, and where rows of a pattern are so many that they are reduced."""
    rng = np.random.default_rng(seed)
    x = np.vstack([x + k * rng.standard_normal(x.shape) for k in range(times)])
    w = rng.choice([0.0, 0.5, 1.0, 2.0, 3.0], len(x)) if weighted else np.ones(len(x))
    assume((w @ ~np.isnan(x) > 0).all())
    problem = MVN().bind(latent(x), w if weighted else None)
    mean, cov = anywhere(rng, x.shape[1])
    book, noise = textbook(x, w, mean, cov), problem.noise(standard(problem, mean, cov), 0.0)
    assert_same_moments(expected(problem, mean, cov), book, ROUNDING, atol=noise)
    table = problem.table.covariance_form(problem.patterns)
    assert not any(chunk.precision for chunk in table.chunks)
    assert_same_moments(expected(replace(problem, table=table), mean, cov), book, ROUNDING, atol=noise)


@given(SEEDS, st.integers(2, 6))
def test_the_e_step_on_a_nearly_singular_covariance(seed, d):
    """Above a condition number of 1e8 the covariance form is taken, and loses no more than the number allows."""
    rng = np.random.default_rng(seed)
    mean, cov = anywhere(rng, d, least=1e-9)
    x = rng.standard_normal((40, d)) @ np.linalg.cholesky(cov).T + mean
    x[rng.random(x.shape) < 0.3] = np.nan
    x[:2] = mean + np.array([[1.0], [-1.0]]) * np.linalg.cholesky(cov)[:, 0]
    problem = MVN().bind(latent(x))
    params = standard(problem, mean, cov)
    assume(np.linalg.cond(params.cov) > 1e8)
    book, noise = textbook(x, np.ones(len(x)), mean, cov), problem.noise(params, 0.0)
    assert_same_moments(expected(problem, mean, cov), book, 1e-6, atol=noise)


@given(wild(), SEEDS)
def test_statistics_of_parts_add(x, seed):
    """Parts of the rows, each standardised in its own way, sum to the whole, statistics and log-likelihood both."""
    rng = np.random.default_rng(seed)
    whole = np.vstack([x, x[rng.permutation(len(x))] + 0.5])
    half = np.arange(len(whole)) < len(x)  # so that each part has every column
    mean, cov = anywhere(rng, x.shape[1])
    parts = [expected(MVN().bind(latent(whole[rows])), mean, cov) for rows in (half, ~half)]
    together = expected(MVN().bind(latent(whole)), mean, cov)
    sums = [Statistics(p.count, mean, p.first, p.second) for p in parts]
    added = functools.reduce(operator.add, sums)
    np.testing.assert_allclose(added.count, together.count, rtol=1e-12)
    np.testing.assert_allclose(added.first, together.first, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(added.second, together.second, rtol=ROUNDING, atol=ROUNDING)
    assert sum(p.loglik for p in parts) == pytest.approx(together.loglik, rel=ROUNDING)


def test_statistics_about_different_origins_do_not_add():
    a = Statistics(1.0, np.zeros(1), np.zeros(1), np.eye(1))
    with pytest.raises(ValueError, match="same origin"):
        a + Statistics(1.0, np.ones(1), np.zeros(1), np.eye(1))


# What may not matter -------------------------------------------------------------------------------------------------


@given(tame(columns=(2, 5)), SEEDS, st.sampled_from([None, "ridge"]))
def test_the_order_of_rows_and_columns_does_not_matter(x, seed, prior):
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(x)), rng.permutation(x.shape[1])
    one, other = fit(x, prior=prior), emimpute.fit(frame(x).iloc[rows, columns], prior=prior)
    labels = list(one.mean.index)
    same = Normal(other.mean[labels].to_numpy(), other.cov.loc[labels, labels].to_numpy())
    assert distance(same, law(one)) < SAME
    assert other.loglik == pytest.approx(one.loglik, rel=ROUNDING)
    off = (other.impute().sort_index()[labels] - one.impute()) / sds(x, one)
    assert np.abs(off.to_numpy()).max() < SAME


@given(tame(), st.data(), st.sampled_from([None, "ridge"]))
def test_units_and_origins_do_not_matter(x, data, prior):
    """Any affine map of the columns, mirrored or a million times larger, maps the answer likewise."""
    d = x.shape[1]
    scale = np.array(data.draw(st.lists(UNITS, min_size=d, max_size=d)))
    shift = scale * np.array(data.draw(st.lists(st.integers(-9, 9), min_size=d, max_size=d)))
    one, other = fit(x, prior=prior), fit(x * scale + shift, prior=prior)
    mapped = Normal(law(one).mean * scale + shift, law(one).cov * np.outer(scale, scale))
    assert distance(law(other), mapped) < SAME
    jacobian = float((~np.isnan(x)).sum(axis=0) @ np.log(np.abs(scale)))
    assert other.loglik == pytest.approx(one.loglik - jacobian, abs=ROUNDING * (len(x) * d + abs(jacobian)) * 10)
    off = (other.impute().to_numpy() - (one.impute().to_numpy() * scale + shift)) / (sds(x, one) * np.abs(scale))
    assert np.abs(off[np.isnan(x)]).max(initial=0.0) < SAME


@given(tame(), SEEDS, PRIORS)
def test_distances_do_not_depend_on_units(x, seed, prior):
    """Nor does any step: the chart is laid in the data's own shape."""
    rng = np.random.default_rng(seed)
    d = x.shape[1]
    mix = rng.standard_normal((d, d)) + 2 * np.eye(d)
    full = x[~np.isnan(x).any(axis=1)]
    here, there = anywhere(rng, d), anywhere(rng, d)
    lengths = []
    for table, t in ((full, np.eye(d)), (full @ mix.T, mix)):
        problem = MVN().bind(latent(table), None, prior)
        a, b = (standard(problem, t @ mean, t @ cov @ t.T) for mean, cov in (here, there))
        chart = problem.chart(a)
        lengths.append(chart.distance(chart.to_vector(b)))
    assert lengths[1] == pytest.approx(lengths[0], rel=1e-8)


@given(wild())
def test_observed_cells_are_bit_identical(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        done = frame(x).em.impute().to_numpy()
    seen = ~np.isnan(x)
    assert (done[seen].view(np.uint64) == x[seen].view(np.uint64)).all()
    assert np.isfinite(done).all()


# Closed forms and weights --------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 6), st.integers(0, 40), PRIORS)
@example(0, 1, 0, None)
def test_complete_data_have_a_closed_form(seed, d, more, prior):
    x = np.random.default_rng(seed).standard_normal((d + 2 + more, d)) * 3 + 5
    done = fit(x, prior=prior)
    n, scatter, divisor = len(x), (x - x.mean(0)).T @ (x - x.mean(0)), float(len(x))
    if prior is not None:
        scatter = scatter + prior.df * np.diag(x.var(axis=0, ddof=1))
        divisor += prior.df + prior.extra(d)
    assert distance(law(done), Normal(x.mean(axis=0), scatter / divisor)) < ROUNDING
    assert done.loglik == pytest.approx(
        multivariate_normal.logpdf(x, law(done).mean, law(done).cov).sum(), rel=ROUNDING
    )
    assert done.stop is Stop.NOTHING_MISSING
    assert done.nobs == n


@given(tame(), SEEDS, st.sampled_from([None, "ridge"]))
def test_a_row_of_weight_two_is_that_row_twice(x, seed, prior):
    w = np.random.default_rng(seed).integers(1, 4, len(x))
    one, other = fit(x, weights=w, prior=prior), fit(np.repeat(x, w, axis=0), prior=prior)
    assert distance(law(one), law(other)) < SAME
    assert one.loglik == pytest.approx(other.loglik, rel=ROUNDING)
    assert one.nobs == other.nobs
    off = (one.impute().to_numpy().repeat(w, axis=0) - other.impute().to_numpy()) / sds(x, one).repeat(w, axis=0)
    assert np.abs(off).max() < SAME


@given(tame(), SEEDS)
def test_a_row_of_weight_zero_is_not_there(x, seed):
    """It teaches nothing, and is filled all the same."""
    rng = np.random.default_rng(seed)
    idle = rng.standard_normal((5, x.shape[1])) * 100
    idle[rng.random(idle.shape) < 0.5] = np.nan
    one, other = fit(np.vstack([x, idle]), weights=np.repeat([1.0, 0.0], [len(x), 5])), fit(x)
    assert distance(law(one), law(other)) < SAME
    assert one.loglik == pytest.approx(other.loglik, rel=ROUNDING)
    off = (one.impute().iloc[: len(x)] - other.impute()) / sds(x, other)
    assert np.abs(off.to_numpy()).max() < SAME
    assert one.impute().notna().all(axis=None)


# The promise of tol --------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(tame(), st.sampled_from([1e-3, 1e-6, 1e-8]), PRIORS, ENGINES)
def test_tol_bounds_the_true_distance(x, tol, prior, engine):
    problem = MVN().bind(latent(x), None, prior)
    best = run(problem, tol=1e-11, max_iter=5000)[-1]
    assume(best.stop.success)
    last = run(problem, tol=tol, engine=engine, max_iter=50_000)[-1]
    assert last.stop.success
    assert distance(last.params, best.params) < tol
    assert last.logpost <= best.logpost + problem.noise(best.params, best.logpost)


@given(tame(columns=(2, 5)), st.sampled_from([1e-2, 1e-4, 1e-6]), PRIORS, ENGINES)
def test_the_reported_distance_is_the_true_one(x, tol, prior, engine):
    """What the closing check measured is how far the point was at which it was made, within a factor of two."""
    problem = MVN().bind(latent(x), None, prior)
    best = run(problem, tol=1e-11, max_iter=5000)[-1]
    history = run(problem, tol=tol, engine=engine, max_iter=50_000)
    assume(history[-1].stop is Stop.CONVERGED and history[-1].remaining > 1e-9)
    *_, before, last = history
    assert last.remaining < tol
    assert last.remaining / 2 < distance(before.params, best.params) < 2 * last.remaining
