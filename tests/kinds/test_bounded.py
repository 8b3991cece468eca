"""Kind `bounded`: numbers between two bounds, by their probit."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from emimpute.errors import ColumnError
from emimpute.kinds import Bounded

SHARES = pd.Series([0.2, None, 0.9, 0.5, 0.35], name="share")
SCORES = pd.Series([0, None, 100, 40, 7, 93], dtype="Int64", name="score")


def moments(mean, sd):
    """Of Φ(z), by adaptive quadrature of what lies within 12 sd, in the scale on which the law is narrow."""

    def integral(f):
        return integrate.quad(
            lambda t: f(stats.norm.cdf(mean + sd * t)) * stats.norm.pdf(t),
            -12,
            12,
            points=[-mean / sd] if abs(mean) < 12 * sd else None,
            epsabs=0,
            epsrel=1e-12,
            limit=400,
        )[0]

    centre = integral(lambda x: x)
    return centre, np.sqrt(integral(lambda x: (x - centre) ** 2))


@pytest.mark.parametrize("mean", [-4.0, -0.7, 0.0, 1.3, 3.0])
@pytest.mark.parametrize("sd", [1e-3, 0.3, 1.0, 4.0, 30.0])
def test_the_expectation_and_sd_are_exact(mean, sd):
    coding = Bounded().learn(SHARES)
    at, var = np.array([[mean]]), np.array([[[sd**2]]])
    said = coding.summarize(at, var, SHARES)
    centre, spread = moments(mean, sd)
    np.testing.assert_allclose(coding.expect(at, var, SHARES), centre, rtol=1e-10)
    np.testing.assert_allclose([said["estimate"][0], said["sd"][0]], [centre, spread], rtol=1e-9)
    reach = stats.norm.ppf(0.975) * sd
    np.testing.assert_allclose([said["low"][0], said["high"][0]], stats.norm.cdf([mean - reach, mean + reach]))


def test_the_sd_keeps_its_digits_where_it_is_small():
    """The difference of the two moments would leave none."""
    sd = Bounded().learn(SHARES).summarize(np.zeros((1, 1)), np.full((1, 1, 1), 1e-24), SHARES)["sd"][0]
    np.testing.assert_allclose(sd, 1e-12 * stats.norm.pdf(0), rtol=1e-12)


def test_a_uniform_share_is_exactly_normal():
    shares = pd.Series((np.arange(1000) + 0.5) / 1000)
    z = Bounded().learn(shares).encode(shares).lower[:, 0]
    np.testing.assert_allclose(z, stats.norm.ppf(shares), rtol=1e-12)


def test_shares_next_to_the_upper_bound_are_as_exact_as_next_to_the_lower():
    near = pd.Series([Decimal("1e-30"), Decimal("0." + 30 * "9"), Decimal("0.5")])
    z = Bounded().learn(near).encode(near).lower[:, 0]
    assert z[0] == -z[1] == pytest.approx(stats.norm.ppf(1e-30))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.lists(st.floats(-60, 60), min_size=1, max_size=5),
    st.sampled_from(["float64", "float32", "Float32", "float16"]),
)
def test_every_fill_is_inside(low, width, z, dtype):
    kind = Bounded(low, low + width)
    column = pd.Series([low + width * 0.25, None, low + width * 0.75]).clip(-6e4, 6e4).astype(dtype)
    try:
        coding = kind.learn(column)
    except ColumnError:  # narrow bounds far from zero, in a dtype of few digits
        return
    fills = pd.Series(coding.decode(np.array(z)[:, np.newaxis], column), dtype=dtype)
    with np.errstate(over="ignore"):  # 65520 is infinity in two bytes
        bounds = np.array([low, low + width]).astype(dtype.lower()).astype(float)
    assert fills.astype("float64").between(*bounds).all()
    coding.encode(fills)


def test_integers_keep_within_bounds_that_are_none():
    column = pd.Series([1, None, 3], dtype="Int64")
    coding = Bounded(0.4, 3.6).learn(column)
    assert list(coding.decode(np.array([[-40.0], [40.0]]), column)) == [1, 3]


def test_decimals_and_categories_keep_within_bounds():
    tenths = pd.Series([Decimal("0.2"), None, Decimal("0.7")])
    coding = Bounded(0.11, 0.88).learn(tenths)
    assert list(coding.decode(np.array([[-40.0], [40.0]]), tenths)) == [Decimal("0.2"), Decimal("0.8")]
    levels = pd.Series(pd.Categorical([1, None, 5], categories=[-3, 1, 5, 12], ordered=True))
    coding = Bounded(0, 10).learn(levels)
    assert coding.decode(np.array([[-40.0], [40.0]]), levels).tolist() == [1, 5]


def test_a_value_at_a_bound_is_an_interval():
    """Halfway to the nearest number inside."""
    cells = Bounded(0, 100).learn(SCORES).encode(SCORES)
    edges = stats.norm.ppf([0.035, 0.965])
    inside = stats.norm.ppf([0.4, 0.07, 0.93])
    np.testing.assert_allclose(cells.lower[:, 0], [-np.inf, np.nan, edges[1], *inside])
    np.testing.assert_allclose(cells.upper[:, 0], [edges[0], np.nan, np.inf, *inside])


def test_points_share_one_array():
    cells = Bounded().learn(SHARES).encode(SHARES)
    assert cells.lower is cells.upper


def test_a_bound_is_drawn_only_where_the_data_reach_it():
    z = np.array([[-9.0], [9.0]])
    shares = pd.Series([0.0, 0.2, 0.9, None])
    low, high = Bounded().learn(shares).decode(z, shares)
    assert low == 0
    assert high < 1 or high == stats.norm.cdf(9.0)
    low, high = Bounded().learn(SHARES).decode(z, SHARES)
    assert low == stats.norm.cdf(-9.0) > 0


def test_a_bound_that_only_new_data_reach_has_a_cell_too():
    cells = Bounded().learn(SHARES).encode(pd.Series([0.0, 1.0, 0.3]))
    np.testing.assert_allclose(cells.upper[:2, 0], [stats.norm.ppf(0.1), np.inf])
    np.testing.assert_allclose(cells.lower[:2, 0], [-np.inf, stats.norm.ppf(0.95)])


def test_a_bound_written_in_four_bytes_is_still_a_bound():
    """0.1 in four bytes lies above 0.1, and 0.7 below 0.7."""
    column = pd.Series([0.1, 0.7, 0.3], dtype="float32")
    for kind in (Bounded(0.1, 0.7), Bounded(0, 0.1), Bounded(0.7, 1)):
        inside = column[(column > kind.low + 1e-3) & (column < kind.high - 1e-3)]
        values = pd.concat([inside, pd.Series([kind.low, kind.high, (kind.low + kind.high) / 2], dtype="float32")])
        cells = kind.learn(values).encode(values)
        assert np.isneginf(cells.lower[-3, 0])
        assert np.isposinf(cells.upper[-2, 0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [0.2, 1.5, None, -3.0],
            r"Column 'x' holds 1\.5 in 2 rows \(first at row label 1\), outside the bounds 0 and 1",
        ),
        ([0.2, 7.0], r"give other bounds, as kinds=\{'x': Bounded\(low, high\)\}"),
        ([0.0, 1.0, None], "holds nothing between its bounds 0 and 1.* 'binary'"),
        (pd.date_range("2020", periods=2), "holds datetimes without a zone, and kind 'bounded' takes numbers"),
        (["a", "b"], "does not hold numbers"),
        ([np.nan, np.nan], "no observed value"),
    ],
)
def test_what_does_not_fit_the_bounds_is_refused(values, words):
    with pytest.raises(ColumnError, match=words):
        Bounded().learn(pd.Series(values, name="x"))


@pytest.mark.parametrize(
    "bounds", [(1, 0), (0, 0), (0, np.inf), (np.nan, 1), ("a", "b"), (None, 1), (False, True), (0, 1j)]
)
def test_what_are_no_bounds_is_refused(bounds):
    with pytest.raises(ColumnError, match=r"needs two finite numbers, the lower one first, as Bounded\(0, 100\)"):
        Bounded(*bounds)


def test_it_is_never_chosen_by_itself_and_survives_json():
    """Also when it is restored by name only, without the bounds."""
    coding = Bounded(0, 100).learn(SCORES)
    assert not Bounded().accepts(SHARES)
    assert Bounded().restore(json.loads(json.dumps(coding.to_json()))) == coding
