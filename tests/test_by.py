"""Groups fitted apart: as if each were a frame of its own, put back where its rows were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute import datasets
from emimpute.__main__ import main


@pytest.fixture
def penguins():
    return datasets.load("penguins")


def test_each_group_is_filled_as_it_would_be_alone(penguins):
    done = penguins.em.impute(by="species")
    for _, rows in penguins.groupby("species", observed=True):
        alone = rows.drop(columns="species").em.impute()
        pd.testing.assert_frame_equal(done.loc[rows.index].drop(columns="species"), alone)


def test_frame_keeps_its_shape_dtypes_and_order(penguins):
    shuffled = penguins.sample(frac=1, random_state=1).set_axis(np.repeat("same", len(penguins)))
    shuffled.attrs["origin"] = "Palmer"
    done = shuffled.em.impute(by=["species"])
    assert done.index.equals(shuffled.index)
    assert done.columns.equals(shuffled.columns)
    assert done.dtypes.equals(shuffled.dtypes)
    assert done.attrs == shuffled.attrs
    for name in shuffled:
        seen = shuffled[name].notna().to_numpy()
        pd.testing.assert_series_equal(done[name][seen], shuffled[name][seen])
    assert not done.isna().any(axis=None)


def test_the_callers_frame_is_not_touched(penguins):
    before = penguins.copy(deep=True)
    penguins.em.impute(by="species")
    pd.testing.assert_frame_equal(penguins, before)


def test_a_list_of_one_label_is_that_label(penguins):
    pd.testing.assert_frame_equal(penguins.em.impute(by=["species"]), penguins.em.impute(by="species"))


@pytest.mark.parametrize(
    "told", [pd.Series, lambda species: species.astype(str).to_numpy(), lambda species: species.array]
)
def test_groups_may_be_told_by_one_value_for_each_row(penguins, told):
    done = penguins.drop(columns="species").em.impute(by=told(penguins["species"]))
    pd.testing.assert_frame_equal(done, penguins.em.impute(by="species").drop(columns="species"))


def test_groups_may_be_told_by_a_level_of_the_index(penguins):
    done = penguins.set_index("species").em.impute(by="species")
    expected = penguins.em.impute(by="species").set_index("species")
    pd.testing.assert_frame_equal(done, expected)


def test_labels_and_values_may_be_listed_together(penguins):
    columns = ["bill_length_mm", "body_mass_g"]
    expected = penguins.em.impute(by=["species", "island"], columns=columns)
    done = penguins.em.impute(by=["species", penguins["island"]], columns=columns)
    pd.testing.assert_frame_equal(done, expected)
    pairs = pd.MultiIndex.from_frame(penguins[["species", "island"]])
    pd.testing.assert_frame_equal(penguins.em.impute(by=pairs, columns=columns), expected)


def test_what_tells_the_groups_cannot_be_filled(penguins):
    penguins.loc[3, "species"] = None
    with pytest.raises(emimpute.ColumnError, match="fill= names 'species', and by= the same"):
        penguins.em.impute(by="species", fill=["species", "body_mass_g"])


def test_report_receives_a_named_fit_for_each_group(penguins):
    fits = []
    penguins.em.impute(by=["island", "species"], columns=["bill_length_mm", "body_mass_g"], report=fits.append)
    assert [fit.group for fit in fits] == [
        "island = 'Biscoe', species = 'Gentoo'",
        "island = 'Torgersen', species = 'Adelie'",
    ]  # the others have no gap


def test_report_to_a_path_writes_a_file_for_each_group(penguins, tmp_path):
    penguins.em.impute(by="species", report=tmp_path / "report.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report-1-species-Adelie.txt",
        "report-2-species-Gentoo.txt",
    ]


def test_kinds_are_the_same_in_every_group():
    rng = np.random.default_rng(1)
    answers = np.array(["yes", "no", "perhaps"])
    told = [*rng.choice(answers[:2], 40), *rng.choice(answers, 40)]  # alone, the first group's are of kind "binary"
    df = pd.DataFrame({"g": np.repeat(["a", "b"], 40), "x": rng.normal(size=80), "answer": told})
    df.loc[[3, 50], "answer"] = None
    fits = []
    df.em.impute(by="g", report=fits.append)
    assert [fit.kinds["answer"] for fit in fits] == ["nominal", "nominal"]


def test_weights_and_where_go_with_their_rows(penguins):
    weights = np.arange(len(penguins)) % 3 + 0.5
    where = np.random.default_rng(2).random(penguins.shape) < 0.5
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    done = penguins.em.impute(by="species", weights=weights, where=where, columns=columns)
    for name in penguins["species"].unique():
        rows = (penguins["species"] == name).to_numpy()
        alone = penguins[rows].em.impute(weights=weights[rows], where=where[rows], columns=columns)
        pd.testing.assert_frame_equal(done[rows], alone)


def test_indicator_and_sample_work_across_groups(penguins):
    done = penguins.em.impute(by="species", indicator=True, sample=True, rng=1)
    assert (done["sex_imputed"] == penguins["sex"].isna()).all()
    pd.testing.assert_frame_equal(done, penguins.em.impute(by="species", indicator=True, sample=True, rng=1))


def test_a_group_without_any_value_keeps_its_gaps_and_one_warning_says_so(penguins):
    penguins.loc[penguins["species"] == "Gentoo", "body_mass_g"] = pd.NA
    with pytest.warns(emimpute.ColumnWarning, match=r"'body_mass_g' \(where species = 'Gentoo'\)") as caught:
        done = penguins.em.impute(by="species")
    assert len(caught) == 1
    assert done["body_mass_g"].isna().equals(penguins["species"].eq("Gentoo"))
    assert done.drop(columns="body_mass_g").notna().all(axis=None)


def test_rows_of_unknown_group_are_a_group_and_said_to_be(penguins):
    penguins["part"] = np.where(np.arange(len(penguins)) % 2, "odd", None)
    with pytest.warns(emimpute.ColumnWarning, match="rows without 'part'"):
        done = penguins.em.impute(by="part", columns=["bill_length_mm", "bill_depth_mm", "body_mass_g"])
    assert done["part"].equals(penguins["part"])
    assert done["body_mass_g"].notna().all()


def test_one_warning_gathers_the_groups():
    rng = np.random.default_rng(3)
    df = pd.DataFrame(rng.normal(size=(12, 6))).assign(g=np.repeat(list("abc"), 4))
    df.iloc[[0, 4, 8], 0] = np.nan
    with pytest.warns(emimpute.IdentificationWarning, match="every group") as caught:
        done = df.em.impute(by="g")
    assert len(caught) == 1
    assert done.notna().all(axis=None)


def test_a_group_of_weight_0_keeps_its_gaps(penguins):
    with pytest.warns(emimpute.ColumnWarning, match="where species = 'Gentoo'"):
        done = penguins.em.impute(
            by="species", weights=penguins["species"] != "Gentoo", columns=["bill_length_mm", "body_mass_g"]
        )
    assert done.loc[penguins["species"] == "Adelie", "body_mass_g"].notna().all()


def test_nothing_to_fill_gives_a_copy_and_no_report(penguins):
    whole, fits = penguins.dropna(), []
    done = whole.em.impute(by="species", report=fits.append)
    pd.testing.assert_frame_equal(done, whole)
    assert done is not whole
    assert not fits


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("specie", "did you mean 'species'"),
        ([], "names no column"),
        (np.arange(3), "one value for each is needed"),
        (pd.Series(["a"]), "reindex"),
        (pd.DataFrame({"a": [1]}), "one value for each is needed"),
        (["species", np.arange(3)], "one value for each is needed"),
    ],
)
def test_what_tells_no_groups_is_refused(penguins, by, message):
    with pytest.raises(emimpute.EMImputeError, match=message):
        penguins.em.impute(by=by)


def test_values_that_cannot_be_compared_as_groups_are_refused():
    df = pd.DataFrame({"g": [[1], [2]], "x": [1.0, None]})
    with pytest.raises(emimpute.ColumnError, match="tell no groups"):
        df.em.impute(by="g")


def test_an_error_names_its_group(penguins):
    frame = penguins[["species", "bill_length_mm"]].assign(twin=penguins["bill_length_mm"])
    with pytest.raises(emimpute.IdentificationError, match="In the group species = 'Adelie'"):
        frame.em.impute(by="species", prior=None)


def test_the_command_line_fits_groups_apart(tmp_path, penguins, capsys):
    out, report = tmp_path / "out.csv", tmp_path / "report.json"
    words = ["--by", "species", "--report", str(report), "--quiet"]
    assert main(["impute", str(datasets.path("penguins")), "-o", str(out), *words]) == 0
    assert capsys.readouterr() == ("", "")
    assert {path.name for path in tmp_path.iterdir()} == {
        "out.csv",
        "report-1-species-Adelie.json",
        "report-2-species-Gentoo.json",
    }
    done, expected = pd.read_csv(out), penguins.em.impute(by="species")
    np.testing.assert_allclose(done["bill_length_mm"], expected["bill_length_mm"], atol=1e-4)
