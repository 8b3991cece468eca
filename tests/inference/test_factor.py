"""Factors against factanal, statsmodels and solutions anew nearby; the effective number of rows; what is refused."""

from __future__ import annotations

import functools
import json

import numpy as np
import pandas as pd
import pytest
import references
from statsmodels.multivariate.factor import Factor
from statsmodels.multivariate.factor_rotation import rotate_factors

import emimpute
from emimpute import datasets
from emimpute.inference.moments.extraction import correlations, extract, loadings
from emimpute.inference.moments.factor import _moving
from emimpute.inference.standing.uncertainty import slopes

OTHERS = 1e-5  # factanal's and statsmodels' optimisers stop early
NUMERIC = 1e-5  # derivatives by differences, on both sides
EXACT = 1e-9

R = json.loads((references.FOLDER / "analysis" / "bfi.json").read_text(encoding="utf-8"))


@functools.cache
def complete() -> emimpute.Fit:
    """The complete rows of bfi's 25 items."""
    return emimpute.fit(datasets.load("bfi").iloc[:, :25].dropna())


@functools.cache
def two(n: int = 300, share: float = 0.2) -> emimpute.Fit:
    """Six items of two factors, some answers missing."""
    rng = np.random.default_rng(4)
    common = rng.standard_normal((n, 2)) @ np.array([[1.0, 0.3], [0.0, 0.95]])
    pattern = np.array([[0.8, 0], [0.7, 0], [0.6, 0.1], [0, 0.75], [0.1, 0.6], [0, 0.5]])
    x = common @ pattern.T + 0.6 * rng.standard_normal((n, 6))
    x[rng.random(x.shape) < share] = np.nan
    return emimpute.fit(pd.DataFrame(x, columns=list("abcdef")), tol=1e-9)


def of_covariance(cov: np.ndarray, n: int) -> emimpute.Fit:
    """The fit of n complete rows whose covariance is ``cov`` exactly."""
    x = np.random.default_rng(0).standard_normal((n, len(cov)))
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, ddof=0))).T
    return emimpute.fit(pd.DataFrame(x @ np.linalg.cholesky(cov).T, columns=list("abcdefgh")[: len(cov)]))


def test_uniquenesses_are_factanals():
    found = complete().factor(5)
    np.testing.assert_allclose(found.unique, R["five_unique"], atol=OTHERS)
    np.testing.assert_allclose(found.communality + found.unique, 1, atol=EXACT)
    assert found.held == ()


def test_it_is_statsmodels():
    """Its own fit of the same correlations; and the one that we hand out, with the effective number of rows."""
    found = complete().factor(3, rotation=None)
    own = Factor(corr=found.corr.to_numpy(), n_factor=3, nobs=2436, method="ml").fit(rng=1, opt={"gtol": 1e-8})
    np.testing.assert_allclose(found.unique, own.uniqueness, atol=OTHERS)
    product = found.loadings.to_numpy() @ found.loadings.to_numpy().T
    np.testing.assert_allclose(product, own.loadings @ own.loadings.T, atol=OTHERS)
    ours = found.statsmodels
    np.testing.assert_allclose(product, ours.loadings @ ours.loadings.T, atol=EXACT)
    assert ours.nobs == 2436
    assert list(ours.endog_names) == list(found.corr)


@pytest.mark.parametrize("method", ["varimax", "quartimax"])
def test_rotations_are_statsmodels(method):
    """The same up to order and signs."""
    found = two().factor(2, rotation=method)
    theirs, _ = rotate_factors(found.unrotated.to_numpy(), method)
    theirs = theirs[:, np.argsort(-np.square(theirs).sum(axis=0))]
    np.testing.assert_allclose(found.loadings, theirs * np.sign(theirs.sum(axis=0)), atol=1e-4)


def test_order_and_signs():
    found = complete().factor(4)
    assert (found.loadings.sum() > 0).all()
    assert found.variance["ss_loadings"].is_monotonic_decreasing
    assert found.variance["cumulative"].iloc[-1] == pytest.approx(found.communality.mean())
    assert found.loadings.columns.tolist() == ["F1", "F2", "F3", "F4"]


@pytest.mark.parametrize("rotation", [None, "varimax", "quartimax"])
def test_derivatives_are_those_of_solving_anew(rotation):
    """Loadings and uniquenesses when a covariance changes: one Newton step says what a new solution does."""
    fit = two()
    found = fit.factor(2, rotation=rotation)
    cov, h = fit.cov.to_numpy(), 1e-4
    corr = correlations(cov)
    solved = extract(corr, 2)
    unrotated = found.unrotated.to_numpy()
    turn = np.linalg.lstsq(unrotated, found.loadings.to_numpy(), rcond=None)[0]
    derivative = slopes(_moving(solved, unrotated, turn, rotation), cov)
    step = np.zeros((6, 6))
    step[1, 3] = step[3, 1] = h

    def anew(moved):
        corr = correlations(moved)
        new = extract(corr, 2)
        raw = loadings(new.log_unique[None], corr[None], 2)[0]
        u, _, v = np.linalg.svd(raw.T @ unrotated)
        if rotation is None:
            return raw * np.sign((raw * unrotated).sum(axis=0)), new.unique
        rotated, _ = rotate_factors(raw @ u @ v @ turn, rotation)
        return rotated, new.unique

    (up, up_unique), (down, down_unique) = anew(cov + step), anew(cov - step)
    column = 6 + [(i, j) for j in range(6) for i in range(j, 6)].index((3, 1))
    # statsmodels' rotation settles at 1e-5
    tolerance = NUMERIC if rotation is None else 0.2
    np.testing.assert_allclose(derivative[:12, column].reshape(6, 2), (up - down) / (2 * h), atol=tolerance)
    np.testing.assert_allclose(derivative[12:, column], (up_unique - down_unique) / (2 * h), atol=NUMERIC)


def test_one_factor_without_gaps_by_the_delta_method():
    """Loadings of three items are closed forms: √(r₁₂r₁₃/r₂₃)."""
    fit = two()

    def by_hand(_, cov):
        r = cov.to_numpy()[:3, :3] / np.sqrt(np.outer(np.diag(cov)[:3], np.diag(cov)[:3]))
        return np.sqrt([r[0, 1] * r[0, 2] / r[1, 2], r[0, 1] * r[1, 2] / r[0, 2], r[0, 2] * r[1, 2] / r[0, 1]])

    found, other = fit.factor(1, ["a", "b", "c"]), fit.derived(by_hand)
    np.testing.assert_allclose(found.loadings["F1"], other["estimate"], atol=1e-8)
    np.testing.assert_allclose(found.se["F1"], other["se"], rtol=NUMERIC)
    assert found.df == 0
    assert np.isnan(found.pvalue)
    assert "No degrees of freedom" in found.summary()


LAVAAN = json.loads((references.FOLDER / "analysis" / "loadings.json").read_text(encoding="utf-8"))


def test_standard_errors_where_the_factors_hold_exactly():
    """They are those of the model's own information, bordered by the rotation's condition; and lavaan's to .2 %."""
    n, k, m = LAVAAN["nobs"], 7, 2
    fit = of_covariance(np.reshape(LAVAAN["corr"], (k, k)), n)
    found = fit.factor(m)

    def standardised(t):
        load = t[: k * m].reshape(k, m)
        total = np.square(load).sum(axis=1) + t[k * m :]
        return load / np.sqrt(total)[:, None], t[k * m :] / total

    def sigma(t):
        load = t[: k * m].reshape(k, m)
        return load @ load.T + np.diag(t[k * m :])

    def condition(t):
        load = standardised(t)[0]
        crossed = load.T @ (load**3 - load * np.square(load).mean(axis=0))
        return np.array([crossed[0, 1] - crossed[1, 0]])

    def jacobian(of, at, h=1e-5):
        return np.array([(np.ravel(of(at + h * e)) - np.ravel(of(at - h * e))) / (2 * h) for e in np.eye(len(at))]).T

    at = np.concatenate([found.loadings.to_numpy().ravel(), found.unique])
    assert abs(condition(at)[0]) < 1e-10
    inverse = np.linalg.inv(sigma(at))
    change, border = jacobian(sigma, at), jacobian(condition, at)
    information = n / 2 * change.T @ np.kron(inverse, inverse) @ change
    bordered = np.linalg.inv(np.block([[information, border.T], [border, np.zeros((1, 1))]]))[: len(at), : len(at)]
    slope = jacobian(lambda t: np.concatenate([part.ravel() for part in standardised(t)]), at)
    expected = np.sqrt(np.diag(slope @ bordered @ slope.T))
    np.testing.assert_allclose(found.se.to_numpy().ravel(), expected[: k * m], rtol=1e-6)
    np.testing.assert_allclose(found.unique_se, expected[k * m :], rtol=1e-6)
    theirs = {name: np.reshape(LAVAAN["varimax"][name], (m, k)).T for name in ("loadings", "se")}
    np.testing.assert_allclose(found.loadings, theirs["loadings"], atol=1e-6)
    np.testing.assert_allclose(found.se, theirs["se"], rtol=2e-3)
    np.testing.assert_allclose(found.unique_se, LAVAAN["varimax"]["unique_se"], rtol=2e-3)


def test_the_bootstrap_agrees_where_the_rotation_is_sure():
    """With the delta method, on normal rows; the same seed gives the same bits, and a longer run begins alike."""
    fit = two(share=0.1)
    found, delta = fit.factor(2, bootstrap=150, rng=1), fit.factor(2)
    pd.testing.assert_frame_equal(found.loadings, delta.loadings)
    assert found.replicates.shape == (150, 6, 2)
    np.testing.assert_allclose(found.se / delta.se, 1, atol=0.3)
    assert (found.se / delta.se).mean(axis=None) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(found.unique_se / delta.unique_se, 1, atol=0.3)
    np.testing.assert_array_equal(found.se, found.replicates.std(axis=0, ddof=1))
    again = fit.factor(2, bootstrap=20, rng=1)
    np.testing.assert_array_equal(again.replicates, found.replicates[:20])
    low, high = np.quantile(found.replicates[:, 0, 0], [0.05, 0.95])
    assert found.conf_int(0.1).loc["a", "F1"].tolist() == [low, high]
    assert "150 bootstrap samples of the rows" in found.summary()


def test_the_bootstrap_sees_what_the_delta_method_does_not():
    """Items at equal angles leave varimax almost free: loadings of samples stay within 1, and it is said."""
    angle = np.arange(8) * np.pi / 8
    size = 0.7 + 0.02 * np.cos(4 * angle)
    pattern = np.column_stack([size * np.cos(angle), size * np.sin(angle)])
    corr = pattern @ pattern.T
    np.fill_diagonal(corr, 1.0)
    fit = of_covariance(corr, 150)
    delta, found = fit.factor(2), fit.factor(2, bootstrap=40, rng=0)
    assert delta.se.max(axis=None) > 0.2
    assert "the rotation is hardly determined" in delta.summary()
    assert "hardly determined" not in found.summary()
    assert (np.abs(found.conf_int()) <= 1).all(axis=None)
    assert found.se.max(axis=None) < delta.se.max(axis=None)


def test_bootstrap_of_unrotated_factors_and_of_one():
    """Signs follow the fit's; a held uniqueness has an error too."""
    for n, rotation in ((1, "varimax"), (2, None)):
        found = two().factor(n, rotation=rotation, bootstrap=30, rng=0)
        products = (found.replicates * found.loadings.to_numpy()).sum(axis=1)
        assert (products > 0).all()
        assert np.isfinite(found.se).all(axis=None)


def test_bootstrap_with_weights_and_ordered_answers():
    """Rows of weight 0 are never drawn; latent correlations are resampled too."""
    table = datasets.load("bfi").iloc[:300][["A2", "A3", "A5"]]
    plain, doubled = table.iloc[:150], table.assign(w=np.repeat([1.0, 0.0], 150))
    one = emimpute.fit(plain).factor(1, bootstrap=100, rng=0)
    other = emimpute.fit(doubled, weights="w").factor(1, bootstrap=100, rng=0)
    np.testing.assert_allclose(one.loadings, other.loadings, atol=1e-5)
    np.testing.assert_allclose(one.se / other.se, 1, atol=0.4)
    latent = emimpute.fit(table, kinds=dict.fromkeys(table, "ordinal")).factor(1, bootstrap=4, rng=0)
    assert latent.replicates.shape == (4, 3, 1)


def test_the_effective_number_of_rows():
    """All of them without gaps; with gaps n times the mean share of observed information of the correlations."""
    assert complete().factor(2).effective_nobs == pytest.approx(2436)
    found = two().factor(2)
    params = two().params
    fmi = params["fmi"][params.index.get_level_values(0) == "corr"]
    assert found.effective_nobs == pytest.approx(300 * (1 - fmi.mean()), rel=NUMERIC)
    assert 300 * 0.64 < found.effective_nobs < 300  # pairs observed together, all rows
    assert found.statsmodels.nobs == round(found.effective_nobs)


def test_the_test_of_fit():
    """Two factors made the data, one did not; without gaps it is near the likelihood ratio."""
    assert two().factor(2).pvalue > 0.05
    assert two().factor(1).pvalue < 1e-6
    whole = two(300, 0.0)
    found = whole.factor(2)
    ratio = 300 * extract(whole.corr.to_numpy(), 2).value
    assert found.df == 4
    assert found.statistic == pytest.approx(ratio, rel=0.1)


def test_a_heywood_case_is_told():
    """Correlations .9, .9, .7 ask one factor for a loading above 1."""
    corr = np.array([[1, 0.9, 0.9], [0.9, 1, 0.7], [0.9, 0.7, 1]])
    x = np.random.default_rng(0).standard_normal((100, 3))
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, ddof=0))).T
    fit = emimpute.fit(pd.DataFrame(x @ np.linalg.cholesky(corr).T, columns=list("abc")))
    found = fit.factor(1)
    assert found.held == ("a",)
    assert found.unique["a"] == pytest.approx(0.005)
    assert np.isnan(found.unique_se["a"])
    assert "a Heywood case" in found.summary()
    assert any("Heywood" in note for note in fit.omega().notes)


def test_symmetric_factors_are_told_apart():
    """Two factors of one size: their sum and difference are where a rotation must not stay."""
    pattern = np.kron(np.eye(2), np.array([[0.8], [0.7], [0.6], [0.5]]))
    corr = pattern @ np.array([[1, 0.3], [0.3, 1]]) @ pattern.T
    np.fill_diagonal(corr, 1.0)
    x = np.random.default_rng(0).standard_normal((200, 8))
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, ddof=0))).T
    fit = emimpute.fit(pd.DataFrame(x @ np.linalg.cholesky(corr).T).rename(columns=str))
    found = np.abs(fit.factor(2).loadings.to_numpy())
    assert (found.max(axis=1) > 2.5 * found.min(axis=1)).all()
    assert np.isfinite(fit.factor(2).se).all(axis=None)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.factor(4), "6 items do not determine 4 factors: ask for 3 at most"),
        (lambda fit: fit.factor(1, ["a", "b"]), "2 items do not determine 1 factor: give 3 items or more"),
        (lambda fit: fit.factor(0), "whole number, 1 or more"),
        (lambda fit: fit.factor(True), "whole number"),
        (lambda fit: fit.factor(1.5), "whole number"),
        (lambda fit: fit.factor(2, rotation="promax"), "no rotation 'promax'.*'varimax'"),
        (lambda fit: fit.factor(1, ["a", "b", "q"]), "no column 'q'"),
        (lambda fit: fit.factor(1, "abc"), "is text"),
        (lambda fit: emimpute.read_json(fit.to_json()).factor(1), "read from a file"),
        (lambda fit: fit.factor(1, bootstrap=1), "bootstrap= is how many samples"),
        (lambda fit: fit.factor(1, bootstrap=2.5), "bootstrap= is how many samples"),
        (lambda fit: fit.factor(1, bootstrap=9, rng="x"), "rng= is None, an int or"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(emimpute.EMImputeError, match=said):
        call(two())


def test_latent_correlations_are_said():
    table = datasets.load("bfi").iloc[:300][["A2", "A3", "A5"]]
    found = emimpute.fit(table, kinds=dict.fromkeys(table, "ordinal")).factor(1)
    assert found.latent == ("A2", "A3", "A5")
    assert "polychoric" in found.summary()


def test_it_prints_what_it_holds():
    found = emimpute.fit(two().data.rename(columns={"a": "<u>"})).factor(2)
    assert repr(found) == found.summary()
    assert "as much of the correlations as" in found.summary()
    assert "&lt;u&gt;" in found._repr_html_()
    assert "<u>" not in found._repr_html_()
    intervals = found.conf_int()
    assert intervals.columns.tolist() == [("F1", "low"), ("F1", "high"), ("F2", "low"), ("F2", "high")]
    assert (intervals["F1", "low"] < found.loadings["F1"]).all()


def test_the_same_bits_again():
    one, other = two().factor(2), emimpute.fit(two().data, tol=1e-9).factor(2)
    pd.testing.assert_frame_equal(one.se, other.se, check_exact=True)
    pd.testing.assert_frame_equal(one.loadings, other.loadings, check_exact=True)
