"""Kinds `datetime` and `timedelta`: numbers of ticks, under names that say what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS

import emimpute
from emimpute.errors import ColumnError
from emimpute.kinds import Datetime, Real, Timedelta
from emimpute.kinds.registry import choose

VALUES = np.array([3.0, np.nan, 7.0])
MOMENTS = [
    dtype for dtype in COLUMNS if any(word in dtype for word in ("datetime", "timestamp", "date3", "date6", "period"))
]
SPANS = [dtype for dtype in COLUMNS if "timedelta" in dtype or "duration" in dtype]


@pytest.mark.parametrize("dtype", COLUMNS)
def test_each_column_of_a_clock_has_its_kind(dtype):
    name = choose(COLUMNS[dtype](VALUES)).name
    assert (name == "datetime") == (dtype in MOMENTS)
    assert (name == "timedelta") == (dtype in SPANS)


@pytest.mark.parametrize("new", ["datetime64[s]", "datetime64[us]", "timestamp[ms][pyarrow]", "date32[pyarrow]"])
def test_a_fit_on_nanoseconds_works_on_any_other_unit(new):
    coding = Datetime().learn(COLUMNS["datetime64[ns]"](VALUES))
    column = COLUMNS[new](VALUES)
    z = coding.encode(column).lower
    np.testing.assert_array_equal(z[:, 0] - z[0, 0], [0, np.nan, 4 * 86_400e9])
    (filled,) = coding.decode(z[:1] + 86_400e9, column)
    assert pd.Timestamp(filled) == pd.Timestamp("2020-01-05")


@pytest.mark.parametrize(
    ("kind", "dtype", "words"),
    [
        (
            Real,
            "datetime64[ns]",
            "holds datetimes without a zone, which kind 'real' does not take: use kind 'datetime'",
        ),
        (Real, "duration[s][pyarrow]", "holds time differences, .* use kind 'timedelta'"),
        (Datetime, "timedelta64[s]", "kind 'datetime' does not take: use kind 'timedelta'"),
        (Datetime, "Int64", "holds numbers, which kind 'datetime' does not take: use kind 'real'"),
        (Timedelta, "period[D]", "holds periods, .* use kind 'datetime'"),
    ],
)
def test_each_refuses_the_others_columns_and_names_their_kind(kind, dtype, words):
    with pytest.raises(ColumnError, match=words):
        kind().learn(COLUMNS[dtype](VALUES))


def test_a_fit_says_what_it_took_them_for():
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    days = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(30 * x), unit="D"))
    df = pd.DataFrame({"x": x, "day": days, "wait": pd.to_timedelta(np.round(60 * (x + 5)), unit="s")})
    df.loc[3, "day"], df.loc[4, "wait"] = pd.NaT, pd.NaT
    fit = emimpute.fit(df.assign(month=days.dt.to_period("M")), prior="ridge")
    assert dict(fit.kinds) == {"x": "real", "day": "datetime", "wait": "timedelta", "month": "datetime"}
    again = emimpute.read_json(fit.to_json())
    assert dict(again.kinds) == dict(fit.kinds)
    pd.testing.assert_frame_equal(again.impute(fit.impute()), fit.impute())
