"""Kind `skewed`: a scale learned from the data on which they are normal."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from emimpute.errors import ColumnError
from emimpute.kinds import Skewed, yeojohnson
from emimpute.kinds.scores import Scores

METHODS = ["yeo-johnson", "quantile"]
N = 2000
QUANTILES = (np.arange(N) + 0.5) / N
LAWS = {
    "exponential": stats.expon(scale=3),
    "log-normal": stats.lognorm(1.0),
    "gamma": stats.gamma(3),
    "long left tail": stats.loggamma(0.5),
    "normal": stats.norm(5, 2),
}


def normality(z):
    """Correlation with normal scores."""
    return np.corrcoef(np.sort(z), stats.norm.ppf(QUANTILES))[0, 1]


def quadrature(inverse, mean, sd, kinks=()):
    """Mean and sd of inverse(z), z normal, by adaptive quadrature between the kinks."""
    ends = sorted({-12.0, 0.0, 12.0, 20.0, *(k for kink in kinks if -12 < (k := (kink - mean) / sd) < 20)})

    def integral(f):
        return math.fsum(
            integrate.quad(
                lambda t: f(float(inverse(np.array([mean + sd * t]))[0])) * stats.norm.pdf(t),
                a,
                b,
                epsabs=0,
                epsrel=1e-12,
                limit=200,
            )[0]
            for a, b in pairwise(ends)
        )

    centre = integral(lambda x: x)
    return centre, math.sqrt(integral(lambda x: (x - centre) ** 2))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("method", METHODS)
def test_the_scale_makes_the_data_normal(law, method):
    column = pd.Series(LAWS[law].ppf(QUANTILES)).sample(frac=1, random_state=0)
    z = Skewed(method).learn(column).encode(column).lower[:, 0]
    assert normality(z) > 0.996 > normality(column) or law == "normal"
    assert normality(z) > 0.996
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=0.03)


def test_quantiles_follow_two_modes():
    column = pd.Series(np.r_[stats.norm(-4, 1).ppf(QUANTILES[::2]), stats.norm(4, 1).ppf(QUANTILES[::2])])
    z = Skewed("quantile").learn(column).encode(column).lower[:, 0]
    assert normality(z) > 0.9995


@pytest.mark.parametrize("power", [0.0, 0.02, 0.3, 0.5, 1.0, 1.4, 1.98, 2.0])
@pytest.mark.parametrize("mean", [-3.0, -0.2, 0.0, 2.0])
@pytest.mark.parametrize("sd", [1e-3, 0.4, 1.0, 2.5])
def test_the_expectation_under_yeo_johnson_is_exact(power, mean, sd):
    """Also across the kink at zero, and where the exponential moves the mass of the integrand."""
    found = yeojohnson.expectation(np.array([mean]), np.array([sd]), power)
    wanted = quadrature(lambda z: yeojohnson.inverse(z, power), mean, sd, [0.0])
    np.testing.assert_allclose(np.ravel(found), wanted, rtol=1e-9, atol=1e-9 * wanted[1])


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.7, 2.0])
@given(st.floats(-1e3, 1e3))
def test_yeo_johnson_is_its_formula_and_has_an_inverse(power, u):
    z = float(yeojohnson.forward(np.array(u), power))
    assert z == pytest.approx(float(stats.yeojohnson(np.array([u]), power)[0]), rel=1e-9, abs=1e-12)
    assert float(yeojohnson.inverse(np.array(z), power)) == pytest.approx(u, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_the_power_is_the_maximum_of_the_likelihood(law):
    u = (LAWS[law].ppf(QUANTILES) - LAWS[law].median()) / LAWS[law].std()
    power, best = yeojohnson.best_power(u)
    grid = np.linspace(0, 2, 201)
    logliks = [stats.yeojohnson_llf(p, u) / N for p in grid]
    assert best >= max(logliks) - 1e-9
    assert power == pytest.approx(grid[int(np.argmax(logliks))], abs=0.011)


@pytest.mark.parametrize("mean", [-7.0, -0.4, 0.0, 1.1, 6.0])
@pytest.mark.parametrize("sd", [1e-3, 0.2, 1.0, 3.0])
def test_the_expectation_under_normal_scores_is_exact(mean, sd):
    scores = Scores.of(LAWS["exponential"].ppf(QUANTILES[::40]))
    assert scores is not None
    found = scores.expectation(np.array([mean]), np.array([sd]))
    wanted = quadrature(scores.inverse, mean, sd, scores.z)
    np.testing.assert_allclose(np.ravel(found), wanted, rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_both_ways_are_monotone_and_finite_everywhere(method):
    column = pd.Series(LAWS["log-normal"].ppf(QUANTILES))
    coding = Skewed(method).learn(column)
    z = np.concatenate([-np.logspace(6, -3, 200), [0], np.logspace(-3, 6, 200)])
    x = coding.back(z)
    assert np.isfinite(x).all()
    assert (np.diff(x) >= 0).all()
    middle = np.abs(z) < 5
    np.testing.assert_allclose(coding.there(x[middle]), z[middle], atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_neither_origin_nor_unit_nor_order_of_rows_matter(method):
    values = np.random.default_rng(0).exponential(size=500)
    column = pd.Series(values)
    z = Skewed(method).learn(column).encode(column).lower
    for other in (pd.Series(values * 1024 - 4096), pd.Series(values[::-1]), pd.Series(values * 2.0**-300)):
        again = Skewed(method).learn(other).encode(other).lower
        np.testing.assert_allclose(again if other.iloc[0] != values[-1] else again[::-1], z, atol=1e-8)


def test_a_shift_far_larger_than_the_spread_is_no_matter():
    values = np.random.default_rng(0).gamma(2, size=400)
    far = pd.Series(np.round(values * 1000).astype(np.int64) + 2**60)
    near = pd.Series(np.round(values * 1000))
    np.testing.assert_allclose(*(Skewed().learn(c).encode(c).lower for c in (far, near)), atol=1e-9)


def test_knots_are_no_rows():
    values = np.random.default_rng(0).normal(size=300)
    coding = Skewed("quantile").learn(pd.Series(values))
    assert not set(coding.scores.x) & set(values - coding.origin.value)
    assert len(coding.scores.x) == 60
    assert len(Scores.of(np.arange(1e5)).x) == 200


def test_a_value_of_many_rows_is_one_knot_in_the_middle_of_its_ranks():
    scores = Scores.of(np.array([0.0] * 50 + list(range(1, 51))))
    assert scores.x[0] == 0
    assert scores.z[0] == pytest.approx(stats.norm.ppf(0.25))
    assert list(scores.x) == sorted(set(scores.x))


def test_times_are_taken_too():
    column = pd.Series(pd.to_timedelta(LAWS["exponential"].ppf(QUANTILES), unit="s"))
    for method in METHODS:
        coding = Skewed(method).learn(column)
        (fill,) = coding.expect(np.zeros((1, 1)), np.ones((1, 1, 1)), column)
        assert pd.Timedelta(fill).total_seconds() == pytest.approx(3, rel=0.02)


def test_the_expectation_of_the_whole_is_the_mean_of_the_data():
    """What the marginal law says of a row of which nothing is known."""
    for law in ("exponential", "gamma", "normal"):
        column = pd.Series(LAWS[law].ppf(QUANTILES))
        for method in METHODS:
            mean, sd = Skewed(method).learn(column).printed(np.zeros(1), np.ones((1, 1)))
            np.testing.assert_allclose(
                [float(mean), float(sd)], [column.mean(), column.std()], rtol=0.12 if method == "yeo-johnson" else 0.02
            )


@pytest.mark.parametrize("method", METHODS)
def test_it_is_never_chosen_by_itself_and_survives_json(method):
    column = pd.Series(LAWS["gamma"].ppf(QUANTILES))
    coding = Skewed(method).learn(column)
    assert not Skewed().accepts(column)
    assert Skewed().restore(json.loads(json.dumps(coding.to_json()))) == coding


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(ColumnError, match=r"There is no method 'quantiles': did you mean 'quantile'"):
        Skewed("quantiles")
    for values in ([1.0, 2.0, 3.0], [1.0] * 50):
        with pytest.raises(
            ColumnError, match=r"Column 'x' has too few different values .* use Skewed\(\) or kind 'real'"
        ):
            Skewed("quantile").learn(pd.Series(values, name="x"))
    with pytest.raises(ColumnError, match="does not hold numbers"):
        Skewed().learn(pd.Series(["a"]))


def test_one_value_is_learned_like_a_number():
    column = pd.Series([4.0, None, 4.0])
    coding = Skewed().learn(column)
    assert coding.decode(coding.encode(column).lower[:1], column).tolist() == [4.0]
