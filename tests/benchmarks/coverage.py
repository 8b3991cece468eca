"""How often 95 % intervals cover: regression after multiple imputation, and what one replication takes.

Run with ``python tests/benchmarks/coverage.py --replications 1000``; ``--first`` takes the seeds from there on. A
replication draws n = 200 rows of four normal columns, correlated .5 where nothing else is said, and removes about 30 %
of the cells of three of them at random given the others that are complete (MAR): y and b go the more often the higher a
is, c completely at random. The analysis is the regression of y on a, b and c. All methods see the same data. Under
"complete data" is the regression before any cell was removed, which is what sampling alone does to the table.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from threadpoolctl import threadpool_limits

import emimpute

TRUTH = {"Intercept": 1.0, "a": 0.5, "b": -0.4, "c": 0.3}
METHODS = ("bootstrap", "posterior", "plugin")
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


def intervals(method: str, whole: pd.DataFrame, gaps: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Estimates (k,) and their 95 % intervals (k, 2), in the order of ``TRUTH``."""
    if method == "complete data":
        result = sm.OLS.from_formula(FORMULA, whole).fit()
        return result.params[list(TRUTH)].to_numpy(), result.conf_int().loc[list(TRUTH)].to_numpy()
    params = emimpute.draw(gaps, M, method=method, rng=seed).pool(FORMULA).params.loc[list(TRUTH)]
    return params["estimate"].to_numpy(), params[["ci_low", "ci_high"]].to_numpy()


def main() -> None:
    """Print a table, a row for each method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rows", type=int, default=200)
    given = parser.parse_args()
    warnings.simplefilter("ignore", emimpute.EMImputeWarning)  # plugin warns, as it should
    truth = np.array(list(TRUTH.values()))
    methods = ("complete data", *METHODS)
    seconds: dict[str, list[float]] = {method: [] for method in methods}
    found = {method: np.empty((given.replications, len(truth), 3)) for method in methods}
    with threadpool_limits(1):
        for r in range(given.replications):
            whole, gaps = sample(given.first + r, given.rows)
            for method in methods:
                begin = time.process_time()
                estimate, interval = intervals(method, whole, gaps, given.first + r)
                seconds[method].append(time.process_time() - begin)
                found[method][r] = np.column_stack([estimate, interval])
    rows = {}
    for method in methods:
        estimate, low, high = np.moveaxis(found[method], 2, 0)
        covered = ((low <= truth) & (truth <= high)).mean(axis=0)
        rows[method] = [*covered, covered.mean(), *(estimate.mean(axis=0) - truth), (high - low).mean()]
        rows[method].append(1e3 * float(np.median(seconds[method])))
    names = [*TRUTH, "mean", *(f"bias {name}" for name in TRUTH), "width", "ms"]
    print(f"{given.replications} replications of n = {given.rows}, m = {M}; a coverage of .95 has the standard error")
    print(f"{np.sqrt(0.05 * 0.95 / given.replications):.3f}")
    print(pd.DataFrame.from_dict(rows, orient="index", columns=names).round(3).to_string())


if __name__ == "__main__":
    main()
