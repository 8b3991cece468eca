"""Mean and sd as a summary prints them: times as times, in digits that their spread gives a reason for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.kinds.constant import Constant
from emimpute.kinds.printing import printed
from emimpute.kinds.real import Real
from emimpute.kinds.writing import Origin

DAY = 86_400


@pytest.mark.parametrize(
    ("column", "mean", "sd"),
    [
        ([1.0, 2.0, 4.5], "3", "0.5"),
        (pd.array([1000, 2000, None], dtype="Int64"), "1000.5", "0.5"),
        ([2**60, 2**60 + 1, 2**60 + 5], "1.15292e+18", "0.5"),
    ],
)
def test_numbers_in_six_digits(column, mean, sd):
    coding = Real().learn(pd.Series(column))
    at = coding.encode(pd.Series(column)).lower[0, 0] + (2 if mean == "3" else 0.5)
    assert coding.printed(np.array([at]), np.array([[0.25]])) == (mean, sd)


@pytest.mark.parametrize(
    ("seconds", "mean", "sd"),
    [
        (2.25 * DAY, "2020-02-06 12:00", "2 days 06:00"),
        (3 * 3600 + 1.5, "2020-02-06 12:00:00", "03:00:02"),
        (1.25, "2020-02-06 12:00:00", "00:00:01.25"),
        (1.25e-3, "2020-02-06 12:00:00", "00:00:00.00125"),
    ],
)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("family", ["datetime", "zoned"])
def test_moments(family, unit, seconds, mean, sd):
    """One with a zone is said in UTC, for a fit that was read from a file knows no other."""
    ticks = pd.Timedelta("1s") // pd.Timedelta(1, unit=unit)
    origin = Origin(18262 * DAY * ticks, family, unit)
    said = printed(36.5 * DAY * ticks, seconds * ticks, origin)
    assert said == (mean + (" UTC" if family == "zoned" else ""), sd)


@pytest.mark.parametrize(
    ("mean", "seconds", "said"),
    [
        (90.0, 3, ("00:01:30", "00:00:03")),
        (90.25, 3, ("00:01:30.25", "00:00:03")),
        (100 * DAY + 60, 10 * DAY, ("100 days 00:01", "10 days 00:00")),
        (-60, 3, ("-1 days +23:59:00", "00:00:03")),
    ],
)
def test_time_differences(mean, seconds, said):
    assert printed(mean * 1000, seconds * 1000, Origin(0, "timedelta", "ms")) == said


@pytest.mark.parametrize(
    ("value", "said"), [(7.5, "7.5"), (True, "1"), (pd.Timestamp("2020-05-17"), "2020-05-17 00:00:00")]
)
def test_a_constant_is_its_value(value, said):
    coding = Constant().learn(pd.Series([value, value]))
    assert coding.printed(np.zeros(0), np.zeros((0, 0))) == (said, "")


def test_periods():
    assert printed(5.2, 2.5, Origin(600, "period", "period[M]")) == ("2020-06", "2.5 periods")


@pytest.mark.parametrize("mean", [np.nan, np.inf])
def test_what_is_no_time(mean):
    """A fit without bound must print too."""
    assert printed(mean, np.nan, Origin(0, "datetime", "s")) == (f"{mean:.6g}", "nan")


def test_a_summary_shows_times():
    """Also that of a fit read from a file; ``fit.mean`` has the number."""
    day = pd.to_datetime(["2020-01-01", "2020-01-03", "2020-01-08", None, "2020-01-06"])
    fit = pd.DataFrame({"day": day, "x": [1.0, 2.0, 4.0, 3.0, 5.0]}).em.fit()
    (line,) = [line for line in fit.summary().split("\n") if line.startswith("day ")]
    moment = pd.to_datetime(fit.mean["day"], unit=np.datetime_data(day.dtype)[0])
    assert f"{moment.round('min'):%Y-%m-%d %H:%M}" in line
    assert "2 days " in line
    assert emimpute.read_json(fit.to_json()).summary() == fit.summary()
