"""The diagnostics of a fit with intervals: the rate is plain EM's, fractions are those of identified parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mixedtables import mixed
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

import emimpute
from emimpute.em import Stop, iterates
from emimpute.inference.standing import diagnostics
from emimpute.inference.standing.boxplaces import BoxPlace, standardised
from emimpute.inference.standing.diagnostics import Ran, diagnose


def place(fit: emimpute.Fit) -> BoxPlace:
    problem = fit.law.model.bind(fit.law.table.encode(fit.data, fit.law.table.match(fit.data)), None, None)
    return BoxPlace.of(problem, standardised(problem, fit.law.params))


@pytest.fixture(scope="module", params=[False, True], ids=["ordered", "and unordered"])
def fit(request):
    return emimpute.fit(mixed(nominal=request.param), tol=1e-8)


def test_plain_em_has_the_rate_and_takes_about_as_long(fit):
    """Steps of plain EM shrink by the rate; from the default start they are about as many as told."""
    problem = emimpute.bind(fit.data).problem
    path = [problem.natural(one.params) for one in iterates(problem, engine="em", tol=1e-12, max_iter=600)]
    vectors = np.array([np.concatenate([one.mean, one.cov.ravel(), one.cuts]) for one in path])
    far = np.linalg.norm(vectors - vectors[-1], axis=1)
    near = np.flatnonzero((far < 1e-4) & (far > 1e-7))
    rate = (far[near[-1]] / far[near[0]]) ** (1 / (near[-1] - near[0]))
    assert fit.diagnostics.rate == pytest.approx(rate, abs=0.02)  # other fractions are near the largest
    arrived = int(np.argmax(far < fit.tol))
    assert fit.diagnostics.esteps_saved + fit.n_iter == pytest.approx(arrived, rel=0.15)


def test_along_the_worst_function_an_em_step_shrinks_by_the_rate(fit):
    """A displacement along its vector comes back times the rate."""
    here = place(fit)
    values, vectors = np.linalg.eigh(here.whole())
    moved = here.chart.from_vector(1e-4 * np.linalg.solve(here.root.T, vectors[:, 0]))
    back = here.chart.to_vector(here.problem.maximize(here.problem.expect(moved)[0]))
    back = here.root.T @ back
    back -= here.idle @ (here.idle.T @ back)
    assert 1 - values[0] == pytest.approx(fit.diagnostics.rate, abs=1e-9)
    np.testing.assert_allclose(back / 1e-4, fit.diagnostics.rate * vectors[:, 0], atol=2e-3)


def test_a_maximum_is_seen_as_one(fit):
    """No gradient is left, the information is definite, and the distance below what was asked for."""
    found = fit.diagnostics
    assert found.definite
    assert found.score < 1e-7
    assert found.remaining < 1e-7
    assert found.condition > 1


def test_lanczos_finds_the_same(fit):
    """By a few E-steps, where the information is too large; fractions are then approximate, and that is said."""
    ran = Ran(fit.tol, fit.n_iter, fit.n_check, converged=True)
    found, whole = diagnose(fit.law, fit.data, None, None, ran, dense=False), fit.diagnostics
    assert found.rate == pytest.approx(whole.rate, abs=1e-4)
    assert found.worst == whole.worst
    assert any("approximate" in note for note in found.notes)
    one, other = found.missing_information, whole.missing_information
    assert one.notna().equals(other.notna())
    assert (one - other).abs().max() < 0.1


def test_the_information_is_the_curvature_of_the_likelihood(fit):
    """Along some directions, by the log-likelihood itself."""
    here = place(fit)
    information = here.whole()
    for direction in np.random.default_rng(0).standard_normal((3, len(here.gradient))):
        side = direction / np.linalg.norm(direction)
        side -= here.idle @ (here.idle.T @ side)
        step = 1e-2 * np.linalg.solve(here.root.T, side)
        up, at, down = (here.problem.expect(here.chart.from_vector(size * step))[1] for size in (1, 0, -1))
        bend = -(up - 2 * at + down) / 1e-4 / here.problem.rows
        assert side @ information @ side == pytest.approx(bend, rel=0.01)
        np.testing.assert_allclose(here.information(side), information @ side, atol=1e-3)


def test_what_is_fixed_misses_nothing(fit):
    """Means and variances of columns between cut points, and covariances within an unordered column, are NaN."""
    missing = fit.diagnostics.missing_information
    scaled = ["o", "b"]
    for label in fit.mean.index:
        assert np.isnan(missing["mean", label, ""]) == (label in scaled)
        assert np.isnan(missing["cov", label, label]) == (label in scaled or label.startswith("n["))
    assert missing.index[-3:].tolist() == [("cut", "o", 1), ("cut", "o", 2), ("cut", "b", 1)]
    known = missing.dropna()
    assert ((known > 0) & (known < 1)).all()


def test_a_correlation_of_two_ordered_columns_alone():
    """The fraction of a polychoric correlation, by the likelihood of the table of counts (Olsson 1979)."""
    rng = np.random.default_rng(3)
    n = 400
    z = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], n)
    df = pd.DataFrame({"p": np.digitize(z[:, 0], [-0.4, 0.6]), "q": np.digitize(z[:, 1], [0.1])})
    fit = emimpute.fit(df, kinds={"p": "ordinal", "q": "ordinal"})
    counts = pd.crosstab(df["p"], df["q"]).to_numpy()

    def minus(v):
        rho, a, b, c = v
        law = multivariate_normal([0, 0], [[1, rho], [rho, 1]])
        cdf = np.array([[law.cdf([s, t]) for t in (-9, c, 9)] for s in (-9, a, b, 9)])
        return -np.sum(counts * np.log(np.diff(np.diff(cdf, axis=0), axis=1)))

    best = minimize(minus, [fit.corr.loc["p", "q"], *fit.cuts], method="Nelder-Mead", options={"xatol": 1e-6}).x
    np.testing.assert_allclose([fit.corr.loc["p", "q"], *fit.cuts], best, atol=1e-3)
    size, hessian = 1e-3, np.zeros((4, 4))
    for i, e in enumerate(size * np.eye(4)):
        for j, f in enumerate(size * np.eye(4)):
            hessian[i, j] = minus(best + e + f) - minus(best + e - f) - minus(best - e + f) + minus(best - e - f)
    variance = np.diag(np.linalg.inv(hessian / (4 * size**2)))
    complete = np.array([(1 - best[0] ** 2) ** 2, *(1 + best[1:] ** 2 / 2)]) / n
    missing = fit.diagnostics.missing_information
    told = [missing["cov", "q", "p"], missing["cut", "p", 1], missing["cut", "p", 2], missing["cut", "q", 1]]
    np.testing.assert_allclose(told, 1 - complete / variance, atol=0.01)


def test_the_worst_function_is_named():
    """A cut point far out that few cells are beyond, in the columns' words."""
    assert (
        diagnostics._words(emimpute.inference.standing.places.parameters(["x", "q"], [1, 1]), 6)
        == "the cut points of 'q'"
    )
    found = emimpute.fit(mixed(nominal=False)).diagnostics
    assert found.worst == "the covariance of 'b' with 'o'"
    assert found.parameters["correlation"].abs().idxmax() == ("cov", "b", "o")


def test_the_worst_function_does_not_depend_on_units():
    """A change of units changes the coefficients as it should, and nothing else."""
    df = mixed(nominal=False)
    one, other = emimpute.fit(df), emimpute.fit(df.assign(y=df["y"] * 10 - 3))
    a, b = one.diagnostics, other.diagnostics
    assert b.rate == pytest.approx(a.rate, abs=1e-4)
    pd.testing.assert_series_equal(a.missing_information, b.missing_information, atol=1e-4)
    unit = 10.0 ** (a.parameters.index.to_frame()[["column", "column2"]] == "y").sum(axis=1)
    pd.testing.assert_series_equal(
        a.parameters["coefficient"], b.parameters["coefficient"] * unit, check_names=False, rtol=1e-2, atol=1e-3
    )


def test_the_edge_has_no_information():
    """Where the fit ended at a singular matrix, that is said."""
    df = mixed(60, nominal=False, gone=0.1)
    df["same"] = df["o"]
    with pytest.warns(emimpute.EMImputeWarning):
        fit = emimpute.fit(df, prior=None)
    assert fit.stop is Stop.SINGULAR
    assert "edge" in fit.diagnostics.notes[0]
    assert np.isnan(fit.diagnostics.rate)
