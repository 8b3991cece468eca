"""The E-step of rows with points, intervals and holes, against scipy, quasi-Monte Carlo and the plain E-step."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from intervals import INF, frames, mixed, nominal, real, table, within
from scipy.stats import multivariate_normal
from tables import textbook

from emimpute.latent import Latent
from emimpute.models import boxes
from emimpute.models.boxes import BoxRows, given


def law(seed: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((d, d + 3))
    return rng.normal(0, 0.5, d), factor @ factor.T / (d + 3) + 0.1 * np.eye(d)


def sort(latent: Latent) -> tuple[BoxRows, np.ndarray, np.ndarray]:
    known = latent.known
    lower, upper = np.where(known, latent.lower, -INF), np.where(known, latent.upper, INF)
    return BoxRows.sort(lower, latent.observed, known, latent.cones), lower, upper


def rowwise(latent: Latent, mean, cov, **options):
    """Expectations (n, d), covariances (n, d, d) and log-likelihoods (n,), the points' 2π included."""
    plan, lower, upper = sort(latent)
    n, d = latent.lower.shape
    z, spread, loglik = np.full((n, d), np.nan), np.zeros((n, d + 1, d + 1)), np.full(n, np.nan)
    for g in given(plan, lower, upper, mean, cov, **options):
        rows = g.piece.rows
        z[rows], loglik[rows] = g.deviations + mean, g.loglik
        spread[rows[:, None, None], g.piece.free[:, :, None], g.piece.free[:, None, :]] = g.cov
    return z, spread[:, :d, :d], loglik - latent.observed.sum(axis=1) * np.log(2 * np.pi) / 2


def test_points_and_holes_are_the_textbooks():
    mean, cov = law(0, 4)
    x = np.random.default_rng(0).standard_normal((40, 4))
    x[np.random.default_rng(1).random((40, 4)) < 0.3] = np.nan
    latent = Latent(
        np.where(np.isnan(x), -INF, x), np.where(np.isnan(x), INF, x), tuple(slice(j, j + 1) for j in range(4))
    )
    z, spread, loglik = rowwise(latent, mean, cov)
    truth = textbook(x, np.ones(40), mean, cov)
    np.testing.assert_allclose(z.sum(axis=0), truth.first, atol=1e-10)
    second = (z - mean).T @ (z - mean) + spread.sum(axis=0)
    np.testing.assert_allclose(second, truth.second, atol=1e-10)
    assert loglik.sum() == pytest.approx(truth.loglik, abs=1e-10)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_row_of_points_intervals_and_holes(count):
    """Log-likelihood as density of the points times the box's probability given them; moments of all of it."""
    d = count + 3
    mean, cov = law(count, d)
    sides = [(-0.3, 0.5), (0.1, INF), (-INF, 0.2)][:count]
    lower = np.array([[0.4, *(a for a, _ in sides), -0.2, -INF]])
    upper = np.array([[0.4, *(b for _, b in sides), -0.2, INF]])
    latent = Latent(lower, upper, tuple(slice(j, j + 1) for j in range(d)), (np.zeros(0),) * d)
    z, spread, loglik = rowwise(latent, mean, cov)
    point, rest = [0, d - 2], [*range(1, d - 2), d - 1]
    gain = np.linalg.solve(cov[np.ix_(point, point)], cov[np.ix_(point, rest)]).T
    m, v = (
        mean[rest] + gain @ (lower[0, point] - mean[point]),
        cov[np.ix_(rest, rest)] - gain @ cov[np.ix_(point, rest)],
    )
    truth = oracles.box(lower[0, rest], upper[0, rest], m, v, log2_points=13)
    exact = multivariate_normal.logpdf(lower[0, point], mean[point], cov[np.ix_(point, point)])
    bar = 1e-7 if count < 3 else 1e-3
    assert abs(loglik[0] - exact - truth.log_p.value) < truth.log_p.bound + bar
    assert (np.abs(z[0, rest] - truth.mean.value) < truth.mean.bound + 5 * bar).all()
    assert (np.abs(spread[0][np.ix_(rest, rest)] - truth.cov.value) < truth.cov.bound + 5 * bar).all()
    np.testing.assert_allclose(z[0, point], lower[0, point], rtol=1e-14)
    assert (spread[0][point] == 0).all()


@pytest.mark.parametrize(("levels", "bar"), [(3, 1e-6), (4, 2e-4), (5, 4e-4), (6, 6e-4)])
def test_cones_are_close_to_quasi_monte_carlo(levels, bar):
    """Of independent utilities with unequal means; the probabilities of all answers sum to nearly one."""
    k = levels - 1
    mean, cov = np.random.default_rng(levels).normal(0, 0.5, k), within(levels)
    latent = table(nominal(np.arange(levels), levels))
    z, _, loglik = rowwise(latent, mean, cov)
    for answer in range(levels):
        truth = oracles.cone(answer, mean, cov, log2_points=12)
        assert abs(loglik[answer] - truth.log_p.value) < bar + truth.log_p.bound
        np.testing.assert_allclose(z[answer], truth.mean.value, atol=10 * bar + 1e-4)
    assert abs(np.exp(loglik).sum() - 1) < bar


def test_frames_say_who_is_chosen():
    rng = np.random.default_rng(2)
    z = rng.standard_normal((100, 3))
    chosen = np.column_stack([np.zeros(100), z]).argmax(axis=1)
    for row, answer in zip(z, chosen, strict=True):
        for other in range(4):
            assert (frames(4)[other] @ row > 0).all() == (other == answer)


@pytest.mark.parametrize("options", [{"with_nominal": False}, {}], ids=["ordered", "nominal"])
def test_how_rows_are_chunked_does_not_matter(options, monkeypatch):
    latent = mixed(1, n=150, gaps=0.3, **options)
    mean, cov = law(3, latent.lower.shape[1])
    one = rowwise(latent, mean, cov)
    monkeypatch.setattr(boxes, "_NUMBERS", 1)  # the fewest rows there may be
    for mine, other in zip(one, rowwise(latent, mean, cov), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-9)


def test_a_second_call_begins_where_the_first_ended():
    """Sites are kept for the next parameters; what they are does not change what is found."""
    latent = mixed(2, n=80)
    mean, cov = law(4, latent.lower.shape[1])
    plan, lower, upper = sort(latent)
    first = [g.loglik.copy() for g in given(plan, lower, upper, mean, cov)]
    list(given(plan, lower, upper, mean + 0.3, 1.5 * cov))
    for one, two in zip(first, given(plan, lower, upper, mean, cov), strict=True):
        np.testing.assert_allclose(one, two.loglik, atol=1e-8)


def test_a_covariance_that_is_none_is_refused():
    latent = mixed(3, n=20, with_nominal=False)
    plan, lower, upper = sort(latent)
    with pytest.raises(np.linalg.LinAlgError):
        list(given(plan, lower, upper, np.zeros(4), np.ones((4, 4)) - 0.5 * np.eye(4)))


def test_a_table_of_one_real_column_is_a_table():
    z, spread, loglik = rowwise(table(real(np.array([0.5, np.nan]))), np.zeros(1), np.eye(1))
    assert z[:, 0].tolist() == [0.5, 0.0]
    assert spread[:, 0, 0].tolist() == [0.0, 1.0]
    assert loglik[1] == 0
