"""Kind `count`: whole numbers from 0."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from scipy.stats import nbinom, norm

from emimpute.errors import ColumnError
from emimpute.kinds import Count
from emimpute.kinds.count import FewCounts, ManyCounts
from emimpute.kinds.registry import choose
from emimpute.kinds.smoothed import Smoothed

FEW = pd.Series([0, 0, 1, 3, 3, 6, None], dtype="Int64", name="visits")
RNG = np.random.default_rng(3)
MANY = pd.Series(nbinom(2, 0.1).rvs(400, random_state=RNG), name="visits")
HUGE = pd.Series(np.rint(RNG.lognormal(8, 1, 500)), name="visits")


def law(*means, sd=1.0):
    return np.array(means)[:, np.newaxis], np.full((len(means), 1, 1), sd * sd)


def test_few_counts_are_ordinal():
    coding = Count().learn(FEW)
    assert isinstance(coding, FewCounts)
    (cuts,) = coding.cuts
    np.testing.assert_allclose(cuts, ndtri([2 / 6, 3 / 6, 5 / 6]), atol=1e-15)
    moved = coding.settled((np.array([-1.0, 0.5, 2.0]),))
    assert moved.encode(FEW).upper[:, 0].tolist() == [-1, -1, 0.5, 2, 2, np.inf, np.inf]
    assert list(moved.decode(np.array([[-1.1], [0.0], [9.0]]), FEW)) == [0, 1, 6]


def test_a_count_between_or_beyond_those_seen_has_a_wider_interval():
    coding = Count().learn(FEW).settled((np.array([-1.0, 0.5, 2.0]),))
    cells = coding.encode(pd.Series([2, 4, 5, 7, 1000]))
    np.testing.assert_array_equal(cells.lower[:, 0], [-1, 0.5, 0.5, 2, 2])
    np.testing.assert_array_equal(cells.upper[:, 0], [2, np.inf, np.inf, np.inf, np.inf])
    assert Count().learn(FEW + 1).encode(pd.Series([0])).lower[0, 0] == -np.inf


def test_expectations_are_of_the_count_and_whole_in_the_cell():
    coding = Count().learn(FEW).settled((np.array([-1.0, 0.5, 2.0]),))
    mean, var = law(0.3, sd=1.5)
    p = np.diff(norm(0.3, 1.5).cdf([-np.inf, -1.0, 0.5, 2.0, np.inf]))
    expected = p @ [0, 1, 3, 6]
    said = coding.summarize(mean, var, FEW)
    assert said["estimate"][0] == pytest.approx(expected, rel=1e-12)
    assert said["sd"][0] == pytest.approx(np.sqrt(p @ np.square([0, 1, 3, 6]) - expected**2), rel=1e-12)
    for like in (FEW, pd.Series([0.0, np.nan]), pd.Series([Decimal(0), None], dtype=object)):
        (filled,) = coding.expect(mean, var, like)
        assert filled == round(expected)


def test_many_counts_have_a_bound_for_every_count():
    coding = Count().learn(MANY)
    assert isinstance(coding, ManyCounts)
    assert [len(cuts) for cuts in coding.cuts] == [0]
    every = pd.Series(np.arange(3 * MANY.max()))
    cells = coding.encode(every)
    assert cells.lower[0, 0] == -np.inf
    np.testing.assert_array_equal(cells.lower[1:], cells.upper[:-1])
    assert (cells.lower < cells.upper).all()
    middle = np.where(np.isinf(cells.lower), cells.upper - 1, (cells.lower + cells.upper) / 2)
    np.testing.assert_array_equal(coding.decode(middle, every), every)
    np.testing.assert_array_equal(coding.decode(cells.upper, every), every)


def test_bounds_are_those_of_the_mixture():
    s = Smoothed.of(MANY.to_numpy(float))
    n, y = len(MANY), np.arange(MANY.max() + 20.0)
    share = n / (n + np.sqrt(n))
    base = nbinom(s.size, s.size / (s.size + s.mu))
    assert (base.mean(), base.var()) == pytest.approx((MANY.mean(), MANY.var(ddof=0)))
    mixed = share * (MANY.to_numpy() <= y[:, np.newaxis]).mean(axis=1) + (1 - share) * base.cdf(y)
    np.testing.assert_allclose(norm.cdf(s.bounds(y)), mixed, rtol=1e-12)


@pytest.mark.parametrize("column", [MANY, HUGE], ids=["exact table", "interpolated"])
def test_expectations_agree_with_integration(column):
    coding = Count().learn(column)
    z, w = np.polynomial.hermite_e.hermegauss(100)
    for mean, sd in ((0.0, 1.0), (1.5, 0.7), (-2.0, 0.3)):
        fine = np.linspace(-9, 9, 200_001)
        weight = norm.pdf(fine)
        counts = coding.count_at(mean + sd * fine)
        expected = weight @ counts / weight.sum()
        sd_of = np.sqrt(weight @ (counts - expected) ** 2 / weight.sum())
        said = coding.summarize(*law(mean, sd=sd), column)
        assert said["estimate"][0] == pytest.approx(expected, rel=2e-3)
        assert said["sd"][0] == pytest.approx(sd_of, rel=1e-2)
    assert len(z) == len(w)


def test_a_standard_normal_gives_back_the_mean_and_the_sd():
    for column in (MANY, HUGE):
        mean, sd = map(float, Count().learn(column).printed(np.zeros(1), np.eye(1)))
        assert mean == pytest.approx(column.mean(), rel=5e-3)
        assert sd == pytest.approx(column.std(), rel=2e-2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("column", [MANY, HUGE, pd.Series(np.arange(1000, 1020)), pd.Series(np.arange(12) * 10**9)])
def test_far_tails_are_finite_and_legal(column):
    coding = Count().learn(column)
    new = pd.Series([0.0, 1.0, 1e3, 1e6, 1e9, 1e12, np.nan])
    cells = coding.encode(new)
    assert (cells.lower <= cells.upper).all()
    assert (np.isfinite(cells.lower) | np.isfinite(cells.upper))[:-1].all()
    assert (np.diff(cells.upper[:-1, 0]) >= 0).all()
    mean, var = law(-1e6, -40.0, 0.0, 40.0, 1e6)
    for values in (coding.decode(mean, new), coding.expect(mean, var, new), coding.summarize(mean, var, new)["sd"]):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (np.diff(coding.decode(mean, new)) >= 0).all()


def test_draws_go_beyond_the_largest_count():
    coding = Count().learn(MANY)
    drawn = coding.decode(np.random.default_rng(0).normal(size=(20_000, 1)), MANY)
    assert drawn.max() > MANY.max()
    assert drawn.mean() == pytest.approx(MANY.mean(), rel=0.03)


@pytest.mark.parametrize("column", [FEW, MANY], ids=["few", "many"])
def test_json_keeps_everything(column):
    coding = Count().learn(column)
    assert Count().restore(json.loads(json.dumps(coding.to_json(), allow_nan=False))) == coding


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, -1, 2], r"'x' holds -1 in row label 1, which is no count .* use kind 'real'"),
        ([0.5, 1, np.nan], r"'x' holds 0\.5 in row label 0"),
        ([2, 2, None], r"'x' holds one count only \(2\).* use kind 'constant'"),
        (["1", "2"], "'x' .*does not hold numbers"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "'x' holds times, not counts"),
        ([np.nan], "'x' has no observed value"),
        ([np.inf, 1], "'x' holds infinity"),
    ],
)
def test_what_is_no_count_is_an_error(values, words):
    with pytest.raises(ColumnError, match=words):
        Count().learn(pd.Series(values, name="x"))


def test_counts_are_declared_and_never_guessed():
    assert not Count().accepts(FEW)
    assert choose(MANY).name == "real"


def test_filled_cells_fit_the_dtype():
    coding = Count().learn(HUGE)
    assert list(coding.decode(np.array([[5.0]]), pd.Series([1, None], dtype="Int8"))) == [127]
