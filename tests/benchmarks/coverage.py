"""How often 95 % intervals cover: regression from incomplete data, and what one replication takes.

Run with ``python tests/benchmarks/coverage.py``: 1000 replications, some five minutes. ``--first`` takes the seeds from
there on, ``--results FILE`` keeps what was found, so that a run can be taken up again; ``QUICK=1`` in the environment
makes 5. A replication draws n = 200 rows of four normal columns, correlated .5 where nothing else is said, and removes
about 30 % of the cells of three of them at random given the other one, which is complete (MAR): y and b go the more
often the higher a is, c completely at random. The analysis is the regression of y on a, b and c. All methods see the
same data. Under "complete data" is the regression before any cell was removed, which is what sampling alone does to the
table.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import statsmodels.api as sm
from _replications import answers, coverage, minus, widths
from threadpoolctl import threadpool_limits

import emimpute

if TYPE_CHECKING:
    from collections.abc import Sequence

TRUTH = pd.Series({"Intercept": 1.0, "a": 0.5, "b": -0.4, "c": 0.3})
DRAWS = ("bootstrap", "posterior", "plugin")
METHODS = ("complete data", "regress", *DRAWS)
FORMULA = "y ~ a + b + c"
M = 20


def sample(seed: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Complete data, and the same with gaps."""
    rng = np.random.default_rng([seed, n])
    a, b, c = np.linalg.cholesky(np.full((3, 3), 0.5) + 0.5 * np.eye(3)) @ rng.standard_normal((3, n))
    y = TRUTH["Intercept"] + TRUTH["a"] * a + TRUTH["b"] * b + TRUTH["c"] * c + rng.standard_normal(n)
    whole = pd.DataFrame({"y": y, "a": a, "b": b, "c": c})
    gaps = whole.copy()
    for column, slope in {"y": 1.0, "b": 1.0, "c": 0.0}.items():
        gaps.loc[rng.random(n) < 1 / (1 + np.exp(0.95 - slope * a)), column] = np.nan
    return whole, gaps


def intervals(method: str, seed: int, n: int) -> np.ndarray:
    """Estimates and their 95 % intervals (4, 3), in the order of ``TRUTH``."""
    whole, gaps = sample(seed, n)
    terms = list(TRUTH.index)
    if method in DRAWS:
        params = emimpute.draw(gaps, M, method=method, rng=seed).pool(FORMULA).params
        return params.loc[terms, ["estimate", "ci_low", "ci_high"]].to_numpy()
    result = emimpute.fit(gaps).regress(FORMULA) if method == "regress" else sm.OLS.from_formula(FORMULA, whole).fit()
    return np.column_stack([result.params[terms], result.conf_int().loc[terms]])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print tables, a row for each method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=5 if os.environ.get("QUICK") else 1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--results", type=Path)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", emimpute.EMImputeWarning)  # plugin warns, as it should
    with threadpool_limits(1):
        found = answers(
            lambda method, number: intervals(method, number, given.rows),
            given.methods.split(","),
            range(given.first, given.first + given.replications),
            terms=len(TRUTH),
            settings={"rows": given.rows, "m": M},
            results=given.results,
        )
    print(f"{given.replications} replications of n = {given.rows}, m = {M}: coverage of 95 % intervals")
    print(coverage(found, TRUTH).round(3).to_string())
    if "complete data" in found:
        print("\nless that with complete data")
        print(minus(found, "complete data", TRUTH).round(3).to_string())
    print("\nbias over the sd of estimates, width of intervals, processor time")
    print(widths(found, TRUTH).round(3).to_string())


if __name__ == "__main__":
    main()
