"""Overimputation against fits to the other folds' rows, new rows of the same law, and sums written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mixedtables import mixed

import emimpute
from emimpute.errors import EMImputeError
from emimpute.inference.complete import cells
from emimpute.kinds import Censored
from emimpute.models.mvn import MVN

FIT = 1e-7  # fits to the same rows, from different starts, in conditional sd
MIXED = 2e-4  # likewise where cells are intervals, and tol is 1e-5
ROUNDING = 1e-9
NEAR = 0.03  # of a coverage, which the issue of small tables is about


def normal(rng: np.random.Generator, n: int, d: int, gone: float = 0.2) -> pd.DataFrame:
    """Correlated rows; all but the first column have gaps, the more so where the first is large."""
    x = rng.standard_normal((n, d)) @ np.linalg.cholesky(0.5 * np.eye(d) + 0.5).T
    gaps = rng.random((n, d)) < 2 * gone / (1 + np.exp(-x[:, :1]))
    gaps[:, 0] = False
    x[gaps] = np.nan
    return pd.DataFrame(x, columns=[f"x{j}" for j in range(d)])


def covered(fit: emimpute.Fit, table: pd.DataFrame) -> float:
    """The share of cells within their interval given the rest of the row, a regression at a time."""
    mean, cov = fit.mean.to_numpy(), fit.cov.to_numpy()
    z = []
    for row in table.to_numpy():
        o = np.flatnonzero(~np.isnan(row))
        precision = np.linalg.inv(cov[np.ix_(o, o)])
        z.append(precision @ (row[o] - mean[o]) / np.sqrt(np.diag(precision)))
    return float((np.abs(np.concatenate(z)) < 1.96).mean())


@pytest.mark.parametrize("gone", [0.0, 0.15])
def test_small_tables_are_covered_as_new_rows_are(gone):
    """The share reported is that of new rows under the fit, far from both .95 and what the fit says of itself."""
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        fit = emimpute.fit(normal(rng, 30, 8, gone))
        found.append((fit.overimpute().coverage, covered(fit, normal(rng, 400, 8, gone)), covered(fit, fit.data)))
    reported, new, inside = np.mean(found, axis=0)
    assert reported == pytest.approx(new, abs=NEAR)
    assert new < 0.86
    assert inside == pytest.approx(0.95, abs=0.01)


def test_many_rows_are_covered_as_they_should():
    found = emimpute.fit(normal(np.random.default_rng(1), 2000, 4)).overimpute()
    assert found.coverage == pytest.approx(0.95, abs=0.01)
    assert found.by_column["coverage"].to_numpy() == pytest.approx(0.95, abs=0.02)
    assert found.by_column["calibration"].to_numpy() == pytest.approx(1, abs=0.1)
    assert found.k == 10


def brute(found: pd.DataFrame, df: pd.DataFrame, fits: dict[int, emimpute.Fit]) -> pd.DataFrame:
    """The same cells as each fold's own fit has them, in a frame in which the column is missing."""
    parts = []
    for fold, fit in fits.items():
        for column in df.columns:
            rows = found.loc[(found["fold"] == fold) & (found["column"] == column), "row"]
            if len(rows):
                one = df.loc[rows].copy()
                one[column] = pd.Series(np.nan, index=one.index).astype(df[column].dtype)
                said = cells(fit.law, one)
                parts.append(said[said["column"] == column])
    return pd.concat(parts).set_index(["row", "column"]).loc[list(zip(found["row"], found["column"], strict=True))]


def others(found: pd.DataFrame, df: pd.DataFrame, **options: object) -> dict[int, emimpute.Fit]:
    """A fit to the rows outside each fold."""
    each = found.groupby("fold")["row"].unique()
    return {fold: emimpute.fit(df.drop(index=rows), **options) for fold, rows in each.items()}


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_what_a_fit_to_the_other_folds_says(weighted):
    """Of the same cells, made missing one by one."""
    rng = np.random.default_rng(2)
    df = normal(rng, 60, 4).assign(x3=lambda t: np.exp(t["x3"]))
    df.index = [f"p{i}" for i in range(60)]
    weights = pd.Series(rng.uniform(0.5, 3, 60), index=df.index) if weighted else None
    options = {"kinds": {"x3": "positive"}, "tol": 1e-9}
    found = emimpute.fit(df, weights=weights, **options).overimpute(4, tol=1e-9).cells
    each = found.groupby("fold")["row"].unique()
    fits = {}
    for fold, rows in each.items():
        w = None if weights is None else weights.drop(index=rows)
        fits[fold] = emimpute.fit(df.drop(index=rows), weights=w, **options)
    said = brute(found, df, fits)
    assert len(found) == int(df.notna().sum().sum())
    sd = said["sd"].to_numpy()
    for mine, theirs in (("estimate", "estimate"), ("sd", "sd"), ("lower", "low"), ("upper", "high")):
        assert np.abs(found[mine].to_numpy() - said[theirs].to_numpy()) / sd == pytest.approx(0, abs=FIT)
    one = df.loc[found["row"].iloc[:1]].copy()
    one[found["column"].iloc[0]] = np.nan  # by the public door too
    filled = fits[found["fold"].iloc[0]].impute(one).loc[found["row"].iloc[0], found["column"].iloc[0]]
    assert filled == pytest.approx(found["estimate"].iloc[0], abs=FIT)


def test_mixed_columns_are_what_fits_to_the_other_folds_say():
    df = mixed(160, 3)
    found = emimpute.fit(df).overimpute(2, tol=1e-5).cells
    said = brute(found, df, others(found, df))
    numbers = found["column"].isin(["x", "y"]).to_numpy()
    apart = (found["estimate"][numbers] - said["estimate"].to_numpy()[numbers]).astype(float).to_numpy()
    assert apart / said["sd"].to_numpy()[numbers].astype(float) == pytest.approx(0, abs=MIXED)
    shares = said["probabilities"].to_numpy()[~numbers]
    answers = found["observed"].to_numpy()[~numbers]
    expected = [one[answer] for one, answer in zip(shares, answers, strict=True)]
    assert found["probability"].to_numpy()[~numbers] == pytest.approx(expected, abs=MIXED)
    best = [max(one, key=one.get) == answer for one, answer in zip(shares, answers, strict=True)]
    assert found["correct"].to_numpy()[~numbers].tolist() == [float(right) for right in best]


def test_columns_are_summed_up_by_weight():
    """The measures of numbers and of categories, from the table of cells and the data."""
    df = mixed(120, 4)
    weights = pd.Series(np.random.default_rng(4).uniform(0.2, 2, 120))
    weights[5] = 0
    result = emimpute.fit(df, weights=weights).overimpute(2)
    table = result.cells.assign(w=weights[result.cells["row"]].to_numpy())
    assert 5 not in table["row"].to_numpy()
    x = table[table["column"] == "x"]
    measured = result.by_column.loc["x"]
    error, observed = (x["estimate"] - x["observed"]).astype(float), x["observed"].astype(float)
    plain = []
    for fold, value in zip(x["fold"], observed, strict=True):
        rest = x[x["fold"] != fold]
        plain.append(value - np.average(rest["observed"].astype(float), weights=rest["w"]))
    mse = np.average(error**2, weights=x["w"])
    spread = np.average((observed - np.average(observed, weights=x["w"])) ** 2, weights=x["w"])
    assert measured["n"] == len(x)
    assert measured["rmse"] == pytest.approx(mse**0.5, abs=ROUNDING)
    assert measured["nrmse"] == pytest.approx((mse / spread) ** 0.5, abs=ROUNDING)
    assert measured["r2"] == pytest.approx(1 - mse / np.average(np.square(plain), weights=x["w"]), abs=ROUNDING)
    assert measured["calibration"] == pytest.approx(np.average(x["z"] ** 2, weights=x["w"]), abs=ROUNDING)
    assert measured["coverage"] == pytest.approx(np.average(x["covered"], weights=x["w"]), abs=ROUNDING)
    n = table[table["column"] == "n"]
    measured = result.by_column.loc["n"]
    marginal = []
    for fold, value in zip(n["fold"], n["observed"], strict=True):
        rest = n[n["fold"] != fold]
        shares = rest.groupby("observed")["w"].sum() / rest["w"].sum()
        marginal.append(-np.log(shares[value]))
    assert measured["accuracy"] == pytest.approx(np.average(n["correct"], weights=n["w"]), abs=ROUNDING)
    assert measured["log_loss"] == pytest.approx(-np.average(np.log(n["probability"]), weights=n["w"]), abs=ROUNDING)
    assert measured["log_loss_marginal"] == pytest.approx(np.average(marginal, weights=n["w"]), abs=ROUNDING)
    frequent = n.groupby("observed")["w"].sum() / n["w"].sum()
    assert measured["accuracy_marginal"] == pytest.approx(frequent.max(), abs=ROUNDING)
    assert np.isnan(measured["coverage"])
    assert np.isnan(measured["rmse"])


def test_intervals_are_covered_and_calibrated():
    """Ordered answers, detection limits, counts and brackets, on average, as numbers are that are known."""
    rng = np.random.default_rng(5)
    z = rng.standard_normal((500, 4)) @ np.linalg.cholesky(0.6 * np.eye(4) + 0.4).T
    df = pd.DataFrame({"x": z[:, 0], "limit": np.maximum(z[:, 1], -0.5), "count": np.rint(np.exp(z[:, 2]))})
    df["bracket"] = pd.cut(z[:, 3], [-9, -1, 0, 1, 9])
    found = emimpute.fit(df, kinds={"limit": Censored(low=-0.5), "count": "count"}).overimpute(2)
    assert found.by_column["coverage"].to_numpy() == pytest.approx(0.95, abs=0.025)
    assert found.by_column["calibration"].to_numpy() == pytest.approx(1, abs=0.15)
    assert found.cells["probability"].between(0, 1).sum() > 1000
    at_limit = found.cells[(found.cells["column"] == "limit") & (found.cells["observed"] == -0.5)]
    assert at_limit["z"].isna().all()
    assert found.by_column["rmse"].isna().tolist() == [False, False, False, True]


def test_it_depends_on_no_order_no_unit_and_no_chance():
    df = normal(np.random.default_rng(6), 50, 3)
    fit = emimpute.fit(df)
    found = fit.overimpute()
    pd.testing.assert_frame_equal(found.cells, fit.overimpute().cells)
    keys, numbers = ["row", "column"], ["z", "covered", "fold"]
    other = (df.sample(frac=1, random_state=1)[["x2", "x0", "x1"]] * 1000 + 5).em.fit().overimpute()
    mine, theirs = (one.cells.sort_values(keys, ignore_index=True)[keys + numbers] for one in (found, other))
    pd.testing.assert_frame_equal(mine, theirs, rtol=0, atol=1e-5)
    at_random = fit.overimpute(5, rng=1)
    pd.testing.assert_frame_equal(at_random.cells, fit.overimpute(5, rng=np.random.default_rng(1)).cells)
    assert (at_random.cells["fold"] != fit.overimpute(5, rng=2).cells["fold"]).any()
    sizes = at_random.cells.groupby("fold")["row"].nunique()
    assert sizes.tolist() == [10] * 5


def test_labels_may_be_anything():
    """Rows that share a label, columns that do, and tuples."""
    df = normal(np.random.default_rng(7), 40, 4)
    df.index = pd.Index([i // 2 for i in range(40)])
    df.columns = pd.Index([("a", 1), "b", "b", "<i>"], tupleize_cols=False)
    found = emimpute.fit(df).overimpute(4)
    assert found.cells["row"].tolist() == np.repeat(df.index, df.notna().sum(axis=1)).tolist()
    assert found.by_column.index.tolist() == df.columns.tolist()
    assert set(found.cells["column"]) == set(df.columns)
    assert "<i>" in found.summary()
    assert "&lt;i&gt;" in found._repr_html_()
    assert "<i>" not in found._repr_html_()
    assert repr(found) == found.summary()


def test_numbers_of_every_sort_are_compared():
    """Large integers exactly, times in days, whatever their unit."""
    rng = np.random.default_rng(8)
    x = normal(rng, 120, 4, 0).to_numpy()
    hours = pd.to_timedelta(np.rint(x[:, 1] * 240), unit="h")
    df = pd.DataFrame({"x": x[:, 0], "t": pd.Timestamp("2020-01-01") + hours})
    df["i"] = np.rint(x[:, 2] * 100).astype("int64") + 2**60
    df["month"] = pd.PeriodIndex(pd.Timestamp("2020-01-01") + pd.to_timedelta(x[:, 3] * 300, unit="D"), freq="M")
    same = pd.DataFrame({"x": x[:, 0], "t": hours / pd.Timedelta("1D"), "i": np.rint(x[:, 2] * 100)})
    same["month"] = [(m - pd.Period("2020-01", "M")).n for m in df["month"]]
    found, expected = emimpute.fit(df).overimpute(3).by_column, emimpute.fit(same).overimpute(3).by_column
    assert found["rmse"].to_numpy() == pytest.approx(expected["rmse"].to_numpy(), rel=0.02)  # months are whole
    assert found.loc["t", "rmse"] == pytest.approx(expected.loc["t", "rmse"], rel=1e-4)
    assert found["r2"].to_numpy() == pytest.approx(expected["r2"].to_numpy(), abs=0.02)
    assert found["coverage"].to_numpy() == pytest.approx(expected["coverage"].to_numpy(), abs=0.01)


def test_what_cannot_be_predicted_is_left_out_and_said():
    """Constants, ids, a number and answers that a fold alone has."""
    df = normal(np.random.default_rng(9), 60, 2, 0)
    df["k"], df["id"] = 1.0, [f"person {i}" for i in range(60)]
    df["odd"] = np.where(np.arange(60) == 7, 1.0, 0.0)
    found = emimpute.fit(df).overimpute(5)
    assert found.by_column.index.tolist() == ["x0", "x1", "odd"]
    assert found.cells["fold"].nunique() == 4
    assert found.left_out.set_index("column")["cells"].to_dict() == {"x0": 12, "x1": 12, "k": 60, "odd": 12}
    assert "the other rows have no two different values of 'odd'" in found.summary()

    df = normal(np.random.default_rng(9), 150, 2, 0)
    noise = 2 * np.random.default_rng(1).standard_normal(150)
    levels = np.where(df["x0"] + noise > 0, "high", "low").astype(object)
    levels[7] = "never again"
    for ordered in (True, False):
        answers = pd.Categorical(levels, ["low", "high", "never again"], ordered=ordered)
        found = emimpute.fit(df.assign(a=answers)).overimpute(3)
        assert found.left_out.to_numpy().tolist() == [["a", "an answer that no other fold has", 1]]
        assert "never again" not in found.cells["observed"].tolist()
        assert found.by_column["n"].tolist() == [150, 150, 149]
        assert np.abs(found.cells["z"]).max() < 6  # the strange answer tells nothing of its row


def test_one_column_is_predicted_by_its_mean():
    found = emimpute.fit(pd.DataFrame({"x": [1.0, 2.0, 4.0, 9.0, np.nan]})).overimpute(4)
    assert found.cells["estimate"].to_numpy() == pytest.approx([5, 14 / 3, 4, 7 / 3])
    assert found.by_column.loc["x", "r2"] == pytest.approx(0)
    assert found.rows == 4


def test_a_fold_without_a_maximum_gets_a_ridge():
    """And that is said; the fit itself needs none."""
    x = normal(np.random.default_rng(10), 12, 6, 0).to_numpy(copy=True)
    x[7:, 5] = np.nan
    x[:7, 5] = x[:7, :5] @ [1.0, -1.0, 0.5, 2.0, 1.0] + 0.1 * np.arange(7) ** 2
    fit = emimpute.fit(pd.DataFrame(x))
    assert fit.prior is None
    found = fit.overimpute(2)
    assert "were fitted with a ridge" in " ".join(found.notes)
    assert len(found.cells) == 67


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k": 1}, "2 or more, not 1"),
        ({"k": 2.5}, "2 or more, not 2.5"),
        ({"k": True}, "2 or more, not True"),
        ({"k": 31}, r"more folds than there are rows with something observed \(30\): take k=30"),
        ({"tol": 0}, "above 0, not 0"),
        ({"tol": "small"}, "above 0, not 'small'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    fit = emimpute.fit(normal(np.random.default_rng(11), 30, 2))
    with pytest.raises(EMImputeError, match=said):
        fit.overimpute(**options)


def test_fits_that_can_predict_nothing_are_refused():
    fit = emimpute.fit(normal(np.random.default_rng(12), 30, 2))
    with pytest.raises(EMImputeError, match=r"overimpute\(\) needs the data"):
        emimpute.read_json(fit.to_json()).overimpute()
    with pytest.raises(EMImputeError, match="every column of this fit is constant"):
        emimpute.fit(pd.DataFrame({"k": [1.0, 1.0]})).overimpute()
    lone = emimpute.fit(pd.DataFrame({"x": [1.0, 2.0]}), prior="ridge")
    with pytest.raises(EMImputeError, match="no two different values of 'x'"):
        lone.overimpute(2)


def test_a_scale_that_was_learned_is_told():
    """It knows the held-out rows; measured, it hardly matters."""
    df = normal(np.random.default_rng(13), 60, 3).assign(x2=lambda t: np.exp(t["x2"]))
    options = {"kinds": {"x2": "skewed"}}
    found = emimpute.fit(df, **options).overimpute(5)
    assert "The scale of 'x2' was learned from all rows." in found.notes
    said = brute(found.cells, df, others(found.cells, df, **options))
    apart = (found.cells["estimate"] - said["estimate"].to_numpy()) / said["sd"].to_numpy()
    assert 0 < np.abs(apart).max() < 0.3


class _Named:
    """The normal model under another name, as a plugin might have it: nothing of it is known but its door."""

    name = "other"

    def __getattr__(self, name: str) -> object:
        return getattr(MVN(), name)


def test_other_models_are_asked_cell_by_cell():
    df = normal(np.random.default_rng(14), 60, 3)
    closed, asked = (emimpute.fit(df, model=model).overimpute(5).cells for model in ("mvn", _Named()))
    pd.testing.assert_frame_equal(closed, asked, rtol=0, atol=ROUNDING)


def test_labels_of_several_levels():
    """by_column keeps them, cells have them as tuples."""
    rng = np.random.default_rng(4)
    labels = pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1)], names=["p", "q"])
    df = pd.DataFrame(rng.standard_normal((20, 3)), columns=labels)
    df.iloc[3, 1] = np.nan
    found = df.em.fit().overimpute()
    pd.testing.assert_index_equal(found.by_column.index, labels)
    assert found.cells["column"].tolist()[:3] == labels.tolist()
    flat = df.set_axis(["a", "b", "c"], axis=1).em.fit().overimpute()
    np.testing.assert_array_equal(found.by_column["rmse"], flat.by_column["rmse"])


def test_a_seed_that_is_none():
    """It is said."""
    df = pd.DataFrame(np.random.default_rng(5).standard_normal((20, 2)))
    with pytest.raises(emimpute.EMImputeError, match="rng= is None, an int or a numpy Generator"):
        df.em.fit().overimpute(rng="x")
