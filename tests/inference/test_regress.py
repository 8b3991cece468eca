"""Regressions from a fit against lavaan, least squares and the delta method at large; formulas; what is refused."""

from __future__ import annotations

import functools
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import references
import statsmodels.api as sm

import emimpute
from emimpute.inference.moments.regress import parse

EXACT = 1e-9  # relative, where both are exact but for rounding, or EM's distance to the maximum
LAVAAN = 1e-6  # relative: lavaan stops early
NUMERIC = 1e-6  # relative, where one side takes differences

FIML = json.loads((references.FOLDER / "analysis" / "fiml.json").read_text(encoding="utf-8"))


@functools.cache
def fitted(name: str) -> emimpute.Fit:
    (case,) = [case for case in FIML if case["name"] == name]
    return emimpute.fit(references.load(name).frame[case["columns"]].astype(float), tol=1e-9)


def complete(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Y on x1 and x2, with errors that are not normal and spread with x1."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2)) @ np.array([[1.0, 0.5], [0.0, 2.0]]) + [3.0, 100.0]
    y = 1 + x @ [0.5, -0.3] + rng.exponential(1.0, n) * (1 + (x[:, 0] - 3) ** 2)
    return pd.DataFrame({"y": y, "x1": x[:, 0], "x2": x[:, 1]})


def gappy(n: int = 120, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = complete(n, seed).assign(z=lambda t: t["y"] + rng.standard_normal(n))
    for name in ("y", "x1", "x2"):
        table.loc[rng.random(n) < 0.25, name] = np.nan
    return table


@pytest.mark.parametrize("case", FIML, ids=lambda case: case["name"])
def test_it_is_the_references(case):
    """Coefficients, standard errors and residual variance, with auxiliary variables."""
    found, exact = fitted(case["name"]).regress(case["formula"]), case["fiml_auxiliary"]
    assert ["(Intercept)", *found.params.index[1:]] == exact["terms"]
    np.testing.assert_allclose(found.params, exact["estimate"], rtol=EXACT)
    np.testing.assert_allclose(found.bse, exact["se"], rtol=EXACT)
    assert found.scale == pytest.approx(exact["resid_var_ML"], rel=EXACT)


@pytest.mark.parametrize("case", FIML, ids=lambda case: case["name"])
def test_it_is_lavaans(case):
    """Slopes and their standard errors."""
    found, theirs = fitted(case["name"]).regress(case["formula"]), case["fiml_lavaan_slopes"]
    np.testing.assert_allclose(found.params[1:], theirs["est"], rtol=LAVAAN)
    np.testing.assert_allclose(found.bse[1:], theirs["se"], rtol=LAVAAN)


def test_without_gaps_it_is_least_squares():
    """Equal coefficients, intervals and tests but for the divisor n, and equal degrees of freedom."""
    table = complete()
    found = emimpute.fit(table).regress("y ~ x1 + x2")
    ols = sm.OLS(table["y"], sm.add_constant(table[["x1", "x2"]])).fit()
    np.testing.assert_allclose(found.params, ols.params, rtol=EXACT)
    np.testing.assert_allclose(found.bse * np.sqrt(60 / 57), ols.bse, rtol=EXACT)
    np.testing.assert_allclose(found.df, 57, rtol=EXACT)
    np.testing.assert_allclose(found.fmi, 0, atol=EXACT)
    assert found.scale == pytest.approx(ols.ssr / 60, rel=EXACT)
    assert found.r2 == pytest.approx(ols.rsquared, rel=EXACT)
    half = (ols.conf_int()[1] - ols.params) * np.sqrt(57 / 60)
    np.testing.assert_allclose(found.conf_int()["high"] - found.params, half, rtol=EXACT)
    t = ols.tvalues * np.sqrt(60 / 57)
    np.testing.assert_allclose(found.tvalues, t, rtol=EXACT)


def test_without_gaps_the_sandwich_is_whites():
    """HC0 of least squares."""
    table = complete()
    found = emimpute.fit(table).regress("y ~ x1 + x2", cov_type="sandwich")
    ols = sm.OLS(table["y"], sm.add_constant(table[["x1", "x2"]])).fit(cov_type="HC0")
    np.testing.assert_allclose(found.cov_params(), ols.cov_params(), rtol=EXACT)
    assert found.cov_type == "sandwich"


def test_weights_bring_the_sandwich():
    """HC0 of weighted least squares; the scale of the weights does not matter."""
    table, weights = complete(), np.random.default_rng(5).uniform(0.2, 3.0, 60)
    x = sm.add_constant(table[["x1", "x2"]])
    wls = sm.WLS(table["y"], x, weights=weights).fit(cov_type="HC0")
    for times in (1.0, 7.0):
        found = emimpute.fit(table, weights=times * weights).regress("y ~ x1 + x2")
        assert found.cov_type == "sandwich"
        assert "no design-based" in found.summary()
        np.testing.assert_allclose(found.params, wls.params, rtol=EXACT)
        np.testing.assert_allclose(found.bse, wls.bse, rtol=EXACT)
        np.testing.assert_allclose(found.df, 57, rtol=EXACT)


def test_counts_as_weights_are_rows():
    """By the observed information, a row of weight 2 is two rows."""
    table = gappy()
    weights = np.random.default_rng(6).integers(1, 4, len(table))
    once = emimpute.fit(table, weights=weights, tol=1e-9).regress("y ~ x1", cov_type="observed")
    often = emimpute.fit(table.loc[table.index.repeat(weights)], tol=1e-9).regress("y ~ x1")
    np.testing.assert_allclose(once.params, often.params, rtol=NUMERIC)
    np.testing.assert_allclose(once.bse, often.bse, rtol=NUMERIC)


@pytest.mark.parametrize("cov_type", ["observed", "expected", "sandwich"])
def test_it_is_the_delta_method(cov_type):
    """What ``Fit.derived`` says of the same functions, by numerical derivatives; residual variance too."""
    fit = emimpute.fit(gappy())

    def by_hand(mean, cov):
        slopes = np.linalg.solve(cov.loc[["x1", "x2"], ["x1", "x2"]], cov.loc[["x1", "x2"], "y"])
        variance = cov.loc["y", "y"] - slopes @ cov.loc[["x1", "x2"], "y"]
        return {"Intercept": mean["y"] - slopes @ mean[["x1", "x2"]], "x1": slopes[0], "x2": slopes[1], "s2": variance}

    found, other = fit.regress("y ~ x1 + x2", cov_type=cov_type), fit.derived(by_hand, cov_type=cov_type)
    np.testing.assert_allclose(found.params, other["estimate"][:3], rtol=NUMERIC)
    np.testing.assert_allclose([*found.bse, found.scale_se], other["se"], rtol=NUMERIC)
    np.testing.assert_allclose(found.fmi, other["fmi"][:3], atol=NUMERIC)
    np.testing.assert_allclose(found.df, (120 - 3) * (1 - found.fmi), rtol=EXACT)


def test_units_and_order_change_nothing_else():
    """Ten times y gives ten times the coefficients; columns and rows may come in any order."""
    table = gappy()
    base = emimpute.fit(table, tol=1e-9).regress("y ~ x1 + x2")
    other = emimpute.fit(table.assign(y=10 * table["y"])[["z", "x2", "y", "x1"]].iloc[::-1], tol=1e-9)
    turned = other.regress("y ~ x2 + x1")
    for one, two in ((base.params, turned.params), (base.bse, turned.bse)):
        np.testing.assert_allclose(10 * one, two[one.index], rtol=NUMERIC)


def test_an_intercept_alone_is_the_mean():
    fit = emimpute.fit(gappy())
    found = fit.regress("y ~ 1")
    assert found.params["Intercept"] == pytest.approx(fit.mean["y"])
    assert found.bse["Intercept"] == pytest.approx(fit.standard_errors()["mean", "y", ""])
    assert found.r2 == pytest.approx(0, abs=EXACT)


def test_auxiliary_variables_help():
    """z, which says much of y, lowers the standard errors and the missing information."""
    table = gappy(400)
    alone, helped = (emimpute.fit(t).regress("y ~ x1") for t in (table[["y", "x1"]], table))
    assert helped.auxiliary == ("x2", "z")
    assert (helped.fmi < alone.fmi).all()


def test_a_far_origin_costs_no_digits():
    table = gappy()
    near, far = (emimpute.fit(table.assign(x1=table["x1"] + c), tol=1e-9).regress("y ~ x1") for c in (0, 1e7))
    assert far.params["x1"] == pytest.approx(near.params["x1"], rel=1e-7)
    assert far.bse["x1"] == pytest.approx(near.bse["x1"], rel=1e-7)


def test_what_data_leave_open_is_nan():
    """x4 and x7 were never observed together; x1 and x2 are no trouble."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        fit = emimpute.fit(references.load("filematch_hs").frame, prior=None)
    assert np.isnan(fit.regress("x4 ~ x7").bse["x7"])
    assert np.isfinite(fit.regress("x2 ~ x1").bse).all()


def test_interval_cells_may_be_auxiliary_but_no_terms():
    table = gappy().assign(grade=lambda t: pd.cut(t["z"], [-np.inf, -30, -28, np.inf], labels=list("abc")))
    fit = emimpute.fit(table.drop(columns="z"))
    assert fit.kinds["grade"] == "ordinal"
    found = fit.regress("y ~ x1")
    assert found.cov_type == "sandwich"
    assert (found.bse > 0).all()
    with pytest.raises(emimpute.ColumnError, match=r"column 'grade' is of kind 'ordinal'.*'real'"):
        fit.regress("y ~ grade")
    with pytest.raises(emimpute.ColumnError, match=r"'x2' is of kind 'positive'"):
        emimpute.fit(gappy()[["y", "x2"]].abs(), kinds={"x2": "positive"}).regress("y ~ x2")


LABELS = ("y", "x1", "x2", "my col", 7, "a:b")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y ~ x1 + x2", ["x1", "x2"]),
        ("y~1+x1+x1", ["x1"]),
        ("y ~ `my col` + 7", ["my col", 7]),
        ("y ~ Q('a:b') + Q(\"my col\")", ["a:b", "my col"]),
        ("y ~ .", ["x1", "x2", "my col", 7, "a:b"]),
        ("y ~ a:b", ["a:b"]),
    ],
)
def test_formulas(formula, expected):
    assert parse(formula, LABELS) == ("y", expected)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y ~ x1:x2", "'x1:x2' is an interaction.*product as a column before the fit.*draw imputations"),
        ("y ~ x1*x2", "is an interaction"),
        ("y ~ np.log(x1)", "is a transformation"),
        ("np.log(y) ~ x1", "'np.log\\(y\\)' is a transformation"),
        ("y ~ I(x1**2)", "is a transformation"),
        ("y ~ x1**2", "is a power"),
        ("y ~ C(x1)", "as categories.*indicator"),
        ("y ~ x1 - 1", "takes something out"),
        ("y ~ 0 + x1", "takes something out"),
        ("y ~ x1 + x9", "no column 'x9'"),
        ("y", "not of the form"),
        ("y ~", "not of the form"),
        ("~ x1", "not of the form"),
        ("y ~ x1 ~ x2", "not of the form"),
        ("y ~ x1 +", "a term is empty"),
        ("y ~ x1 + y", "both sides"),
        (["y", "x1"], "A formula is text"),
    ],
)
def test_what_is_no_main_effect_is_refused(formula, said):
    with pytest.raises(emimpute.EMImputeError, match=said):
        parse(formula, LABELS)


def test_labels_that_repeat_are_refused():
    with pytest.raises(emimpute.ColumnError, match="2 columns of the fit are labelled 'x'"):
        parse("y ~ x", ("y", "x", "x"))


def test_singular_fits_have_no_standard_errors():
    """A total beside its parts: the fit ends at the edge, and the regression says what to do."""
    table = references.load("collinear_attitude").frame
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        ridged = emimpute.fit(table, prior="ridge")
    assert np.isfinite(ridged.regress("rating ~ complaints").bse).all()
    constant = emimpute.fit(pd.DataFrame({"y": [1.0, 1.0, np.nan], "x": [2.0, 2.0, 2.0]}))
    with pytest.raises(emimpute.ColumnError, match="column 'x' is constant: leave it out"):
        constant.regress("y ~ x")


def test_without_data_it_says_so():
    fit = emimpute.read_json(emimpute.fit(complete()).to_json())
    with pytest.raises(emimpute.EMImputeError, match="read from a file"):
        fit.regress("y ~ x1")


def test_unknown_arguments():
    fit = emimpute.fit(complete())
    with pytest.raises(emimpute.EMImputeError, match="cov_type 'HC3'"):
        fit.regress("y ~ x1", cov_type="HC3")
    with pytest.raises(emimpute.EMImputeError, match="alpha=5"):
        fit.regress("y ~ x1").conf_int(5)


def test_it_prints_what_it_holds():
    """As text and as HTML, labels escaped; the frame has the same numbers."""
    table = complete().rename(columns={"x1": "<b>x1"})
    found = emimpute.fit(table).regress("y ~ `<b>x1`")
    assert repr(found) == found.summary()
    assert "60 rows, R2" in found.summary()
    assert "<b>x1" not in found._repr_html_()
    assert "&lt;b&gt;x1" in found._repr_html_()
    frame = found.to_frame()
    assert frame.columns.tolist() == ["estimate", "se", "t", "df", "p", "low", "high", "fmi"]
    assert frame.loc["<b>x1", "se"] == found.bse["<b>x1"]
    assert (found.conf_int(0.5)["high"] < found.conf_int()["high"]).all()
    assert found.pvalues.between(0, 1).all()


def test_intervals_cover_the_truth():
    """Of 150 tables with 30 % gaps at random, about 95 % of intervals do; tests/benchmarks/regress.py has 1 000."""
    covered, estimates, errors = [], [], []
    for seed in range(1000, 1150):
        rng = np.random.default_rng(seed)
        x, z = rng.standard_normal((2, 150))
        y = 1 + 0.5 * x + 0.5 * z + rng.standard_normal(150)
        y[rng.random(150) < 1 / (1 + np.exp(1 - 1.5 * z))] = np.nan
        found = emimpute.fit(pd.DataFrame({"y": y, "x": x, "z": z})).regress("y ~ x")
        interval = found.conf_int()
        covered.append((interval["low"] <= [1, 0.5]) & (interval["high"] >= [1, 0.5]))
        estimates.append(found.params)
        errors.append(found.bse)
    assert 0.90 < np.mean(covered) < 0.985
    np.testing.assert_allclose(np.mean(errors, axis=0) / np.std(estimates, axis=0), 1, atol=0.2)
