"""Kind `censored`: numbers with detection limits."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from emimpute.errors import ColumnError, EMImputeError
from emimpute.kinds import Censored
from emimpute.kinds.registry import available, choose

LEAD = pd.Series([0.5, 0.5, 0.7, np.nan, 3.0, 10.0, 12.0], name="lead")
INF = np.inf


def bounds(coding, column):
    cells = coding.encode(column)
    return cells.lower[:, 0] + coding.shift, cells.upper[:, 0] + coding.shift


def test_cells_at_a_limit_and_beyond_are_half_lines():
    lower, upper = bounds(Censored(low=0.5, high=10).learn(LEAD), LEAD)
    np.testing.assert_allclose(lower, [-INF, -INF, 0.7, np.nan, 3, 10, 10], rtol=1e-14)
    np.testing.assert_allclose(upper, [0.5, 0.5, 0.7, np.nan, 3, INF, INF], rtol=1e-14)


def test_one_limit_is_enough():
    lower, upper = bounds(Censored(low=0.5).learn(LEAD), LEAD)
    assert (lower == upper).sum() == 4
    lower, upper = bounds(Censored(high=10).learn(LEAD), LEAD)
    assert np.isinf(upper).sum() == 2
    assert not np.isinf(lower).any()


def test_without_a_cell_at_a_limit_all_are_points_in_one_shared_array():
    cells = Censored(low=0.1, high=99).learn(LEAD).encode(LEAD)
    assert cells.lower is cells.upper


@pytest.mark.parametrize("dtype", ["Int64", "float32", "int64[pyarrow]"])
def test_limits_are_met_exactly_and_cells_keep_their_dtype(dtype):
    column = pd.Series([2**20 + 1, 2**20 + 2, 2**20 + 3, 2**20 + 9], dtype=dtype)
    coding = Censored(low=2**20 + 2).learn(column)
    assert np.isneginf(coding.encode(column).lower[:, 0]).tolist() == [True, True, False, False]
    filled = coding.expect(np.array([[2**20 + 2.6]]) - coding.shift, np.ones((1, 1, 1)), column)
    assert filled.dtype == column.dtype
    assert float(filled[0]) == (2**20 + 2.625 if dtype == "float32" else 2**20 + 3)


def test_gaps_are_filled_as_if_there_were_no_limit():
    coding = Censored(low=0.5).learn(LEAD)
    z = np.array([[-1.0]]) - coding.shift
    assert coding.decode(z, LEAD).tolist() == pytest.approx([-1])
    said = coding.summarize(z, np.full((1, 1, 1), 4.0), LEAD)
    assert (said["estimate"][0], said["sd"][0]) == pytest.approx((-1, 2))
    assert coding.printed(z[0], np.full((1, 1), 4.0)) == ("-1", "2")


def test_json_keeps_origin_and_limits():
    coding = Censored(low=0.5).learn(LEAD)
    assert Censored().restore(json.loads(json.dumps(coding.to_json(), allow_nan=False))) == coding


def test_it_is_declared_and_never_guessed():
    assert choose(LEAD).name == "real"
    assert not Censored(low=0.5).accepts(LEAD)
    assert available().set_index("name").loc["censored", "status"] == "ready"


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        (Censored(), LEAD, r"'lead' was declared censored without a limit.*Censored\(low=0.5\)"),
        (Censored(low=20), LEAD, "'lead' has all its values at or below the limit 20"),
        (Censored(high=0.5), LEAD, r"'lead' has all its values at or above the limit 0\.5"),
        (Censored(low=1), LEAD.astype(str), "'lead' .*does not hold numbers"),
        (Censored(low=1), pd.to_datetime(pd.Series(["2020", "2021"], name="day")), "'day' holds times"),
        (Censored(low=1), pd.Series([np.nan], name="x"), "'x' has no observed value"),
    ],
)
def test_what_cannot_be_censored_is_an_error(kind, column, words):
    with pytest.raises(ColumnError, match=words):
        kind.learn(column)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"low": "a"}, r"Censored\(low=...\) is a finite number, not 'a'"),
        ({"high": np.inf}, r"Censored\(high=...\) is a finite number"),
        ({"low": True}, r"is a finite number, not True"),
        ({"low": 2, "high": 1}, r"the lower limit must be below the upper one"),
    ],
)
def test_limits_that_mean_nothing_are_errors(limits, words):
    with pytest.raises(EMImputeError, match=words):
        Censored(**limits)


def test_limits_may_be_numpy_numbers():
    assert type(Censored(low=np.float32(0.5)).low) is float
