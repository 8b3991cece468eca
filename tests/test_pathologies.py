"""Likelihoods without one proper maximum: each is recognised, has a reason of its own, and is told in fit.problems."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from references import cases, load
from tables import SEEDS, latent, run, tame

import emimpute
from emimpute.em import Stop
from emimpute.models.edge import bounded
from emimpute.models.mvn import MVN, MVNProblem, Normal

NA = np.nan
WHY = {
    "marijuana": Stop.UNBOUNDED,
    "sleep_vim": Stop.UNBOUNDED,
    "collinear_attitude": Stop.UNBOUNDED,
    "filematch_hs": Stop.FLAT,
    "flas": Stop.FLAT,
    "fdd_num": Stop.TOO_FEW_ROWS,
}
MURRAY = [(1, 1), (1, -1), (-1, 1), (-1, -1)] + 2 * [(2, NA), (-2, NA), (NA, 2), (NA, -2)]


def pairs(correlations, n=30, seed=0):
    """Three columns of which any row has two, with the correlations of 1 and 2, 2 and 3, 1 and 3."""
    rng, x = np.random.default_rng(seed), np.full((3 * n, 3), NA)
    for k, (pair, r) in enumerate(zip([(0, 1), (1, 2), (0, 2)], correlations, strict=True)):
        x[k * n : (k + 1) * n, pair] = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n)
    return pd.DataFrame(x, columns=["x1", "x2", "x3"])


def fitted(df, **options):
    """A fit and the classes of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = df.em.fit(**options)
    return fit, [w.category for w in caught]


def test_every_case_without_one_ml_is_here():
    assert set(WHY) == {*cases("none"), *cases("flat")}


@pytest.mark.parametrize("name", WHY)
def test_the_reason_is_told_first(name):
    """Under the fallback a ridge is used; the first problem says what for, and the one warning opens with it."""
    with pytest.warns(emimpute.IdentificationWarning) as caught:
        fit = load(name).frame.em.fit()
    assert len(caught) == 1
    assert fit.converged
    assert fit.prior is not None
    assert fit.problems["problem"][0] == WHY[name].name.lower().replace("_", " ")
    assert fit.problems["sentence"][0].startswith(WHY[name].value)
    assert str(caught[0].message).startswith(WHY[name].value)
    assert set(fit.problems["problem"]).isdisjoint({why.problem for why in Stop} - {WHY[name].problem})


@pytest.mark.parametrize("name", [name for name, why in WHY.items() if why is not Stop.FLAT])
def test_plain_ml_raises_for_what_is_unbounded(name):
    with pytest.raises(emimpute.IdentificationError) as caught:
        load(name).frame.em.fit(prior=None)
    assert str(caught.value).startswith(WHY[name].value)


@pytest.mark.parametrize("name", [name for name, why in WHY.items() if why is Stop.FLAT])
def test_plain_ml_returns_what_is_flat(name):
    fit, warned = fitted(load(name).frame, prior=None)
    assert fit.stop is Stop.FLAT
    assert not fit.converged
    assert emimpute.ConvergenceWarning in warned
    assert fit.problems["sentence"][0].startswith(Stop.FLAT.value)


# The edge: singular, and yet bounded? ---------------------------------------------------------------------------------


def test_correlations_that_fit_no_matrix_are_bounded():
    """Each pair of columns has a proper law of its own; no proper law of all three has all of them as margins."""
    df = pairs((0.9, 0.9, -0.9))
    fit, warned = fitted(df)
    assert fit.problems["problem"].tolist() == ["singular", "incompatible"]
    assert fit.problems.loc[1, "columns"] == (("x1", "x2", "x3"),)
    assert warned == [emimpute.IdentificationWarning]
    assert fit.converged
    plain, warned = fitted(df, prior=None)
    assert plain.stop is Stop.SINGULAR
    assert not plain.converged
    assert emimpute.ConvergenceWarning in warned
    assert plain.problems["sentence"][0].startswith(Stop.SINGULAR.value)
    assert plain.impute().notna().all(axis=None)


def test_it_is_bounded_by_its_margins():
    """The log-likelihood is below the sum of those of the three pairs, each at its own maximum."""
    df = pairs((0.9, 0.9, -0.9))
    plain, _ = fitted(df, prior=None)
    margins = sum(df[pair].dropna().em.fit().loglik for pair in (["x1", "x2"], ["x2", "x3"], ["x1", "x3"]))
    assert plain.loglik < margins


def test_correlations_that_fit_a_matrix_have_a_maximum():
    fit, warned = fitted(pairs((0.9, 0.9, 0.8)))
    assert fit.stop is Stop.CONVERGED
    assert warned == []


def gain(problem, params, above, below):
    """What the log-likelihood gains when the smallest eigenvalue of the correlation matrix falls."""
    sd = np.sqrt(np.diag(params.cov))
    values, vectors = np.linalg.eigh(params.cov / np.outer(sd, sd))
    logliks = []
    for least in (above, below):
        cov = (vectors * np.maximum(values, least)) @ vectors.T * np.outer(sd, sd)
        logliks.append(problem.expect(Normal(params.mean, cov))[1])
    return logliks[1] - logliks[0]


@pytest.mark.parametrize(("name", "rows"), [("marijuana", 6), ("sleep_vim", 48), ("collinear_attitude", 27)])
def test_an_unbounded_likelihood_gains_a_constant_per_halving(name, rows):
    """Half of log 2 for each row that has all of the dependent columns."""
    df = load(name).frame
    x = df.to_numpy(dtype=float)
    problem = MVN().bind(latent(x))
    last = run(problem)[-1]
    assert last.stop is Stop.UNBOUNDED
    assert not bounded(problem, last.params)
    for above, below in ((1e-5, 5e-6), (1e-7, 5e-8)):
        assert gain(problem, last.params, above, below) == pytest.approx(rows * np.log(2) / 2, rel=0.02)


def test_a_bounded_likelihood_gains_ever_less():
    problem = MVN().bind(latent(pairs((0.9, 0.9, -0.9)).to_numpy()))
    last = run(problem)[-1]
    assert bounded(problem, last.params)
    assert gain(problem, last.params, 1e-7, 5e-8) < gain(problem, last.params, 1e-5, 5e-6) / 50


@given(tame(columns=(2, 4)), SEEDS)
def test_a_sum_of_columns_is_unbounded(x, seed):
    """Whatever its weights, and whatever is missing."""
    weights = np.random.default_rng(seed).uniform(0.5, 2.0, x.shape[1])
    total = np.column_stack([x, x @ weights])
    problem = MVN().bind(latent(total))
    last = run(problem)[-1]
    assert last.stop is Stop.UNBOUNDED
    assert not bounded(problem, last.params)


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_no_more_rows_than_columns(n, seed):
    x = np.random.default_rng(seed).standard_normal((n, 5))
    x[0, 0] = x[1, 1] = NA
    df = pd.DataFrame(x, columns=list("abcde"))
    fit, _ = fitted(df)
    assert fit.problems["problem"][0] == Stop.TOO_FEW_ROWS.problem
    with pytest.raises(emimpute.IdentificationError, match=Stop.TOO_FEW_ROWS.value):
        df.em.fit(prior=None)


# The saddle -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", ["fallback", None])
@pytest.mark.parametrize("seed", range(4))
def test_the_saddle_of_murrays_table_is_left(seed, prior):
    """From the usual start, in any units and order: one of the maxima, and not the saddle at 0 between them."""
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(MURRAY, columns=["x", "y"], dtype=float)
    if seed:
        df = (df * 10.0 ** rng.integers(-5, 6, 2) * rng.choice([-1.8, 1], 2) + rng.integers(-9, 10, 2)).sample(
            frac=1, random_state=seed
        )
    fit = df.em.fit(prior=prior)
    assert fit.converged
    assert abs(fit.corr.loc["x", "y"]) == pytest.approx(0.5, abs=1e-6)
    assert fit.n_iter < 40


def test_a_weak_ridge_does_not_hide_the_saddle():
    """Its modes are at correlations of their own, of either sign."""
    fit = pd.DataFrame(MURRAY, columns=["x", "y"], dtype=float).em.fit(prior=0.5)
    assert fit.converged
    assert abs(fit.corr.loc["x", "y"]) > 0.2


def test_a_total_that_is_known_to_the_cent_is_filled_to_the_cent():
    """An exact dependency that many rows bear out: the ridge is so weak that filled cells keep to it."""
    rng = np.random.default_rng(0)
    pay = pd.DataFrame({"net": rng.normal(30_000, 8_000, 500).round(2), "age": rng.integers(20, 65, 500)})
    pay["gross"] = (1.4 * pay["net"]).round(2)
    gaps = rng.random(500) < 0.1
    with pytest.warns(emimpute.IdentificationWarning, match=r"'net', 'gross'|'net' with 'gross'|'net' and 'gross'"):
        done = pay.assign(gross=pay["gross"].mask(gaps)).em.impute()
    assert (done["gross"] - pay["gross"]).abs().max() < 0.05


def test_few_rows_get_a_stronger_ridge():
    """Where every row but a few has a gap a dependency may be chance, and a weak ridge would make much of it."""
    with pytest.warns(emimpute.IdentificationWarning):
        assert emimpute.fit(load("marijuana").frame).prior.df == 6
    with pytest.warns(emimpute.IdentificationWarning):
        assert emimpute.fit(load("flas").frame).prior.df == 0.5
    with pytest.warns(emimpute.IdentificationWarning):
        assert emimpute.fit(load("collinear_attitude").frame).prior.df == 1e-4


@pytest.mark.parametrize(("n", "d", "missing"), [(130, 100, 0.05), (50, 60, 0.1), (40, 30, 0.1), (60, 30, 0.2)])
def test_few_rows_are_filled_better_than_by_means(n, d, missing):
    """Three factors in many columns: a weak ridge, or a maximum as good as singular, would do worse than the means."""
    rng = np.random.default_rng(0)
    whole = pd.DataFrame(rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) + rng.normal(size=(n, d)))
    gaps = rng.random((n, d)) < missing
    fits: list[emimpute.Fit] = []
    with pytest.warns(emimpute.IdentificationWarning, match="rows"):
        done = whole.mask(gaps).em.impute(report=fits.append)
    error = np.sqrt(((done - whole).to_numpy()[gaps] ** 2).mean())
    by_means = np.sqrt(((whole.mask(gaps).mean() - whole).to_numpy()[gaps] ** 2).mean())
    assert error < 0.7 * by_means
    assert fits[0].converged
    assert fits[0].n_iter < 30


def test_a_saddle_that_was_left_is_noted(monkeypatch):
    """From the start that Murray took, and not ours, which avoids it: a note, for nothing is left to do."""
    df = pd.DataFrame(MURRAY, columns=["x", "y"], dtype=float)
    assert "saddle" not in set(df.em.fit().problems["problem"])
    monkeypatch.setattr(MVNProblem, "start", lambda *_: Normal(np.zeros(2), np.eye(2)))
    fit, warned = fitted(df)
    assert fit.converged
    assert warned == []
    assert "saddle" in set(fit.problems["problem"])
    assert abs(fit.corr.loc["x", "y"]) == pytest.approx(0.5, abs=1e-6)


def test_rounding_is_named_where_it_ends_a_run():
    """A sum that errs by a ten-thousandth of its sd: beyond the default tol, and not to nine digits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6))
    x[:, 5] = x[:, 0] + x[:, 1] + 1e-4 * x[:, 5].std() * rng.normal(size=400)
    x[rng.random(x.shape) < 0.15] = NA
    df = pd.DataFrame(x, columns=list("abcdef"))
    fit, warned = fitted(df)
    assert fit.stop is Stop.CONVERGED
    assert warned == []
    exact, warned = fitted(df, tol=1e-10)
    assert exact.stop is Stop.STALLED
    assert emimpute.ConvergenceWarning in warned
    why = exact.problems.set_index("problem").loc["nearly dependent"]
    assert why["columns"] == (("a", "b", "f"),)
    assert "double precision" in why["sentence"]
    assert (exact.mean - fit.mean).abs().max() < 1e-6


def test_too_many_gaps_for_the_columns_has_a_remedy_of_its_own():
    """Where many combinations run towards a constant at once, no column is to blame for it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 30)) + rng.normal(size=(200, 30))
    x[rng.random(x.shape) < 0.65] = NA
    fit, _ = fitted(pd.DataFrame(x), prior="fallback")
    found = fit.problems.set_index("problem")
    assert len(found.loc["incompatible", "columns"]) > 1
    assert "prior='auto'" in found.loc["incompatible", "remedy"]


@pytest.mark.parametrize(("share", "told"), [(0.35, ["hardly borne out"]), (0.2, [])])
def test_a_dependency_that_few_rows_show_is_told(share, told):
    """A maximum it is, but what it rests on is so few rows that others may be filled badly by it."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 6))
    total = x.sum(axis=1) + 2e-4 * rng.normal(size=200)
    df = pd.DataFrame(np.column_stack([x, total])).mask(rng.random((200, 7)) < share)
    fit, warned = fitted(df)
    assert fit.prior is None
    assert fit.problems["problem"].tolist() == told
    assert warned == [emimpute.IdentificationWarning for _ in told]
