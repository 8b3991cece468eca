"""Holes beside intervals: their moments against quasi-Monte Carlo and rejection, their draws, independence of rows."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from intervals import INF, bracket, equicorrelated, mixed, nominal, real, table

from emimpute.latent import Latent
from emimpute.models.complete import complete
from emimpute.models.fill import fill

SAME = 1e-10  # of a conditional sd: rows together and apart


def law(seed: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((d, d + 2))
    factor /= np.linalg.norm(factor, axis=1, keepdims=True)
    return rng.normal(0, 0.3, d), factor @ factor.T


def one(*cells: tuple[float, float]) -> Latent:
    lower, upper = (np.array([side]) for side in zip(*cells, strict=True))
    return Latent(lower, upper, tuple(slice(j, j + 1) for j in range(len(cells))), (np.zeros(0),) * len(cells))


def conditional(mean, cov, given, values):
    """Mean and covariance of the others, given some values."""
    rest = np.setdiff1d(np.arange(len(mean)), given)
    gain = np.linalg.solve(cov[np.ix_(given, given)], cov[np.ix_(given, rest)]).T
    return mean[rest] + gain @ (values - mean[given]), cov[np.ix_(rest, rest)] - gain @ cov[np.ix_(given, rest)]


@pytest.mark.parametrize("boxes", [1, 2, 3])
def test_a_hole_has_its_conditional_law(boxes):
    """A point, some intervals, a hole; the hole's moments follow the box's, which quasi-Monte Carlo gives."""
    d = boxes + 2
    mean, cov = law(boxes, d)
    sides = [(0.2, INF), (-0.5, 0.4), (-INF, -0.1)][:boxes]
    latent = one((0.7, 0.7), *sides, (-INF, INF))
    m, v = conditional(mean, cov, [0], np.array([0.7]))
    lower, upper = (np.append(side, edge) for side, edge in zip(np.array(sides).T, (-INF, INF), strict=True))
    # the hole last and unbounded: one more coordinate of the box
    truth = oracles.box(lower, upper, m, v, log2_points=13)
    filled, spread = fill(mean, cov, latent, variance=True)
    sd = np.sqrt(truth.cov.value[-1, -1])
    bar = 2e-5 if boxes < 3 else 2e-3
    assert abs(filled[0, -1] - truth.mean.value[-1]) < truth.mean.bound[-1] + bar * sd
    assert abs(spread[-1][0, 0, 0] - truth.cov.value[-1, -1]) < truth.cov.bound[-1, -1] + 2 * bar * sd**2
    assert filled[0, 0] == 0.7
    assert spread[0][0, 0, 0] == 0


def test_holes_beside_a_nominal_answer():
    mean, cov = np.array([0.3, 0.2, -0.4]), np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 1.0], [-0.3, 1.0, 2.0]])
    for answer in range(3):
        latent = table(real(np.array([np.nan])), nominal(np.array([answer]), 3))
        filled, spread = fill(mean, cov, latent, variance=True)
        truth = oracles.cone(answer, mean[1:], cov[1:, 1:], log2_points=13)
        gain = np.linalg.solve(cov[1:, 1:], cov[1:, 0])
        assert filled[0, 0] == pytest.approx(mean[0] + gain @ (truth.mean.value - mean[1:]), abs=1e-4)
        left = cov[0, 0] - gain @ (cov[1:, 1:] - truth.cov.value) @ gain
        assert spread[0][0, 0, 0] == pytest.approx(left, abs=1e-4)


def test_a_missing_nominal_answer_is_left_a_law_of_utilities():
    mean, cov = np.array([0.3, 0.2, -0.4]), np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 1.0], [-0.3, 1.0, 2.0]])
    filled, spread = fill(mean, cov, table(bracket([0.5], [1.0]), nominal(np.array([np.nan]), 3)), variance=True)
    truth = oracles.box([0.5, -INF, -INF], [1.0, INF, INF], mean, cov, log2_points=13)
    assert (np.abs(filled[0, 1:] - truth.mean.value[1:]) < truth.mean.bound[1:] + 1e-7).all()
    assert (np.abs(spread[1][0] - truth.cov.value[1:, 1:]) < truth.cov.bound[1:, 1:] + 1e-7).all()


def test_without_intervals_it_is_the_plain_completion():
    mean, cov = law(5, 4)
    x = np.random.default_rng(5).normal(0, 1, (50, 4))
    x[np.random.default_rng(6).random((50, 4)) < 0.3] = np.nan
    latent = Latent(x, x, tuple(slice(j, j + 1) for j in range(4)))
    for mine, plain in zip(
        fill(mean, cov, latent, variance=True), complete(mean, cov, latent, variance=True), strict=True
    ):
        np.testing.assert_allclose(np.stack([*mine]), np.stack([*plain]), atol=1e-12)


def parameters(latent: Latent, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    mean, cov = law(seed, latent.lower.shape[1])
    return mean, cov


@pytest.mark.parametrize("with_nominal", [False, True])
def test_a_rows_completion_does_not_depend_on_the_others(with_nominal):
    latent = mixed(1, n=200, gaps=0.3, with_nominal=with_nominal)
    mean, cov = parameters(latent)
    filled, spread = fill(mean, cov, latent, variance=True)
    rng = np.random.default_rng(2)
    for rows in (rng.permutation(200), np.arange(50), *(np.array([r]) for r in range(0, 200, 20))):
        some, left = fill(mean, cov, latent.take(rows), variance=True)
        np.testing.assert_allclose(some, filled[rows], atol=SAME)
        for mine, all_ in zip(left, spread, strict=True):
            np.testing.assert_allclose(mine, all_[rows], atol=SAME)


def test_draws_have_the_law_of_the_hole():
    """Against rejection: 20 000 rows that are all the same."""
    n, d = 20_000, 4
    mean, cov = law(7, d)
    rng = np.random.default_rng(7)
    lower, upper = np.array([-0.2, 0.1, -INF, -INF]), np.array([0.9, INF, 0.3, INF])
    z = rng.multivariate_normal(mean, cov, 400_000)
    z = z[((z > lower) & (z < upper)).all(axis=1)]
    latent = Latent(
        np.tile(lower, (n, 1)), np.tile(upper, (n, 1)), tuple(slice(j, j + 1) for j in range(d)), (np.zeros(0),) * d
    )
    drawn, _ = fill(mean, cov, latent, rng=np.random.default_rng(8))
    hole, truth = drawn[:, -1], z[:, -1]
    error = truth.std() * np.sqrt(1 / n + 1 / len(truth))
    assert abs(hole.mean() - truth.mean()) < 4 * error
    assert hole.std() == pytest.approx(truth.std(), abs=4 * error)
    for share in (0.05, 0.25, 0.75, 0.95):
        assert (hole < np.quantile(truth, share)).mean() == pytest.approx(
            share, abs=4 * np.sqrt(1 / n + 1 / len(truth))
        )


def test_two_holes_are_drawn_together():
    n, cov = 20_000, equicorrelated(3, 0.8)
    lower, upper = np.tile([0.5, -INF, -INF], (n, 1)), np.tile([1.0, INF, INF], (n, 1))
    latent = Latent(lower, upper, tuple(slice(j, j + 1) for j in range(3)), (np.zeros(0),) * 3)
    drawn, _ = fill(np.zeros(3), cov, latent, rng=np.random.default_rng(9))
    expected, spread = fill(np.zeros(3), cov, latent.take(np.arange(1)), variance=True)
    truth = oracles.box([0.5, -INF, -INF], [1.0, INF, INF], np.zeros(3), cov, log2_points=13).cov
    truth, bound = truth.value, truth.bound
    assert drawn[:, 1:].mean(axis=0) == pytest.approx(expected[0, 1:], abs=4 * np.sqrt(truth[1, 1] / n))
    np.testing.assert_allclose(np.cov(drawn[:, 1:].T), truth[1:, 1:], atol=4 * np.sqrt(2 / n) * truth[1, 1])
    assert spread[1][0, 0, 0] == pytest.approx(truth[1, 1], abs=bound[1, 1] + 1e-7)


def test_only_holes_are_drawn():
    """Points stay to the bit, and are all that a table without holes has to say."""
    latent = mixed(3, n=100, gaps=0.3, with_nominal=False)
    mean, cov = parameters(latent)
    drawn, _ = fill(mean, cov, latent, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[latent.observed], latent.lower[latent.observed])
    assert np.isfinite(drawn).all()


def test_draws_do_not_depend_on_how_rows_are_worked_on(monkeypatch):
    """By place in the table: chunks of another size give the same to rounding, another generator gives others."""
    from emimpute.models import boxes  # noqa: PLC0415

    latent = mixed(4, n=200, gaps=0.3)
    mean, cov = parameters(latent)
    one_way = fill(mean, cov, latent, rng=np.random.default_rng(1))[0]
    monkeypatch.setattr(boxes, "_ROWS", 32)
    np.testing.assert_allclose(fill(mean, cov, latent, rng=np.random.default_rng(1))[0], one_way, atol=1e-7)
    assert (fill(mean, cov, latent, rng=np.random.default_rng(2))[0] != one_way).any()


def test_units_are_the_columns_own():
    latent = mixed(5, n=60, gaps=0.3, with_nominal=False)
    mean, cov = parameters(latent)
    unit, shift = np.array([1e3, 1e-3, 1.0, 1.0]), np.array([1e5, -3.0, 0.0, 0.0])
    moved = Latent(latent.lower * unit + shift, latent.upper * unit + shift, latent.spans, latent.cuts)
    plain = fill(mean, cov, latent)[0]
    other = fill(mean * unit + shift, cov * np.outer(unit, unit), moved)[0]
    holes = ~latent.known
    np.testing.assert_allclose(((other - shift) / unit)[holes], plain[holes], atol=1e-7)
