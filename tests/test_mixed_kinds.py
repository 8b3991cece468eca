"""The benchmark of mixed kinds on small tables: it runs, and what it measures is on the right side by a wide margin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "benchmarks" / "mixed.py"
ROOT = SCRIPT.parents[2]


def measured(folder, *arguments, **environment):
    """What the script notes of its tables: {(part, who): measures}, and what it prints."""
    raw = folder / "raw.jsonl"
    command = [sys.executable, SCRIPT, *arguments, "--seeds", "1", "--raw", raw]
    changed = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, env=changed, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]
    return {(line["part"], line["who"]): line for line in lines}, done.stdout


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("mixed"), "copula", "cuts", "calibration", "--rows", "400")[0]


@pytest.mark.parametrize("mechanism", ["MCAR", "MAR"])
@pytest.mark.parametrize("error", ["NRMSE", "ordinal SMAE", "binary error"])
def test_errors_lie_between_the_medians_and_the_true_parameters(tables, mechanism, error):
    part = f"copula {mechanism}"
    ours, truth, median = (tables[part, who][error] for who in ("emimpute, kind skewed", "truth", "median"))
    assert 0.8 * truth < ours < 1.35 * truth
    assert ours < 0.9 * median


@pytest.mark.parametrize("mechanism", ["MCAR", "MAR"])
def test_latent_correlations_are_near_the_true_ones(tables, mechanism):
    assert tables[f"copula {mechanism}", "emimpute, kind skewed"]["R"] < 0.35


def test_cut_points_are_right_where_the_gaps_depend_on_another_column(tables):
    ours, shares = tables["cuts", "emimpute"], tables["cuts", "observed shares, as gcimpute has them"]
    assert ours["mean |error|"] < 0.15
    assert shares["mean |error|"] > 0.25


@pytest.mark.parametrize("kind", ["real", "positive", "bounded", "skewed"])
def test_intervals_cover(tables, kind):
    assert 0.88 < tables["calibration MCAR", "emimpute"][kind] < 0.99
    assert 0.85 < tables["calibration MAR", "emimpute"][kind] < 0.99


def test_unordered_answers_are_better_than_the_most_frequent_and_their_probabilities_what_they_promise(tmp_path):
    tables, printed = measured(tmp_path, "nominal", "--rows", "300", QUICK="1")
    for law in ("probit", "logit"):
        ours = tables[f"nominal {law}", "emimpute"]
        assert ours["mean"] < 0.95 * tables[f"nominal {law}", "most frequent level"]["mean"]
        assert abs(ours["squared error of probabilities"] - ours["due"]) < 0.25 * ours["due"]
    assert "| 0.0 to 0.1 |" in printed
