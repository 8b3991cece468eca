"""Standard errors against other software and against brute force; intervals, functions, scores; and odd cases."""

from __future__ import annotations

import functools
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import references
from mixedtables import mixed
from scipy.special import ndtri
from scipy.stats import norm
from tables import correlated, density

import emimpute
from emimpute.inference.complete import Law
from emimpute.inference.standing import params, points
from emimpute.models.boxes import given
from emimpute.models.mvn import Normal

REFERENCE = 1e-8  # relative error of a standard error; estimates are within 1e-6 of the maximum
DIFFERENCES = 1e-6  # relative error of derivatives by differences, in units of sd
DELTA = 1e-8  # relative error of the delta method's derivatives

ML = [name for name in references.cases("ml") if "se_observed" in references.load(name).expected]


@functools.cache
def fitted(name: str, prior: float | str | None = "fallback") -> emimpute.Fit:
    """The fit of a case, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return emimpute.fit(references.load(name).frame, prior=prior)


def gappy(seed: int = 0, n: int = 60, d: int = 3, gone: float = 0.25) -> pd.DataFrame:
    """A table of numbers with gaps, one row empty."""
    rng = np.random.default_rng(seed)
    x = correlated(rng, n, d)
    x[rng.random(x.shape) < gone] = np.nan
    x[n // 2] = np.nan
    return pd.DataFrame(x, columns=list("abcdefg"[:d]), index=[f"r{i}" for i in range(n)])


def vector(mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Means, then the lower triangle column by column."""
    return np.concatenate([mean, np.concatenate([cov[j:, j] for j in range(len(cov))])])


def matrices(theta: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """And back."""
    cov, at = np.zeros((d, d)), d
    for j in range(d):
        cov[j:, j] = cov[j, j:] = theta[at : at + d - j]
        at += d - j
    return theta[:d], cov


def row_logliks(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Log density of what each row (n, d) shows."""
    mean, cov = matrices(theta, x.shape[1])
    found = np.zeros(len(x))
    for i, row in enumerate(x):
        o = ~np.isnan(row)
        if o.any():
            found[i] = density(row[o] - mean[o], cov[np.ix_(o, o)])
    return found


def by_differences(function, theta: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Derivatives (..., p), of the fourth order."""
    columns = []
    for k, s in enumerate(size):
        side = np.zeros(len(theta))
        side[k] = s
        wide = (function(theta + side) - function(theta - side)) / (2 * s)
        narrow = (function(theta + side / 2) - function(theta - side / 2)) / s
        columns.append((4 * narrow - wide) / 3)
    return np.stack(columns, axis=-1)


def units(fit: emimpute.Fit) -> np.ndarray:
    """Size of each mean and covariance."""
    sd = np.sqrt(np.diag(fit.cov))
    return vector(sd, np.outer(sd, sd))


# Against other software


@pytest.mark.parametrize("cov_type", ["observed", "expected"])
@pytest.mark.parametrize("name", ML)
def test_errors_are_the_references(name, cov_type):
    """Of the observed and the expected information, where lavaan and a 200-bit computation agree."""
    expected = references.load(name).expected[f"se_{cov_type}"]
    found = fitted(name).standard_errors(cov_type)
    both = np.concatenate([found["mean"], found["cov"]])
    np.testing.assert_allclose(both, expected["mu"] + expected["vechSigma"], rtol=REFERENCE)


def test_the_references_have_problems_with_factored_columns():
    """And closed forms: standard errors do not depend on how the maximum was found."""
    engines = [fitted(name).engine for name in ML]
    assert sum("factored" in engine for engine in engines) >= 3
    assert sum("closed form" in engine for engine in engines) >= 3


@pytest.mark.parametrize(("name", "prior"), [*((name, "fallback") for name in ML), ("missvals", 3), ("flas", 0.5)])
def test_fractions_are_those_of_the_diagnostics(name, prior):
    """With a prior too, whose complete data count for more rows."""
    fit = fitted(name, prior)
    found = fit.params["fmi"]
    both = np.concatenate([found["mean"], found["cov"]])
    np.testing.assert_allclose(both, fit.diagnostics.missing_information, atol=1e-7)


# Against brute force


@pytest.mark.parametrize("away", [0.0, 0.2], ids=["at the maximum", "elsewhere"])
def test_scores_and_information_are_the_derivatives(away):
    """Of each row's density, by differences; where the gradient is not 0 too."""
    fit = emimpute.fit(gappy(), tol=1e-9)
    side = np.diag(1 + away * np.arange(3))
    beside = Normal(fit.law.params.mean + away, side @ fit.law.params.cov @ side)
    fit = replace(fit, law=replace(fit.law, params=beside))
    x, theta, size = fit.data.to_numpy(), vector(fit.mean.to_numpy(), fit.cov.to_numpy()), units(fit)
    scores = by_differences(lambda at: row_logliks(x, at), theta, 1e-3 * size)
    np.testing.assert_allclose(fit.scores() * size, scores * size, atol=DIFFERENCES)
    assert fit.scores().index.equals(fit.data.index)
    assert fit.scores().columns.equals(fit.information().columns)
    assert (fit.scores().loc["r30"] == 0).all()
    total = np.abs(fit.scores().sum() * size).max()
    assert total > 1 if away else total < 1e-6

    def gradient(at: np.ndarray) -> np.ndarray:
        own = replace(fit.law, params=Normal(*own_units(fit, at)))
        return params.stand(own, fit.data, None, None, converged=True).scores().sum().to_numpy()

    hessian = by_differences(gradient, theta, 1e-3 * size)
    scale = np.outer(size, size)
    np.testing.assert_allclose(fit.information() * scale, -hessian * scale, atol=DIFFERENCES * fit.nobs)


def own_units(fit: emimpute.Fit, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means as the law has them, without the columns' shift."""
    mean, cov = matrices(theta, len(fit.cov))
    return mean - np.asarray(fit.law.table.shift, dtype=float), cov


def test_expected_information_is_the_mean_over_data_of_the_same_patterns():
    """Of the observed one, over tables drawn at the estimate with the gaps where they were."""
    fit = emimpute.fit(gappy(n=40))
    rng, size, gaps = np.random.default_rng(1), units(fit), fit.data.isna().to_numpy()
    total = []
    for _ in range(150):
        x = rng.multivariate_normal(fit.mean, fit.cov, size=len(gaps))
        x[gaps] = np.nan
        own = pd.DataFrame(x, columns=fit.data.columns)
        # the law counts from an origin in the data it was learned from, and so does everything here
        total.append(params.stand(fit.law, own, None, None, converged=True).information() * np.outer(size, size))
    mean, error = np.mean(total, axis=0), np.std(total, axis=0) / np.sqrt(len(total))
    expected = fit.information("expected").to_numpy() * np.outer(size, size)
    np.testing.assert_array_less(np.abs(mean - expected), 5 * error + 1e-6)
    assert (error < 0.1 * np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))).all()


def test_sandwich_by_brute_force():
    """I⁻¹ (Σ s sᵀ) I⁻¹ with scores by differences of the density; with weights they are within s."""
    df = gappy(3, n=80)
    df["w"] = np.random.default_rng(0).integers(0, 4, len(df)).astype(float)
    fit = emimpute.fit(df, weights="w", tol=1e-9)
    x, w = df[["a", "b", "c"]].to_numpy(), df["w"].to_numpy()
    theta = vector(fit.mean.to_numpy(), fit.cov.to_numpy())
    s = w[:, None] * by_differences(lambda at: row_logliks(x, at), theta, 1e-3 * units(fit))
    bread = np.linalg.inv(fit.information().to_numpy())
    expected = np.sqrt(np.diag(bread @ s.T @ s @ bread))
    found = fit.standard_errors("sandwich")
    np.testing.assert_allclose(np.concatenate([found["mean"], found["cov"]]), expected, rtol=1e-6)
    np.testing.assert_allclose(fit.cov_params("sandwich").to_numpy().diagonal(), found**2)
    assert np.isclose(np.linalg.inv(bread), fit.information()).all()


def test_a_weight_is_so_many_rows():
    """Observed information with case weights is that of the rows repeated."""
    df = gappy(4)
    times = np.random.default_rng(0).integers(0, 4, len(df))
    one = emimpute.fit(df, weights=times.astype(float), tol=1e-9)
    other = emimpute.fit(df.loc[df.index.repeat(times)], tol=1e-9)
    pd.testing.assert_frame_equal(one.params, other.params, rtol=1e-7)
    pd.testing.assert_series_equal(one.standard_errors("expected"), other.standard_errors("expected"), rtol=1e-7)
    assert (one.standard_errors("sandwich") > 1.1 * other.standard_errors("sandwich")).all()


def test_under_a_prior_the_curvature_of_the_log_posterior():
    """Information in natural units is the data's, at the mode, and the prior's."""
    df = gappy(n=25, d=2)
    fit = emimpute.fit(df, prior=3, tol=1e-9)
    theta, size = vector(fit.mean.to_numpy(), fit.cov.to_numpy()), units(fit)
    x, delta = df.to_numpy(), df.var().to_numpy()
    d = len(delta)

    def logpost(at: np.ndarray) -> float:
        cov = matrices(at, d)[1]
        ridge = (3 + d + 1) * np.linalg.slogdet(cov)[1] + 3 * delta @ np.diag(np.linalg.inv(cov))
        return row_logliks(x, at).sum() - ridge / 2

    def gradient(at: np.ndarray) -> np.ndarray:
        return by_differences(logpost, at, 3e-3 * size)

    hessian = by_differences(gradient, theta, 3e-3 * size)
    scale = np.outer(size, size)
    np.testing.assert_allclose(fit.information() * scale, -hessian * scale, atol=1e-4)
    assert "posterior mode" in " ".join(fit.params.attrs["notes"])
    assert (fit.standard_errors()["mean"] < emimpute.fit(df).standard_errors()["mean"]).all()
    # the rows' scores and the prior's gradient add to nothing
    x_scores = fit.scores().sum() * size
    prior = by_differences(lambda at: logpost(at) - row_logliks(x, at).sum(), theta, 1e-3 * size) * size
    np.testing.assert_allclose(x_scores, -prior, atol=1e-5)
    s = fit.scores().to_numpy()
    s = s + np.where(df.notna().any(axis=1), 1.0, 0.0)[:, None] * (-s.sum(axis=0) / fit.nobs)
    bread = np.linalg.inv(fit.information().to_numpy())
    found = fit.standard_errors("sandwich")
    expected = np.sqrt(np.diag(bread @ s.T @ s @ bread))
    np.testing.assert_allclose(np.concatenate([found["mean"], found["cov"]]), expected, rtol=1e-6)


def test_complete_data_have_textbook_errors():
    """Var of a mean σ²/n, of a variance 2σ⁴/n, of a correlation (1 - ρ²)²/n; nothing is missing."""
    x = pd.DataFrame(correlated(np.random.default_rng(0), 50, 2), columns=["x", "y"])
    fit = emimpute.fit(x)
    rho, var = fit.corr.loc["x", "y"], np.diag(fit.cov)
    for cov_type in ("observed", "expected"):
        found = fit.standard_errors(cov_type)
        np.testing.assert_allclose(found["mean"], np.sqrt(var / 50))
        assert found["cov", "x", "x"] == pytest.approx(var[0] * np.sqrt(2 / 50))
        assert found["corr", "y", "x"] == pytest.approx((1 - rho**2) / np.sqrt(50))
    assert (fit.params["fmi"] == 0).all()
    found = fit.information("complete")
    pd.testing.assert_frame_equal(found, fit.information())
    fourth = ((x["x"] - x["x"].mean()) ** 2).var(ddof=0)
    assert fit.standard_errors("sandwich")["cov", "x", "x"] == pytest.approx(np.sqrt(fourth / 50))


# The table


def test_the_table_is_as_promised():
    """Columns, names and order of rows; estimates are the fit's."""
    fit = emimpute.fit(gappy())
    found = fit.params
    assert list(found) == ["estimate", "se", "ci_low", "ci_high", "fmi"]
    assert found.index.names == ["parameter", "column", "column2"]
    lower = [("a", "a"), ("b", "a"), ("c", "a"), ("b", "b"), ("c", "b"), ("c", "c")]
    expected = [("mean", x, "") for x in "abc"] + [("cov", x, y) for x, y in lower]
    assert found.index.tolist() == expected + [("corr", x, y) for x, y in lower if x != y]
    for name, x, y in found.index:
        source = fit.mean[x] if name == "mean" else getattr(fit, name).loc[x, y]
        assert found.loc[(name, x, y), "estimate"] == pytest.approx(source, rel=1e-12)
    pd.testing.assert_series_equal(found["se"], fit.standard_errors(), check_names=False)
    assert found.attrs["cov_type"] == "observed"
    assert found.attrs["notes"] == ()
    found.iloc[:, :] = 0.0  # is the caller's own
    assert (fit.params["se"] > 0).all()


def test_intervals():
    """Normal for means and covariances, on the log scale for variances, Fisher's z for correlations."""
    found = emimpute.fit(gappy()).params
    z = norm.ppf(0.975)
    for row in found.itertuples():
        name, x, y = row.Index
        if name == "corr":
            side = z * row.se / (1 - row.estimate**2)
            expected = np.tanh(np.arctanh(row.estimate) + np.array([-side, side]))
        elif name == "cov" and x == y:
            expected = np.exp(np.log(row.estimate) + z * row.se / row.estimate * np.array([-1, 1]))
        else:
            expected = row.estimate + z * row.se * np.array([-1, 1])
        np.testing.assert_allclose([row.ci_low, row.ci_high], expected, rtol=1e-12)


def test_units_and_order_change_nothing_else():
    """Errors have the units of what they are errors of; nearly collinear columns and large means are no trouble."""
    df = gappy(d=4)
    df["d"] = df["a"] + 1e-2 * df["d"]
    one = emimpute.fit(df, tol=1e-8).params
    moved = (df * [1e6, 1e-6, 1, 1] + [1e9, 0, 0, 0])[["c", "a", "d", "b"]]
    other = emimpute.fit(moved, tol=1e-8).params
    unit = {"a": 1e6, "b": 1e-6, "c": 1.0, "d": 1.0}
    for name, x, y in one.index:
        key = (name, x, y) if (name, x, y) in other.index else (name, y, x)
        by = {"mean": unit[x], "cov": unit[x] * unit.get(y, 1.0), "corr": 1.0}[name]
        assert other.loc[key, "se"] / by == pytest.approx(one.loc[(name, x, y), "se"], rel=1e-4)
        assert other.loc[key, "fmi"] == pytest.approx(one.loc[(name, x, y), "fmi"], abs=1e-4)


def test_any_label_is_a_label():
    """Tuples, numbers, and the same one twice."""
    df = gappy()
    plain = emimpute.fit(df)
    pairs = emimpute.fit(df.set_axis([("a", 1), 7, "c"], axis=1))
    assert pairs.params.index[0] == ("mean", ("a", 1), "")
    twice = emimpute.fit(df.set_axis(["x", "x", "y"], axis=1))
    levels = emimpute.fit(df.set_axis(pd.MultiIndex.from_product([["p"], list("abc")]), axis=1))
    for other in (pairs, twice, levels):
        np.testing.assert_array_equal(other.params, plain.params)
        np.testing.assert_array_equal(other.scores(), plain.scores())
        np.testing.assert_array_equal(other.information(), plain.information())
        found = other.derived(lambda mean, cov: mean.iloc[0] + cov.iloc[0, 1])
        np.testing.assert_array_equal(found, plain.derived(lambda mean, cov: mean["a"] + cov.loc["a", "b"]))


# Functions


def test_the_delta_method_by_hand():
    """A slope, a log and a correlation: derivatives by hand times the covariance matrix of the estimates."""
    fit = emimpute.fit(gappy())
    v, cov = fit.cov_params(), fit.cov

    def function(mean, cov):
        slope = cov.loc["b", "a"] / cov.loc["a", "a"]
        corr = cov.loc["b", "a"] / np.sqrt(cov.loc["a", "a"] * cov.loc["b", "b"])
        return {"slope": slope, "log": np.log(cov.loc["c", "c"]), "r": corr, "level": mean["b"] - slope * mean["a"]}

    found = fit.derived(function)
    slope = cov.loc["b", "a"] / cov.loc["a", "a"]
    by = pd.Series(0.0, index=v.index)
    by["cov", "b", "a"], by["cov", "a", "a"] = 1 / cov.loc["a", "a"], -slope / cov.loc["a", "a"]
    assert found.loc["slope", "se"] == pytest.approx(np.sqrt(by @ v @ by), rel=DELTA)
    level = -fit.mean["a"] * by
    level["mean", "b", ""], level["mean", "a", ""] = 1.0, -slope
    assert found.loc["level", "se"] == pytest.approx(np.sqrt(level @ v @ level), rel=DELTA)
    error = fit.params.loc[("cov", "c", "c"), "se"] / cov.loc["c", "c"]
    assert found.loc["log", "se"] == pytest.approx(error, rel=DELTA)
    listed = fit.params.loc[("corr", "b", "a")]
    np.testing.assert_allclose(found.loc["r", ["estimate", "se", "fmi"]], listed[["estimate", "se", "fmi"]], rtol=1e-7)
    wide = fit.derived(function, level=0.99)
    np.testing.assert_allclose((wide["ci_high"] - wide["estimate"]) / wide["se"], norm.ppf(0.995))
    assert found.attrs["notes"] == ()


@pytest.mark.parametrize("cov_type", ["observed", "expected", "sandwich"])
def test_a_parameter_as_a_function_of_the_parameters(cov_type):
    """Has the error it has in the table."""
    fit = fitted("airquality")
    everything = fit.derived(lambda mean, cov: vector(mean.to_numpy(), cov.to_numpy()), cov_type=cov_type)
    found = fit.standard_errors(cov_type)
    np.testing.assert_allclose(everything["se"], np.concatenate([found["mean"], found["cov"]]), rtol=1e-7)


def test_what_a_function_may_return():
    """A number, numbers, a Series, a frame; what never moves has error 0."""
    fit = emimpute.fit(gappy())
    assert fit.derived(lambda *_: 3).loc["value", ["estimate", "se"]].tolist() == [3.0, 0.0]
    assert fit.derived(lambda mean, _: mean * 2).index.tolist() == ["a", "b", "c"]
    frame = fit.derived(lambda _, cov: cov)
    assert frame.loc[("b", "a"), "se"] == pytest.approx(fit.params.loc[("cov", "b", "a"), "se"], rel=DELTA)
    assert fit.derived(lambda mean, _: [1.0, mean["a"]]).shape == (2, 5)
    kink = fit.derived(lambda mean, _: abs(mean["a"] - fit.mean["a"] - 1e-3))
    assert any("not smooth" in note for note in kink.attrs["notes"])


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda *_: "x", "numbers"),
        (lambda *_: np.nan, "finite"),
        (lambda *_: None, "numbers|finite"),
    ],
)
def test_what_a_function_may_not_return(function, said):
    """Said in a sentence."""
    with pytest.raises(emimpute.EMImputeError, match=said):
        emimpute.fit(gappy()).derived(function)


# Where not everything can be had


def test_a_file_holds_no_data():
    """And standard errors need them."""
    fit = emimpute.read_json(emimpute.fit(gappy()).to_json())
    for ask in (lambda: fit.params, fit.scores, fit.information, fit.standard_errors, fit.cov_params):
        with pytest.raises(emimpute.EMImputeError, match=r"data are needed|needs the data"):
            ask()


def test_unknown_types_and_levels():
    """Are named, with what there is."""
    fit = emimpute.fit(gappy())
    with pytest.raises(emimpute.EMImputeError, match="'observed'"):
        fit.standard_errors("observd")
    with pytest.raises(emimpute.EMImputeError, match="'complete'"):
        fit.information("complet")
    with pytest.raises(emimpute.EMImputeError, match="between 0 and 1"):
        fit.derived(lambda mean, _: mean, level=95)


@pytest.mark.parametrize("name", ["filematch_hs", "flas"])
def test_flat_directions_have_no_errors(name):
    """Without a prior NaN where the data do not determine a parameter, and there only; with one a note."""
    case, fit = references.load(name), fitted(name, None)
    known = np.concatenate(
        [vector(case.identified_mean.to_numpy().astype(float), case.identified.to_numpy().astype(float)) > 0]
    )
    for cov_type in ("observed", "expected", "sandwich"):
        found = fit.standard_errors(cov_type)
        both = np.concatenate([found["mean"], found["cov"]])
        np.testing.assert_array_equal(np.isfinite(both), known)
        assert any("flat" in note for note in found.attrs["notes"])
    assert (fit.params["fmi"].to_numpy()[: len(known)][~known] == 1).all()
    (i, j) = np.argwhere(~case.identified.to_numpy())[-1]
    assert fit.derived(lambda _, cov: cov.iloc[i, j])["se"].isna().all()
    assert fit.derived(lambda mean, _: mean.iloc[0])["se"].notna().all()
    helped = fitted(name).params
    assert helped["se"].notna().all()
    assert any("posterior mode" in note for note in helped.attrs["notes"])


def test_too_large_a_table_is_told(monkeypatch):
    """Estimates stand, errors are NaN with the reason, and what would need the matrix says so."""
    monkeypatch.setattr(points, "_PARAMETERS", 5)
    fit = emimpute.fit(gappy())
    found = fit.params
    assert found["estimate"].notna().all()
    assert found[["se", "ci_low", "ci_high", "fmi"]].isna().all(axis=None)
    assert "too many parameters" in found.attrs["notes"][0]
    assert fit.derived(lambda mean, _: mean)["se"].isna().all()
    with pytest.raises(emimpute.EMImputeError, match="too many parameters"):
        fit.information()
    assert fit.scores().shape == (60, 9)


def test_a_run_cut_short_says_so():
    """At the point where it stopped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        fit = emimpute.fit(references.load("boys_num").frame, max_iter=3)
    assert "did not converge" in fit.params.attrs["notes"][0]


def test_where_there_is_no_maximum_there_are_no_errors():
    """Far from it the log-likelihood curves upwards; where Σ is singular there is no curvature at all."""
    fit = emimpute.fit(gappy())
    for cov, said in ((10 * fit.law.params.cov, "no maximum"), (np.ones((3, 3)), "singular")):
        law = replace(fit.law, params=Normal(fit.law.params.mean, cov))
        found = params.stand(law, fit.data, None, None, converged=True)
        for table in (found.table(), found.standard_errors("expected").to_frame()):
            assert table["se"].isna().all()
            assert said in " ".join(table.attrs["notes"])
    with pytest.raises(emimpute.EMImputeError, match="singular"):
        found.scores()


def test_constants_alone_have_no_parameters():
    """An empty table, and not an error."""
    fit = emimpute.fit(pd.DataFrame({"k": [1.0, 1.0, np.nan, 1.0]}))
    assert fit.params.shape == (0, 5)
    assert fit.standard_errors().empty


# Cells that are intervals


@pytest.fixture(scope="module", params=[False, True], ids=["ordered", "and unordered"])
def boxed(request):
    return emimpute.fit(mixed(nominal=request.param), tol=1e-8)


def test_rows_with_intervals_have_the_derivatives_of_their_log_probability(boxed):
    """Along random directions of what is estimated, the others fixed, by differences of EP's log Z."""
    point = boxed._standing.point
    problem, at = point.place.problem, point.place.params
    d, c = len(at.mean), len(at.cuts)
    rng, scores = np.random.default_rng(0), np.zeros((len(point.rows), d * (d + 3) // 2 + c))
    for rows, found in point.scores():
        scores[rows] = found
    for _ in range(3):
        by = np.where(point.fixed, 0.0, rng.standard_normal(len(point.fixed)))

        def each(step: np.ndarray, by=by) -> np.ndarray:
            mean, cov = matrices(step * by[: len(by) - c], d)
            lower, upper = problem.cuts.bounds(at.cuts + step * by[len(by) - c :], problem.lower, problem.upper)
            logliks = np.zeros(len(point.rows))
            for g in given(problem.table, lower, upper, at.mean + mean, at.cov + cov):
                logliks[g.piece.rows] = g.loglik
            return logliks

        slope = by_differences(lambda step, each=each: each(step[0]), np.zeros(1), np.array([3e-3]))[:, 0]
        np.testing.assert_allclose(scores @ by, slope, rtol=1e-5, atol=2e-5)
        wide, narrow = ((each(h) - 2 * each(0.0) + each(-h)).sum() / h**2 for h in (2e-2, 1e-2))
        free = by[~point.fixed] * point.unit[~point.fixed]
        assert free @ boxed.information().to_numpy() @ free == pytest.approx((wide - 4 * narrow) / 3, rel=1e-4)


def test_with_intervals_the_sandwich_is_the_default(boxed):
    """Near the observed information's errors, for the data are what the model says; 0 for what is so by definition."""
    found, observed = boxed.params, boxed.standard_errors("observed")
    assert found.attrs["cov_type"] == boxed.standard_errors().attrs["cov_type"] == "sandwich"
    fixed = [("mean", "o", ""), ("cov", "o", "o"), ("cov", "b", "b")]
    assert (found.loc[fixed, ["se"]] == 0).all(axis=None)
    assert found.loc[fixed, "fmi"].isna().all()
    free = found["se"] > 0
    assert free.sum() > 15
    assert np.median(found["se"][free] / observed[free]) == pytest.approx(1, abs=0.07)
    assert (found["se"][free] / observed[free]).between(0.7, 1.5).all()
    assert found.index[-1] == ("cut", "b", 1)
    assert found.loc[("cut", "o", 2), "estimate"] == boxed.cuts["o", 2]
    with pytest.raises(emimpute.EMImputeError, match=r"'ordinal'.*cov_type='observed'.*'sandwich'"):
        boxed.standard_errors("expected")
    fractions = boxed.diagnostics.missing_information
    np.testing.assert_allclose(
        found["fmi"].reindex(fractions.index), fractions, atol=1e-6
    )  # EP starts from where it was
    assert np.abs(boxed.scores().sum()).max() < 1e-6
    sides = boxed.derived(lambda _, cov: {"r": cov.loc["b", "o"], "fixed": cov.loc["b", "b"]})
    assert sides.loc["r", "se"] == pytest.approx(found.loc[("cov", "b", "o"), "se"], rel=1e-6)
    assert sides.loc["fixed", "se"] < 1e-9


def test_a_single_ordered_column_has_textbook_errors():
    """A cut point is Φ⁻¹ of a share: its variance is p(1 - p)/(n φ²), by either type."""
    answers = np.repeat([0, 1, 2], [30, 50, 40])
    df = pd.DataFrame({"o": pd.Categorical.from_codes(answers, ["lo", "mid", "hi"], ordered=True)})
    fit = emimpute.fit(df, tol=1e-9)
    p = np.array([30, 80]) / 120
    expected = np.sqrt(p * (1 - p) / 120) / norm.pdf(ndtri(p))
    for cov_type in ("observed", "sandwich"):
        np.testing.assert_allclose(fit.standard_errors(cov_type)["cut"], expected, rtol=1e-5)


# Coverage


def test_intervals_cover_under_mar():
    """Every parameter of 300 normal tables, the gaps of y by x: within 4 Monte-Carlo errors of .945 (150 rows)."""
    rng, truth = np.random.default_rng(1), np.array([1.0, 2.0, 1.0, 1.2, 4.0, 0.6])
    inside = []
    for _ in range(300):
        x = rng.multivariate_normal([1, 2], [[1, 1.2], [1.2, 4]], size=150)
        x[rng.random(150) < 1 / (1 + np.exp(1 - x[:, 0])), 1] = np.nan
        found = emimpute.fit(pd.DataFrame(x, columns=["x", "y"])).params
        inside.append((found["ci_low"] <= truth) & (truth <= found["ci_high"]))
    share = np.mean(inside, axis=0)
    np.testing.assert_allclose(share, 0.945, atol=4 * np.sqrt(0.95 * 0.05 / 300))


def test_the_sandwich_holds_where_columns_are_not_normal():
    """Of heavy tails the variance's error by the information is far too small; the sandwich's is about right."""
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        x = rng.standard_t(6, size=(300, 2))
        x[rng.random(300) < 0.3, 1] = np.nan
        fit = emimpute.fit(pd.DataFrame(x, columns=["x", "y"]))
        errors = [fit.standard_errors(cov_type)["cov", "y", "y"] for cov_type in ("observed", "sandwich")]
        found.append([fit.cov.loc["y", "y"], *errors])
    actual = np.std([row[0] for row in found])
    observed, sandwich = np.mean(found, axis=0)[1:]
    assert observed < 0.75 * actual
    assert sandwich == pytest.approx(actual, rel=0.2)


def test_the_law_is_what_is_asked():
    """A law of another model is refused by name."""

    class Other:
        name = "other"

        def bind(self, *_):
            return None

    fit = emimpute.fit(gappy())
    own = Law(fit.law.table, Other(), fit.law.params)
    with pytest.raises(emimpute.EMImputeError, match="'other'"):
        params.stand(own, fit.data, None, None, converged=True)


def test_labels_that_are_tuples_of_several_lengths():
    """Each is one label, beside others that are none, in every table."""
    rng = np.random.default_rng(6)
    labels = pd.Index([("a", 1), ("b", 2, 3), "c"], tupleize_cols=False)
    df = pd.DataFrame(rng.standard_normal((20, 3)), columns=labels)
    df.iloc[0, 0] = np.nan
    fit = df.em.fit()
    plain = df.set_axis(["a", "b", "c"], axis=1).em.fit()
    assert fit.params.index[:3].tolist() == [("mean", label, "") for label in labels]
    np.testing.assert_array_equal(fit.params, plain.params)
    for table in (fit.scores(), fit.information(), fit.cov_params()):
        assert table.columns[:4].tolist() == [*fit.params.index[:3], ("cov", ("a", 1), ("a", 1))]
    assert len(df.em.draw(2, method="posterior", rng=1)) == 2
