"""Kind `binary`: one of two answers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS
from labels import CATEGORIES, TEXT
from scipy.special import ndtr

from emimpute.errors import ColumnError
from emimpute.kinds import Binary
from emimpute.kinds.registry import choose

VALUES = np.array([3.0, np.nan, 7.0, 3.0, 3.0])
ANSWERS = ["yes", "no", None, "no", "no"]
SMOKES = pd.Series(ANSWERS, name="smokes")


@pytest.mark.parametrize("dtype", [dtype for dtype in COLUMNS if "bool" in dtype])
def test_booleans_are_binary_by_themselves(dtype):
    column = COLUMNS[dtype](VALUES)
    assert choose(column).name == "binary"
    coding = Binary().learn(column)
    assert coding.levels.labels == (False, True)
    assert coding.kind == "binary"
    filled = coding.decode(np.array([[-9.0], [9.0]]), column)
    assert filled.dtype == column.dtype
    assert list(filled) == [False, True]


@pytest.mark.parametrize("make", (TEXT | CATEGORIES).values(), ids=TEXT | CATEGORIES)
def test_two_texts_and_two_categories_are_too(make):
    column = make(ANSWERS)
    if column.dtype == "category" and column.cat.ordered and len(column.cat.categories) > 2:
        assert choose(column).name == "ordinal"
    else:
        assert choose(column).name == "binary"


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([0, 1, 0, 1]),
        pd.Series([0.0, 1, np.nan]),
        pd.Series(["a", "b"]),
        pd.Series(["a", "b", "c"]),
        pd.Series([True, None], dtype="boolean"),
        pd.Series([[1], [2], [1]]),
        pd.Series([1, "a", 1], dtype=object),
        pd.Series([], dtype=bool),
    ],
)
def test_other_columns_are_not(column):
    assert not Binary().accepts(column)


def test_two_numbers_are_binary_where_declared():
    column = pd.Series([0, 1, 0, None, 0], dtype="Int8")
    coding = Binary().learn(column)
    assert coding.cuts[0].tolist() == pytest.approx([0.6744897501960817])
    assert list(coding.expect(np.array([[0.6], [0.7]]), np.ones((2, 1, 1)), column)) == [0, 1]


def test_the_more_probable_answer_is_filled_in():
    coding = Binary().learn(SMOKES).settled((np.array([0.3]),))
    mean, var = np.array([[0.2], [0.31], [-5.0]]), np.full((3, 1, 1), 4.0)
    shares = coding.probabilities(mean, var)
    np.testing.assert_allclose(shares["yes"], ndtr((mean[:, 0] - 0.3) / 2), rtol=1e-14)
    assert list(coding.expect(mean, var, SMOKES)) == ["no", "yes", "no"]
    assert coding.summarize(mean, var, SMOKES)["estimate"].tolist() == ["no", "yes", "no"]


def test_the_mean_of_booleans_is_a_share():
    column = pd.Series([True, False, False, False])
    assert Binary().learn(column).printed(np.zeros(1), np.eye(1)) == ("0.25", "0.433013")


def test_json_keeps_kind_levels_and_settled_cut_point():
    coding = Binary().learn(SMOKES).settled((np.array([0.125]),))
    again = Binary().restore(json.loads(json.dumps(coding.to_json())))
    assert again == coding
    assert type(again) is type(coding)
    assert again.kind == "binary"


def test_more_or_fewer_levels_are_errors():
    with pytest.raises(ColumnError, match=r"'x' holds 3 levels \('a', 'b' and 'c'\): kind 'binary' takes two"):
        Binary().learn(pd.Series(["a", "b", "c"], name="x"))
    with pytest.raises(ColumnError, match=r"'x' holds one level only \(True\).* use kind 'constant'"):
        Binary().learn(pd.Series([True, True], name="x"))
    with pytest.raises(ColumnError, match=r"'smokes' holds 'maybe'"):
        Binary().learn(SMOKES).encode(pd.Series(["maybe"], name="smokes"))
