"""``prior="auto"`` beside maximum likelihood: cells removed from complete real tables, filled, compared with the truth.

Run with ``make bench``, or with names of tables as arguments: ``auto_ridge.py linnerud longley``. NRMSE is the root
mean squared error of the filled cells in units of their column's sd in the complete table. A task is a table, a share
of cells and a mechanism; its ratio is the geometric mean, over the seeds, of the NRMSE of ``prior="auto"`` over that of
``prior="fallback"``, which is maximum likelihood where that exists (the column "ML" says how often it did).

MCAR removes cells alike; MAR keeps a third of the columns complete, and removes cells of the others with a probability
that rises with a random linear combination of those (logistic, slope 1.5 an sd).
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import emimpute

SHARES = (0.1, 0.3, 0.5)
TABLES = ("iris", "wine", "diabetes", "linnerud", "longley", "macrodata", "star98", "breast_cancer")


def table(name: str) -> np.ndarray:
    """A complete table (n, d)."""
    if name in {"longley", "macrodata", "star98"}:
        from statsmodels import datasets  # noqa: PLC0415 (slow to load)

        return getattr(datasets, name).load_pandas().data.to_numpy(float)
    from sklearn import datasets  # noqa: PLC0415 (a peer that may not be there)

    data = getattr(datasets, f"load_{name}")()
    return np.hstack([data.data, data.target]) if name == "linnerud" else data.data


def holes(z: np.ndarray, share: float, mechanism: str, seed: int) -> np.ndarray:
    """Which cells to remove, (n, d) bool; every column keeps three."""
    rng = np.random.default_rng(seed)
    n, d = z.shape
    if mechanism == "MCAR":
        gone = rng.random((n, d)) < share
    else:
        gone = np.zeros((n, d), dtype=bool)
        kept = rng.permutation(d)[: max(1, d // 3)]
        drivers = (z[:, kept] - z[:, kept].mean(axis=0)) / z[:, kept].std(axis=0)
        for j in np.setdiff1d(np.arange(d), kept):
            x = drivers @ rng.standard_normal(len(kept))
            x *= 1.5 / x.std()
            low, high = -20.0, 20.0
            while high - low > 1e-9:
                middle = (low + high) / 2
                low, high = (middle, high) if (1 / (1 + np.exp(-middle - x))).mean() < share else (low, middle)
            gone[:, j] = rng.random(n) < 1 / (1 + np.exp(-low - x))
    for j in range(d):
        while (~gone[:, j]).sum() < 3:
            gone[rng.integers(n), j] = False
    return gone


def compare(z: np.ndarray, gone: np.ndarray) -> tuple[float, float, bool, float, float]:
    """NRMSE of maximum likelihood and of ``auto``, whether ML existed, df, and how many times longer ``auto`` took."""
    df = pd.DataFrame(np.where(gone, np.nan, z))
    errors, fits, seconds = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for prior in ("fallback", "auto"):
            begin = time.perf_counter()
            done = emimpute.impute(df, prior=prior, report=fits.append).to_numpy()
            seconds.append(time.perf_counter() - begin)
            errors.append(float(np.sqrt(np.mean(np.square((done - z) / z.std(axis=0))[gone]))))
    plain, ridge = (0.0 if fit.prior is None else fit.prior.df for fit in fits)
    return errors[0], errors[1], plain == 0, ridge, seconds[1] / seconds[0]


def main(names: list[str]) -> None:
    print("| table | missing | NRMSE, ML | auto | ratio | ML | df | time |\n|---|---|---|---|---|---|---|---|")
    ratios = []
    for name in names:
        z = table(name)
        seeds = 40 if len(z) < 50 else 3  # a handful of cells is much noise
        for share in SHARES:
            for mechanism in ("MCAR", "MAR"):
                found = np.array([compare(z, holes(z, share, mechanism, seed)) for seed in range(seeds)])
                ratios.append(np.log(found[:, 1] / found[:, 0]).mean())
                before, after = np.exp(np.log(found[:, :2]).mean(axis=0))
                print(
                    f"| {name} {z.shape[0]} × {z.shape[1]} | {share:.0%} {mechanism} | {before:.3f} | {after:.3f} "
                    f"| {np.exp(ratios[-1]):.3f} | {found[:, 2].mean():.0%} | {np.median(found[:, 3]):g} "
                    f"| × {np.median(found[:, 4]):.0f} |",
                    flush=True,
                )
    print(f"\nGeometric mean {np.exp(np.mean(ratios)):.3f}, worst task {np.exp(max(ratios)):.3f}.")


if __name__ == "__main__":
    with threadpool_limits(1):
        main(sys.argv[1:] or list(TABLES))
