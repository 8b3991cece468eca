"""Kinds `id` and `text`: what tells rows apart is left alone, and said to be."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from labels import CATEGORIES, TEXT

import emimpute
from emimpute.errors import ColumnError
from emimpute.kinds import get
from emimpute.kinds.registry import choose

N = 60
CODES = [f"C{i:05}" for i in range(N)]
REMARKS = [f"the answer of person {i}" for i in range(N)]
TOWNS = [f"town{i % 25}" for i in range(N)]


def table(**columns):
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    df = pd.DataFrame({"x": x, "y": x + rng.normal(size=N)})
    df.loc[[3, 7], "y"] = np.nan
    return df.assign(**columns)


def with_gaps(cells):
    return [None if i % 7 == 2 else cell for i, cell in enumerate(cells)]


@pytest.mark.parametrize("dtype", [*TEXT, "category", "with a category more"])
@pytest.mark.parametrize(("cells", "name"), [(CODES, "id"), (REMARKS, "text"), (TOWNS, "text")])
def test_text_that_tells_rows_apart_is_recognised_in_every_dtype(dtype, cells, name):
    make = (TEXT | CATEGORIES)[dtype]
    for column in (make(cells), make(with_gaps(cells))):
        assert choose(column).name == name
        different = column.nunique()
        assert choose(column).reason(column) == f"{name}, {different} distinct values"


@pytest.mark.parametrize(
    "values",
    [
        np.arange(N),
        np.arange(N) * 1.5,
        pd.array(range(N), dtype="Int64"),
        pd.date_range("2020", periods=N),
        ["yes", "no", "maybe"] * 20,
        pd.Categorical(CODES, ordered=True),
    ],
    ids=["integers", "floats", "Int64", "dates", "answers", "ordered"],
)
def test_numbers_dates_and_answers_are_never_taken_for_it(values):
    assert choose(pd.Series(values)).name not in {"id", "text"}


def test_a_code_once_or_twice_more_is_still_an_id():
    column = pd.Series([*CODES, *CODES[:4]])
    assert choose(column).name == "id"
    assert choose(pd.Series([*CODES, *CODES[:30]])).name == "text"


def test_columns_without_gaps_cost_no_warning_but_a_note():
    df = table(code=CODES, town=TOWNS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = df.em.impute()
        fit = df.em.fit()
    assert done.notna().all(axis=None)
    (note,) = fit.problems.query("problem == 'text'").itertuples()
    assert note.columns == ("code", "town")
    assert "Left alone: 'code' (id, 60 distinct values) and 'town' (text, 25 distinct values)." in note.sentence
    assert "kinds={'code': 'nominal'}" in note.remedy
    assert dict(fit.kinds) == {"x": "real", "y": "real"}


def test_columns_with_gaps_are_one_warning_with_reason_and_remedy():
    df = table(code=with_gaps(CODES), town=with_gaps(TOWNS))
    with pytest.warns(emimpute.ColumnWarning) as caught:
        done = df.em.impute()
    (one,) = caught
    assert "'code' (id, 51 distinct values)" in str(one.message)
    assert "'town' (text, 25 distinct values)" in str(one.message)
    assert "kinds={'code': 'nominal'}" in str(one.message)
    assert done["y"].notna().all()
    pd.testing.assert_frame_equal(done[["code", "town"]], df[["code", "town"]])


def test_a_column_asked_for_says_what_it_is_and_what_to_do():
    df = table(code=CODES)
    for arguments in ({"columns": ["x", "code"]}, {"columns": "code"}):
        with pytest.raises(ColumnError, match=r"Column 'code' is left alone \(id, 60 distinct values\).*'nominal'"):
            df.em.impute(**arguments)
    with pytest.raises(ColumnError, match=r"'code' \(id, 51 distinct values\)"):
        table(code=with_gaps(CODES)).em.impute(fill="code")


def test_any_column_is_left_alone_by_name_also_one_of_numbers():
    df = table(number=np.arange(N) ** 2.0)
    fit = df.em.fit(kinds={"number": "id"})
    assert dict(fit.kinds) == {"x": "real", "y": "real"}
    assert "'number' (id, 60 distinct values)" in fit.problems["sentence"].str.cat()
    assert dict(df.em.fit(kinds={"number": "real"}).kinds)["number"] == "real"


def test_another_kind_overrides_and_too_many_levels_have_their_own_words():
    with pytest.raises(ColumnError, match=r"holds 60 levels .* takes 20 at most"):
        table(code=CODES).em.fit(kinds={"code": "nominal"})


@pytest.mark.parametrize("name", ["id", "text"])
def test_they_learn_and_restore_nothing(name):
    with pytest.raises(ColumnError, match=rf"Column 'c' is left alone \({name}, 60 distinct values\)"):
        get(name).learn(pd.Series(CODES, name="c"))
    with pytest.raises(ColumnError, match="nothing to restore"):
        get(name).restore({})


def test_reasons_are_given_for_anything():
    assert get("id").reason(pd.Series([[1], [1], None, [2]])) == "id, 2 distinct values"
    for odd in (
        pd.Series([], dtype=object),
        pd.Series([None, None]),
        pd.Series([1, "a", (2,)]),
        pd.Series([b"a"] * 20),
    ):
        assert not get("id").accepts(odd)
        assert not get("text").accepts(odd)
