"""Complete columns factored out: the same EM, the same maximum, in fewer coordinates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import load
from tables import SEEDS, anywhere, correlated, distance, joint, latent, standard

import emimpute
from emimpute.em import Stop, iterates
from emimpute.models.factored import FactoredProblem
from emimpute.models.mvn import MVN, MVNProblem, Normal
from emimpute.models.priors import Ridge, Shrink

PRIORS = [None, Shrink(2.0), Ridge(3.0)]
SAME = 1e-9


def half_complete(seed: int = 0, n: int = 70, d: int = 6, gone: float = 0.35) -> np.ndarray:
    """A table whose columns 0, 2, 4 … are complete, in various units; some rows have nothing else."""
    rng = np.random.default_rng(seed)
    x = correlated(rng, n, d) * 10.0 ** rng.integers(-2, 3, d)
    gaps = rng.random((n, d)) < gone
    gaps[: n // 10] = True
    gaps[:, ::2] = False
    x[gaps] = np.nan
    return x


def weights(n: int, *, weighted: bool) -> np.ndarray | None:
    return np.random.default_rng(1).integers(0, 4, n).astype(float) if weighted else None


def both(prior=None, *, weighted=False, **table) -> tuple[FactoredProblem, MVNProblem]:
    x = half_complete(**table)
    factored = MVN().bind(latent(x), weights(len(x), weighted=weighted), prior)
    assert isinstance(factored, FactoredProblem)
    return factored, joint(latent(x), weights(len(x), weighted=weighted), prior)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_e_step_is_the_joint_one(prior, weighted):
    """At any parameters, those of the complete columns too: statistics, log-likelihood, M-step and log prior."""
    factored, whole = both(prior, weighted=weighted)
    z = whole.start()
    for params in (z, whole.start(np.random.default_rng(3)), Normal(z.mean + 0.3, z.cov * 1.5)):
        (mine, loglik), (other, expected) = factored.expect(params), whole.expect(params)
        assert loglik == pytest.approx(expected, rel=SAME)
        np.testing.assert_allclose(mine.first, other.first, rtol=0, atol=SAME * whole.rows)
        np.testing.assert_allclose(mine.second, other.second, rtol=0, atol=SAME * whole.rows)
        assert distance(factored.maximize(mine), whole.maximize(other)) < SAME
        assert factored.log_prior(params) == pytest.approx(whole.log_prior(params), rel=SAME)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_em_takes_the_same_path(prior, weighted):
    runs = [list(iterates(p, engine="em", tol=1e-4)) for p in both(prior, weighted=weighted)]
    plain = [[i for i in run if not i.accelerated] for run in runs]  # and not the closing Newton steps
    assert len(plain[0]) > 10
    for mine, other in zip(*plain, strict=False):
        assert mine.loglik == pytest.approx(other.loglik, rel=SAME)
        assert distance(mine.params, other.params) < SAME


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_maximum_is_the_joint_one(prior, weighted):
    factored, whole = both(prior, weighted=weighted)
    *_, mine = iterates(factored, tol=1e-8)
    *_, other = iterates(whole, tol=1e-8)
    assert mine.stop is other.stop is Stop.CONVERGED
    assert distance(factored.natural(mine.params), whole.natural(other.params)) < 1e-8
    assert mine.loglik == pytest.approx(other.loglik, rel=1e-12)
    assert mine.logpost == pytest.approx(other.logpost, rel=1e-12)


@given(SEEDS, st.sampled_from(PRIORS))
def test_the_chart(seed, prior):
    """Coordinates come back, lengths are those of ``tol``, and at the origin a unit step along the gradient is EM's."""
    factored, _ = both(prior, seed=seed)
    rng = np.random.default_rng(seed)
    params = factored.maximize(factored.expect(standard(factored, *anywhere(rng, 6)))[0])
    chart, statistics = factored.chart(params), factored.expect(params)[0]
    gradient = chart.gradient(params, statistics)
    assert distance(chart.from_vector(np.zeros_like(gradient)), params) < 1e-7
    vector = rng.standard_normal(len(gradient))
    np.testing.assert_allclose(chart.to_vector(chart.from_vector(vector)), vector, rtol=1e-6, atol=1e-6)
    small = 1e-5 * vector
    assert distance(chart.from_vector(small), params) == pytest.approx(chart.distance(small), rel=1e-3)


@pytest.mark.parametrize("prior", PRIORS)
def test_derivatives(prior):
    """The gradient is that of the log posterior, the information that of the gradient; and EM's step the gradient."""
    factored, _ = both(prior)
    params = factored.maximize(factored.expect(factored.start())[0])
    chart, size = factored.chart(params), 1e-5
    p = len(chart.gradient(params, factored.expect(params)[0]))
    assert p == 3 * (3 + 1) + 3 * (3 + 1) // 2

    def height(vector):
        at = chart.from_vector(vector)
        return (factored.expect(at)[1] + factored.log_prior(at)) / factored.rows

    def slope(vector):
        at = chart.from_vector(vector)
        return chart.gradient(at, factored.expect(at)[0])

    away = 0.1 * np.random.default_rng(0).standard_normal(p)
    numbers = [(height(away + size * e) - height(away - size * e)) / (2 * size) for e in np.eye(p)]
    np.testing.assert_allclose(slope(away), numbers, rtol=0, atol=1e-7)
    bent = np.array([(slope(-size * e) - slope(size * e)) / (2 * size) for e in np.eye(p)])
    information = factored.information(params, factored.expect(params)[0])
    np.testing.assert_allclose(information, bent, rtol=0, atol=1e-7)
    *_, last = iterates(factored, tol=1e-3)
    near = factored.chart(last.params)
    statistics = factored.expect(last.params)[0]
    step = near.to_vector(factored.maximize(statistics))
    np.testing.assert_allclose(step, near.gradient(last.params, statistics), rtol=0, atol=1e-5)


def test_the_rate_is_the_joint_one():
    """The largest fraction of missing information is one of y given x, so the smaller information has it."""
    factored, whole = both()
    *_, last = iterates(factored, tol=1e-9)
    least = [np.linalg.eigvalsh(p.information(last.params, p.expect(last.params)[0]))[0] for p in (factored, whole)]
    assert least[0] == pytest.approx(least[1], abs=1e-9)


def test_parameters_keep_the_order_of_the_columns():
    x = half_complete()
    order = np.random.default_rng(2).permutation(6)
    one, other = MVN().bind(latent(x)), MVN().bind(latent(x[:, order]))
    *_, a = iterates(one)
    *_, b = iterates(other)
    assert a.esteps == b.esteps
    mine, theirs = one.natural(a.params), other.natural(b.params)
    np.testing.assert_allclose(mine.mean[order], theirs.mean, rtol=1e-10)
    np.testing.assert_allclose(mine.cov[np.ix_(order, order)], theirs.cov, rtol=1e-8)


def test_a_flat_likelihood_is_named_by_the_right_columns():
    """Columns 1 and 3 are never seen together."""
    x = half_complete(n=90, d=4, gone=0.0)
    x[:45, 1], x[45:, 3] = np.nan, np.nan
    problem = MVN().bind(latent(x))
    assert isinstance(problem, FactoredProblem)
    *_, last = iterates(problem)
    assert last.stop is Stop.FLAT
    assert problem.undetermined(last.params) == [(1, 3)]


def test_few_complete_columns_are_not_factored_out():
    """Below one half it makes a fit slower (measured: docs/how-it-works.md)."""
    x = half_complete(gone=0.5)
    x[5, 0] = np.nan
    assert isinstance(MVN().bind(latent(x)), MVNProblem)


def test_collinear_complete_columns_are_not_factored_out():
    x = half_complete()
    x[:, 4] = 2 * x[:, 0] - x[:, 2]
    problem = MVN().bind(latent(x))
    assert isinstance(problem, MVNProblem)
    with pytest.raises(emimpute.IdentificationError):
        emimpute.fit(pd.DataFrame(x), prior=None)


@pytest.mark.parametrize("gone", [0.1, 0.9])
def test_both_forms_are_used(gone):
    """With few and with many holes; and where K is ill-conditioned, only the covariance form."""
    factored, whole = both(n=200, d=12, gone=gone)
    params = whole.maximize(whole.expect(whole.start())[0])
    forms = {chunk.precision for chunk in factored.table.chunks}
    assert forms >= {gone < 0.5}
    mixed = np.eye(12)
    mixed[1, [1, 3]] = 1e-5, 1.0  # column 1 is column 3, nearly
    near = Normal(params.mean, mixed @ params.cov @ mixed.T)
    assert factored.expect(near)[1] == pytest.approx(whole.expect(near)[1], rel=1e-5)


@pytest.mark.parametrize("name", ["airquality", "pima_tr2", "tao"])
def test_the_summary_says_so(name):
    fit = emimpute.fit(load(name).frame)
    complete = load(name).frame.notna().all().sum()
    assert fit.engine.startswith(f"{complete} complete columns factored out; ")
    assert fit.engine.endswith("L-BFGS in the EM metric, Newton finish.")
    assert "Engine:" in fit.summary()
    assert emimpute.read_json(fit.to_json()).engine == fit.engine


def test_diagnostics_are_of_all_parameters():
    fit = emimpute.fit(load("airquality").frame)
    assert fit.engine.startswith("4 complete columns")
    assert len(fit.diagnostics.parameters) == 6 + 6 * 7 // 2
    kept = load("airquality").expected["em_rate_exact"]
    assert fit.diagnostics.rate == pytest.approx(kept, abs=1e-4)
