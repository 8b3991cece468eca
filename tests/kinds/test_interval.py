"""Kind `interval`: brackets."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from labels import BRACKETS, EDGES, TEXT
from scipy.stats import lognorm

from emimpute.errors import ColumnError, EMImputeError
from emimpute.kinds import Interval, brackets
from emimpute.kinds.registry import choose

INF = np.inf
GROUPS = ["30-39", None, "<30", "40+"]


def law(*means, sd=1.0):
    return np.array(means)[:, np.newaxis], np.full((len(means), 1, 1), sd * sd)


@pytest.mark.parametrize("made", BRACKETS)
def test_columns_of_intervals_are_brackets_by_themselves(made):
    column = BRACKETS[made]()
    assert choose(column).name == "interval"
    coding = Interval().learn(column)
    assert [len(cuts) for cuts in coding.cuts] == [0]
    cells = coding.encode(column)
    np.testing.assert_array_equal(cells.lower[:, 0], [0, 30, 40, 40, -INF, 60, 60, 30])
    np.testing.assert_array_equal(cells.upper[:, 0], [30, 40, 60, 60, INF, 100, 100, 40])
    filled = coding.expect(*law(-50.0, 12.0, 39.0, 70.0, 1e9), column)
    assert filled.dtype == column.dtype
    assert [cell.left for cell in filled] == [0, 0, 30, 60, 60]


def test_the_median_is_held_by_a_legal_bracket_even_if_unobserved():
    column = pd.Series(pd.cut(pd.Series([10, 70, 90, np.nan]), EDGES))
    assert Interval().learn(column).decode(np.array([[50.0]]), column).tolist() == [pd.Interval(40, 60)]
    observed = pd.Series(pd.arrays.IntervalArray(column))
    assert Interval().learn(observed).decode(np.array([[50.0]]), observed).tolist() == [pd.Interval(60, 100)]


def test_a_boundary_belongs_to_the_bracket_that_is_closed_there():
    for made, left in (("pd.cut", 30), ("pd.cut, closed on the left", 40)):
        column = BRACKETS[made]()
        assert Interval().learn(column).decode(np.array([[40.0]]), column)[0].left == left


@pytest.mark.parametrize("make", TEXT.values(), ids=TEXT)
def test_text_is_read_where_declared(make):
    column = make(GROUPS)
    assert not Interval().accepts(column)
    coding = Interval().learn(column)
    cells = coding.encode(column)
    np.testing.assert_array_equal(cells.lower[:, 0], [30, -INF, -INF, 40])
    np.testing.assert_array_equal(cells.upper[:, 0], [40, INF, 30, INF])  # up to where the next begins
    assert list(coding.decode(np.array([[-5.0], [39.9], [80.0]]), column)) == ["<30", "30-39", "40+"]


def test_brackets_of_completed_years_leave_no_gap_in_new_data_either():
    coding = Interval().learn(pd.Series(["18-29", "30-39", "40-49", None]))
    cells = coding.encode(pd.Series(["30-39", "50-59", "≤17"]))
    np.testing.assert_array_equal(cells.lower[:, 0], [30, 50, -INF])
    np.testing.assert_array_equal(cells.upper[:, 0], [40, 60, 18])
    assert Interval().restore(json.loads(json.dumps(coding.to_json(), allow_nan=False))) == coding


def test_exact_and_bracketed_numbers_may_be_mixed():
    column = brackets(pd.Series([5, 10, None, None, 7]), pd.Series([5, 20, 8, None, 7]))
    cells = Interval().learn(column).encode(column)
    np.testing.assert_array_equal(cells.lower[:, 0], [5, 10, -INF, -INF, 7])
    np.testing.assert_array_equal(cells.upper[:, 0], [5, 20, 8, INF, 7])


def test_a_summary_is_of_the_number():
    column = BRACKETS["pd.cut"]()
    coding = Interval().learn(column)
    said = coding.summarize(*law(33.25, sd=2.0), column)
    assert said["estimate"].tolist() == [33.25]
    assert said["sd"].tolist() == [2]
    assert (said["low"][0], said["high"][0]) == pytest.approx((29.3301, 37.1699), rel=1e-5)
    assert coding.printed(np.array([33.25]), np.array([[4.0]])) == ("33.25", "2")
    assert coding.probabilities(*law(1.0)) is None


def test_on_a_log_scale_the_number_is_log_normal():
    column = BRACKETS["pd.cut"]()
    coding = Interval(scale="log").learn(column)
    cells = coding.encode(column)
    np.testing.assert_allclose(cells.upper[[0, 1, 5], 0], np.log([30, 40, 100]), rtol=1e-15)
    assert cells.lower[0, 0] == -INF
    true = lognorm(0.4, scale=np.exp(3.5))
    said = coding.summarize(*law(3.5, sd=0.4), column)
    assert [said[name][0] for name in ("estimate", "sd", "low", "high")] == pytest.approx(
        [true.mean(), true.std(), *true.interval(0.95)], rel=1e-12
    )
    assert coding.printed(np.array([3.5]), np.array([[0.16]])) == (f"{true.mean():.6g}", f"{true.std():.6g}")
    assert list(coding.expect(*law(3.5), column)) == [pd.Interval(30, 40)]
    assert Interval().restore(json.loads(json.dumps(coding.to_json(), allow_nan=False))) == coding


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["39-30", "40+", "<30"], r"'age' holds '39-30' in row label 0, a lower bound above the upper one \(39 > 30\)"),
        (["30-39", "n/a?", "40+"], r"'age' holds 'n/a\?' in row label 1, which is not read as a bracket"),
        ([None, None], "'age' has no observed value"),
        (["30-39", "30-39"], "'age' holds brackets that all have a number in common.*kind 'ordinal' or 'binary'"),
        (["<40", "40+"], "'age' holds brackets that all have a number in common"),
        (["30-39", "40-49"], "'age' holds brackets that all have a number in common"),
    ],
)
def test_what_is_no_bracket_is_an_error_with_its_row(labels, words):
    with pytest.raises(ColumnError, match=words):
        Interval().learn(pd.Series(labels, name="age", dtype=object))


def test_unreadable_categories_are_errors_though_nobody_gave_them():
    column = pd.Series(pd.Categorical(["<10", "10-20", ">20"], ["<10", "10-20", ">20", "refused"]), name="age")
    with pytest.raises(ColumnError, match="'age' holds 'refused', which is not read"):
        Interval().learn(column)
    coding = Interval().learn(column.cat.remove_unused_categories())
    with pytest.raises(ColumnError, match="'age' holds 'refused'"):
        coding.decode(np.zeros((1, 1)), column)


def test_numbers_without_a_logarithm_are_errors():
    column = brackets(pd.Series([-5, 3, 9]), pd.Series([-1, 4, 10])).rename("income")
    with pytest.raises(ColumnError, match=r"'income' holds .* in row label 0, nothing above 0.*scale='linear'"):
        Interval(scale="log").learn(column)
    with pytest.raises(EMImputeError, match=r"scale=...\) is 'linear' or 'log', not 'sqrt'"):
        Interval(scale="sqrt")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.cut(pd.Series([1, 5, None, 5]), [0, 3, 6]), "binary"),
        (pd.cut(pd.Series([1, None, 1]), [0, 3, 6]), "constant"),
        (pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 2), None])), "binary"),
        (pd.cut(pd.to_datetime(pd.Series(["2020", "2021", "2022", None])), 3), "ordinal"),
    ],
)
def test_brackets_that_tell_no_spread_are_left_to_other_kinds(column, kind):
    assert not Interval().accepts(column)
    assert choose(column).name == kind


@pytest.mark.parametrize("column", [pd.Series([1.0, 2.0]), pd.Series(["30-39", "40+"]), pd.Series([], dtype=object)])
def test_other_columns_are_not_brackets(column):
    assert not Interval().accepts(column)
