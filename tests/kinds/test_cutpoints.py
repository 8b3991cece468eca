"""A coordinate cut into steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from emimpute.kinds import cutpoints

CUTS = np.array([-1.0, 0.25, 2.0])


def test_cut_points_start_at_the_observed_shares():
    counts = np.array([10, 1, 5, 84])
    np.testing.assert_allclose(ndtr(cutpoints.start(counts)), np.cumsum(counts)[:-1] / 100, rtol=1e-14)


def test_shares_of_one_in_a_billion_keep_their_digits():
    low, high = cutpoints.start(np.array([1, 10**12, 1]))
    assert low == -high == pytest.approx(norm.ppf(1 / (10**12 + 2)), rel=1e-13)


def test_cells_are_bounded_by_the_very_cut_points():
    cells = cutpoints.cells(np.array([0, 3, -1, 1]), CUTS)
    np.testing.assert_array_equal(cells.lower[:, 0], [-np.inf, 2, -np.inf, -1])
    np.testing.assert_array_equal(cells.upper[:, 0], [-1, np.inf, np.inf, 0.25])


def test_a_cut_point_belongs_to_the_level_below():
    z = [-np.inf, -1.0, np.nextafter(-1, 0), 0.25, 2.0, np.nextafter(2, 3), np.inf]
    assert cutpoints.level_at(z, CUTS).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_probabilities_add_up_to_one_everywhere():
    rng = np.random.default_rng(0)
    mean, sd = rng.normal(size=1000) * 10, rng.exponential(size=1000) ** 4
    shares = cutpoints.probabilities(CUTS, mean, sd)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=0, atol=1e-14)


@pytest.mark.parametrize("side", [-1, 1])
def test_tails_do_not_cancel(side):
    cuts = np.sort(side * np.array([9.0, 10.0]))
    middle = cutpoints.probabilities(cuts, np.zeros(1), np.ones(1))[0, 1]
    assert middle == pytest.approx(norm.sf(9) - norm.sf(10), rel=1e-12)
    assert cutpoints.probabilities(cuts, np.zeros(1), np.ones(1))[0, 1 + side] == pytest.approx(norm.sf(10), rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_without_a_spread_all_is_certain():
    shares = cutpoints.probabilities(CUTS, np.array([-5.0, 0.0, 1e300]), np.zeros(3))
    assert shares.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def test_moments_of_scores():
    mean, sd = cutpoints.moments(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0.0, 4.0]))
    assert (mean.tolist(), sd.tolist()) == ([2, 0], [2, 0])
