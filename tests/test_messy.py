"""Ordinary tables never die: whatever a user loads is completed, or the package says why not.

Each table below goes through ``impute`` and ``fit``, with every warning of other packages an error. What comes back has
every numeric gap filled with finite numbers near the observed ones, except in columns that a warning names; else the
call ends with an error of this package that the table is expected to earn.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import emimpute

ROWS = 60
FAR = 3  # ranges of the observed values that a fill may lie outside of them


def holed(df, share=0.2, seed=1):
    """``df`` with a share of its cells missing; booleans become objects."""
    return df.mask(np.random.default_rng(seed).random(df.shape) < share)


def numbers(rows=ROWS, columns=3, seed=0):
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, columns))).rename(columns=lambda i: f"x{i}")


def base(**columns):
    return holed(numbers()).assign(**columns)


def dummies():
    return pd.get_dummies(pd.Series(np.random.default_rng(0).choice(list("abc"), ROWS)))


def everything():
    """One frame with a column of each sort that files give."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2020-01-01", periods=ROWS)[rng.permutation(ROWS)]
    return holed(numbers()).assign(
        day=pd.Series(days).mask(rng.random(ROWS) < 0.2),
        moment=pd.Series(days[::-1]).dt.tz_localize("Europe/Paris").mask(rng.random(ROWS) < 0.2),
        span=pd.to_timedelta(rng.integers(0, 1000, ROWS), unit="s"),
        name=["ann", None, "bob"] * (ROWS // 3),
        count=pd.array([*rng.integers(0, 9, ROWS - 1), None], dtype="Int64"),
        group=pd.Categorical(rng.choice(["u", "v", None], ROWS)),
        level=pd.Categorical(rng.choice([1, 2, 3], ROWS), ordered=True),
        smokes=pd.Series(rng.random(ROWS) > 0.5).astype(object).mask(rng.random(ROWS) < 0.2),
        things=[1, "a", None, 2.5, [1], {}] * (ROWS // 6),
        void=np.nan,
        one=[1, None] * (ROWS // 2),
    )


# What is completed, and which warnings it earns.
COMPLETED = {
    "empty columns": (lambda: base(e=np.nan, f=None, g=pd.Series([pd.NaT] * ROWS)), "Column"),
    "a factor of one level": (lambda: base(f=pd.Categorical(["u"] * ROWS), s="only"), ""),
    "a factor of one level with gaps": (lambda: base(f=pd.Categorical(["u"] * 50 + [None] * 10)), ""),
    "constants": (lambda: base(k=1.0, gap=[2.0, None] * 30, yes=[True, None] * 30, n=7), ""),
    "collinear dummies": (lambda: pd.concat([holed(numbers()), dummies()], axis=1), "Identification"),
    "collinear dummies with gaps": (lambda: pd.concat([holed(numbers()), holed(dummies())], axis=1), "Identification"),
    "ids from 1 to n": (lambda: base(id=range(1, ROWS + 1)), ""),
    "ids of text": (lambda: base(id=[f"p{i}" for i in range(ROWS)]), ""),
    "two ids": (lambda: base(id=range(ROWS), key=range(1000, 1000 + 2 * ROWS, 2)), "Identification"),
    "an empty query": (lambda: base(s="x").query("x0 > 1e9"), ""),
    "repeated columns": (lambda: pd.concat([holed(numbers())] * 2, axis=1), "Identification"),
    "copies with other gaps": (lambda: pd.concat([base(), holed(numbers(), seed=5)], axis=1), "Identification"),
    "more columns than rows": (lambda: holed(numbers(8, 20)), "Identification"),
    "many more columns than rows": (lambda: holed(numbers(6, 60)), "Identification"),
    "as many columns as rows": (lambda: holed(numbers(12, 12)), "Identification"),
    "empty rows": (lambda: base().mask(pd.Series(np.arange(ROWS) % 9 == 0), np.nan), ""),
    "one column": (lambda: base()[["x0"]], ""),
    "two rows": (lambda: pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, np.nan]}), ""),
    "two rows that share a column": (lambda: pd.DataFrame({"x": [1.0, 2], "y": [3.0, np.nan], "z": [np.nan, 5]}), ""),
    "three rows": (lambda: pd.DataFrame({"x": [1.0, 2, 4], "y": [3.0, np.nan, 1]}), "Identification"),
    "one value in each column": (lambda: pd.DataFrame(np.where(np.eye(3), 5.0, np.nan)), ""),
    "only text": (lambda: pd.DataFrame({"a": ["x", None, "y"], "b": ["u", "v", None]}), "Column"),
    "only text without gaps": (lambda: pd.DataFrame({"a": ["x", "y"], "b": ["u", "v"]}), ""),
    "mixed objects": (lambda: base(o=[1, "a", None, 2.5, [1], {}] * 10), "Column"),
    "everything": (everything, "Column Identification"),  # in 60 rows the other columns tell each yes from each no
    "far apart scales": (lambda: base() * [1e-130, 1.0, 1e130], ""),
    "far from zero": (lambda: base() * [1e-3, 1.0, 1e-6] + [1e9, -1e12, 1e5], ""),
    "zeros and a single one": (lambda: base(s=[1.0] + [0.0] * 58 + [None]), ""),
    "a single one where others are missing": (
        lambda: pd.DataFrame({"s": [1.0] + [0.0] * 9, "x": [np.nan, *np.arange(9.0) ** 2]}),
        "Identification",
    ),
    "nearly constant": (lambda: base(s=[*(1 + 1e-15 * (np.arange(59) % 2)), None]), ""),
    "nearly constant and far": (lambda: base(s=[*(1e6 + 1e-9 * (np.arange(59) % 5)), None]), ""),
    "perfect correlation": (lambda: holed(numbers(columns=1).assign(b=lambda d: 1 - 2 * d["x0"])), "Identification"),
    "a sum of others": (lambda: holed(numbers().assign(t=lambda d: d.sum(axis=1))), "Identification"),
    "nearly a sum of others": (
        lambda: holed(numbers(columns=4).assign(x3=lambda d: d["x0"] + d["x1"] + 1e-3 * d["x3"])),
        "",
    ),
    "a time series": (lambda: base().set_axis(pd.date_range("2020", periods=ROWS, freq="h"), axis=0), ""),
    "repeated index": (lambda: pd.concat([base(), base()]), ""),
    "no columns": (lambda: pd.DataFrame(index=range(3)), ""),
    "nothing": (pd.DataFrame, ""),
    "no rows": (lambda: pd.DataFrame({"x": pd.Series(dtype=float), "s": pd.Series(dtype=object)}), ""),
    "halves that never meet": (
        lambda: pd.DataFrame({"x": [1.0, 2, 3, 5] + [np.nan] * 4, "y": [np.nan] * 4 + [1.0, 3, 2, 5]}),
        "Identification",
    ),
    "almost nothing observed": (lambda: holed(numbers(200, 5), 0.97), "Identification"),
    "huge integers": (
        lambda: base(i=pd.array([2**62 + i if i % 3 else None for i in range(ROWS)], dtype="Int64")),
        "",
    ),
    "integers beyond 64 bits": (
        lambda: base(i=pd.Series([10**30 + i * 10**28 if i % 3 else None for i in range(ROWS)], dtype=object)),
        "",
    ),
    "levels in the columns": (
        lambda: base().set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]), axis=1),
        "",
    ),
    "strange labels": (lambda: base().set_axis(pd.Index([None, ("a", 1), b"x"], dtype=object), axis=1), ""),
    "a missing label": (lambda: base().set_axis([np.nan, 1, 1.5], axis=1), ""),
    "an outlier": (lambda: base(o=[1e12, *np.random.default_rng(3).normal(size=58), None]), ""),
    "counts with a long tail": (lambda: base(c=[*np.floor(np.random.default_rng(0).pareto(1.5, 59)), None]), ""),
    "periods": (
        lambda: base(p=pd.Series(pd.period_range("2020", periods=ROWS, freq="M")).mask(np.arange(60) == 7)),
        "",
    ),
    "intervals": (lambda: base(i=pd.cut(numbers()["x0"], 3)), "Identification"),  # a coarse copy of a column
    "lists": (lambda: base(i=[[1, 2]] * ROWS), ""),
    "numbers as text": (lambda: base(i=[*map(str, range(ROWS - 1)), None]), "Column"),
    "dates as objects": (lambda: base(i=pd.Series(pd.date_range("2020", periods=ROWS)).dt.date), ""),
    "complete": (numbers, ""),
    "one gap": (
        lambda: numbers().mask(pd.DataFrame(np.arange(180).reshape(60, 3) == 77, columns=numbers().columns)),
        "",
    ),
}

# What cannot be, and what is said of it.
EXPLAINED = {
    "nothing observed": (lambda: pd.DataFrame(np.nan, index=range(5), columns=list("ab")), "nothing to learn from"),
    "too far apart for floats": (lambda: base() * [1e-300, 1.0, 1e300], "'x0'.* multiply the column by a power of ten"),
    "the largest floats": (lambda: pd.DataFrame({"x": [1.7e308, -1.7e308, np.nan], "y": [1.0, 2, 3]}), "'x'"),
    "the smallest floats": (lambda: pd.DataFrame({"x": [5e-324, 0, np.nan, 2e-323], "y": [1.0, 2, 4, 3]}), "'x'"),
    "infinities": (lambda: base(s=[np.inf] + [1.0] * 59), "'s' holds infinity"),
    "complex numbers": (lambda: base(s=1j), "'s' holds complex numbers"),
}


def judged(call, df):
    """The result of a call, or its refusal; and the classes of its warnings. Anything else is an error here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call(df)
        except emimpute.EMImputeError as refusal:
            result = refusal
    foreign = [w for w in caught if not issubclass(w.category, emimpute.EMImputeWarning)]
    assert [f"{w.category.__name__}: {w.message} ({w.filename}:{w.lineno})" for w in foreign] == []
    return result, {w.category for w in caught}, " ".join(str(w.message) for w in caught)


def missing(column):
    return column.isna().to_numpy(dtype=bool)


@pytest.mark.parametrize("name", COMPLETED)
def test_a_messy_table_is_completed(name):
    make, words = COMPLETED[name]
    df = make()
    done, classes, said = judged(emimpute.impute, df)
    assert isinstance(done, pd.DataFrame), done
    assert classes == {getattr(emimpute, f"{word}Warning") for word in words.split()}
    assert (done.shape, list(done.dtypes)) == (df.shape, list(df.dtypes))
    for i, label in enumerate(df.columns):
        before, after = df.iloc[:, i], done.iloc[:, i]
        gaps = missing(before)
        pd.testing.assert_series_equal(after[~gaps], before[~gaps])
        if missing(after).any():
            assert repr(label) in said
            assert not pd.api.types.is_numeric_dtype(before.dtype) or gaps.all()
        elif gaps.any() and pd.api.types.is_float_dtype(before.dtype):
            low, high = before.min(), before.max()
            room = FAR * (high - low)
            assert after[gaps].between(low - room, high + room).all(), (label, after[gaps])


@pytest.mark.parametrize("name", COMPLETED)
def test_a_messy_table_is_fitted_and_told(name):
    """The fit prints, lists its cells and goes to JSON and back; or there is nothing to learn from."""
    fit, _, _ = judged(emimpute.fit, COMPLETED[name][0]())
    if isinstance(fit, Exception):
        assert "nothing to learn from" in str(fit)
        return
    assert np.isfinite(fit.loglik)
    assert fit.converged
    assert np.isfinite(fit.cov.to_numpy()).all()
    assert len(fit.summary().split("\n")) <= 60
    assert fit._repr_html_().startswith("<div>")
    assert len(fit.cells()) == sum(fit.gaps)
    if name == "strange labels":
        with pytest.raises(emimpute.EMImputeError, match="b'x'"):
            fit.to_json()
    else:
        assert emimpute.read_json(fit.to_json()).summary() == fit.summary()


@pytest.mark.parametrize("name", EXPLAINED)
@pytest.mark.parametrize("function", [emimpute.impute, emimpute.fit])
def test_what_cannot_be_is_explained(function, name):
    make, words = EXPLAINED[name]
    result, _, _ = judged(function, make())
    with pytest.raises(emimpute.EMImputeError, match=words):
        raise result


@pytest.mark.parametrize("row", [0, 1, 5])
def test_a_single_row(row):
    """Every column of it is a constant or has nothing at all."""
    df = base().iloc[[row]]
    done, classes, _ = judged(emimpute.impute, df)
    pd.testing.assert_frame_equal(done, df)
    assert classes == ({emimpute.ColumnWarning} if df.isna().any(axis=None) else set())


@pytest.mark.parametrize(
    "arguments",
    [
        {"prior": "ridge"},
        {"prior": 1},
        {"prior": None},
        {"sample": True, "rng": 1},
        {"max_iter": 1},
        {"max_iter": 7},
        {"indicator": True},
        {"tol": 1e-12},
        {"weights": np.arange(ROWS) % 2},
    ],
    ids=str,
)
def test_no_argument_makes_a_messy_table_die(arguments):
    """Under every option the tables of full length give an answer or an explanation, with finite numbers."""
    for make, _ in [*COMPLETED.values(), *EXPLAINED.values()]:
        df = make()
        if len(df) != ROWS:
            continue
        if isinstance(df.columns[0], float) and arguments.get("indicator"):
            continue
        done, _, _ = judged(lambda d: d.em.impute(**arguments), df)
        if isinstance(done, pd.DataFrame):
            floats = done.select_dtypes("float").to_numpy()
            assert not np.isinf(floats).any()
        else:
            assert isinstance(done, emimpute.EMImputeError)
