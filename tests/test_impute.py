"""The two functions a user calls: how they report, what their arguments mean, and what the fit tells."""

from __future__ import annotations

import json
import logging
import pickle
import warnings
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.em import Stop
from emimpute.kinds import Constant, Real
from emimpute.kinds.real import RealCoding
from emimpute.models.priors import PIN, Ridge, Shrink

CLOSE = 1e-6  # sd: what the default tol promises


def table(n=40, seed=0):
    """Three correlated columns of numbers with gaps but no empty row, and one of two answers without."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x[:, 1:] += x[:, :1]
    gaps = rng.random((n, 3)) < 0.15
    gaps[gaps.all(axis=1), 0] = False
    x[gaps] = np.nan
    return pd.DataFrame(x, columns=["x", "y", "z"]).assign(t=list("ab") * (n // 2))


def quiet(function, *args, **kwargs):
    """The result of a call that may warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return function(*args, **kwargs)


# --- report= ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [emimpute.impute, emimpute.fit])
@pytest.mark.parametrize("report", [None, False])
def test_silence_when_all_is_well(function, report, capsys, caplog):
    """No warning (it would be an error here), no output, and one line in the log all the same."""
    caplog.set_level(logging.INFO, "emimpute")
    function(table(), report=report)
    assert capsys.readouterr() == ("", "")
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("emimpute", "INFO")
    assert line.getMessage().startswith(f"{Stop.CONVERGED.value} rows=40 columns=4 E-steps=")


def test_the_log_is_quiet_by_default(capsys):
    """Who configures no logging sees none of it."""
    logging.getLogger("emimpute").handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "INFO"}))
    table().em.impute()
    assert "rows=" not in capsys.readouterr().err


def test_report_true_prints_the_summary(capsys):
    table().em.impute(report=True)
    assert capsys.readouterr().out == table().em.fit().summary() + "\n"


def test_a_chain_keeps_its_diagnostics(tmp_path):
    """The frame flows on, the fit stays."""
    source = tmp_path / "survey.csv"
    table().to_csv(source, index=False)
    fits = []
    means = (
        pd.read_csv(source)
        .query("t == 'a'")
        .assign(w=lambda d: d["x"] ** 2)
        .em.impute(report=fits.append)
        .groupby("t")
        .mean(numeric_only=True)
    )
    assert means.notna().all(axis=None)
    (fit,) = fits
    assert isinstance(fit, emimpute.Fit)
    assert (fit.rows, list(fit.mean.index)) == (20, ["x", "y", "z", "w"])


def test_a_function_receives_a_fit_for_each_group():
    fits = []
    df = table()
    done = df.groupby("t")[["x", "y", "z"]].apply(lambda group: group.em.impute(report=fits.append))
    assert done.notna().all(axis=None)
    assert [fit.rows for fit in fits] == [20, 20]
    for fit, name in zip(fits, "ab", strict=True):
        own = df[df["t"] == name].em.fit()
        assert (fit.mean.to_numpy() == own.mean.to_numpy()).all()


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_path_is_written_by_its_ending(as_path, tmp_path):
    fit = table().em.fit()
    for name in ("fit.txt", "fit.html", "fit.json", "FIT.JSON"):
        table().em.impute(report=as_path(tmp_path / name))
    assert (tmp_path / "fit.txt").read_text(encoding="utf-8") == fit.summary() + "\n"
    assert (tmp_path / "fit.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))["format"] == "emimpute.fit"
    assert emimpute.read_json(tmp_path / "FIT.JSON").loglik == fit.loglik


def test_a_wrong_path_is_seen_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("emimpute.learning.iterates", None)
    for path in (tmp_path / "fit.csv", str(tmp_path / "fit")):
        with pytest.raises(emimpute.EMImputeError, match=r"\.txt, \.html or \.json"):
            table().em.fit(report=path)
    assert not list(tmp_path.iterdir())


def test_fit_reports_too(tmp_path, capsys):
    fits = []
    fit = table().em.fit(report=fits.append)
    assert fits == [fit]
    fit.report(tmp_path / "a.txt")
    table().em.fit(report=True)
    assert capsys.readouterr().out == (tmp_path / "a.txt").read_text(encoding="utf-8")


def test_the_report_is_there_even_where_warnings_are_errors():
    fits = []
    with pytest.raises(emimpute.ConvergenceWarning):
        table().em.impute(max_iter=1, report=fits.append)
    assert fits[0].stop is Stop.MAX_ITER


# --- prior= and what is said of it ------------------------------------------------------------------------------------


def collinear():
    return table().assign(double=lambda d: 2 * d["x"] + 1)


def test_fallback_is_maximum_likelihood_where_that_exists():
    """To the last bit."""
    plain, fallback = table().em.fit(prior=None), table().em.fit()
    assert fallback.prior is None
    assert fallback.loglik == fallback.logpost == plain.loglik
    assert (fallback.cov.to_numpy() == plain.cov.to_numpy()).all(axis=None)
    assert fallback.problems.empty


def test_fallback_is_a_weak_ridge_where_it_does_not():
    fit = quiet(collinear().em.fit)
    assert fit.converged
    assert fit.prior == PIN
    assert fit.logpost != fit.loglik
    assert list(fit.problems["problem"]) == ["unbounded", "duplicates"]
    assert fit.problems.loc[1, "columns"] == (("x", "double"),)


def test_a_late_fallback_counts_every_e_step():
    """Dependence that only the run itself shows: the E-steps that showed it count, and so does ``max_iter``."""
    df = table().assign(total=lambda d: d["x"] + d["y"])
    fit = quiet(df.em.fit)
    assert list(fit.problems["problem"]) == ["unbounded", "dependent"]
    assert fit.problems.loc[1, "columns"] == (("x", "y", "total"),)
    assert fit.n_iter == fit.trace["esteps"].iloc[-1]
    assert fit.trace["esteps"].iloc[0] > 1
    assert fit.trace["esteps"].is_monotonic_increasing
    short = quiet(df.em.fit, max_iter=fit.n_iter - 2)
    assert short.stop is Stop.MAX_ITER
    assert short.n_iter <= fit.n_iter - 2


def test_no_prior_refuses_what_has_no_maximum():
    for df in (collinear(), table().assign(total=lambda d: d["x"] + d["y"])):
        with pytest.raises(emimpute.IdentificationError):
            df.em.fit(prior=None)


@pytest.mark.parametrize(
    ("prior", "used"), [("ridge", Ridge(3.0)), (2, Ridge(2.0)), (0.5, Ridge(0.5)), (Shrink(1.0), Shrink(1.0))]
)
def test_a_chosen_prior_is_used_without_a_word(prior, used):
    """Whoever chooses a prior is not warned of what it is for; the problems are noted all the same."""
    for df, names in ((table(), []), (collinear(), ["duplicates"])):
        fit = df.em.fit(prior=prior)
        assert fit.converged
        assert fit.prior == used
        assert list(fit.problems["problem"]) == names
        assert fit.logpost != fit.loglik


def test_a_prior_of_ones_own():
    """Any object with a ``df`` and an ``extra`` is a prior."""

    class Mine:
        df = 2.0

        def extra(self, d):
            return 0.0 * d

    mine = Mine()
    fit = table().em.fit(prior=mine)
    assert fit.prior is mine
    np.testing.assert_array_equal(fit.cov, table().em.fit(prior=Shrink(2.0)).cov)
    with pytest.raises(emimpute.EMImputeError, match=r"Mine.*cannot be written as JSON"):
        fit.to_json()


# --- weights= ---------------------------------------------------------------------------------------------------------


def test_weights_as_label_series_and_array_are_the_same():
    """A label's column takes no part in the model, and comes back as it was."""
    df = table()
    weights = pd.Series(np.arange(40) % 3, index=df.index)
    fits = [
        df.assign(w=weights).em.fit(weights="w"),
        df.em.fit(weights=weights),
        df.em.fit(weights=weights.to_numpy()),
        df.em.fit(weights=weights.tolist()),
        df.em.fit(weights=weights.astype("Int64")),
    ]
    for fit in fits:
        assert list(fit.mean.index) == ["x", "y", "z", "t"]
        assert fit.loglik == fits[0].loglik
        assert (fit.cov.to_numpy() == fits[0].cov.to_numpy()).all()
    done = df.assign(w=weights).em.impute(weights="w")
    assert (done["w"] == weights).all()
    pd.testing.assert_frame_equal(done[list("xyzt")], df.em.impute(weights=weights))


def test_a_weight_of_two_is_the_row_twice():
    df = table()
    weights = np.arange(40) % 3
    twice = df.loc[df.index.repeat(weights)].em.fit()
    fit = df.em.fit(weights=weights)
    assert fit.nobs == twice.nobs
    assert fit.loglik == pytest.approx(twice.loglik, abs=1e-6)
    np.testing.assert_allclose(fit.cov, twice.cov, atol=CLOSE)


def test_rows_without_weight_teach_nothing_and_are_filled():
    """Neither their numbers nor what they alone would make a column count."""
    df = table()
    df["u"] = np.where(df["t"] == "a", 1.0, np.arange(40.0))
    df.loc[0, "u"] = np.nan
    weights = (df["t"] == "a").astype(float)
    fit = df.em.fit(weights=weights)
    assert fit.kinds["u"] == "constant"
    np.testing.assert_array_equal(fit.mean, df[df["t"] == "a"].em.fit().mean)
    done = df.em.impute(weights=weights)
    assert done.notna().all(axis=None)
    assert done.loc[0, "u"] == 1.0


def test_a_fractional_weight_makes_a_fractional_nobs():
    fit = table().em.fit(weights=np.full(40, 0.33))
    assert fit.nobs == pytest.approx(13.2)
    assert "Observations:   13.2 (rows with something observed, times their weights)" in fit.summary()


# --- kinds=, columns=, fill=, where=, indicator= ----------------------------------------------------------------------


class Doubled(Real):
    """A kind of one's own: as real, under another name."""

    name: ClassVar[str] = "doubled"

    def learn(self, column):
        class Coding(RealCoding):
            kind: ClassVar[str] = "doubled"

        return Coding(super().learn(column).origin)


@pytest.mark.parametrize("kind", ["real", Real, Real()])
def test_a_kind_by_name_class_or_instance(kind):
    df = table().assign(k=[3.0, np.nan] * 20)
    fit = df.em.fit(kinds={"x": kind})
    assert dict(fit.kinds) == {"x": "real", "y": "real", "z": "real", "t": "binary", "k": "constant"}


def test_a_label_wins_and_then_the_first_function_that_says_yes():
    asked = {
        (lambda s: s.name in {"x", "y"}): Doubled,
        pd.api.types.is_float_dtype: "real",
        (lambda s: s.name == "y"): Constant(),
        "x": "real",
    }
    assert dict(table().em.fit(kinds=asked).kinds) == {"x": "real", "y": "doubled", "z": "real", "t": "binary"}


def test_columns_limit_the_model_and_fill_what_is_filled():
    df = table()
    assert list(df.em.fit(columns=["z", "x"]).mean.index) == ["x", "z"]
    done = df.em.impute(columns=["x", "z"])
    assert done[["x", "z"]].notna().all(axis=None)
    pd.testing.assert_series_equal(done["y"], df["y"])
    helped = df.em.impute(fill="x")
    pd.testing.assert_frame_equal(helped[["y", "z"]], df[["y", "z"]])
    pd.testing.assert_series_equal(helped["x"], df.em.impute()["x"])


def test_where_leaves_gaps():
    df = table()
    where = pd.DataFrame(np.arange(160).reshape(40, 4) % 2 == 0, index=df.index, columns=df.columns)
    done, full = df.em.impute(where=where), df.em.impute()
    pd.testing.assert_frame_equal(done, full.where(where | df.notna(), df))
    pd.testing.assert_frame_equal(df.em.impute(where=lambda d: d.isna()), full)


@pytest.mark.parametrize(("indicator", "suffix"), [(True, "_imputed"), ("_was_missing", "_was_missing")])
def test_indicators(indicator, suffix):
    df = table()
    done = df.em.impute(fill=["x", "z"], indicator=indicator)
    assert list(done.columns) == [*"xyzt", f"x{suffix}", f"z{suffix}"]
    for label in "xz":
        pd.testing.assert_series_equal(done[label + suffix], df[label].isna(), check_names=False)


def test_samples_follow_their_seed():
    df = table()
    first, second = (df.em.impute(sample=True, rng=rng) for rng in (1, np.random.default_rng(1)))
    pd.testing.assert_frame_equal(first, second)
    gaps = df["x"].isna()
    assert (first.loc[gaps, "x"] != df.em.impute(sample=True, rng=2).loc[gaps, "x"]).all()
    assert (first.loc[gaps, "x"] != df.em.impute().loc[gaps, "x"]).all()


def test_a_tighter_tol_is_closer():
    loose, tight = table().em.fit(tol=1e-2), table().em.fit(tol=1e-10)
    assert loose.n_iter < tight.n_iter
    assert loose.loglik <= tight.loglik
    assert (loose.tol, tight.tol) == (1e-2, 1e-10)


def test_numpy_numbers_are_numbers():
    fit = table().em.fit(tol=np.float32(1e-4), max_iter=np.int64(500))
    assert emimpute.read_json(fit.to_json()).tol == fit.tol


# --- what is asked for is all that is touched -------------------------------------------------------------------------


def test_only_constants_have_gaps():
    """Columns that need no coordinate need no EM either."""
    df = pd.DataFrame({"k": [2.0, np.nan, 2.0], "b": [None, True, None], "i": pd.array([5, None, 5], dtype="Int64")})
    fits = []
    done = df.em.impute(report=fits.append)
    assert done["k"].tolist() == [2.0] * 3
    assert done["b"].tolist() == [True] * 3
    assert done["i"].tolist() == [5] * 3
    (fit,) = fits
    assert fit.stop is Stop.NOTHING_MISSING
    assert fit.converged
    assert fit.mean.empty
    assert fit.cov.shape == fit.corr.shape == (0, 0)
    assert list(fit.kinds) == ["constant"] * 3
    assert len(fit.cells()) == 4
    assert "constant" in fit.summary()
    again = emimpute.read_json(fit.to_json())
    pd.testing.assert_frame_equal(again.impute(df), done)


def test_a_fit_is_frozen():
    fit = table().em.fit()
    for name in ("loglik", "stop", "law", "mean", "anything"):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(fit, name, 0)
    before = fit.summary()
    for name, place in {"mean": 0, "cov": (0, 0), "corr": (0, 0), "trace": (0, 0), "kinds": 0}.items():
        edited, kept = getattr(fit, name), getattr(fit, name)
        edited.iloc[place] = "other" if name == "kinds" else -9.0
        assert not edited.equals(kept)
        assert getattr(fit, name).equals(kept)
    assert fit.summary() == before


def test_a_fit_can_be_pickled():
    """As whatever is sent to another process must be."""
    fit = table().em.fit()
    again = pickle.loads(pickle.dumps(fit))  # noqa: S301 (our own bytes)
    pd.testing.assert_frame_equal(again.impute(), fit.impute())
    assert again.summary() == fit.summary()


def test_the_parts_of_a_fit_agree():
    df = table()
    fit = df.em.fit()
    assert fit.nobs == int(df[["x", "y", "z"]].notna().any(axis=1).sum())
    assert fit.n_iter == fit.trace["esteps"].iloc[-1]
    assert fit.loglik == fit.logpost == fit.trace["loglik"].iloc[-1]
    sd = np.sqrt(np.diag(fit.cov))
    np.testing.assert_allclose(fit.corr, fit.cov / np.outer(sd, sd), rtol=1e-14)
    assert (np.diag(fit.corr) == 1).all()
    assert list(fit.trace.columns) == ["loglik", "logpost", "step", "remaining", "rate", "esteps", "accelerated"]
    assert fit.remaining < fit.tol
    pd.testing.assert_frame_equal(fit.impute(), df.em.impute())
    assert len(fit.cells()) == int(df[["x", "y", "z"]].isna().sum().sum())


def test_problems_come_as_a_frame():
    fit = quiet(collinear().assign(k=1.0).em.fit, max_iter=2)
    table_ = fit.problems
    assert list(table_.columns) == ["problem", "columns", "sentence", "remedy"]
    assert list(table_["problem"]) == ["not converged", "unbounded", "duplicates", "constant"]
    assert list(table_["columns"]) == [(), (), (("x", "double"),), ("k",)]
    assert table_["sentence"].str.endswith((".", ".)")).all()
    assert fit.problems.empty is False
    assert table().em.fit().problems.shape == (0, 4)
