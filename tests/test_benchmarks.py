"""The benchmarks run, whoever is there to be compared with; what they measure is not tested here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers.runs import NAMES, R_PEERS, run
from benchmarks.peers.tables import read, table, write

import emimpute

SCRIPTS = Path(__file__).parent / "benchmarks"
ROOT = SCRIPTS.parents[1]
SAME = 1e-6  # log-likelihood, from the same parameters
LOOSE = 0.05  # likewise, of EM that stops early


def end_to_end(*arguments, **environment):
    """What the script prints."""
    command, changed = [sys.executable, SCRIPTS / "end_to_end.py", *arguments], {**os.environ, **environment}
    done = subprocess.run(command, env=changed, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(autouse=True)
def _this_package(monkeypatch):
    """The processes that are started import what is tested here."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def small(tmp_path):
    """A table, and the file in which a peer finds it."""
    df = table(300, 4, 0.2)
    write(df, tmp_path / "small.f64")
    return df, tmp_path / "small.f64"


def loglik(df, outcome):
    """Row by row, by the density of what was observed."""
    total = 0.0
    for row in df.to_numpy():
        seen = ~np.isnan(row)
        if seen.any():
            error, cov = (row - outcome.mean)[seen], outcome.cov[np.ix_(seen, seen)]
            total -= (error @ np.linalg.solve(cov, error) + np.linalg.slogdet(2 * np.pi * cov)[1]) / 2
    return total


def test_every_script_can_be_imported():
    """Whatever is not installed."""
    names = [path.stem for path in sorted(SCRIPTS.glob("[a-z]*.py"))]
    assert {"end_to_end", "growth", "memory"} <= set(names)
    subprocess.run([sys.executable, "-c", f"import {', '.join(names)}"], cwd=SCRIPTS, check=True, timeout=300)


def test_a_table_reaches_a_peer_as_it_is(small):
    df, path = small
    assert read(path, 4).equals(df)


def test_who_is_not_installed_is_a_row(tmp_path):
    """Neither a Python peer, nor R, nor the data that come with a peer, need be there."""
    (tmp_path / "sklearn.py").write_text("raise ImportError('not here', name='sklearn')")
    printed = end_to_end(
        *("60x3", "breast_cancer", "--peers", "scikit-learn,Amelia", "--rounds", "1"),
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
        PATH=str(tmp_path),
    )
    rows = {line[0].split()[0]: line for line in map(cells, re.findall(r"^\| \w.*", printed, re.MULTILINE))}
    assert rows["scikit-learn"][1] == rows["Amelia"][1] == "not installed"
    assert float(rows["emimpute"][1]) > 0
    assert rows["emimpute"][3:5] == ["1", "0"]  # itself, and no further from its own log-likelihood
    assert "breast_cancer: its data come with sklearn, which is not installed." in printed


def test_the_names_are_beginnings_of_rows():
    assert len(NAMES) == len(set(NAMES))
    assert NAMES[0] == "emimpute"


def test_the_estimate_comes_back(small):
    df, path = small
    outcome, fit = run("emimpute", path, 4, 60), emimpute.fit(df)
    assert np.array_equal(outcome.mean, fit.mean)
    assert np.array_equal(outcome.cov, fit.cov)
    assert min(outcome.wall) > 0
    assert loglik(df, outcome) == pytest.approx(fit.loglik, abs=SAME)


def test_who_fails_says_so(tmp_path):
    """A column without a value is too much for this one."""
    write(table(50, 3, 0.1).assign(x1=np.nan), tmp_path / "empty.f64")
    outcome = run("statsmodels BayesGaussMI", tmp_path / "empty.f64", 3, 60)
    assert outcome.note.startswith("failed: ValueError")
    assert not outcome.wall


def test_who_takes_too_long_is_ended(tmp_path):
    write(table(4_000, 40, 0.2), tmp_path / "large.f64")
    assert run("statsmodels MICEData", tmp_path / "large.f64", 40, 0.5).note == "> 0.5"


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.parametrize("name", ["norm2 emNorm", "Amelia EM", "lavaan FIML"])
def test_what_r_maximizes_is_the_likelihood(small, name):
    """Its parameters reach us in the units and the order of the columns."""
    df, path = small
    outcome = run(name, path, 4, 60)
    if outcome.note == "not installed":
        pytest.skip(f"{R_PEERS[name]} is not installed")
    assert outcome.note == ""
    assert emimpute.fit(df).loglik == pytest.approx(loglik(df, outcome), abs=LOOSE)
