"""The six guarantees of ``impute``, each over every dtype and every shape of frame."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dtypes import ANSWERS, COLUMNS, COMPLETE
from frames import FRAMES, all_bits, bits, numeric

import emimpute
from emimpute.em import Stop

ROOT = Path(__file__).parents[1]
NUMBERS = {**COLUMNS, **COMPLETE}
FEW = {"x": COLUMNS["float64"], "y": COLUMNS["Int64"], "z": COLUMNS["boolean"]}
DTYPES = {**NUMBERS, **ANSWERS}
ROUNDING = 1e-8  # of a conditional sd: what permuting and other units may change


def everything(rows=600, seed=1, recipes=NUMBERS):
    """One column of every dtype, with one factor in common, and a column name for each dtype.

    So many rows that no boolean is determined by the other columns.
    """
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal(rows)
    columns = {}
    for name, make in recipes.items():
        values = np.clip(np.rint(50 + 12 * (0.6 * factor + 0.8 * rng.standard_normal(rows))), 0, 100)
        values[rng.random(rows) < 0.15] = np.nan
        columns[name] = make(values)
    return pd.DataFrame(columns)


def answers(rows=300, seed=1):
    """The same for columns of answers, beside a few of numbers."""
    return everything(rows, seed, {**FEW, **ANSWERS})


def missing(column):
    """What counts as missing, said by other means than the package's own."""
    gaps = np.array(column.isna(), dtype=bool)
    hidden = [isinstance(cell, float) and np.isnan(cell) for cell in column]
    return gaps | np.array(hidden, dtype=bool)


@dataclass(frozen=True)
class Done:
    """A frame, its bits before, its completion, and what is told of its missing cells."""

    df: pd.DataFrame
    before: list
    filled: pd.DataFrame
    cells: pd.DataFrame

    @classmethod
    def of(cls, df):
        """``df`` completed."""
        before, fits = all_bits(df), []
        filled = df.em.impute(report=fits.append)
        return cls(df, before, filled, fits[0].cells())

    def told(self, name):
        """The rows of ``cells`` for one column, in the order of its gaps."""
        return self.cells[self.cells["column"] == name]


@pytest.fixture(scope="module")
def both():
    """The frame of numbers and the frame of answers, completed without a warning."""
    return [Done.of(everything()), Done.of(answers())]


@pytest.fixture
def done(both, name):
    """The one of them that has the column ``name``."""
    return both[name in ANSWERS]


def edit(df):
    """Change the cells of ``df`` in every way that pandas knows, and everything around them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused = (ValueError, TypeError, NotImplementedError, AttributeError)
        for i in range(df.shape[1]):
            here = df.iloc[:, i]
            seen = np.flatnonzero(~missing(here))
            if not len(seen):
                continue
            cell = here.iloc[seen[-1]]
            ways = [
                lambda c=here, v=cell: c.array.__setitem__(slice(0, 9), v),
                lambda c=here, v=cell: c.values.__setitem__(slice(0, 9), v),
                lambda c=here, v=cell: c.to_numpy().__setitem__(slice(0, 9), v),
                lambda c=here, v=cell: np.asarray(c).__setitem__(slice(0, 9), v),
                lambda c=here, v=cell: c.iloc.__setitem__(slice(0, 9), v),
                lambda i=i, v=cell: df.iloc.__setitem__((slice(0, 9), i), v),
                lambda i=i, v=cell: df.iat.__setitem__((0, i), v),
                lambda i=i, v=cell: df.loc.__setitem__((df.index[:5], df.columns[i]), v),
            ]
            for way in ways:
                with suppress(*refused):
                    way()
        for way in (
            lambda: df.values.__setitem__((slice(0, 9), slice(None)), 0),
            lambda: df.to_numpy().__setitem__((slice(0, 9), slice(None)), 0),
            lambda: df.mask(df.isna(), 0, inplace=True),  # noqa: PD002 (that is the point)
            lambda: df.fillna(0, inplace=True),  # noqa: PD002
        ):
            with suppress(*refused):
                way()
        df.index.name, df.columns.name, df.attrs["edited"] = "edited", "edited", True
        df.drop(index=df.index[-1:], inplace=True)  # noqa: PD002
        df.insert(0, "edited", 1)


class TestObservedCellsKeepTheirBits:
    """1. Every observed cell comes back bit for bit, and the caller's frame is untouched."""

    @pytest.mark.parametrize("name", DTYPES)
    def test_observed_cells(self, done, name):
        """Bytes and validity of the cells that were there."""
        df, filled = done.df, done.filled
        seen = ~missing(df[name])
        assert seen.sum() > 0
        assert bits(filled[name], seen) == bits(df[name], seen)

    def test_callers_frame(self, both):
        """The frame that was given has the bits that it had."""
        for done in both:
            assert all_bits(done.df) == done.before

    @pytest.mark.parametrize("name", FRAMES)
    def test_every_shape(self, name):
        """The same for frames with odd labels."""
        df = FRAMES[name]()
        before = all_bits(df)
        filled = df.em.impute()
        assert all_bits(df) == before
        for i in range(df.shape[1]):
            seen = df.iloc[:, i].notna().to_numpy()
            assert bits(filled.iloc[:, i], seen) == bits(df.iloc[:, i], seen)

    @pytest.mark.parametrize(
        "cells",
        [
            pd.Series([-0.0, 0.0, np.nan, 5e-324, 1e30, -1e-300, 0.1, 3.0]),
            pd.Series([-0.0, 0.0, np.nan, 1e-45, 3e38, 0.1, 0.2, 3.0], dtype="float32"),
            pd.Series([2**53 + 1, 2**53, None, 2**53 + 3, 5, 4, 3, -(2**53) - 1], dtype="Int64"),
            pd.Series([2**64 - 1, 2**63 + 1, None, 3, 5, 4, 3, 1], dtype="UInt64"),
            pd.Series([2**62 + 1, 3, None, 2**53 + 1, 5, 4, 3, 1], dtype="int64[pyarrow]"),
            pd.Series([-0.0, 0.0, None, 5e-324, 1.5, 0.1, 0.2, 3.0], dtype="Float64"),
            pd.Series([-0.0, 0.0, None, 5e-324, 1.5, 0.1, 0.2, 3.0], dtype="double[pyarrow]"),
            pd.Series(pd.arrays.SparseArray([0.0, 1.0, np.nan, 0.0, 0.1, 0.2, 7.0, 3.0], fill_value=0.0)),
            pd.Series([-0.0, 0.0, None, True, 2**70, 0.1, np.float32(0.1), 3], dtype=object),
            pd.Series([1, 2**60 + 1, None, 3, 4, 5, 6, 7], dtype="Int64").astype(object),
            pd.Series(np.array([-(2**63) + 1, 2**63 - 1, -(2**63), 1, 0, -1, 2**60 + 1, 5], dtype="M8[ns]")),
        ],
        ids=lambda cells: str(cells.dtype),
    )
    def test_delicate_numbers(self, cells):
        """Signed zeros, subnormal numbers, integers that no float holds, the ends of a range."""
        x = np.array([1.0, 2.0, 2.5, 4.5, 5.0, 6.5, 7.0, np.nan])
        df = pd.DataFrame({"x": x, "cells": cells})
        before = all_bits(df)
        filled = df.em.impute(prior="ridge")
        seen = cells.notna().to_numpy()
        assert not filled.isna().any(axis=None)
        assert bits(filled["cells"], seen) == bits(cells, seen)
        assert all_bits(df) == before

    def test_a_nan_that_hides_in_a_nullable_column_is_a_gap(self):
        """``0 / 0`` in Float64 leaves NaN which ``isna`` does not see; it is filled, and the others keep their bits."""
        cells = pd.Series([0.0, 1.0, 2.0, None, -0.0, 7.0], dtype="Float64")
        cells = cells / pd.Series([0.0, 1.0, 1.0, 1.0, 1.0, 1.0], dtype="Float64")
        filled = pd.DataFrame({"cells": cells, "x": [1.0, 2, 4, 3, 1, 8]}).em.impute(prior="ridge")["cells"]
        assert np.isfinite(filled.to_numpy(dtype=float, na_value=np.nan)).all()
        seen = np.array([False, True, True, False, True, True])
        assert bits(filled, seen) == bits(cells, seen)

    @pytest.mark.parametrize("frame", [everything, answers])
    def test_editing_the_result(self, frame):
        """However the result is edited, the caller's frame does not change."""
        df = frame(rows=90)
        before, labels = all_bits(df), df.columns.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", emimpute.EMImputeWarning)
            filled = df.em.impute(max_iter=3)
        edit(filled)
        assert all_bits(df) == before
        assert df.columns.identical(labels)
        assert (df.index.name, df.attrs) == (None, {})
        edit(df)
        changed = [name for name, a, b in zip(labels, before, all_bits(df[labels]), strict=True) if a != b]
        assert set(changed) == set(labels), "the edits of this test change every column, or it would show nothing"

    @pytest.mark.parametrize("frame", [numeric(), numeric().fillna(0.0), numeric()[:0]], ids=["gaps", "full", "empty"])
    def test_editing_the_result_of_any_road(self, frame):
        """Nothing is shared either where there was nothing to do, or where only one column was filled."""
        df = frame.assign(i=pd.array([1] * len(frame), dtype="Int64"))
        before = all_bits(df)
        for filled in (df.em.impute(), df.em.impute(fill="x"), df.em.impute(where=df.notna())):
            edit(filled)
            assert all_bits(df) == before

    @pytest.mark.parametrize("frame", [everything, answers])
    def test_editing_the_callers_frame_after_fit(self, frame):
        """A fit answers from the frame as it was."""
        df = frame(rows=90)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", emimpute.EMImputeWarning)
            fit = df.em.fit(max_iter=3)
        filled, cells = fit.impute(), fit.cells()
        edit(df)
        pd.testing.assert_frame_equal(fit.impute(), filled)
        pd.testing.assert_frame_equal(fit.cells(), cells)

    @pytest.mark.parametrize("frame", [everything, answers])
    def test_editing_what_a_fit_gave(self, frame):
        """Nor do edits of what a fit handed out reach the fit."""
        fit = frame(rows=90).em.fit(prior="ridge", max_iter=500)
        filled, mean, cov = fit.impute(), fit.mean, fit.cov
        edit(fit.impute())
        fit.mean.array[:] = 0
        fit.cov.iloc[:, 0].array[:] = 0
        pd.testing.assert_frame_equal(fit.impute(), filled)
        pd.testing.assert_series_equal(fit.mean, mean)
        pd.testing.assert_frame_equal(fit.cov, cov)


class TestTheFrameKeepsItsShape:
    """2. Index, labels, order, dtypes, categories, attrs, flags and subclass are the same."""

    @pytest.mark.parametrize("name", FRAMES)
    @pytest.mark.parametrize("road", ["impute", "fit", "new"])
    def test_every_shape(self, name, road):
        """By every road to a completed frame."""
        df = FRAMES[name]()
        ways = {
            "impute": df.em.impute,
            "fit": lambda: df.em.fit().impute(),
            "new": lambda: df.em.fit().impute(df),
        }
        filled = ways[road]()
        assert type(filled) is type(df)
        assert filled.index.identical(df.index)
        assert type(filled.index) is type(df.index)
        assert filled.columns.identical(df.columns)
        assert filled.dtypes.tolist() == df.dtypes.tolist()
        assert filled.flags == df.flags
        assert repr(filled.attrs) == repr(df.attrs)
        assert getattr(filled, "source", None) == getattr(df, "source", None)
        assert not filled.isna().any(axis=None)

    @pytest.mark.parametrize("name", DTYPES)
    def test_every_dtype(self, done, name):
        """The dtype, with its unit, zone, categories, precision and fill value."""
        df, filled = done.df, done.filled
        assert filled[name].dtype == df[name].dtype
        assert repr(filled[name].dtype) == repr(df[name].dtype)

    def test_order(self, both):
        """Columns and rows stand where they stood."""
        for done in both:
            assert done.filled.columns.identical(done.df.columns)
            assert done.filled.index.identical(done.df.index)

    def test_categories(self):
        """Categories keep their order, also those that no row has."""
        sizes = pd.CategoricalDtype([5, 1, 3, 9], ordered=True)
        df = numeric().assign(size=pd.Categorical([5, 1, 3, None] * 10, dtype=sizes))
        filled = df.em.impute()["size"]
        assert filled.dtype == sizes
        assert filled.cat.categories.tolist() == [5, 1, 3, 9]
        assert filled.cat.ordered

    def test_attrs_are_copied(self):
        """What is in attrs belongs to each frame alone."""
        df = numeric()
        df.attrs["notes"] = ["first"]
        filled = df.em.impute()
        filled.attrs["notes"].append("second")
        assert df.attrs == {"notes": ["first"]}

    @pytest.mark.parametrize("df", [pd.DataFrame(), pd.DataFrame(index=[3, 1, 2]), numeric()[:0]], ids=str)
    def test_nothing_to_fill(self, df):
        """No columns or no rows: a copy, and not a word."""
        filled = df.em.impute()
        assert filled is not df
        pd.testing.assert_frame_equal(filled, df)

    def test_a_wide_result_is_not_fragmented(self):
        """Pandas warns of performance when a column is added to a frame of many pieces; it has no cause to."""
        df = numeric(60, 120)
        with pytest.warns(emimpute.ConvergenceWarning):
            filled = df.em.impute(indicator=True, prior="ridge", max_iter=1)
        filled["one more"] = 1
        assert filled.shape == (60, 241)


class TestEveryGapIsFilledOrNamed:
    """3. Every cell that was to be filled is filled, or an error or a warning names the column."""

    @pytest.mark.parametrize("name", [*COLUMNS, *ANSWERS])
    def test_every_dtype(self, done, name):
        """Nothing is missing any more."""
        assert missing(done.df[name]).any()
        assert not missing(done.filled[name]).any()

    @pytest.mark.parametrize("name", FRAMES)
    def test_every_shape(self, name):
        """Whatever the labels are."""
        df = FRAMES[name]()
        assert df.isna().any(axis=None)
        assert not df.em.impute().isna().any(axis=None)

    def test_what_no_kind_accepts_is_named(self):
        """Codes, remarks, anything: left alone bit for bit, and named in one warning, but only where there are gaps."""
        n = 40
        codes = [f"code {i:03}" for i in range(n)]
        odd = {
            "codes": [*codes[1:], None],
            "object codes": pd.Series([*codes[1:], None], dtype=object),
            "category of codes": pd.Categorical([*codes[1:], None]),
            "remarks": [f"it was {i} o'clock, and so on" for i in range(n - 1)] + [None],
            "mixed": pd.Series([1, "a", None, 2.0] * 10, dtype=object),
            "lists": pd.Series([[1], [2], None, [3]] * 10, dtype=object),
            "bytes": pd.Series([b"a", b"b", None, b"c"] * 10, dtype=object),
            "nothing": np.full(n, np.nan),
            "NA": pd.array([pd.NA] * n, dtype="Int64"),
            "None": pd.Series([None] * n, dtype=object),
            "NaT": pd.Series([pd.NaT] * n),
            "no text": pd.array([None] * n, dtype="string"),
            "no category": pd.Categorical([None] * n, categories=["a", "b"]),
            "times of day": pd.Series([time(1), time(2), None, time(3)] * 10, dtype=object),
            "codes of all": codes,
        }
        df = numeric().assign(**odd)
        with pytest.warns(emimpute.ColumnWarning) as caught:
            filled = df.em.impute()
        (one,) = caught
        assert one.filename == __file__
        assert {name for name in odd if repr(name) in str(one.message)} == set(odd) - {"codes of all"}
        left = list(odd)
        assert all_bits(filled[left]) == all_bits(df[left])
        assert not filled[["x", "y", "z"]].isna().any(axis=None)

    @pytest.mark.parametrize(
        "cells",
        [
            [f"code {i}" for i in range(39)] + [None],
            pd.Categorical([f"code {i}" for i in range(39)] + [None]),
            np.full(40, np.nan),
            pd.array([pd.NA] * 40, dtype="Int64"),
            pd.array([None] * 40, dtype="string"),
        ],
        ids=["codes", "category of codes", "nothing", "NA", "no text"],
    )
    def test_each_is_named(self, cells):
        """One column left alone, one name, and its reason."""
        df = numeric().assign(**{"the odd one": cells})
        with pytest.warns(emimpute.ColumnWarning, match="'the odd one'"):
            df.em.impute()
        with pytest.raises(emimpute.ColumnError, match="'the odd one'"):
            df.em.impute(fill="the odd one")

    @pytest.mark.parametrize(
        "cells",
        [
            ["a", None] * 20,
            pd.Series(["a", None] * 20, dtype=object),
            pd.Categorical([1, None] * 20),
            pd.Categorical(["S", None] * 20, categories=["S", "L"], ordered=True),
            pd.Series([b"a", None] * 20, dtype=object),
            pd.Series([time(1), None] * 20, dtype=object),
        ],
        ids=["text", "object", "category", "ordered category", "bytes", "time of day"],
    )
    def test_an_only_value_fills_its_gaps(self, cells):
        """Whatever it is: a constant."""
        filled = numeric().assign(k=cells).em.impute()
        assert not filled.isna().any(axis=None)
        assert (filled["k"] == filled["k"].iloc[0]).all()

    def test_many_of_one_sort_are_all_named(self):
        """However many there are: whom the warning does not name, nobody would look for."""
        codes = [*[f"p{i}" for i in range(39)], None]
        df = numeric().assign(**{f"text {i}": codes for i in range(30)})
        with pytest.warns(emimpute.ColumnWarning) as caught:
            df.em.impute()
        assert [i for i in range(30) if f"'text {i}'" not in str(caught[0].message)] == []

    def test_columns_that_are_left_alone_without_gaps(self):
        """No gap, no word."""
        df = numeric().assign(text=[f"p{i}" for i in range(40)], codes=pd.Categorical([1, 2] * 20))
        assert not df.em.impute().isna().any(axis=None)

    def test_a_number_and_a_text_of_one_label(self):
        """Both are filled; where the text is a code, the number is, and the label is named."""
        df = FRAMES["a number and a text of one label"]()
        df.iloc[3, 3] = None
        filled = df.em.impute()
        assert not filled.isna().any(axis=None)
        assert filled.iloc[3, 3] in {"a", "b"}
        df.isetitem(3, [*[f"p{i}" for i in range(39)], None])
        with pytest.warns(emimpute.ColumnWarning, match="'x'"):
            filled = df.em.impute()
        assert filled.isna().sum().tolist() == [0, 0, 0, 1]

    def test_rows_of_nothing_and_constants(self):
        """Empty rows get the means, constant columns their constant."""
        df = numeric().assign(constant=[3.0, np.nan] * 20)
        df.iloc[5] = np.nan
        fit = df.em.fit()
        filled = fit.impute()
        np.testing.assert_allclose(filled.loc[5, ["x", "y", "z"]], fit.mean[["x", "y", "z"]], rtol=1e-12)
        assert (filled["constant"] == 3).all()


class TestFilledValuesAreLegal:
    """4. In an integer column integers, in a category one of its categories, a datetime with its unit and zone."""

    @pytest.mark.parametrize("name", DTYPES)
    def test_every_dtype(self, done, name):
        """A legal cell of the dtype is one that pandas takes back into a column of it, the same."""
        df, filled = done.df, done.filled
        gaps = missing(df[name])
        cells = filled[name][gaps]
        again = pd.Series(cells.tolist(), index=cells.index, dtype=object)
        if df[name].dtype == object:
            types = {type(cell) for cell in df[name][~gaps]}
            assert {type(cell) for cell in cells} <= types | {float if np.float32 in types else None}
        else:
            pd.testing.assert_series_equal(again.astype(df[name].dtype).astype(cells.dtype), cells, check_names=False)

    @pytest.mark.parametrize("name", [name for name in COLUMNS if "int" in name.lower() and "object" not in name])
    def test_integers_are_whole_and_near_the_estimate(self, done, name):
        """The nearest whole number to the conditional expectation."""
        told = done.told(name)
        cells = done.filled.loc[told["row"], name]
        assert all(isinstance(cell, int) for cell in cells.tolist())
        assert np.abs(cells.to_numpy(dtype=float) - told["estimate"].to_numpy(dtype=float)).max() <= 0.5 + 1e-6

    @pytest.mark.parametrize("name", ["boolean", "bool[pyarrow]", "object of bool"])
    def test_booleans(self, done, name):
        """False or True, the more probable one."""
        told = done.told(name)
        cells = done.filled.loc[told["row"], name].tolist()
        assert {type(cell) for cell in cells} == {bool}
        assert cells == [chances[True] > 0.5 for chances in told["probabilities"]]
        assert set(cells) == {False, True}

    @pytest.mark.parametrize("name", [name for name in ANSWERS if "interval" not in name])
    def test_answers(self, done, name):
        """One of those that were given: the most probable one, or the median where they have an order."""
        told = done.told(name)
        cells = done.filled.loc[told["row"], name].tolist()
        assert set(cells) <= set(done.df[name].dropna())
        for cell, chances in zip(cells, told["probabilities"], strict=True):
            assert sum(chances.values()) == pytest.approx(1)
            if "ordered" in name:
                upto = np.cumsum(list(chances.values()))
                assert cell == list(chances)[np.flatnonzero(upto >= 0.5)[0]]
            else:
                assert chances[cell] == max(chances.values())

    @pytest.mark.parametrize("name", ["category of intervals", "interval[float64]"])
    def test_intervals(self, done, name):
        """The bracket that holds the estimate."""
        told = done.told(name)
        cells = done.filled.loc[told["row"], name].tolist()
        assert set(cells) <= set(done.df[name].dropna())
        assert all(number in cell for number, cell in zip(told["estimate"], cells, strict=True))

    @pytest.mark.parametrize("name", ["ordered category of numbers"])
    def test_categories(self, done, name):
        """A category that was observed: the median one."""
        told = done.told(name)
        cells = done.filled.loc[told["row"], name]
        assert set(cells) <= set(done.df[name].dropna())
        assert cells.tolist() == told["estimate"].tolist()
        for cell, chances in zip(cells, told["probabilities"], strict=True):
            assert sum(p for level, p in chances.items() if level <= cell) >= 0.5 - 1e-9
            assert sum(p for level, p in chances.items() if level >= cell) >= 0.5 - 1e-9

    @pytest.mark.parametrize(
        ("dtype", "ends"), [("Int8", (-128, 127)), ("UInt8", (0, 255)), ("int8[pyarrow]", (-128, 127))]
    )
    def test_clipped_to_the_range(self, dtype, ends):
        """What would lie beyond the dtype's range is its end, and does not wrap around."""
        x = np.linspace(0, 1, 41)
        line = ends[0] + (ends[1] - ends[0]) * x + np.tile([0, 1, 0, -1], 11)[:41]
        cells = pd.Series(np.clip(np.rint(line), *ends)).astype(dtype)
        df = pd.DataFrame(
            {
                "x": np.append(x, [-3.0, 5.0]),
                "cells": pd.concat([cells, pd.Series([None, None], dtype=dtype)], ignore_index=True),
            }
        )
        filled = df.em.impute()["cells"]
        assert filled.dtype == df["cells"].dtype
        assert filled.tolist()[-2:] == list(ends)

    def test_times_keep_unit_and_zone(self):
        """A day between two days, in the column's own zone and unit."""
        days = pd.date_range("2020-03-01", periods=50, tz="Europe/Paris", unit="s")
        times = pd.Series(days).where(np.arange(50) % 5 != 2)
        filled = pd.DataFrame({"t": times, "x": np.arange(50.0) + np.tile([0.1, -0.1], 25)}).em.impute()["t"]
        assert str(filled.dtype) == "datetime64[s, Europe/Paris]"
        assert np.abs(filled - pd.Series(days)).max() < pd.Timedelta("12h")


class TestNotConverged:
    """5. A run that did not converge says so at the user's own line, and its best estimate is used."""

    sentence = Stop.MAX_ITER.value

    def heard(self, call, times=1):
        """The frame that ``call`` returned, having checked what was said and where."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = call()
        assert [w.category for w in caught] == [emimpute.ConvergenceWarning] * times
        for w in caught:
            assert self.sentence in str(w.message)
            assert "max_iter" in str(w.message)
            assert w.filename == __file__
            assert w.lineno == call.__code__.co_firstlineno
        return result

    def test_plain(self):
        """From the accessor, the function and the fit."""
        df = numeric()
        for filled in (
            self.heard(lambda: df.em.impute(max_iter=1)),
            self.heard(lambda: emimpute.impute(df, max_iter=1)),
            self.heard(lambda: df.em.fit(max_iter=1)).impute(),
        ):
            assert not filled.isna().any(axis=None)

    def test_inside_a_chain(self):
        """Between methods of pandas."""
        df = numeric()
        filled = self.heard(lambda: df.assign(w=1.5).em.impute(max_iter=1).rename(columns=str.upper))
        assert not filled.isna().any(axis=None)

    def test_inside_groupby_apply(self):
        """Once for every group; Python's own filter shows equal ones once."""
        df = numeric(80).assign(group=["a", "b"] * 40)
        columns = ["x", "y", "z"]
        filled = self.heard(lambda: df.groupby("group")[columns].apply(lambda g: g.em.impute(max_iter=1)), times=2)
        assert not filled.isna().any(axis=None)

    def test_inside_pipe(self):
        """From a lambda that pandas calls, and from the function that pandas calls itself."""
        df = numeric()
        assert not self.heard(lambda: df.pipe(lambda d: d.em.impute(max_iter=1))).isna().any(axis=None)
        assert not self.heard(lambda: df.pipe(emimpute.impute, max_iter=1)).isna().any(axis=None)

    def test_as_an_error(self):
        """A user who wants it strict can have it strict."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", emimpute.ConvergenceWarning)
            with pytest.raises(emimpute.ConvergenceWarning, match=r"max_iter"):
                numeric().em.impute(max_iter=1)

    def test_the_best_is_used(self):
        """More iterations, a better likelihood; and the fit says that it is not there yet."""
        df = numeric()
        fits = [self.heard(lambda n=n: df.em.fit(max_iter=n)) for n in (1, 3)]
        assert not any(fit.converged for fit in fits)
        assert fits[0].loglik < fits[1].loglik < df.em.fit().loglik

    def test_converged_is_silent(self):
        """All is well: not a word (a warning would be an error here)."""
        assert numeric().em.fit().converged


def digest(df):
    """A fingerprint of every bit of a completed table of floats."""
    return hashlib.sha256(np.ascontiguousarray(df.to_numpy()).tobytes()).hexdigest()


LARGE = """
import hashlib, sys, warnings
import numpy as np, pandas as pd, emimpute
warnings.simplefilter("ignore", emimpute.ConvergenceWarning)
n, d, max_iter = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
x = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + rng.standard_normal((n, d))
x[rng.random(x.shape) < 0.2] = np.nan
df = pd.DataFrame(x)
fit = df.em.fit(max_iter=max_iter)
drawn = df.em.impute(sample=True, rng=1, max_iter=max_iter)
for table in (fit.impute(), drawn, fit.mean.to_frame(), fit.cov):
    print(hashlib.sha256(np.ascontiguousarray(table.to_numpy()).tobytes()).hexdigest())
"""


class TestTheSameAgain:
    """6. The same input gives the same bits; order and units change nothing but themselves."""

    def test_twice(self, both):
        """The same bits, expected or drawn with a seed."""
        for done in both:
            again = done.df.em.impute()
            made_anew = objects(again)
            assert all_bits(again.drop(columns=made_anew)) == all_bits(done.filled.drop(columns=made_anew))
            for name in made_anew:
                assert again[name].tolist() == done.filled[name].tolist()
        drawn = [numeric().em.impute(sample=True, rng=rng) for rng in (3, 3, np.random.default_rng(3), 4)]
        assert digest(drawn[0]) == digest(drawn[1]) == digest(drawn[2]) != digest(drawn[3])

    def test_numpys_global_state_is_left_alone(self):
        """Neither read nor advanced."""
        before = np.random.get_state()[1].tolist()  # noqa: NPY002
        numeric().em.impute(sample=True)
        assert np.random.get_state()[1].tolist() == before  # noqa: NPY002

    @pytest.mark.parametrize("shape", ["3000 40 1000", "20000 10 1000", "1000 110 4"])
    def test_any_number_of_threads(self, shape):
        """The same bits in other processes, whatever BLAS may use: rows, columns, E-steps large enough to matter."""
        printed = set()
        for threads in ("1", "2"):
            limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
            run = subprocess.run(
                [sys.executable, "-c", LARGE, *shape.split()],
                cwd=ROOT,
                env=os.environ | limits,
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode == 0, run.stderr
            printed.add(run.stdout)
        assert len(printed) == 1, f"{len(printed)} different results"

    @pytest.mark.parametrize("name", ["plain", "equal row labels", "collinear", "skewed", "wide"])
    @pytest.mark.parametrize("what", ["rows", "columns", "both"])
    def test_permuted(self, name, what):
        """The cells move with their rows and columns, and that is all."""
        df = TABLES[name]()
        rng = np.random.default_rng(5)
        rows = np.arange(len(df)) if what == "columns" else rng.permutation(len(df))
        columns = np.arange(df.shape[1]) if what == "rows" else rng.permutation(df.shape[1])
        found = np.empty(df.shape)
        found[np.ix_(rows, columns)] = df.iloc[rows, columns].em.impute()
        assert (np.abs(found - df.em.impute().to_numpy()) / spread(df)).max() <= ROUNDING

    @pytest.mark.parametrize("name", ["plain", "collinear", "skewed", "wide"])
    def test_other_units(self, name):
        """Grams for kilograms, Fahrenheit for Celsius: the same fills in the new unit."""
        df = TABLES[name]()
        rng = np.random.default_rng(6)
        factor = 10.0 ** rng.integers(-6, 7, df.shape[1]) * rng.choice([-1.8, 1.0], df.shape[1])
        offset = rng.normal(size=df.shape[1]) * np.abs(factor) * df.std().to_numpy()
        back = ((df * factor + offset).em.impute() - offset) / factor
        assert (np.abs(back - df.em.impute()).to_numpy() / spread(df)).max() <= ROUNDING

    @pytest.mark.parametrize("factor", [2.0**-300, 2.0**-60, 2.0**60, 2.0**300])
    def test_extreme_units(self, factor):
        """Atoms in light years: a power of two rounds nothing, and changes nothing."""
        df = numeric(100)
        back = (df * factor).em.impute() / factor
        assert (np.abs(back - df.em.impute()).to_numpy() / spread(df)).max() <= ROUNDING

    @pytest.mark.parametrize("factor", [2.0**-700, 2.0**700])
    def test_units_without_squares(self, factor):
        """Where the squares of the numbers are no floats, an error names the column."""
        with pytest.raises(emimpute.ColumnError, match=r"'y'.*power of ten"):
            numeric(100).assign(y=numeric(100)["y"] * factor).em.impute()


def objects(df):
    """Columns whose cells are Python objects, made anew by every fill."""
    return [name for name in df if df[name].dtype == object]


def spread(df):
    """Conditional sds, (n, columns); 1 where observed."""
    fit = df.reset_index(drop=True).em.fit()
    cells = fit.cells()
    sd = np.ones(df.shape)
    sd[cells["row"].to_numpy(dtype=int), [list(df.columns).index(c) for c in cells["column"]]] = cells["sd"]
    return sd


def collinear():
    """A column that is nearly the sum of two others."""
    df = numeric(120, seed=4)
    full = numeric(120, seed=4).fillna(0.3)
    df["sum"] = full["x"] + full["y"] + 1e-2 * np.random.default_rng(0).standard_normal(120)
    df.loc[::7, "sum"] = np.nan
    return df


def skewed():
    """Large offsets, heavy tails, very different scales."""
    df = numeric(150, 4, seed=8)
    return df.assign(x0=np.exp(2 * df["x0"]), x1=1e7 + df["x1"], x2=1e-9 * df["x2"] ** 3)


TABLES = {
    "plain": lambda: numeric(100),
    "equal row labels": lambda: numeric(100).set_axis([1, 2] * 50, axis=0),
    "collinear": collinear,
    "skewed": skewed,
    "wide": lambda: numeric(400, 30, seed=2),
}
