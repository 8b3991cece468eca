"""Rectangles of bivariate normals: against 50-digit arithmetic, closed forms, symmetry, and what Hypothesis finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from emimpute.normal.bivariate import rectangle, slope
from emimpute.normal.truncated import truncated

TABLE = np.genfromtxt(
    Path(__file__).parents[1] / "reference" / "expected" / "bivariate.csv", delimiter=",", names=True
)  # made by reference/bivariate.py
LOWER, UPPER = (np.stack([TABLE[f"{name}_x"], TABLE[f"{name}_y"]], axis=1) for name in ("lower", "upper"))
VARIANCES = np.stack([TABLE["var_x"], TABLE["var_y"]], axis=1)
RELATIVE = 1e-13  # of P; of log P below exp(−100)
MEAN, VARIANCE, COVARIANCE = 1e-12, 5e-12, 2e-12  # of a conditional sd, of the variance, of the product of the sds
FREE = np.full(2, np.inf)

BOUND = st.floats(-6, 6) | st.sampled_from([-np.inf, np.inf, 0.0])
RHO = st.floats(-0.999, 0.999)


@st.composite
def rectangles(draw):
    """Bounds (2,) and (2,), at least 1e-6 apart."""
    bounds = []
    for _ in range(2):
        lower = draw(BOUND.filter(lambda x: x < np.inf))
        upper = draw(st.floats(1e-6, 12) | st.just(np.inf))
        bounds.append((lower, draw(BOUND.filter(lambda x: x > -np.inf)) if np.isinf(lower) else lower + upper))
    lower, upper = np.array(bounds).T
    return lower, upper


@pytest.fixture(scope="module")
def found():
    return rectangle(LOWER, UPPER, TABLE["rho"])


def test_the_table_is_hard():
    """Probabilities from nearly 1 to 1e-300, narrow rectangles, strong correlations."""
    assert TABLE["log_p"].max() > -1e-6
    assert (TABLE["log_p"] < -300).any()
    assert VARIANCES.min() < 1e-16
    assert np.abs(TABLE["rho"]).max() > 0.99


def test_probabilities(found):
    """Relative errors; a narrow rectangle's are those of its bounds as they can be written."""
    error = np.abs(found[0] - TABLE["log_p"])
    written = (np.spacing(np.abs(LOWER)) / (UPPER - LOWER)).max(axis=1, where=np.isfinite(LOWER), initial=0)
    assert (error < RELATIVE * np.maximum(1, -TABLE["log_p"] / 100) + 2 * written).all()


def test_means(found):
    places = np.stack([TABLE["mean_x"], TABLE["mean_y"]], axis=1)
    assert (np.abs(found[1] - places) <= MEAN * np.sqrt(VARIANCES) + 4 * np.spacing(np.abs(places))).all()


def test_covariances(found):
    """Where a rectangle is narrow the coordinate's own digits end before the variance's do."""
    digits = 8 * np.spacing(np.abs(found[1])) / np.sqrt(VARIANCES)
    variances = np.diagonal(found[2], axis1=1, axis2=2)
    assert (np.abs(variances / VARIANCES - 1) <= VARIANCE + digits).all()
    error = np.abs(found[2][:, 0, 1] - TABLE["cov"]) / np.sqrt(VARIANCES.prod(axis=1))
    assert (error <= COVARIANCE + digits.max(axis=1)).all()
    np.testing.assert_array_equal(found[2][:, 0, 1], found[2][:, 1, 0])


@given(RHO)
def test_quadrants(rho):
    """1/4 + arcsin(ρ)/2π, and its derivative."""
    moments = rectangle(np.zeros(2), FREE, rho)
    assert np.exp(moments[0]) == pytest.approx(0.25 + np.arcsin(rho) / (2 * np.pi), rel=RELATIVE)
    density = 1 / (2 * np.pi * np.sqrt(1 - rho**2))
    assert slope(np.zeros(2), FREE, rho, moments) * np.exp(moments[0]) == pytest.approx(density, rel=1e-11)


@given(rectangles())
def test_without_correlation_it_is_a_product(bounds):
    lower, upper = bounds
    log_z, means, variances = truncated(lower, upper)
    log_p, mean, cov = rectangle(lower, upper, 0.0)
    assert log_p == pytest.approx(log_z.sum(), abs=RELATIVE * max(1, abs(log_z.sum())))
    np.testing.assert_allclose(mean, means, atol=MEAN)
    np.testing.assert_allclose(np.diag(cov), variances, rtol=1e-8, atol=1e-15)
    assert abs(cov[0, 1]) <= 1e-11


@given(st.tuples(BOUND, BOUND).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-200), RHO)
def test_with_one_coordinate_free_the_other_is_alone(pair, rho):
    """Its truncated law, and the free coordinate follows by regression."""
    a, b = sorted(pair)
    log_z, m, v = truncated(a, b)
    for order in ([0, 1], [1, 0]):
        log_p, mean, cov = rectangle(np.array([a, -np.inf])[order], np.array([b, np.inf])[order], rho)
        assert log_p == pytest.approx(log_z, abs=1e-12 + RELATIVE * abs(log_z))
        np.testing.assert_allclose(mean[order], [m, rho * m], atol=1e-11)
        law = [[v, rho * v], [rho * v, 1 - rho**2 + rho**2 * v]]
        np.testing.assert_allclose(cov[order][:, order], law, atol=1e-11, rtol=1e-10)


@given(rectangles(), RHO)
def test_symmetry(bounds, rho):
    """Exchanged coordinates exchange the moments; a reflected one changes its sign and the correlation's."""
    lower, upper = bounds
    log_p, mean, cov = rectangle(lower, upper, rho)
    near = 1e-11 * max(1, abs(log_p))
    swapped = rectangle(lower[::-1], upper[::-1], rho)
    sign = np.array([1, -1])
    reflected = rectangle(np.where(sign > 0, lower, -upper), np.where(sign > 0, upper, -lower), -rho)
    assert log_p == pytest.approx(swapped[0], abs=near)
    assert log_p == pytest.approx(reflected[0], abs=near)
    np.testing.assert_allclose(mean, swapped[1][::-1], atol=near)
    np.testing.assert_allclose(mean, sign * reflected[1], atol=near)
    np.testing.assert_allclose(cov, swapped[2][::-1, ::-1], atol=near)
    np.testing.assert_allclose(cov, sign * reflected[2] * sign[:, None], atol=near)


@given(rectangles(), RHO)
def test_the_moments_are_possible(bounds, rho):
    """Mean inside; variances in (0, 1], for a cut never widens; the covariance positive definite."""
    lower, upper = bounds
    log_p, mean, cov = rectangle(lower, upper, rho)
    assert log_p <= 1e-14
    assert ((lower <= mean) & (mean <= upper)).all()
    variances = np.diag(cov)
    assert (variances > 0).all()
    assert (variances <= 1).all()
    assert abs(cov[0, 1]) < np.sqrt(variances.prod())


@given(rectangles(), RHO, st.floats(0.1, 0.9))
def test_halves_add(bounds, rho, share):
    """Cut in two by a line, near the mass or far from it."""
    lower, upper = bounds
    low, high = np.clip([lower[0], upper[0]], -8, 8)
    cut = low + share * (high - low)
    middle_up, middle_low = upper.copy(), lower.copy()
    middle_up[0] = middle_low[0] = cut
    parts = [rectangle(lower, middle_up, rho), rectangle(middle_low, upper, rho)]
    whole = rectangle(lower, upper, rho)
    weights = np.exp([part[0] - whole[0] for part in parts])
    near = 1e-11 * max(1, abs(whole[0]))
    assert weights.sum() == pytest.approx(1, abs=near)
    np.testing.assert_allclose(weights @ [part[1] for part in parts], whole[1], atol=near)


@given(rectangles(), st.floats(-0.99, 0.99))
def test_the_slope_is_the_derivative(bounds, rho):
    """By central differences, which lose some eight digits."""
    lower, upper = bounds
    h = 1e-4 * (1 - rho**2)
    values = [rectangle(lower, upper, rho + k * h)[0] for k in (-2, -1, 1, 2)]
    differences = np.dot([1, -8, 8, -1], values) / (12 * h)
    found = slope(lower, upper, rho, rectangle(lower, upper, rho))
    digits = (np.spacing(np.abs(lower)) / (upper - lower)).max(where=np.isfinite(lower), initial=1e-12)
    assert found == pytest.approx(differences, rel=1e-5, abs=4 * digits * (1 + abs(values[0])) / h)


def test_the_slope_of_a_narrow_rectangle():
    """In a small square about a point it is d log φ₂/dρ there, though the four corners cancel to nothing."""
    x, y, rho = 0.8, -0.3, 0.6
    lower, upper = np.array([x, y]) - 1e-7, np.array([x, y]) + 1e-7
    found = slope(lower, upper, rho, rectangle(lower, upper, rho))
    s2 = 1 - rho**2
    assert found == pytest.approx(rho / s2 + ((1 + rho**2) * x * y - rho * (x * x + y * y)) / s2**2, rel=1e-8)


def test_scipy_says_the_same():
    """Boxes of every size; scipy's bivariate function is exact to 1e-14 or so, not relative to P."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        rho = rng.uniform(-0.98, 0.98)
        lower = rng.normal(size=2) * 2
        upper = lower + rng.exponential(size=2)
        theirs = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf(upper, lower_limit=lower)
        assert np.exp(rectangle(lower, upper, rho)[0]) == pytest.approx(theirs, abs=1e-12)


def test_nearly_one_line():
    """As ρ → 1 it is the interval both share; as ρ → −1 the one of z and −z."""
    lower, upper = np.array([-0.5, -1.0]), np.array([2.0, 0.7])
    assert np.exp(rectangle(lower, upper, 1 - 1e-14)[0]) == pytest.approx(ndtr(0.7) - ndtr(-0.5), abs=1e-7)
    assert np.exp(rectangle(lower, upper, -1 + 1e-14)[0]) == pytest.approx(ndtr(1.0) - ndtr(-0.5), abs=1e-7)


def test_shapes_and_blocks():
    """Leading shapes broadcast; numbers do not depend on the company they are in; arguments stay untouched."""
    rng = np.random.default_rng(0)
    lower, upper = rng.normal(size=(700, 1, 2)), FREE
    rho = rng.uniform(-0.99, 0.99, size=3)
    lower.flags.writeable = False
    together = rectangle(lower, upper, rho)
    assert [part.shape for part in together] == [(700, 3), (700, 3, 2), (700, 3, 2, 2)]
    steep = slope(lower, upper, rho, together)
    for i, j in ((0, 0), (350, 1), (699, 2)):
        alone = rectangle(lower[i, 0], upper, rho[j])
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[i, j], other, rtol=1e-11, atol=1e-13)
        assert steep[i, j] == pytest.approx(slope(lower[i, 0], upper, rho[j], alone), rel=1e-9)
    assert rectangle(np.empty((0, 2)), upper, 0.3)[2].shape == (0, 2, 2)


def test_nothing_left_and_nothing_known():
    """No width: −inf, where it is, no spread. NaN: NaN, and the neighbours keep their numbers."""
    lower = np.array([[1.0, 0.0], [np.nan, 0.0], [0.0, 0.0]])
    upper = np.array([[1.0, 2.0], [1.0, 1.0], [np.inf, np.inf]])
    log_p, mean, cov = rectangle(lower, upper, 0.5)
    assert log_p[0] == -np.inf
    assert mean[0, 0] == 1
    assert 0 <= mean[0, 1] <= 2
    assert np.isfinite(cov[0]).all()
    assert np.isnan(log_p[1])
    assert np.isnan(mean[1, 0])
    assert log_p[2] == pytest.approx(np.log(1 / 3))


@pytest.mark.parametrize("rho", [1.0, -1.5])
def test_a_correlation_that_is_none(rho):
    with pytest.raises(ValueError, match=r"not between -1 and 1: (1\.0|-1\.5)"):
        rectangle(np.zeros(2), FREE, rho)


def test_bounds_in_the_wrong_order():
    with pytest.raises(ValueError, match=r"above its upper: 3\.0 > 2\.0"):
        rectangle(np.array([0.0, 3.0]), np.array([1.0, 2.0]), 0.1)
