"""How often the tests of missingness completely at random reject, where they should not and where they should.

``python tests/benchmarks/mcar.py [REPLICATIONS]`` prints the tables of docs/missingness.md: Little's test under MCAR
by rows, columns and share missing, normal and skewed rows, by χ² and (fewer replications) by bootstrap; and the tests
of one covariance matrix under MCAR, with unequal covariances, and where rows are not normal. A share is shown with its
Monte-Carlo error; ``QUICK=1`` in the environment makes 5 replications.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pandas as pd

import emimpute

LEVEL = 0.05


def rows(rng: np.random.Generator, n: int, d: int, *, skewed: bool = False) -> np.ndarray:
    """Rows of correlation .5, (n, d); skewed ones are exponentials of normal ones."""
    z = np.sqrt(0.5) * (rng.standard_normal((n, d)) + rng.standard_normal((n, 1)))
    return np.exp(z) if skewed else z


def by_patterns(rng: np.random.Generator, x: np.ndarray, patterns: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each row of ``x`` one of a few patterns at random, the first complete; also returns which each row has."""
    n, d = x.shape
    masks = rng.random((patterns, d)) < 0.4
    masks[0] = False
    masks[1:, 0] = False
    masks[np.arange(1, patterns), 1 + np.arange(patterns - 1) % (d - 1)] = True  # each lacks something
    of_row = rng.integers(patterns, size=n)
    x[masks[of_row]] = np.nan
    return x, of_row


def scattered(rng: np.random.Generator, x: np.ndarray, share: float) -> np.ndarray:
    """Delete each cell with the same probability."""
    x[rng.random(x.shape) < share] = np.nan
    return x


def rejected(p: list[float]) -> str:
    """The share of tests that reject, and its Monte-Carlo error."""
    share = float(np.mean(np.array(p) <= LEVEL))
    return f"{share:7.3f} ± {np.sqrt(share * (1 - share) / len(p)):.3f}"


def little(normal: int, skewed_too: int, sizes: tuple[int, ...] = (50, 200, 1000)) -> None:
    """Rejection rates of Little's test at 5 %."""
    print("rows  columns  missing    rows are  rejects          (replications)")
    for n in sizes:
        for d, share in ((5, 0.1), (5, 0.3), (10, 0.1)):
            for skewed in (False, True):
                replications = skewed_too if skewed else normal
                rng = np.random.default_rng([n, d, round(100 * share), skewed])
                p = [
                    emimpute.mcar_test(
                        pd.DataFrame(scattered(rng, rows(rng, n, d, skewed=skewed), share)), tol=1e-5
                    ).pvalue
                    for _ in range(replications)
                ]
                kind = "skewed" if skewed else "normal"
                print(f"{n:4}  {d:7}  {share:7.0%}  {kind:>10}  {rejected(p)}  ({replications})")


def bootstrap(replications: int) -> None:
    """The same by bootstrap, where χ² fails."""
    print("bootstrap: rows  columns  missing  rejects          (replications of 99 tables)")
    for n, d, share in ((50, 5, 0.3), (50, 10, 0.1)):
        rng = np.random.default_rng([n, d])
        p = [
            emimpute.mcar_test(
                pd.DataFrame(scattered(rng, rows(rng, n, d), share)), tol=1e-5, bootstrap=99, rng=rng
            ).bootstrap_pvalue
            for _ in range(replications)
        ]
        print(f"{n:15}  {d:7}  {share:7.0%}  {rejected(p)}  ({replications})")


def homogeneity(replications: int) -> None:
    """Rejection rates of the tests of one covariance matrix at 5 %: 4 columns, 5 patterns."""
    print("rows  case                  Hawkins  Anderson-Darling  (replications)")
    for n in (200, 1000):
        for case in ("normal, MCAR", "unequal covariances", "skewed, MCAR", "t with 5 df, MCAR"):
            rng = np.random.default_rng([n, len(case)])
            found = []
            for _ in range(replications):
                x, of_row = by_patterns(rng, rows(rng, n, 4, skewed=case.startswith("skewed")), 5)
                if case.startswith("unequal"):
                    x[of_row >= 3] *= 2.0  # two of the five patterns
                if case.startswith("t "):
                    x /= np.sqrt(rng.chisquare(5, size=(n, 1)) / 5)
                test = emimpute.homogeneity_test(pd.DataFrame(x), rng=rng, tol=1e-4)
                found.append((test.pvalue, test.anderson_pvalue))
            rates = np.mean(np.array(found) < LEVEL, axis=0)
            print(f"{n:4}  {case:20}  {rates[0]:7.3f}  {rates[1]:16.3f}  ({replications})")


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5 if os.environ.get("QUICK") else 1000
    little(times, max(2 * times // 5, 1))
    bootstrap(max(times // 5, 1))
    homogeneity(max(times // 5, 1))
