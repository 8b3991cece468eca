"""Kind `nominal`: answers without an order are cones of latent utilities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from labels import CATEGORIES, TEXT
from oracles import cone

from emimpute.errors import ColumnError, EMImputeError
from emimpute.kinds import Nominal
from emimpute.kinds.registry import choose

AT_REST = 1e-4  # error of a probability for four to six levels where nothing else is known (measured: 4e-5)
NARROWED = 1e-3  # and where other columns leave a part of the variance (measured: 7e-4)
EXACT = 1e-9  # up to three levels
LETTERS = list("abcdef")


def learned(k, **options):
    return Nominal(**options).learn(pd.Series(LETTERS[:k] * 2))


@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_the_cone_of_an_answer_holds_what_decodes_to_it(k):
    coding = learned(k)
    z = np.random.default_rng(k).normal(size=(500, k - 1))
    cells = coding.encode(pd.Series(coding.decode(z, pd.Series(LETTERS))))
    u = (coding.frames[cells.frame] @ z[:, :, np.newaxis])[:, :, 0]
    assert ((cells.lower < u) & (u < cells.upper)).all()
    assert len(np.unique(cells.frame)) == k


@pytest.mark.parametrize("k", [2, 3, 5])
def test_no_place_is_in_two_cones(k):
    coding = learned(k)
    z = np.random.default_rng(k).normal(size=(500, k - 1))
    inside = ((coding.frames @ z[:, np.newaxis, :, np.newaxis])[..., 0] > 0).all(axis=2)
    np.testing.assert_array_equal(inside.sum(axis=1), 1)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_law_of_the_utilities_does_not_depend_on_which_is_the_first(k):
    """The frame of answer j holds the differences from utility j: they have the same covariance."""
    coding = learned(k)
    for frame in coding.frames:
        np.testing.assert_allclose(frame @ coding.within @ frame.T, coding.within)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
def test_probabilities_are_those_of_the_cones(k):
    """Against quasi-Monte Carlo, for the law at rest and laws that other columns have narrowed."""
    coding, rng = learned(k), np.random.default_rng(k)
    for trial in range(6):
        mean, var = rng.normal(size=k - 1) * (trial % 3), coding.within
        narrowed = trial > 1
        if narrowed:
            seen = var @ rng.normal(size=(k - 1, 3))
            var = var - seen @ np.linalg.inv(seen.T @ np.linalg.inv(var) @ seen + np.eye(3)) @ seen.T
        found = coding.probabilities(mean[np.newaxis], var[np.newaxis])
        assert list(found) == LETTERS[:k]
        for answer, share in enumerate(found.values()):
            true = cone(answer, mean, var, log2_points=11).probability
            slack = true.bound + (1e-9 if k <= 3 else NARROWED if narrowed else AT_REST)
            assert abs(share[0] - true.value) < slack


@pytest.mark.parametrize("far", [-1e6, -40.0, 40.0, 1e6])
def test_far_out_there_is_no_doubt(far):
    coding = learned(4)
    mean, var = np.array([[0.0, far, 0.0]]), coding.within[np.newaxis]
    shares = np.concatenate(list(coding.probabilities(mean, var).values()))
    assert shares.sum() == pytest.approx(1)
    assert shares[2] == pytest.approx(float(far > 0), abs=1e-12)
    down = coding.probabilities(np.full((1, 3), -abs(far)), var)
    assert down["a"] == pytest.approx(1)


def test_no_variance_leaves_the_greatest_utility():
    coding = learned(3)
    mean = np.array([[1.0, 2.0], [-1.0, -2.0], [0.5, 0.25]])
    like = pd.Series(["a", None])
    assert coding.expect(mean, np.zeros((3, 2, 2)), like).tolist() == coding.decode(mean, like).tolist() == list("cab")


def test_a_gap_gets_the_most_probable_level():
    """Which need not be the one of greatest expected utility: that of another may be far less certain."""
    coding = learned(3)
    mean, var = np.array([[0.0, 0.01]]), np.array([[[9.0, 0.0], [0.0, 0.01]]])
    shares = coding.probabilities(mean, var)
    assert shares["b"] > shares["c"]
    assert coding.decode(mean, pd.Series(["a"])).tolist() == ["c"]
    assert coding.expect(mean, var, pd.Series(["a"])).tolist() == ["b"]
    said = coding.summarize(mean, var, pd.Series(["a"]))
    assert said["estimate"].tolist() == ["b"]
    assert all(np.isnan(said[name]).all() for name in ("sd", "low", "high"))
    assert coding.printed(mean[0], var[0]) == ("", "")


@pytest.mark.parametrize("dtype", [*TEXT, *CATEGORIES])
def test_dtype_and_categories_come_back(dtype):
    column = (TEXT | CATEGORIES)[dtype](["b", None, "a", "c", "b"])
    coding = Nominal().learn(column)
    filled = coding.decode(np.array([[9.0, 0.0], [0.0, 9.0], [-1.0, -1.0]]), column)
    assert filled.dtype == column.dtype
    assert sorted(filled.tolist()) == ["a", "b", "c"]


def test_coordinates_are_named_by_column_and_level():
    assert learned(3).labels("city") == ("city[b]", "city[c]")
    assert learned(3, levels=["c", "b", "a"]).labels(7) == ("7[b]", "7[a]")
    numbers_and_text = Nominal(levels=["x", 1, "1"]).learn(pd.Series(["x", 1, "1"], dtype=object))
    assert numbers_and_text.labels("x") == ("x[1]", "x['1']")


def test_levels_never_observed_have_probability_0_and_no_coordinate():
    column = pd.Series(pd.Categorical(["a", "c", None, "d"], categories=["never", "d", "c", "b", "a"]))
    coding = Nominal().learn(column)
    assert coding.width == 2
    assert coding.unseen == ("never", "b")
    shares = coding.probabilities(np.zeros((1, 2)), coding.within[np.newaxis])
    assert list(shares) == ["never", "d", "c", "b", "a"]
    np.testing.assert_allclose(np.concatenate(list(shares.values())), [0, 1 / 3, 1 / 3, 0, 1 / 3], atol=EXACT)
    assert coding.decode(np.zeros((1, 2)), column).categories.tolist() == ["never", "d", "c", "b", "a"]


def test_a_level_not_seen_in_fitting_is_refused_by_name():
    coding = learned(3)
    with pytest.raises(ColumnError, match=r"'city' holds 'z' .*none of the levels seen in fitting"):
        coding.encode(pd.Series(["a", "z"], name="city"))
    unused = Nominal(levels=list("abcz")).learn(pd.Series(["a", "b", "c"]))
    with pytest.raises(ColumnError, match="'city' holds 'z'"):
        unused.encode(pd.Series(["z"], name="city"))


def test_too_many_levels_are_refused_with_a_way_out():
    column = pd.Series([f"town {i}" for i in range(200)] * 2, name="town")
    assert not Nominal().accepts(column)
    with pytest.raises(ColumnError, match=r"'town' holds 200 levels .*takes 20 at most: merge .*max_levels=200\)"):
        Nominal().learn(column)
    assert Nominal(max_levels=200).learn(column).width == 199


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pd.Series([None, None], dtype=object), "'x' has no observed value"),
        (pd.Series(["a", "a"]), r"'x' holds one level only \('a'\): .* use kind 'constant'"),
        (pd.Series([["a"], ["b"]]), "'x' holds objects that cannot be told apart"),
    ],
)
def test_columns_with_nothing_to_tell_apart_are_refused(column, sentence):
    with pytest.raises(ColumnError, match=sentence):
        Nominal().learn(column.rename("x"))


def test_a_value_outside_the_levels_is_refused():
    with pytest.raises(ColumnError, match=r"'x' holds 'c' \(row label 2\), which is not among levels= \('a' and 'b'\)"):
        Nominal(levels=["a", "b"]).learn(pd.Series(["a", "b", "c"], name="x"))


@pytest.mark.parametrize("wrong", [{"levels": "abc"}, {"levels": ["a"]}, {"levels": ["a", "a"]}, {"levels": []}])
def test_levels_that_mean_nothing_are_refused(wrong):
    with pytest.raises(EMImputeError, match=r"Nominal\(levels=...\) is a list of two or more different levels"):
        Nominal(**wrong)


@pytest.mark.parametrize("wrong", [1, 2.5, True, "20"])
def test_a_limit_that_means_nothing_is_refused(wrong):
    with pytest.raises(EMImputeError, match=r"Nominal\(max_levels=...\) is a whole number, 2 or more"):
        Nominal(max_levels=wrong)


@pytest.mark.parametrize("make", TEXT.values(), ids=TEXT)
def test_text_is_recognised_unless_it_tells_rows_apart(make):
    assert choose(make(["b", "a", "c", "a", None, "b"])).name == "nominal"
    assert not Nominal().accepts(make(["b", "a", "b", "a"]))  # two: binary
    assert not Nominal().accepts(make(["anna", "bert", "carl", "dora", "anna"]))
    assert not Nominal().accepts(make([f"level {i % 21}" for i in range(200)]))
    assert Nominal().accepts(make([f"level {i % 20}" for i in range(200)]))


def test_unordered_categories_are_recognised_by_what_is_observed():
    categories = [f"level {i}" for i in range(30)]
    assert choose(pd.Series(pd.Categorical(categories[:3], categories=categories))).name == "nominal"
    assert not Nominal().accepts(pd.Series(pd.Categorical(categories[:2], categories=categories)))
    assert not Nominal().accepts(pd.Series(pd.Categorical(categories)))
    assert not Nominal().accepts(pd.Series(pd.Categorical(categories[:5], categories=categories, ordered=True)))
    assert choose(pd.Series(pd.Categorical([1, 2, 3, 1]))).name == "nominal"  # numbers without an order are codes


def test_text_and_numbers_in_fits_and_fills():
    """Through the door: what is unordered is filled with levels, and a fit that was kept does so too."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    utility = np.column_stack([np.zeros(400), 3 * x[:, 0], 3 * x[:, 1]]) + rng.normal(size=(400, 3))
    city = pd.Series(np.array(["Rome", "Oslo", "Bern"])[utility.argmax(axis=1)])
    gaps = rng.random(400) < 0.3
    df = pd.DataFrame({"x": x[:, 0], "y": x[:, 1], "city": city.mask(gaps)})
    fit = df.em.fit(prior=0.5)
    done = fit.impute(df)
    assert (done["city"] == city)[gaps].mean() > 0.75  # the best that can be is about .8; guessing gets .36
    assert fit.kinds["city"] == "nominal"
    assert fit.cov.index.tolist() == ["x", "y", "city[Oslo]", "city[Rome]"]
