"""Missingness patterns and pairwise counts, against counting by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS, COMPLETE
from frames import FRAMES, all_bits, numeric

from emimpute._frames import key


def test_patterns():
    """The most frequent first; of equally frequent ones the more complete first."""
    df = pd.DataFrame(
        {
            "x": [1, 2, None, None, 5, None],
            "y": [1.0, None, None, None, 2.0, None],
            "t": ["a", "b", "c", None, "d", "e"],
        }
    )
    table = df.em.patterns()
    assert table.columns.tolist() == ["x", "y", "t", "rows", "missing"]
    assert table.to_numpy().tolist() == [
        [True, True, True, 2, 0],
        [False, False, True, 2, 2],
        [True, False, True, 1, 1],
        [False, False, False, 1, 3],
    ]
    assert table.dtypes.tolist()[:3] == [np.dtype(bool)] * 3
    assert table.index.tolist() == [0, 1, 2, 3]


def test_coverage():
    """Rows in which two columns are both there; the diagonal counts the observed."""
    df = numeric(200, 5)
    seen = df.notna().to_numpy().astype(int)
    counts = df.em.coverage()
    np.testing.assert_array_equal(counts, seen.T @ seen)
    np.testing.assert_array_equal(np.diag(counts), df.count())
    assert (counts.dtypes == np.int64).all()


@pytest.mark.parametrize("name", FRAMES)
def test_every_shape(name):
    """Labels may repeat, be missing, or have levels; the frame stays as it was."""
    df = FRAMES[name]()
    before = all_bits(df)
    table, counts = df.em.patterns(), df.em.coverage()
    assert list(map(key, table.columns[:-2])) == list(map(key, df.columns))
    assert table.shape[1] == df.shape[1] + 2
    assert table.columns.names == df.columns.names
    assert table.iloc[:, -2].sum() == len(df)
    missing = (~table.iloc[:, : df.shape[1]].to_numpy(dtype=bool)).sum(axis=1)
    np.testing.assert_array_equal(missing, table.iloc[:, -1])
    assert (missing * table.iloc[:, -2]).sum() == df.isna().to_numpy().sum()
    assert counts.index.identical(df.columns)
    assert counts.columns.identical(df.columns)
    assert all_bits(df) == before


def test_last_columns_of_a_multiindex():
    """The two counts fill the levels below with empty strings."""
    table = FRAMES["MultiIndex columns"]().em.patterns()
    assert table.columns.tolist()[-2:] == [("rows", ""), ("missing", "")]
    assert table["rows"].sum() == 40


def test_columns_called_rows_and_missing():
    """Whatever the data's own columns are called."""
    df = numeric().set_axis(["rows", "missing", "x"], axis=1)
    table = df.em.patterns()
    assert table.columns.tolist() == ["rows", "missing", "x", "rows", "missing"]


@pytest.mark.parametrize("df", [pd.DataFrame(), pd.DataFrame(index=range(3)), numeric()[:0]], ids=["0x0", "3x0", "0x3"])
def test_nothing(df):
    """No rows: no pattern. No columns: all rows share the empty one."""
    table = df.em.patterns()
    assert table["rows"].sum() == len(df)
    assert df.em.coverage().shape == (df.shape[1], df.shape[1])
    assert df.em.coverage().to_numpy().sum() == 0


@pytest.mark.parametrize("name", [*COLUMNS, *COMPLETE])
def test_every_dtype(name):
    """A gap is a gap in any dtype."""
    values = np.tile([1.0, 2.0, np.nan, 3.0], 5)
    column = {**COLUMNS, **COMPLETE}[name](values)
    counts = pd.DataFrame({"x": column, "y": np.arange(20.0)}).em.coverage()
    there = 15 if name in COLUMNS else 20
    assert counts.to_numpy().tolist() == [[there, there], [there, 20]]


def test_more_than_64_columns():
    """Patterns that differ only far to the right are told apart."""
    x = np.ones((6, 200))
    x[1, 199] = x[2, 64] = x[3, 0] = x[4, 128] = np.nan
    table = pd.DataFrame(x).em.patterns()
    assert table["rows"].tolist() == [2, 1, 1, 1, 1]
    assert table["missing"].tolist() == [0, 1, 1, 1, 1]
