"""Scale scores against conditional normal laws written out, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute import datasets

ROUNDING = 1e-10
ITEMS = ["A1", "A2", "A3"]
AGREE = {"agree": ["-A1", "A2", "A3"]}


def answers() -> pd.DataFrame:
    """Three items and another column, with gaps; one person answered nothing, one none of the items."""
    rng = np.random.default_rng(3)
    common = rng.standard_normal(80)
    x = np.clip(np.round(3.5 + common[:, None] * [-1, 1, 1, 0.5] + rng.standard_normal((80, 4))), 1, 6)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[4:, :][np.isnan(x[4:]).all(axis=1), 0] = 3
    x[0], x[1, :3], x[1, 3] = np.nan, np.nan, 5
    x[2] = [1, 6, 6, 3]
    x[3] = [6, 1, 1, 3]
    index = pd.Index([f"p{i // 2}" for i in range(80)])  # labels that repeat
    return pd.DataFrame(x, columns=[*ITEMS, "B"], index=index)


@pytest.fixture(name="fit", scope="module")
def _fit() -> emimpute.Fit:
    return emimpute.fit(answers())


@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_it_is_the_conditional_law(fit, kind):
    """Mean and sd of the scale given what each row answered, in the textbook's way."""
    table, mean, cov = answers(), fit.mean.to_numpy(), fit.cov.to_numpy()
    found = fit.scales(AGREE, kind)
    assert found.index.equals(table.index)
    assert found.columns.tolist() == ["agree", "agree_sd", "agree_person", "agree_answered"]
    a = np.array([-1.0, 1.0, 1.0, 0.0]) / (3 if kind == "mean" else 1)
    for row, said in zip(table.to_numpy(), found.to_numpy(), strict=True):
        o = ~np.isnan(row)
        slope = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, ~o)]).T
        z = row.copy()
        z[~o] = mean[~o] + slope @ (row[o] - mean[o])
        left = cov[np.ix_(~o, ~o)] - slope @ cov[np.ix_(o, ~o)]
        assert said[0] == pytest.approx(a @ z + 7 / (3 if kind == "mean" else 1), abs=ROUNDING)
        assert said[1] == pytest.approx(np.sqrt(a[~o] @ left @ a[~o]), abs=1e-7)
        turned = np.array([7 - row[0], row[1], row[2]])
        seen = turned[~np.isnan(turned)]
        person = (seen.mean() if len(seen) else np.nan) * (1 if kind == "mean" else 3)
        assert said[2] == pytest.approx(person, abs=ROUNDING, nan_ok=True)
        assert said[3] == len(seen)


def test_who_answered_all_has_the_plain_score(fit):
    """To the last bit, with no uncertainty."""
    found, whole = fit.scales(AGREE, "sum"), answers()[ITEMS].notna().all(axis=1).to_numpy()
    table = answers()[whole]
    assert (found.loc[whole, "agree"] == 7 - table["A1"] + table["A2"] + table["A3"]).all()
    assert (found.loc[whole, "agree_sd"] == 0).all()
    assert (found.loc[~whole, "agree_sd"] > 0).all()


def test_ranges_of_reversed_items(fit):
    """Of 0 to 10 for all, or by label; by default what was observed."""
    default, wide = fit.scales(AGREE, "sum"), fit.scales(AGREE, "sum", ranges=(0, 10))
    np.testing.assert_allclose(wide["agree"] - default["agree"], 3, atol=ROUNDING)
    pd.testing.assert_frame_equal(wide, fit.scales(AGREE, "sum", ranges={"A1": (0, 10)}))


def test_new_rows_and_a_fit_without_data(fit):
    """A fit from a file scores new rows, once it is told the range."""
    bare, new = emimpute.read_json(fit.to_json()), answers().iloc[5:9]
    expected = fit.scales(AGREE).iloc[5:9]
    pd.testing.assert_frame_equal(fit.scales(AGREE, new=new), expected)
    pd.testing.assert_frame_equal(bare.scales(AGREE, new=new, ranges=(1, 6)), expected)
    with pytest.raises(emimpute.EMImputeError, match="lowest and highest answer of 'A1'"):
        bare.scales(AGREE, new=new)
    with pytest.raises(emimpute.EMImputeError, match="give rows to score as new="):
        bare.scales(AGREE)


def test_several_scales_and_labels_with_a_minus():
    """A label that is there is itself, also with a minus in front; numbers can be labels."""
    table = answers()[ITEMS].set_axis(["-A1", "A1", 3], axis=1)
    found = emimpute.fit(table).scales({"a": ["-A1"], "b": ["A1", "-3"]}, "sum")
    whole = table.notna().all(axis=1)
    assert (found.loc[whole, "a"] == table.loc[whole, "-A1"]).all()
    assert (found.loc[whole, "b"] == table.loc[whole, "A1"] + 7 - table.loc[whole, 3]).all()


def test_real_answers():
    """Integers with gaps: every score is inside the answers' range, and near person-mean scoring."""
    bfi = datasets.load("bfi").iloc[:500, :10]
    found = bfi.em.fit().scales({"agree": ["-A1", "A2", "A3", "A4", "A5"]})
    assert found["agree"].between(1, 6).all()
    assert (found["agree"] - found["agree_person"]).abs().max() < 1


@pytest.mark.parametrize(
    ("asked", "options", "said"),
    [
        ([], {}, "as a dict"),
        ({}, {}, "as a dict"),
        ({"a": "A1"}, {}, "come as a list"),
        ({"a": []}, {}, "no items"),
        ({"a": ["A1", "-A1"]}, {}, "'A1' is named more than once"),
        ({"a": ["A1", "A9"]}, {}, "no column 'A9'"),
        ({"a": ["A1"], "a_sd": ["A2"]}, {}, "'a_sd' twice"),
        (AGREE, {"kind": "average"}, "no kind of score 'average'"),
        (AGREE, {"ranges": (6, 1)}, "lowest and highest"),
        (AGREE, {"ranges": {"A2": (1, 6)}}, "'A2' is no reversed item"),
    ],
)
def test_bad_input(fit, asked, options, said):
    with pytest.raises(emimpute.EMImputeError, match=said):
        fit.scales(asked, **options)


def test_ordered_answers_are_not_scored_yet():
    table = answers().astype("category").apply(lambda s: s.cat.as_ordered())
    with pytest.raises(emimpute.ColumnError, match=r"'A1' is of kind 'ordinal'.*kinds=\{'A1': 'real'\}"):
        emimpute.fit(table).scales(AGREE)
