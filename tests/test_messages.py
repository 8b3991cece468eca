"""What the package says when something is wrong: every message names what was seen, the column, and what to do."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.em import Stop
from emimpute.errors import named, shown, unknown

NAMES = [cell for i in range(10) for cell in (f"n{i}", None)]  # text that tells rows apart, with gaps
ROOMY = 500  # characters that one message may have, however many columns it is about


def table(**columns):
    """Two correlated columns of numbers with gaps, one of text without, and what a test adds."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=20)
    df = pd.DataFrame({"age": x, "pay": x + rng.normal(size=20), "name": list("abcdefghijklmnopqrst")})
    df.loc[[3, 7], "age"] = np.nan
    df.loc[[4, 11], "pay"] = np.nan
    return df.assign(**columns)


def told(call):
    """The warnings of a call as {class: message}; there is at most one of each class, and each blames this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert {w.filename for w in caught} <= {__file__}
    classes = [w.category for w in caught]
    assert len(set(classes)) == len(classes)
    return {w.category: str(w.message) for w in caught}


def refused(error, call):
    """The message of the error that a call ends with."""
    with pytest.raises(emimpute.EMImputeError) as caught:
        call()
    assert type(caught.value) is error
    message = str(caught.value)
    assert len(message) < ROOMY
    assert re.match(r"[A-Z]|[a-z_]+=", message), "a sentence begins with a capital, or with the argument it is about"
    assert message.endswith((".", "?"))
    return message


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "word"),
    [([1.0, None], "list"), (pd.Series([1.0, None]), "Series"), (np.ones((2, 2)), "ndarray"), (None, "NoneType")],
    ids=["list", "Series", "array", "None"],
)
@pytest.mark.parametrize("function", [emimpute.impute, emimpute.fit, emimpute.patterns, emimpute.coverage])
def test_only_a_frame_is_a_frame(function, thing, word):
    message = refused(emimpute.ColumnError, lambda: function(thing))
    assert "pandas DataFrame" in message
    assert word in message
    assert ("to_frame()" if word == "Series" else "pandas.DataFrame(") in message


@pytest.mark.parametrize("function", [emimpute.impute, emimpute.fit])
@pytest.mark.parametrize(("value", "words"), [(np.inf, "infinity"), (-np.inf, "infinity"), (1j, "complex")])
def test_infinities_and_complex_numbers_are_refused(function, value, words):
    message = refused(emimpute.ColumnError, lambda: function(table(pay=[0.0, 2.0, value, *[1.0] * 17])))
    assert "'pay'" in message
    assert words in message
    if words == "infinity":
        assert re.search("row label 2.*: replace it", message)


@pytest.mark.parametrize(
    ("error", "arguments", "words"),
    [
        (emimpute.ColumnError, {"columns": ["age", "pya"]}, "columns=: There is no column 'pya': did you mean 'pay'?"),
        (emimpute.ColumnError, {"fill": "ages"}, "fill=: There is no column 'ages': did you mean 'age'?"),
        (emimpute.ColumnError, {"kinds": {"ag": "real"}}, "kinds=: There is no column 'ag': did you mean 'age'?"),
        (emimpute.ColumnError, {"weights": "zz"}, "There is no column 'zz': known are 'age', 'pay' and 'name'."),
        (emimpute.ColumnError, {"kinds": {"age": "reel"}}, "There is no kind 'reel': did you mean 'real'?"),
        (emimpute.EMImputeError, {"model": "mnv"}, "There is no model 'mnv': did you mean 'mvn'?"),
        (emimpute.EMImputeError, {"prior": "rigde"}, "There is no prior 'rigde': did you mean 'ridge'?"),
    ],
    ids=["columns", "fill", "kinds", "weights", "kind", "model", "prior"],
)
def test_an_unknown_name_comes_with_the_nearest_known_ones(error, arguments, words):
    assert words in refused(error, lambda: table().em.impute(**arguments))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"columns": ["age", "name"]}, ["'name'", "id, 20 distinct values", "leave it out", "'nominal'"]),
        ({"columns": ["age", "void"]}, ["'void'", "no observed value", "give it values"]),
        ({"columns": []}, ["columns= names no column", "leave it out"]),
        ({"kinds": {"name": "real"}}, ["'name'", "does not hold numbers", "convert it"]),
        ({"kinds": {"void": "real"}}, ["'void'", "no observed value"]),
        ({"kinds": {"age": "constant"}}, ["'age'", "several values", "use kind 'real'"]),
        ({"fill": ["pay", "void"]}, ["fill=", "'void' (no observed value)", "leave them out"]),
        ({"fill": "hole"}, ["fill=", "'hole' (id, 10 distinct values)", "Convert"]),
        ({"columns": "age", "fill": "pay"}, ["fill=", "'pay' (not among columns=)"]),
    ],
)
def test_a_named_column_that_cannot_be_used(arguments, words):
    df = table(void=np.nan, hole=NAMES)
    message = refused(emimpute.ColumnError, lambda: df.em.impute(**arguments))
    assert [word for word in words if word not in message] == []
    assert "'age'" not in message or "kinds" in arguments


def test_a_column_that_only_a_function_named_is_left_alone():
    """A function says what is meant in general; a column that is empty by chance is no error then."""
    df = table(void=np.nan)
    said = told(lambda: df.em.impute(kinds={pd.api.types.is_float_dtype: "real"}))
    assert "'void' (no observed value)" in said[emimpute.ColumnWarning]


def test_a_function_of_kinds_that_fails_is_named_with_the_column():
    message = refused(emimpute.ColumnError, lambda: table().em.impute(kinds={lambda s: s.max() > 3: "real"}))
    assert "<lambda> failed on column 'name' (TypeError" in message
    assert "True or False" in message


def test_kinds_is_a_mapping():
    assert "{'age': 'real'}; this is of type list" in refused(
        emimpute.ColumnError, lambda: table().em.impute(kinds=["real"])
    )


@pytest.mark.parametrize(
    ("df", "words"),
    [
        (pd.DataFrame({"x": [np.nan, np.nan], "y": [None, None]}), "'x' and 'y' (no observed value)"),
        (
            pd.DataFrame({"x": [np.nan, np.nan], "t": ["a", "b"]}),
            "'x' (no observed value) and 't' (text, 2 distinct values)",
        ),
        (pd.DataFrame(np.nan, index=range(2), columns=range(40)), "0, 1, 2, 3, 4, 5 and 34 more"),
    ],
    ids=["empty", "empty-and-text", "many"],
)
def test_nothing_to_learn_from_while_there_is_something_to_fill(df, words):
    for function in (emimpute.impute, emimpute.fit):
        message = refused(emimpute.ColumnError, lambda function=function: function(df))
        assert message.startswith("There is nothing to learn from: no column of this frame can be used: ")
        assert words in message


@pytest.mark.parametrize(
    ("df", "words"),
    [
        (table().query("age > 1e9"), "the frame has no rows"),
        (pd.DataFrame(index=range(3)), "the frame has no columns"),
        (pd.DataFrame({"t": ["a", "b"]}), "'t' (text, 2 distinct values)"),
    ],
    ids=["rows", "columns", "text"],
)
def test_fit_needs_something_to_learn_from(df, words):
    assert words in refused(emimpute.ColumnError, lambda: emimpute.fit(df))


def test_only_weights_are_nothing_to_learn_from():
    message = refused(emimpute.ColumnError, lambda: pd.DataFrame({"w": [1.0, 2.0]}).em.fit(weights="w"))
    assert "the frame has no columns but the weights" in message


def test_what_no_prior_refuses():
    """Each refusal says why, names the columns, and how to go on."""
    twice = table(double=lambda d: 2 * d["age"] + 1)
    summed, few = table(total=lambda d: d["age"] + d["pay"]), table().head(2)
    for df, stop, words in [
        (twice, Stop.UNBOUNDED, "'age' with 'double'. Leave one column of each pair out."),
        (summed, Stop.UNBOUNDED, "'age', 'pay' and 'total'. Leave one of these columns out."),
        (
            few.assign(age=[1.0, 2.0], pay=[1.0, 3.0], z=[4.0, 1.0]),
            Stop.TOO_FEW_ROWS,
            "observed: 2, for 3 columns. Use fewer",
        ),
    ]:
        message = refused(emimpute.IdentificationError, lambda df=df: df.em.fit(prior=None))
        assert message.startswith(stop.value)
        assert words in message
        assert "prior='fallback' (the default) uses a ridge" in message


def test_what_no_prior_does_not_refuse():
    """A flat likelihood has maxima, too many: the fit comes back, not converged and with both warnings."""
    df = pd.DataFrame({"x": [1.0, 2, 4, 3] + [np.nan] * 4, "y": [np.nan] * 4 + [1.0, 5, 2, 3]})
    fits = []
    said = told(lambda: df.em.impute(prior=None, report=fits.append))
    assert set(said) == {emimpute.ConvergenceWarning, emimpute.IdentificationWarning}
    assert "'x' with 'y'" in said[emimpute.IdentificationWarning]
    assert "likelihood is flat" in said[emimpute.ConvergenceWarning]
    assert fits[0].stop.name == "FLAT"
    assert not fits[0].converged


@pytest.mark.parametrize("tol", [0, -1, np.nan, np.inf, "small", None, True, 1j])
def test_a_bad_tol(tol):
    assert f"tol= is a number above 0, in sd units, and this one is {tol!r}." == refused(
        emimpute.EMImputeError, lambda: table().em.impute(tol=tol)
    )


@pytest.mark.parametrize("max_iter", [0, -3, 1.5, "many", None, True])
def test_a_bad_max_iter(max_iter):
    assert f"max_iter= is a whole number of E-steps, 1 or more, and this one is {max_iter!r}." == refused(
        emimpute.EMImputeError, lambda: table().em.impute(max_iter=max_iter)
    )


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([-1.0] + [1.0] * 19, ["weights=", "not below 0", "-1.0 in row 0"]),
        ([1.0, np.nan] + [1.0] * 18, ["weights=", "nan in row 1"]),
        ([np.inf] * 20, ["weights=", "20 of them"]),
        ([1.0, 2.0], ["2 values", "20 rows"]),
        (pd.Series([1.0] * 20, index=range(1, 21)), ["another index", "reindex(df.index)"]),
        (np.zeros(20), ["every weight is 0"]),
        ("name", ["'name'", "weights are numbers"]),
        (list("abcdefghijklmnopqrst"), ["weights=", "weights are numbers"]),
        (pd.date_range("2020", periods=20).to_series().reset_index(drop=True), ["datetime64", "weights are numbers"]),
        (np.ones((20, 1)), ["(20, 1)", "one number for each row"]),
    ],
)
def test_bad_weights(weights, words):
    message = refused(emimpute.EMImputeError, lambda: table().em.impute(weights=weights))
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (np.ones((2, 2), dtype=bool), "(2, 2) and the data (20, 3)"),
        (True, "shape ()"),
        (table().isna().rename(columns={"age": "old"}), "other rows or columns than the data"),
        (table().isna().iloc[::-1], "other rows or columns than the data"),
        (np.ones((20, 3), dtype=int), "'int', and only True and False mean something"),
        (table(), "only True and False mean something"),
    ],
)
def test_a_bad_where(where, words):
    assert words in refused(emimpute.EMImputeError, lambda: table().em.impute(where=where))


@pytest.mark.parametrize("report", [3, 0, [], b"fit.txt", {}, 1.5])
def test_a_report_of_a_wrong_type(report):
    message = refused(emimpute.EMImputeError, lambda: table().em.impute(report=report))
    assert message.startswith("report= takes None, True, a function that receives the Fit, or a path")
    assert type(report).__name__ in message


@pytest.mark.parametrize("path", ["fit.csv", "fit", "", Path("dir.txt/fit")])
def test_a_report_path_with_another_ending(path):
    message = refused(emimpute.EMImputeError, lambda: table().em.impute(report=path))
    assert ".txt, .html or .json" in message
    assert repr(str(path)) in message


@pytest.mark.parametrize("indicator", [1, None, "", ["_x"]])
def test_a_bad_indicator(indicator):
    message = refused(emimpute.EMImputeError, lambda: table().em.impute(indicator=indicator))
    assert message == f"indicator= is True, False or a suffix such as '_imputed', and this one is {indicator!r}."


def test_an_indicator_whose_name_is_taken():
    message = refused(emimpute.ColumnError, lambda: table(age_imputed=1.0).em.impute(indicator=True))
    assert "'age_imputed', which is there already: give another suffix" in message


@pytest.mark.parametrize("rng", ["seed", -1, 1.5])
def test_a_bad_rng(rng):
    message = refused(emimpute.EMImputeError, lambda: table().em.impute(sample=True, rng=rng))
    assert message == f"rng= is None, an int or a numpy Generator, and this one is {rng!r}."


@pytest.mark.parametrize(
    ("prior", "words"),
    [(True, "not True"), ([3], "list"), (-1, "not below 0"), (np.nan, "finite"), (object(), "object")],
)
def test_a_bad_prior(prior, words):
    assert words in refused(emimpute.EMImputeError, lambda: table().em.impute(prior=prior))


def test_a_model_that_is_none():
    assert "takes a name or a model" in refused(emimpute.EMImputeError, lambda: table().em.impute(model=3))


@pytest.mark.parametrize(
    "arguments", [{"tol": 0}, {"max_iter": 0}, {"report": 3}, {"prior": "x"}, {"model": "x"}, {"indicator": 3}]
)
def test_arguments_are_looked_at_even_where_there_is_nothing_to_fill(arguments):
    """A wrong call is wrong on every table, not only on the first one with a gap."""
    with pytest.raises(emimpute.EMImputeError):
        table().dropna().em.impute(**arguments)


def test_values_whose_squares_are_no_floats():
    message = refused(emimpute.ColumnError, table(age=lambda d: d["age"] * 1e300).em.impute)
    assert "'age'" in message
    assert "multiply the column by a power of ten" in message


# --- one warning, and the work goes on --------------------------------------------------------------------------------


def test_columns_with_gaps_that_are_left_alone():
    """Gathered in one warning by reason, each named; a column without gaps is not worth a word."""
    df = table(void=np.nan, hole=NAMES, bits=[[1], None] * 10, full=[[]] * 20)
    said = told(df.em.impute)
    assert set(said) == {emimpute.ColumnWarning}
    message = said[emimpute.ColumnWarning]
    assert "'void' (no observed value)" in message
    assert "'hole' (id, 10 distinct values)" in message
    assert "kinds={'hole': 'nominal'}" in message
    assert "'bits' (dtype object)" in message
    assert "fill=" in message
    assert "'full'" not in message
    assert "'name'" not in message
    assert told(df.em.fit) == said


def test_the_warning_is_silenced_by_saying_what_to_fill():
    done = table(hole=NAMES).em.impute(fill=["age", "pay"])
    assert done[["age", "pay"]].notna().all(axis=None)
    assert done["hole"].isna().sum() == 10


@pytest.mark.parametrize(
    ("df", "words"),
    [
        (table(double=lambda d: 3 - 2 * d["age"]), "The same but for origin and unit: 'age' with 'double'."),
        (
            table(total=lambda d: d["age"] + d["pay"]),
            "Linearly dependent, or too many for these rows: 'age', 'pay' and",
        ),
        (table().head(4).assign(z=[4.0, 1, 3, 3], u=[0.0, 7, 1, 1]), "Too few rows with something observed: 4, for 4"),
        (
            pd.DataFrame({"x": [1.0, 2, 4, 3] + [np.nan] * 4, "y": [np.nan] * 4 + [1.0, 5, 2, 3]}),
            "Never observed together, so that nothing is known of their partial association: 'x' with 'y'.",
        ),
        (
            pd.DataFrame({"x": [1.0, 2, 4, 3] + [np.nan] * 4, "y": [5.0] * 4 + [1.0, 5, 2, 3]}),
            "Where the first is observed the second never varies, so their association is unknown: 'x' with 'y'.",
        ),
    ],
    ids=["duplicates", "dependent", "too-few-rows", "never-together", "no-variation"],
)
def test_what_maximum_likelihood_cannot_do(df, words):
    """The weak ridge steps in, one warning says so and why, and every gap is filled."""
    results = []
    said = told(lambda: results.append(df.em.impute()))
    assert set(said) == {emimpute.IdentificationWarning}
    message = said[emimpute.IdentificationWarning]
    causes = (Stop.UNBOUNDED, Stop.TOO_FEW_ROWS, Stop.FLAT)
    said = tuple(f"{stop.value} So a ridge (prior df " for stop in causes)
    assert message.startswith(said)
    assert words in message
    assert "report=True" in message
    assert len(message) < ROOMY
    assert results[0].select_dtypes("number").notna().all(axis=None)


def test_not_converged():
    said = told(lambda: table().em.impute(max_iter=2))
    assert set(said) == {emimpute.ConvergenceWarning}
    message = said[emimpute.ConvergenceWarning]
    assert message.startswith("EM stopped at max_iter before")
    assert "E-steps: 2;" in message
    assert "tol: 1e-06" in message
    assert "Raise max_iter" in message


def test_one_warning_of_each_class():
    """Three things wrong at once make three warnings, and two of one class make one."""
    df = table(void=np.nan, hole=["a", None] * 10, double=lambda d: 2 * d["age"], triple=lambda d: 3 * d["pay"])
    said = told(lambda: df.em.impute(max_iter=1))
    assert set(said) == {emimpute.ColumnWarning, emimpute.IdentificationWarning, emimpute.ConvergenceWarning}
    assert "'age' with 'double', 'pay' with 'triple'" in said[emimpute.IdentificationWarning]


def test_messages_stay_short_with_many_columns():
    """However many columns are concerned, and however long their labels; but each that is left alone has its name."""
    n, d = 6, 60
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(np.where(rng.random((n, d)) < 0.4, np.nan, rng.normal(size=(n, d))))
    text = pd.DataFrame([[f"n{i}"] * d if i % 2 else [None] * d for i in range(n)])
    df = pd.concat([numbers, text], axis=1)
    df.columns = [f"{'a very long question that someone asked ' * 5}{i}" for i in range(2 * d)]
    said = told(df.em.impute)
    assert set(said) == {emimpute.ColumnWarning, emimpute.IdentificationWarning}
    assert len(said[emimpute.IdentificationWarning]) < 4 * ROOMY
    assert len(said[emimpute.ColumnWarning]) < 70 * d
    df.columns = range(2 * d)
    assert max(map(len, told(df.em.impute).values())) < 1.2 * ROOMY


CALLS = {
    "function": lambda df: emimpute.impute(df, max_iter=1),
    "accessor": lambda df: df.em.impute(max_iter=1),
    "fit": lambda df: df.em.fit(max_iter=1),
    "pipe": lambda df: df.pipe(emimpute.impute, max_iter=1),
    "chain": lambda df: df.query("age != 3").assign(one=1).em.impute(max_iter=1).mean(numeric_only=True),
    "apply": lambda df: df.groupby("half")[["age", "pay"]].apply(lambda g: g.em.impute(max_iter=1)),
    "apply itself": lambda df: df.groupby("half")[["age", "pay"]].apply(emimpute.impute, max_iter=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_warnings_blame_the_users_own_line(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(table(half=[0, 1] * 10))
    assert caught
    line = call.__code__.co_firstlineno
    assert {(w.filename, w.lineno, w.category) for w in caught} == {(__file__, line, emimpute.ConvergenceWarning)}


# --- noted in fit.problems only ---------------------------------------------------------------------------------------


def problems(df, **arguments):
    """The problems of a fit that did not warn, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return df.em.fit(**arguments).problems.set_index("problem")


def test_empty_rows_are_noted():
    df = table()[["age", "pay"]]
    df.loc[5] = np.nan
    assert problems(df).loc["empty rows", "sentence"].startswith("1 row has nothing observed in the model's columns")
    df.loc[6] = np.nan
    assert problems(df).loc["empty rows", "sentence"].startswith("2 rows have nothing observed")


def test_constants_are_noted():
    found = problems(table(one=1.0, two=[2, None] * 10)).loc["constant"]
    assert found["columns"] == ("one", "two")
    assert found["sentence"].startswith("Constant: 'one' and 'two'.")
    done = table(two=[2, None] * 10).em.impute()
    assert (done["two"] == 2).all()


def test_thin_pairs_are_noted():
    df = table()
    df.loc[9:, "age"] = np.nan
    found = problems(df).loc["thin pair"]
    assert found["columns"] == (("age", "pay"),)
    assert found["sentence"] == "Observed together in fewer than ten rows: 'age' with 'pay'."


# --- nothing to fill --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "df",
    [
        table().dropna(),
        table().query("age > 1e9"),
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame({"t": ["a", "b"]}),
        table(age=1.0, pay=lambda d: d["age"] * 2),
    ],
    ids=["no-gaps", "no-rows", "nothing", "no-columns", "text", "constants"],
)
def test_where_nothing_is_to_be_filled_there_is_a_copy_and_no_word(df, caplog):
    """No fit, no report, no warning: an equal frame, and a line in the log."""
    caplog.set_level("INFO", "emimpute")
    fits = []
    done = df.em.impute(report=fits.append)
    pd.testing.assert_frame_equal(done, df)
    assert done is not df
    assert not fits
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["Nothing to fill"]


def test_the_copy_is_a_copy():
    df = table().dropna()
    done = df.em.impute()
    done.iloc[0, 0] = 99.0
    assert df.iloc[0, 0] != 99.0


def test_only_columns_that_nobody_fills_have_gaps():
    """Nothing is fitted, but the columns are named: nothing is skipped in silence."""
    fits = []
    df = table(hole=NAMES).dropna(subset=["age", "pay"])
    said = told(lambda: df.em.impute(report=fits.append))
    assert "'hole' (text, 9 distinct values)" in said[emimpute.ColumnWarning]
    assert not fits


# --- the words themselves ---------------------------------------------------------------------------------------------


def test_labels_in_a_message():
    """Labels read as a user writes them: no numpy scalars, nothing endless."""
    assert named([]) == ""
    assert named(["a"]) == "'a'"
    assert named([1, None]) == "1 and None"
    assert named(np.array([3, 5])) == "3 and 5"
    assert named(["a", "b", "c"], limit=2) == "'a', 'b' and 1 more"
    assert shown(("x", np.int64(2))) == "('x', 2)"
    assert shown(np.float64(1.5)) == "1.5"
    assert len(shown("x" * 1000)) == 60


def test_unknown_names():
    assert unknown("column", 10, [100, "10th", 7]) == "There is no column 10: did you mean 100 or '10th'?"
    assert unknown("column", "a", []) == "There is no column 'a': there are none."
    assert unknown("kind", "zzz", ["real", "count"]) == "There is no kind 'zzz': known are 'real' and 'count'."
