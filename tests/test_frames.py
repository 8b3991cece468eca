"""Frames by position: labels that repeat or are missing, cells written in place, ``where``, ``weights``, indicators."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from frames import FRAMES, Survey, all_bits, numeric

import emimpute
from emimpute import _frames
from emimpute.table import Table


class TestLabels:
    @pytest.mark.parametrize("name", FRAMES)
    def test_every_label_is_found(self, name):
        """A label names every column that has it, and no other."""
        columns = FRAMES[name]().columns
        for label in columns:
            found = _frames.locate(columns, label).tolist()
            same = [i for i, other in enumerate(columns) if _frames.key(other) == _frames.key(label)]
            assert found
            assert set(found) <= set(same)

    def test_first_levels(self):
        """The first levels of a MultiIndex name all that is under them, sorted or not, without a warning."""
        columns = pd.MultiIndex.from_tuples([("b", 1, "p"), ("a", 2, "p"), ("b", 1, "q"), ("b", 0, "p")])
        assert _frames.locate(columns, "b").tolist() == [0, 2, 3]
        assert _frames.locate(columns, ("b", 1)).tolist() == [0, 2]
        assert _frames.locate(columns, ("b", 1, "q")).tolist() == [2]
        assert _frames.locate(columns, ("b", 9)).tolist() == []

    @pytest.mark.parametrize(
        "label", ["w", 3, None, np.nan, ("x",), ["x"], {"x": 1}, slice(None), pd.Timestamp("2020")]
    )
    def test_what_is_no_label(self, label):
        """Anything may be asked for; what is not there is not found."""
        assert _frames.locate(pd.Index(["x", "y"]), label).tolist() == []
        assert _frames.locate(pd.MultiIndex.from_tuples([("x", 1)]), label).tolist() == ([0] if label == ("x",) else [])

    def test_positions(self):
        """One label or several, in the order of the frame, each column once."""
        df = numeric().set_axis(["x", "y", "x"], axis=1)
        assert _frames.positions(df, "x", "fill=") == [0, 2]
        assert _frames.positions(df, ["y", "x", "y"], "fill=") == [0, 1, 2]
        assert _frames.positions(df, df.columns, "fill=") == [0, 1, 2]
        assert _frames.positions(df, [], "fill=") == []

    def test_unknown(self):
        """The parameter, the label, and the nearest that there is."""
        df = numeric().rename(columns={"x": "income"})
        with pytest.raises(emimpute.ColumnError, match=r"^fill=: There is no column 'incone': did you mean 'income'\?"):
            df.em.impute(fill=["y", "incone"])

    def test_not_a_frame(self):
        """What we saw and what to do."""
        with pytest.raises(emimpute.ColumnError, match=r"this is of type Series\. Use series\.to_frame\(\)"):
            emimpute.impute(pd.Series([1.0, None]))
        with pytest.raises(emimpute.ColumnError, match=r"this is of type ndarray\. Make one with pandas\.DataFrame"):
            emimpute.patterns(np.zeros((2, 2)))


class TestTable:
    @pytest.mark.parametrize("name", FRAMES)
    def test_match_is_the_way_back(self, name):
        """The columns of a table are found in the very frame, and where labels differ in any order of its columns."""
        df = FRAMES[name]()
        positions = [0, 2]
        table = Table.of(df.columns, positions, [None, None])
        assert table.match(df) == positions
        order = [2, 0, 1]
        if len({_frames.key(label) for label in df.columns}) == df.shape[1]:
            assert [order[i] for i in table.match(df.iloc[:, order])] == positions

    def test_equal_labels_by_their_order(self):
        """The second of two equal labels is the second again, text among them counted."""
        columns = pd.Index(["x", "a", "x", "x"])
        table = Table.of(columns, [2, 3], [None, None])
        assert table.match(pd.DataFrame(columns=["x", "x", "b", "x"])) == [1, 3]

    def test_lacking(self):
        """The columns that are not there are named, all of them."""
        table = Table.of(pd.Index(["height", "weight"]), [0, 1], [None, None])
        with pytest.raises(emimpute.ColumnError, match=r"no column 'weight': did you mean 'wieght'"):
            table.match(pd.DataFrame(columns=["height", "wieght"]))
        with pytest.raises(emimpute.ColumnError, match=r"lack: 'height' and 'weight'"):
            table.match(pd.DataFrame(columns=["a"]))

    def test_too_few_of_one_label(self):
        """Two columns of one label were learned, and there is one."""
        table = Table.of(pd.Index(["x", "x"]), [0, 1], [None, None])
        with pytest.raises(emimpute.ColumnError, match=r"2 columns labelled 'x', and these data have 1"):
            table.match(pd.DataFrame(columns=["x", "y"]))


class TestWritten:
    def test_only_the_cells_that_were_named(self):
        """The other cells keep their bits; nothing is shared; a frame in one piece stays in one piece."""
        df = Survey(numeric())
        df.source = "by post"
        before = all_bits(df)
        mask = np.arange(40) % 3 == 0
        out = _frames.written(df, {1: (mask, np.arange(14.0))})
        assert out["y"][mask].tolist() == list(range(14))
        assert all_bits(out.loc[~mask]) == all_bits(df.loc[~mask])
        assert all_bits(df) == before
        assert (type(out), out.source) == (Survey, "by post")
        assert not any(np.shares_memory(out[c].to_numpy(), df[c].to_numpy()) for c in df)

    def test_columns_of_one_dtype_stay_together(self):
        """Later insertions would make pandas warn of its performance else."""
        df = numeric(30, 150)
        mask = df.isna().to_numpy()
        out = _frames.written(df, {i: (mask[:, i], np.zeros(mask[:, i].sum())) for i in range(150)})
        out["one more"] = 1.0
        assert not out.isna().any(axis=None)


class TestWhere:
    def test_a_gap_is_left_where_it_is_false(self):
        """As a frame, an array, nested lists, nullable or a function of the frame: the same."""
        df = numeric()
        where = df.isna() & (np.arange(40) < 20)[:, None]
        filled = df.em.impute(where=where)
        whole = df.em.impute()
        expected = whole.where(where | df.notna())
        pd.testing.assert_frame_equal(filled, expected)
        for same in (
            where.to_numpy(),
            where.to_numpy().tolist(),
            where.astype("boolean"),
            where.astype(object),
            lambda _: where,
        ):
            pd.testing.assert_frame_equal(df.em.impute(where=same), filled)

    @pytest.mark.parametrize(
        ("where", "message"),
        [
            (numeric().isna().iloc[:, :2], "other rows or columns"),
            (numeric().isna().iloc[::-1], "other rows or columns"),
            (np.ones((3, 40), dtype=bool), r"shape \(3, 40\) and the data \(40, 3\)"),
            (True, r"shape \(\)"),
            (np.ones((40, 3)), "'float'"),
            (numeric().isna().astype("boolean").mask(numeric().isna()), "'NAType'"),
        ],
    )
    def test_what_it_may_not_be(self, where, message):
        """Other labels, another shape, other cells."""
        with pytest.raises(emimpute.EMImputeError, match=message):
            numeric().em.impute(where=where)


class TestWeights:
    def test_label_series_array(self):
        """The same weights, however they are given; a column that holds them is no part of the model."""
        df = numeric()
        w = pd.Series(np.tile([1.0, 2.0, 0.5, 3.0], 10))
        fits = [
            df.em.fit(weights=w),
            df.em.fit(weights=w.to_numpy()),
            df.em.fit(weights=w.tolist()),
            df.assign(w=w).em.fit(weights="w"),
            df.assign(w=w.astype("Float64")).em.fit(weights="w"),
        ]
        for fit in fits:
            pd.testing.assert_series_equal(fit.mean, fits[0].mean)
            assert fit.nobs == w.sum()
        assert not np.allclose(fits[0].mean, df.em.fit().mean)

    def test_taken_from_a_multiindex(self):
        """By the whole label, or by a level that names one column."""
        df = numeric().set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("w", "")]), axis=1)
        df = df.fillna(0.5)
        df[("w", "")] = [1.0, 2.0] * 20
        assert df.em.fit(weights=("w", "")).nobs == df.em.fit(weights="w").nobs == 60
        with pytest.raises(emimpute.ColumnError, match="names 2 columns by 'a'"):
            df.em.fit(weights="a")

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ("wt", "no column 'wt'"),
            (np.ones(39), "39 values, and the data have 40 rows"),
            (np.ones((40, 1)), r"shape \(40, 1\)"),
            (pd.Series(1.0, index=range(1, 41)), "another index"),
            ([1.0] * 39 + [-1.0], r"1 of them are not \(the first is -1.0 in row 39\)"),
            ([1.0] * 39 + [np.nan], "not below 0"),
            ([1.0] * 39 + [np.inf], "not below 0"),
            (np.zeros(40), "every weight is 0"),
            (["a"] * 40, "weights are numbers"),
            (pd.date_range("2020", periods=40), "weights are numbers"),
        ],
    )
    def test_what_they_may_not_be(self, weights, message):
        """What we saw, in which row, and what to do."""
        with pytest.raises(emimpute.EMImputeError, match=message):
            numeric().em.fit(weights=weights)


class TestIndicator:
    @pytest.mark.parametrize("name", FRAMES)
    def test_every_shape(self, name):
        """A boolean column for each that was filled, after the others, which stay as they were."""
        df = FRAMES[name]()
        filled = df.em.impute()
        wide = df.em.impute(indicator=True)
        old, new = wide.iloc[:, : df.shape[1]], wide.iloc[:, df.shape[1] :]
        gaps = df.isna()
        gaps = gaps.loc[:, gaps.any().to_numpy()]
        assert set(new.dtypes) == {np.dtype(bool)}
        np.testing.assert_array_equal(new.to_numpy(), gaps.to_numpy())
        assert all_bits(old)[:3] == all_bits(filled)[:3]
        assert wide.index.identical(df.index)
        assert wide.columns.nlevels == df.columns.nlevels
        assert wide.columns.names == df.columns.names
        assert type(wide) is type(df)
        assert (repr(wide.attrs), wide.flags) == (repr(df.attrs), df.flags)
        assert getattr(wide, "source", None) == getattr(df, "source", None)

    def test_names(self):
        """The column's name and a suffix; in a MultiIndex the last level's."""
        df = numeric()
        assert df.em.impute(indicator=True).columns.tolist()[3:] == ["x_imputed", "y_imputed", "z_imputed"]
        assert df.em.impute(indicator="?", fill="y").columns.tolist() == ["x", "y", "z", "y?"]
        levels = df.set_axis(pd.MultiIndex.from_product([["a"], ["x", "y", "z"]]), axis=1)
        assert levels.em.impute(indicator=True).columns.tolist()[3] == ("a", "x_imputed")
        assert df.set_axis([1, 2, 3], axis=1).em.impute(indicator=True).columns.tolist()[3] == "1_imputed"

    def test_only_what_was_filled(self):
        """No gaps, no column; ``where`` and ``fill`` count."""
        df = numeric()
        assert df.dropna().em.impute(indicator=True).columns.tolist() == ["x", "y", "z"]
        where = df.isna() & (np.arange(40) < 20)[:, None]
        wide = df.em.impute(indicator=True, where=where, fill=["x"])
        np.testing.assert_array_equal(wide["x_imputed"], where["x"])

    def test_a_name_that_is_taken(self):
        """Nothing is written over."""
        df = numeric().assign(x_imputed=1.5)
        with pytest.raises(emimpute.ColumnError, match="'x_imputed', which is there already: give another suffix"):
            df.em.impute(indicator=True)
        assert "x!" in df.em.impute(indicator="!")


def test_keys_survive_pickling():
    """A table made in another process matches missing labels here."""
    df = FRAMES["NaN as a label"]()
    fit = pickle.loads(pickle.dumps(df.em.fit()))  # noqa: S301
    pd.testing.assert_frame_equal(fit.impute(df), df.em.impute())
