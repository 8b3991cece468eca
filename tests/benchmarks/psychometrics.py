"""Coverage of the intervals of alpha, omega and loadings, with 20 % of the answers missing at random.

    python tests/benchmarks/psychometrics.py [--replications 1000] [--rows 300]

Each replication draws eight normal items of two correlated factors and a complete covariate on which the gaps depend,
and takes alpha and omega of the first four items (one factor), and two factors of all eight. It prints the coverage of
95 % intervals, the mean standard error over the sd of the estimates, and how often the test of fit rejects at 5 %.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd

import emimpute
from emimpute.inference.moments.extraction import best_turn, extract, loadings

LOADINGS = np.array([[0.8, 0.0], [0.7, 0.0], [0.6, 0.0], [0.5, 0.0], [0.0, 0.8], [0.0, 0.7], [0.0, 0.6], [0.0, 0.5]])
BETWEEN = 0.3  # correlation of the factors
ITEMS = [f"x{i + 1}" for i in range(len(LOADINGS))]
FIRST = ITEMS[:4]


def truth() -> tuple[np.ndarray, np.ndarray]:
    """Correlations, and varimax loadings with factors by size (which is the same) and item 1 on the first."""
    corr = LOADINGS @ np.array([[1, BETWEEN], [BETWEEN, 1]]) @ LOADINGS.T
    np.fill_diagonal(corr, 1.0)
    solved = extract(corr, 2)
    found = loadings(solved.log_unique[None], corr[None], 2)[0]
    return corr, ordered(found @ best_turn(found, "varimax"))


def ordered(found: np.ndarray) -> np.ndarray:
    """Loadings with the factor of item 1 first, and positive sums."""
    first = np.argsort(-np.abs(found[0]))
    return found[:, first] * np.sign(found[:, first].sum(axis=0))


def drawn(rng: np.random.Generator, corr: np.ndarray, n: int) -> pd.DataFrame:
    """Items with gaps, and the covariate."""
    x = rng.standard_normal((n, len(corr))) @ np.linalg.cholesky(corr).T
    z = x.mean(axis=1) + rng.standard_normal(n)
    gaps = rng.random(x.shape) < (1 / (1 + np.exp(1.55 - 0.8 * z)))[:, None]
    return pd.DataFrame(np.where(gaps, np.nan, x), columns=ITEMS).assign(z=z)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=300)
    asked = parser.parse_args()
    warnings.simplefilter("error")
    corr, turned = truth()
    four, own = corr[:4, :4].sum(), LOADINGS[:4, 0]
    exact = {"alpha": 4 / 3 * (1 - 4 / four), "omega": own.sum() ** 2 / four}
    covered: dict[str, list[float]] = {name: [] for name in (*exact, "loadings")}
    values: dict[str, list[np.ndarray]] = {name: [] for name in covered}
    errors: dict[str, list[np.ndarray]] = {name: [] for name in covered}
    rejected, missing = [], []
    for seed in range(asked.replications):
        table = drawn(np.random.default_rng(seed), corr, asked.rows)
        missing.append(table[ITEMS].isna().to_numpy().mean())
        fit = emimpute.fit(table)
        for name, found in (("alpha", fit.alpha(FIRST)), ("omega", fit.omega(FIRST))):
            low, high = found.conf_int()
            covered[name].append(low <= exact[name] <= high)
            values[name].append(np.array(found.estimate))
            errors[name].append(np.array(found.se))
        factors = fit.factor(2, ITEMS)
        estimate = factors.loadings.to_numpy()
        first = np.argsort(-np.abs(estimate[0]))
        error = factors.se.to_numpy()[:, first]
        estimate = ordered(estimate)
        covered["loadings"].append(float((np.abs(estimate - turned) <= 1.96 * error).mean()))
        values["loadings"].append(estimate)
        errors["loadings"].append(error)
        rejected.append(factors.pvalue < 0.05)
    print(f"n = {asked.rows}, {asked.replications} replications, {np.mean(missing):.1%} of the items missing")
    print("| | coverage | se / sd |")
    print("|---|---|---|")
    for name, hits in covered.items():
        ratio = np.mean(errors[name], axis=0) / np.std(values[name], axis=0)
        print(f"| {name} | {np.mean(hits):.3f} | {np.min(ratio):.3f} to {np.max(ratio):.3f} |")
    print(f"The test of fit rejects two factors, which are right, at 5 %: {np.mean(rejected):.3f}")


if __name__ == "__main__":
    main()
