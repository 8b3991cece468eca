"""Levels: read from any dtype, written to any that can hold them."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS
from labels import BRACKETS, CATEGORIES, TEXT

from emimpute.errors import ColumnError
from emimpute.kinds.levels import Levels, distinct, holds_booleans, in_order, plain

VALUES = np.array([3.0, np.nan, 7.0, 1.0, 7.0])
TEXTS = ["b", None, "a", "b"]


READ = {
    **{name: make(VALUES) for name, make in COLUMNS.items()},
    **{name: make(TEXTS) for name, make in (TEXT | CATEGORIES).items()},
    **{name: make() for name, make in BRACKETS.items()},
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_written_back(name):
    column = READ[name]
    levels = Levels.of(column)
    codes = levels.codes(column)
    np.testing.assert_array_equal(codes < 0, column.isna())
    written = pd.Series(levels.write(codes[codes >= 0], column), dtype=column.dtype)
    pd.testing.assert_series_equal(written, column.dropna().reset_index(drop=True), check_names=False)
    assert len(levels.write([], column)) == 0
    assert levels.counts(column).sum() == column.count()


@pytest.mark.parametrize("name", READ)
def test_json_keeps_every_label(name):
    column = READ[name]
    levels = Levels.of(column)
    again = Levels.from_json(json.loads(json.dumps(levels.to_json(), allow_nan=False)))
    assert again == levels
    assert [type(label) for label in again.labels] == [type(label) for label in levels.labels]


@pytest.mark.parametrize(
    "label",
    [
        dt.date(2020, 1, 2),
        dt.time(12, 30),
        pd.Timestamp("2020-01-02 03:04:05.678901", tz="Europe/Paris"),
        pd.Timestamp("2020-10-25 02:30", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timestamp("0800-01-01").as_unit("s"),
        pd.Timedelta("3 days 00:00:00.000000001"),
        pd.Period("2020-02", "M"),
        pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"), closed="left"),
        pd.Interval(-np.inf, 3.5),
        Decimal("1.10"),
        ("a", 2, (True, 0.1)),
        np.inf,
    ],
)
def test_json_keeps_labels_of_every_sort(label):
    assert Levels.from_json(json.loads(json.dumps(Levels((label,)).to_json(), allow_nan=False))).labels == (label,)


def test_what_json_cannot_hold_is_an_error():
    with pytest.raises(ColumnError, match=r"A level is of type frozenset.*convert the column to text"):
        Levels((frozenset({1}),)).to_json()


def test_categories_are_all_there_in_their_order_and_other_values_sorted():
    column = pd.Series(pd.Categorical(["a", None], ["z", "a", "m"]))
    assert Levels.of(column).labels == ("z", "a", "m")
    assert Levels.of(column.astype(object)).labels == ("a",)
    assert Levels.of(pd.Series([3, 1, 2])).labels == (1, 2, 3)
    assert in_order([2, "a", 1]) == (1, 2, "a")


def test_labels_are_plain_python_objects():
    assert type(plain(np.float32(2))) is float
    assert type(plain(np.str_("a"))) is str
    assert type(plain(pd.Interval(np.int64(1), np.int64(2))).left) is int
    assert plain(np.datetime64("2020-01-01")) == pd.Timestamp("2020-01-01")
    assert type(plain(dt.datetime(2020, 1, 1))) is pd.Timestamp  # noqa: DTZ001
    assert plain((np.int8(1), "a")) == (1, "a")
    assert Levels.of(COLUMNS["bool[pyarrow]"](VALUES)).labels == (False, True)


def test_integers_beyond_floats_stay_apart():
    column = pd.Series([2**53, 2**53 + 1, None], dtype="Int64")
    levels = Levels.of(column)
    assert levels.labels == (2**53, 2**53 + 1)
    assert levels.shown([1])[0] == 2**53 + 1
    assert list(levels.write([1], column)) == [2**53 + 1]


def test_levels_of_one_dtype_are_read_in_another():
    levels = Levels.of(pd.Series([1, 2, 3], dtype="Int64"))
    for column in (
        pd.Series([2.0, np.nan]),
        pd.Series([2, None], dtype="UInt8"),
        pd.Series(pd.Categorical([2, None], [3, 2, 1])),
    ):
        assert levels.codes(column).tolist() == [1, -1]
        assert list(levels.write([0], column)) == [1]


def test_an_unseen_level_is_an_error_with_its_row():
    column = pd.Series(["a", "x"], index=["first", "second"], name="q")
    with pytest.raises(
        ColumnError,
        match=r"Column 'q' holds 'x' \(row label 'second'\).*seen in fitting \('a' and 'b'\): replace it by",
    ):
        Levels(("a", "b")).codes(column)
    assert Levels(("a", "b")).codes(pd.Series(pd.Categorical(["a"], ["a", "x"]))).tolist() == [0]  # x is not there


@pytest.mark.parametrize(
    ("like", "words"),
    [
        (pd.Series(pd.Categorical(["a"]), name="q"), r"'q' has no category 'b'.*\.cat\.add_categories"),
        (pd.Series([np.nan], name="q"), r"'q' \(dtype float64\) cannot hold 'a'"),
        (pd.Series([None], dtype="Int64", name="q"), r"'q' \(dtype Int64\) cannot hold 'a'"),
        (pd.Series([None], dtype="boolean", name="q"), r"'q' \(dtype boolean\) cannot hold 'a'"),
    ],
)
def test_a_dtype_that_cannot_hold_a_level_is_an_error(like, words):
    with pytest.raises(ColumnError, match=words):
        Levels(("a", "b")).write([0, 1], like)


def test_no_value_is_changed_to_fit_a_dtype():
    with pytest.raises(ColumnError, match=r"cannot hold 'no'"):
        Levels(("no", "yes")).write([0], pd.Series([], dtype=bool))  # both would be True
    with pytest.raises(ColumnError, match=r"cannot hold 300"):
        Levels((2, 300)).write([0, 1], pd.Series([1], dtype="int8"))
    assert Levels((2, 300)).write([0], pd.Series([1], dtype="int8")).tolist() == [2]


def test_what_cannot_be_told_apart_is_an_error():
    with pytest.raises(ColumnError, match=r"'q' holds objects that cannot be told apart, such as \[1\]"):
        distinct(pd.Series([[1], None], name="q"))


@pytest.mark.parametrize("dtype", COLUMNS)
def test_booleans_are_known_in_every_dtype(dtype):
    assert holds_booleans(COLUMNS[dtype](VALUES)) == ("bool" in dtype)
    assert not holds_booleans(pd.Series([], dtype=object))
    assert holds_booleans(pd.Series([True], dtype="Sparse[bool]"))


def test_numbers_are_shown_as_numbers_and_all_else_as_objects():
    assert Levels((1, 2)).shown([1, 0]).tolist() == [2, 1]
    assert Levels((1, 2)).shown([1, 0]).dtype.kind == "i"
    assert Levels((1, 2.5)).shown([1]).dtype.kind == "f"
    assert Levels((False, True)).shown([1]).tolist() == [True]
    assert Levels((("a", 1), ("b", 2))).shown([1]).tolist() == [("b", 2)]
