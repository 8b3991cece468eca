"""A fit and other rows; which gaps are filled, and by what; the table of the filled cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS, COMPLETE
from frames import FRAMES, numeric

import emimpute

ALONE = 1e-12  # of a conditional sd: how far a row's answer may depend on the other rows


def conditional(fit, row):
    """Mean (d,) and sd (d,) of one row of a fitted normal given what is observed, by the textbook."""
    mean, cov = fit.mean.to_numpy(), fit.cov.to_numpy()
    m = np.isnan(row)
    slope = cov[np.ix_(m, ~m)] @ np.linalg.inv(cov[np.ix_(~m, ~m)])
    value, sd = row.copy(), np.zeros(len(row))
    value[m] = mean[m] + slope @ (row[~m] - mean[~m])
    sd[m] = np.sqrt(np.diag(cov[np.ix_(m, m)] - slope @ cov[np.ix_(~m, m)]))
    return value, sd


class TestNewRows:
    def test_against_the_textbook(self):
        """Every row gets its conditional expectation, also rows that were not in the fit."""
        fit, new = numeric(seed=1).em.fit(), numeric(seed=2)
        filled = fit.impute(new).to_numpy()
        for row, done in zip(new.to_numpy(), filled, strict=True):
            np.testing.assert_allclose(done, conditional(fit, row)[0], atol=1e-12)

    def test_columns_are_matched_by_label(self):
        """In any order, with others that pass through untouched."""
        fit, new = numeric(seed=1).em.fit(), numeric(seed=2)
        expected = fit.impute(new)
        other = new.assign(text=["a", None] * 20, w=[1, np.nan] * 20)[["w", "z", "text", "x", "y"]]
        filled = fit.impute(other)
        pd.testing.assert_frame_equal(filled[["x", "y", "z"]], expected)
        pd.testing.assert_frame_equal(filled[["w", "text"]], other[["w", "text"]])
        assert filled.columns.tolist() == other.columns.tolist()

    def test_equal_labels_by_their_order(self):
        """The first x is the first x."""
        df = numeric().set_axis(["x", "x", "y"], axis=1)
        fit = df.em.fit()
        other = numeric(seed=3).set_axis(["x", "x", "y"], axis=1)
        mixed = pd.concat([other.iloc[:, [2]], other.iloc[:, :2], pd.DataFrame({"x": ["text"] * 40})], axis=1)
        filled = fit.impute(mixed)
        np.testing.assert_array_equal(filled.iloc[:, [1, 2, 0]].to_numpy(float), fit.impute(other).to_numpy())
        with pytest.raises(emimpute.ColumnError, match="2 columns labelled 'x', and these data have 1"):
            fit.impute(other.iloc[:, 1:])

    def test_a_missing_column_is_named(self):
        """With the nearest that there is."""
        fit = numeric().rename(columns={"x": "income"}).em.fit()
        with pytest.raises(emimpute.ColumnError, match=r"'income': did you mean 'incomes'"):
            fit.impute(numeric().rename(columns={"x": "incomes"}))
        with pytest.raises(emimpute.ColumnError, match="'income' and 'z'"):
            fit.impute(numeric()[["y"]])

    def test_not_a_frame(self):
        """One row of a frame is a frame; a Series is not."""
        with pytest.raises(emimpute.ColumnError, match="Series"):
            numeric().em.fit().impute(numeric().iloc[0])

    @pytest.mark.parametrize("close", [1.0, 1e-1, 1e-2, 1e-3])
    def test_rows_do_not_depend_on_each_other(self, close):
        """Alone, among others, in another order, twice: the same answer, also where columns are nearly collinear."""
        df = numeric(120, seed=4)
        full = numeric(120, seed=4).fillna(0.3)
        df["sum"] = full["x"] + full["y"] + close * np.random.default_rng(0).standard_normal(120)
        df.loc[::7, "sum"] = np.nan
        fit = df.em.fit()
        together = fit.impute(df)
        rng = np.random.default_rng(1)
        for i in range(120):
            _, sd = conditional(fit, df.iloc[i].to_numpy())
            sd[sd == 0] = 1
            others = np.r_[rng.integers(120, size=5), i, rng.integers(120, size=3)]
            for alone in (fit.impute(df.iloc[[i]]).iloc[0], fit.impute(df.iloc[others]).iloc[5]):
                assert (np.abs(alone - together.iloc[i]) / sd).max() <= ALONE

    def test_no_rows_no_gaps(self):
        """Nothing to do is done."""
        fit = numeric().em.fit()
        for new in (numeric()[:0], numeric().dropna()):
            filled = fit.impute(new)
            assert filled is not new
            pd.testing.assert_frame_equal(filled, new)

    def test_a_row_of_nothing(self):
        """Nothing observed: the means."""
        fit = numeric().em.fit()
        filled = fit.impute(pd.DataFrame({"x": [np.nan], "y": [np.nan], "z": [np.nan]}))
        np.testing.assert_allclose(filled.iloc[0], fit.mean, rtol=1e-14)

    @pytest.mark.parametrize(
        ("learned", "new"),
        [
            ("int64", "float64"),
            ("float64", "int64[pyarrow]"),
            ("float64", "Int64"),
            ("Float32", "decimal256[pyarrow]"),
            ("Sparse[float64]", "UInt8"),
            ("int8", "float32"),
            ("object of int", "decimal128[pyarrow]"),
            ("datetime64[ns]", "datetime64[s]"),
            ("datetime64[s]", "datetime64[ns]"),
            ("timestamp[ms][pyarrow]", "datetime64[us]"),
            ("datetime64[ns, Europe/Paris]", "timestamp[s, tz][pyarrow]"),
            ("timedelta64[ns]", "duration[s][pyarrow]"),
            ("period[D]", "period[D]"),
            ("ordered category of numbers", "float64"),
        ],
    )
    def test_other_dtypes(self, learned, new):
        """A column of another dtype of the same family gets the same answers, written as it writes them."""
        make = {**COLUMNS, **COMPLETE}
        rng = np.random.default_rng(3)
        x = np.rint(rng.normal(50, 9, 80))
        values = np.clip(np.rint(50 + 0.8 * (x - 50) + rng.normal(0, 2, 80)), 0, 100)
        fit = pd.DataFrame({"x": x, "y": make[learned](values)}).em.fit()
        gaps = np.where(rng.random(80) < 0.3, np.nan, values)
        there = make[new](gaps)
        filled = fit.impute(pd.DataFrame({"x": x, "y": there}))["y"]
        fine = learned if learned.startswith(TIMES) else "float64"
        same = fit.impute(pd.DataFrame({"x": x, "y": make[fine](gaps)}))["y"]
        assert filled.dtype == there.dtype
        assert np.abs(as_numbers(filled) - as_numbers(same)).max() <= ROUNDED.get(new, 1e-4) + 1e-9
        assert np.abs(as_numbers(filled) - as_numbers(make[new](values))).max() < 12

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            ("text", "'x'"),
            (pd.Timestamp("2020"), "'x' holds datetimes"),
            (np.inf, "'x' holds infinity"),
            (1j, "'x' holds complex"),
        ],
    )
    def test_what_holds_something_else(self, other, message):
        """A column of another family is an error that names it."""
        with pytest.raises(emimpute.ColumnError, match=message):
            numeric().em.fit().impute(numeric().assign(x=other))

    def test_without_the_weights(self):
        """The column of the weights is not needed again."""
        df = numeric()
        fit = df.assign(w=[1.0, 2.0] * 20).em.fit(weights="w")
        assert not fit.impute(df).isna().any(axis=None)

    @pytest.mark.parametrize("name", FRAMES)
    def test_every_shape(self, name):
        """A fit of any frame fills its rows again, in any order."""
        df = FRAMES[name]()
        fit = df.em.fit()
        backwards = fit.impute(df.iloc[::-1]).iloc[::-1]
        np.testing.assert_allclose(
            backwards.iloc[:, :3].to_numpy(float), fit.impute().iloc[:, :3].to_numpy(float), rtol=1e-12
        )


TIMES = ("datetime", "timestamp", "timedelta", "period")
ROUNDED = {"int64[pyarrow]": 0.5, "Int64": 0.5, "UInt8": 0.5, "decimal128[pyarrow]": 0.005}  # half of the last place


def as_numbers(column):
    """Cells as floats: times as days."""
    if column.dtype == object or (not hasattr(column.iloc[0], "year") and not hasattr(column.iloc[0], "days")):
        return np.array([float(cell) for cell in column])
    cells = [cell.to_timestamp() if isinstance(cell, pd.Period) else cell for cell in column]
    start = pd.Timedelta(0) if isinstance(cells[0], pd.Timedelta) else pd.Timestamp("2020", tz=cells[0].tz)
    return np.array([(cell - start) / pd.Timedelta("1D") for cell in cells])


class TestWhichGaps:
    def test_fill(self):
        """Only those columns are filled; the others inform them as before."""
        df = numeric()
        whole = df.em.impute()
        filled = df.em.impute(fill=["y"])
        pd.testing.assert_series_equal(filled["y"], whole["y"])
        pd.testing.assert_frame_equal(filled[["x", "z"]], df[["x", "z"]])
        pd.testing.assert_frame_equal(df.em.impute(fill="y"), filled)

    def test_columns(self):
        """Only those columns enter the model, and only they are filled."""
        df = numeric()
        filled = df.em.impute(columns=["x", "z"])
        pd.testing.assert_frame_equal(filled[["x", "z"]], df[["x", "z"]].em.impute())
        pd.testing.assert_series_equal(filled["y"], df["y"])
        assert filled.columns.tolist() == ["x", "y", "z"]
        with pytest.raises(emimpute.ColumnError, match="'y'"):
            df.em.impute(columns=["x", "z"], fill="y")

    def test_fill_of_a_repeated_label(self):
        """A label names all its columns."""
        df = numeric().set_axis(["x", "x", "y"], axis=1)
        assert df.em.impute(fill="x").isna().any().tolist() == [False, False, True]

    def test_nothing_is_asked_for(self):
        """No column to fill, no fit, a copy."""
        df = numeric()
        heard = []
        for asked in ({"fill": []}, {"where": df.notna()}):
            pd.testing.assert_frame_equal(df.em.impute(**asked, report=heard.append), df)
        assert heard == []


class TestDraws:
    def test_seeds(self):
        """An int or a Generator; the same seed, the same draw; a Generator moves on."""
        df = numeric()
        first = df.em.impute(sample=True, rng=7)
        pd.testing.assert_frame_equal(df.em.impute(sample=True, rng=np.random.default_rng(7)), first)
        rng = np.random.default_rng(7)
        assert not df.em.impute(sample=True, rng=rng).equals(df.em.impute(sample=True, rng=rng))
        assert not df.em.impute(sample=True).equals(df.em.impute(sample=True))

    def test_expectations_do_not_use_the_seed(self):
        """Without ``sample`` the generator stays where it is."""
        rng = np.random.default_rng(1)
        before = rng.bit_generator.state
        numeric().em.impute(rng=rng)
        assert rng.bit_generator.state == before

    def test_moments(self):
        """Mean, sd and correlation of many draws of a row are those of its conditional law."""
        df = numeric(60, seed=5)
        fit = df.em.fit()
        row = int(np.flatnonzero(df["x"].notna() & df["y"].isna() & df["z"].isna())[0])
        rng = np.random.default_rng(0)
        draws = np.array([df.em.impute(sample=True, rng=rng).iloc[row] for _ in range(225)])
        mean, sd = conditional(fit, df.iloc[row].to_numpy())
        assert (np.abs(draws.mean(axis=0) - mean) <= 4 * sd / 15 + 1e-12).all()
        np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.2, atol=1e-12)
        assert (draws[:, 0] == df["x"].iloc[row]).all()

    def test_where_does_not_move_the_draws(self):
        """A cell's draw is its own, whatever else is filled."""
        df = numeric()
        whole = df.em.impute(sample=True, rng=1)
        where = df.isna() & (np.arange(40) % 2 == 0)[:, None]
        pd.testing.assert_frame_equal(df.em.impute(sample=True, rng=1, where=where), whole.where(where | df.notna()))


class TestCells:
    def test_against_the_textbook(self):
        """Estimate, sd and interval of every gap; rows in the order of the frame, then of the columns."""
        df = numeric().set_axis([f"r{i}" for i in range(40)], axis=0)
        fit = df.em.fit()
        cells = fit.cells()
        rows, columns = np.nonzero(df.isna().to_numpy())
        assert cells.columns.tolist() == ["row", "column", "estimate", "sd", "low", "high"]
        assert cells["row"].tolist() == [f"r{i}" for i in rows]
        assert cells["column"].tolist() == ["xyz"[j] for j in columns]
        for (_, cell), i, j in zip(cells.iterrows(), rows, columns, strict=True):
            mean, sd = conditional(fit, df.iloc[i].to_numpy())
            np.testing.assert_allclose([cell["estimate"], cell["sd"]], [mean[j], sd[j]], rtol=1e-9)
            np.testing.assert_allclose(
                [cell["low"], cell["high"]], mean[j] + sd[j] * np.array([-1, 1]) * 1.959963984540054
            )

    def test_estimates_are_what_impute_fills(self):
        """The same numbers where nothing is rounded."""
        df = numeric()
        fit = df.em.fit()
        np.testing.assert_allclose(fit.cells()["estimate"], fit.impute().to_numpy()[df.isna().to_numpy()], rtol=1e-12)

    def test_numbers_beside_times(self):
        """Each estimate is of its own kind."""
        times = pd.Series(pd.date_range("2020", periods=40)).where(np.arange(40) % 4 != 1)
        df = numeric().assign(t=times + pd.to_timedelta(np.tile([0, 5, 1], 14)[:40], unit="h"), one=[1, None] * 20)
        cells = df.em.fit().cells().set_index("column")
        assert isinstance(cells.loc["t", "estimate"].iloc[0], pd.Timestamp)
        assert isinstance(cells.loc["t", "sd"].iloc[0], pd.Timedelta)
        assert isinstance(cells.loc["x", "estimate"].iloc[0], float)
        assert (cells.loc["one", ["estimate", "sd"]].to_numpy(float) == [1, 0]).all()

    def test_no_gaps(self):
        """An empty table with the same columns."""
        cells = numeric().dropna().em.fit().cells()
        assert cells.columns.tolist() == ["row", "column", "estimate", "sd", "low", "high"]
        assert len(cells) == 0

    @pytest.mark.parametrize("name", FRAMES)
    def test_every_shape(self, name):
        """A row for each gap of a column that was learned, labelled as the frame is."""
        df = FRAMES[name]()
        cells = df.em.fit().cells()
        assert len(cells) == df.isna().to_numpy().sum()
        assert len(cells.dropna(subset=["estimate", "sd"])) == len(cells)
        assert set(map(repr, cells["column"])) <= set(map(repr, df.columns))
        assert set(map(repr, cells["row"])) <= set(map(repr, df.index))
