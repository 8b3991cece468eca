"""Diagnostics against other software, against EM itself, and against each other; and what they say in odd cases."""

from __future__ import annotations

import functools
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import references
from tables import distance, joint, latent

import emimpute
from emimpute.em import Stop
from emimpute.inference.complete import Law
from emimpute.inference.standing import diagnostics
from emimpute.inference.standing.diagnostics import Diagnostics, Ran, diagnose
from emimpute.models.mvn import MVN, Normal

RATE = 1e-8  # error of the rate in closed form: the estimate is within 1e-6 of the maximum, and the rate is smooth
FRACTION = 1e-7  # of a fraction of missing information, likewise; columns are nearly collinear in some cases
PATHS = 1e-6  # difference of the two ways to the rate: the one without a matrix has differences for derivatives
TIED = "selfreport_num"  # two directions have the least information, and Lanczos finds some mixture of them
COLUMNS = ["missing_information", "coefficient", "correlation"]

ML = [name for name in references.cases("ml") if "em_rate_exact" in references.load(name).expected]


@functools.cache
def fitted(name: str, prior: float | str | None = "fallback") -> emimpute.Fit:
    """The fit of a case, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return emimpute.fit(references.load(name).frame, prior=prior)


def both(fit: emimpute.Fit) -> tuple[Diagnostics, Diagnostics]:
    """In closed form, and by Lanczos."""
    ran = Ran(fit.tol, fit.n_iter, fit.n_check, fit.converged)
    dense, other = (diagnose(fit.law, fit.data, fit.weights, fit.prior, ran, dense=dense) for dense in (True, False))
    return dense, other


def of_those_that_count(fraction: np.ndarray, name: str) -> np.ndarray:
    """Fractions of the references, which count rows with nothing observed as missing information: we leave them out."""
    case = references.load(name)
    return 1 - (1 - np.asarray(fraction)) * len(case.frame) / case.frame.notna().any(axis=1).sum()


@pytest.mark.parametrize("name", ML)
def test_the_rate_is_the_references(name):
    """The largest eigenvalue of the complete information's inverse times the missing one, at the ML."""
    exact = of_those_that_count(references.load(name).expected["em_rate_exact"], name)
    assert fitted(name).diagnostics.rate == pytest.approx(float(exact), rel=0, abs=RATE)


@pytest.mark.parametrize("name", ML)
def test_fractions_are_the_references(name):
    """One for each mean, variance and covariance: means first, then the lower triangle column by column."""
    expected = references.load(name).expected["fmi_observed"]
    exact = of_those_that_count(expected["mu"] + expected["vechSigma"], name)
    np.testing.assert_allclose(fitted(name).diagnostics.missing_information, exact, rtol=0, atol=FRACTION)


def test_norm2s_worst_fraction():
    """Which norm2 prints for its own example."""
    assert f"{fitted('cholesterol').diagnostics.rate:.4f}" == "0.4658"


@pytest.mark.parametrize("name", ["flas", *ML])
def test_both_ways_agree(name):
    """Lanczos on E-steps and the closed form: the rate, the function, and what follows from them."""
    dense, other = both(fitted(name))
    assert other.rate == pytest.approx(dense.rate, rel=0, abs=PATHS)
    assert other.worst == dense.worst
    assert other.definite
    assert dense.definite
    assert other.score == dense.score
    if name != TIED:
        np.testing.assert_allclose(other.parameters["correlation"], dense.parameters["correlation"], atol=5e-3)
    assert other.condition == pytest.approx(dense.condition, rel=0.02)
    assert other.remaining == pytest.approx(dense.remaining, rel=0.2, abs=1e-12)
    assert other.esteps_saved == pytest.approx(dense.esteps_saved, rel=0.01, abs=5)
    assert other.missing_information.isna().all()
    assert any("too large" in note for note in other.notes)


def test_norm2s_hard_example():
    """Where norm2's power method fails, both ways settle on .9983, and say which covariance it is about."""
    for found in both(fitted("flas", 0.5)):
        assert found.rate == pytest.approx(0.9983, abs=5e-5)
        assert found.worst == "the covariance of 'GRD' with 'LAN4'"
        assert not any("settle" in note for note in found.notes)
    assert both(fitted("flas", 0.5))[0].parameters["missing_information"].idxmax() == ("cov", "GRD", "LAN4")


def test_lanczos_takes_few_e_steps(monkeypatch):
    """On that example, in the dozens, and not the thousands that EM would take."""
    taken = []
    settle = diagnostics.lanczos
    monkeypatch.setattr(diagnostics, "lanczos", lambda *a, **k: taken.append(settle(*a, **k)) or taken[-1])
    both(fitted("flas", 0.5))
    assert taken[0].settled
    assert taken[0].products <= 20


@pytest.mark.parametrize(("name", "prior"), [("nhanes", None), ("missvals", 3), ("flas", "fallback"), ("marijuana", 3)])
def test_plain_em_has_the_rate(name, prior):
    """Its steps near the fixed point shrink by the rate, with a prior (in both forms) and without."""
    fit = fitted(name, prior)
    x = fit.data[list(fit.cov)].to_numpy(float)
    problem = joint(latent(x), None, fit.prior)
    at = Normal(
        (fit.mean.to_numpy() - problem.centre) / problem.scale, fit.cov / np.outer(problem.scale, problem.scale)
    )
    chart = problem.chart(Normal(at.mean, np.asarray(at.cov)))
    side = 1e-4 * np.random.default_rng(0).standard_normal(len(chart.to_vector(problem.start())))
    params, lengths = chart.from_vector(side), []
    for _ in range(400):
        previous, params = params, problem.maximize(problem.expect(params)[0])
        lengths.append(np.linalg.norm(chart.to_vector(params) - chart.to_vector(previous)))
        if lengths[-1] < 1e-9:
            break
    ratio = lengths[-1] / lengths[-2]
    assert ratio == pytest.approx(fit.diagnostics.rate, rel=2e-3)


@pytest.mark.parametrize("name", ["nhanes", "missvals", "boys_num", "tao", "sim_mar8", "africa_num"])
def test_plain_em_takes_about_as_long_as_told(name):
    """E-steps from the default start until within tol of the maximum, predicted to 15 % and 3."""
    fit = fitted(name)
    problem = joint(latent(fit.data.to_numpy(float)))
    scale = problem.scale
    goal = Normal((fit.mean.to_numpy() - problem.centre) / scale, fit.cov.to_numpy() / np.outer(scale, scale))
    params, esteps = problem.start(), 1
    while distance(params, goal) > fit.tol:
        params, esteps = problem.maximize(problem.expect(params)[0]), esteps + 1
    assert fit.diagnostics.esteps_saved + fit.n_iter == pytest.approx(esteps, rel=0.15, abs=3)


@pytest.mark.parametrize("prior", [None, 3])
def test_the_worst_function_by_the_complete_data_covariance(prior):
    """Coefficients have standard error 1 and the stated correlations with all parameters, in the data's units."""
    fit = fitted("nhanes", prior)
    found, cov, n = fit.diagnostics.parameters, fit.cov.to_numpy(), fit.nobs
    d = len(cov)
    column, row = np.triu_indices(d)
    more = 0 if prior is None else fit.prior.df + fit.prior.extra(d)
    of_cov = cov[np.ix_(row, row)] * cov[np.ix_(column, column)] + cov[np.ix_(row, column)] * cov[np.ix_(column, row)]
    variance = np.zeros((len(found), len(found)))
    variance[:d, :d], variance[d:, d:] = cov / n, of_cov / (n + more)
    w = found["coefficient"].to_numpy()
    assert w @ variance @ w == pytest.approx(1, rel=1e-9)
    np.testing.assert_allclose(found["correlation"], variance @ w / np.sqrt(np.diag(variance)), atol=1e-9)
    assert found["correlation"].abs().max() == found["correlation"].max()


def test_nothing_depends_on_units_or_order():
    """But the coefficients, which are in units."""
    frame = references.load("nhanes").frame
    turned = (frame * [1e3, -2.0, 1e-4, 5.0] + [0.0, 1e4, 3.0, -1.0])[frame.columns[[2, 0, 3, 1]]]
    one, other = frame.em.fit().diagnostics, turned.em.fit().diagnostics
    for name in ("rate", "condition"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9)
    assert one.worst == other.worst
    for (parameter, x, y), fraction in one.missing_information.items():
        keys = [(parameter, x, y), (parameter, y, x)]
        key = next(key for key in keys if key in other.missing_information.index)
        assert other.missing_information[key] == pytest.approx(fraction, abs=1e-9)


def test_weights_are_kept():
    """A row of weight 2 counts as two rows, here too."""
    frame = references.load("nhanes").frame
    weights = np.where(np.arange(len(frame)) % 3 == 0, 2.0, 1.0)
    weighted = frame.em.fit(weights=weights)
    repeated = frame.loc[frame.index.repeat(weights.astype(int))].em.fit()
    weights[:] = 0.0  # a later edit does not reach the fit
    pd.testing.assert_frame_equal(
        weighted.diagnostics.parameters, repeated.diagnostics.parameters, check_exact=False, rtol=1e-6, atol=1e-8
    )
    assert weighted.diagnostics.rate != pytest.approx(frame.em.fit().diagnostics.rate, rel=1e-3)


@pytest.mark.parametrize("most", [4, 6, 9])
def test_remaining_is_the_distance(most):
    """Of a run cut short, to a factor of 2 where the point is near."""
    case = references.load("nhanes")
    with pytest.warns(emimpute.ConvergenceWarning):
        fit = emimpute.fit(case.frame, max_iter=most)
    found = fit.diagnostics
    true = distance(Normal(fit.mean.to_numpy(), fit.cov.to_numpy()), Normal(case.mean.to_numpy(), case.cov.to_numpy()))
    if found.definite and true < 0.3:
        assert true / 2 < found.remaining < 2 * true
    else:
        assert np.isnan(found.remaining) or found.remaining > 0.1
    assert "did not converge" in found.notes[0]
    assert np.isnan(found.esteps_saved)
    assert found.score > 1e-6


@pytest.mark.parametrize("name", ["flas", "filematch_hs"])
def test_a_flat_likelihood_determines_some_parameters(name):
    """Fractions of missing information are 1 exactly where the reference says that the data do not determine."""
    fit, case = fitted(name, None), references.load(name)
    found = fit.diagnostics
    assert fit.stop is Stop.FLAT
    assert (found.rate, found.definite, found.condition) == (1.0, False, np.inf)
    assert np.isnan(found.esteps_saved)
    assert "flat" in found.notes[1]
    row_column = [(x, y) for kind, x, y in found.missing_information.index if kind == "cov"]
    known = [*case.identified_mean, *(case.identified.loc[x, y] for x, y in row_column)]
    assert (found.missing_information < 1).tolist() == known
    assert both(fit)[1].rate == 1.0
    assert both(fit)[1].worst.startswith("the covariance of")


def test_an_unbounded_likelihood_has_no_information():
    """At the edge of the parameter space there is nothing to tell, and that is told."""
    fit = fitted("marijuana", 0.0)
    assert fit.stop is Stop.UNBOUNDED
    found = fit.diagnostics
    assert not found.definite
    assert np.isnan([found.rate, found.remaining, found.condition, *found.missing_information]).all()
    assert found.worst == ""
    assert "edge of the parameter space" in repr(found)


def test_a_saddle_is_no_maximum():
    """Murray's example (1977) without correlation: EM stands still there, and the information is indefinite."""
    nan = np.nan
    square = [[1, 1], [1, -1], [-1, 1], [-1, -1]]
    x = np.array([*square, *[[2, nan]] * 2, *[[-2, nan]] * 2, *[[nan, 2]] * 2, *[[nan, -2]] * 2])
    df = pd.DataFrame(x, columns=["x", "y"])
    fit = df.em.fit()
    fit = replace(fit, law=Law(fit.law.table, MVN(), Normal(-_origin(fit), np.diag([2.5, 2.5]))))
    for found in both(fit):
        assert found.score < 1e-9
        assert not found.definite
        assert np.isnan(found.rate)
        assert np.isnan(found.remaining)
        assert found.worst == "the covariance of 'y' with 'x'"
        assert "no maximum" in " ".join(found.notes)


def _origin(fit: emimpute.Fit) -> np.ndarray:
    return np.asarray(fit.law.table.shift, dtype=float)


@pytest.mark.parametrize(
    ("df", "parameters"),
    [
        (pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 3.0, 2.0]}), 5),
        (pd.DataFrame({"x": [1.0, 2.0, np.nan]}), 2),
        (pd.DataFrame({"x": [1.0, 1.0, np.nan]}), 0),
    ],
    ids=["complete", "one column", "constant"],
)
def test_where_nothing_is_missing(df, parameters):
    """Complete data, one column (a gap there is a row with nothing observed), constants only: all rates are 0."""
    found = df.em.fit().diagnostics
    assert (found.rate, found.definite, found.condition, found.remaining) == (0.0, True, 1.0, 0.0)
    assert found.missing_information.tolist() == [0.0] * parameters
    assert (found.worst, found.esteps_saved) == ("", 0.0)
    assert len(found.notes) == 1
    assert "worst" not in repr(found)
    assert "0" in found._repr_html_()


def test_complete_columns_miss_nothing():
    """Exactly, not to rounding."""
    fractions = fitted("africa_num").diagnostics.missing_information
    complete = fitted("africa_num").data[fitted("africa_num").cov.columns].notna().all()
    assert (fractions["mean"].droplevel(1)[complete[complete].index] == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_tied_directions_do_not_depend_on_the_order_of_columns(seed):
    """Of directions with equal information the one is meant that is nearest to a parameter."""
    frame = references.load(TIED).frame
    other = frame.sample(frac=1, axis=1, random_state=seed).em.fit().diagnostics
    assert {*re.findall("'(.*?)'", other.worst)} == {*re.findall("'(.*?)'", fitted(TIED).diagnostics.worst)}
    mine, others = (np.sort(found.parameters["correlation"]) for found in (fitted(TIED).diagnostics, other))
    np.testing.assert_allclose(mine, others, atol=1e-6)


def test_a_file_has_no_data():
    """A fit that was read says what to do instead."""
    fit = emimpute.read_json(fitted("nhanes").to_json())
    with pytest.raises(emimpute.EMImputeError, match=r"diagnostics needs the data\. Fit the data anew"):
        _ = fit.diagnostics


def test_a_chain_keeps_them():
    """The fit that a callable receives has its data, and its weights."""
    frame = references.load("nhanes").frame
    fits: list[emimpute.Fit] = []
    frame.assign(w=np.arange(25) % 2 + 1).em.impute(weights="w", report=fits.append)
    again = frame.em.fit(weights=np.arange(25) % 2 + 1)
    assert fits[0].diagnostics.rate == again.diagnostics.rate


def test_they_are_computed_once_and_do_not_change():
    """The same object at every access, the same bits in every fit."""
    frame = references.load("nhanes").frame
    one, other = frame.em.fit(), frame.em.fit()
    assert one.diagnostics is one.diagnostics
    mine = one.diagnostics.missing_information
    mine.iloc[:] = 0.0
    pd.testing.assert_frame_equal(one.diagnostics.parameters, other.diagnostics.parameters, check_exact=True)
    assert repr(one.diagnostics) == repr(other.diagnostics)


def test_a_large_table_takes_the_other_way(monkeypatch):
    """Chosen by size, and said."""
    monkeypatch.setattr(diagnostics, "_PARAMETERS", 3)
    found = emimpute.fit(references.load("nhanes").frame).diagnostics
    assert found.missing_information.isna().all()
    assert found.notes == ("The information is too large to be formed: fractions of single parameters are not known.",)
    assert "Most missing" not in repr(found)
    monkeypatch.setattr(diagnostics, "_BUDGET", 2)
    assert "did not settle in 2 E-steps" in repr(emimpute.fit(references.load("nhanes").frame).diagnostics)


def test_other_models_are_refused():
    """What is not a normal distribution has no information here."""

    class Other(MVN):
        name = "other"

        def bind(self, *bound):
            return bound

    fit = fitted("nhanes")
    with pytest.raises(emimpute.EMImputeError, match="'other'"):
        _ = replace(fit, law=Law(fit.law.table, Other(), fit.law.params)).diagnostics


def test_the_index_is_that_of_the_parameters():
    """Means, then the lower triangle column by column; labels may be anything, and repeat."""
    frame = references.load("cholesterol").frame.set_axis(list("xyz"), axis=1)
    index = frame.em.fit().diagnostics.parameters.index
    assert index.names == ["parameter", "column", "column2"]
    assert index.tolist() == [
        *(("mean", x, "") for x in "xyz"),
        *(("cov", *xy) for xy in ("xx", "yx", "zx", "yy", "zy", "zz")),
    ]
    found = frame.set_axis([("a", 1), 7, ("a", 1)], axis=1).em.fit().diagnostics
    assert found.parameters.index.get_level_values("column").tolist()[:3] == [("a", 1), 7, ("a", 1)]
    twice = frame.set_axis(["<b>", "a", "a"], axis=1).em.fit().diagnostics
    assert "the covariance of 'a' with 'a'" in repr(twice)
    assert "the variance of 'a'" in repr(twice)
    assert "<b>" not in twice._repr_html_()


def test_every_number_is_in_a_frame():
    """A row each, in the order of the screen."""
    found = fitted("nhanes").diagnostics
    frame = found.to_frame()
    assert list(frame) == ["value", "meaning"]
    assert frame.index.name == "diagnostic"
    for name, value in frame["value"].items():
        assert getattr(found, name) == value
        assert f"\n{name:<13} " in f"\n{found!r}"
    assert list(found.parameters) == COLUMNS


GOLDEN = """\
rate          0.5           largest fraction of missing information: the rate of plain EM
worst         the mean of 'x'
score         1e-09         length of the gradient, per row
definite      True          whether the observed information is positive definite
condition     2             of the observed information, relative to the complete data's
remaining     2e-09         estimated distance to the maximum (sd and correlation units)
n_iter        12            E-steps of the fit
n_check       3             E-steps of its closing checks
esteps_saved  -1            E-steps that plain EM would have needed besides
Most missing information:
  0.5000      the mean of 'x'
  0.2500      the variance of 'x'
One sentence."""


def test_golden():
    index = pd.MultiIndex.from_tuples([("mean", "x", ""), ("cov", "x", "x")], names=["parameter", "column", "column2"])
    parameters = pd.DataFrame([[0.5, 1.0, 1.0], [0.25, 0.0, 0.0]], index=index, columns=COLUMNS)
    found = Diagnostics(0.5, "the mean of 'x'", parameters, 1e-9, True, 2.0, 2e-9, 3, 12, -1.0, ("One sentence.",))
    assert repr(found) == GOLDEN


def test_one_screen():
    """However many columns there are, and however long their names."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 25))
    x[rng.random(x.shape) < 0.1] = np.nan
    found = pd.DataFrame(x, columns=[f"{'long ' * 20}{i}" for i in range(25)]).em.fit().diagnostics
    lines = repr(found).split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


def test_the_summary_tells_them_once_they_are_known():
    """To print takes no E-step."""
    fit = emimpute.fit(references.load("boys_num").frame)
    before = fit.summary()
    assert "Rate of EM" not in before
    plain, left = fit.diagnostics.esteps_saved + fit.n_iter, f"estimated {fit.diagnostics.remaining:.1e}"
    added = [line for line in fit.summary().split("\n") if line not in before.split("\n")]
    assert added == [
        "Rate of EM:     0.992531, the largest fraction of missing information; plain EM would have needed",
        f"                about {plain:.0f} E-steps",
        f"Information:    positive definite, condition number 134; distance to the maximum {left}",
        "Slowest:        the variance of 'tv'",
    ]
    assert "the variance of &#x27;tv&#x27;" in fit._repr_html_()
