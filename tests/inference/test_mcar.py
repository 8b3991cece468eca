"""Tests of missingness completely at random: against reference values, closed forms, and by how often they reject."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import references
from dtypes import COLUMNS
from frames import FRAMES, all_bits, numeric
from scipy import stats

import emimpute
from emimpute.inference.gaps.anderson import anderson_darling, tail
from emimpute.inference.gaps.hawkins import Neyman, hawkins, tails
from emimpute.inference.gaps.indicators import welch

EXACT = 1e-6  # relative, of Little's statistic
WITH_LITTLE = [name for name in references.cases() if "little" in references.load(name).expected]


def incomplete(n=200, d=4, share=0.2, seed=0):
    """Normal rows of correlation .5, cells deleted at random."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) + rng.standard_normal((n, 1))
    x[rng.random((n, d)) < share] = np.nan
    return pd.DataFrame(x, columns=list("abcdefgh")[:d])


# --- Little -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_LITTLE)
def test_little_on_reference_cases(name):
    """χ², degrees of freedom and p of every reference case; also where some covariances are not determined."""
    case = references.load(name)
    expected = case.expected["little"]
    test = emimpute.mcar_test(case.frame)
    assert test.df == expected["df"]
    assert test.statistic == pytest.approx(expected["chi2"], rel=EXACT)
    assert test.pvalue == pytest.approx(expected["p"], rel=1e-5, abs=1e-12)
    assert test.prior is None
    # n / (n - 1) times the covariance; rows with nothing observed are no rows
    other = emimpute.mcar_test(case.frame, ddof=1)
    n = case.frame.notna().any(axis=1).sum()
    assert other.nobs == n
    assert other.statistic == pytest.approx(expected["chi2"] * (n - 1) / n, rel=EXACT)


@pytest.mark.parametrize(
    ("name", "chi2"),
    [("airquality", 34.8767227835794), ("boys_num", 251.62936391967), ("nhanes", 7.67952569922495)],
)
def test_unbiased_covariance(name, chi2):
    """With divisor n - 1, values of the full folder of cases (chi2_unbiased_Sigma)."""
    assert emimpute.mcar_test(references.load(name).frame, ddof=1).statistic == pytest.approx(chi2, rel=EXACT)


@pytest.mark.parametrize(("name", "chi2"), [("ability", 1161.70940776888), ("chain", 60.2452229310861)])
def test_empty_rows_have_no_part_in_the_divisor(name, chi2):
    """The files count them (chi2_unbiased_Sigma), and they add nothing to the covariance: n is of the others here."""
    frame = references.load(name).frame
    whole, seen = len(frame), int(frame.notna().any(axis=1).sum())
    assert seen < whole
    test = emimpute.mcar_test(frame, ddof=1)
    assert test.statistic == pytest.approx(chi2 * whole / (whole - 1) * (seen - 1) / seen, rel=EXACT)
    assert test.statistic == pytest.approx(emimpute.mcar_test(frame.dropna(how="all"), ddof=1).statistic, rel=EXACT)


def test_contributions_add_up():
    """By variable and by pattern; the degrees of freedom too."""
    test = references.load("boys_num").frame.em.mcar_test()
    variables, patterns = test.by_variable, test.by_pattern
    assert variables.contribution.sum() == pytest.approx(test.statistic)
    assert patterns.contribution.sum() == pytest.approx(test.statistic)
    assert variables.share.sum() == pytest.approx(1)
    assert variables.df.sum() == test.df
    assert (variables.contribution >= 0).all()
    assert patterns.rows.sum() == test.nobs
    np.testing.assert_allclose(patterns.rows * patterns.distance**2, patterns.contribution)
    assert [len(m) for m in patterns.missing] == (len(variables) - patterns.observed).tolist()


def test_contributions_of_uncorrelated_columns_are_their_own():
    """Where columns are uncorrelated in the estimate, a variable's part is that of its own means."""
    z = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]] * 10)
    df = pd.DataFrame(z, columns=["x", "y"]).assign(w=np.nan)
    df.loc[:19, "w"] = np.tile([1.0, 1, -1, -1, 1, 1, -1, -1, -1, -1], 2)
    test = emimpute.mcar_test(df[["x", "w"]].assign(x=df.x + 3 * df.w.isna()))
    x = df.x + 3 * df.w.isna()
    own = sum(20 * (part.mean() - x.mean()) ** 2 for part in (x[:20], x[20:])) / x.var(ddof=0)
    assert test.by_variable.contribution["x"] + test.by_variable.contribution["w"] == pytest.approx(test.statistic)
    assert test.df == 1
    assert test.statistic == pytest.approx(own)


def test_neither_units_nor_order_matter():
    """Columns in other units, far from 0, and rows and columns in another order: the same test."""
    df = incomplete()
    other = (df * [1e-6, 1, 1e5, 3] + [5, 1e6, 0, -7]).iloc[::-1, [2, 0, 3, 1]]
    one, two = df.em.mcar_test(), other.em.mcar_test()
    assert two.statistic == pytest.approx(one.statistic, rel=1e-7)
    np.testing.assert_allclose(
        two.by_variable.contribution[df.columns], one.by_variable.contribution, rtol=1e-6, atol=1e-9
    )


def test_effect_size_does_not_grow_with_the_rows():
    """The same rows ten times: the distance stays, but for what chance would give."""
    df = references.load("boys_num").frame
    one, ten = df.em.mcar_test(), pd.concat([df] * 10, ignore_index=True).em.mcar_test()
    assert ten.statistic == pytest.approx(10 * one.statistic)
    assert one.effect_size == pytest.approx(np.sqrt((one.statistic - one.df) / one.nobs))
    assert ten.effect_size == pytest.approx(np.sqrt(one.statistic / one.nobs), rel=0.01)


def test_rejects_about_as_often_as_it_says():
    """Under MCAR, 200 normal rows: 200 tables at 5 %; with 1 000 rows and more tables, tests/benchmarks/mcar.py."""
    p = [emimpute.mcar_test(incomplete(200, 3, 0.2, seed), tol=1e-4).pvalue for seed in range(200)]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.1  # the binomial's 99.9 %
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_sees_what_depends_on_others():
    """Missing where another column is large, which is MAR: rejected, and the culprit named."""
    df = incomplete(300, 3, 0.0)
    df.loc[df.a > 0.7, "b"] = np.nan
    test = df.em.mcar_test()
    assert test.pvalue < 1e-6
    assert test.by_variable.contribution.idxmax() == "a"
    assert test.effect_size > 0.5


def test_bootstrap():
    """Its p is near that of χ² in large samples, the same for the same seed, and begins alike when longer."""
    df = incomplete(400, 3, 0.15, seed=5)
    test = df.em.mcar_test(bootstrap=100, rng=3)
    assert test.bootstrap_pvalue == pytest.approx(test.pvalue, abs=0.15)
    assert test.bootstrap_pvalue == (1 + (test.bootstrap >= test.statistic).sum()) / 101
    assert test.bootstrap.mean() == pytest.approx(test.df, rel=0.1)
    short = df.em.mcar_test(bootstrap=20, rng=3)
    np.testing.assert_array_equal(short.bootstrap, test.bootstrap[:20])
    assert "Bootstrap p" in short.summary()


def test_a_weight_is_so_many_rows():
    """To the last bit, the bootstrap and all contributions too; the weights' own column is not tested."""
    df = incomplete(60, 3)
    counts = np.random.default_rng(1).integers(0, 4, 60)
    expected = df.loc[np.repeat(df.index, counts)].em.mcar_test(bootstrap=9, rng=1)
    for found in (
        df.assign(w=counts).em.mcar_test(weights="w", bootstrap=9, rng=1),
        df.em.mcar_test(weights=pd.Series(counts * 1.0, index=df.index), bootstrap=9, rng=1),
    ):
        assert found.nobs == counts.sum()
        assert (found.statistic, found.df) == (expected.statistic, expected.df)
        np.testing.assert_array_equal(found.bootstrap, expected.bootstrap)
        pd.testing.assert_frame_equal(found.by_variable, expected.by_variable)
        pd.testing.assert_frame_equal(found.by_pattern, expected.by_pattern)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.full(60, 0.5), r"weights= hold 0.5.*whole numbers"),
        (np.zeros(60), "every weight is 0"),
        (-np.ones(60), "not below 0"),
        (np.ones(3), "one for each row"),
        ("q", "'q'"),
    ],
)
def test_weights_that_are_no_counts(weights, words):
    """The statistic has no known law under them."""
    with pytest.raises(emimpute.EMImputeError, match=words):
        incomplete(60, 3).em.mcar_test(weights=weights)


def test_categories_have_no_means():
    """They are left out and named; asked for, the error says how; their codes can be tested as the numbers they are."""
    df = incomplete(120, 3)
    grade = pd.Series(pd.cut(df["a"], [-9, -1, 0, 1, 9], labels=list("dcba")))
    coded = grade.cat.codes.where(grade.cat.codes >= 0)
    mixed = df.assign(a=grade, sort=pd.Categorical(np.resize(["x", "y", "z"], 120)))
    left = mixed.em.mcar_test().left_out.set_index("column")["reason"]
    assert left.to_dict() == {"a": "kind ordinal", "sort": "kind nominal"}
    with pytest.raises(emimpute.ColumnError, match=r"'a' cannot be tested \(kind ordinal\).*means.*cat\.codes"):
        mixed.em.mcar_test(kinds={"a": "ordinal"})
    with pytest.raises(emimpute.ColumnError, match=r"'sort' cannot be tested \(kind nominal\).*0 and 1 for each"):
        mixed.em.mcar_test(columns=["b", "sort"])
    with pytest.raises(emimpute.ColumnError, match=r"'n' cannot be tested \(kind count\): take kind 'real'"):
        df.assign(n=np.resize([0, 1, 4, 2], 120)).em.mcar_test(kinds={"n": "count"})
    assert df.assign(a=coded).em.mcar_test().by_variable.index.tolist() == ["a", "b", "c"]


def test_bootstrap_sees_a_difference():
    """The smallest p that so many tables allow."""
    df = incomplete(200, 3, 0.0)
    df.loc[df.a > 0.5, "b"] = np.nan
    assert df.em.mcar_test(bootstrap=19, rng=0).bootstrap_pvalue == 1 / 20


def test_rows_with_nothing_observed_do_not_count():
    """Neither in n nor as a pattern."""
    df = incomplete()
    empty = pd.concat([df, df[:9] * np.nan], ignore_index=True)
    one, two = df[df.notna().any(axis=1)].em.mcar_test(), empty.em.mcar_test()
    assert (two.statistic, two.df, two.nobs) == (pytest.approx(one.statistic), one.df, one.nobs)


# --- which columns ----------------------------------------------------------------------------------------------------


def test_left_out_columns_are_named():
    """What is no number, or does not vary, takes no part, and the summary says so."""
    df = incomplete(60, 3).assign(
        flag=[True, False] * 30,
        word=["x", "y", "z"] * 20,
        one=1.0,
        empty=np.nan,
        when=pd.date_range("2020", periods=60),
    )
    df["when"] = pd.date_range("2020", periods=60)
    df["count"] = np.arange(60) % 2
    test = df.em.mcar_test()
    assert test.by_variable.index.tolist() == ["a", "b", "c", "when", "count"]
    assert set(test.left_out["column"]) == {"flag", "word", "one", "empty"}
    assert "one (constant)" in test.summary()
    assert test.statistic == pytest.approx(df[["a", "b", "c", "when", "count"]].em.mcar_test().statistic)
    narrow = df.em.mcar_test(columns=["a", "b"])
    assert narrow.statistic == pytest.approx(df[["a", "b"]].em.mcar_test().statistic)
    assert len(narrow.left_out) == 0


def test_kinds():
    """A kind on a scale of its own is tested on that scale; booleans can be taken as numbers."""
    df = incomplete(100, 2)
    log = df.em.mcar_test()
    test = np.exp(df).em.mcar_test(kinds={"a": "positive", "b": "positive"})
    assert test.statistic == pytest.approx(log.statistic, rel=1e-6)
    flags = df.assign(flag=pd.array([True, False] * 50, dtype="boolean"))
    numbers = df.assign(flag=[1.0, 0.0] * 50)
    assert flags.em.mcar_test(kinds={"flag": "real"}).statistic == pytest.approx(numbers.em.mcar_test().statistic)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_dtype(name):
    """A column of any numeric dtype is tested or left out, never more."""
    column = COLUMNS[name](np.tile([1.0, 2.0, np.nan, 3.0, 5.0], 8))
    df = pd.DataFrame({"x": column, "y": np.arange(40.0) ** 1.5})
    test = df.em.mcar_test()
    assert ("x" in test.by_variable.index) != ("x" in test.left_out["column"].tolist())


@pytest.mark.parametrize("name", FRAMES)
def test_every_shape(name):
    """Labels may repeat, be missing, or have levels; the frame stays as it was."""
    df = FRAMES[name]()
    before = all_bits(df)
    test, other = df.em.mcar_test(), df.em.homogeneity_test(imputations=2, smallest=4, rng=0)
    compared = df.em.indicator_tests()
    assert test.df > 0
    assert test.summary()
    assert test._repr_html_()
    assert 0 < other.pvalue <= 1
    assert len(compared)
    assert all_bits(df) == before


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("df", "words"),
    [
        (pd.DataFrame({"x": [1.0, 2, 3], "y": [1.0, 3, 2]}), "No cell is missing"),
        (pd.DataFrame({"x": [1.0, 2, None]}), "Rows have all of these columns or none"),
        (
            pd.DataFrame({"x": [1.0, 2, 4, None, None, None], "y": [None, None, None, 5.0, 6, 8]}),
            "No column is observed",
        ),
    ],
    ids=["complete", "one column", "never together"],
)
def test_nothing_to_test(df, words):
    """The honest answer: 0 on 0 degrees of freedom, no p, and why."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        test = df.em.mcar_test(bootstrap=5)
    assert (test.statistic, test.df, test.effect_size) == (0, 0, 0)
    assert np.isnan(test.pvalue)
    assert words in test.summary()
    assert "p:              not available" in test.summary()


def test_no_maximum_likelihood():
    """More columns than rows, or columns that depend on each other: a ridge stands in, and it is said."""
    wide = incomplete(8, 8, 0.1, seed=2)
    test = wide.em.mcar_test()
    assert test.prior is not None
    assert "Approximate: these data have no maximum likelihood estimate" in test.summary()
    twins = incomplete(60, 3)
    twins = twins.assign(twin=2 * twins.a + 1)
    assert twins.em.mcar_test(bootstrap=3, rng=0).prior is not None


def test_small_samples_are_told():
    """What the χ² cannot bear, and what rests on few rows; large samples of few patterns are not bothered."""
    assert "Small sample: 25 rows" in references.load("nhanes").frame.em.mcar_test().summary()
    assert "of the statistic comes from patterns" in references.load("airquality").frame.em.mcar_test().summary()
    assert not references.load("selfreport_num").frame.em.mcar_test().notes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ddof": 2}, "ddof= is 0 or 1"),
        ({"ddof": True}, "ddof="),
        ({"bootstrap": -1}, "bootstrap="),
        ({"rng": "x"}, "rng="),
        ({"tol": 0}, "tol="),
        ({"columns": ["a", "nobody"]}, "'nobody'"),
        ({"columns": []}, "columns="),
        ({"columns": ["a", "flag"]}, "'flag' cannot be tested"),
        ({"kinds": {"flag": "binary"}}, "'flag' cannot be tested"),
        ({"kinds": ["real"]}, "kinds="),
    ],
)
def test_refusals(arguments, words):
    """One sentence that says what was wrong."""
    df = incomplete(30, 2).assign(flag=[True, False] * 15)
    with pytest.raises(emimpute.EMImputeError, match=words):
        df.em.mcar_test(**arguments)


@pytest.mark.parametrize("function", [emimpute.mcar_test, emimpute.homogeneity_test, emimpute.indicator_tests])
def test_no_column_of_numbers(function):
    """Text only, no rows, no frame."""
    with pytest.raises(emimpute.ColumnError, match="nothing to test"):
        function(pd.DataFrame({"t": ["a", "b", None]}))
    with pytest.raises(emimpute.ColumnError, match="nothing to test"):
        function(incomplete()[:0])
    with pytest.raises(emimpute.ColumnError, match="DataFrame"):
        function([1, 2])


def test_html_is_escaped():
    """Labels are the user's."""
    df = incomplete(60, 2).set_axis(["<script>", "a\nb"], axis=1)
    for result in (df.em.mcar_test(), df.em.homogeneity_test(imputations=1, rng=0)):
        html = result._repr_html_()
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
        assert "a\nb" not in repr(result)
        assert repr(result) == result.summary()


# --- one covariance matrix --------------------------------------------------------------------------------------------


def test_tails_are_exactly_uniform():
    """Hawkins' F is exact: tail probabilities of normal groups, whatever their means, are uniform."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((3, 3))
    groups = [[rng.standard_normal((n, 3)) @ root + rng.standard_normal(3) for n in (5, 9, 20)] for _ in range(600)]
    each = [tails(own) for own in groups]
    for place in range(3):
        one = [own[place][0] for own in each]  # one row of each table: independent
        assert stats.kstest(one, "uniform").pvalue > 0.001


def test_tails_by_leaving_out():
    """The F is that of a row's distance where the row itself has no part in mean and covariance."""
    rng = np.random.default_rng(1)
    groups = [rng.standard_normal((n, 2)) for n in (6, 8, 11)]
    row, rest = groups[1][3], np.delete(groups[1], 3, axis=0)
    others = [groups[0], rest, groups[2]]
    within = sum(len(g) - 1 for g in others)
    cov = sum((len(g) - 1) * np.cov(g.T) for g in others) / within
    gap = row - rest.mean(axis=0)
    t2 = gap @ np.linalg.solve(cov, gap) / (1 + 1 / len(rest))
    f = t2 * (within - 1) / (2 * within)
    assert tails(groups)[1][3] == pytest.approx(stats.f.sf(f, 2, within - 1))


def test_neyman():
    """Its statistic in scipy's words; p from χ², or simulated for few."""
    x = np.random.default_rng(2).random(50) ** 1.3
    legendre = [np.sqrt(2 * r + 1) * np.polynomial.Legendre.basis(r, [0, 1])(x) for r in range(1, 5)]
    statistic = sum(p.sum() ** 2 for p in legendre) / 50
    neyman = Neyman(np.random.default_rng(0))
    assert neyman.pvalue(x) == pytest.approx(stats.chi2.sf(statistic, 4))
    few = [neyman.pvalue(sample) for sample in np.random.default_rng(3).random((2000, 8))]
    assert np.mean(np.array(few) < 0.05) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_anderson_darling_against_scipy(k):
    """The standardised statistic; scipy's p-values end at .25 and .001."""
    rng = np.random.default_rng(k)
    samples = [rng.normal(size=15 + 4 * i) for i in range(k)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.anderson_ksamp(samples, midrank=False)
    statistic, p = anderson_darling(samples)
    assert statistic == pytest.approx(expected.statistic)
    assert (p > 0.2) == (expected.pvalue > 0.2)


@pytest.mark.parametrize(
    ("m", "critical"),
    [(1, (0.326, 1.225, 1.960, 2.719, 3.752)), (4, (0.512, 1.2, 1.738, 2.277, 2.95)), (10, None)],
)
def test_anderson_darling_tail(m, critical):
    """The printed critical values of Scholz and Stephens for two samples; simulated sums for more."""
    if m == 1:
        sd = np.sqrt(2 * (np.pi**2 / 3 - 3))
        p = [tail(c * sd + 1, 2) for c in critical]
        np.testing.assert_allclose(p, [0.25, 0.1, 0.05, 0.025, 0.01], rtol=0.03)
        return
    rng = np.random.default_rng(m)
    r = np.arange(1, 81)
    sums = (rng.chisquare(m, size=(40000, 80)) / (r * (r + 1))).sum(axis=1) + m / 81
    for x in np.quantile(sums, [0.5, 0.9, 0.99]):
        assert tail(x, m + 1) == pytest.approx(np.mean(sums > x), rel=0.1)
    assert tail(0.0, m + 1) == pytest.approx(1, abs=1e-6)
    assert 0 < tail(1e3, m + 1) < 1e-5


def test_one_group_of_another_spread():
    """On complete groups both tests see a doubled sd, and neither means that differ."""
    rng = np.random.default_rng(4)
    groups = [rng.standard_normal((60, 3)) + mean for mean in (0, 5, -3)]
    alike = hawkins(groups, Neyman(rng))
    apart = hawkins([groups[0], groups[1], 2 * groups[2]], Neyman(rng))
    assert alike.pvalue > 0.01
    assert alike.anderson_pvalue > 0.01
    assert apart.pvalue < 1e-4
    assert apart.anderson_pvalue < 1e-3
    assert np.argmin(apart.by_group) == 2


def grouped(rng, n=300, *, spread=1.0):
    """Normal rows in three patterns; the last with rows ``spread`` times as wide."""
    x = rng.standard_normal((n, 3)) + rng.standard_normal((n, 1))
    kind = np.arange(n) % 3
    x[kind == 2] *= spread
    x[kind == 1, 1] = np.nan
    x[kind == 2, 2] = np.nan
    return pd.DataFrame(x, columns=["a", "b", "c"])


def test_homogeneity():
    """Unequal covariances, of which Little's test knows nothing, are seen; equal ones pass."""
    equal = grouped(np.random.default_rng(0)).em.homogeneity_test(rng=0)
    unequal = grouped(np.random.default_rng(0), spread=2.0).em.homogeneity_test(rng=0)
    assert min(equal.pvalue, equal.anderson_pvalue) > 0.01
    assert max(unequal.pvalue, unequal.anderson_pvalue) < 1e-3
    assert unequal.by_group.rows.tolist() == [100, 100, 100]
    assert (unequal.kept, unequal.nobs, unequal.smallest) == (1.0, 300, 7)
    assert len(unequal.imputations) == 20
    assert unequal.pvalue == unequal.imputations.pvalue.median()
    assert grouped(np.random.default_rng(0), spread=2.0).em.mcar_test().pvalue > 0.01


def test_homogeneity_rejects_seldom_where_it_should_not():
    """Medians over imputations of one law are on the safe side."""
    rng = np.random.default_rng(1)
    tests = [grouped(rng, 150).em.homogeneity_test(imputations=5, rng=rng, tol=1e-4) for _ in range(100)]
    assert np.mean([test.pvalue < 0.05 for test in tests]) <= 0.13  # the binomial's 99.9 % at 5 %
    assert np.mean([test.anderson_pvalue < 0.05 for test in tests]) <= 0.13


def test_homogeneity_is_the_same_for_the_same_seed():
    """And begins alike with more imputations."""
    df = grouped(np.random.default_rng(2), 90)
    one, two = df.em.homogeneity_test(rng=5), df.em.homogeneity_test(rng=5, imputations=3)
    np.testing.assert_array_equal(one.imputations[:3].anderson_pvalue, two.imputations.anderson_pvalue)
    np.testing.assert_array_equal(one.imputations[:3].pvalue, two.imputations.pvalue)


def test_groups_that_are_too_small():
    """Dropped, the share of rows that is kept told; where two are not left, no p and why."""
    df = grouped(np.random.default_rng(3), 90)
    df.loc[[0, 3, 6, 9, 12], "a"] = np.nan
    test = df.em.homogeneity_test(rng=0)
    assert test.kept == pytest.approx(85 / 90)
    assert "94.4% of 90 rows" in " ".join(test.summary().split())
    alone = df.em.homogeneity_test(smallest=60)
    assert np.isnan([alone.pvalue, alone.anderson_pvalue]).all()
    assert "two are needed" in alone.summary()
    assert np.isnan(df.dropna().em.homogeneity_test().pvalue)
    with pytest.raises(emimpute.EMImputeError, match="imputations="):
        df.em.homogeneity_test(imputations=0)
    with pytest.raises(emimpute.EMImputeError, match="smallest="):
        df.em.homogeneity_test(smallest=1)


# --- by indicator -----------------------------------------------------------------------------------------------------


def test_indicators_against_scipy():
    """Welch's t, and Cohen's d with the pooled sd."""
    df = references.load("boys_num").frame
    table = df.em.indicator_tests().set_index(["missing", "column"])
    for gap, column in [("tv", "age"), ("hgt", "wgt"), ("hc", "bmi")]:
        x, gone = df[column].dropna(), df[gap].isna()
        one, two = x[gone[x.index]], x[~gone[x.index]]
        expected = stats.ttest_ind(one, two, equal_var=False)
        row = table.loc[(gap, column)]
        assert row["t"] == pytest.approx(expected.statistic)
        assert row["df"] == pytest.approx(expected.df)
        assert row["pvalue"] == pytest.approx(expected.pvalue)
        pooled = ((len(one) - 1) * one.var() + (len(two) - 1) * two.var()) / (len(x) - 2)
        assert row["d"] == pytest.approx((one.mean() - two.mean()) / np.sqrt(pooled))
        assert row["corr"] == pytest.approx(df[gap].corr(df[column]))
        assert row["mean_missing"] == pytest.approx(one.mean())
        assert (row["rows_missing"], row["rows_observed"]) == (len(one), len(two))


def test_indicators_of_any_column():
    """Gaps in text count; the largest difference comes first; who is missing itself is not compared."""
    df = pd.DataFrame({"x": range(8), "word": ["a", None] * 4, "y": [1.0, 3, 2, 5, 4, None, None, None]})
    table = df.em.indicator_tests()
    assert table.missing.tolist() == ["y", "word", "word"]
    assert table.column.tolist() == ["x", "y", "x"]
    assert table.d.abs().is_monotonic_decreasing
    assert np.isnan(table["corr"][1])
    assert df[["x"]].em.indicator_tests().empty


def test_indicators_where_nothing_can_be_said():
    """One row on a side has no variance, so no t; nothing that varies has no d."""
    one = welch(np.array([1.0, 2, 4, 8]), np.array([[True, False, False, False]]).T)
    assert np.isnan(one["t"]).all()
    assert one["d"][0] == pytest.approx((1 - 14 / 3) / np.std([2, 4, 8], ddof=1))
    flat = welch(np.ones(4), np.array([[True, True, False, False]]).T)
    assert np.isnan([flat["t"], flat["d"]]).all()
    assert flat["difference"] == 0


def test_a_column_that_tells_the_gaps_exactly():
    """It comes first, with infinite d and t as scipy has them, and not last as one of which nothing is known."""
    rng = np.random.default_rng(9)
    df = pd.DataFrame({"x": rng.standard_normal(20), "year": [2020.1] * 9 + [2021.1] * 11})
    df["y"] = np.where(df["year"] < 2021, np.nan, rng.standard_normal(20))
    table = df.em.indicator_tests()
    assert table["column"].tolist() == ["year", "x"]
    assert (table.loc[0, "d"], table.loc[0, "pvalue"]) == (-np.inf, 0.0)
    with pytest.warns(RuntimeWarning, match="catastrophic cancellation|divide by zero"):
        theirs = stats.ttest_ind([1.0] * 9, [2.0] * 11, equal_var=False)
    assert (table.loc[0, "t"], table.loc[0, "pvalue"]) == (theirs.statistic, theirs.pvalue)


# --- flux -------------------------------------------------------------------------------------------------------------


def test_flux_against_mice():
    """What mice::flux gives for nhanes: pobs, influx, outflux, fico."""
    expected = {
        "age": [1.00, 0.0000000, 1.0000000, 0.4800000],
        "bmi": [0.64, 0.1643836, 0.1111111, 0.1875000],
        "hyp": [0.68, 0.1232877, 0.1481481, 0.2352941],
        "chl": [0.60, 0.2191781, 0.1111111, 0.1333333],
    }
    table = references.load("nhanes").frame.em.flux()
    assert table.columns.tolist() == ["observed", "influx", "outflux", "incomplete"]
    np.testing.assert_allclose(table.T[list(expected)], np.array([*expected.values()]).T, atol=5e-8)


def test_flux_ends():
    """A column that is all missing, one without gaps, and frames without either."""
    table = numeric().assign(none=np.nan, all=1.0).em.flux()
    assert table.loc["none", ["observed", "influx", "outflux"]].tolist() == [0, 1, 0]
    assert np.isnan(table.loc["none", "incomplete"])
    assert table.loc["all", ["observed", "influx", "outflux"]].tolist() == [1, 0, 1]
    assert pd.DataFrame(index=range(3)).em.flux().shape == (0, 4)
    assert pd.DataFrame({"x": [1.0, 2.0]}).em.flux().outflux.isna().all()


# --- the command ------------------------------------------------------------------------------------------------------


def test_command(tmp_path, capsys, monkeypatch):
    """``emimpute mcar`` prints the summaries, and speaks of options."""
    from emimpute.interfaces.cli import main  # noqa: PLC0415 (the door is only this test's)

    monkeypatch.chdir(tmp_path)
    df = references.load("nhanes").frame
    df.to_csv("in.csv", index=False)
    assert main(["mcar", "in.csv", "--covariances", "--ddof", "1", "--bootstrap", "5"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "7.6795 on 9 degrees of freedom" in out
    assert "Jamshidian-Jalal" in out
    assert main(["mcar", "in.csv", "--columns", "bmi,chl"]) == 0
    out, _ = capsys.readouterr()
    assert "2 columns" in out
    assert main(["mcar", "in.csv"]) == 0
    assert "--bootstrap 999 gives" in " ".join(capsys.readouterr().out.split())
    assert main(["mcar", "in.csv", "--columns", "nobody"]) == 2
    assert "'nobody'" in capsys.readouterr().err
