"""A package that adds kinds: installed, found by its entry points, and used like the built-in ones."""

from __future__ import annotations

import os
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_readme import blocks_of

import emimpute
from emimpute.kinds import available, get
from emimpute.testing import check_kind

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "plugin_example"
THERE = any(point.name == "heaped" for point in entry_points(group="emimpute.kinds"))
NEEDED = os.environ.get("PLUGIN_EXAMPLE") == "installed"  # as the Makefile says
DTYPES = ("float64", "Int64", "float32", "int32[pyarrow]", "object")

installed = pytest.mark.skipif(not THERE and not NEEDED, reason="pip install --editable tests/plugin_example")


@pytest.fixture
def people():
    """Incomes as they are, and as 70 % of people tell them: to the nearest 4000."""
    rng = np.random.default_rng(3)
    school = rng.normal(size=800)
    true = np.exp(8.5 + 0.4 * school + 0.3 * rng.standard_normal(800))
    told = pd.Series(np.maximum((true / 4000).round() * 4000, 0)).mask(rng.random(800) < 0.3)
    return pd.DataFrame({"school": school, "income": told}), true


@installed
def test_the_kinds_are_found_where_the_package_is_installed():
    table = available().set_index("name").loc[["heaped", "compass"]]
    assert set(table["source"]) == {"emimpute-heaped"}
    assert set(table["status"]) == {"ready"}


@installed
@pytest.mark.parametrize("dtype", DTYPES)
def test_they_keep_the_contract(dtype):
    check_kind("heaped", pd.Series([42_000, None, 1_234, 43_100, 0, 777], dtype=dtype, name="income"))
    check_kind("compass", pd.Series([0, 90, None, 359, 180, 17], dtype=dtype, name="wind"))


@installed
def test_rounded_answers_are_intervals_to_em(people):
    """Taken at their word they hide a part of how income goes with school (a correlation of .8)."""
    df, true = people
    rounded = type(get("heaped"))(widths=(4000, 1))
    fits = []
    done = df.em.impute(kinds={"income": rounded}, report=fits.append)
    assert fits[0].converged
    assert abs(fits[0].corr.loc["income", "school"] - 0.8) < 0.03
    assert np.log(df["income"].clip(lower=2000)).corr(df["school"]) < 0.72
    gaps = df["income"].isna()
    assert (done["income"][gaps] > 0).all()
    assert abs(done["income"][gaps].mean() / true[gaps].mean() - 1) < 0.05
    pd.testing.assert_series_equal(done["income"][~gaps], df["income"][~gaps])


@installed
def test_directions_near_north_are_not_filled_with_south():
    rng = np.random.default_rng(4)
    wind = rng.normal(0, 20, 300)
    rain = wind / 20 + 0.3 * rng.standard_normal(300)
    df = pd.DataFrame({"wind": (wind % 360).round(), "rain": rain}).astype({"wind": "Int64"})
    gaps = rng.random(300) < 0.3
    done = df.assign(wind=df["wind"].mask(gaps)).em.impute(kinds={"wind": "compass"})
    away = (done["wind"].astype(float)[gaps] - wind[gaps] + 180) % 360 - 180
    assert done["wind"].dtype == "Int64"
    assert np.sqrt((away**2).mean()) < 10
    assert df.assign(wind=df["wind"].mask(gaps)).em.fit(kinds={"wind": "compass"}).mean.index.tolist() == [
        "wind[cos]",
        "wind[sin]",
        "rain",
    ]


@installed
def test_a_fit_is_kept_and_comes_back(people):
    df, _ = people
    fit = df.em.fit(kinds={"income": "heaped"})
    again = emimpute.read_json(fit.to_json())
    pd.testing.assert_frame_equal(again.impute(df), fit.impute(df))


@installed
def test_what_a_kind_refuses_names_the_column():
    df = pd.DataFrame({"income": [-5.0, 3.0, None], "x": [1.0, 2, 3]})
    with pytest.raises(emimpute.ColumnError, match="'income' holds a negative amount"):
        df.em.impute(kinds={"income": "heaped"})


def test_the_page_shows_the_entry_points_of_the_package():
    page = (ROOT / "docs" / "write-your-own-kind.md").read_text(encoding="utf-8")
    (shown,) = [tomllib.loads(block.text) for block in blocks_of(page) if block.language == "toml"]
    own = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))
    assert shown["build-system"] == own["build-system"]
    assert all(own["project"][name] == value for name, value in shown["project"].items())
