"""The normal with interval cells: laws of any fit, derivatives, consistency, and what direct maximisation says."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from intervals import (
    INF,
    bracket,
    cells,
    correlations,
    equicorrelated,
    fit,
    mixed,
    nominal,
    ordinal,
    real,
    table,
    within,
)
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from emimpute.em import Stop, iterates
from emimpute.latent import Latent
from emimpute.models.factored import FactoredProblem
from emimpute.models.mixed import MixedProblem
from emimpute.models.mvn import MVN, MVNProblem
from emimpute.models.priors import Ridge, Shrink
from emimpute.normal import pairs
from emimpute.normal.bivariate import rectangle

KINDS = [
    {"with_nominal": False},
    {},
    {"with_nominal": False, "pinned": True},
    {"pinned": True},
]
NAMES = ["ordered", "nominal", "pinned", "all"]
SAME = 1e-6  # in sd and correlations, of two ways to one maximum
DIRECT = 1e-4


def everything(monkeypatch) -> None:
    """Let every pair count, however little: what comes and goes has no derivative."""
    monkeypatch.setattr(pairs, "_WORTH", (1e-300, 1e-299))


def params_close(one, other, atol: float) -> None:
    sd = np.sqrt(np.diag(one.cov))
    np.testing.assert_allclose((other.mean - one.mean) / sd, 0, atol=atol)
    np.testing.assert_allclose((other.cov - one.cov) / np.outer(sd, sd), 0, atol=atol)
    np.testing.assert_allclose(other.cuts, one.cuts, atol=atol)


# Without an interval -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complete", [1, 3])
def test_without_intervals_nothing_new_happens(complete):
    """Two arrays of equal bounds are points: the exact problem, and its iterates, bit for bit."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 4)) @ rng.standard_normal((4, 4))
    x[:, complete:][rng.random((80, 4 - complete)) < 0.2] = np.nan
    spans = tuple(slice(j, j + 1) for j in range(4))
    plain, boxed = MVN().bind(Latent(x, x, spans)), MVN().bind(Latent(x, x.copy(), spans))
    assert type(plain) is type(boxed)
    assert isinstance(boxed, MVNProblem | FactoredProblem)
    opened = Latent(np.where(np.isnan(x), -INF, x), np.where(np.isnan(x), INF, x), spans)
    for one, other in itertools.zip_longest(iterates(plain), iterates(boxed)):
        assert one.loglik == other.loglik
        np.testing.assert_array_equal(one.params.cov, other.params.cov)
    assert not isinstance(MVN().bind(opened), MixedProblem)
    *_, last = iterates(MVN().bind(opened))
    assert last.loglik == pytest.approx(one.loglik, abs=1e-9)


def test_points_given_to_the_engine_of_intervals_are_points():
    """One bracket so wide that it says nothing leaves the exact fit of the rest."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((100, 3)) @ rng.standard_normal((3, 3)) + 4
    x[rng.random((100, 3)) < 0.15] = np.nan
    x[0, 0] = np.nan
    lower, upper = np.where(np.isnan(x), -INF, x), np.where(np.isnan(x), INF, x)
    exact = MVN().bind(Latent(x, x, tuple(slice(j, j + 1) for j in range(3))))
    *_, last = iterates(exact)
    params = exact.natural(last.params)
    lower[0, 0], upper[0, 0] = -1e3, 1e3
    other, found = fit(Latent(lower, upper, tuple(slice(j, j + 1) for j in range(3)), (np.zeros(0),) * 3))
    assert other.loglik == pytest.approx(last.loglik, abs=1e-7)
    np.testing.assert_allclose(found.mean, params.mean, atol=1e-5)
    np.testing.assert_allclose(found.cov, params.cov, atol=1e-4)


def test_intervals_that_shrink_to_points_lead_to_the_points_fit():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 3))
    x[rng.random((60, 3)) < 0.1] = np.nan
    spans = tuple(slice(j, j + 1) for j in range(3))
    problem = MVN().bind(Latent(x, x, spans))
    *_, exact = iterates(problem)
    exact = problem.natural(exact.params)
    error = []
    for width in (1e-1, 1e-3, 1e-6, 1e-8):
        shut = rng.random((60, 3)) < 0.5
        half = np.where(shut, width / 2, 0.0)
        lower, upper = np.where(np.isnan(x), -INF, x - half), np.where(np.isnan(x), INF, x + half)
        last, params = fit(Latent(lower, upper, spans, (np.zeros(0),) * 3))
        assert last.stop is Stop.CONVERGED
        error.append(max(np.abs(params.mean - exact.mean).max(), np.abs(params.cov - exact.cov).max()))
    assert error[0] < 1e-2
    assert error[1] < 1e-5
    assert max(error[2:]) < 1e-6


# Laws ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
@pytest.mark.parametrize("engine", ["lbfgs", "em"])
def test_the_likelihood_never_falls(options, engine):
    for seed in range(2):
        problem = MVN().bind(mixed(seed, n=40, **options))
        run = list(iterates(problem, engine=engine, max_iter=30))
        noise = max(problem.noise(each.params, each.logpost) for each in run)
        assert np.diff([each.logpost for each in run]).min() > -noise


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
def test_two_runs_have_the_same_bits(options):
    first, second = (list(iterates(MVN().bind(mixed(3, **options)), max_iter=25)) for _ in range(2))
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.loglik == other.loglik
        np.testing.assert_array_equal(one.params.cov, other.params.cov)
        np.testing.assert_array_equal(one.params.cuts, other.params.cuts)


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
def test_a_weight_of_two_is_a_row_twice_and_of_zero_none(options):
    latent = mixed(4, n=120, **options)
    weights = np.ones(120)
    weights[:20], weights[20:30] = 2, 0
    rows = np.concatenate([np.arange(20), np.arange(20), np.arange(30, 120)])
    one, params = fit(latent, weights)
    other, again = fit(latent.take(rows))
    assert one.loglik == pytest.approx(other.loglik, abs=1e-6)
    params_close(params, again, SAME)


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
def test_the_order_of_rows_does_not_matter(options):
    latent = mixed(5, n=120, **options)
    one, params = fit(latent)
    other, again = fit(latent.take(np.random.default_rng(0).permutation(120)))
    assert one.loglik == pytest.approx(other.loglik, abs=1e-7)
    params_close(params, again, SAME)


def test_the_order_and_the_units_of_columns_do_not_matter():
    latent = mixed(6, n=120, with_nominal=False)
    one, params = fit(latent)
    order, unit, shift = [2, 0, 3, 1], np.array([1, 100.0, 1, 0.01]), np.array([0, -7.0, 0, 1e4])
    lower, upper = latent.lower[:, order] * unit + shift, latent.upper[:, order] * unit + shift
    other, again = fit(Latent(lower, upper, latent.spans, tuple(latent.cuts[j] for j in order)))
    points = latent.observed[:, order].sum(axis=0)
    assert other.loglik + points @ np.log(unit) == pytest.approx(one.loglik, abs=1e-6)
    np.testing.assert_allclose((again.mean - shift) / unit, params.mean[order], atol=1e-5)
    np.testing.assert_allclose(correlations(again.cov), correlations(params.cov)[np.ix_(order, order)], atol=SAME)
    np.testing.assert_allclose(again.cuts, params.cuts, atol=SAME)


def test_answers_that_are_turned_around_turn_their_signs():
    rng = np.random.default_rng(7)
    z = rng.multivariate_normal(np.zeros(3), equicorrelated(3, 0.5), 200)
    codes = np.searchsorted([-0.5, 0.6], z[:, 1]).astype(float)
    codes[rng.random(200) < 0.1] = np.nan
    one, params = fit(table(real(z[:, 0]), ordinal(codes), ordinal(z[:, 2] > 0)))
    other, again = fit(table(real(z[:, 0]), ordinal(2 - codes), ordinal(z[:, 2] > 0)))
    sign = np.array([1, -1, 1])
    assert one.loglik == pytest.approx(other.loglik, abs=1e-7)
    np.testing.assert_allclose(again.cov, params.cov * np.outer(sign, sign), atol=SAME)
    np.testing.assert_allclose(again.cuts[:2], -params.cuts[1::-1], atol=SAME)


def test_where_cut_points_start_does_not_matter():
    """Nor on what scale: the latent one is the engine's to choose."""
    rng = np.random.default_rng(8)
    z = rng.multivariate_normal(np.zeros(2), equicorrelated(2, 0.6), 300)
    codes = np.searchsorted([-0.5, 0.6], z[:, 1])
    (one, params), (other, again) = (
        fit(table(real(z[:, 0]), ordinal(codes, cuts))) for cuts in (None, np.array([4.0, 9.0]))
    )
    assert one.loglik == pytest.approx(other.loglik, abs=1e-7)
    params_close(params, again, SAME)


def test_rows_that_say_nothing_do_not_count():
    latent = mixed(9, n=50, with_nominal=False)
    d = latent.lower.shape[1]
    more = Latent(
        np.vstack([latent.lower, np.full((5, d), -INF)]),
        np.vstack([latent.upper, np.full((5, d), INF)]),
        latent.spans,
        latent.cuts,
    )
    one, other = fit(latent)[0], fit(more)[0]
    assert one.loglik == pytest.approx(other.loglik, abs=1e-9)


def test_the_natural_scale_keeps_the_likelihood():
    problem = MVN().bind(mixed(10, with_nominal=False))
    params = problem.start()
    for _ in range(3):
        params = problem.maximize(problem.expect(params)[0])
    natural = problem.natural(params)
    own = problem.cuts.columns
    np.testing.assert_allclose(natural.mean[own], 0)
    np.testing.assert_allclose(np.diag(natural.cov)[own], 1)
    back = type(params)(
        (natural.mean - problem.centre) / problem.scale,
        natural.cov / np.outer(problem.scale, problem.scale),
        natural.cuts,
    )
    assert problem.expect(back)[1] == pytest.approx(problem.expect(params)[1], abs=1e-6)


# Derivatives ---------------------------------------------------------------------------------------------------------


def difference(of, step: float) -> float:
    """Central, of fourth order."""
    return (8 * (of(1) - of(-1)) - (of(2) - of(-2))) / (12 * step)


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
@pytest.mark.parametrize("prior", [None, Ridge(3.0), Shrink(2.0)], ids=["ml", "ridge", "shrink"])
def test_the_charts_gradient_is_the_log_posteriors(options, prior, monkeypatch):
    everything(monkeypatch)
    rng = np.random.default_rng(11)
    weights = rng.integers(0, 3, 40).astype(float)
    problem = MVN().bind(mixed(1, n=40, **options), weights, prior)
    params = problem.maximize(problem.expect(problem.start())[0])
    chart = problem.chart(params)
    at = rng.normal(0, 0.1, len(chart.to_vector(params)))
    at -= chart.held(at)

    def logpost(vector: np.ndarray) -> float:
        there = chart.from_vector(vector)
        return problem.expect(there)[1] + problem.log_prior(there)

    there, step = chart.from_vector(at), 1e-4
    gradient = chart.gradient(there, problem.expect(there)[0])
    np.testing.assert_allclose(chart.held(gradient), 0, atol=1e-12)
    for _ in range(4):
        along = rng.standard_normal(len(at))
        slope = difference(lambda s, a=along: logpost(at + s * step * a), step) / problem.rows  # idle parts do nothing
        assert gradient @ along == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
def test_vectors_lead_back_to_their_parameters(options):
    problem = MVN().bind(mixed(2, n=40, **options))
    params = problem.maximize(problem.expect(problem.start())[0])
    chart = problem.chart(params)
    rng = np.random.default_rng(12)
    there = chart.from_vector(rng.normal(0, 0.2, len(chart.to_vector(params))))
    back = chart.from_vector(chart.to_vector(there))
    for one, other in ((there.mean, back.mean), (there.cov, back.cov), (there.cuts, back.cuts)):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("options", KINDS, ids=NAMES)
def test_the_m_step_raises_the_likelihood(options):
    problem = MVN().bind(mixed(13, n=100, **options), None, Shrink(1.0))
    rng = np.random.default_rng(13)
    for _ in range(3):
        params = problem.start(rng)
        for _ in range(3):
            statistics, before = problem.expect(params)
            moved = problem.maximize(statistics)
            after = problem.expect(moved)[1] + problem.log_prior(moved)
            assert after > before + problem.log_prior(params) - problem.noise(params, before)
            params = moved


# Consistency ---------------------------------------------------------------------------------------------------------


def shares(cuts: list[np.ndarray], rho: float, answers: np.ndarray) -> np.ndarray:
    """Exact probabilities of answers of equicorrelated columns: exact pairs, else one integral over their factor."""
    edges = [np.concatenate([[-INF], own, [INF]]) for own in cuts]
    lower = np.stack([edges[j][answers[:, j]] for j in range(len(cuts))], axis=1)
    upper = np.stack([edges[j][answers[:, j] + 1] for j in range(len(cuts))], axis=1)
    if len(cuts) == 2:
        return np.exp(rectangle(lower, upper, rho)[0])
    x, w = np.polynomial.hermite_e.hermegauss(150)
    load, rest = np.sqrt(rho), np.sqrt(1 - rho)
    inside = ndtr((upper[:, :, None] - load * x) / rest) - ndtr((lower[:, :, None] - load * x) / rest)
    return inside.prod(axis=1) @ w / w.sum()


CONSISTENT = [
    # cut points, correlation, error of the correlations, of the cut points
    ([[0.0], [0.0]], 0.5, 1e-8, 1e-8),
    ([[0.0], [0.0]], 0.7, 1e-8, 1e-8),
    ([[0.3], [-0.8]], 0.7, 1e-8, 1e-8),
    ([[0.3], [-0.8]], 0.9, 1e-8, 1e-8),
    ([[-0.5, 0.5]] * 2, 0.7, 1e-8, 1e-8),
    ([[0.0]] * 3, 0.5, 5e-4, 1e-3),
    ([[0.0]] * 3, 0.7, 1e-3, 1e-3),
    ([[0.4], [-0.2], [1.0]], 0.7, 1e-3, 1e-3),
    ([[0.0]] * 3, 0.9, 5e-3, 1e-3),
    ([[0.0]] * 5, 0.7, 1e-3, 1e-3),
    ([[-0.5], [0.0], [0.3], [0.6], [1.0]], 0.7, 2e-3, 1e-3),
    ([[0.0]] * 5, 0.9, 1e-2, 1e-3),
    ([[-0.5, 0.5]] * 3, 0.7, 1e-3, 5e-4),
    ([[-1.0, 0.0, 0.5, 1.2]] * 3, 0.9, 5e-4, 1e-3),
]


@pytest.mark.parametrize(("cuts", "rho", "of_corr", "of_cuts"), CONSISTENT)
def test_the_maximiser_of_the_expected_likelihood_is_the_truth(cuts, rho, of_corr, of_cuts):
    """Every combination of answers, weighted by its exact probability; plain EP misses by .012 to .048."""
    cuts = [np.array(own) for own in cuts]
    answers = cells([len(own) + 1 for own in cuts])
    latent = table(*(ordinal(answers[:, j], own) for j, own in enumerate(cuts)))
    last, params = fit(latent, 1000 * shares(cuts, rho, answers), tol=1e-8)
    assert last.stop is Stop.CONVERGED
    np.testing.assert_allclose(params.cov, equicorrelated(len(cuts), rho), atol=of_corr)
    np.testing.assert_allclose(params.cuts, np.concatenate(cuts), atol=of_cuts)


def test_cut_points_are_right_where_answers_are_missing_at_random():
    """45 % missing, the more the larger x: observed shares miss by .3 and more, ours by less than .01 in the mean.

    That is measured against what all answers would have said, so that it is the gaps' error and not the sample's.
    """
    n, truth, error, naive = 8000, np.array([-0.8, 0.0, 0.9]), [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        z = rng.multivariate_normal(np.zeros(2), equicorrelated(2, 0.7), n)
        codes = np.searchsorted(truth, z[:, 1]).astype(float)
        everyone = ndtri(np.cumsum(np.bincount(codes.astype(int)))[:-1] / n)
        codes[rng.random(n) < ndtr(-0.2 + 1.5 * z[:, 0])] = np.nan
        assert 0.4 < np.isnan(codes).mean() < 0.5
        column = ordinal(codes)
        last, params = fit(table(real(z[:, 0]), column))
        assert last.stop is Stop.CONVERGED
        error.append(params.cuts - everyone)
        naive.append(column.cuts[0] - everyone)
    assert np.abs(np.mean(naive, axis=0)).min() > 0.3
    assert np.abs(np.mean(error, axis=0)).max() < 0.01


# Direct maximisation -------------------------------------------------------------------------------------------------


def regression(params) -> tuple[np.ndarray, float]:
    """Intercept and slopes of the last column on the others, and its residual sd."""
    mean, cov = params.mean, params.cov
    slope = np.linalg.solve(cov[:-1, :-1], cov[:-1, -1])
    return np.append(mean[-1] - slope @ mean[:-1], slope), float(np.sqrt(cov[-1, -1] - slope @ cov[:-1, -1]))


def interval_regression(x, lower, upper) -> tuple[np.ndarray, float, float]:
    """By direct maximisation of the exact likelihood of y given x, with points, brackets and open ends."""
    design = np.column_stack([np.ones(len(x)), x])
    point = lower == upper

    def minus(theta: np.ndarray) -> float:
        fitted, s = design @ theta[:-1], np.exp(theta[-1])
        a, b = (lower - fitted) / s, (upper - fitted) / s
        flip = a > 0
        a, b = np.where(flip, -b, a), np.where(flip, -a, b)
        mass = np.log(np.where(point, 1.0, ndtr(b) - ndtr(a)))
        return -float(np.where(point, -(a**2) / 2 - np.log(s) - np.log(2 * np.pi) / 2, mass).sum())

    middle = np.where(np.isinf(lower), upper, np.where(np.isinf(upper), lower, (lower + upper) / 2))
    theta = np.append(np.linalg.lstsq(design, middle, rcond=None)[0], np.log(middle.std()))
    for _ in range(4):
        theta = minimize(minus, theta, method="BFGS", options={"gtol": 1e-7}).x
    return theta[:-1], float(np.exp(theta[-1])), -minus(theta)


def of_points(x: np.ndarray) -> float:
    return float(multivariate_normal.logpdf(x, x.mean(axis=0), np.cov(x.T, ddof=0)).sum())


def agrees(x: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
    last, params = fit(table(real(x[:, 0]), real(x[:, 1]), bracket(lower, upper)), tol=1e-7)
    slope, sd = regression(params)
    exact, exact_sd, loglik = interval_regression(x, lower, upper)
    assert last.stop is Stop.CONVERGED
    np.testing.assert_allclose(slope, exact, atol=DIRECT)
    assert sd == pytest.approx(exact_sd, abs=DIRECT)
    assert last.loglik == pytest.approx(loglik + of_points(x), abs=1e-6)


def test_censored_regression_agrees_with_direct_maximisation():
    """Detection limits: 40 % of y are only known to be below one of two limits."""
    rng = np.random.default_rng(20)
    x = rng.standard_normal((300, 2))
    y = 1 + x @ [0.8, -0.5] + rng.standard_normal(300)
    limit = np.where(rng.random(300) < 0.5, 0.5, 1.0)
    below = y < limit
    agrees(x, np.where(below, -INF, y), np.where(below, limit, y))


def test_bracketed_income_agrees_with_direct_maximisation():
    """No y is known exactly; the last bracket is open."""
    rng = np.random.default_rng(21)
    x = rng.standard_normal((400, 2))
    y = 3 + x @ [0.6, 0.4] + 0.8 * rng.standard_normal(400)
    edges = np.array([-INF, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, INF])
    at = np.searchsorted(edges, y)
    agrees(x, edges[at - 1], edges[at])


def test_points_and_brackets_in_one_column_agree_with_direct_maximisation():
    """And rounded ones, on a scale of their own."""
    rng = np.random.default_rng(22)
    x = rng.standard_normal((300, 2))
    y = 3 + x @ [0.6, 0.4] + 0.8 * rng.standard_normal(300)
    how = rng.integers(0, 3, 300)
    lower = np.select([how == 0, how == 1], [y, np.floor(y)], np.floor(10 * y) / 10)
    upper = np.select([how == 0, how == 1], [y, np.floor(y) + 1], np.floor(10 * y) / 10 + 0.1)
    agrees(x, lower, upper)


def test_a_probit_is_a_binary_answer_beside_reals():
    rng = np.random.default_rng(23)
    x = rng.standard_normal((400, 2))
    yes = x @ [0.7, -0.4] + rng.standard_normal(400) > 0.3
    _, params = fit(table(real(x[:, 0]), real(x[:, 1]), ordinal(yes)), tol=1e-7)
    slope, sd = regression(params)
    design = np.column_stack([np.ones(400), x])
    sign = np.where(yes, 1, -1)
    exact = minimize(lambda b: -np.log(ndtr(sign * (design @ b))).sum(), np.zeros(3), options={"gtol": 1e-8}).x
    np.testing.assert_allclose((slope - [params.cuts[0], 0, 0]) / sd, exact, atol=DIRECT)


@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_a_polychoric_correlation_agrees_with_direct_maximisation(rho):
    rng = np.random.default_rng(24)
    z = rng.multivariate_normal(np.zeros(2), equicorrelated(2, rho), 300)
    codes = np.stack([np.searchsorted([-0.5, 0.7], z[:, 0]), np.searchsorted([0.2], z[:, 1])], axis=1)
    last, params = fit(table(ordinal(codes[:, 0]), ordinal(codes[:, 1])), tol=1e-8)
    start = np.concatenate([params.cuts, [np.arctanh(0.5)]])

    def minus(theta: np.ndarray) -> float:
        edges = [np.array([-INF, theta[0], theta[1], INF]), np.array([-INF, theta[2], INF])]
        lower = np.stack([edges[j][codes[:, j]] for j in (0, 1)], axis=1)
        upper = np.stack([edges[j][codes[:, j] + 1] for j in (0, 1)], axis=1)
        return -float(rectangle(lower, upper, np.tanh(theta[3]))[0].sum())

    best = minimize(minus, start, options={"gtol": 1e-6})
    assert last.loglik == pytest.approx(-best.fun, abs=1e-6)
    assert params.cov[0, 1] == pytest.approx(np.tanh(best.x[3]), abs=DIRECT)
    np.testing.assert_allclose(params.cuts, best.x[:3], atol=DIRECT)


# Unordered answers ---------------------------------------------------------------------------------------------------


def unordered(seed: int, n: int, levels: int, *, gaps: float = 0.0):
    """Two reals and a nominal column, from a law with independent utilities."""
    rng = np.random.default_rng(seed)
    k = levels - 1
    across = rng.uniform(-0.5, 0.5, (2, k))
    cov = np.block([[equicorrelated(2, 0.3), across], [across.T, within(levels)]])
    mean = np.concatenate([np.zeros(2), rng.normal(0, 0.4, k)])
    z = rng.multivariate_normal(mean, cov, n)
    answers = np.column_stack([np.zeros(n), z[:, 2:]]).argmax(axis=1).astype(float)
    answers[rng.random(n) < gaps] = np.nan
    return mean, cov, z, answers


@pytest.mark.parametrize(("levels", "bar"), [(3, 0.12), (4, 0.2)])
def test_a_nominal_law_is_recovered(levels, bar):
    mean, cov, z, answers = unordered(30, 4000, levels, gaps=0.1)
    last, params = fit(table(real(z[:, 0]), real(z[:, 1]), nominal(answers, levels)))
    assert last.stop is Stop.CONVERGED
    np.testing.assert_array_equal(params.cov[2:, 2:], within(levels))
    np.testing.assert_allclose(params.mean, mean, atol=bar)
    np.testing.assert_allclose(params.cov, cov, atol=bar)


def test_two_unordered_answers_are_a_binary_one():
    """In the units of a difference of two utilities, whose variance is 2."""
    rng = np.random.default_rng(31)
    z = rng.multivariate_normal(np.zeros(2), equicorrelated(2, 0.6), 500)
    yes = (z[:, 1] > 0.3).astype(float)
    yes[rng.random(500) < 0.2] = np.nan
    one, cut = fit(table(real(z[:, 0]), ordinal(yes)), tol=1e-8)
    other, cone = fit(table(real(z[:, 0]), nominal(yes, 2)), tol=1e-8)
    assert one.loglik == pytest.approx(other.loglik, abs=1e-7)
    assert cone.cov[1, 1] == 2
    assert cone.mean[1] / np.sqrt(2) == pytest.approx(-cut.cuts[0], abs=SAME)
    assert correlations(cone.cov)[0, 1] == pytest.approx(correlations(cut.cov)[0, 1], abs=SAME)


def test_which_answer_comes_first_does_not_matter():
    """Independent utilities stay so whichever of them the others are measured against; EP's cones differ a little."""
    _, _, z, answers = unordered(32, 400, 3)
    logliks, between = [], []
    for turn in range(3):
        last, params = fit(table(real(z[:, 0]), real(z[:, 1]), nominal((answers + turn) % 3, 3)))
        logliks.append(last.loglik)
        between.append(params.cov[0, 1])
    assert np.ptp(logliks) < 0.3
    assert np.ptp(between) < 1e-3


def test_two_nominal_columns_come_to_the_same_rest_by_either_engine():
    """Plain EM too has to reach the maximum in the covariances between two fixed blocks."""
    rng = np.random.default_rng(33)
    shared = rng.standard_normal((400, 1))
    codes = [
        np.column_stack([np.zeros(400), 0.9 * shared * sign + rng.standard_normal((400, 2))]).argmax(axis=1)
        for sign in (1, -1)
    ]
    latent = table(*(nominal(each, 3) for each in codes))
    fast, slow = (fit(latent, engine=engine, max_iter=1000)[0] for engine in ("lbfgs", "em"))
    assert fast.stop is Stop.CONVERGED
    assert slow.stop is Stop.CONVERGED
    assert slow.loglik == pytest.approx(fast.loglik, abs=1e-5)


# What goes wrong -----------------------------------------------------------------------------------------------------


def told(latent, **options):
    """How a run ends, how long it took, and its natural parameters; whatever happens, no NaN and no exception."""
    begin = time.process_time()
    last, params = fit(latent, **options)
    for each in (params.mean, params.cov, params.cuts):
        assert np.isfinite(each).all()
    return last.stop, time.process_time() - begin, params


def test_duplicate_columns_of_answers_are_told():
    rng = np.random.default_rng(40)
    z = rng.standard_normal((200, 2))
    codes = np.searchsorted([-0.5, 0.5], z[:, 0])
    stop, _, _ = told(table(ordinal(codes), ordinal(codes), real(z[:, 1])))
    assert stop is Stop.UNBOUNDED


def test_answers_that_a_real_column_separates_are_told():
    x = np.random.default_rng(41).standard_normal(200)
    stop, _, _ = told(table(real(x), ordinal(x > 0.2)))
    assert stop is Stop.UNBOUNDED


def test_one_row_of_each_pattern():
    rng = np.random.default_rng(42)
    z = rng.standard_normal((32, 5)) @ np.linalg.cholesky(equicorrelated(5, 0.5)).T
    gap = np.array(list(itertools.product([False, True], repeat=5)))
    codes = np.where(gap, np.nan, z > 0)
    stop, _, _ = told(table(*(ordinal(codes[:, j]) for j in range(5))))
    assert stop in (Stop.CONVERGED, Stop.UNBOUNDED, Stop.FLAT)


def test_one_sided_limits_only_have_no_maximum():
    """All that is known of y is that it is above its limits: it may be as large as it likes."""
    rng = np.random.default_rng(43)
    x = rng.standard_normal(100)
    stop, _, _ = told(table(real(x), bracket(rng.standard_normal(100), np.full(100, INF))), max_iter=300)
    assert stop is not Stop.CONVERGED


def test_a_declared_category_that_nobody_chose():
    """Its two cut points come together, which no maximum has; the others are what they are without it."""
    rng = np.random.default_rng(44)
    z = rng.multivariate_normal(np.zeros(2), equicorrelated(2, 0.5), 300)
    codes = np.searchsorted([-0.5, 0.5], z[:, 1])
    other = fit(table(real(z[:, 0]), ordinal(codes)))[1]
    codes[codes == 2] = 3
    _, _, params = told(table(real(z[:, 0]), ordinal(codes, np.array([-0.5, 0.5, 0.6]))), max_iter=400)
    assert correlations(params.cov)[0, 1] == pytest.approx(correlations(other.cov)[0, 1], abs=1e-3)
    assert params.cuts[0] == pytest.approx(other.cuts[0], abs=1e-3)
    assert params.cuts[1] < params.cuts[2] < params.cuts[1] + 1e-2


def test_a_closing_check_at_the_edge_of_the_cut_points_ends_the_run():
    """Two cut points that have come together leave no room for a difference along a step: no error, but a stop."""
    rng = np.random.default_rng(44)
    z = rng.multivariate_normal(np.zeros(2), equicorrelated(2, 0.5), 300)
    codes = np.searchsorted([-0.5, 0.5], z[:, 1])
    codes[codes == 2] = 3
    last, _ = fit(table(real(z[:, 0]), ordinal(codes, np.array([-0.5, 0.5, 0.6]))), max_iter=1000)
    assert last.stop is not None
