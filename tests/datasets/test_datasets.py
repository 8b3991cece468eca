"""Bundled data: what ``load`` promises, and that nothing ships without its origin and terms written down."""

from __future__ import annotations

import pandas as pd
import pytest

from emimpute import EMImputeError, datasets

NAMES = list(datasets.available()["name"])
README = datasets.path("bfi").with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "shape", "missing"),
    [("bfi", (2800, 28), 731), ("penguins", (344, 8), 19), ("tao", (736, 8), 177)],
)
def test_size_and_gaps(name, shape, missing):
    """Every row is there, and every gap is a missing value."""
    frame = datasets.load(name)
    assert frame.shape == shape
    assert int(frame.isna().to_numpy().sum()) == missing


def test_bfi_holds_likert_items_and_demographics():
    """25 items from 1 to 6, as whole numbers with gaps."""
    bfi = datasets.load("bfi")
    items = bfi.iloc[:, :25]
    assert (bfi.dtypes == "Int64").all()
    assert set(pd.unique(items.to_numpy(dtype=float, na_value=0).ravel())) == {0, 1, 2, 3, 4, 5, 6}
    assert list(bfi.columns[25:]) == ["gender", "education", "age"]


def test_whole_numbers_with_gaps_stay_whole():
    """A column of integers and gaps is nullable, so that what is filled in is an integer."""
    for name in NAMES:
        frame = datasets.load(name)
        for label, column in frame.select_dtypes("float").items():
            assert (column.dropna() % 1 != 0).any(), f"{name}: {label} holds whole numbers only"


def test_text_is_categories():
    """Penguins have three columns of text, one with gaps."""
    penguins = datasets.load("penguins")
    text = penguins.select_dtypes("category")
    assert list(text) == ["species", "island", "sex"]
    assert int(text["sex"].isna().sum()) == 11


@pytest.mark.parametrize("name", NAMES)
def test_each_call_reads_afresh(name):
    """What a user does to a loaded frame changes no later one."""
    first = datasets.load(name)
    before = first.copy()
    first.iloc[:, 0] = first.iloc[::-1, 0].to_numpy()
    first["new"] = 1
    pd.testing.assert_frame_equal(datasets.load(name), before)


@pytest.mark.parametrize("name", NAMES)
def test_path_is_the_file_that_load_reads(name):
    """For tools that want a file."""
    file = datasets.path(name)
    assert file.name == f"{name}.csv"
    assert pd.read_csv(file).shape == datasets.load(name).shape


def test_available_says_what_load_gives():
    """One row a file in the folder, with origin and licence filled in."""
    table = datasets.available()
    assert list(table) == ["name", "rows", "columns", "missing", "origin", "licence"]
    assert set(table["name"]) == {file.stem for file in datasets.path("bfi").parent.glob("*.csv")}
    for row in table.itertuples():
        frame = datasets.load(row.name)
        assert (row.rows, row.columns) == frame.shape
        assert row.missing == int(frame.isna().to_numpy().sum())
    assert (table[["origin", "licence"]].map(len) > 0).all(axis=None)


def test_every_gap_is_genuine():
    """Data without gaps would be no example."""
    assert (datasets.available()["missing"] > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_names_every_file(name):
    """With a section that says where it comes from and on what terms."""
    assert f"`{name}.csv`" in README
    section = README.split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert "**Origin.**" in section
    assert "**Terms.**" in section


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_names_every_column(name):
    """Items of a scale may be named by their ends, as in A1-A5."""
    for label in datasets.load(name):
        assert f"`{label}`" in README or f"| {label} |" in README


def test_the_files_are_small():
    """They ship with every installation."""
    assert sum(datasets.path(name).stat().st_size for name in NAMES) < 250_000


@pytest.mark.parametrize("wrong", ["bif", "penguin", "airquality", "", None, ["bfi"], "../bfi"])
@pytest.mark.parametrize("call", [datasets.load, datasets.path])
def test_an_unknown_name_is_refused(call, wrong):
    """One clear sentence, with the names that exist."""
    with pytest.raises(EMImputeError, match="no data set"):
        call(wrong)


def test_a_misspelt_name_gets_the_nearest():
    """A slip of the finger is answered with what was meant."""
    with pytest.raises(EMImputeError, match=r"did you mean 'penguins'\?"):
        datasets.load("pengiuns")
