"""Reading brackets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emimpute.errors import ColumnError
from emimpute.kinds import brackets
from emimpute.kinds.bracket import Brackets, parse, reaching, step

INF = np.inf
TEXTS = {
    "[30, 39]": [
        "30-39",
        "30–39",
        "30 — 39",
        "30 to 39",
        "30...39",
        "30…39",
        "from 30 to 39",
        "30-39 years",
        "$30 - $39",
    ],
    "[30, 39)": ["[30,39)", "[30; 39)", "[30, 39[", "30 - <39", "30 to under 39", "30 to less than 39 years"],
    "(30, 39]": ["(30, 39]", "]30, 39]", "(30.0, 39.0]"],
    "[30, inf)": ["30+", "30 +", "30 and more", "30 or older", "30 and over", "at least 30", ">=30", "≥ 30", "30 plus"],
    "(30, inf)": [">30", "> 30", "more than 30", "over 30", "older than 30", "30+ ".replace("30+", "above 30")],
    "(-inf, 39)": ["<39", "under 39", "less than 39", "younger than 39 years", "below 39"],
    "(-inf, 39]": ["≤39", "<= 39", "up to 39", "at most 39", "39 or less", "39 and younger", "(-inf, 39]"],
    "[1000, 1999]": ["1,000-1,999", "1 000 – 1 999", "€1,000 to €1,999", "1000-1999"],
    "[10000, 20000]": ["10k-20k", "10-20k", "$10K to $20K", "10,000-20,000"],
    "[-10, -5]": ["-10 to -5", "-10--5", "−10 – −5"],
    "[0.5, 1.25]": ["0.5-1.25", ".5 to 1.25", "between 0.5 and 1.25"],
    "[50, 50]": ["50", "50 kg", " 50 "],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in TEXTS.items() for text in texts])
def test_text_is_read(form, text):
    found = parse(text)
    lower, upper = form[1:-1].split(", ")
    assert (found.lower, found.upper) == (float(lower), float(upper))
    assert (found.left, found.right) == (form[0] == "[", form[-1] == "]")


@pytest.mark.parametrize(
    "text", ["", "abc", "1-2-3", "30-", "1,5", "10,20", "30 39", "about 30", "May-June", None, True, [1]]
)
def test_what_is_no_bracket_is_none(text):
    assert parse(text) is None


def test_intervals_and_numbers_are_brackets_too():
    found = parse(pd.Interval(1, 2, closed="left"))
    assert (found.lower, found.upper, found.left, found.right) == (1, 2, True, False)
    assert parse(pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"))) is None
    assert parse(5).lower == parse(5).upper == 5


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (["18-29", "30-39", "40+"], 1),
        (["<18", "18-29"], 0),
        (["≤17", "18-29", "over 29"], 1),
        (["0.0-0.9", "1.0-1.9"], 0.1),
        (["10k-19k", "20k-29k"], 1000),
        (["0", "1-2", "3+"], 1),
        (["10-20", "20-30"], 0),
        (["10-20", "30-40"], 0),
        (["[10, 20)", "[20, 30)"], 0),
    ],
)
def test_the_unit_between_brackets_is_noticed(texts, unit):
    assert step([parse(text) for text in texts]) == pytest.approx(unit)


def test_brackets_of_completed_years_reach_to_the_next():
    for text, bounds in (
        ("30-39", (30, 40)),
        ("≤17", (-INF, 18)),
        (">64", (65, INF)),
        ("65+", (65, INF)),
        ("0", (0, 1)),
    ):
        found = reaching(parse(text), 1)
        assert (found.lower, found.upper, found.left, found.right) == (*bounds, True, False)
    assert reaching(parse("30-39"), 0) == parse("30-39")


def test_intervals_are_taken_at_their_word():
    assert step([parse(pd.Interval(18, 29, closed="both")), parse(pd.Interval(30, 39, closed="both"))]) == 0


def test_the_bracket_that_holds_a_number():
    among = Brackets.of([parse(text) for text in ("<10", "[10, 20)", "[20, 30]", ">40", "[0, 100]", "25")])
    numbers = np.array([5.0, 10.0, 20.0, 25.0, 24.0, 29.9, 30.0, 35.0, 41.0, 200.0, -1e9])
    assert among.holding(numbers).tolist() == [4, 1, 2, 5, 2, 2, 2, 4, 4, 3, 0]
    apart = Brackets.of([parse("0-1"), parse("10-11")])
    assert apart.holding(np.array([2.0, 8.0, -1e9, 1e9])).tolist() == [0, 1, 0, 1]
    twins = Brackets.of([parse("0-4"), parse("2-6")])
    assert twins.holding(np.array([2.5, 3.5])).tolist() == [0, 1]


def test_many_numbers_and_brackets_are_worked_on_in_parts():
    edges = np.arange(2001.0)
    among = Brackets(edges[:-1], edges[1:], np.ones(2000, bool), np.zeros(2000, bool))
    numbers = np.random.default_rng(0).uniform(0, 2000, 1000)
    np.testing.assert_array_equal(among.holding(numbers), np.floor(numbers))


def test_two_columns_of_bounds_are_one_of_brackets():
    lower = pd.Series([30, 60, None, None, 5], index=list("abcde"), dtype="Int64", name="age")
    upper = pd.Series([39, np.nan, 20, np.nan, 5], index=list("abcde"))
    made = brackets(lower, upper)
    assert made.dtype == "interval[float64, both]"
    assert made.name == "age"
    assert made.index.equals(lower.index)
    assert made.dropna().tolist() == [
        pd.Interval(a, b, closed="both") for a, b in [(30, 39), (60, INF), (-INF, 20), (5, 5)]
    ]
    assert made.isna().tolist() == [False, False, False, True, False]


def test_crossed_bounds_and_other_rows_are_errors():
    lower = pd.Series([1, 40], index=["r1", "r2"], name="from")
    with pytest.raises(ColumnError, match=r"'from' has a lower bound above.*'to' in row label 'r2': 40 > 39"):
        brackets(lower, pd.Series([2, 39], index=["r1", "r2"], name="to"))
    with pytest.raises(ColumnError, match="'from' and 'to' differ in their index"):
        brackets(lower, pd.Series([2, 39], name="to"))
    with pytest.raises(ColumnError, match=r"'to' .*does not hold numbers"):
        brackets(lower, pd.Series(["a", "b"], index=["r1", "r2"], name="to"))
