"""D3 and D4 against mitml, the formulas in R, and closed forms; how mice differs; which models have no likelihood."""

from __future__ import annotations

import dataclasses
import functools
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import references
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import optimize, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

import emimpute
from emimpute.inference.pooling.likelihood import _likelihood
from emimpute.inference.pooling.rubin import likelihood_ratio

FOLDER = references.FOLDER / "mi"
STORED = json.loads((FOLDER / "D_tests_nhanes.json").read_text(encoding="utf-8"))
R = json.loads((FOLDER / "likelihood_tests.json").read_text(encoding="utf-8"))
FRAMES = [
    pd.read_csv(FOLDER / name).assign(high=lambda t: 1.0 * (t["chl"] > 190)) for name in STORED["completed_files"]
]
EXACT = 1e-9  # relative: statsmodels' Newton ends at 1e-8 of a log-likelihood, or nearer

MODELS = {
    "linear": smf.ols,
    "logit": functools.partial(smf.glm, family=sm.families.Binomial()),
    "poisson": functools.partial(smf.glm, family=sm.families.Poisson()),
}


def pooled(model, formula, **options):
    return emimpute.pool([model(formula, frame).fit(**options) for frame in FRAMES])


def numbers(test):
    return [test.statistic, test.df1, test.df2, test.p, test.riv]


@pytest.mark.parametrize(("method", "theirs"), [("D3", "mitml_D3"), ("D4", "mitml_D4")])
def test_the_reference_case(method, theirs):
    """As mitml has it, whether the terms are named or the restricted model is given."""
    general, restricted = pooled(smf.ols, STORED["model1"]), pooled(smf.ols, STORED["model0"])
    for found in (
        general.test(method=method),
        general.test(["bmi", "age"], method=method),
        general.test(method=method, restricted=restricted),
    ):
        np.testing.assert_allclose(numbers(found), list(STORED[theirs].values()), rtol=EXACT)
        assert found.method == method


@pytest.mark.parametrize("model", ["logit", "poisson", "linear"])
def test_other_models_against_r(model):
    """D3 by mitml, or by Meng and Rubin's formulas with the densities of R; D4 by mitml."""
    case = R[model]
    general, restricted = (pooled(MODELS[model], formula) for formula in case["formulas"])
    d3 = general.test(method="D3", restricted=restricted)
    np.testing.assert_allclose(numbers(d3), list(case.get("by_hand_D3", case.get("mitml_D3")).values()), rtol=1e-7)
    d4 = general.test(method="D4", restricted=restricted)
    np.testing.assert_allclose(numbers(d4), list(case["mitml_D4"].values()), rtol=1e-7)


def test_how_mice_differs():
    """It holds slopes at their means and fits intercept and residual variance again: done so here, its number comes."""
    n = len(FRAMES[0])

    def above(slopes):
        """Log-likelihoods with these slopes, at the best intercept and variance."""
        found = []
        for frame in FRAMES:
            left = frame["chl"] - sum((value * frame[name] for name, value in slopes.items()), start=0.0)
            found.append(-n / 2 * (np.log(2 * np.pi * left.var(ddof=0)) + 1))
        return np.array(found)

    general, restricted = pooled(smf.ols, STORED["model1"]), pooled(smf.ols, STORED["model0"])
    own = 2 * np.mean(np.array(STORED["loglik1"]) - STORED["loglik0"])
    at_slopes = general.params["estimate"].drop("Intercept")
    apart = 2 * np.mean(above(at_slopes) - above({}))
    f, df2, riv = likelihood_ratio(own, apart, 2, 10, stacked=False)
    expected = STORED["mice_D3"]
    np.testing.assert_allclose([f, df2, riv], [expected["F"], expected["df2"], expected["riv"]], rtol=EXACT)
    assert general.test(method="D3", restricted=restricted).statistic < f / 2


def test_without_gaps_it_is_the_likelihood_ratio():
    """Of the complete data, by χ²; D3 and D4 alike, and weights are no trouble."""
    frame = FRAMES[0]
    for options in ({}, {"weights": frame["age"]}):
        kind = smf.wls if options else smf.ols
        one, other = (kind(f, frame, **options).fit() for f in ("chl ~ age + bmi", "chl ~ age"))
        statistic, p, _ = one.compare_lr_test(other)
        for method in ("D3", "D4"):
            found = emimpute.pool([one] * 4).test(["bmi"], method=method)
            assert (found.df1, found.df2, found.riv) == (1, np.inf, 0)
            assert found.statistic == pytest.approx(statistic, rel=1e-8)
            assert found.p == pytest.approx(p, rel=1e-8)


def test_a_dispersion_is_a_parameter():
    """A Gaussian GLM is the linear regression; a gamma one counts its dispersion at its maximum."""
    linear, glm = pooled(smf.ols, "chl ~ age + bmi"), pooled(smf.glm, "chl ~ age + bmi")
    for method in ("D3", "D4"):
        np.testing.assert_allclose(
            numbers(glm.test(["bmi"], method=method)), numbers(linear.test(["bmi"], method=method)), rtol=1e-6
        )
    gamma = pooled(functools.partial(smf.glm, family=sm.families.Gamma(sm.families.links.Log())), "chl ~ age + bmi")
    found = {method: gamma.test(["bmi"], method=method) for method in ("D3", "D4")}
    assert found["D3"].df1 == found["D4"].df1 == 1
    assert 0 < found["D3"].p < 1
    # the likelihood at its maximum is that of scipy's gamma, over its shape too
    result = gamma.results[0]
    psi, at = _likelihood(result)
    best = optimize.minimize_scalar(
        lambda log: -stats.gamma.logpdf(result.model.endog, np.exp(log), scale=result.mu / np.exp(log)).sum(),
        bounds=(0, 10),
        method="bounded",
    )
    assert at(psi) == pytest.approx(-best.fun, rel=1e-8)


def test_several_equations():
    """MNLogit: terms are named by equation, in the order of its covariance matrix; D3 needs the restricted model."""
    frames = [frame.assign(third=pd.cut(frame["chl"], [0, 170, 200, 999], labels=False)) for frame in FRAMES]

    def fits(formula):
        return [smf.mnlogit(formula, frame).fit(disp=0) for frame in frames]

    general, restricted = emimpute.pool(fits("third ~ bmi")), emimpute.pool(fits("third ~ 1"))
    one = fits("third ~ bmi")[0]
    assert general.terms.tolist() == [(0, "Intercept"), (0, "bmi"), (1, "Intercept"), (1, "bmi")]
    np.testing.assert_array_equal(general.estimates[0], one.params.to_numpy().ravel(order="F"))
    np.testing.assert_allclose(
        np.sqrt(np.diag(general.covariances[0])), one.bse.to_numpy().ravel(order="F"), rtol=1e-12
    )
    d1 = general.test()
    assert d1.df1 == 2
    assert d1 == general.test([(0, "bmi"), (1, "bmi")])
    assert general.test((1, "bmi")).df1 == 1
    d3, d4 = (general.test(method=method, restricted=restricted) for method in ("D3", "D4"))
    assert d3.df1 == d4.df1 == 2
    assert d3.p == pytest.approx(d4.p, abs=0.1)
    with pytest.raises(emimpute.EMImputeError, match=r"no column of the design.*restricted="):
        general.test(method="D3")
    assert "bmi" in repr(general)


@pytest.fixture(scope="module")
def repeated():
    """Twelve people, ten times each; y with noise of its own in each frame."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(12), 10)
    base = pd.DataFrame({"person": person, "x": rng.standard_normal(120), "z": rng.standard_normal(120)})
    of_person = rng.standard_normal(12)[person]
    noise = rng.standard_normal(120)
    return [base.assign(y=base["x"] + of_person + noise + 0.3 * rng.standard_normal(120)) for _ in range(4)]


def test_thresholds_are_parameters(repeated):
    """OrderedModel: pooled with its thresholds; D3 needs the restricted model, as arrays alone do not make it anew."""
    frames = [frame.assign(grade=pd.cut(frame["y"], [-99, -1, 1, 99], labels=False)) for frame in repeated]

    def pool(names):
        fits = [OrderedModel(f["grade"], f[names], distr="logit").fit(disp=0, method="bfgs") for f in frames]
        return emimpute.pool(fits)

    general, restricted = pool(["x", "z"]), pool(["x"])
    assert general.terms.tolist() == ["x", "z", "0/1", "1/2"]
    found = general.test(method="D3", restricted=restricted)
    assert found.df1 == 1
    assert found.p == pytest.approx(general.test(["z"]).p, abs=0.05)
    with pytest.raises(emimpute.EMImputeError, match=r"cannot be fitted anew.*restricted="):
        general.test(["z"], method="D3")


def test_mixed_models_are_pooled_but_have_no_d3(repeated):
    """MixedLM profiles its variances: its likelihood at given parameters is not to be had."""
    found = emimpute.pool([smf.mixedlm("y ~ x + z", frame, groups="person").fit() for frame in repeated])
    assert found.terms.tolist() == ["Intercept", "x", "z", "person Var"]
    assert found.test(["x", "z"]).df1 == 2
    for method in ("D3", "D4"):
        with pytest.raises(emimpute.EMImputeError, match=r"MixedLM.*is not known"):
            found.test(["z"], method=method)


@pytest.mark.parametrize("name", ["negativebinomial", "quantreg", "rlm", "gee", "phreg"])
def test_every_other_model(repeated, name):
    """Is pooled; where it has a likelihood at given parameters it has D3, elsewhere a sentence."""
    frames = [frame.assign(count=lambda t: np.exp(t["y"]).round(), time=lambda t: np.exp(t["y"])) for frame in repeated]
    model = getattr(smf, name)
    formula = {"negativebinomial": "count ~ x + z", "phreg": "time ~ x + z"}.get(name, "y ~ x + z")
    more = {"groups": "person"} if name == "gee" else {}
    options = {"disp": 0} if name == "negativebinomial" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels' own, of its search
        found = emimpute.pool([model(formula, data=frame, **more).fit(**options) for frame in frames])
        assert np.isfinite(found.params["se"]).all()
        assert found.test(["z"]).df1 == 1
        if name in {"negativebinomial", "phreg"}:
            assert found.test(["z"], method="D3").p == pytest.approx(found.test(["z"]).p, abs=0.1)
        else:
            with pytest.raises(emimpute.EMImputeError, match="at given parameters is not known"):
                found.test(["z"], method="D3")


def test_refusals():
    """Each in a sentence."""
    general, other = pooled(smf.ols, "chl ~ age + bmi"), pooled(smf.ols, "bmi ~ age")
    bare = dataclasses.replace(general, results=())
    matrix = np.array([[0.0, 1.0, -1.0]])
    for call, words in (
        (lambda: bare.test(method="D3"), "only estimates and covariances"),
        (lambda: general.test(method="D3", restricted=bare), "only estimates and covariances"),
        (lambda: general.test(method="D3", restricted=other), "imputation 1 .* same outcome"),
        (lambda: other.test(method="D3", restricted=pooled(smf.ols, "bmi ~ age + hyp")), "fewer parameters"),
        (lambda: other.test(method="D3", restricted=other), "fewer parameters"),
        (lambda: general.test(method="D3", restricted=pooled(smf.ols, "chl ~ hyp")), "it is not nested"),
        (lambda: general.test(matrix, method="D3"), "each once, are 0.*restricted="),
        (lambda: general.test(["age"], value=1.0, method="D4"), "each once, are 0"),
        (lambda: general.test(["age"], method="D3", restricted=other), "in the place of names"),
        (lambda: general.test(method="D3", restricted=3), "is a Pooled of the same 10"),
        (lambda: general.test(method="D1", restricted=other), "belongs to D3 and D4"),
        (lambda: general.test(["Intercept", "age", "bmi"], method="D3"), "no column is left"),
        (lambda: general.test(method="D5"), "no test 'D5'"),
    ):
        with pytest.raises(emimpute.EMImputeError, match=words):
            call()
