"""Several starts: which maxima they find, which one is kept, and that nothing else depends on them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import load
from tables import SEEDS, distance, latent, run, tame

import emimpute
from emimpute.em import Stop
from emimpute.em.starts import compare
from emimpute.models.mvn import MVN, Normal

NA = np.nan
MURRAY = pd.DataFrame(
    [(1, 1), (1, -1), (-1, 1), (-1, -1)] + 2 * [(2, NA), (-2, NA), (NA, 2), (NA, -2)], columns=["x", "y"], dtype=float
)


def quiet(function, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return function(**options)


def said_of_starts(fit):
    """The sentence on the starts, if there is one."""
    of = fit.problems.loc[fit.problems["problem"].isin(["starts", Stop.SEVERAL_MAXIMA.problem]), "sentence"]
    return of.item() if len(of) else None


def gappy(seed=0, n=60):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)) @ [[1, 0.6, 0.3], [0, 0.8, 0.4], [0, 0, 0.9]]
    x[rng.random(x.shape) < 0.2] = NA
    return pd.DataFrame(x, columns=list("abc"))


# Through the public face ----------------------------------------------------------------------------------------------


def test_both_maxima_of_murrays_table_are_found():
    """Murray 1977: correlations .5 and -.5 are equally likely, and between them lies a saddle."""
    with pytest.warns(emimpute.IdentificationWarning, match="2 maxima, of log-likelihood -29.974286"):
        fit = MURRAY.em.fit(starts=5, rng=0)
    assert fit.stop is Stop.SEVERAL_MAXIMA
    assert not fit.converged
    assert abs(fit.corr.loc["x", "y"]) == pytest.approx(0.5, abs=1e-6)
    assert fit.starts["kept"].tolist() == [True, False, False, False, False]
    others = fit.starts["distance"] > 0.5
    assert others.any()
    assert fit.starts["distance"].where(~others, 0).max() < 1e-5
    assert np.ptp(fit.starts["loglik"]) < 1e-9
    assert set(fit.starts["stop"]) == {Stop.CONVERGED}
    assert fit.problems["problem"][0] == "several maxima"
    assert fit.problems["sentence"][0].startswith(Stop.SEVERAL_MAXIMA.value)


@pytest.mark.parametrize("starts", [1, 5])
@pytest.mark.parametrize("prior", ["fallback", None])
def test_the_first_of_equal_maxima_is_kept(starts, prior):
    """So that asking for more starts changes nothing unless there is something to gain, bit for bit."""
    alone, fit = MURRAY.em.fit(prior=prior), quiet(MURRAY.em.fit, prior=prior, starts=starts, rng=3)
    assert fit.cov.equals(alone.cov)
    assert fit.loglik == alone.loglik
    assert fit.n_iter >= alone.n_iter


def test_a_higher_maximum_is_kept():
    """norm2's weak ridge on two files that were never matched has several modes; the usual start finds a lower one."""
    df = load("filematch_hs").frame
    one, many = quiet(df.em.fit, prior=0.5), quiet(df.em.fit, prior=0.5, starts=10, rng=1)
    assert one.converged
    assert many.converged
    assert many.logpost > one.logpost + 0.5
    sentence = said_of_starts(many)
    assert "maxima, of log posterior" in sentence
    assert f"{many.logpost:.6f}" in sentence
    assert f"{one.logpost:.6f}" in sentence
    assert "Kept: start 1." not in sentence
    table = many.starts
    assert table["kept"].sum() == 1
    assert table.loc[table["kept"], "logpost"].item() == many.logpost == pytest.approx(table["logpost"].max(), abs=1e-6)
    assert table["logpost"][0] == one.logpost
    assert table["distance"][0] > 1e-3
    assert table["n_iter"].sum() == many.n_iter
    assert table["n_iter"][0] == one.n_iter


def test_lower_maxima_are_a_note():
    """No warning: the highest one is what was asked for."""
    df = load("nearfilematch_hs").frame
    fit = df.em.fit(starts=6, rng=1)
    assert fit.stop is Stop.CONVERGED
    assert fit.loglik == pytest.approx(load("nearfilematch_hs").loglik, abs=1e-6)
    assert "-2551.681219 (starts " in said_of_starts(fit)
    assert "-2553.233757 (start" in said_of_starts(fit)


def test_agreement_is_reported():
    fit = gappy().em.fit(starts=4, rng=0)
    assert fit.converged
    assert said_of_starts(fit) == "Of 4 starts, all ended at one maximum. Kept: start 1."
    assert "Of 4 starts, all ended at one maximum" in fit.summary()
    assert said_of_starts(gappy().em.fit()) is None
    assert list(fit.starts.columns) == ["loglik", "logpost", "stop", "n_iter", "distance", "kept"]
    assert fit.starts.index.tolist() == [0, 1, 2, 3]
    assert fit.starts.index.name == "start"
    assert fit.starts["distance"].max() < 1e-5
    pd.testing.assert_frame_equal(emimpute.read_json(fit.to_json()).starts, fit.starts, check_exact=True)


@pytest.mark.parametrize("options", [{}, {"starts": 3}])
def test_one_start_is_one_row(options):
    """Also where a closed form needs no other, and where no column needs a coordinate."""
    for df in (gappy(), gappy().dropna(), pd.DataFrame({"c": [1.0, NA, 1.0]})):
        fit = df.em.fit(**(options if df.size != gappy().size else {}))
        assert len(fit.starts) == 1
        row = fit.starts.iloc[0]
        assert (row["loglik"], row["stop"], row["n_iter"]) == (fit.loglik, fit.stop, fit.n_iter)
        assert (row["distance"], row["kept"]) == (0, True)


def test_every_start_counts():
    """``n_iter`` has the E-steps of all of them, the trace those of the one that was kept."""
    df, calls = gappy(), []
    fit = df.em.fit(starts=4, rng=0, progress=calls.append)
    alone = df.em.fit()
    ends = [i.esteps for i in calls if i.stop is not None]
    assert len(ends) == 4
    assert fit.n_iter == ends[-1] == max(i.esteps for i in calls)
    assert fit.n_check == calls[-1].checks
    pd.testing.assert_frame_equal(fit.trace, alone.trace)
    assert ends[0] == alone.n_iter


def test_max_iter_is_for_each_start():
    fit = quiet(gappy().em.fit, starts=3, rng=0, max_iter=3)
    assert fit.stop is Stop.MAX_ITER
    assert fit.n_iter == 9
    assert said_of_starts(fit).startswith("Of 3 starts, none ended at a maximum; 3 stopped on the way.")


def test_the_same_rng_gives_the_same_bits():
    """An int, and a Generator in the same state; impute as fit."""
    df = load("nearfilematch_hs").frame
    fits = [df.em.fit(starts=3, rng=rng) for rng in (7, 7, np.random.default_rng(7))]
    assert len({(fit.n_iter, said_of_starts(fit)) for fit in fits}) == 1
    assert all(fit.cov.equals(fits[0].cov) for fit in fits)
    assert df.em.fit(starts=3, rng=8).n_iter != fits[0].n_iter
    pd.testing.assert_frame_equal(df.em.impute(starts=3, rng=7), fits[0].impute())


def test_one_start_draws_nothing():
    """A Generator comes back as it was, and draws that are asked for are those of before."""
    rng = np.random.default_rng(2)
    gappy().em.fit(rng=rng)
    gappy().em.impute(rng=rng)
    assert rng.integers(10**9) == np.random.default_rng(2).integers(10**9)


def test_starts_do_not_depend_on_units_or_order():
    """The same ends by the same numbers of E-steps, whatever the units and the order of rows and columns."""
    df = load("nearfilematch_hs").frame
    plain = df.em.fit(starts=6, rng=1)
    rng = np.random.default_rng(0)
    other = (df * 10.0 ** rng.integers(-6, 7, df.shape[1]) + 3).em.fit(starts=6, rng=1)
    shuffled = df.sample(frac=1, random_state=1)[rng.permutation(df.columns)].em.fit(starts=6, rng=1)
    kept = said_of_starts(plain).split("log-likelihood")[1]
    assert [part.split(")")[0] for part in kept.split("(")[1:]] == [
        part.split(")")[0] for part in said_of_starts(other).split("log-likelihood")[1].split("(")[1:]
    ]
    assert said_of_starts(shuffled) == said_of_starts(plain)
    assert abs(other.n_iter - plain.n_iter) <= 6
    assert abs(shuffled.n_iter - plain.n_iter) <= 6


def test_a_closed_form_needs_one_start():
    """Where nothing is missing, or only in steps, there is one maximum and it is known."""
    full = gappy().dropna()
    for df in (full, full.assign(c=full["c"].where(np.arange(len(full)) % 3 > 0))):
        fit = df.em.fit(starts=5, rng=0)
        if fit.stop is Stop.NOTHING_MISSING:
            assert fit.n_iter == df.em.fit().n_iter
            assert said_of_starts(fit) is None
    assert full.em.fit(starts=5).stop is Stop.NOTHING_MISSING


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", None])
def test_starts_is_a_whole_number(value):
    for function in (emimpute.fit, emimpute.impute):
        with pytest.raises(emimpute.EMImputeError, match="starts= is a whole number"):
            function(gappy(), starts=value)


@pytest.mark.parametrize("function", [emimpute.fit, emimpute.impute])
def test_rng_is_checked(function):
    with pytest.raises(emimpute.EMImputeError, match="rng= is None, an int or a numpy Generator"):
        function(gappy(), rng="seven")


def test_starts_on_a_flat_ridge_are_no_maxima():
    """They end at different points of it, which is no news: it is flat."""
    fit = quiet(load("filematch_hs").frame.em.fit, prior=None, starts=3, rng=0)
    assert fit.stop is Stop.FLAT
    assert said_of_starts(fit) is None


def test_starts_that_all_diverge_fall_back():
    """The weak ridge then has as many starts, and all E-steps count."""
    df = gappy().assign(d=lambda t: t["a"] + t["b"])
    calls = []
    fit = quiet(df.em.fit, starts=3, rng=0, progress=calls.append)
    assert fit.converged
    assert fit.prior is not None
    assert sum(i.stop is not None for i in calls) == 6
    assert fit.n_iter == calls[-1].esteps
    assert len(fit.starts) == 3
    assert fit.starts["distance"].max() < 1e-4
    with pytest.raises(emimpute.IdentificationError):
        df.em.fit(starts=3, rng=0, prior=None)


# The random places ----------------------------------------------------------------------------------------------------


@given(tame(columns=(1, 6)), SEEDS)
def test_a_random_start_is_sensible(x, seed):
    """Observed means and variances, and a correlation matrix far from singular."""
    problem = MVN().bind(latent(x))
    start = problem.start(np.random.default_rng(seed))
    np.testing.assert_allclose(np.diag(start.cov), 1, rtol=1e-12)
    assert np.linalg.eigvalsh(start.cov)[0] > 0.1 - 1e-12
    assert (start.mean == 0).all()
    assert np.isfinite(problem.expect(start)[1])


def test_random_starts_differ():
    problem = MVN().bind(latent(gappy().to_numpy()))
    rng = np.random.default_rng(0)
    correlations = np.array([problem.start(rng).cov[0, 1] for _ in range(200)])
    assert correlations.min() < -0.6
    assert correlations.max() > 0.6
    assert abs(correlations.mean()) < 0.15


@given(tame(columns=(2, 5)), SEEDS, st.integers(0, 2**16))
def test_random_starts_move_with_units_and_columns(x, seed, other):
    """The place is the same, in the new units and the new order of the columns and rows."""
    rng = np.random.default_rng(other)
    order, scale, shift = rng.permutation(x.shape[1]), 10.0 ** rng.integers(-4, 5, x.shape[1]), rng.standard_normal()
    one, two = MVN().bind(latent(x)), MVN().bind(latent(rng.permutation(x * scale + scale * shift)[:, order]))
    a, b = (p.natural(p.start(np.random.default_rng(seed))) for p in (one, two))
    moved = Normal(((a.mean + shift) * scale)[order], (a.cov * np.outer(scale, scale))[np.ix_(order, order)])
    assert distance(b, moved) < 1e-6


# Comparing ends -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_maxima():
    """A problem and the ends of runs at its two maxima."""
    problem = MVN().bind(latent(MURRAY.to_numpy()))
    starts = [Normal(np.zeros(2), np.array([[1, r], [r, 1]])) for r in (0.3, -0.3)]
    return problem, [run(problem, start=start)[-1] for start in starts]


def test_compare_tells_maxima_apart(two_maxima):
    problem, (plus, minus) = two_maxima
    found = compare(problem, [plus, minus, plus, minus, minus], 1e-6)
    assert found.maxima == ((0, 2), (1, 3, 4))
    assert (found.kept, found.level, found.diverged, found.unfinished) == (0, 2, (), ())


def test_compare_keeps_the_highest(two_maxima):
    """The first that is as high as the highest, to 1e-6."""
    problem, (plus, minus) = two_maxima
    lower = replace(plus, logpost=plus.logpost - 1e-5)
    assert compare(problem, [lower, minus], 1e-6).kept == 1
    assert compare(problem, [lower, minus], 1e-6).maxima == ((1,), (0,))
    assert compare(problem, [lower, minus], 1e-6).level == 1
    even = replace(plus, logpost=plus.logpost - 1e-7)
    assert compare(problem, [even, minus], 1e-6).kept == 0
    assert compare(problem, [even, minus], 1e-6).level == 2


def test_compare_knows_who_did_not_arrive(two_maxima):
    problem, (plus, minus) = two_maxima
    lost = replace(plus, stop=Stop.UNBOUNDED, logpost=1e9)
    late = replace(minus, stop=Stop.MAX_ITER, logpost=minus.logpost - 1)
    found = compare(problem, [lost, late, plus], 1e-6)
    assert (found.kept, found.maxima, found.diverged, found.unfinished) == (2, ((2,),), (0,), (1,))
    above = replace(late, logpost=plus.logpost + 1)
    assert compare(problem, [plus, above], 1e-6).kept == 1
    assert compare(problem, [lost, late], 1e-6).kept == 0
    assert compare(problem, [late, lost], 1e-6).kept == 0
    nowhere = replace(lost, params=Normal(np.zeros(2), np.zeros((2, 2))), logpost=NA)
    assert compare(problem, [nowhere, minus], 1e-6).kept == 1
    assert compare(problem, [nowhere, minus], 1e-6).distances[1] == 0
    assert compare(problem, [nowhere, lost], 1e-6).distances == (0, np.inf)
    # Between correlations .5 and -.5: each of the two principal variances is three times what it is at the other.
    apart = 2**0.5 * np.log(3)
    assert compare(problem, [plus, minus, plus], 1e-6).distances == pytest.approx((0, apart, 0), abs=1e-6)
