"""Columns that are points on another scale, from the frame to the filled frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import emimpute
from emimpute.kinds import Bounded, Skewed
from emimpute.kinds.registry import get

N, SLOPE, SPREAD = 4000, 0.8, 0.6
KINDS = {
    "positive": ("positive", lambda z: 3 * np.exp(z)),
    "bounded": (Bounded(-2, 5), lambda z: -2 + 7 * stats.norm.cdf(z)),
    "skewed": ("skewed", np.exp),
    "quantile": (Skewed("quantile"), np.exp),
}


def truth(name):
    """A column that is a monotone function of a normal one, which depends on x; and what is to be expected given x."""
    rng = np.random.default_rng(1)
    _, back = KINDS[name]
    x = rng.normal(size=N)
    y = back(SLOPE * x + SPREAD * rng.normal(size=N))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = back(SLOPE * x[:, np.newaxis] + SPREAD * nodes) @ weights / weights.sum()
    gaps = rng.random(N) < stats.norm.cdf(x - 0.5)  # at random given x: more where y is large
    return pd.DataFrame({"x": x, "y": np.where(gaps, np.nan, y)}), expected, y, gaps


@pytest.mark.parametrize("name", KINDS)
def test_fills_are_conditional_expectations_on_the_columns_own_scale(name):
    """Far nearer to what the true law says than if it is taken as it is, also where large values are missing."""
    df, expected, y, gaps = truth(name)

    def error(done, of):
        return np.sqrt(np.mean((done["y"] - of)[gaps] ** 2))

    done, real = df.em.impute(kinds={"y": KINDS[name][0]}), df.em.impute()
    assert error(done, expected) < 0.3 * error(real, expected)
    assert error(done, y) < 1.03 * error(pd.DataFrame({"y": expected}), y)


@pytest.mark.parametrize("name", KINDS)
def test_intervals_cover(name):
    """95 % of what was hidden lies within the interval that the law says."""
    df, _, y, gaps = truth(name)
    coding = get(KINDS[name][0]).learn(df["y"])
    latent = coding.encode(pd.Series(y)).lower[:, 0]
    slope, start, *_ = stats.linregress(df["x"], latent)
    mean = start + slope * df["x"].to_numpy()
    var = np.full((N, 1, 1), np.var(latent - mean))
    said = coding.summarize(mean[:, np.newaxis], var, df["y"])
    inside = (said["low"] <= y) & (y <= said["high"])
    assert inside[gaps].mean() == pytest.approx(0.95, abs=0.015)


def test_a_fit_comes_back_from_json_and_prints_the_columns_scale():
    df, *_ = truth("positive")
    fit = df.em.fit(kinds={"y": "positive"})
    again = emimpute.read_json(fit.to_json())
    pd.testing.assert_frame_equal(again.impute(df), fit.impute())
    assert fit.mean["y"] == pytest.approx(np.log(3), abs=0.1)
    (line,) = (line for line in fit.summary().splitlines() if line.startswith("y "))
    assert "positive" in line
    assert float(line.split()[-2]) == pytest.approx(3 * np.exp(0.5), rel=0.1)
