"""Pooling against mice, mitml and mitools; what is said of one analysis of several frames, and of bad input."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import references
import statsmodels.api as sm
from scipy import stats

import emimpute
from emimpute.inference.pooling.rubin import suffices

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
    with pytest.raises(emimpute.EMImputeError, match="no test 'D5'"):
        found.test([1], method="D5")


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


def test_monte_carlo_error_of_joint_tests():
    """It is what the statistic and p vary by from one set of imputations to another, for D1 and D2."""
    rng = np.random.default_rng(2)
    m, many, listed = 20, 400, ["statistic", "df2", "p", "riv"]
    root = np.linalg.cholesky(0.4 * np.eye(2) + 0.1)
    draws = 1.0 + rng.standard_normal((many, m, 2)) @ root.T
    for method in ("D1", "D2"):
        tests = [emimpute.pool((draw, np.array([np.eye(2)] * m)), dfcom=100).test(method=method) for draw in draws]
        varies = np.std([[test.statistic, test.p] for test in tests], axis=0, ddof=1)
        said = np.mean([test.mc_error[["statistic", "p"]] ** 2 for test in tests[:100]], axis=0) ** 0.5
        np.testing.assert_allclose(said, varies, rtol=0.2)
        assert tests[0].mc_error.index.tolist() == listed
    few = emimpute.pool((draws[0, :2], np.array([np.eye(2)] * 2)))
    assert few.test().mc_error.isna().all()
    alike = emimpute.pool((draws[0, [0] * 5], np.array([np.eye(2)] * 5)))
    assert (alike.test().mc_error == 0).all()  # nothing imputed that matters, and infinite degrees of freedom
    assert (alike.mc_error == 0).all(axis=None)


@pytest.mark.parametrize("options", [{"method": name} for name in ("D1", "D2", "D3", "D4")])
def test_the_jackknife_is_that_of_the_test_without_each_imputation(options):
    """By the square root of (m - 1)/m times the sum of squares about their mean."""
    rng = np.random.default_rng(3)
    m, n = 5, 40
    x = rng.standard_normal((n, 2))
    y = x @ [0.3, 0.0] + rng.standard_normal(n) / 3
    results = [sm.OLS(y, sm.add_constant(x + 0.3 * rng.standard_normal((n, 2)))).fit() for _ in range(m)]
    test = emimpute.pool(results).test(iter(["x1", "x2"]), **options)
    each = [emimpute.pool(results[:i] + results[i + 1 :]).test(["x1", "x2"], **options) for i in range(m)]
    for name in ("statistic", "df2", "p", "riv"):
        values = np.array([getattr(one, name) for one in each])
        expected = math.sqrt((m - 1) ** 2 / m * values.var(ddof=1))
        assert test.mc_error[name] == pytest.approx(expected, rel=1e-9)
    restricted = emimpute.pool([sm.OLS(y, np.ones(n)).fit()] * m)
    if options["method"] in {"D3", "D4"}:
        nested = emimpute.pool(results).test(restricted=restricted, **options)
        np.testing.assert_allclose(nested.mc_error, test.mc_error, rtol=1e-6)
    if options["method"] == "D2":
        given = np.array([result.fvalue * 2 for result in results])
        own = emimpute.pool(results).test(["x1", "x2"], statistics=pd.Series(given, index=range(7, 7 + m)), **options)
        np.testing.assert_allclose(own.mc_error, test.mc_error, rtol=1e-6)


def test_monte_carlo_error_of_scenarios():
    """Each scenario's own, beside its numbers."""
    rng = np.random.default_rng(7)
    df = pd.DataFrame(rng.standard_normal((80, 2)), columns=["x", "y"])
    df.loc[:25, "x"] = np.nan
    found = df.em.draw(5, rng=1, delta={"x": [-1.0, 1.0]})
    tipping = found.pool("y ~ x")
    pd.testing.assert_index_equal(tipping.mc_error.index, tipping.table.index)
    for size, one in zip([-1.0, 1.0], found, strict=True):
        np.testing.assert_array_equal(tipping.mc_error.loc[size], one.pool("y ~ x").mc_error)


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
    several = pd.MultiIndex.from_tuples([("<i>1", "<script>"), ("<b>", "x&y")], names=["<u>", "term"])
    named = pd.Series([1.0, 2.0], index=several)
    page = emimpute.pool([(named, np.eye(2)), (named + 1, np.eye(2))])._repr_html_()
    assert not any(tag in page for tag in ("<script>", "<i>", "<u>", "<b>"))


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([], "at least 2 imputations.*are none"),
        ([(1.0, 2.0)], "at least 2 imputations.*is 1"),
        ([(1.0, 2.0), 3], "For imputation 2 there is a int"),
        ([(1.0, 2.0), (np.nan, 1.0)], "imputation 2 .* no number"),
        ([(1.0, 2.0), (1.0, -1.0)], "imputation 2 .* negative"),
        ([([1.0, 2.0], np.eye(2)), ([1.0, 2.0], np.eye(3))], r"imputation 2 .*\(3, 3\)"),
        ([([1.0, 2.0], np.eye(2)), ([1.0, 2.0], [[1.0, np.nan], [np.nan, 1.0]])], "imputation 2 some covariances"),
        ([(1.0, 1.0), ("a", 1.0)], "imputation 2 .* no numbers"),
        ([(1.0, 1.0), None], "For imputation 2 there is a NoneType"),
        (([1.0, 2.0], [1.0]), "of the same length"),
        ((1.0, 2.0), "of the same length"),
        (3.0, "a list with one entry .* float"),
        ("y ~ x", "a list with one entry .* str"),
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


def test_one_result_is_no_list():
    """A result of statsmodels by itself, and one in a list."""
    one = sm.OLS.from_formula("y ~ x", pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [1.0, 3, 2, 5]})).fit()
    with pytest.raises(emimpute.EMImputeError, match=r"a list with one entry .* RegressionResultsWrapper"):
        emimpute.pool(one)
    with pytest.raises(emimpute.EMImputeError, match="here is 1"):
        emimpute.pool([one])


@pytest.mark.parametrize("dfcom", [0, -3, np.nan, "many", True])
def test_degrees_of_freedom_are_a_number_above_0(dfcom):
    """Infinity is one."""
    with pytest.raises(emimpute.EMImputeError, match="dfcom= is a number above 0"):
        emimpute.pool(([1.0, 2.0], [1.0, 1.0]), dfcom=dfcom)
    row = emimpute.pool(([1.0, 2.0], [1.0, 1.0]), dfcom=np.inf).params.iloc[0]
    assert row["df"] == pytest.approx((1 + 1 / 0.75) ** 2)


def test_more_coefficients_than_imputations():
    """Their covariance between imputations is singular; D1 needs its trace alone, by hand here, and D2 none."""
    rng = np.random.default_rng(3)
    m, k = 4, 7
    root = rng.standard_normal((k, 3 * k))
    within = root @ root.T / (3 * k)
    estimates = rng.standard_normal((m, k)) * 0.5 + 1
    found = emimpute.pool((estimates, [within] * m))
    assert np.linalg.matrix_rank(found.between) == m - 1
    inverse = np.linalg.inv(within)
    riv = (1 + 1 / m) * np.trace(np.cov(estimates.T) @ inverse) / k
    mean = estimates.mean(axis=0)
    d1 = found.test()
    assert d1.riv == pytest.approx(riv, rel=EXACT)
    assert d1.statistic == pytest.approx(mean @ inverse @ mean / (k * (1 + riv)), rel=EXACT)
    t = k * (m - 1)
    assert d1.df2 == pytest.approx(4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2, rel=EXACT)
    d2 = found.test(method="D2")
    wald = [e @ inverse @ e for e in estimates]
    riv = (1 + 1 / m) * np.var(np.sqrt(wald), ddof=1)
    assert d2.riv == pytest.approx(riv, rel=EXACT)
    assert d2.statistic == pytest.approx((np.mean(wald) / k - (m + 1) / (m - 1) * riv) / (1 + riv), rel=EXACT)


def test_few_imputations_do_not_add_degrees_of_freedom():
    """k(m - 1) of 4 or less has a formula of its own, which knows nothing of the complete data's: they bound it."""
    near = (np.array([1.0, 1.001, 0.999]), np.full(3, 1.0))
    test = emimpute.pool(near, dfcom=20).test()
    assert 15 < test.df2 < 20
    assert emimpute.pool(near).test().df2 > 1e6


def test_nothing_between_and_several_coefficients():
    """F with the complete data's degrees of freedom, χ² where these are infinite; D2 is χ² then."""
    estimates, covariances = [[0.1, 0.7, 0.3]] * 3, [np.diag([0.3, 0.1, 0.2])] * 3
    wald = 0.7**2 / 0.1 + 0.3**2 / 0.2
    finite = emimpute.pool((estimates, covariances), dfcom=17).test([1, 2])
    assert (finite.df2, finite.riv) == (17, 0)
    assert finite.p == pytest.approx(stats.f.sf(wald / 2, 2, 17), rel=EXACT)
    for method in ("D1", "D2"):
        test = emimpute.pool((estimates, covariances)).test([1, 2], method=method)
        assert (test.df2, test.riv) == (math.inf, 0)
        assert test.p == pytest.approx(stats.chi2.sf(wald, 2), rel=EXACT)


def test_singular_covariances():
    """Of all imputations: the hypotheses are redundant. Of one: it has no Wald statistic, and is named; D1 has one."""
    both = np.ones((2, 2))
    with pytest.raises(emimpute.EMImputeError, match="follow from the others"):
        emimpute.pool([([1.0, 2.0], both), ([2.0, 1.0], both)]).test()
    found = emimpute.pool([([1.0, 2.0], np.eye(2)), ([2.0, 1.0], both), ([1.0, 1.0], np.eye(2))])
    with pytest.raises(emimpute.EMImputeError, match=r"In imputation 2 .* singular.*D1"):
        found.test(method="D2")
    assert 0 < found.test().p < 1


def test_without_variance():
    """A variance of 0 is said to be 0; of estimates that differ, all of the variance is due to the gaps."""
    found = emimpute.pool(([1.0, 1.0], [0.0, 0.0]), dfcom=10)
    row = found.params.iloc[0]
    assert (row["se"], row["riv"], row["lambda"], row["fmi"], row["df"]) == (0, 0, 0, 0, 10)
    assert "2 imputations" in repr(found)
    row = emimpute.pool(([1.0, 2.0], [0.0, 0.0])).params.iloc[0]
    assert (row["riv"], row["lambda"], row["fmi"]) == (math.inf, 1, 1)
    for method in ("D1", "D2"):
        with pytest.raises(emimpute.EMImputeError, match=r"Hypothesis number 1 .* without variance"):
            found.test(0, method=method)


def test_statistics_that_leave_nothing():
    """D2 may be negative, where statistics vary more than they are large: it says nothing against the hypothesis."""
    found = emimpute.pool((NHANES["estimates"], NHANES["vcov"]))
    test = found.test([1, 2], method="D2", statistics=[0.0] * 9 + [40.0])
    assert test.statistic < 0
    assert test.p == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"value": [1.0, 2.0, 3.0]}, "value= is one number, or 2"),
        ({"value": np.nan}, "value= is one number, or 2"),
        ({"method": "D2", "statistics": [1.0] * 9 + [np.inf]}, "10 finite numbers"),
        ({"method": "D2", "statistics": [1.0] * 3}, "10 finite numbers"),
        ({"statistics": [1.0] * 10}, "belongs to D2"),
        ({"terms": np.ones((1, 2))}, r"each of the 3 terms.*\(1, 2\)"),
        ({"terms": np.full((1, 3), np.nan)}, "column of numbers"),
        ({"terms": []}, "nothing to test"),
    ],
)
def test_hypotheses_that_are_none(options, words):
    """Said in a sentence."""
    with pytest.raises(emimpute.EMImputeError, match=words):
        emimpute.pool((NHANES["estimates"], NHANES["vcov"])).test(**{"terms": [1, 2], **options})


def test_nothing_between():
    """Where all imputations agree to the last bit the answer is that of the complete data."""
    row = emimpute.pool(([0.1] * 3, [0.3] * 3), dfcom=17).params.iloc[0]
    assert (row["df"], row["fmi"], row["riv"], row["efficiency"]) == (17, 0, 0, 1)
    assert row["estimate"] == 0.1
