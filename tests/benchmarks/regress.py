"""Coverage of the intervals of ``regress`` at n = 200, with 30 % of two columns missing at random.

    python tests/benchmarks/regress.py [--replications 1000] [--first 0] [--rows 200]

Each replication draws y = 1 + .5 x1 - .3 x2 + e with an auxiliary z, deletes 30 % of x1 and 30 % of y with
probabilities that depend on x2 and z, which are complete, and takes ``regress("y ~ x1 + x2")`` from the fit of all four
columns. Beside it stand least squares on the complete data and on the complete rows. It prints a table of coverage of
95 % intervals, and of the mean standard error over the sd of the estimates. A replication's number is its seed;
``--first`` takes them from there on, and ``QUICK=1`` in the environment makes 20.
"""

from __future__ import annotations

import argparse
import os
import warnings

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

import emimpute

TRUTH = np.array([1.0, 0.5, -0.3])
METHODS = ("t, observed", "normal, observed", "t, expected", "t, sandwich", "OLS, complete data", "OLS, complete rows")


def drawn(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Complete data."""
    x = rng.standard_normal((n, 2)) @ np.linalg.cholesky([[1, 0.4], [0.4, 1]]).T
    y = TRUTH[0] + x @ TRUTH[1:] + rng.standard_normal(n)
    z = 0.6 * y + 0.4 * x[:, 0] + rng.standard_normal(n)
    return pd.DataFrame({"y": y, "x1": x[:, 0], "x2": x[:, 1], "z": z})


def gaps(rng: np.random.Generator, whole: pd.DataFrame) -> pd.DataFrame:
    """The same with some 30 % of y and of x1 missing at random."""
    table, n = whole.copy(), len(whole)
    z = (table["z"] - 0.6) / 1.6
    table.loc[rng.random(n) < 1 / (1 + np.exp(1.0 - 1.0 * table["x2"] - 0.5 * z)), "y"] = np.nan
    table.loc[rng.random(n) < 1 / (1 + np.exp(1.0 - 1.0 * z)), "x1"] = np.nan
    return table


def least_squares(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, standard errors, degrees of freedom."""
    x = np.column_stack([np.ones(len(table)), table[["x1", "x2"]]])
    estimate, residual, *_ = np.linalg.lstsq(x, table["y"].to_numpy(), rcond=None)
    free = len(table) - 3
    return estimate, np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * residual[0] / free), np.full(3, float(free))


def replication(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Estimates, standard errors and halves of intervals, each (methods, 3); and the share missing."""
    rng = np.random.default_rng(seed)
    whole = drawn(rng, n)
    table = gaps(rng, whole)
    fit = emimpute.fit(table)
    kinds = ("observed", "expected", "sandwich")
    found = {kind: fit.regress("y ~ x1 + x2", cov_type=kind) for kind in kinds}
    of_fit = [(found[k].params.to_numpy(), found[k].bse.to_numpy(), found[k].df.to_numpy()) for k in kinds]
    infinite = (*of_fit[0][:2], np.full(3, np.inf))
    rows = [of_fit[0], infinite, *of_fit[1:], least_squares(whole), least_squares(table.dropna())]
    estimate, error, free = (np.array(part) for part in zip(*rows, strict=True))
    quantile = np.where(np.isinf(free), ndtri(0.975), stdtrit(np.minimum(free, 1e9), 0.975))
    return estimate, error, quantile * error, float(table[["y", "x1"]].isna().to_numpy().mean())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=20 if os.environ.get("QUICK") else 1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rows", type=int, default=200)
    asked = parser.parse_args()
    warnings.simplefilter("error")
    runs = [replication(seed, asked.rows) for seed in range(asked.first, asked.first + asked.replications)]
    estimate, error, half = (np.array(part) for part in list(zip(*runs, strict=True))[:3])
    inside = np.abs(estimate - TRUTH) <= half
    covered, spread = inside.mean(axis=0), inside.mean(axis=2).std(axis=0) / np.sqrt(len(runs))
    honest = error.mean(axis=0) / estimate.std(axis=0)
    missing = np.mean([run[3] for run in runs])
    print(f"n = {asked.rows}, {asked.replications} replications, {missing:.1%} of y and x1 missing")
    print("| | Intercept | x1 | x2 | mean | se / sd |")
    print("|---|---|---|---|---|---|")
    for name, shares, apart, ratio in zip(METHODS, covered, spread, honest, strict=True):
        cells = " | ".join(f"{share:.3f}" for share in [*shares, shares.mean()])
        print(f"| {name} | {cells} ± {apart:.3f} | {' '.join(f'{value:.3f}' for value in ratio)} |")


if __name__ == "__main__":
    main()
