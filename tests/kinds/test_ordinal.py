"""Kind `ordinal`: answers in order."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
from labels import BRACKETS, TEXT
from scipy.special import ndtri
from scipy.stats import norm

from emimpute.errors import ColumnError, EMImputeError
from emimpute.kinds import Ordinal
from emimpute.kinds.registry import choose

SIZES = pd.Series(pd.Categorical(["s", "l", None, "m", "m", "l"], ["s", "m", "l"], ordered=True), name="size")
LIKERT = pd.Series([1, 2, 2, 3, 5, 5, None], dtype="Int64", name="q1")
ONE = np.ones((1, 1, 1))


def at(*means, sd=1.0):
    return np.array(means)[:, np.newaxis], np.full((len(means), 1, 1), sd * sd)


def test_cut_points_start_at_the_observed_shares():
    coding = Ordinal().learn(SIZES)
    (cuts,) = coding.cuts
    np.testing.assert_allclose(cuts, ndtri([0.2, 0.6]), rtol=1e-14)
    cells = coding.encode(SIZES)
    np.testing.assert_array_equal(cells.lower[:, 0], [-np.inf, cuts[1], -np.inf, cuts[0], cuts[0], cuts[1]])
    np.testing.assert_array_equal(cells.upper[:, 0], [cuts[0], np.inf, np.inf, cuts[1], cuts[1], np.inf])
    assert (coding.width, coding.shift, coding.labels("size"), coding.within) == (1, (0.0,), ("size",), None)


def test_settled_cut_points_bound_the_cells_from_then_on():
    coding = Ordinal().learn(SIZES).settled((np.array([-0.5, 3.0]),))
    assert coding.cuts[0].tolist() == [-0.5, 3.0]
    assert coding.encode(SIZES).upper[:, 0].tolist() == [-0.5, np.inf, np.inf, 3, 3, np.inf]
    assert list(coding.decode(np.array([[2.9], [3.1], [-1.0]]), SIZES)) == ["m", "l", "s"]
    for again in (Ordinal().restore(json.loads(json.dumps(coding.to_json()))), copy.deepcopy(coding)):
        assert again == coding
        assert again.encode(SIZES).upper.tolist() == coding.encode(SIZES).upper.tolist()


def test_margins_fix_cut_points_and_scale():
    coding = Ordinal(cuts="margins").learn(SIZES)
    assert [len(cuts) for cuts in coding.cuts] == [0]
    assert coding.within.tolist() == [[1.0]]
    assert coding.settled(coding.cuts) == coding
    np.testing.assert_allclose(coding.encode(SIZES).upper[0, 0], ndtri(0.2))
    assert Ordinal().restore(json.loads(json.dumps(coding.to_json()))) == coding


def test_the_median_category_has_the_least_expected_distance():
    coding = Ordinal().learn(LIKERT).settled((np.array([-1.5, -0.2, 0.1]),))
    mean, var = at(*np.linspace(-4, 4, 81), sd=0.8)
    shares = np.array(list(coding.probabilities(mean, var).values()))  # (4, r)
    ranks = np.arange(4)
    distance = np.abs(ranks[:, np.newaxis] - ranks) @ shares
    filled = coding.kept.codes(pd.Series(coding.expect(mean, var, LIKERT)))
    np.testing.assert_allclose(distance[filled, np.arange(81)], distance.min(axis=0), atol=1e-14)


def test_the_mode_is_the_most_probable_category():
    coding = Ordinal(fill="mode").learn(LIKERT).settled((np.array([-1.5, -0.2, 0.1]),))
    mean, var = at(0.0, 0.0, sd=3.0)
    shares = coding.probabilities(mean, var)
    assert list(coding.expect(mean, var, LIKERT)) == [5, 5] == [max(shares, key=lambda k: shares[k][0])] * 2
    assert list(Ordinal().learn(LIKERT).settled(coding.cuts).expect(mean, var, LIKERT)) == [3, 3]
    assert coding.summarize(mean, var, LIKERT)["estimate"].tolist() == [5, 5]


def test_probabilities_are_those_of_the_normal():
    coding = Ordinal().learn(SIZES).settled((np.array([-0.5, 1.0]),))
    shares = coding.probabilities(*at(0.3, 40.0, sd=2.0))
    assert list(shares) == ["s", "m", "l"]
    law = norm(0.3, 2)
    np.testing.assert_allclose([p[0] for p in shares.values()], [law.cdf(-0.5), law.cdf(1) - law.cdf(-0.5), law.sf(1)])
    np.testing.assert_allclose(sum(shares.values()), 1, rtol=0, atol=1e-12)


def test_a_summary_gives_levels_and_a_spread():
    coding = Ordinal().learn(LIKERT).settled((np.array([-1.0, 0.0, 1.0]),))
    said = coding.summarize(*at(0.5, sd=1.0), LIKERT)
    assert {name: values.tolist() for name, values in said.items() if name != "sd"} == {
        "estimate": [3],
        "low": [1],
        "high": [5],
    }
    p = np.array([v[0] for v in coding.probabilities(*at(0.5)).values()])
    scores = np.array([1, 2, 3, 5])
    assert said["sd"][0] == pytest.approx(np.sqrt(p @ scores**2 - (p @ scores) ** 2))
    words = Ordinal().learn(SIZES).summarize(*at(0.0), SIZES)
    assert words["estimate"].tolist() == ["m"]
    assert 0 < words["sd"][0] < 1


def test_numbers_have_a_mean_and_words_have_none():
    coding = Ordinal().learn(LIKERT)
    mean, sd = coding.printed(np.zeros(1), np.eye(1))
    assert (float(mean), float(sd)) == pytest.approx((3.0, LIKERT.dropna().astype(float).std(ddof=0)), rel=1e-5)
    assert Ordinal().learn(SIZES).printed(np.zeros(1), np.eye(1)) == ("", "")


def test_a_level_that_was_never_observed_stays_a_category_and_is_never_filled():
    column = SIZES.cat.set_categories(["xs", "s", "m", "ml", "l"])
    coding = Ordinal().learn(column)
    assert coding.unseen == ("xs", "ml")
    assert coding.cuts[0].tolist() == Ordinal().learn(SIZES).cuts[0].tolist()
    shares = coding.probabilities(*at(0.0))
    assert list(shares) == ["xs", "s", "m", "ml", "l"]
    assert shares["xs"] == shares["ml"] == [0]
    filled = coding.decode(np.linspace(-9, 9, 99)[:, np.newaxis], column)
    assert filled.dtype == column.dtype
    assert set(filled) == {"s", "m", "l"}
    with pytest.raises(ColumnError, match=r"'size' holds 'xs' \(row label 1\).*none of the levels seen in fitting"):
        coding.encode(pd.Series(pd.Categorical([None, "xs"], column.cat.categories), name="size"))


def test_numbers_are_in_numeric_order_and_text_needs_to_be_told():
    assert Ordinal().learn(pd.Series(["10", "9"]).astype(int)).levels.labels == (9, 10)
    assert Ordinal().learn(pd.Series([0.5, -1, 3.25])).levels.labels == (-1, 0.5, 3.25)
    assert Ordinal().learn(pd.Series(pd.Categorical([10, 9, None]))).levels.labels == (9, 10)
    assert Ordinal().learn(BRACKETS["unordered"]()).levels.labels[0].left == 0
    for make in TEXT.values():
        with pytest.raises(
            ColumnError, match=r"'q' holds levels without an order \('a' and 'b'\).*Ordinal\(levels=\['a'"
        ):
            Ordinal().learn(make(["b", "a", None]).rename("q"))
        assert Ordinal(levels=["b", "a"]).learn(make(["b", "a", None])).levels.labels == ("b", "a")
    with pytest.raises(ColumnError, match="or make it an ordered category"):
        Ordinal().learn(pd.Series(["a", "b"], dtype="category"))


def test_levels_may_reorder_and_add_categories():
    assert Ordinal(levels=["l", "m", "s"]).learn(SIZES).cuts[0][0] == pytest.approx(ndtri(0.4))
    coding = Ordinal(levels=["xs", "s", "m", "l"]).learn(SIZES.astype(object))
    assert coding.unseen == ("xs",)


def test_a_value_outside_levels_is_an_error():
    with pytest.raises(ColumnError, match=r"'q1' holds 5 \(row label 4\), which is not among levels= \(1, 2 and 3\)"):
        Ordinal(levels=[1, 2, 3]).learn(LIKERT)


@pytest.mark.parametrize(
    "column", [pd.Series([1, 1]), pd.Series(pd.Categorical(["a", None], ["a", "b"], ordered=True))]
)
def test_one_level_is_an_error(column):
    with pytest.raises(ColumnError, match=r"'x' holds one level only .* use kind 'constant'"):
        Ordinal().learn(column.rename("x"))


def test_nothing_observed_is_an_error():
    with pytest.raises(ColumnError, match="'x' has no observed value"):
        Ordinal().learn(pd.Series([np.nan, np.nan], name="x"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fill": "mean"}, "fill=...) is 'median' or 'mode', not 'mean'"),
        ({"cuts": "fixed"}, "cuts=...) is 'ml' or 'margins', not 'fixed'"),
        ({"levels": ["a"]}, "levels=...) is a list of two or more different levels, not 'a'"),
        ({"levels": ["a", "b", "a"]}, "list of two or more different levels"),
        ({"levels": "abc"}, "list of two or more different levels, not 'abc'"),
        ({"levels": []}, r"list of two or more different levels, not \[\]"),
    ],
)
def test_options_that_mean_nothing_are_errors(options, words):
    with pytest.raises(EMImputeError, match=words.replace(")", r"\)") if "\\" not in words else words):
        Ordinal(**options)


def test_ordered_categories_are_ordinal_by_themselves():
    assert choose(SIZES).name == "ordinal"
    assert choose(SIZES.cat.codes.replace(-1, np.nan).astype("category").cat.as_ordered()).name == "ordinal"
    assert not Ordinal().accepts(LIKERT)
    assert not Ordinal().accepts(SIZES.cat.as_unordered())
    assert not Ordinal().accepts(SIZES[:1])


def test_far_tails_are_finite():
    coding = Ordinal().learn(LIKERT)
    mean, var = at(-1e6, 1e6, -1e300, 1e300, sd=1e-3)
    assert list(coding.expect(mean, var, LIKERT)) == [1, 5, 1, 5]
    for share in coding.probabilities(mean, var).values():
        assert np.isfinite(share).all()
