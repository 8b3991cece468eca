"""Watching a fit: what is shown, how honest it is, that it changes nothing, and how Ctrl-C ends it."""

from __future__ import annotations

import logging
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import numeric
from references import load
from tables import latent
from threadpoolctl import threadpool_info, threadpool_limits

import emimpute
from emimpute.em import Iterate, Stop, iterates
from emimpute.models.mvn import MVN
from emimpute.results.progress import Pace, watching


def whole_numbers():
    """A table with a column of whole numbers far from 0."""
    df = numeric(80)
    return df.assign(year=pd.array(1990 + np.arange(80) % 7, dtype="Int64"))


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


# A function -----------------------------------------------------------------------------------------------------------


def test_a_function_sees_every_iterate():
    seen = []
    fit = whole_numbers().em.fit(progress=seen.append)
    assert [i.loglik for i in seen] == fit.trace["loglik"].tolist()
    assert [i.esteps for i in seen] == fit.trace["esteps"].tolist()
    assert [i.stop for i in seen] == [None] * (len(seen) - 1) + [Stop.CONVERGED]
    assert all(isinstance(i, Iterate) for i in seen)


def test_its_parameters_are_in_the_columns_units():
    """Also where a column's cells are counted from an origin of their own."""
    seen = []
    fit = whole_numbers().em.fit(progress=seen.append)
    assert fit.mean["year"] > 1900
    np.testing.assert_array_equal(seen[-1].params.mean, fit.mean)
    np.testing.assert_array_equal(seen[-1].params.cov, fit.cov)


def vandal(iterate):
    """Breaks all it can reach."""
    iterate.params.mean[:] = 0.0
    iterate.params.cov[:] = np.eye(len(iterate.params.mean))
    np.random.default_rng(0).random(1000)


@pytest.mark.parametrize("progress", [True, lambda _: False, vandal], ids=["bar", "function", "vandal"])
@pytest.mark.parametrize("starts", [1, 3])
def test_watching_changes_no_bit(progress, starts):
    df = numeric(80)
    plain, watched = (df.em.fit(starts=starts, rng=1, progress=p) for p in (False, progress))
    pd.testing.assert_frame_equal(watched.cov, plain.cov, check_exact=True)
    pd.testing.assert_series_equal(watched.mean, plain.mean, check_exact=True)
    pd.testing.assert_frame_equal(watched.trace, plain.trace, check_exact=True)
    filled = [df.em.impute(starts=starts, rng=1, sample=True, progress=p) for p in (False, progress)]
    pd.testing.assert_frame_equal(*filled, check_exact=True)


def test_what_a_fit_tried_before_is_seen_too():
    """Maximum likelihood, before the ridge steps in; E-steps go on counting."""
    df, seen = load("collinear_attitude").frame, []
    with pytest.warns(emimpute.IdentificationWarning):
        fit = df.em.fit(progress=seen.append)
    assert [i.stop for i in seen if i.stop is not None] == [Stop.UNBOUNDED, Stop.CONVERGED]
    assert (np.diff([i.esteps for i in seen]) >= 0).all()
    assert seen[-1].esteps == fit.n_iter


@pytest.mark.parametrize("value", [None, 1, "yes", [print]])
def test_progress_is_checked(value):
    for function in (emimpute.fit, emimpute.impute):
        with pytest.raises(emimpute.EMImputeError, match=rf"progress= takes .* type {type(value).__name__}"):
            function(numeric(), progress=value)


def test_constants_alone_are_nothing_to_watch(capsys):
    seen = []
    pd.DataFrame({"a": [1.0, np.nan, 1.0]}).em.fit(progress=seen.append)
    pd.DataFrame({"a": [1.0, np.nan, 1.0]}).em.fit(progress=True)
    assert seen == []
    assert "Error" not in capsys.readouterr().err


# A bar, or the log ----------------------------------------------------------------------------------------------------


def test_a_bar_goes_to_stderr_and_is_finished(capsys):
    pytest.importorskip("tqdm")
    fit = numeric(80).em.fit(progress=True)
    out, err = capsys.readouterr()
    last = err.rstrip("\n").rpartition("\r")[2]
    assert not out
    assert "100%" in last
    assert f"{fit.n_iter}/{fit.n_iter}" in last
    assert "distance" in last


def test_no_bar_unless_asked(capsys):
    numeric(80).em.fit()
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_closed_when_the_fit_fails(monkeypatch):
    tqdm = pytest.importorskip("tqdm.auto")
    closed = []
    monkeypatch.setattr(tqdm.tqdm, "close", lambda _: closed.append(True))
    with pytest.raises(emimpute.IdentificationError):
        load("collinear_attitude").frame.em.fit(prior=None, progress=True)
    assert closed


def test_without_tqdm_the_log_is_told(monkeypatch, caplog):
    """A line at the beginning and one at the end of each run, and others not more often than once a second."""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with caplog.at_level(logging.INFO, logger="emimpute"):
        fit = numeric(80).em.fit(progress=True)
    first, *_, last, summary = [record.getMessage() for record in caplog.records]
    assert first.startswith("EM: E-steps=1 left=")
    assert last.startswith(f"EM: E-steps={fit.n_iter} left=0 distance=")
    assert summary.startswith(Stop.CONVERGED.value)


def test_the_log_is_told_every_second(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    clock = iter(np.arange(0, 1000, 0.4))
    monkeypatch.setattr("emimpute.results.progress.time.monotonic", lambda: float(next(clock)))
    at = Iterate(None, 0.0, 0.0, 0.0, 1.0, 0.5, 1, accelerated=False, checks=0)
    with caplog.at_level(logging.INFO, logger="emimpute"), watching(True, 1e-6) as watch:
        for k in range(1, 8):
            watch(replace(at, esteps=k, remaining=0.5**k), "EM")
    said = [record.getMessage() for record in caplog.records]
    assert [message.split()[1] for message in said] == ["E-steps=1", "E-steps=4", "E-steps=7"]
    assert said[0] == "EM: E-steps=1 left=about 19 distance=5.0e-01"


def test_a_long_fit_that_nobody_watches_says_that_it_is_at_work(caplog):
    """After ten seconds, and then each time it has taken twice as long; by the clock from the fit's beginning."""
    now = 100.0
    at = Iterate(None, 0.0, 0.0, 0.0, 0.25, 0.5, 1, accelerated=False, checks=0)
    with caplog.at_level(logging.INFO, logger="emimpute"), watching(False, 1e-6, clock=lambda: now) as watch:
        for k, seconds in enumerate((0, 9.9, 10.2, 19.0, 20.0, 21.0, 95.0, 159.0, 160.0), start=1):
            now = 100.0 + seconds
            watch(replace(at, esteps=k), "EM with a ridge")
        now = 1000.0
        watch(replace(at, esteps=20, stop=Stop.CONVERGED), "EM with a ridge")  # what is over is told elsewhere
    said = [record.getMessage() for record in caplog.records]
    assert [record.levelname for record in caplog.records] == ["INFO"] * 4
    assert [message.split(" distance")[0].split(": ")[1] for message in said] == [
        "E-steps=3 seconds=10",
        "E-steps=5 seconds=20",
        "E-steps=7 seconds=95",
        "E-steps=9 seconds=160",
    ]
    assert said[0] == "EM with a ridge: E-steps=3 seconds=10 distance=2.5e-01; progress=True shows more"


def test_a_whole_fit_has_its_sign_of_life(monkeypatch, caplog):
    """Each iterate takes eight seconds here; in truth it takes none, and then nothing is said."""
    with caplog.at_level(logging.INFO, logger="emimpute"):
        fit = numeric(80).em.fit()
        assert not [message for message in caplog.messages if "seconds=" in message]
        clock = iter(np.arange(0, 10_000, 8.0))
        monkeypatch.setattr("emimpute.results.progress.time.monotonic", lambda: float(next(clock)))
        slow = numeric(80).em.fit()
    said = [message for message in caplog.messages if "seconds=" in message]
    assert len(fit.trace) > 3
    begun, later = (f"EM: E-steps={fit.trace['esteps'].iloc[k]} seconds={8 * (k + 1)} " for k in (1, 2))
    assert said[0].startswith(begun)
    assert said[1].startswith(later)
    pd.testing.assert_frame_equal(slow.trace, fit.trace, check_exact=True)


def test_starts_and_ridge_have_names(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with caplog.at_level(logging.INFO, logger="emimpute"), pytest.warns(emimpute.IdentificationWarning):
        load("collinear_attitude").frame.em.fit(starts=2, rng=0, progress=True)
    names = {record.getMessage().partition(":")[0] for record in caplog.records[:-1]}
    runs = [f"start {k} of 2" for k in (1, 2)]
    assert names == {f"{what}, {run}" for what in ("EM", "EM with a ridge") for run in runs}


# How many are left ----------------------------------------------------------------------------------------------------


def estimates(name, engine, tol=1e-6):
    """Pairs of E-steps left, as estimated and in truth, over a run."""
    problem, pace = MVN().bind(latent(load(name).frame.to_numpy(dtype=float))), Pace(tol)
    history = list(iterates(problem, engine=engine, tol=tol, max_iter=5000))
    assert history[-1].stop is Stop.CONVERGED
    assert pace.left(history[-1]) == 0
    return [(pace.left(i), history[-1].esteps - i.esteps) for i in history[:-1]]


@pytest.mark.parametrize("name", ["nearfilematch_hs", "boys_num", "btheb", "tao"])
def test_what_plain_em_has_left_is_known(name):
    """From a third of the way on, to a tenth and some steps."""
    found = estimates(name, "em")
    found = found[len(found) // 3 :]
    assert all(abs(told - left) <= 0.1 * left + 8 for told, left in found)


@pytest.mark.parametrize("name", ["nearfilematch_hs", "boys_num", "sim_mar8"])
def test_what_an_accelerated_run_has_left_is_known_roughly(name):
    """It ends sooner than said as a rule, for the last steps are the best; but it is not said to end far too soon."""
    found = estimates(name, "lbfgs")
    found = found[len(found) // 3 :]
    assert all(left / 3 - 5 <= told <= 60 for told, left in found)
    assert np.median([(told + 3) / (left + 3) for told, left in found]) < 4


def test_where_nothing_is_known_nothing_is_said():
    at = Iterate(None, 0.0, 0.0, 0.0, math.nan, math.nan, 1, accelerated=False, checks=0)
    pace = Pace(1e-6)
    assert math.isnan(pace.left(at))
    assert math.isnan(pace.left(replace(at, remaining=math.inf, rate=0.9)))
    assert math.isnan(pace.left(replace(at, remaining=1.0)))
    assert pace.left(replace(at, remaining=1e-3, rate=0.1)) == pytest.approx(3)
    assert pace.left(replace(at, remaining=1e-8, rate=0.1)) == 0


# Ctrl-C ---------------------------------------------------------------------------------------------------------------


class Interrupt:
    """Presses Ctrl-C at an iterate."""

    def __init__(self, at):
        self.left = at

    def __call__(self, _):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("function", [emimpute.fit, emimpute.impute])
def test_an_interrupt_leaves_nothing_half_done(function, at):
    """It is Python's own; the frame is as it was, no report was made, and linear algebra has its threads back."""
    df, reports = numeric(80), []
    before = df.copy(deep=True)
    with threadpool_limits(limits=2, user_api="blas"):
        had = threads()
        with pytest.raises(KeyboardInterrupt):
            function(df, progress=Interrupt(at), report=reports.append)
        assert threads() == had
    assert reports == []
    pd.testing.assert_frame_equal(df, before, check_exact=True)
    assert emimpute.fit(df).converged


def test_whatever_a_function_raises_ends_the_fit():
    def stop(_):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        numeric(80).em.impute(progress=stop)


CHILD = """
import numpy as np, pandas as pd, emimpute
from threadpoolctl import threadpool_info

def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

rng = np.random.default_rng(0)
x = rng.standard_normal((4000, 20)) @ rng.standard_normal((20, 20))
x[rng.random(x.shape) < 0.3] = np.nan
df = pd.DataFrame(x)
before, had, done = df.copy(deep=True), threads(), None
try:
    print("running", flush=True)
    while True:
        done = None
        done = df.em.impute(progress=True, tol=1e-12)
except KeyboardInterrupt:
    assert done is None or done.notna().all(axis=None)
    assert threads() == had
    pd.testing.assert_frame_equal(df, before, check_exact=True)
    print("clean", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child alone")
def test_a_real_ctrl_c(tmp_path):
    """A signal in the middle of a fit: KeyboardInterrupt, and everything as it was."""
    root = Path(__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(root)!r})\n{CHILD}"
    script = tmp_path / "child.py"
    script.write_text(code, encoding="utf-8")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "running\n"
            child.stderr.read(40)  # the bar has begun, so a fit is under way
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert out == "clean\n", err
    assert "Traceback" not in err
    assert child.returncode == 0
