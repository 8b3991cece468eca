"""Columns of categories: probabilities, cut points and cells, however columns are labelled, also after JSON."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mixedtables import mixed
from scipy.special import ndtr

import emimpute

LABELS = {
    "words": list("xyobn"),
    "repeated": ["x", "x", "x", "b", "n"],
    "multi": pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "o"), ("b", "b"), ("b", "n")], names=["u", "v"]),
}


@pytest.fixture(scope="module")
def fit():
    return emimpute.fit(mixed())


@pytest.fixture(scope="module", params=LABELS)
def labelled(request):
    return emimpute.fit(mixed().set_axis(LABELS[request.param], axis=1))


def test_cells_have_a_probability_for_each_category(fit):
    """They add up to 1, in the categories' order; the estimate is what is filled in; numbers have none."""
    cells, done = fit.cells(), fit.impute()
    assert cells.columns.tolist() == ["row", "column", "estimate", "sd", "low", "high", "probabilities"]
    orders = {"o": ["lo", "mid", "hi"], "b": [False, True], "n": ["blue", "green", "red"]}
    for cell in cells.itertuples():
        if cell.column not in orders:
            assert cell.probabilities is None
            continue
        assert list(cell.probabilities) == orders[cell.column]
        shares = np.array(list(cell.probabilities.values()))
        assert shares.sum() == pytest.approx(1)
        assert (shares >= 0).all()
        assert cell.estimate == done.loc[cell.row, cell.column]
        if cell.column == "o":
            assert cell.estimate == orders["o"][int(np.argmax(shares.cumsum() >= 0.5))]
        else:
            assert cell.estimate == max(cell.probabilities, key=cell.probabilities.get)
    assert cells["sd"].dtype.kind == "f"
    assert cells["sd"].isna().equals(cells["column"] == "n")


def test_without_categories_there_are_no_probabilities():
    """Nor a column for them, and the dtypes are what they were."""
    cells = emimpute.fit(mixed()[["x", "y"]]).cells()
    assert cells.columns.tolist() == ["row", "column", "estimate", "sd", "low", "high"]
    assert all(dtype.kind == "f" for dtype in cells.dtypes[2:])


def test_without_gaps_the_column_is_there():
    """A column of categories makes it, whether it has gaps or not."""
    df = mixed(gone=0.0)
    cells = emimpute.fit(df).cells()
    assert cells.empty
    assert cells.columns[-1] == "probabilities"


def test_probabilities_are_the_conditional_law():
    """Of an ordered column beside one that is exact: by the bivariate normal."""
    df = mixed()[["x", "o"]].query("x.notna()")
    fit = emimpute.fit(df)
    gaps = df[df["o"].isna()]
    rho, sd = fit.corr.loc["x", "o"], np.sqrt(fit.cov.loc["x", "x"])
    mean = rho * (gaps["x"] - fit.mean["x"]) / sd
    edges = np.concatenate([[-np.inf], fit.cuts["o"], [np.inf]])
    shares = np.diff(ndtr((edges - mean.to_numpy()[:, None]) / np.sqrt(1 - rho**2)), axis=1)
    found = fit.probabilities("o")
    assert found.columns.tolist() == ["lo", "mid", "hi"]
    pd.testing.assert_index_equal(found.index, gaps.index)
    np.testing.assert_allclose(found, shares, atol=1e-9)
    np.testing.assert_array_equal(fit.probabilities("o", df.iloc[::-1]), found.iloc[::-1])


def test_labels_of_any_sort(labelled):
    """Rows are those with a gap; the columns are named as the column."""
    df = labelled.data
    label = df.columns[4]
    found = labelled.probabilities(label)
    pd.testing.assert_index_equal(found.index, df.index[df.iloc[:, 4].isna()])
    assert found.columns.tolist() == ["blue", "green", "red"]
    assert found.columns.name == label
    np.testing.assert_allclose(found.sum(axis=1), 1)
    told = labelled.cells().query("column == @label")["probabilities"].apply(pd.Series)
    np.testing.assert_array_equal(told, found)


def test_of_columns_with_one_label_the_one_with_categories_is_meant(labelled):
    """Only where there are several it cannot be told."""
    label = labelled.data.columns[2]
    assert labelled.probabilities(label).columns.tolist() == ["lo", "mid", "hi"]
    df = mixed()
    both = emimpute.fit(pd.concat([df, df[["o"]].sample(frac=1, random_state=1, ignore_index=True)], axis=1))
    with pytest.raises(emimpute.ColumnError, match="2 columns of categories are labelled 'o'"):
        both.probabilities("o")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("x", "kind 'real', which has no categories"),
        ("oo", "did you mean 'o'"),
        (["o"], "no column"),
        (3, "no column 3"),
    ],
)
def test_other_columns_are_refused(fit, column, said):
    """With the columns that would do."""
    with pytest.raises(emimpute.ColumnError, match=said):
        fit.probabilities(column)


def test_cut_points_by_column(labelled):
    """Rising in each column; a number has none."""
    cuts = labelled.cuts
    ordered, binary = labelled.data.columns[2], labelled.data.columns[3]
    assert cuts.index.tolist() == [(ordered, 1), (ordered, 2), (binary, 1)]
    assert cuts.iloc[0] < cuts.iloc[1]
    assert emimpute.fit(mixed()[["x", "y"]]).cuts.empty


def test_coordinates_are_labelled(fit):
    """An unordered column has one for each level but the first; ordered ones are on their own scale."""
    assert fit.mean.index.tolist() == ["x", "y", "o", "b", "n[green]", "n[red]"]
    assert fit.mean[["o", "b"]].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(np.diag(fit.cov)[2:4], 1, atol=1e-12)
    assert fit.cov.loc["n[green]", "n[red]"] == 1
    assert fit.cov.loc["n[red]", "n[red]"] == 2
    pd.testing.assert_index_equal(fit.corr.index, fit.corr.columns)


def test_a_file_knows_all_of_this(labelled):
    """What was read fills as what was written, and has its cut points and probabilities."""
    again = emimpute.read_json(labelled.to_json())
    df = labelled.data
    pd.testing.assert_frame_equal(again.impute(df), labelled.impute(), check_exact=True)
    pd.testing.assert_series_equal(again.cuts, labelled.cuts, check_exact=True)
    label = df.columns[4]
    pd.testing.assert_frame_equal(again.probabilities(label, df), labelled.probabilities(label), check_exact=True)
    assert again.summary() == labelled.summary()
    with pytest.raises(emimpute.EMImputeError, match="new="):
        again.probabilities(label)


def test_new_rows(fit):
    """Without a gap nothing changes; with nothing else, the column is filled from the rest; order does not matter."""
    df = mixed(20, seed=5)
    whole = fit.impute(df)
    pd.testing.assert_frame_equal(fit.impute(whole), whole)
    bare = df.assign(o=pd.Categorical([None] * 20, df["o"].cat.categories, ordered=True))
    assert fit.impute(bare)["o"].notna().all()
    assert len(fit.probabilities("o", bare)) == 20
    assert fit.impute(df.assign(n=None))["n"].isin(["red", "green", "blue"]).all()
    pd.testing.assert_frame_equal(fit.impute(df.iloc[::-1]).iloc[::-1], whole, atol=1e-9)


def test_a_level_that_was_not_seen_is_an_error(fit):
    """With the column, the level and what to do."""
    df = mixed(20, seed=5)
    df.loc[3, "n"] = "purple"
    with pytest.raises(emimpute.ColumnError, match=r"Column 'n' holds 'purple'.*replace it"):
        fit.impute(df)
    with pytest.raises(emimpute.ColumnError, match=r"The fit has a column that these data lack"):
        fit.probabilities("n", df.drop(columns="o"))


def test_the_summary_tells_the_levels(fit):
    """Where there are more than two; words have neither mean nor sd."""
    said = fit.summary()
    assert "ordinal, 3 levels" in said
    assert "nominal, 3 levels" in said
    assert "binary, 2" not in said
