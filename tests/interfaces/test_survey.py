"""Survey files: codes, order, labels and reasons for gaps go in, and the same with fills comes out."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute import datasets
from emimpute.__main__ import main

pyreadstat = pytest.importorskip("pyreadstat")

LIKERT = {1: "never", 2: "sometimes", 3: "often", 98: "refused", 99: "not asked"}


def people(n=60):
    rng = np.random.default_rng(5)
    z = rng.normal(size=n)

    def answers():
        return np.digitize(z + rng.normal(size=n), [-0.7, 0.7]) + 1.0

    return pd.DataFrame(
        {
            "id": np.arange(1.0, n + 1),
            "q1": answers(),
            "q2": answers(),
            "region": rng.integers(1, 4, n).astype(float),
            "income": np.round(np.exp(z + 8), 2),
            "born": pd.Timestamp("1970-01-01") + pd.to_timedelta(rng.integers(0, 9000, n), unit="D"),
            "name": [f"p{i}" for i in range(n)],
        }
    )


@pytest.fixture
def sav(tmp_path):
    df = people()
    df.loc[[0, 1], "q1"] = 98
    df.loc[[2, 3, 4], "q1"] = 99
    df.loc[5, ["q1", "q2", "region", "income"]] = np.nan
    df.loc[6, "income"] = 999_999
    df.loc[7, "born"] = pd.NaT
    path = tmp_path / "people.sav"
    pyreadstat.write_sav(
        df,
        path,
        file_label="People",
        column_labels={"q1": "How often?", "income": "Income in €"},
        variable_value_labels={"q1": LIKERT, "q2": LIKERT, "region": {1: "North", 2: "South", 3: "East"}},
        missing_ranges={"q1": [98, 99], "q2": [98, 99], "income": [{"lo": 900_000, "hi": 999_999}]},
        variable_measure={"q1": "ordinal", "q2": "ordinal", "region": "nominal", "income": "scale"},
        variable_format={"id": "F8.0"},
        note="made for a test",
    )
    return path


@pytest.fixture
def dta(tmp_path):
    df = people().drop(columns="born")
    q1 = df["q1"].astype(object)
    q1[[0, 1]], q1[[2, 3]], q1[4] = "a", "b", None
    path = tmp_path / "people.dta"
    labels = {1: "never", 2: "sometimes", 3: "often", "a": "refused", "b": "not asked"}
    pyreadstat.write_dta(
        df.assign(q1=q1),
        path,
        missing_user_values={"q1": ["a", "b"]},
        variable_value_labels={"q1": labels},
        column_labels={"q1": "How often?"},
    )
    return path


def test_codes_are_kept_and_ordered_by_the_measurement_level(sav):
    survey = emimpute.read_survey(sav)
    assert survey.frame["q1"].cat.categories.tolist() == [1, 2, 3]
    assert survey.frame["q1"].cat.ordered
    assert survey.frame["region"].cat.categories.tolist() == [1, 2, 3]
    assert not survey.frame["region"].cat.ordered
    assert survey.frame["income"].dtype == float
    assert survey.frame["id"].dtype == "int64"
    assert survey.frame["born"].dtype.kind == "M"
    truth = people()
    for name in ("q1", "q2", "region", "income"):
        seen = survey.frame[name].notna()
        np.testing.assert_array_equal(survey.frame.loc[seen, name].astype(float), truth.loc[seen, name])
    assert survey.frame["born"].drop(7).equals(truth["born"].drop(7).astype(survey.frame["born"].dtype))


def test_every_gap_keeps_its_reason(sav):
    survey = emimpute.read_survey(sav)
    assert survey.reasons.loc[:5, "q1"].tolist() == ["refused"] * 2 + ["not asked"] * 3 + ["blank"]
    assert survey.reasons.loc[6, "income"] == "code 999999"
    assert survey.frame.isna().equals(survey.reasons.notna())
    assert survey.gaps.query("stays")[["variable", "reason", "cells"]].values.tolist() == [["q1", "not asked", 3]]


def test_refused_is_imputed_and_not_asked_is_not(sav):
    survey = emimpute.read_survey(sav)
    done = survey.impute(columns=["q1", "q2", "region", "income"])
    assert done.loc[[0, 1, 5], "q1"].isin([1, 2, 3]).all()
    assert done.loc[[2, 3, 4], "q1"].isna().all()
    assert done[["q2", "region", "income"]].notna().all(axis=None)
    same = survey.frame.em.impute(where=survey.where, columns=["q1", "q2", "region", "income"])
    pd.testing.assert_frame_equal(done, same)


def test_which_gaps_stay_is_the_callers_to_say(sav):
    survey = emimpute.read_survey(sav, structural=["refused"])
    assert (~survey.where).to_numpy().sum() == 2
    assert emimpute.read_survey(sav, structural=[]).where.all(axis=None)
    with pytest.raises(emimpute.EMImputeError, match="did you mean 'refused'"):
        emimpute.read_survey(sav, structural=["refuse"])


def test_codes_the_file_does_not_declare_are_named_by_the_caller(tmp_path):
    df = people()
    df.loc[0, "q1"], df.loc[1, "q1"], df.loc[2, "q2"] = 98, 99, 99
    path = tmp_path / "plain.sav"
    pyreadstat.write_sav(df, path, variable_value_labels={"q2": LIKERT}, variable_measure={"q1": "ordinal"})
    survey = emimpute.read_survey(
        path, missing_codes={"q1": {98: "refused", 99: "not asked"}, "q2": [98, 99]}, ordinal=["q2"]
    )
    assert survey.frame["q1"].cat.categories.tolist() == survey.frame["q2"].cat.categories.tolist() == [1, 2, 3]
    assert survey.reasons["q1"].dropna().tolist() == ["refused", "not asked"]
    assert survey.reasons["q2"].dropna().tolist() == ["not asked"]  # by its value label
    assert not survey.where.loc[1, "q1"]
    survey.write(survey.impute(columns=["q1", "q2", "income"]), tmp_path / "out.sav")
    again, _ = pyreadstat.read_sav(tmp_path / "out.sav")
    assert again.loc[1, "q1"] == again.loc[2, "q2"] == 99  # what stays is as it was
    assert again.loc[0, "q1"] in {1, 2, 3}


def test_writing_back_keeps_labels_formats_and_codes(sav, tmp_path):
    survey = emimpute.read_survey(sav)
    out = tmp_path / "clean.sav"
    survey.write(survey.impute(columns=["q1", "q2", "region", "income", "born"]), out)
    before, told = pyreadstat.read_sav(sav, user_missing=True, disable_datetime_conversion=True)
    after, meta = pyreadstat.read_sav(out, user_missing=True, disable_datetime_conversion=True)
    for what in (
        "column_names_to_labels",
        "variable_value_labels",
        "missing_ranges",
        "original_variable_types",
        "file_label",
        "notes",
        "variable_display_width",
    ):
        assert getattr(meta, what) == getattr(told, what), what
    assert meta.variable_measure["q1"] == "ordinal"
    filled = survey.reasons.notna() & survey.where
    assert after.mask(filled).equals(before.mask(filled))
    assert after.notna().all(axis=None)
    assert after.loc[[2, 3, 4], "q1"].eq(99).all()
    again = emimpute.read_survey(out)
    assert again.frame["born"].notna().all()
    assert again.frame.dtypes["q1"] == survey.frame.dtypes["q1"]


def test_rows_may_be_left_out_and_columns_added(sav, tmp_path):
    survey = emimpute.read_survey(sav)
    done = survey.impute(columns=["q1", "q2", "income"], indicator=True)
    survey.write(done.query("region == 2")[["id", "q1", "income", "income_imputed"]], tmp_path / "south.sav")
    again, meta = pyreadstat.read_sav(tmp_path / "south.sav")
    assert again["id"].tolist() == done.query("region == 2")["id"].tolist()
    assert meta.variable_value_labels["q1"] == LIKERT
    assert set(again["income_imputed"]) <= {0.0, 1.0}


def test_labels_take_the_place_of_codes_and_are_read_back(sav, tmp_path):
    survey = emimpute.read_survey(sav)
    done = survey.labelled(survey.impute(columns=["q1", "q2", "income"]))
    assert done["q1"].cat.categories.tolist() == ["never", "sometimes", "often"]
    assert done["q1"].cat.ordered
    survey.write(done, tmp_path / "out.sav")
    again = emimpute.read_survey(tmp_path / "out.sav")
    pd.testing.assert_frame_equal(survey.labelled(again.frame), done)


def test_equal_labels_are_told_apart_by_their_codes(tmp_path):
    path = tmp_path / "same.sav"
    df = pd.DataFrame({"q": [1.0, 2, 3, 2]})
    pyreadstat.write_sav(df, path, variable_value_labels={"q": {1: "no", 2: "yes", 3: "yes"}})
    survey = emimpute.read_survey(path)
    assert survey.labelled()["q"].tolist() == ["no", "yes (2)", "yes (3)", "yes (2)"]


def test_statas_extended_missing_values_are_reasons(dta):
    survey = emimpute.read_survey(dta, ordinal="q1")
    assert survey.reasons.loc[:4, "q1"].tolist() == ["refused"] * 2 + ["not asked"] * 2 + ["blank"]
    assert survey.frame["q1"].cat.categories.tolist() == [1, 2, 3]
    assert survey.frame.loc[5:, "q1"].astype(float).equals(people().loc[5:, "q1"])
    assert survey.where["q1"].sum() == len(survey.frame) - 2


def test_a_plain_missing_integer_of_stata_stays_missing(tmp_path):
    path = tmp_path / "whole.dta"
    column = pd.Series([1, 2, "a", None, 5], dtype=object)  # pyreadstat reads the fourth as a number
    pyreadstat.write_dta(pd.DataFrame({"x": column}), path, missing_user_values={"x": ["a"]})
    survey = emimpute.read_survey(path)
    assert survey.reasons["x"].tolist()[2:4] == [".a", "blank"]
    assert survey.frame["x"].astype(float).tolist()[::4] == [1.0, 5.0]


def test_stata_files_are_written_back(dta, tmp_path):
    survey = emimpute.read_survey(dta, ordinal=["q1", "q2"])
    out = tmp_path / "clean.dta"
    survey.write(survey.impute(columns=["q1", "q2", "income"]), out)
    again = emimpute.read_survey(out, ordinal=["q1", "q2"])
    assert again.reasons["q1"].dropna().tolist() == ["not asked"] * 2
    assert again.value_labels == survey.value_labels
    assert again.labels.equals(survey.labels)
    told = pd.read_stata(out, convert_missing=True, convert_categoricals=False)["q1"]
    assert [str(cell) for cell in told[2:4]] == [".b", ".b"]
    assert told.drop([2, 3]).isin([1, 2, 3]).all()


def test_dates_of_stata_survive(tmp_path):
    born = pd.Series(pd.to_datetime(["1990-05-01", None, "2001-12-31", "1985-01-02"]))
    path = tmp_path / "dates.dta"
    frame = pd.DataFrame({"born": born, "x": [1.0, 2.0, 4.0, 0.5]})
    frame.to_stata(path, convert_dates={"born": "td"}, write_index=False)
    survey = emimpute.read_survey(path)
    assert survey.frame["born"].equals(born.astype(survey.frame["born"].dtype))
    survey.write(survey.impute(), tmp_path / "out.dta")
    again = pd.read_stata(tmp_path / "out.dta")["born"]
    assert again.drop(1).tolist() == born.drop(1).tolist()
    assert again.notna().all()


@pytest.mark.parametrize("form", ["DATE11", "DATETIME20", "TIME8"])
def test_times_of_spss_survive(tmp_path, form):
    seconds = (
        np.array([13_000_000_000.0, np.nan, 13_500_000_061.0]) if form != "TIME8" else np.array([60.0, np.nan, 61])
    )
    path = tmp_path / "t.sav"
    pyreadstat.write_sav(pd.DataFrame({"t": seconds, "x": [1.0, 2.0, 3.0]}), path, variable_format={"t": form})
    survey = emimpute.read_survey(path)
    assert survey.frame["t"].dtype.kind == ("m" if form == "TIME8" else "M")
    if form != "TIME8":
        plain, _ = pyreadstat.read_sav(path, dates_as_pandas_datetime=True)
        assert survey.frame["t"].dt.floor("D").iloc[[0, 2]].tolist() == plain["t"].dt.floor("D").iloc[[0, 2]].tolist()
    kept = survey.frame if form == "TIME8" else survey.frame.astype({"t": "datetime64[ns]"})  # of any unit
    survey.write(kept, tmp_path / "out.sav")
    after, meta = pyreadstat.read_sav(tmp_path / "out.sav", disable_datetime_conversion=True)
    np.testing.assert_array_equal(after["t"], seconds)
    assert meta.original_variable_types["t"] == form


@pytest.mark.parametrize("form", ["td", "tm", "tw"])
def test_filled_dates_are_whole(tmp_path, form):
    """A filled day has no hours, and a filled month no fraction."""
    days = pd.Timestamp("1990-01-01") + pd.to_timedelta(900 * np.round(people()["q1"]), unit="D")
    if form != "td":
        days = days.dt.to_period("Y").dt.to_timestamp()
    frame = people()[["q2", "income"]].assign(t=days.where(np.arange(60) % 6 > 0))
    frame.to_stata(tmp_path / "in.dta", convert_dates={"t": form}, write_index=False)
    survey = emimpute.read_survey(tmp_path / "in.dta")
    survey.write(survey.impute(), tmp_path / "out.dta")
    after, _ = pyreadstat.read_dta(tmp_path / "out.dta", disable_datetime_conversion=True)
    before, _ = pyreadstat.read_dta(tmp_path / "in.dta", disable_datetime_conversion=True)
    assert (after["t"] == after["t"].round()).all()
    seen = before["t"].notna()
    assert after["t"][seen].equals(before["t"][seen].astype(float))


def test_filled_days_of_spss_are_whole(tmp_path):
    frame = people()[["q2", "income", "born"]]
    frame.loc[::6, "born"] = pd.NaT
    seconds = (frame["born"].to_numpy("datetime64[s]") - np.datetime64("1582-10-14")) / np.timedelta64(1, "s")
    pyreadstat.write_sav(frame.assign(born=seconds), tmp_path / "in.sav", variable_format={"born": "DATE11"})
    survey = emimpute.read_survey(tmp_path / "in.sav")
    survey.write(survey.impute(), tmp_path / "out.sav")
    after, _ = pyreadstat.read_sav(tmp_path / "out.sav", disable_datetime_conversion=True)
    assert (after["born"] % 86400 == 0).all()
    assert after["born"].between(np.nanmin(seconds), np.nanmax(seconds)).all()
    assert after["born"][~np.isnan(seconds)].tolist() == seconds[~np.isnan(seconds)].tolist()


@pytest.mark.parametrize("version", [114, 117, 118, 119])
def test_whole_numbers_of_stata_are_filled_and_written(tmp_path, version):
    """With gaps pyreadstat reads them as objects, which it would write as text."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3)) + rng.normal(size=(60, 1))
    frame = pd.DataFrame(np.round(20 * x).astype(int), columns=["small", "middle", "large"])
    frame = frame.astype({"small": "Int8", "middle": "Int16", "large": "Int32"}).mask(rng.random(x.shape) < 0.1)
    frame.to_stata(tmp_path / "in.dta", write_index=False, version=version)
    survey = emimpute.read_survey(tmp_path / "in.dta")
    done = survey.impute()
    survey.write(done, tmp_path / "out.dta")
    after, _ = pyreadstat.read_dta(tmp_path / "out.dta")
    assert after.astype(float).equals(done.astype(float))
    assert (after == after.round()).all(axis=None)
    survey.write(survey.frame.head(9), tmp_path / "top.dta")
    again, _ = pyreadstat.read_dta(tmp_path / "top.dta")
    assert again.astype(float).equals(frame.head(9).astype(float))


def test_a_fill_that_the_file_takes_for_missing_is_refused(tmp_path):
    df = pd.DataFrame({"age": [40.0, 97, None, 30], "x": [1.0, 2, 3, 4]})
    pyreadstat.write_sav(df, tmp_path / "in.sav", missing_ranges={"age": [{"lo": 98, "hi": float("inf")}]})
    survey = emimpute.read_survey(tmp_path / "in.sav")
    with pytest.raises(emimpute.EMImputeError, match=r"'age' was filled with 98\.5, which the file takes"):
        survey.write(survey.frame.fillna({"age": 98.5}), tmp_path / "out.sav")
    assert not (tmp_path / "out.sav").exists()
    survey.write(survey.frame.fillna({"age": 41.5}), tmp_path / "out.sav")
    assert emimpute.read_survey(tmp_path / "out.sav").frame["age"].tolist() == [40.0, 97, 41.5, 30]


def test_ranges_may_be_open(tmp_path):
    df = pd.DataFrame({"low": [-5.0, 1, 2, 99], "high": [-5.0, 1, 2, 99]})
    ends = {"low": [{"lo": float("-inf"), "hi": -1}, 99], "high": [{"lo": 90, "hi": float("inf")}]}
    pyreadstat.write_sav(df, tmp_path / "in.sav", missing_ranges=ends)
    survey = emimpute.read_survey(tmp_path / "in.sav")
    assert survey.frame.isna().to_numpy().tolist() == [[True, False], [False, False], [False, False], [True, True]]
    survey.write(survey.frame, tmp_path / "out.sav")
    after, _ = pyreadstat.read_sav(tmp_path / "out.sav", user_missing=True)
    assert after.equals(df)
    assert emimpute.read_survey(tmp_path / "out.sav").frame.equals(survey.frame)


def test_what_is_no_time_is_told(tmp_path):
    df = pd.DataFrame({"t": [13e9, 1e13, 13.5e9], "n": [1.0, 1e300, 2]})
    pyreadstat.write_sav(df, tmp_path / "in.sav", variable_format={"t": "DATE11", "n": "F8.0"})
    with pytest.raises(emimpute.ColumnError, match=r"'t' has times that no calendar has \(1e\+13\)"):
        emimpute.read_survey(tmp_path / "in.sav")
    survey = emimpute.read_survey(tmp_path / "in.sav", missing_codes={"t": {1e13: "unknown"}})
    assert survey.frame["t"].isna().tolist() == [False, True, False]
    assert survey.frame["n"].tolist() == df["n"].tolist()  # floats: no integer holds them


def foreign(path, *, code, name):
    """An SPSS file in another encoding: its header says number ``code`` and, if it has one, ``name``."""
    df = pd.DataFrame({"town": ["Z#rich", "Genf"], "x": [1.0, 2]})
    pyreadstat.write_sav(df, path, variable_value_labels={"x": {1: "gr#n", 2: "blau"}}, column_labels={"x": "F#rbung"})
    record = struct.pack("<iii", 7, 20, 1)
    told = record + struct.pack("<i", len(name)) + name if name else b""
    data = path.read_bytes().replace(record + struct.pack("<i", 5) + b"UTF-8", told)
    path.write_bytes(data.replace(struct.pack("<i", 65001), struct.pack("<i", code)).replace(b"#", b"\xfc"))


def test_text_in_another_encoding(tmp_path):
    foreign(tmp_path / "told.sav", code=1252, name=b"windows-1252")
    foreign(tmp_path / "wrong.sav", code=65001, name=b"UTF-8")
    with pytest.raises(emimpute.EMImputeError, match=r"encoding='windows-1252'"):
        emimpute.read_survey(tmp_path / "wrong.sav")
    for file, encoding in (("told", None), ("wrong", "windows-1252")):
        survey = emimpute.read_survey(tmp_path / f"{file}.sav", encoding=encoding)
        survey.write(survey.frame, tmp_path / f"{file}-out.sav")
        again = emimpute.read_survey(tmp_path / f"{file}-out.sav")
        assert again.frame["town"].tolist() == ["Zürich", "Genf"]
        assert again.value_labels == {"x": {1: "grün", 2: "blau"}}
        assert again.labels["x"] == "Fürbung"


def test_text_stays_text_and_blank_text_is_missing(tmp_path):
    path = tmp_path / "text.sav"
    df = pd.DataFrame({"sex": ["m", "f", "", "x"], "said": ["a", "", "c", "d"]})
    pyreadstat.write_sav(
        df, path, variable_value_labels={"sex": {"m": "male", "f": "female"}}, missing_ranges={"sex": ["x"]}
    )
    survey = emimpute.read_survey(path)
    assert set(survey.frame["sex"].cat.categories) == {"m", "f"}
    assert survey.reasons["sex"].tolist()[2:] == ["blank", "code x"]
    assert survey.measures["said"] == "text"
    survey.write(survey.frame, tmp_path / "out.sav")
    after, _ = pyreadstat.read_sav(tmp_path / "out.sav", user_missing=True)
    assert after["sex"].tolist() == df["sex"].tolist()


def test_nothing_is_overwritten_and_no_answer_is_lost(sav, tmp_path):
    survey = emimpute.read_survey(sav)
    before = sav.read_bytes()
    with pytest.raises(emimpute.EMImputeError, match="exists already"):
        survey.write(survey.frame, sav)
    with pytest.raises(emimpute.EMImputeError, match="'q2' has lost 59 answers"):
        survey.write(survey.frame.assign(q2=pd.Series(dtype=survey.frame["q2"].dtype)), tmp_path / "a.sav")
    with pytest.raises(emimpute.EMImputeError, match="no code for: 'maybe'"):
        survey.write(survey.frame.assign(q2=pd.Categorical(["maybe"] * 60)), tmp_path / "a.sav")
    with pytest.raises(emimpute.EMImputeError, match="not the survey's: 100"):
        survey.write(survey.frame.rename(index={3: 100}), tmp_path / "a.sav")
    with pytest.raises(emimpute.EMImputeError, match="'income' has other cells than the survey's"):
        survey.write(survey.frame.assign(income="much"), tmp_path / "a.sav")
    with pytest.raises(emimpute.EMImputeError, match="no column to write"):
        survey.write(survey.frame[[]], tmp_path / "a.sav")
    with pytest.raises(emimpute.EMImputeError, match="'big' has whole numbers too large"):
        survey.write(survey.frame.assign(big=2**60 + 1), tmp_path / "a.sav")
    with pytest.raises(emimpute.EMImputeError, match=r"cannot be written as \.dta"):
        survey.write(survey.frame, tmp_path / "a.dta")
    assert sav.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [sav.name]


def test_bad_input_is_told(sav, tmp_path):
    with pytest.raises(emimpute.ColumnError, match="did you mean 'q1'"):
        emimpute.read_survey(sav, missing_codes={"q11": [1]})
    with pytest.raises(emimpute.ColumnError, match="nominal= names 'q1'"):
        emimpute.read_survey(sav, ordinal=["q1"], nominal=["q1"])
    with pytest.raises(emimpute.ColumnError, match="'name' holds text"):
        emimpute.read_survey(sav, scale="name")
    with pytest.raises(emimpute.EMImputeError, match="maps variables to codes"):
        emimpute.read_survey(sav, missing_codes=[98])
    with pytest.raises(emimpute.EMImputeError, match="a list of codes"):
        emimpute.read_survey(sav, missing_codes={"q1": 98})
    with pytest.raises(emimpute.EMImputeError, match="None for 'q1', whose codes are numbers"):
        emimpute.read_survey(sav, missing_codes={"q1": [None]})
    with pytest.raises(emimpute.EMImputeError, match="99 for 'name', whose codes are text"):
        emimpute.read_survey(sav, missing_codes={"name": [99]})
    with pytest.raises(emimpute.EMImputeError, match=r"where= has the shape \(3, 3\)"):
        emimpute.read_survey(sav).impute(where=np.ones((3, 3), dtype=bool))
    with pytest.raises(emimpute.EMImputeError, match=r"ends in \.sav"):
        emimpute.read_survey(tmp_path / "x.csv")
    with pytest.raises(FileNotFoundError):
        emimpute.read_survey(tmp_path / "x.sav")
    (tmp_path / "broken.sav").write_bytes(b"no survey at all")
    with pytest.raises(emimpute.EMImputeError, match=r"cannot be read as \.sav"):
        emimpute.read_survey(tmp_path / "broken.sav")


def test_it_says_what_it_read(sav):
    said = repr(emimpute.read_survey(sav))
    assert "60 rows and 7 variables" in said
    assert "not asked: 3 cells, left as they are" in said
    assert "refused: 2 cells, to be filled" in said


def test_without_pyreadstat_the_extra_is_named(sav, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    with pytest.raises(emimpute.EMImputeError, match=r"pip install 'emimpute\[survey\]'"):
        emimpute.read_survey(sav)


def test_the_command_line_completes_a_survey_file(sav, tmp_path):
    out, table = tmp_path / "clean.sav", tmp_path / "clean.csv"
    for target in (out, table):
        assert main(["impute", str(sav), "-o", str(target), "--columns", "q1,q2,region,income", "--quiet"]) == 0
    done = emimpute.read_survey(out)
    assert done.gaps[["variable", "reason"]].values.tolist() == [["q1", "not asked"], ["born", "blank"]]
    assert pd.read_csv(table)["q1"].isna().sum() == 3


def test_the_command_line_fits_a_surveys_groups_apart(sav, tmp_path):
    """By a variable of codes, with an index, and to the compressed format."""
    out = tmp_path / "clean.zsav"
    words = "--by region --index-col id --columns q1,q2,income --prior ridge --quiet"
    assert main(["impute", str(sav), "-o", str(out), *words.split()]) == 0
    done, survey = emimpute.read_survey(out), emimpute.read_survey(sav)
    assert list(done.frame) == list(survey.frame)
    assert done.frame["id"].tolist() == survey.frame["id"].tolist()
    assert done.value_labels == survey.value_labels
    known = survey.frame["region"].notna()
    assert done.frame.loc[known, "income"].notna().all()
    assert done.frame["region"].equals(survey.frame["region"])


def test_a_table_without_labels_is_not_made_a_survey_file(tmp_path, capsys):
    assert main(["impute", str(datasets.path("tao")), "-o", str(tmp_path / "tao.sav")]) == 2
    assert "only a survey file" in capsys.readouterr().err
