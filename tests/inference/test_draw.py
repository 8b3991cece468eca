"""Draws: from the right distributions, keyed by row, from whatever kinds; and what cannot be drawn."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import references
from scipy import stats
from threadpoolctl import threadpool_limits

import emimpute
from emimpute.inference.drawing import bootstrap
from emimpute.inference.drawing.draw import METHODS, Fitted, draw
from emimpute.inference.drawing.keyed import Keyed, stream
from emimpute.inference.drawing.posterior import _Chain, _lengths, _vector, sample
from emimpute.inference.drawing.scenarios import Tipping
from emimpute.inference.standing.diagnostics import worst
from emimpute.models.mvn import MVN

POSTERIORS = json.loads((references.FOLDER / "mi" / "mcmcNorm_posteriors.json").read_text(encoding="utf-8"))
SUBSTANTIVE = json.loads((references.FOLDER / "mi" / "substantive_models.json").read_text(encoding="utf-8"))


def normal(n: int, seed: int = 0, d: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cov = np.full((d, d), 0.5) + 0.5 * np.eye(d)
    df = pd.DataFrame(rng.standard_normal((n, d)) @ np.linalg.cholesky(cov).T, columns=[f"x{i}" for i in range(d)])
    return df.mask(rng.random((n, d)) < 0.25 * (np.arange(d) > 0))


class TestKeyed:
    """A row's deviates are its own."""

    def test_normal(self):
        """They are standard normal, and independent between places, rows and streams."""
        draws = Keyed(stream((1, 2), 3)).standard_normal((50_000, 3))
        assert stats.kstest(draws.ravel(), "norm").pvalue > 0.01
        assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.02
        other = Keyed(stream((1, 2), 4)).standard_normal((50_000, 3))
        assert abs(np.corrcoef(draws.ravel(), other.ravel())[0, 1]) < 0.02

    @pytest.mark.parametrize("shape", [(3,), (5,), (2, 31)])
    def test_pieces(self, shape):
        """However the rows are cut, the bits are the same."""
        whole = Keyed(stream((1, 2), 0)).standard_normal((20, *shape))
        pieces = Keyed(stream((1, 2), 0))
        cut = np.concatenate([pieces.standard_normal((r, *shape)) for r in (1, 7, 0, 12)])
        assert (whole == cut).all()

    def test_both_forms_share_the_first(self):
        """Rows without intervals get the same in a piece with them and in one without."""
        flat = Keyed(stream((1, 2), 0)).standard_normal((20, 3))
        deep = Keyed(stream((1, 2), 0)).standard_normal((20, 3, 31))
        assert (deep[:, :, 0] == flat).all()
        assert np.isfinite(deep).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore::emimpute.EMImputeWarning")  # of plugin
def test_reproducible(method):
    """The same rng, the same bits; the first imputations do not depend on m; a fit and a frame draw alike."""
    df = normal(120)
    first = df.em.draw(6, method=method, rng=3)
    again = df.em.fit().draw(4, method=method, rng=np.random.default_rng(3))
    for i in range(4):
        pd.testing.assert_frame_equal(first[i], again[i], check_exact=True)
    assert not first[0].equals(first[1])
    assert not first[0].equals(df.em.draw(1, method=method, rng=4)[0])


@pytest.mark.filterwarnings("ignore::emimpute.EMImputeWarning")
def test_a_row_draws_for_itself(monkeypatch):
    """At given parameters other rows do not matter, neither what they hold nor how they are cut into pieces."""
    df = normal(400)
    fit = df.em.fit()
    monkeypatch.setattr("emimpute.inference.drawing.bypattern._NUMBERS", 0)  # the way of large tables
    whole = fit.draw(2, method="plugin", rng=1)[1]
    monkeypatch.setattr("emimpute.inference.drawing.filling._CELLS", 100)
    pieces = fit.draw(2, method="plugin", rng=1)[1]
    pd.testing.assert_frame_equal(whole, pieces, rtol=0, atol=1e-12)
    changed = df.copy()
    changed.iloc[:200] = changed.iloc[:200].fillna(0.0)
    given = Fitted(fit.law, changed, None, None, flat=False, diagnostics=lambda: fit.diagnostics)
    other = draw(given, 2, "plugin", 1, None)[1]
    pd.testing.assert_frame_equal(whole.iloc[200:], other.iloc[200:], rtol=0, atol=1e-12)


def mixed(n: int) -> pd.DataFrame:
    """Ordered, unordered and real columns with gaps."""
    rng = np.random.default_rng(7)
    z = rng.standard_normal((n, 3)) @ np.linalg.cholesky(np.full((3, 3), 0.5) + 0.5 * np.eye(3)).T
    df = pd.DataFrame({"o": MIXED["ordinal"](z[:, 0]), "g": MIXED["nominal"](z[:, 1]), "x": z[:, 2]})
    return df.mask(rng.random(df.shape) < 0.15)


def test_posterior_draws_of_intervals_are_reproducible(monkeypatch):
    """The first do not depend on m; pieces and threads change no bit."""
    df = mixed(120)
    fit = df.em.fit(prior=5)
    first = fit.draw(5, method="posterior", rng=3).to_frame()
    again = fit.draw(2, method="posterior", rng=3).to_frame()
    pd.testing.assert_frame_equal(first.loc[:2], again, check_exact=True)
    monkeypatch.setattr("emimpute.inference.drawing.filling._CELLS", 100)
    with threadpool_limits(limits=2):
        pieces = df.em.draw(5, method="posterior", prior=5, rng=3).to_frame()
    pd.testing.assert_frame_equal(first, pieces, rtol=0, atol=1e-12)
    pd.testing.assert_frame_equal(first[["o", "g"]], pieces[["o", "g"]], check_exact=True)


def test_the_rate_of_intervals_is_found_at_less_cost():
    """Near what the diagnostics say, and with their function; real columns take theirs as they are."""
    df = mixed(150).drop(columns="g")
    df["p"] = df["x"].gt(0.4).where(df["x"].notna()).astype("boolean")
    df["x"] += np.random.default_rng(1).standard_normal(150)
    fit = df.em.fit()
    latent = fit.law.table.encode(df, fit.law.table.match(df))
    rate, coefficients, name = worst(fit.law, latent, None, fit.prior, lambda: pytest.fail("dear"))
    exact = fit.diagnostics
    assert 1 - rate == pytest.approx(1 - exact.rate, rel=0.1)
    assert name == exact.worst
    other = np.nan_to_num(exact.parameters["coefficient"])
    along = abs(coefficients @ other) / np.linalg.norm(coefficients) / np.linalg.norm(other)
    assert along > 0.95
    real = normal(60)
    fit = real.em.fit()
    said = fit.diagnostics
    latent = fit.law.table.encode(real, range(4))
    assert worst(fit.law, latent, None, None, lambda: said)[::2] == (said.rate, said.worst)


@pytest.mark.parametrize("case", [c for c in POSTERIORS if c["prior"] == "jeffreys"], ids=lambda c: c["case"])
def test_the_posterior_is_norm2s(case):
    """Means and sds of means and covariances, within the Monte-Carlo error of both."""
    df = references.load(case["case"]).frame[case["columns"]].astype(float)
    fit = df.em.fit(kinds=dict.fromkeys(case["columns"], "real"))
    latent = fit.law.table.encode(df, fit.law.table.match(df))
    chain = _Chain.of(fit.law, latent, None, None)
    rng = np.random.default_rng(1)
    burn, kept, chains = 100, 1500, []
    for _ in range(2):
        params = chain.start(rng, 0.5)
        own = []
        for step in range(burn + kept):
            params = chain.step(params, rng)
            if step >= burn:
                own.append(_vector(chain.natural(params)))
        chains.append(own)
    draws = np.array(chains)
    draws[:, :, : len(case["columns"])] += np.asarray(fit.law.table.shift)
    mean, sd = np.array(case["mu_mean"] + case["sigma_mean"]), np.array(case["mu_sd"] + case["sigma_sd"])
    batches = draws.reshape(2 * 25, -1, draws.shape[2]).mean(axis=1)
    error = np.hypot(batches.std(axis=0, ddof=1) / np.sqrt(len(batches)), case["mu_mcse"] + case["sigma_mcse"])
    assert (np.abs(draws.mean(axis=(0, 1)) - mean) < 4.5 * error).all()
    squares = ((draws - mean) ** 2).reshape(2 * 25, -1, draws.shape[2]).mean(axis=1)
    error = squares.std(axis=0, ddof=1) / np.sqrt(len(squares)) + 0.02 * sd**2
    assert (np.abs(squares.mean(axis=0) - sd**2) < 4.5 * error).all()


def test_chain_lengths():
    """Burn-in and thinning grow as 1/log of EM's rate; there is none where there is no maximum."""
    assert _lengths(0.0) == (10, 5)
    assert _lengths(0.9) == (44, 29)
    assert _lengths(0.99)[1] == 299
    for rate in (1.0, float("nan")):
        with pytest.raises(emimpute.EMImputeError, match="no proper maximum"):
            _lengths(rate)


def test_chains_tell_how_they_went():
    """R-hat near 1 and draws that do not remember, on an ordinary table."""
    found = normal(150).em.draw(200, method="posterior", rng=1)
    assert found.chains is not None
    assert found.chains.chains == 4
    assert abs(found.chains.autocorrelation) < 0.15
    assert found.chains.rhat < 1.05
    assert "R-hat" in repr(found)
    assert found[:2].chains is found.chains
    assert "below" not in str(found.chains)


def test_chains_of_one_draw_each():
    """What cannot be measured is not printed as NaN, and R-hat of few steps has what to hold it against."""
    found = normal(60).em.draw(3, method="posterior", rng=1).chains
    assert np.isnan(found.autocorrelation)
    assert f"no two draws are of one chain, R-hat {found.rhat:.3f} (below {found.limit:.2f} if chains agree)" in str(
        found
    )
    alone = normal(60)[["x1"]].em.draw(3, method="posterior", rng=1)
    assert repr(alone).endswith(
        "thinning 5 (EM's rate 0.000); draws are independent, for no gap tells of the parameters"
    )


def test_too_few_rows_for_a_posterior():
    """It would be improper."""
    df = normal(5, d=4)
    df.iloc[:, 1:] = df.iloc[:, 1:].fillna(0.1).mask(np.eye(5, 3, dtype=bool))
    latent = df.em.fit(prior=50).law.table.encode(df, range(4))
    law = df.em.fit(prior=50).law
    with pytest.raises(emimpute.EMImputeError, match="no proper distribution"):
        _Chain.of(law, latent.take(np.arange(4)), None, None)
    with pytest.raises(emimpute.EMImputeError, match="would need 299572 steps each"):
        sample(law, latent, None, None, (0.99999, np.zeros(14), "the mean of 'x'"), m=20, seed=(1,))


def test_the_bootstrap_has_the_spread_of_the_estimate():
    """Sds of the bootstrap's parameters are their standard errors; and the loose stop does not show in them."""
    df = normal(400)
    fit = df.em.fit()
    latent = fit.law.table.encode(df, fit.law.table.match(df))
    sampler = bootstrap.Sampler(fit.law, df, latent, None, None, (1, 2))
    found = [sampler.draw(number)[0].params for number in range(300)]
    means = np.array([params.mean for params in found])
    se = fit.standard_errors()["mean"].to_numpy()
    np.testing.assert_allclose(means.std(axis=0), se, rtol=0.15)
    tight = bootstrap.Sampler(fit.law, df, latent, None, None, (1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "_CLOSE", 1e-5)
        exact = [tight.draw(number)[0].params for number in range(60)]
    apart = np.array([a.mean - b.mean for a, b in zip(exact, found, strict=False)])
    assert (np.sqrt((apart**2).mean(axis=0)) < 0.03 * se).all()
    spread = np.array([p.cov for p in exact]).std(axis=0)
    apart = np.array([a.cov - b.cov for a, b in zip(exact, found, strict=False)])
    assert (np.sqrt((apart**2).mean(axis=0)) < 0.05 * spread).all()


@pytest.mark.parametrize("weights", [[1.0, 2.0, 0.0, 3.0] * 30, [0.5, 1.5, 0.2, 3.1] * 30, [2.0] * 120])
def test_weights(weights):
    """Rows of weight 2 are resampled as two rows; rows of weight 0 never are."""
    df = normal(120)
    fit = df.em.fit(weights=np.array(weights))
    latent = fit.law.table.encode(df, fit.law.table.match(df))
    sampler = bootstrap.Sampler(fit.law, df, latent, fit.weights, None, (1,))
    drawn = np.array([sampler._resampled(np.random.default_rng(i)) for i in range(400)])
    np.testing.assert_allclose(drawn.mean(axis=0), weights, atol=0.12 * 3 * np.sqrt(max(weights)))
    assert (drawn[:, np.array(weights) == 0] == 0).all()
    assert len(fit.draw(2, rng=1)) == 2
    assert fit.draw(2, method="posterior", rng=1)[1].notna().all(axis=None)


@pytest.mark.parametrize("seed", [0, 4, 8])
def test_few_rows_by_weight(seed):
    """Fractions of rows are copies of which one weighs less than 0: cells without a covariance are drawn again."""
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(rng.standard_normal((40, 3)), columns=list("abc")).mask(rng.random((40, 3)) < 0.4)
    weights = 0.15 * rng.uniform(0.8, 1.2, 40)
    assert df.em.draw(8, method="posterior", weights=weights, rng=1).to_frame().notna().all(axis=None)


def test_the_posterior_of_fractions_of_rows():
    """Where gaps are monotone it is known: slope and residual variance of y on x, from a tenth of each of 200 rows."""
    rng = np.random.default_rng(2)
    n, seen, w = 200, 120, 0.1
    x = rng.standard_normal(n)
    df = pd.DataFrame({"x": x, "y": 1 + 2 * x + rng.standard_normal(n)})
    df.loc[seen:, "y"] = np.nan
    fit = df.em.fit(weights=np.full(n, w))
    chain = _Chain.of(fit.law, fit.law.table.encode(df, range(2)), fit.weights, None)
    params, found = chain.start(rng, 0.5), []
    for _ in range(3000):
        params = chain.step(params, rng)
        cov = chain.natural(params).cov
        found.append((cov[0, 1] / cov[0, 0], cov[1, 1] - cov[0, 1] ** 2 / cov[0, 0]))
    line = stats.linregress(df["x"][:seen], df["y"][:seen])
    rss, rows = w * seen * (1 - line.rvalue**2) * df["y"][:seen].var(ddof=0), w * seen - 1
    slope = stats.t(rows, line.slope, np.sqrt(rss / rows / (w * seen * x[:seen].var())))
    for exact, own in zip((slope, stats.invgamma(rows / 2, scale=rss / 2)), np.array(found[100:]).T, strict=True):
        shares = [(own < exact.ppf(share)).mean() for share in (0.1, 0.5, 0.9)]
        np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.05)


def test_lost_samples_are_drawn_again_and_counted():
    """A column that two rows carry is lost in many samples."""
    rng = np.random.default_rng(1)
    df = pd.DataFrame(rng.standard_normal((30, 2)), columns=["x", "y"])
    df.loc[3:, "y"] = np.nan
    found = df.em.fit(prior=5).draw(10, rng=1)
    assert found.redrawn > 0
    assert f"{found.redrawn} bootstrap samples drawn again: Samples leave 'y'" in found.note
    assert found[0].notna().all(axis=None)


def test_hopeless_samples():
    """After many in vain there is an error that says why."""
    df = normal(30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap.Present, "lost", lambda _self, _weights: "Samples are no good.")
        with pytest.raises(emimpute.EMImputeError, match=r"None of 100 bootstrap samples .* no good"):
            df.em.draw(2, rng=1)


MIXED = {
    "real": lambda z: z,
    "positive": np.exp,
    "ordinal": lambda z: pd.Categorical.from_codes(np.digitize(z, [-0.5, 0.6]), ["low", "mid", "high"], ordered=True),
    "binary": lambda z: pd.array(z > 0.2, dtype="boolean"),
    "nominal": lambda z: pd.Categorical.from_codes(np.digitize(z, [-0.4, 0.4]), ["u", "v", "w"]),
}


@pytest.mark.parametrize("kind", MIXED)
def test_every_kind_is_drawn(kind):
    """Legal cells of the column's dtype, different between imputations."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((150, 2)) @ np.array([[1, 0.6], [0, 0.8]])
    df = pd.DataFrame({"x": z[:, 0], "y": MIXED[kind](z[:, 1])})
    df.loc[rng.random(150) < 0.3, "y"] = None if kind != "real" else np.nan
    fit = df.em.fit(kinds={"y": kind})
    found = fit.draw(3, rng=1)
    observed = df.notna()
    for done in found:
        assert done.notna().all(axis=None)
        assert (done.dtypes == df.dtypes).all()
        pd.testing.assert_frame_equal(done[observed.all(axis=1)], df[observed.all(axis=1)])
    assert not found[0]["y"].equals(found[1]["y"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        assert fit.draw(1, method="plugin", rng=1)[0].notna().all(axis=None)
    drawn = fit.draw(3, method="posterior", rng=1)
    assert not drawn[0]["y"].equals(drawn[1]["y"])
    for done in drawn:
        assert done.notna().all(axis=None)
        assert (done.dtypes == df.dtypes).all()
        pd.testing.assert_frame_equal(done[observed.all(axis=1)], df[observed.all(axis=1)])


def test_a_rare_answer_is_kept():
    """No sample may lose it: without it the cut points are not determined."""
    rng = np.random.default_rng(1)
    answers = ["no"] * 78 + ["yes"] * 2
    df = pd.DataFrame({"x": rng.standard_normal(80), "y": pd.Categorical(answers, ["no", "yes"], ordered=True)})
    df.loc[:20, "x"] = np.nan
    found = df.em.fit(prior=3).draw(8, rng=1)
    assert "Samples lose a rare answer of 'y'." in found.note


def test_plugin_says_what_it_is():
    """A warning, and a note that stays."""
    with pytest.warns(emimpute.EMImputeWarning, match="too small"):
        found = normal(50).em.draw(2, method="plugin", rng=1)
    assert "too small" in repr(found)


def test_the_variance_between_imputations():
    """Plugin draws leave out the parameters' uncertainty: their fractions of missing information are too small."""
    df = normal(100)
    fit = df.em.fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        between = {
            m: float(fit.draw(200, method=m, rng=1).pool("x1 ~ x2 + x3").between.loc["x2", "x2"]) for m in METHODS
        }
    assert between["plugin"] < 0.85 * between["bootstrap"]
    assert between["posterior"] == pytest.approx(between["bootstrap"], rel=0.35)


@pytest.mark.parametrize("method", ["bootstrap", "posterior"])
@pytest.mark.parametrize("case", SUBSTANTIVE[:2], ids=lambda c: c["name"])
def test_regressions_beside_amelia_and_norm2(case, method):
    """Pooled estimates and standard errors agree with theirs as these do with each other, m = 200.

    Amelia's own on nhanes have standard errors ten times too large, for some of its samples of 25 rows have no maximum.
    """
    df = references.load(case["file"].removesuffix(".csv")).frame[case["columns"]].astype(float)
    formula = case["formula"].replace("Solar.R", "Q('Solar.R')")
    found = df.em.fit(kinds=dict.fromkeys(case["columns"], "real")).draw(200, method=method, rng=1).pool(formula).params
    theirs = case["amelia" if method == "bootstrap" and case["name"] != "nhanes" else "norm2_da"]["m200"]
    se = np.array(theirs["se"])
    assert (np.abs(found["estimate"] - theirs["estimate"]) < (0.2 if case["name"] == "airquality" else 0.35) * se).all()
    np.testing.assert_allclose(found["se"], se, rtol=0.1 if case["name"] == "airquality" else 0.25)


@pytest.mark.parametrize("m", [1, 3])
def test_nothing_missing(m):
    """Every imputation is the data, and pooling gives the analysis of complete data."""
    df = normal(40).fillna(0.3)
    found = df.em.draw(m, rng=1)
    assert all(done.equals(df) for done in found)
    assert "no missing cell" in found.note
    if m > 1:
        import statsmodels.api as sm  # noqa: PLC0415 (slow to load)

        row, one = found.pool("x0 ~ x1").params, sm.OLS.from_formula("x0 ~ x1", df).fit()
        np.testing.assert_allclose(row[["ci_low", "ci_high"]], one.conf_int(), rtol=1e-12)
        assert (row["fmi"] == 0).all()


class TestDelta:
    """What if the missing are not like the observed."""

    def test_a_shift_is_of_so_many_sd(self):
        """The drawn cells move, and other gaps of their rows with them; nothing else does."""
        df = normal(100)
        fit = df.em.fit()
        usual, moved = fit.draw(2, rng=1)[1], fit.draw(2, rng=1, delta={"x1": -0.5})[1]
        gaps = df["x1"].isna()
        apart = (moved["x1"] - usual["x1"])[gaps]
        assert apart.std() < 1e-12
        assert apart.mean() == pytest.approx(-0.5 * np.sqrt(fit.cov.loc["x1", "x1"]), rel=0.3)
        pd.testing.assert_frame_equal(moved[~gaps], usual[~gaps])
        pd.testing.assert_frame_equal(moved.where(df.notna()), df)
        follows = (moved["x2"] - usual["x2"])[gaps & df["x2"].isna()]
        assert (follows < 0).all()
        assert moved["x1"][~gaps].equals(df["x1"][~gaps])

    def test_ordered_answers_move_on_their_latent_scale(self):
        """By so many of its standard deviations, so that the share of the upper answer is that of a shifted normal."""
        rng = np.random.default_rng(1)
        df = pd.DataFrame({"y": pd.Categorical(rng.choice(["n", "y"], 400), ["n", "y"], ordered=True)})
        df["x"] = rng.standard_normal(400)
        df.loc[:199, "y"] = None
        found = df.em.draw(20, rng=1, delta={"y": [0.0, 1.0]})
        usual, moved = (np.mean([(frame["y"][:200] == "y").mean() for frame in one]) for one in found)
        assert moved == pytest.approx(stats.norm.cdf(stats.norm.ppf(usual) + 1), abs=0.02)

    def test_scenarios(self):
        """The estimate moves with the shift, and where the conclusion changes is told."""
        df = normal(150)
        found = df.em.draw(10, rng=1, delta={"x1": [-2.0, 0.0, 2.0], "x2": 0.0})
        assert len(found) == 3
        assert isinstance(found[0], emimpute.Imputations)
        assert found[1:].shifts["x1"].tolist() == [0.0, 2.0]
        tipping = found.pool("x1 ~ 1")
        own = tipping.table["estimate"].to_numpy()
        assert own[0] < own[1] < own[2]
        assert tipping.table.index.names == ["delta 'x1'", "delta 'x2'", "term"]
        point = tipping.point("Intercept")
        assert len(point) == 2
        assert point["shift"].between(-2, 2).all()
        usual = df.em.draw(10, rng=1).pool("x1 ~ 1").params
        np.testing.assert_allclose(own[1], usual["estimate"], rtol=1e-12)
        assert "3 scenarios of 10 imputations" in repr(found)
        with pytest.raises(emimpute.EMImputeError, match="no term 'x9'"):
            tipping.point("x9")

    def test_columns_in_step(self):
        """Each scenario is what its own shifts alone would give."""
        df = normal(80)
        shifts = {"x1": [-1.0, 0.5], "x2": [0.0, 1.0], "x3": 0.25}
        found = df.em.draw(3, rng=1, delta=shifts)
        assert found.shifts.to_dict("list") == {"x1": [-1.0, 0.5], "x2": [0.0, 1.0], "x3": [0.25, 0.25]}
        for one, own in zip(found, found.shifts.to_dict("records"), strict=True):
            pd.testing.assert_frame_equal(one.to_frame(), df.em.draw(3, rng=1, delta=own).to_frame(), check_exact=True)
        point = found.pool("x0 ~ x1 + x2").point("x1")
        assert list(point.columns) == ["before", "after", "shift", "was_different", "delta 'x2'"]

    def test_estimates_do_not_leap_where_a_shift_is_0(self):
        """A column named with 0 keeps its usual values: neighbouring shifts give neighbouring frames. Others follow."""
        df = normal(80)
        gaps = df["x1"].isna() & df["x2"].isna()
        assert gaps.any()
        below, at, above = df.em.draw(2, rng=1, delta={"x1": 1.0, "x2": [-1e-9, 0.0, 1e-9]})
        usual, follows = df.em.draw(2, rng=1)[0], df.em.draw(2, rng=1, delta={"x1": 1.0})[0]
        pd.testing.assert_frame_equal(at[0], (below[0] + above[0]) / 2, rtol=0, atol=1e-7)
        assert at[0]["x2"].equals(usual["x2"])
        assert (follows["x2"] - usual["x2"])[gaps].abs().min() > 0.1

    def test_signs_that_flip(self):
        """From below 0 to above between two scenarios: the term ceases to differ, and differs again."""
        shifts, estimates = np.array([1.0, -1.0, 0.0]), np.array([3.0, -4.0, -3.0])
        index = pd.MultiIndex.from_product([shifts, ["x"]], names=["delta 'a'", "term"])
        p = 2 * stats.norm.sf(np.abs(estimates))
        table = pd.DataFrame({"estimate": estimates, "se": 1.0, "p": p}, index=index)
        point = Tipping(table, table * 0).point("x")
        np.testing.assert_allclose(point["before"], [0.0, 0.0])
        np.testing.assert_allclose(point["after"], [1.0, 1.0])
        np.testing.assert_allclose(point["shift"], (np.array([-1, 1]) * stats.norm.isf(0.025) + 3) / 6)
        assert point["was_different"].tolist() == [True, False]
        assert Tipping(table[table["estimate"] < 0], table * 0).point("x").empty

    def test_nothing_to_shift(self):
        """Without a gap every scenario is the data."""
        df = normal(40).fillna(0.3)
        found = df.em.draw(2, rng=1, delta={"x1": [-1.0, 1.0]})
        assert [frame.equals(df) for one in found for frame in one] == [True] * 4

    @pytest.mark.parametrize(
        ("delta", "words"),
        [
            ({"income": 1}, "delta=: There is no column 'income'"),
            ({"x1": "a"}, "by a number of sd, a million at most, and not by 'a'"),
            ({"x1": b"ab"}, "and not by b'ab'"),
            ({"x1": [0, np.nan]}, "and not by nan"),
            ({"x1": 1e308}, "column 'x1' by a number of sd, a million at most"),
            ({"x1": 10**400}, "a million at most"),
            ({"x1": np.array(0.5)}, r"and not by array\(0.5\)"),
            ({"x1": [1, 2], "x2": [1]}, "different lengths"),
            ({"words": 1.0}, "cannot shift column 'words', which is not in the model. It can shift 'x0', 'x1'"),
            (0.5, "delta= maps columns to shifts"),
            (0, "delta= maps columns to shifts.* of type int"),
            ([], "delta= maps columns to shifts"),
            (np.ones(2), "delta= maps columns to shifts"),
            (pd.Series({"x1": 1.0}), "delta= maps columns to shifts.* of type Series"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_what_is_no_shift(self, delta, words):
        """Sentences."""
        df = normal(30)
        df["words"] = [f"answer number {i}" for i in range(30)]
        with pytest.raises(emimpute.EMImputeError, match=words):
            df.em.draw(2, delta=delta)

    def test_a_label_that_repeats(self):
        """It shifts all its columns, as it names all of them elsewhere; so does the first level of a MultiIndex."""
        df = normal(60)
        expected = df.em.draw(2, rng=1, delta={"x1": [-1.0, 0.5], "x2": [-1.0, 0.5]})
        for columns, label in (
            (["p", "q", "q", "r"], "q"),
            (pd.MultiIndex.from_tuples([("a", 1), ("b", 1), ("b", 2), ("c", 1)]), "b"),
        ):
            found = df.set_axis(columns, axis=1).em.draw(2, rng=1, delta={label: [-1.0, 0.5]})
            for one, other in zip(found, expected, strict=True):
                assert (one.to_frame().to_numpy() == other.to_frame().to_numpy()).all()

    def test_what_does_not_vary_is_not_shifted(self):
        """And where nothing does, no column is named."""
        df = pd.DataFrame({"c": [4.0, None, 4.0, 4.0]})
        with pytest.raises(emimpute.ColumnError, match=r"does not vary\. There is no column that it can shift\."):
            df.em.draw(2, delta={"c": 1.0})

    def test_no_scenario(self):
        """An empty slice prints, and says why it cannot be pooled."""
        found = normal(30).em.draw(2, rng=1, delta={"x1": [0.0, 1.0]})[:0]
        assert repr(found) == "0 scenarios"
        with pytest.raises(emimpute.EMImputeError, match="no scenario"):
            found.pool("x0 ~ x1")

    def test_unordered_categories_have_no_scale(self):
        """They cannot be shifted."""
        df = normal(60)
        df["g"] = pd.Categorical(list("uvw") * 20)
        with pytest.raises(emimpute.ColumnError, match="'g' of kind 'nominal', which has no single scale"):
            df.em.draw(2, delta={"g": 1.0})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"m": 0}, "m= is a whole number"),
        ({"m": True}, "m= is a whole number"),
        ({"method": "bayes"}, "no method 'bayes'"),
        ({"rng": "seed"}, "rng= is None, an int"),
    ],
)
def test_bad_arguments(options, words, monkeypatch):
    """Sentences, before any work."""
    monkeypatch.setattr("emimpute._impute.fit", lambda *_, **__: pytest.fail("work"))
    with pytest.raises(emimpute.EMImputeError, match=words):
        normal(30).em.draw(**options)


def test_a_fit_without_data():
    """One from a file has no rows to draw for."""
    fit = emimpute.read_json(normal(30).em.fit().to_json())
    with pytest.raises(emimpute.EMImputeError, match=r"draw\(\) needs the data"):
        fit.draw(2)


def test_an_undetermined_fit():
    """What the data leave open has no distribution."""
    df = normal(60, d=3).fillna(0.0)
    df.loc[:29, "x1"] = np.nan
    df.loc[30:, "x2"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        fit = df.em.fit(prior=None)
    with pytest.raises(emimpute.EMImputeError, match="undetermined"):
        fit.draw(2)


def test_a_law_at_the_edge():
    """A singular covariance matrix is an error that says what to do, and not one of linear algebra."""
    df = normal(60)
    law = df.em.fit().law
    edge = dataclasses.replace(law, params=dataclasses.replace(law.params, cov=np.ones((4, 4))))
    with (
        pytest.warns(emimpute.EMImputeWarning),
        pytest.raises(emimpute.EMImputeError, match=r"1 the covariance.*prior=3"),
    ):
        draw(Fitted(edge, df, None, None, flat=False, diagnostics=lambda: pytest.fail("dear")), 2, "plugin", 1, None)


def test_the_model_is_the_one_that_was_asked_for():
    """The chain's own statistics are those of the normal distribution."""
    df = normal(50)
    fit = df.em.fit()
    problem = MVN().bind(fit.law.table.encode(df, range(4)), None, None)
    chain = _Chain.of(fit.law, fit.law.table.encode(df, range(4)), None, None)
    np.testing.assert_allclose(chain.natural(chain.mode).mean, fit.law.params.mean)
    assert chain.rows == problem.rows
