"""How often the tests of several coefficients D1 to D4 reject a true hypothesis at 5 %.

``python tests/benchmarks/joint_tests.py [REPLICATIONS]``: 200 normal rows, the regression of y on a, b and c, of which
only a matters; cells of b, c and y missing at random given a; 10 imputations by the bootstrap; the test of b and c.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import emimpute

METHODS = ("D1", "D2", "D3", "D4")
CORR = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.4], [0.3, 0.4, 1.0]])


def table(seed: int, n: int = 200) -> pd.DataFrame:
    """One table with its gaps."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) @ np.linalg.cholesky(CORR).T
    y = x[:, 0] + rng.normal(size=n)
    df = pd.DataFrame(np.column_stack([y, x]), columns=list("yabc"))
    for name in "bcy":
        df.loc[rng.random(n) < 1 / (1 + np.exp(1 - x[:, 0])), name] = np.nan
    return df


def main(replications: int = 400) -> None:
    """Print the shares."""
    rejected = dict.fromkeys(METHODS, 0)
    missing = []
    for seed in range(replications):
        df = table(seed)
        missing.append(df[list("bcy")].isna().to_numpy().mean())
        pooled = emimpute.draw(df, 10, rng=seed).pool("y ~ a + b + c")
        for method in METHODS:
            rejected[method] += pooled.test(["b", "c"], method=method).p < 0.05
    print(f"{replications} tables, {np.mean(missing):.1%} of the cells of b, c and y missing")
    for method, count in rejected.items():
        share = count / replications
        print(f"{method}: {share:.1%} (Monte-Carlo error {np.sqrt(share * (1 - share) / replications):.1%})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
