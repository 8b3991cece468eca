"""Cut points: found at the cells they bound, moved in order, and summed over by cell."""

from __future__ import annotations

import numpy as np
import pytest
from intervals import INF, ordinal, real, table
from scipy.special import ndtr

from emimpute.models.cuts import Cuts, tridiagonal

CODES = np.array([0, 1, 2, 2, 1, np.nan, 0])
NUMBERS = np.arange(7.0)


def found() -> tuple[Cuts, np.ndarray, np.ndarray]:
    latent = table(ordinal(CODES, np.array([-0.5, 0.8])), real(NUMBERS), ordinal(CODES > 0, np.array([-0.5])))
    return Cuts.find(latent.lower, latent.upper, latent.cuts), latent.lower, latent.upper


def test_each_bound_that_is_a_cut_point_is_found():
    cuts, lower, upper = found()
    assert cuts.start.tolist() == [-0.5, 0.8, -0.5]
    assert cuts.column.tolist() == [0, 0, 2]
    assert cuts.columns.tolist() == [0, 2]
    assert cuts.low[:, 0].tolist() == [-1, 0, 1, 1, 0, -1, -1]
    assert cuts.high[:, 0].tolist() == [0, 1, -1, -1, 1, -1, 0]
    assert (cuts.low[:, 1] == -1).all()
    assert (cuts.high[:, 1] == -1).all()
    assert cuts.high[:, 2].tolist() == [2, -1, -1, -1, -1, 2, 2]
    np.testing.assert_array_equal(cuts.bounds(cuts.start, lower, upper), (lower, upper))


def test_bounds_move_with_their_cut_point_and_no_other_does():
    cuts, lower, upper = found()
    low, high = cuts.bounds(np.array([-0.7, 1.0, 0.1]), lower, upper)
    assert low[:, 0].tolist() == [-INF, -0.7, 1.0, 1.0, -0.7, -INF, -INF]
    assert high[:, 2].tolist() == [0.1, INF, INF, INF, INF, 0.1, 0.1]
    np.testing.assert_array_equal(low[:, 1], NUMBERS)


def test_brackets_have_numbers_that_stay():
    latent = table(ordinal(np.array([0, 1]), np.array([0.0])))
    cuts = Cuts.find(latent.lower, latent.upper, (np.zeros(0),))
    assert len(cuts.start) == 0
    assert cuts.bounds(np.zeros(0), latent.lower, latent.upper) == (latent.lower, latent.upper)


def test_sums_go_to_the_cut_point_they_belong_to():
    cuts, *_ = found()
    rows, inside = np.array([1, 0, 5]), np.array([[0, 2], [0, 2], [2, 3]])  # the last is padding
    at_low, at_high = np.arange(6.0).reshape(3, 2), 10.0 * np.arange(6).reshape(3, 2)
    total = cuts.gather(rows, inside, at_low, at_high)
    assert total.tolist() == [0 + 20, 0, 1 + 30 + 40]
    spread = cuts.spread(rows, inside, at_low, at_high)
    np.testing.assert_array_equal(spread.sum(axis=0), total)
    assert spread[0].tolist() == [0, 0, 1]
    assert cuts.beside(rows, inside, at_low).tolist() == [0, 0, 0]
    assert cuts.beside(np.array([1, 4]), np.array([[0], [0]]), np.array([[2.0], [3.0]])).tolist() == [5, 0, 0]


def test_a_step_keeps_the_order():
    cuts, *_ = found()
    at = np.array([-0.5, 0.8, -0.5])
    curve = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert cuts.step(at, np.array([0.2, 0.4, 8.0]), curve).tolist() == pytest.approx([-0.4, 1.0, 3.5])
    moved = cuts.step(at, np.array([40.0, -40.0, 0.0]), curve)
    assert cuts.ordered(moved)
    assert (moved != at).any()
    assert not cuts.ordered(np.array([0.5, 0.5, 0.0]))
    assert cuts.ordered(np.array([0.5, 0.6, 0.0]))  # the next column may begin lower


def test_the_metric_is_the_expected_information():
    """Of answers in order whose law is known: against differences of the expected log-likelihood."""
    cuts, *_ = found()
    at, mean, sd = np.array([-0.5, 0.8, -0.2]), np.array([0.1, 0.0, 0.3]), np.array([1.0, 1.0, 1.5])
    counts = np.array([6.0, 6.0, 7.0])

    def shares(x: np.ndarray, column: int) -> np.ndarray:
        own = x[cuts.column == column]
        return np.diff(ndtr((np.concatenate([[-INF], own, [INF]]) - mean[column]) / sd[column]))

    def expected(x: np.ndarray) -> float:
        return sum(n * shares(at, column) @ np.log(shares(x, column)) for column, n in ((0, 6.0), (2, 7.0)))

    step, found_ = 1e-4, np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            e, f = np.eye(3)[i] * step, np.eye(3)[j] * step
            found_[i, j] = -(expected(at + e + f) - expected(at + e - f) - expected(at - e + f) + expected(at - e - f))
    np.testing.assert_allclose(cuts.metric(at, mean, sd, counts), found_ / (4 * step**2), atol=1e-4)


def test_a_cut_point_beyond_all_cells_has_a_metric_too():
    cuts, *_ = found()
    metric = cuts.metric(np.array([-60.0, 0.8, 60.0]), np.zeros(3), np.ones(3), np.full(3, 6.0))
    assert (np.linalg.eigvalsh(metric) > 0).all()


def test_tridiagonal():
    assert tridiagonal(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]])).tolist() == [[1, 4, 0], [4, 2, 5], [0, 5, 3]]
