"""The multivariate normal: start, E-step, M-step, priors and chart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import SEEDS, anywhere, correlated, distance, joint, latent, run, standard, tame, textbook

from emimpute.models.mvn import MVN, Normal
from emimpute.models.priors import Ridge, Shrink

PRIORS = st.sampled_from([None, Shrink(0.5), Ridge(3.0)])
SLOPES = 1e-6  # relative error of a central difference


def somewhere(problem, seed, least=0.1):
    mean, cov = anywhere(np.random.default_rng(seed), len(problem.centre), least)
    return standard(problem, mean, cov)


# Binding -------------------------------------------------------------------------------------------------------------


@given(tame())
def test_the_start_has_the_observed_moments(x):
    problem = joint(latent(x))
    start = problem.natural(problem.start())
    np.testing.assert_allclose(start.mean, np.nanmean(x, axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.diag(start.cov), np.nanvar(x, axis=0), rtol=1e-10)


def test_large_origins_lose_nothing():
    """Mean 1e7 and sd 1, or a date since 1970 in nanoseconds: raw moments would cancel."""
    x = np.random.default_rng(0).standard_normal((50, 2))
    x[::3, 1] = np.nan
    shifted = x + np.array([2.0**40, 2.0**30])
    problem, other = joint(latent(shifted - np.array([2.0**40, 2.0**30]))), MVN().bind(latent(shifted))
    np.testing.assert_allclose(other.scale, problem.scale, rtol=1e-12)
    assert other.expect(other.start())[1] == pytest.approx(problem.expect(problem.start())[1], rel=1e-12)


def test_rows_that_say_nothing_do_not_count():
    x = correlated(np.random.default_rng(0), 20, 3)
    more = np.vstack([x, np.full((7, 3), np.nan)])
    assert joint(latent(more)).rows == 20
    one, other = (p.expect(p.start()) for p in (joint(latent(x)), MVN().bind(latent(more))))
    assert one[1] == other[1]


def test_balanced_pairs_do_not_start_at_zero():
    """Where an observed cross-product vanishes, zero may be a saddle; pairs never seen together stay at zero."""
    x = np.array([[1, 1, 3], [1, -1, 1], [-1, 1, np.nan], [-1, -1, np.nan], [np.nan, 2, 0.5], [np.nan, -2, 2]])
    cov = joint(latent(x)).start().cov
    assert cov[0, 1] == cov[1, 0] > 0
    assert cov[1, 2] == 0
    assert np.linalg.eigvalsh(cov)[0] > 0
    apart = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 1.0], [np.nan, 5.0]])
    assert (joint(latent(apart)).start().cov == np.eye(2)).all()


def test_outside_of_the_parameter_space_there_is_no_e_step():
    problem = joint(latent(correlated(np.random.default_rng(0), 20, 2)))
    for cov in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[np.nan, 0.0], [0.0, 1.0]]):
        with pytest.raises(np.linalg.LinAlgError):
            problem.expect(Normal(np.zeros(2), np.array(cov)))


@pytest.mark.parametrize(
    ("cov", "degenerate"),
    [
        (np.eye(2), False),
        ([[1.0, 0.9999], [0.9999, 1.0]], False),
        ([[1e-8, 0.0], [0.0, 1e8]], False),
        ([[1.0, 1 - 1e-12], [1 - 1e-12, 1.0]], True),
        ([[1.0, 0.0], [0.0, 0.0]], True),
        ([[1.0, 0.0], [0.0, 1e-200]], True),
    ],
)
def test_degenerate_is_in_correlation_units(cov, degenerate):
    problem = joint(latent(correlated(np.random.default_rng(0), 20, 2)))
    assert problem.degenerate(Normal(np.zeros(2), np.asarray(cov, dtype=float))) is degenerate


@given(tame())
def test_natural_units(x):
    problem = joint(latent(x))
    params = somewhere(problem, 1)
    again = standard(problem, problem.natural(params).mean, problem.natural(params).cov)
    np.testing.assert_allclose(again.mean, params.mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(again.cov, params.cov, rtol=1e-12)


def test_parameters_as_json():
    params = Normal(np.array([1.0, 1e300]), np.array([[1.0, 0.1], [0.1, 2.0]]))
    again = MVN().from_json(MVN().to_json(params))
    assert (again.mean == params.mean).all()
    assert (again.cov == params.cov).all()


# M-step and priors ---------------------------------------------------------------------------------------------------


@given(tame(), st.sampled_from([Shrink(0.5), Shrink(10.0), Ridge(0.5), Ridge(3.0)]))
def test_the_mode_is_a_fixed_point(x, prior):
    """At the mode Σ = (n S + df·Δ) / (n + df + extra), with S and Δ by the textbook, in the data's own units."""
    problem = joint(latent(x), None, prior)
    mode = problem.natural(run(problem, tol=1e-9, max_iter=5000)[-1].params)
    book = textbook(x, np.ones(len(x)), mode.mean, mode.cov)
    delta = np.diag(np.nanvar(x, axis=0, ddof=1))
    d = x.shape[1]
    divisor = book.count + prior.df + (d + 1 if isinstance(prior, Ridge) else 0)
    fixed = Normal(book.first / book.count, (book.second + prior.df * delta) / divisor)
    assert distance(fixed, mode) < 1e-8


@given(tame(), PRIORS, SEEDS)
def test_the_m_step_maximises(x, prior, seed):
    """No neighbour has a larger expected complete-data log posterior."""
    problem = joint(latent(x), None, prior)
    statistics, _ = problem.expect(somewhere(problem, seed))
    best = problem.maximize(statistics)
    rng, d = np.random.default_rng(seed), x.shape[1]

    def objective(params):
        off = params.mean - statistics.origin
        second = statistics.second - np.outer(statistics.first, off) - np.outer(off, statistics.first)
        second = second + statistics.count * np.outer(off, off)
        fit = statistics.count * np.linalg.slogdet(params.cov)[1] + np.trace(np.linalg.solve(params.cov, second))
        return -fit / 2 + problem.log_prior(params)

    top = objective(best)
    for _ in range(5):
        bend = np.eye(d) + 1e-3 * rng.standard_normal((d, d))
        beside = Normal(best.mean + 1e-3 * rng.standard_normal(d), bend @ best.cov @ bend.T)
        assert objective(beside) < top


# The chart -----------------------------------------------------------------------------------------------------------


@given(tame(), PRIORS, SEEDS)
def test_coordinates_come_back(x, prior, seed):
    problem = joint(latent(x), None, prior)
    chart = problem.chart(somewhere(problem, seed))
    vector = np.random.default_rng(seed).standard_normal(len(chart.to_vector(problem.start())))
    np.testing.assert_allclose(chart.to_vector(chart.from_vector(vector)), vector, rtol=1e-7, atol=1e-8)
    assert np.abs(chart.to_vector(Normal(chart.mean, chart.factor @ chart.factor.T))).max() < 1e-10


def logpost(problem, params):
    return problem.expect(params)[1] + problem.log_prior(params)


@given(tame(columns=(1, 4)), PRIORS, SEEDS, st.booleans())
def test_the_gradient_is_that_of_the_log_posterior(x, prior, seed, away):
    """By central differences, at the reference and away from it."""
    problem = joint(latent(x), None, prior)
    chart = problem.chart(somewhere(problem, seed))
    at = chart.to_vector(problem.start()) * 0.0
    if away:
        at = 0.3 * np.random.default_rng(seed).standard_normal(len(at))
    params = chart.from_vector(at)
    gradient = chart.gradient(params, problem.expect(params)[0])
    step = 1e-5
    slopes = [
        (logpost(problem, chart.from_vector(at + e)) - logpost(problem, chart.from_vector(at - e))) / (2 * step)
        for e in step * np.eye(len(at))
    ]
    size = np.abs(gradient).max() + problem.noise(params, 1.0) / step / problem.rows
    np.testing.assert_allclose(gradient, np.array(slopes) / problem.rows, rtol=0, atol=10 * SLOPES * size + 1e-8)


@given(tame(columns=(1, 4)), PRIORS)
def test_a_gradient_step_of_length_one_is_the_em_step(x, prior):
    """To first order: near the maximum the two differ by the square of their length."""
    problem = joint(latent(x), None, prior)
    best = run(problem, tol=1e-9, max_iter=5000)[-1].params
    for off in (1e-3, 1e-4):
        params = Normal(best.mean + off, best.cov * (1 + off))
        chart = problem.chart(params)
        statistics, _ = problem.expect(params)
        step = chart.gradient(params, statistics)
        em = chart.to_vector(problem.maximize(statistics))
        assert np.linalg.norm(em - step) < 20 * np.linalg.norm(step) ** 2 + 1e-8


@pytest.mark.parametrize("prior", [None, Shrink(5.0), Ridge(3.0)])
def test_the_complete_data_information_is_n_times_the_identity(prior):
    """By differences of the gradient at the maximum of a complete table, prior included."""
    problem = joint(latent(correlated(np.random.default_rng(0), 25, 3)), None, prior)
    best = problem.maximize(problem.expect(problem.start())[0])
    chart = problem.chart(best)
    bends = []
    for e in 1e-5 * np.eye(9):
        ahead, behind = chart.from_vector(e), chart.from_vector(-e)
        slope = chart.gradient(behind, problem.expect(behind)[0]) - chart.gradient(ahead, problem.expect(ahead)[0])
        bends.append(slope / 2e-5)
    np.testing.assert_allclose(bends, np.eye(9), atol=1e-6)


@given(tame(), PRIORS, SEEDS)
def test_lengths_are_those_of_tol(x, prior, seed):
    """To first order: the norms of L⁻¹Δμ and L⁻¹ΔΣL⁻ᵀ."""
    problem = joint(latent(x), None, prior)
    here = somewhere(problem, seed)
    chart = problem.chart(here)
    vector = 1e-6 * np.random.default_rng(seed).standard_normal(len(chart.to_vector(here)))
    assert chart.distance(vector) == pytest.approx(distance(chart.from_vector(vector), here), rel=1e-4)


def test_a_singular_matrix_has_no_coordinates():
    problem = joint(latent(correlated(np.random.default_rng(0), 20, 2)))
    chart = problem.chart(problem.start())
    for cov in ([[1.0, 1.0], [1.0, 1.0]], [[1.0, 3.0], [3.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]):
        with pytest.raises(np.linalg.LinAlgError):
            chart.to_vector(Normal(np.zeros(2), np.array(cov)))


def test_the_observed_information_has_the_rate():
    """EM's residuals shrink by the largest fraction of missing information, which the run tells."""
    rng = np.random.default_rng(1)
    x = correlated(rng, 80, 3)
    x[rng.random(x.shape) < 0.5] = np.nan
    x[:15] = correlated(rng, 15, 3)
    problem = joint(latent(x))
    plain, fast = (run(problem, engine=e, tol=1e-8, max_iter=5000)[-1] for e in ("em", "lbfgs"))
    assert 0.3 < plain.rate < 1
    assert fast.rate == pytest.approx(plain.rate, abs=0.05)
