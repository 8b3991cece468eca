"""``prior="auto"`` where cells are intervals: held-out cells are predicted as the exact law predicts them."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from mixedtables import mixed
from scipy.special import ndtr
from scipy.stats import multivariate_normal

import emimpute
from emimpute.inference.heldout import auto
from emimpute.inference.heldout.boxauto import BoxFold
from emimpute.inference.standing.boxplaces import standardised
from emimpute.models.mvn import CutNormal


def fold(df, **options):
    """A fold that holds out the first rows of what it was fitted to, and the fit."""
    fit = emimpute.fit(df, **options)
    latent = fit.law.table.encode(df, fit.law.table.match(df))
    problem = fit.law.model.bind(latent, None, None)
    rows = np.arange(12)
    return fit, BoxFold.of(problem, rows, latent.take(rows), np.ones(12), problem.scale)


def test_a_point_and_an_interval_by_the_bivariate_normal():
    """A point loses its squared error given the interval, the interval minus twice its log probability."""
    df = mixed(gone=0.0)[["x", "o"]]
    fit, held = fold(df)
    params = standardised(held.problem, fit.law.params)
    rho = fit.corr.loc["x", "o"]
    u = ((df["x"] - fit.mean["x"]) / np.sqrt(fit.cov.loc["x", "x"])).to_numpy()[:12]
    edges = np.concatenate([[-np.inf], fit.cuts["o"], [np.inf]])
    code = df["o"].cat.codes.to_numpy()[:12]
    share = np.diff(ndtr((edges - rho * u[:, None]) / np.sqrt(1 - rho**2)), axis=1)[np.arange(12), code]
    z = np.linspace(-9, 9, 200001)
    density = np.exp(-(z**2) / 2)
    middle = np.array([np.average(z, weights=density * (z > a) * (z < b)) for a, b in pairwise(edges)])
    unit = np.sqrt(fit.cov.loc["x", "x"]) / held.problem.scale[0]
    error = (u - rho * middle[code]) * unit
    # a point's error is that of what its own site says of the interval, which here has the interval's mean
    np.testing.assert_allclose(held.loss(params).mean(), np.mean(error**2 - 2 * np.log(share)), rtol=0.15)
    alone = held.loss(CutNormal(params.mean, np.diag(np.diag(params.cov)), params.cuts))
    marginal = np.diff(ndtr(edges))[code]
    np.testing.assert_allclose(alone, (u * unit) ** 2 - 2 * np.log(marginal), rtol=1e-6)


def test_unordered_answers_by_their_cones():
    """Without association the probability of an answer is that of its cone."""
    df = mixed(gone=0.0)[["x", "n"]]
    fit, held = fold(df)
    params = standardised(held.problem, fit.law.params)
    cov = params.cov.copy()
    cov[0, 1:] = cov[1:, 0] = 0.0
    u = ((df["x"] - fit.mean["x"]) / np.sqrt(fit.cov.loc["x", "x"])).to_numpy()[:12]
    unit = np.sqrt(fit.cov.loc["x", "x"]) / held.problem.scale[0]
    frames = fit.law.table.codings[1].frames
    code = [["blue", "green", "red"].index(name) for name in df["n"][:12]]
    shares = [multivariate_normal(-f @ params.mean[1:], f @ cov[1:, 1:] @ f.T).cdf(np.zeros(2)) for f in frames]
    expected = (u * unit) ** 2 - 2 * np.log(np.array(shares)[code])
    np.testing.assert_allclose(held.loss(CutNormal(params.mean, cov, params.cuts)), expected, rtol=1e-3)


@pytest.mark.parametrize("nominal", [False, True])
def test_a_ridge_is_chosen_and_said(nominal):
    """The fit is that under the ridge; the choice is repeatable."""
    df = mixed(80, nominal=nominal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        one, other = emimpute.fit(df, prior="auto"), emimpute.fit(df, prior="auto")
    assert one.loglik == other.loglik
    (said,) = one.problems.query("problem == 'ridge chosen'")["sentence"]
    assert "deviance" in said
    if one.prior is not None:
        again = emimpute.fit(df, prior=one.prior)
        assert again.logpost == pytest.approx(one.logpost, abs=1e-6)


def test_a_category_nobody_else_has_does_not_count():
    """What the other rows do not know of, no ridge predicts."""
    df = mixed(gone=0.0)[["x", "o"]]
    df["o"] = df["o"].cat.add_categories("top")
    df.loc[0, "o"] = "top"
    fit, held = fold(df)
    latent = fit.law.table.encode(df, fit.law.table.match(df))
    without = fit.law.model.bind(latent.take(np.arange(12, len(df))), None, None)
    held = BoxFold.of(without, held.test, latent.take(held.test), held.weight, held.scale)
    assert held.counted[1:].all()
    assert held.counted[0].tolist() == [True, False]


def test_the_choice_does_not_depend_on_the_order_of_rows_or_columns():
    """Nor on the unit of a number."""
    df = mixed(70, nominal=False)
    other = df.assign(y=df["y"] * 100).sample(frac=1, random_state=3)[["b", "y", "o", "x"]]
    chosen = []
    for each in (df, other):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", emimpute.EMImputeWarning)
            chosen.append(emimpute.fit(each, prior="auto").prior)
    assert chosen[0] == chosen[1]


def test_many_rows_are_sampled(monkeypatch):
    """So that the choice costs little more for a long table than for a short one."""
    monkeypatch.setattr(auto, "_WORK", (1e3, 60))
    fit = emimpute.fit(mixed(300, nominal=False), prior="auto")
    assert "of 60 distinct rows" in fit.problems["sentence"].iloc[-1]


def test_it_predicts_better_where_rows_are_few():
    """Held-out answers of many weakly related columns: a ridge is chosen, and their probabilities are better for it."""
    rng = np.random.default_rng(5)
    z = rng.standard_normal((460, 9)) @ np.linalg.cholesky(0.8 * np.eye(9) + 0.2).T
    whole = pd.DataFrame({f"q{j}": np.digitize(z[:, j], [-0.7, 0.7]) for j in range(9)})
    some = whole[:60]
    new = whole[60:].astype(object).reset_index(drop=True)
    gaps = rng.integers(0, 9, 400)
    truth = np.array([new.iloc[i, j] for i, j in enumerate(gaps)])
    for i, j in enumerate(gaps):
        new.iloc[i, j] = None
    scores = {}
    for prior in ("fallback", "auto"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", emimpute.EMImputeWarning)
            fit = emimpute.fit(some, kinds=dict.fromkeys(whole, "ordinal"), prior=prior)
        shares = np.zeros(400)
        for j in range(9):
            told = fit.probabilities(f"q{j}", new)
            shares[told.index] = told.to_numpy()[np.arange(len(told)), truth[told.index]]
        scores[prior] = float(np.log(np.maximum(shares, 1e-12)).mean())
    assert fit.prior is not None
    assert fit.prior.df >= 2
    assert scores["auto"] > scores["fallback"] + 0.01
