"""A sequence of completed frames, analysed one by one, and in the hands of statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.imputation.bayes_mi import MI
from statsmodels.imputation.mice import MICE

import emimpute

M = 6


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    z = rng.standard_normal((150, 4)) @ np.linalg.cholesky(np.full((4, 4), 0.5) + 0.5 * np.eye(4)).T
    df = pd.DataFrame(z, columns=list("abcy"), index=[f"row {i}" for i in range(150)])
    df["group"] = pd.Categorical(np.where(z[:, 0] > 0, "high", "low"))
    for column in "bcy":
        df.loc[rng.random(150) < 0.3, column] = np.nan
    return df


@pytest.fixture(scope="module")
def imputations(frame) -> emimpute.Imputations:
    return frame[list("abcy")].em.draw(M, rng=1)


def test_a_sequence_of_frames(frame, imputations):
    """Length, index, slices, loops; each frame is complete and has the data's cells."""
    assert len(imputations) == M
    assert len(list(imputations)) == M
    pd.testing.assert_frame_equal(imputations[-1], imputations[M - 1])
    assert isinstance(imputations[1:3], emimpute.Imputations)
    pd.testing.assert_frame_equal(imputations[1:3][0], imputations[1])
    with pytest.raises(IndexError):
        imputations[M]
    observed = frame[list("abcy")].notna()
    for done in imputations:
        assert done.notna().all(axis=None)
        pd.testing.assert_frame_equal(done.where(observed), frame[list("abcy")])
    assert (imputations[0] != imputations[1]).to_numpy().sum() == (~observed).to_numpy().sum()


def test_memory_is_of_the_missing_cells():
    """Twenty imputations of a large frame with few gaps are small."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.standard_normal((20_000, 3)), columns=list("abc"))
    df.iloc[:50, 0] = np.nan
    found = df.em.draw(20, rng=1)
    held = sum(values.nbytes for fills in found.fills for values in fills.values())
    assert held == 20 * 50 * 8
    assert all(frame is found.original for frame in (found.original, found[:3].original))


def test_edits_do_not_come_back(imputations):
    """A frame that is handed out is the user's own."""
    before = imputations[0].iloc[0, 0]
    mine = imputations[0]
    mine.iloc[:, :] = 7.0
    assert imputations[0].iloc[0, 0] == before


def test_to_frame(imputations, frame):
    """Long, under a level ``imputation`` that counts from 1; 0 are the data."""
    long = imputations.to_frame()
    assert long.index.names == ["imputation", None]
    assert long.shape == (M * len(frame), 4)
    pd.testing.assert_frame_equal(long.loc[2], imputations[1])
    with_data = imputations.to_frame(original=True)
    assert with_data.loc[0].isna().any(axis=None)
    with pytest.raises(emimpute.EMImputeError, match="empty"):
        imputations[:0].to_frame()


def test_to_frame_keeps_attrs(frame):
    """Also arrays, which pandas cannot compare; and they are the user's own."""
    df = frame[list("abcy")].copy()
    df.attrs = {"units": np.arange(4), "source": "survey"}
    found = df.em.draw(2, rng=1)
    long = found.to_frame(original=True)
    assert long.attrs["source"] == found[0].attrs["source"] == "survey"
    long.attrs["units"][:] = 0
    assert found.to_frame().attrs["units"].tolist() == [0, 1, 2, 3]


def test_a_formula_is_read_as_each_frame_alone_would(imputations):
    """The short way, all frames below each other, gives what statsmodels gives frame by frame."""
    together = imputations.pool("y ~ a + b")
    apart = emimpute.pool([sm.OLS.from_formula("y ~ a + b", done).fit() for done in imputations])
    np.testing.assert_allclose(together.params, apart.params, rtol=1e-10)
    assert together.dfcom == 147
    function = imputations.pool(lambda done: sm.OLS.from_formula("y ~ a + b", done).fit())
    np.testing.assert_allclose(together.params, function.params, rtol=1e-10)


def shifted(values):
    """A function of the user's own."""
    return values - 1


def test_formulas_see_the_users_names(imputations):
    """Functions of the caller's module and function, with np.log and transformations of all rows."""

    def squared(values):
        return values**2

    found = imputations.pool("y ~ shifted(a) + squared(b) + np.exp(c) + center(b)")
    apart = emimpute.pool(
        [sm.OLS.from_formula("y ~ I(a - 1) + I(b**2) + np.exp(c) + center(b)", done).fit() for done in imputations]
    )
    np.testing.assert_allclose(found.params, apart.params, rtol=1e-10)
    assert found.params.index[1] == "shifted(a)"


def test_other_models(imputations):
    """Logit (without its print), GLM with a family, robust covariances."""
    found = imputations.pool("I(1 * (y > 0)) ~ a", model=sm.Logit)
    apart = emimpute.pool([sm.Logit.from_formula("I(1 * (y > 0)) ~ a", d).fit(disp=0) for d in imputations])
    np.testing.assert_allclose(found.params, apart.params, rtol=1e-8)
    glm = imputations.pool("I(1 * (y > 0)) ~ a", model=sm.GLM, model_kwds={"family": sm.families.Binomial()})
    np.testing.assert_allclose(glm.params["estimate"], found.params["estimate"], rtol=1e-6)
    robust = imputations.pool("y ~ a", fit_kwds={"cov_type": "HC3"})
    assert not np.allclose(robust.params["se"], imputations.pool("y ~ a").params["se"], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["boolean", "bool", "Int64", "int64", "Float64", "category", "string", "object"])
def test_every_dtype_in_a_formula(dtype):
    """Nullable columns too, of which patsy knows nothing."""
    rng = np.random.default_rng(2)
    z = rng.standard_normal((80, 2))
    codes = (z[:, 0] > 0).astype(int)
    values = (
        pd.Series(codes).map({0: "no", 1: "yes"}) if dtype in {"category", "string", "object"} else pd.Series(codes)
    )
    df = pd.DataFrame({"y": z @ [1.0, 1.0], "x": z[:, 1], "g": values.astype(dtype)})
    df.loc[::4, "x"] = np.nan
    found = df.em.draw(3, columns=["y", "x"], rng=1).pool("y ~ x + C(g)")
    assert len(found.params) == 3
    plain = df.assign(g=codes).em.draw(3, columns=["y", "x"], rng=1).pool("y ~ x + g")
    np.testing.assert_allclose(found.params.iloc[[0, 2, 1]], plain.params, rtol=1e-8)  # factors come first


def test_arrow_columns_in_a_formula():
    """Likewise."""
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(2)
    df = pd.DataFrame(rng.standard_normal((60, 2)), columns=["y", "x"]).convert_dtypes(dtype_backend="pyarrow")
    df["g"] = pd.array(["u", "v"] * 30, dtype="string[pyarrow]")
    df.loc[::5, "x"] = None
    assert len(df.em.draw(3, columns=["y", "x"], rng=1).pool("y ~ x + g").params) == 3


@pytest.mark.parametrize(
    ("analysis", "options", "words"),
    [
        ("y ~ nothing", {}, "'y ~ nothing' fails in imputation 1 of 6: .*nothing"),
        (lambda _: 1 / 0, {}, "In imputation 1 of 6: ZeroDivisionError"),
        (3, {}, "a formula or a function.*int"),
        ("y ~ a", {"model": 3}, "model= is a model class"),
        (lambda done: done, {"model": sm.OLS}, "belong to a formula"),
        ("I(1 * (y > 0)) ~ a", {"model": sm.Logit, "fit_kwds": {"maxiter": 1, "warn_convergence": False}}, "converge"),
        (lambda done: done, {}, "imputation 1 there is a DataFrame"),
    ],
)
def test_analyses_that_fail(imputations, analysis, options, words):
    """The imputation is named, and what went wrong."""
    with pytest.raises(emimpute.EMImputeError, match=words):
        imputations.pool(analysis, **options)


def test_one_failure_among_many(imputations):
    """The one imputation that fails is named, also where only its terms differ."""
    third = imputations[2]["y"].sum()

    def fails_once(done):
        if done["y"].sum() == third:
            raise ValueError("no luck")
        return 1.0, 1.0

    with pytest.raises(emimpute.EMImputeError, match="In imputation 3 of 6: ValueError: no luck"):
        imputations.pool(fails_once)

    def differs_once(done):
        name = "other" if done["y"].sum() == third else "usual"
        return pd.Series({name: 1.0}), 1.0

    with pytest.raises(emimpute.EMImputeError, match="number 3 lacks 'usual'"):
        imputations.pool(differs_once)
    with pytest.raises(emimpute.EMImputeError, match="at least 2 imputations"):
        imputations[:1].pool("y ~ a")


def test_a_level_that_one_imputation_lacks():
    """It is an error that names the imputation, not a coefficient of 0 without variance."""
    original = pd.DataFrame({"y": np.arange(6.0), "g": pd.Categorical(["a", "a", "b", "b", "a", None], list("abc"))})
    gap = {1: np.array([5])}
    fills = tuple({1: pd.Categorical([level], categories=list("abc"))} for level in "cba")
    found = emimpute.Imputations(original, gap, fills, "bootstrap")
    with pytest.raises(emimpute.EMImputeError, match=r"in imputation 2 of 3: .*C\(g\)\[T\.c\]"):
        found.pool("y ~ C(g)")


def test_statsmodels_mi(imputations):
    """MI takes it as it is: its burn-in and its skipping cost nothing and change nothing."""
    own = imputations[:]
    result = MI(own, sm.OLS, formula="y ~ a + b", model_kwds_fn=lambda x: {"data": x}, nrep=M).fit()
    pooled = imputations.pool("y ~ a + b")
    np.testing.assert_allclose(result.params, pooled.params["estimate"], rtol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(result.cov_params())), pooled.params["se"], rtol=1e-10)
    with pytest.raises(emimpute.EMImputeError, match="All 6 imputations were used"):
        MI(own, sm.OLS, formula="y ~ a", model_kwds_fn=lambda x: {"data": x}, nrep=1).fit()


def test_statsmodels_mice(imputations):
    """So does MICE, with its summary."""
    result = MICE("y ~ a + b", sm.OLS, imputations[:]).fit(3, M)
    pooled = imputations.pool("y ~ a + b")
    np.testing.assert_allclose(result.params, pooled.params["estimate"], rtol=1e-10)
    assert "MICE" in str(result.summary())
    with pytest.raises(emimpute.EMImputeError, match="All 6 imputations were used"):
        MICE("y ~ a", sm.OLS, imputations[:]).fit(3, M + 1)


def test_it_prints(imputations):
    """A line, and as HTML."""
    assert repr(imputations).startswith("6 imputations of 150 rows, ")
    one = pd.DataFrame({"x": [1.0, 2.0, 4.0, None], "y": [1.0, 3.0, 2.0, 5.0]}).em.draw(1, rng=1)
    assert repr(one).startswith("1 imputation of 4 rows, 1 cell each")
    assert "6 imputations" in imputations._repr_html_()
