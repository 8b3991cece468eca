"""Kind `constant`: columns with one value, which takes no latent coordinate."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS

from emimpute.errors import ColumnError
from emimpute.kinds import Constant

ONE = np.array([3.0, np.nan, 3.0])
NOTHING = np.empty((2, 0))
NO_VAR = np.empty((2, 0, 0))


@pytest.mark.parametrize("dtype", COLUMNS)
def test_holes_get_the_very_same_cell(dtype):
    column = COLUMNS[dtype](ONE)
    assert Constant().accepts(column)
    coding = Constant().learn(column)
    assert coding.encode(column).lower.shape == (3, 0)
    filled = coding.expect(NOTHING, NO_VAR, column)
    pd.testing.assert_series_equal(pd.Series(filled, dtype=column.dtype), column[[0, 2]].reset_index(drop=True))


@pytest.mark.parametrize("dtype", COLUMNS)
def test_a_column_that_holds_nothing_gets_it_too(dtype):
    column = COLUMNS[dtype](ONE)
    coding = Constant().learn(column)
    filled = pd.Series(coding.decode(NOTHING, column[1:2]), dtype=column.dtype)
    assert filled.tolist() == column[[0, 2]].tolist()


@pytest.mark.parametrize("value", [-0.0, 0.1, 5e-324, np.longdouble(1) / 3])
def test_no_bit_of_the_constant_is_lost(value):
    column = pd.Series([np.nan, value], dtype=getattr(value, "dtype", float))
    (filled, _) = Constant().learn(column).decode(NOTHING, column)
    assert filled == value
    assert np.signbit(filled) == np.signbit(value)


def test_it_has_no_coordinate_and_no_uncertainty():
    column = pd.Series([2, None], dtype="Int64")
    coding = Constant().learn(column)
    assert (coding.width, coding.labels("x"), coding.shift) == (0, (), ())
    said = coding.summarize(NOTHING, NO_VAR, column)
    assert {name: list(values) for name, values in said.items()} == {
        "estimate": [2, 2],
        "sd": [0, 0],
        "low": [2, 2],
        "high": [2, 2],
    }


@pytest.mark.parametrize(
    "values", [[1.0, 2.0], [np.nan], [], ["a", "b"], [2**53, 2**53 + 1], [1, "a"], [Decimal("0.1"), 0.1], [[1], [1]]]
)
def test_other_columns_are_not_accepted(values):
    dtype = object if not values or isinstance(values[0], Decimal | list) else None
    assert not Constant().accepts(pd.Series(values, dtype=dtype))


def test_several_values_are_refused_by_name():
    with pytest.raises(ColumnError, match=r"'x' holds several values \(1 and 2, for example\): .* use kind 'real'"):
        Constant().learn(pd.Series([1, 1, 2], name="x"))
    with pytest.raises(ColumnError, match=r"'x' holds several values \('b' and 'a', for example\): .* kind 'nominal'"):
        Constant().learn(pd.Series(["b", "a", None], name="x"))


def test_infinity_and_text_are_refused():
    with pytest.raises(ColumnError, match="'x' holds infinity in 2 rows"):
        Constant().learn(pd.Series([np.inf, np.inf], name="x"))
    coding = Constant().learn(pd.Series([1.0, 1.0]))
    with pytest.raises(ColumnError, match=r"'x' .* does not hold numbers"):
        coding.encode(pd.Series(["a"], name="x"))


def test_new_data_may_hold_other_values():
    """The constant is what was learned; what is observed stays, what is missing gets the constant."""
    coding = Constant().learn(pd.Series([2.0, 2.0]))
    assert coding.decode(NOTHING, pd.Series([5.0, np.nan])).tolist() == [2.0, 2.0]


LABELS = {
    "text": pd.Series(["a", None, "a"]),
    "objects": pd.Series(["a", None, "a"], dtype=object),
    "string": pd.Series(["a", None, "a"], dtype="string"),
    "string[pyarrow]": pd.Series(["a", None, "a"], dtype="string[pyarrow]"),
    "category": pd.Series(["a", None, "a"], dtype="category"),
    "one category of three": pd.Series(pd.Categorical(["a", None, "a"], ["c", "a", "b"], ordered=True)),
    "category of numbers": pd.Series(pd.Categorical([2, None, 2])),
    "brackets": pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), None, (0, 1)])),
    "bracket categories": pd.cut(pd.Series([0.5, np.nan, 0.6]), [0, 1, 2]),
    "tuples": pd.Series([(1, "a"), None, (1, "a")], dtype=object),
}


@pytest.mark.parametrize("name", LABELS)
def test_a_constant_need_not_be_a_number(name):
    column = LABELS[name]
    assert Constant().accepts(column)
    coding = Constant().learn(column)
    filled = pd.Series(coding.decode(NOTHING, column), dtype=column.dtype)
    pd.testing.assert_series_equal(filled, column[[0, 2]].reset_index(drop=True))
    assert coding.probabilities(NOTHING, NO_VAR).keys() == {column[0]}
    assert coding.printed(NOTHING[0], NO_VAR[0]) == (str(column[0]), "")


def test_a_constant_that_new_data_cannot_hold_is_an_error_that_says_so():
    coding = Constant().learn(LABELS["text"])
    with pytest.raises(ColumnError, match=r"'x' has no category 'a'.*\.cat\.add_categories"):
        coding.decode(NOTHING, pd.Series(pd.Categorical(["b", None]), name="x"))
    with pytest.raises(ColumnError, match=r"'x' \(dtype float64\) cannot hold 'a'.*\.astype"):
        coding.decode(NOTHING, pd.Series([np.nan], name="x"))
