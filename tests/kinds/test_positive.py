"""Kind `positive`: numbers above zero, by their logarithm."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from emimpute.errors import ColumnError
from emimpute.kinds import Positive

VALUES = pd.Series([2.0, None, 8.0, 1.0, 4.0], name="income")
MEANS = np.array([[0.0], [1.0], [-3.0], [5.0]])
VARIANCES = np.array([1.0, 0.25, 4.0, 1e-6]).reshape(-1, 1, 1)


def test_the_expectation_is_that_of_the_log_normal_law():
    """Not its median, which is 39 % too low at a variance of 1."""
    coding = Positive().learn(VALUES)
    law = stats.lognorm(s=np.sqrt(VARIANCES[:, 0, 0]), scale=np.exp(MEANS[:, 0] + coding.shift))
    np.testing.assert_allclose(coding.expect(MEANS, VARIANCES, VALUES), law.mean(), rtol=1e-13)
    np.testing.assert_allclose(coding.decode(MEANS, VALUES), law.median(), rtol=1e-13)
    said = coding.summarize(MEANS, VARIANCES, VALUES)
    np.testing.assert_allclose(said["estimate"], law.mean(), rtol=1e-13)
    np.testing.assert_allclose(said["sd"], law.std(), rtol=1e-9)  # scipy loses digits where the variance is small
    np.testing.assert_allclose([said["low"], said["high"]], law.ppf([[0.025], [0.975]]), rtol=1e-12)
    assert coding.decode(MEANS[:1], VALUES)[0] < 0.61 * coding.expect(MEANS[:1], VARIANCES[:1], VALUES)[0]


@pytest.mark.parametrize("offset", [0.0, 10.0, 1e7, 1e15])
def test_differences_far_from_zero_are_kept(offset):
    """As if each logarithm had been taken with all digits: log(1 + 1e-15) is not 0."""
    column = VALUES + offset
    coding = Positive().learn(column)
    z = coding.encode(column).lower[[0, 2, 3, 4], 0]
    exact = np.log1p((np.array([2.0, 8, 1, 4]) - 1) / (1 + offset))
    np.testing.assert_allclose(z - z[2], exact, rtol=1e-12)
    np.testing.assert_allclose(z + coding.shift, np.log(column.dropna()), rtol=1e-14)
    np.testing.assert_allclose(coding.decode(z[:, np.newaxis], column), column.dropna(), rtol=1e-15)


def test_the_summary_prints_the_columns_own_scale():
    coding = Positive().learn(VALUES)
    mean, sd = coding.printed(np.zeros(1), np.ones((1, 1)))
    law = stats.lognorm(s=1, scale=np.exp(coding.shift[0]))
    assert (mean, sd) == (f"{law.mean():.6g}", f"{law.std():.6g}")


@pytest.mark.parametrize(
    ("dtype", "least"), [("Int64", 1), ("UInt8", 1), ("float32", np.finfo("float32").tiny), ("float64", 0.0)]
)
def test_every_fill_is_above_zero(dtype, least):
    column = VALUES.astype(dtype)
    coding = Positive().learn(column)
    for z in (-5.0, -50.0, -1e4, 1e4):
        (fill,) = coding.decode(np.array([[z]]), column)
        assert fill > 0
        assert fill >= least
        assert np.isfinite(fill)


def test_far_tails_do_not_overflow():
    coding = Positive().learn(VALUES)
    mean, var = np.array([[800.0], [-800.0]]), np.array([900.0, 1e5]).reshape(-1, 1, 1)
    said = coding.summarize(mean, var, VALUES)
    assert all(np.isfinite(values).all() for values in said.values())
    assert np.isfinite(coding.expect(mean, var, VALUES)).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [3.0, 0.0, np.nan, -2.0],
            r"Column 'income' holds 0\.0 in 2 rows \(first at row label 'b'\), but kind 'positive'",
        ),
        ([3, 2, 1, -2], r"holds -2 in 1 row \(row label 'd'\).* make them missing, or use kind 'skewed' or 'real'"),
        (pd.to_timedelta([1, 0, 2, 3], unit="s"), r"holds 0 days 00:00:00 in 1 row"),
        (pd.date_range("2020", periods=4), r"holds datetimes without a zone, which have no logarithm"),
        (["a", "b", "c", "d"], "does not hold numbers"),
        ([np.inf, 1, 2, 3], "holds infinity"),
    ],
)
def test_what_has_no_logarithm_is_refused_by_row(values, words):
    column = pd.Series(values, index=list("abcd"), name="income")
    with pytest.raises(ColumnError, match=words):
        Positive().learn(column)


def test_zeros_in_new_data_are_refused_too():
    with pytest.raises(ColumnError, match="holds 0 in 1 row"):
        Positive().learn(VALUES).encode(pd.Series([0, 1], name="income"))


def test_waiting_times_are_positive_too():
    column = pd.Series(pd.to_timedelta([20, None, 80, 10], unit="s"))
    coding = Positive().learn(column)
    z = coding.encode(column).lower
    np.testing.assert_allclose(np.exp(z[[0, 2], 0] - z[3, 0]), [2, 8])
    (fill,) = coding.expect(z[:1], np.array([[[2 * np.log(1.5)]]]), column)
    assert pd.Timedelta(fill) == pd.Timedelta(seconds=30)


def test_it_is_never_chosen_by_itself_and_survives_json():
    coding = Positive().learn(VALUES)
    assert not Positive().accepts(VALUES)
    assert Positive().restore(json.loads(json.dumps(coding.to_json()))) == coding
