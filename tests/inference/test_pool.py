"""Pooling against mice, mitml and mitools; what is said of one analysis of several frames, and of bad input."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import references
import statsmodels.api as sm

import emimpute
from emimpute.inference.rubin import suffices

EXACT = 1e-10
CLAMPED = 1.1e-4  # of df and fmi, relative, where mice holds lambda at 1e-4 or more


def stored(name: str):
    return json.loads((references.FOLDER / "mi" / name).read_text(encoding="utf-8"))


VECTORS = stored("pooling.json")["vector_cases"]
SCALARS = [case for case in stored("pooling.json")["scalar_cases"] if case["rule"] == "rubin1987"]
NHANES = stored("D_tests_nhanes.json")


def pooled(case: dict) -> emimpute.Pooled:
    given = case["input"]
    return emimpute.pool((given["estimates"], given["vcov"]), dfcom=given["dfcom"])


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_rubins_rules_as_mice_has_them(case):
    """Estimate, variances, df, riv, lambda, fmi, tests and intervals."""
    found, expected = pooled(case), case["mice_pool"]
    table = found.params
    small = np.array(expected["lambda"]) < 1.0001e-4
    for ours, theirs in {"estimate": "qbar", "riv": "riv", "lambda": "lambda"}.items():
        np.testing.assert_allclose(table[ours][~small], np.array(expected[theirs])[~small], rtol=EXACT)
    np.testing.assert_allclose(np.diag(found.within), expected["ubar"], rtol=EXACT)
    np.testing.assert_allclose(np.diag(found.between), expected["b"], rtol=EXACT)
    np.testing.assert_allclose(table["se"] ** 2, expected["t"], rtol=EXACT)
    for name in ("df", "fmi"):
        np.testing.assert_allclose(table[name][~small], np.array(expected[name])[~small], rtol=EXACT)
        np.testing.assert_allclose(table[name], expected[name], rtol=CLAMPED)
    summary = case["mice_summary"]
    for ours, theirs in {"t": "statistic", "p": "p.value", "ci_low": "conf.low", "ci_high": "conf.high"}.items():
        rough = 1e-3 if small.any() else 0
        np.testing.assert_allclose(table[ours][~small], np.array(summary[theirs])[~small], rtol=1e-9)
        np.testing.assert_allclose(table[ours], summary[theirs], rtol=max(rough, 1e-9))


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_without_degrees_of_freedom_as_mitools_has_it(case):
    """Rubin's own df where nobody knows those of the complete data; and the whole covariance matrix."""
    given = case["input"]
    found = emimpute.pool((given["estimates"], given["vcov"]))
    np.testing.assert_allclose(found.params["df"], case["mitools"]["df"], rtol=EXACT)
    np.testing.assert_allclose(found.cov, case["mitools"]["vcov"], rtol=EXACT)


@pytest.mark.parametrize("case", SCALARS, ids=[case["name"] for case in SCALARS])
def test_single_numbers(case):
    """One estimate and its variance."""
    dfcom = math.inf if case["n"] == "Inf" else case["n"] - case["k"]
    row = emimpute.pool((case["Q"], case["U"]), dfcom=dfcom).params.iloc[0]
    close = CLAMPED if case["b"] == 0 else EXACT
    for ours, theirs in {"estimate": "qbar", "riv": "r", "df": "df", "fmi": "fmi"}.items():
        assert row[ours] == pytest.approx(case[theirs], rel=close)
    assert row["se"] ** 2 == pytest.approx(case["t"], rel=EXACT)


@pytest.mark.parametrize(
    ("method", "dfcom", "theirs"),
    [("D1", 22, "mitml_D1_dfcom"), ("D1", None, "mitml_D1"), ("D2", 22, "mitml_D2_wald"), ("D1", 22, "mice_D1")],
)
def test_several_coefficients_at_once(method, dfcom, theirs):
    """D1 and D2 as mice and mitml have them."""
    results = list(zip(NHANES["estimates"], NHANES["vcov"], strict=True))
    found = emimpute.pool(results, dfcom=dfcom).test([1, 2], method=method)
    expected = list(NHANES[theirs].values())
    np.testing.assert_allclose([found.statistic, found.df1, found.df2, found.p, found.riv], expected, rtol=EXACT)


def test_few_rows_have_few_degrees_of_freedom():
    """Where Reiter's moments do not exist D1 still has degrees of freedom, fewer than complete data have."""
    for dfcom in (1, 3, 6, 9, 15):
        test = emimpute.pool((NHANES["estimates"], NHANES["vcov"]), dfcom=dfcom).test([1, 2])
        assert test.df2 > 0
        assert 0 < test.p < 1
    assert emimpute.pool((NHANES["estimates"], NHANES["vcov"]), dfcom=3).test([1, 2]).df2 < 3


def test_d2_of_likelihood_ratios():
    """The statistics may be given."""
    ratios = 2 * (np.array(NHANES["loglik1"]) - np.array(NHANES["loglik0"]))
    found = emimpute.pool((NHANES["estimates"], NHANES["vcov"])).test([1, 2], method="D2", statistics=ratios)
    expected = list(NHANES["mitml_D2_lr"].values())
    np.testing.assert_allclose([found.statistic, found.df1, found.df2, found.p, found.riv], expected, rtol=EXACT)


def test_one_coefficient_is_the_t_test():
    """D1 of one term is t squared."""
    found = emimpute.pool((NHANES["estimates"], NHANES["vcov"]), dfcom=22)
    test = found.test(1)
    assert test.statistic == pytest.approx(found.params.loc[1, "t"] ** 2, rel=EXACT)
    by_matrix = found.test(np.array([[0.0, 1.0, 0.0]]), value=3.0)
    by_value = found.test([1], value=[3.0])
    assert by_matrix == by_value
    with pytest.raises(emimpute.EMImputeError, match="follow from the others"):
        found.test(np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]))
    with pytest.raises(emimpute.EMImputeError, match="no term 7"):
        found.test([7])
    with pytest.raises(emimpute.EMImputeError, match="no test 'D3'"):
        found.test([1], method="D3")


def test_monte_carlo_error():
    """That of an estimate is sqrt(b/m) exactly; that of a standard error agrees with many repetitions."""
    rng = np.random.default_rng(1)
    m, many = 20, 4000
    draws = rng.standard_normal((many, m, 1))
    found = emimpute.pool((draws[0], np.ones((m, 1, 1))))
    assert found.mc_error.loc[0, "estimate"] == pytest.approx(draws[0].std(ddof=1) / math.sqrt(m), rel=EXACT)
    ses = [emimpute.pool((draw, np.ones((m, 1, 1)))).params.loc[0, "se"] for draw in draws[:500]]
    said = [emimpute.pool((draw, np.ones((m, 1, 1)))).mc_error.loc[0, "se"] for draw in draws[:100]]
    assert np.mean(said) == pytest.approx(np.std(ses), rel=0.2)
    assert emimpute.pool((draws[0, :2], np.ones((2, 1, 1)))).mc_error.isna().all(axis=None)


def test_how_many_imputations_suffice():
    """By von Hippel's rule: m = 1 + (fmi/cv)²/2 at the upper end of the interval of fmi, which closes as m grows."""
    assert suffices(np.array([0.5]), 10**9, 0.05)[0] == 1 + math.ceil(0.5 * 100 - 1e-6) + 1
    assert suffices(np.array([0.3]), 5, 0.05)[0] > suffices(np.array([0.3]), 500, 0.05)[0]
    assert suffices(np.array([0.0]), 5, 0.05)[0] == 1


def test_results_of_statsmodels():
    """A list of results: names, residual df, intervals at another level."""
    frame = pd.DataFrame({"x": np.arange(12.0), "y": np.sin(np.arange(12.0))})
    results = [sm.OLS.from_formula("y ~ x", frame.assign(y=frame["y"] + shift)).fit() for shift in (0.0, 0.1, 0.3)]
    found = emimpute.pool(results)
    assert found.params.index.tolist() == ["Intercept", "x"]
    assert found.dfcom == 10
    narrow, wide = found.conf_int(0.5), found.conf_int()
    assert (narrow["low"] > wide["low"]).all()
    assert (wide["low"] == found.params["ci_low"]).all()
    assert "3 imputations" in repr(found)


def test_labels_are_escaped():
    """HTML from a label stays text."""
    named = pd.Series([1.0], index=["<b>x</b>"])
    page = emimpute.pool([(named, 1.0), (named + 1, 1.0)])._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([], "at least 2 imputations.*are none"),
        ([(1.0, 2.0)], "at least 2 imputations.*is 1"),
        ([(1.0, 2.0), 3], "For imputation 2 there is a int"),
        ([(1.0, 2.0), (np.nan, 1.0)], "imputation 2 .* no number"),
        ([(1.0, 2.0), (1.0, -1.0)], "imputation 2 .* negative"),
        ([([1.0, 2.0], np.eye(2)), ([1.0, 2.0], np.eye(3))], r"imputation 2 .*\(3, 3\)"),
        (([1.0, 2.0], [1.0]), "of the same length"),
        (
            [(pd.Series({"a": 1.0}), 1.0), (pd.Series({"b": 1.0}), 1.0)],
            "number 2 lacks 'a' and has 'b' besides",
        ),
    ],
)
def test_what_cannot_be_pooled(results, words):
    """Each is refused in a sentence that names the imputation."""
    with pytest.raises(emimpute.EMImputeError, match=words):
        emimpute.pool(results)


def test_nothing_between():
    """Where all imputations agree to the last bit the answer is that of the complete data."""
    row = emimpute.pool(([0.1] * 3, [0.3] * 3), dfcom=17).params.iloc[0]
    assert (row["df"], row["fmi"], row["riv"], row["efficiency"]) == (17, 0, 0, 1)
    assert row["estimate"] == 0.1
