"""``prior="auto"`` beside maximum likelihood: cells removed from complete real tables, filled, compared with the truth.

Run with ``make bench``, or with names of tables as arguments: ``auto_ridge.py linnerud longley``; ``--first 5000``
takes the seeds from there on. NRMSE is the root mean squared error of the filled cells in units of their column's sd
in the complete table. A task is a table, a share of cells and a mechanism; its ratio is the geometric mean, over the
seeds, of the NRMSE of ``prior="auto"`` over that of ``prior="fallback"``, which is maximum likelihood where that exists
(the column "ML" says how often it did). Behind ± is the standard error of the mean, times the ratio; "single" are the
tenth and the ninetieth percentile of the seeds' ratios.

MCAR removes cells alike; MAR keeps a third of the columns complete, and removes cells of the others with a probability
that rises with a random linear combination of those (logistic, slope 1.5 an sd).
"""

from __future__ import annotations

import argparse
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
    """NRMSE of maximum likelihood and of ``auto``, whether ML existed, df, and how much more CPU time ``auto`` took."""
    df = pd.DataFrame(np.where(gone, np.nan, z))
    errors, fits, seconds = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for prior in ("fallback", "auto"):
            begin = time.process_time()
            done = emimpute.impute(df, prior=prior, report=fits.append).to_numpy()
            seconds.append(time.process_time() - begin)
            errors.append(float(np.sqrt(np.mean(np.square((done - z) / z.std(axis=0))[gone]))))
    plain, ridge = (0.0 if fit.prior is None else fit.prior.df for fit in fits)
    return errors[0], errors[1], plain == 0, ridge, seconds[1] / seconds[0]


def row(name: str, found: np.ndarray) -> tuple[str, np.ndarray]:
    """A line of the table from what :func:`compare` found for each seed, (seeds, 5), and the logs of the ratios."""
    ratios = np.log(found[:, 1] / found[:, 0])
    before, after = np.exp(np.log(found[:, :2]).mean(axis=0))
    ratio, error = np.exp(ratios.mean()), ratios.std(ddof=1) / np.sqrt(len(ratios))
    low, high = np.exp(np.quantile(ratios, (0.1, 0.9)))
    line = (
        f"| {name} | {before:.3f} | {after:.3f} | {ratio:.3f} ± {ratio * error:.3f} | {low:.2f} to {high:.2f} "
        f"| {found[:, 2].mean():.0%} | {np.median(found[:, 3]):.2g} | × {np.median(found[:, 4]):.0f} |"
    )
    return line, ratios


def summary(tasks: list[np.ndarray]) -> str:
    """What the tasks' ratios come to."""
    each = np.array([ratios.mean() for ratios in tasks])
    single = np.concatenate(tasks)
    return (
        f"Over {len(each)} tasks: geometric mean {np.exp(each.mean()):.3f}, worst task {np.exp(each.max()):.3f}, "
        f"{(each > np.log(1.02)).sum()} above 1.02. Of {len(single)} single tables {(single < -0.005).mean():.0%} came "
        f"out better, {(np.abs(single) <= 0.005).mean():.0%} as good to half a per cent, "
        f"{(single > 0.005).mean():.0%} worse, {(single > np.log(1.1)).mean():.0%} by more than a tenth."
    )


def main(names: list[str], first: int) -> None:
    print("| table | missing | NRMSE, ML | auto | ratio | single | ML | df | time |")
    print("|---|---|---|---|---|---|---|---|---|")
    tasks = []
    for name in names:
        z = table(name)
        seeds = range(first, first + (30 if len(z) < 50 else 5))  # a handful of cells is much noise
        for share in SHARES:
            for mechanism in ("MCAR", "MAR"):
                found = np.array([compare(z, holes(z, share, mechanism, seed)) for seed in seeds])
                line, ratios = row(f"{name} {z.shape[0]} × {z.shape[1]} | {share:.0%} {mechanism}", found)
                tasks.append(ratios)
                print(line, flush=True)
    print("\n" + summary(tasks))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="prior='auto' beside maximum likelihood")
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="table", help=", ".join(TABLES))
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    with threadpool_limits(1):
        main(asked.tables, asked.first)
