"""Kind `real`: numbers as they are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS

from emimpute.errors import ColumnError
from emimpute.kinds import Datetime, Real, Timedelta
from emimpute.kinds.base import Cells
from emimpute.kinds.registry import choose

VALUES = np.array([3.0, np.nan, 7.0])
NO_VAR = np.zeros((1, 1, 1))


def test_cells_are_points_or_holes_in_one_shared_array():
    cells = Real().learn(pd.Series(VALUES)).encode(pd.Series(VALUES))
    assert isinstance(cells, Cells)
    assert cells.lower is cells.upper
    np.testing.assert_array_equal(np.diff(cells.lower[[0, 2], 0]), [4])
    assert np.isnan(cells.lower[1, 0])


def test_the_shift_brings_means_back_to_the_columns_scale():
    coding = Real().learn(pd.Series(VALUES))
    np.testing.assert_array_equal(coding.encode(pd.Series(VALUES)).lower[:, 0] + coding.shift, VALUES)
    assert coding.labels("x") == ("x",)


def test_drawing_and_expecting_go_back_the_same_way():
    column = pd.Series([1, None, 5], dtype="Int64")
    coding = Real().learn(column)
    z = np.array([[2.4]]) - coding.shift
    assert list(coding.expect(z, NO_VAR, column)) == list(coding.decode(z, column)) == [2]


def test_the_dtype_of_the_new_column_decides_what_is_legal():
    coding = Real().learn(pd.Series([1, 2, 4]))
    z = np.array([[1.4]]) - coding.shift
    assert coding.decode(z, pd.Series([1.0])).tolist() == [1.4]
    assert list(coding.decode(z, pd.Series([1, None], dtype="Int8"))) == [1]
    assert coding.decode(z, pd.Series(pd.Categorical([1, 5], ordered=True))).tolist() == [1]


@pytest.mark.parametrize("dtype", COLUMNS)
def test_what_json_keeps_encodes_the_same(dtype):
    """Of columns of a clock, with the kinds that are for them."""
    column = COLUMNS[dtype](VALUES)
    kind = {"datetime": Datetime, "timedelta": Timedelta}.get(choose(column).name, Real)()
    assert kind.restore(json.loads(json.dumps((coding := kind.learn(column)).to_json()))) == coding


def test_integers_beyond_floats_survive_json():
    coding = Real().learn(pd.Series([2**63 - 1, 2**63 - 2]))
    assert Real().restore(json.loads(json.dumps(coding.to_json()))).origin.value == coding.origin.value >= 2**63 - 4


def test_the_origin_is_a_round_number_and_no_cell_of_the_data():
    for values in ([5.25, 7.9, 1.1], [1_000_003, 1_000_001], [-3.5, 4.25], [2**60 + 1, 2**60 + 399]):
        columns = [pd.Series(values), pd.Series(values[::-1])]
        origins = [Real().learn(column).origin for column in columns]
        assert origins[0] == origins[1]
        assert origins[0].value not in values
        assert abs(origins[0].value - values[0]) <= 4 * (max(values) - min(values))


def test_what_cannot_be_learned_is_an_error_that_names_the_column():
    for values, sentence in (
        (["1", "2"], "'x' .* does not hold numbers: convert it with pd.to_numeric"),
        ([np.nan, np.nan], "'x' has no observed value"),
        ([np.inf, 1.0], "'x' holds infinity"),
        ([1j], "'x' holds complex numbers"),
    ):
        with pytest.raises(ColumnError, match=sentence):
            Real().learn(pd.Series(values, name="x"))


def test_text_where_numbers_were_learned_is_an_error():
    with pytest.raises(ColumnError, match=r"'x' .* does not hold numbers"):
        Real().learn(pd.Series(VALUES)).encode(pd.Series(["a", "b"], name="x"))


@pytest.mark.parametrize("dtype", [d for d in COLUMNS if "bool" in d])
def test_booleans_are_taken_only_when_asked_for(dtype):
    column = COLUMNS[dtype](VALUES)
    assert not Real().accepts(column)
    coding = Real().learn(column)
    assert list(coding.decode(np.array([[0.9], [0.1]]) - coding.shift, column)) == [True, False]


@pytest.mark.parametrize("ordered", [True, False])
def test_categories_of_numbers_are_taken_only_when_asked_for(ordered):
    column = pd.Series(pd.Categorical([1, 3, None], ordered=ordered))
    assert not Real().accepts(column)
    coding = Real().learn(column)
    assert coding.decode(np.array([[2.9]]) - coding.shift, column).tolist() == [3]


def test_a_column_where_nothing_is_observed_can_be_filled_from_a_fit():
    coding = Real().learn(pd.Series(VALUES))
    for new in (pd.Series([np.nan]), pd.Series([None], dtype=object), pd.Series([None], dtype="Int64")):
        assert np.isnan(coding.encode(new).lower).all()
        filled = coding.decode(np.array([[4.0]]) - coding.shift, new)
        assert filled.dtype == new.dtype
        assert list(filled) == [4]
