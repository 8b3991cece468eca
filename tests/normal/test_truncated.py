"""Moments of truncated normals: against 80-digit arithmetic, by symmetry, and whatever Hypothesis thinks of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_ndtr, ndtr

from emimpute.normal.truncated import draw, truncated

TABLE = np.genfromtxt(
    Path(__file__).parents[1] / "reference" / "expected" / "truncated.csv", delimiter=",", names=True
)  # made by reference/truncated.py
LOG_Z, MEAN, VARIANCE = 2e-15, 2e-15, 2e-12  # relative beyond one, relative beyond one, relative
ROUNDING = 1e-13

BOUND = st.floats(-1e4, 1e4) | st.floats(-8, 8) | st.sampled_from([-np.inf, np.inf, 0.0])


@st.composite
def intervals(draw_):
    """A lower bound and an upper one above it."""
    lower = draw_(BOUND.filter(lambda x: x < np.inf))
    upper = draw_(BOUND | st.floats(1e-9, 3).map(lambda width: lower + width))
    return min(lower, upper), max(lower, upper) if upper != lower else np.inf


@pytest.fixture(scope="module")
def found():
    return truncated(TABLE["lower"], TABLE["upper"])


def test_log_probabilities(found):
    error = np.abs(found[0] - TABLE["log_z"]) / np.maximum(1, np.abs(TABLE["log_z"]))
    assert error.max() < LOG_Z


def test_means(found):
    error = np.abs(found[1] - TABLE["mean"]) / np.maximum(1, np.abs(TABLE["mean"]))
    assert error.max() < MEAN


def test_variances(found):
    error = np.abs(found[2] - TABLE["variance"]) / TABLE["variance"]
    assert error.max() < VARIANCE


def test_a_mean_far_out_knows_its_place_in_the_interval(found):
    """The distance from the bound, to the precision with which the bound itself can be written."""
    near = np.where(np.isfinite(TABLE["lower"]), TABLE["lower"], TABLE["upper"])
    finite = np.isfinite(near)
    mean, near, offset = found[1][finite], near[finite], TABLE["offset"][finite]
    assert (np.abs(mean - near - offset) <= 2 * np.spacing(np.abs(mean)) + MEAN * np.abs(offset)).all()


@pytest.mark.parametrize("edge", [6.0, 2.0, 0.0])
def test_no_seam_between_the_methods(edge):
    """On either side of a border two formulas meet: the moments go on as they went."""
    a = np.linspace(edge - 1e-3, edge + 1e-3, 201)
    for upper in (np.inf, a + 2 / np.maximum(a, 1), a + 1.5):
        for moment in truncated(a, upper):
            bend = np.diff(moment, 2)
            assert np.abs(bend - np.median(bend)).max() < 1e-11


@given(intervals())
def test_symmetry(bounds):
    """Reflected at zero: same probability and variance, the mean with the other sign; to the last bit."""
    lower, upper = bounds
    log_z, mean, variance = truncated(lower, upper)
    mirrored = truncated(-upper, -lower)
    if lower != -upper:
        assert (log_z, mean, variance) == (mirrored[0], -mirrored[1], mirrored[2])
    else:
        assert abs(mean) < ROUNDING


@given(intervals())
def test_the_moments_are_possible(bounds):
    """The mean is inside the bounds, the variance in (0, 1] and no larger than that of the flattest law there."""
    lower, upper = bounds
    log_z, mean, variance = truncated(lower, upper)
    assert lower <= mean <= upper
    assert 0 < variance <= 1
    assert variance <= max((upper - lower) ** 2 / 12 * (1 + 1e-12), np.finfo(float).tiny)
    assert log_z <= 0


@given(intervals(), st.floats(0.01, 0.99))
def test_halves_add(bounds, share):
    """Cut in two: the probabilities add, and so do the probabilities times the means."""
    lower, upper = bounds
    cut = draw(lower, upper, share)
    if not lower < cut < upper:
        return  # too narrow to hold a number in between
    whole, left, right = truncated(lower, upper), truncated(lower, cut), truncated(cut, upper)
    scale = 1e-11 * max(1.0, abs(float(whole[0])))  # of a log probability of −5e7 only so much is left
    weights = np.exp([left[0] - whole[0], right[0] - whole[0]])
    assert weights.sum() == pytest.approx(1, abs=scale)
    assert weights @ [left[1], right[1]] == pytest.approx(whole[1], abs=scale * max(1.0, abs(float(whole[1]))))


@given(intervals(), st.floats(0, 5))
def test_moving_up_moves_the_mean_up(bounds, by):
    """The mean grows with either bound."""
    lower, upper = bounds
    mean = truncated(lower, upper)[1]
    rounding = ROUNDING * max(1.0, abs(float(mean)))
    assert truncated(lower, upper + by)[1] >= mean - rounding
    if lower + by < upper:
        assert truncated(lower + by, upper)[1] >= mean - rounding


def test_a_derivative():
    """By its bounds: d log Z / d lower = −φ(lower)/Z, and the mean is the difference of the two derivatives."""
    a, b = np.array([-2.0, -0.3, 1.0, 5.5, 7.0]), np.array([-1.0, 2.5, 1.2, np.inf, 7.9])
    h = 1e-5
    by_lower = (truncated(a + h, b)[0] - truncated(a - h, b)[0]) / (2 * h)
    by_upper = (truncated(a, b + h)[0] - truncated(a, b - h)[0]) / (2 * h)
    np.testing.assert_allclose(-by_lower - by_upper, truncated(a, b)[1], rtol=1e-7)


def test_no_bounds_and_one_bound():
    assert tuple(map(float, truncated(-np.inf, np.inf))) == (0.0, 0.0, 1.0)
    x = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(truncated(-np.inf, x)[0], log_ndtr(x), rtol=1e-12, atol=1e-300 + LOG_Z)


def test_nothing_left_of_an_interval():
    """Bounds that rounding made equal: the bound, with no warning; as far out as floats go."""
    log_z, mean, variance = truncated([1.0, 1e5, -3.0], [1.0, 1e5, -3.0])
    np.testing.assert_array_equal(log_z, -np.inf)
    np.testing.assert_array_equal(mean, [1.0, 1e5, -3.0])
    assert (variance > 0).all()
    far = truncated([1e100, -1e200], [np.inf, -1e199])
    np.testing.assert_allclose(far[1], [1e100, -1e199])
    assert (far[2] > 0).all()


def test_what_is_unknown_stays_unknown():
    for moment in truncated([np.nan, 0.0, np.nan, 0.0, np.inf], [1.0, np.nan, np.nan, np.inf, np.inf]):
        np.testing.assert_array_equal(np.isnan(moment), [True, True, True, False, True])


@pytest.mark.parametrize("function", [truncated, lambda lower, upper: draw(lower, upper, 0.5)])
def test_bounds_in_the_wrong_order(function):
    with pytest.raises(ValueError, match=r"lower bound is above its upper bound: 3\.0 > 2\.5"):
        function([0.0, 3.0], [1.0, 2.5])


def test_shapes_and_blocks():
    """Any shapes that broadcast, the caller's arrays untouched, an interval's numbers independent of its company."""
    rng = np.random.default_rng(0)
    lower, width = rng.normal(size=(3000, 1)) * 3, rng.exponential(size=(1, 5))
    upper = lower + width
    lower.flags.writeable = upper.flags.writeable = False
    together = truncated(lower, upper)
    for moment in together:
        assert moment.shape == (3000, 5)
    for i, j in ((0, 0), (1234, 2), (2999, 4)):
        alone = truncated(lower[i, 0], upper[i, j])
        assert all(moment.shape == () for moment in alone)
        np.testing.assert_allclose([moment[i, j] for moment in together], alone, rtol=1e-13)
    assert [moment.shape for moment in truncated(np.empty((0, 2)), 1.0)] == [(0, 2)] * 3


UNIFORMS = (np.arange(20_000) + 0.5) / 20_000


@pytest.mark.parametrize(
    ("lower", "upper"),
    [(0, 1), (-1, 0.5), (-4, -2), (5, 5.2), (-2, 0.1), (20, 20.1), (38, 38.02), (1e3, 1e3 + 1e-8), (6, 6 + 1e-8)],
)
def test_draws_have_the_moments(lower, upper):
    """Over a grid of uniforms, whose midpoint rule errs by less than 1e-8 where the density is bounded."""
    z = draw(lower, upper, UNIFORMS)
    _, mean, variance = truncated(lower, upper)
    written = np.spacing(max(abs(lower), abs(upper)))
    assert z.mean() == pytest.approx(mean, abs=1e-6 * np.sqrt(variance) + written)
    assert z.var() == pytest.approx(variance, rel=1e-6)
    assert lower <= z.min() <= z.max() <= upper


@given(intervals(), st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=5))
def test_draws_lie_inside_in_the_order_of_the_uniforms(bounds, uniforms):
    z = draw(*bounds, np.sort(uniforms))
    assert np.isfinite(z).all()
    assert ((bounds[0] <= z) & (z <= bounds[1])).all()
    assert (np.diff(z) >= -4 * np.spacing(np.abs(z[1:]))).all()


@given(intervals(), st.floats(0.001, 0.999))
def test_a_draw_has_its_share_below(bounds, uniform):
    """P(z < draw) is the uniform, to the digits that Φ has left in a narrow interval: 1e-10 at worst."""
    lower, upper = bounds
    z = draw(lower, upper, uniform)
    if not lower < z < upper or upper - lower < 1e6 * np.spacing(abs(float(z))):
        return  # too narrow for a number in between, or for one that is exact enough
    below = truncated(lower, z)[0] - truncated(lower, upper)[0]
    scale = max(1.0, abs(float(truncated(lower, upper)[0])))
    written = np.spacing(abs(float(z))) * (1 + abs(float(z))) + np.spacing(abs(float(z))) / (upper - lower)
    assert np.exp(below) == pytest.approx(
        uniform, abs=1e-12 * scale + 4 * written + min(1e-10, 1e-15 / (upper - lower))
    )


def test_without_bounds_a_draw_is_the_quantile():
    u = np.linspace(0.001, 0.999, 99)
    np.testing.assert_allclose(ndtr(draw(-np.inf, np.inf, u)), u, rtol=1e-13)
    assert np.isfinite(draw([-np.inf, 30.0], np.inf, [[0.0], [1 - 2.0**-53]])).all()
    assert np.isnan(draw([np.nan, -1.0, 2.0], [1.0, np.nan, 3.0], [0.5, 0.5, np.nan])).all()
