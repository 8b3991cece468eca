"""EMImputer keeps every rule of scikit-learn's, takes every dtype of pandas', and remembers no row."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dtypes import ANSWERS, COLUMNS, COMPLETE
from frames import FRAMES, all_bits, numeric
from joblib import parallel_config
from mixedtables import mixed
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (it is what makes the next import work)
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

import emimpute
from emimpute.kinds import Bounded
from emimpute.sklearn import EMImputer

ROOT = Path(__file__).parents[2]
TIGHT = 1e-12  # of a cell: what rounding may do


def framed(**options):
    return EMImputer(**options).set_output(transform="pandas")


def table(column, rows=60, seed=3):
    """Two numbers and a column of some dtype beside them, all with gaps, if the dtype can hold any."""
    rng = np.random.default_rng(seed)
    values = np.rint(50 + 15 * rng.standard_normal(rows)).clip(1, 99)
    df = pd.DataFrame({"x": values + 5 * rng.standard_normal(rows), "y": rng.standard_normal(rows)})
    df = df.mask(rng.random(df.shape) < 0.1)
    return df.assign(c=column(np.where(rng.random(rows) < 0.15, np.nan, values)).array)


def linear(rows=120, seed=0):
    """Three correlated columns without gaps, and a target."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 3)) @ np.array([[1, 0.5, 0.3], [0, 1, 0.6], [0, 0, 1]])
    return x, x @ [1, -2, 0.5] + 0.1 * rng.standard_normal(rows)


def holed(x, share=0.2, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x)


# scikit-learn's own checks


@pytest.mark.filterwarnings("ignore::emimpute.IdentificationWarning")  # some checks fit more columns than rows
@parametrize_with_checks(
    [
        EMImputer(),
        EMImputer(add_indicator=True, keep_empty_features=True, handle_unknown="ignore"),
        EMImputer(sample_posterior=True, starts=2, random_state=0),
        EMImputer(missing_values=-1),
    ]
)
def test_it_keeps_the_rules_of_scikit_learn(estimator, check):
    """No check is expected to fail."""
    check(estimator)


def test_no_check_is_skipped_where_arrays_of_any_sort_may_come():
    """One of scikit-learn's checks runs only where this variable is set before SciPy is imported."""
    code = """if True:
        import warnings
        from emimpute import IdentificationWarning
        from emimpute.sklearn import EMImputer
        from sklearn.utils.estimator_checks import check_estimator
        warnings.simplefilter("ignore", IdentificationWarning)
        print(*{check["status"] for check in check_estimator(EMImputer(), on_skip=None, on_fail=None)})
    """
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["passed"], done.stderr


# Columns of every dtype


@pytest.mark.parametrize("name", [*COLUMNS, *ANSWERS, *COMPLETE])
@pytest.mark.filterwarnings("ignore::emimpute.IdentificationWarning")
def test_every_dtype_is_filled_as_impute_fills_it(name):
    """As a frame bit for bit and in the same dtypes; as an array the same cells, floats if all are numbers."""
    df = table({**COLUMNS, **ANSWERS, **COMPLETE}[name])
    before = all_bits(df)
    expected = emimpute.impute(df)
    imputer = framed().fit(df)
    done = imputer.transform(df)
    assert done.dtypes.tolist() == df.dtypes.tolist()
    assert all_bits(done) == all_bits(expected) or "object" in name
    pd.testing.assert_frame_equal(done, expected)
    array = imputer.set_output(transform="default").transform(df)
    numbers = pd.api.types.is_any_real_numeric_dtype(df["c"]) or "bool" in str(df["c"].dtype)
    assert array.dtype == (np.float64 if numbers else object)
    assert not pd.isna(array).any()
    for i in range(3):
        column = expected.iloc[:, i]
        assert array[:, i].tolist() == (column.astype(float) if numbers else column.astype(object)).tolist()
    assert all_bits(df) == before


@pytest.mark.parametrize("name", [*COLUMNS, *ANSWERS, *COMPLETE, "interval[int64]"])
@pytest.mark.filterwarnings("ignore::emimpute.IdentificationWarning")
def test_a_column_without_a_value_is_filled_whatever_dtype_it_has(name):
    """As rows come from a form or a file; as it would be in the dtype of fit, where that can hold gaps."""
    whole = {"interval[int64]": lambda values: ANSWERS["interval[float64]"](np.nan_to_num(values, nan=50)).astype(name)}
    df = table({**COLUMNS, **ANSWERS, **COMPLETE, **whole}[name])
    imputer = framed().fit(df)
    new = df.head(4)
    for empty in (np.nan, None):
        done = imputer.transform(new.assign(c=empty))["c"]
        assert done.notna().all()
    if name in {**COLUMNS, **ANSWERS}:
        same = imputer.transform(new.assign(c=df["c"].mask(df["c"].notna()).head(4)))["c"]
        pd.testing.assert_series_equal(done, same)


@pytest.mark.parametrize("name", FRAMES)
def test_every_shape_of_frame(name):
    """The index stays, and columns get the names that scikit-learn gives; it refuses labels of two sorts itself."""
    df = FRAMES[name]()
    if df.columns.has_duplicates:
        with pytest.raises(emimpute.ColumnError, match="Several columns are labelled"):
            EMImputer().fit(df)
        return
    texts = [isinstance(label, str) for label in df.columns]
    if any(texts) and not all(texts):
        with pytest.raises(TypeError, match="feature names"):
            EMImputer().fit(df)
        return
    imputer = framed().fit(df)
    done = imputer.transform(df)
    assert done.columns.tolist() == imputer.get_feature_names_out().tolist()
    assert done.columns.tolist() == (df.columns.tolist() if all(texts) else ["x0", "x1", "x2"])
    pd.testing.assert_index_equal(done.index, df.index)
    assert all_bits(done.iloc[:, :3]) == all_bits(emimpute.impute(df).iloc[:, :3])


def test_the_result_shares_nothing_with_the_data():
    """Edits of the one do not reach the other, whatever the version of pandas."""
    df = mixed()
    before = all_bits(df)
    done = framed().fit(df).transform(df)
    done.iloc[:, 0] = 0.0
    done["y"].array[:] = 0.0
    assert all_bits(df) == before
    x = holed(linear()[0])
    kept = x.copy()
    EMImputer().fit_transform(x)[:] = 0
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_arrays_of_floats_keep_their_dtype(dtype):
    """So does a frame of them alone."""
    x = holed(linear()[0]).astype(dtype)
    done = EMImputer().fit_transform(x)
    assert done.dtype == dtype
    assert EMImputer().fit_transform(pd.DataFrame(x)).dtype == dtype
    np.testing.assert_array_equal(done[~np.isnan(x)], x[~np.isnan(x)])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "longdouble"])
def test_other_numbers_become_float64(dtype):
    """As in scikit-learn's imputers."""
    x = np.rint(np.abs(linear()[0])).astype(dtype)
    assert EMImputer().fit_transform(x).dtype == np.float64


@pytest.mark.filterwarnings("ignore::emimpute.IdentificationWarning")
def test_arrays_of_objects():
    """Each column has the dtype its cells have, and any sign of missing is one; the result is of objects."""
    df = mixed(60)
    x = df.astype(object).to_numpy(copy=True)
    x[pd.isna(x)] = np.resize(np.array([None, np.nan, pd.NA, pd.NaT], dtype=object), pd.isna(x).sum())
    done = EMImputer().fit_transform(x)
    assert done.dtype == object
    same = framed().fit_transform(df.astype({"o": object, "n": object}))
    assert done[:, [0, 1, 4]].tolist() == same.iloc[:, [0, 1, 4]].astype(object).to_numpy().tolist()
    assert set(done[:, 3]) == {True, False}


def test_lists_and_arrays_of_numbered_objects():
    """Lists of text are objects, as for SimpleImputer; objects that are all numbers give floats."""
    rows = [[1.0, "a"], [np.nan, "b"], [3.0, "b"], [1.5, "a"], [2.5, None], [3.0, "a"]] * 4
    done = EMImputer().fit_transform(rows)
    assert (done.dtype, set(done[:, 1])) == (object, {"a", "b"})
    x = holed(linear()[0])
    np.testing.assert_array_equal(EMImputer().fit_transform(x.astype(object)), EMImputer().fit_transform(x))


def test_arrays_whose_gaps_are_text_are_refused():
    """In an array of dtype <U3 a NaN is the word nan."""
    with pytest.raises(ValueError, match=r"dtype <U3, in which a gap is text as well"):
        EMImputer().fit(np.array([["a", "b"], ["c", "nan"]]))


def test_infinities_are_refused():
    """In arrays by scikit-learn's sentence, in frames with the column's name."""
    x, _ = linear()
    x[3, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        EMImputer().fit(x)
    with pytest.raises(ValueError, match="Column 'b' holds infinity"):
        EMImputer().fit(pd.DataFrame(x, columns=list("abc")))


# Containers and names


def test_set_output_changes_the_container_only():
    """For the estimator, or for all of scikit-learn."""
    df = numeric()
    array = EMImputer().fit_transform(df)
    assert isinstance(array, np.ndarray)
    with config_context(transform_output="pandas"):
        done = EMImputer(add_indicator=True).fit_transform(df)
    np.testing.assert_array_equal(done[["x", "y", "z"]].to_numpy(), array)
    assert done.dtypes.tolist() == [np.dtype(float)] * 3 + [np.dtype(bool)] * 3
    named = framed().fit(array).transform(array)
    assert named.columns.tolist() == ["x0", "x1", "x2"]


def test_names_of_the_columns_that_come_out():
    """Those that went in, or names given for an array's; others are refused."""
    imputer = EMImputer().fit(numeric())
    assert imputer.get_feature_names_out().tolist() == ["x", "y", "z"]
    assert imputer.feature_names_in_.tolist() == ["x", "y", "z"]
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        imputer.get_feature_names_out(["a", "b", "c"])
    array = EMImputer().fit(numeric().to_numpy())
    assert array.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    with pytest.raises(NotFittedError):
        EMImputer().get_feature_names_out()


def test_indicators_are_those_of_simple_imputer():
    """Names and values: a column for each that had gaps in fit, none for gaps that come later."""
    df = numeric().assign(full=range(40), nothing=np.nan)
    ours, theirs = EMImputer(add_indicator=True, keep_empty_features=True), SimpleImputer(add_indicator=True)
    theirs.set_params(keep_empty_features=True)
    ours.fit(df), theirs.fit(df)
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert "missingindicator_nothing" in ours.get_feature_names_out()
    new = df.assign(full=np.nan).head(5)
    np.testing.assert_array_equal(ours.transform(new)[:, 5:], theirs.transform(new)[:, 5:])
    frame = ours.set_output(transform="pandas").transform(new)
    assert frame.columns.tolist() == theirs.get_feature_names_out().tolist()
    assert frame["missingindicator_x"].tolist() == new["x"].isna().tolist()


def test_indicators_of_columns_that_are_no_numbers():
    """Any dtype has gaps."""
    df = mixed()
    done = framed(add_indicator=True).fit_transform(df)
    for label in df:
        assert done[f"missingindicator_{label}"].tolist() == df[label].isna().tolist()


# Columns without any value


def test_empty_columns_are_dropped_with_a_warning():
    """Or kept and filled with 0, as IterativeImputer does; what comes there later stays."""
    df = numeric().assign(nothing=np.nan)[["x", "nothing", "y", "z"]]
    with pytest.warns(emimpute.ColumnWarning, match="without any value are dropped: 'nothing'"):
        dropping = EMImputer(kinds={"nothing": "real"}).fit(df)
    assert dropping.get_feature_names_out().tolist() == ["x", "y", "z"]
    assert dropping.transform(df).shape == (40, 3)
    keeping = EMImputer(keep_empty_features=True).fit(df)
    theirs = IterativeImputer(keep_empty_features=True, max_iter=50).fit(df)
    assert keeping.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    new = df.head(3).assign(nothing=[7.0, np.nan, np.nan])
    assert keeping.transform(new)[:, 1].tolist() == theirs.transform(new)[:, 1].tolist() == [7.0, 0.0, 0.0]
    np.testing.assert_array_equal(np.delete(keeping.transform(df), 1, axis=1), dropping.transform(df))


def test_an_empty_column_that_cannot_hold_zero_stays_empty():
    """With a warning: no date is 0."""
    df = numeric().assign(day=pd.Series(pd.NaT, index=range(40), dtype="datetime64[ns]"))
    imputer = framed(keep_empty_features=True).fit(df)
    with pytest.warns(emimpute.ColumnWarning, match="Gaps remain in column 'day'"):
        done = imputer.transform(df)
    assert done["day"].isna().all()


def test_a_column_empty_but_for_rows_that_do_not_count():
    """Is empty: nothing is learned of a row of weight 0."""
    df = numeric().assign(late=[1.0] * 5 + [np.nan] * 35)
    weights = np.r_[np.zeros(5), np.ones(35)]
    with pytest.warns(emimpute.ColumnWarning, match="dropped: 'late'"):
        assert EMImputer().fit(df, sample_weight=weights).transform(df).shape == (40, 3)


def test_nothing_to_learn_from():
    """A table without a value is an error."""
    with pytest.raises(emimpute.ColumnError, match="nothing to learn from"):
        EMImputer().fit(np.full((4, 2), np.nan))


def test_gaps_that_nobody_fills_are_told():
    """In text that tells rows apart, at each call; complete, it passes through."""
    df = numeric().assign(id=[f"P{i:03}" for i in range(40)])
    imputer = framed().fit(df)
    assert imputer.transform(df)["id"].tolist() == df["id"].tolist()
    with pytest.warns(emimpute.ColumnWarning, match="Gaps remain in column 'id'") as told:
        imputer.transform(df.assign(id=None))
    assert told[0].filename == __file__


# Weights


def test_a_weight_is_a_number_of_rows():
    """Weight 2 is the row twice, weight 0 no row."""
    x = holed(linear()[0])
    weights = np.random.default_rng(0).integers(0, 3, len(x))
    weighted, repeated = EMImputer(tol=1e-10).fit(x, sample_weight=weights), EMImputer(tol=1e-10)
    repeated.fit(np.repeat(x, weights, axis=0))
    np.testing.assert_allclose(weighted.transform(x), repeated.transform(x), rtol=0, atol=1e-8)
    assert weighted.fit_.nobs == repeated.fit_.nobs


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (np.ones(5), "inconsistent numbers of samples"),
        (np.ones((120, 1)), "one number for each row"),
        (np.zeros(120), "zero in every row"),
        (-np.ones(120), "negative"),
        (np.full(120, np.nan), "sample_weight contains NaN"),
    ],
)
def test_weights_that_make_no_sense(weights, sentence):
    """Are a ValueError that speaks of sample_weight."""
    with pytest.raises(ValueError, match=sentence):
        EMImputer().fit(linear()[0], sample_weight=weights)


def test_weights_are_routed():
    """Through a pipeline, where the imputer asks for them."""
    x, y = linear()
    x, weights = holed(x), np.random.default_rng(2).uniform(0.1, 3, len(x))
    with config_context(enable_metadata_routing=True):
        imputer = EMImputer().set_fit_request(sample_weight=True)
        model = LinearRegression().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(imputer, model).fit(x, y, sample_weight=weights)
    alone = EMImputer().fit(x, sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].transform(x), alone.transform(x))
    assert not np.array_equal(alone.transform(x), EMImputer().fit_transform(x))


# Draws


def test_draws_follow_the_conditional_law():
    """Mean and covariance of what is drawn for one pattern are those that the normal distribution says."""
    x, _ = linear(400)
    imputer = EMImputer(sample_posterior=True, random_state=0).fit(x)
    row = np.array([0.7, np.nan, np.nan])
    drawn = imputer.transform(np.tile(row, (20_000, 1)))[:, 1:]
    mean, cov = imputer.fit_.mean.to_numpy(), imputer.fit_.cov.to_numpy()
    slope = cov[1:, 0] / cov[0, 0]
    np.testing.assert_allclose(drawn.mean(axis=0), mean[1:] + slope * (0.7 - mean[0]), atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), cov[1:, 1:] - np.outer(slope, cov[0, 1:]), atol=0.04)


def test_random_state():
    """An int gives the same draws at each call, another int others; None others each time; a RandomState goes on."""
    x = holed(linear()[0])

    def drawn(state):
        return EMImputer(sample_posterior=True, random_state=state).fit(x)

    one = drawn(1)
    np.testing.assert_array_equal(one.transform(x), one.transform(x))
    np.testing.assert_array_equal(one.transform(x), drawn(1).transform(x))
    two, any_time, going_on = drawn(2), drawn(None), drawn(np.random.RandomState(1))
    np.testing.assert_array_equal(one.transform(x), going_on.transform(x))
    for others in (two, any_time, going_on):
        assert not np.array_equal(one.transform(x), others.transform(x))
        assert np.array_equal(others.transform(x), others.transform(x)) == (others is two)


def test_draws_for_a_row_do_not_depend_on_those_after_it():
    """They go by the row's place and its own cells."""
    x = holed(linear()[0])
    imputer = EMImputer(sample_posterior=True, random_state=5).fit(x)
    changed = x.copy()
    changed[:40] = np.nan
    np.testing.assert_allclose(imputer.transform(changed)[40:], imputer.transform(x)[40:], rtol=0, atol=TIGHT)
    np.testing.assert_allclose(imputer.transform(x[:40]), imputer.transform(x)[:40], rtol=0, atol=TIGHT)


def test_starts_go_by_random_state():
    """Several starts are several, and the same again."""
    x = holed(linear()[0])
    runs = [EMImputer(starts=3, random_state=4).fit(x).fit_.starts for _ in range(2)]
    assert len(runs[0]) == 3
    pd.testing.assert_frame_equal(*runs)


# The fitted law alone decides


def test_a_row_is_filled_the_same_in_any_company():
    """Alone, too: where a column then has no value, or other dtypes than in fit, as of rows from a form."""
    df = mixed(80).assign(c=pd.Categorical(["p", "q", None, "r"] * 20), k=pd.array([1, 2, None, 4, 3] * 16, "Int64"))
    imputer = framed().fit(df)
    together = imputer.transform(df)
    for i in range(0, len(df), 4):
        alone = imputer.transform(df.iloc[[i]])
        pd.testing.assert_frame_equal(alone, together.iloc[[i]], rtol=TIGHT, atol=TIGHT, check_categorical=False)
        record = pd.DataFrame.from_records([df.iloc[i].to_dict()])
        retyped = imputer.transform(record)
        assert [retyped.loc[0, c] for c in "obnck"] == [together.loc[i, c] for c in "obnck"]
        np.testing.assert_allclose(retyped[["x", "y"]], together.loc[[i], ["x", "y"]], rtol=TIGHT, atol=TIGHT)


@pytest.mark.filterwarnings("ignore::emimpute.IdentificationWarning")
def test_a_row_of_objects_is_filled_the_same_in_any_company():
    """Dtypes are read off the cells there, so they may differ from call to call."""
    x = mixed(60).drop(columns="o").astype(object).to_numpy()
    imputer = EMImputer().fit(x)
    together = imputer.transform(x)
    for i in range(0, len(x), 3):
        alone = imputer.transform(x[i : i + 1])[0]
        assert alone[2:].tolist() == together[i, 2:].tolist()
        np.testing.assert_allclose(alone[:2].astype(float), together[i, :2].astype(float), rtol=TIGHT, atol=TIGHT)


def test_new_patterns_and_empty_rows():
    """A gap where fit saw none is filled like any; a row without a value gets the means."""
    x, _ = linear()
    imputer = EMImputer().fit(x)
    filled = imputer.transform([[np.nan] * 3, [1.0, np.nan, 2.0]])
    np.testing.assert_allclose(filled[0], x.mean(axis=0), rtol=1e-12)
    slopes = LinearRegression().fit(x[:, [0, 2]], x[:, 1])
    np.testing.assert_allclose(filled[1, 1], slopes.predict([[1.0, 2.0]])[0], rtol=1e-10)


def test_cross_validation_does_not_leak():
    """The score is that of the loop in which nothing of the held-out rows is seen in fit."""
    x, y = linear()
    x = holed(x, 0.3)
    folds = KFold(4)
    scores = cross_val_score(make_pipeline(EMImputer(), LinearRegression()), x, y, cv=folds)
    by_hand = []
    for train, test in folds.split(x):
        law = emimpute.fit(pd.DataFrame(x[train]))
        model = LinearRegression().fit(law.impute().to_numpy(), y[train])
        by_hand.append(model.score(law.impute(pd.DataFrame(x[test])).to_numpy(), y[test]))
    np.testing.assert_allclose(scores, by_hand, rtol=1e-9)


def test_the_target_is_not_looked_at():
    """Whatever it is."""
    x, y = linear()
    x = holed(x)
    np.testing.assert_array_equal(EMImputer().fit(x, y).transform(x), EMImputer().fit(x).transform(x))


# Pickles


def test_a_pickle_holds_no_training_cell():
    """Neither a number, in any byte order or as text, nor a code, nor its index; and it does not grow with the rows."""
    df = mixed(300, nominal=False).assign(
        id=pd.Categorical([f"secret{i:04}" for i in range(300)]), key=[f"hidden{i:04}" for i in range(300)]
    )
    df.index = [f"person{i:04}" for i in range(300)]
    weights = np.random.default_rng(3).uniform(1, 2, 300)
    imputer = EMImputer(add_indicator=True).fit(df, sample_weight=weights)
    stored = pickle.dumps(imputer)
    numbers = np.r_[df["x"].dropna(), df["y"].dropna(), weights]
    assert not [v for v in numbers if v.tobytes() in stored or v.astype(">f8").tobytes() in stored]
    assert not [v for v in numbers if repr(float(v)).encode() in stored]
    assert not any(word in stored for word in (b"secret", b"hidden", b"person"))
    longer = EMImputer(add_indicator=True).fit(pd.concat([df] * 20), sample_weight=np.tile(weights, 20))
    assert len(pickle.dumps(longer)) < len(stored) + 2000
    assert len(stored) < 20_000


def test_a_pickle_works_in_another_process(tmp_path):
    """With the same answers, bit for bit."""
    df = mixed()
    imputer = framed().fit(df)
    (tmp_path / "imputer.pkl").write_bytes(pickle.dumps(imputer))
    (tmp_path / "rows.pkl").write_bytes(pickle.dumps(df))
    code = """if True:
        import pickle, sys
        imputer, rows = (pickle.loads(open(f"{sys.argv[1]}/{name}.pkl", "rb").read()) for name in ("imputer", "rows"))
        open(f"{sys.argv[1]}/done.pkl", "wb").write(pickle.dumps(imputer.transform(rows)))
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
    done = pickle.loads((tmp_path / "done.pkl").read_bytes())  # noqa: S301 (written here)
    assert all_bits(done.drop(columns="n")) == all_bits(imputer.transform(df).drop(columns="n"))
    pd.testing.assert_frame_equal(done, imputer.transform(df))


def test_a_clone_has_the_parameters_and_nothing_learned():
    """Kinds and priors too."""
    imputer = EMImputer(kinds={"x": Bounded(-9, 9)}, prior=3.0, starts=2, random_state=1).fit(numeric())
    again = clone(imputer)
    assert set(again.get_params()) == set(imputer.get_params())
    assert again.get_params()["prior"] == 3.0
    assert not hasattr(again, "fit_")
    np.testing.assert_array_equal(again.fit_transform(numeric()), imputer.transform(numeric()))


# Other signs of a gap


@pytest.mark.parametrize("marker", [-1, -1.0])
def test_a_number_may_stand_for_a_gap(marker):
    """In arrays and frames; whole numbers stay whole."""
    x = holed(np.rint(np.abs(5 * linear()[0])))
    expected = EMImputer().fit_transform(x)
    marked = np.nan_to_num(x, nan=-1)
    np.testing.assert_array_equal(EMImputer(missing_values=marker).fit_transform(marked), expected)
    df = pd.DataFrame(marked, columns=list("abc")).astype({"a": "int64", "b": "UInt8", "c": "float32"}, errors="ignore")
    done = framed(missing_values=marker).fit_transform(df)
    assert done.dtypes.tolist() == df.dtypes.tolist()
    assert (done >= 0).all(axis=None)
    assert done["a"].tolist() == np.rint(expected[:, 0]).tolist()


def test_a_column_of_nothing_but_the_sign_for_a_gap():
    """Is empty, and dropped, or filled with 0; whole numbers stay whole."""
    df = pd.DataFrame({"a": [1, 2, 3, -1, 5], "nothing": [-1] * 5, "b": [2.0, 1.0, -1.0, 3.0, 4.0]})
    with pytest.warns(emimpute.ColumnWarning, match="dropped: 'nothing'"):
        assert framed(missing_values=-1).fit(df).transform(df).columns.tolist() == ["a", "b"]
    done = framed(missing_values=-1, keep_empty_features=True).fit(df).transform(df)
    assert done["nothing"].tolist() == [0] * 5
    assert done.dtypes.tolist() == df.dtypes.tolist()


@pytest.mark.filterwarnings("ignore::emimpute.IdentificationWarning")
def test_a_text_may_stand_for_a_gap():
    """Also among categories, which stay as they were declared."""
    df = mixed().astype({"n": object})[["x", "y", "n"]]
    df["c"] = df["n"].astype("category")
    marked = df.assign(
        x=df["x"].fillna(0), y=df["y"].fillna(0), n=df["n"].fillna("?"), c=df["c"].cat.add_categories("?").fillna("?")
    )
    done = framed(missing_values="?").fit_transform(marked)
    expected = framed().fit_transform(df.assign(x=marked["x"], y=marked["y"]))
    assert done["n"].tolist() == expected["n"].tolist()
    assert done["c"].tolist() == expected["c"].tolist()
    assert done["c"].dtype == marked["c"].dtype


def test_then_nan_is_no_gap():
    """It is an error, by scikit-learn's sentence for arrays, by the column's name for frames."""
    x = holed(linear()[0])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        EMImputer(missing_values=-1).fit(x)
    with pytest.raises(ValueError, match=r"contain NaN in column 'a'.*missing_values=-1 says"):
        EMImputer(missing_values=-1).fit(pd.DataFrame(x[:, :1], columns=["a"]))


@pytest.mark.parametrize("marker", [None, pd.NA, np.nan])
def test_all_that_pandas_takes_for_missing_is_one(marker):
    """As None, NA or NaN."""
    df = mixed()
    pd.testing.assert_frame_equal(framed(missing_values=marker).fit_transform(df), framed().fit_transform(df))


# Levels that fit did not see


def test_an_unknown_level_is_an_error():
    """That names the column, the level and the row, and what can be done."""
    imputer = EMImputer().fit(mixed())
    with pytest.raises(emimpute.ColumnError, match=r"Column 'n' holds 'pink' \(row label 1\).*handle_unknown='ignore'"):
        imputer.transform(mixed().head(3).assign(n=["red", "pink", None]))


@pytest.mark.parametrize("dtype", [object, "category", pd.StringDtype()])
def test_an_unknown_level_may_be_ignored(dtype):
    """It stays, and tells nothing: the rest of its row is filled as if it were a gap; other rows are as ever."""
    df = mixed()
    df["n"] = df["n"].astype(dtype)
    imputer = framed(handle_unknown="ignore").fit(df)
    new = df.head(20).assign(n=pd.Series(["pink", *df["n"].astype(object)[1:20]], dtype=dtype))
    done = imputer.transform(new)
    gap = imputer.transform(new.assign(n=pd.Series([None, *df["n"].astype(object)[1:20]], dtype=df["n"].dtype)))
    assert done["n"].tolist() == ["pink", *gap["n"][1:]]
    assert all_bits(done.drop(columns="n")) == all_bits(gap.drop(columns="n"))
    assert done["n"].dtype == df["n"].dtype or dtype == "category"


def test_numbers_are_never_unknown_levels():
    """Text where numbers were learned is an error, whatever is to be ignored."""
    imputer = EMImputer(handle_unknown="ignore").fit(mixed())
    with pytest.raises(emimpute.ColumnError, match="Column 'x'"):
        imputer.transform(mixed().assign(x="much"))
    with pytest.raises(emimpute.EMImputeError, match=r"handle_unknown=.*did you mean 'ignore'"):
        EMImputer(handle_unknown="ignored").fit(mixed())


def test_known_categories_come_in_any_dtype():
    """Single rows declare only their own, and text is as good; what comes out has the categories of fit."""
    df = mixed().assign(c=lambda d: d["n"].astype("category")).drop(columns="n")
    imputer = framed().fit(df)
    whole = imputer.transform(df)
    rows = df["c"].notna() & (df["x"].isna() | df["y"].isna())
    for cells in (df.loc[rows, "c"].cat.remove_unused_categories(), df.loc[rows, "c"].astype(object)):
        done = imputer.transform(df[rows].assign(c=cells.array))
        assert done["c"].dtype == df["c"].dtype
        np.testing.assert_allclose(done[["x", "y"]], whole.loc[rows, ["x", "y"]], rtol=TIGHT, atol=TIGHT)


# Wrong columns


def test_other_columns_are_refused():
    """As every estimator does: other names, another order, another number."""
    imputer = EMImputer().fit(numeric())
    for wrong in (numeric()[["y", "x", "z"]], numeric().rename(columns={"z": "w"}), numeric()[["x", "y"]]):
        with pytest.raises(ValueError, match="feature names should match"):
            imputer.transform(wrong)
    with pytest.raises(ValueError, match="X has 2 features, but EMImputer is expecting 3"):
        EMImputer().fit(numeric().to_numpy()).transform(numeric().to_numpy()[:, :2])
    for empty in (numeric().iloc[:0], numeric().iloc[:, :0]):
        with pytest.raises(ValueError, match=r"Found array with 0 (sample|feature)\(s\)"):
            EMImputer().fit(empty)
    with pytest.raises(ValueError, match=r"Expected (2D array|a 2-dimensional container)"):
        EMImputer().fit(numeric()["x"])


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")  # scikit-learn says so
def test_columns_without_names_go_by_position():
    """An array for a fit on a frame, and the other way round."""
    df = numeric()
    named, unnamed = EMImputer().fit(df), EMImputer().fit(df.to_numpy())
    np.testing.assert_array_equal(named.transform(df.to_numpy()), named.transform(df))
    np.testing.assert_array_equal(unnamed.transform(df), unnamed.transform(df.to_numpy()))


def test_not_fitted():
    """Is scikit-learn's own error."""
    with pytest.raises(NotFittedError):
        EMImputer().transform(numeric())


# What was learned, and what is told


def test_attributes():
    """Those of scikit-learn's, and the fit itself, which knows all but the rows."""
    df = numeric()
    imputer = EMImputer().fit(df)
    fit = emimpute.fit(df)
    assert (imputer.n_iter_, imputer.converged_, imputer.n_features_in_) == (fit.n_iter, True, 3)
    assert imputer.indicator_ is None
    pd.testing.assert_series_equal(imputer.fit_.mean, fit.mean)
    assert imputer.fit_.summary() == fit.summary()
    with pytest.raises(emimpute.EMImputeError, match="holds no data"):
        imputer.fit_.cells()


def test_kinds_model_and_prior_are_those_of_fit():
    """By label in frames, by position in arrays, or by a function."""
    df = numeric()
    for kinds in ({"x": Bounded(-9, 9)}, {lambda column: column.name == "x": Bounded(-9, 9)}):
        fit = EMImputer(kinds=kinds, prior="ridge", tol=1e-8).fit(df).fit_
        assert fit.kinds.tolist() == ["bounded", "real", "real"]
        assert (fit.prior, fit.tol) == (emimpute.fit(df, prior="ridge").prior, 1e-8)
    array = EMImputer(kinds={0: Bounded(-9, 9)}).fit(df.to_numpy())
    assert array.fit_.kinds.tolist() == ["bounded", "real", "real"]
    with pytest.raises(emimpute.ColumnError, match="There is no column 'w'"):
        EMImputer(kinds={"w": "real"}).fit(df)
    with pytest.raises(emimpute.EMImputeError, match="There is no model"):
        EMImputer(model="mvm").fit(df)


def test_warnings_point_at_the_users_line():
    """Through a pipeline and cross-validation as well."""
    x, y = linear()
    x = holed(x)
    pipeline = make_pipeline(EMImputer(max_iter=1), LinearRegression())
    for call in (lambda: pipeline.fit(x, y), lambda: cross_val_score(pipeline, x, y, cv=2)):
        with pytest.warns(emimpute.ConvergenceWarning, match="max_iter") as told:
            call()
        assert {warning.filename for warning in told} == {__file__}
    assert not pipeline[0].converged_


def test_verbose_prints(capsys):
    """1 the summary; 0, the default, nothing."""
    EMImputer().fit(numeric())
    assert capsys.readouterr().out == ""
    EMImputer(verbose=1).fit(numeric())
    assert "Multivariate normal EM: 40 rows, 3 columns" in capsys.readouterr().out


# Beside other estimators


def test_columns_of_several_kinds_in_a_pipeline():
    """ColumnTransformer chooses, the imputer fills numbers, answers and text together, the encoder finds no gap."""
    df = mixed(200)
    target = df["x"].fillna(0) + np.random.default_rng(0).standard_normal(200) > 0
    encode = ColumnTransformer([("words", OneHotEncoder(), ["o", "n"])], remainder="passthrough")
    pipeline = make_pipeline(framed(), encode, LogisticRegression())
    assert cross_val_score(pipeline, df, target, cv=3).mean() > 0.6
    part = ColumnTransformer([("em", EMImputer(add_indicator=True), ["x", "y"])], remainder="drop")
    names = part.fit(df).get_feature_names_out()
    assert names.tolist() == ["em__x", "em__y", "em__missingindicator_x", "em__missingindicator_y"]


def test_a_grid_search_over_priors():
    """Parameters are reached by name, and candidates are fitted apart, side by side too."""
    x, y = linear(60)
    x = holed(x)
    grid = {"emimputer__prior": ["fallback", "ridge"], "emimputer__add_indicator": [False, True]}
    search = GridSearchCV(make_pipeline(EMImputer(), LinearRegression()), grid, cv=2)
    one = search.fit(x, y).cv_results_["mean_test_score"]
    with parallel_config("threading"):
        two = search.set_params(n_jobs=2).fit(x, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(one, two)
    assert len(set(one.tolist())) > 1


def test_without_scikit_learn_an_error_says_what_to_install():
    """And emimpute itself works."""
    code = "import sys; sys.modules['sklearn'] = None; import emimpute; import emimpute.sklearn"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "pip install 'emimpute[sklearn]'" in done.stderr.splitlines()[-1]
