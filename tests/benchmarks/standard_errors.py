"""How often the 95 % intervals of ``fit.params`` cover the truth, for numbers alone and for ordered and binary columns.

Run with ``python tests/benchmarks/standard_errors.py [TABLES]``. Tables of 300 rows and three columns, latent
correlations of .5; the second and the third column lose a quarter of their cells, by the first one's values (missing at
random). "mixed" has three ordered answers and a yes or no in these two. Both types of standard errors are
shown; the Monte-Carlo error of a share is .01 with 500 tables. ``QUICK=1`` makes 40.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

import emimpute

N, RHO, CUTS, MIDDLE = 300, 0.5, (-0.5, 0.7), 0.2
Z = float(ndtri(0.975))
COV_TYPES = ("observed", "sandwich")


def latent(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Complete values (n, 3), and which of the last two columns are to be missing (n, 2)."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((N, 3)) @ np.linalg.cholesky((1 - RHO) * np.eye(3) + RHO).T
    return z, rng.random((N, 2)) < ndtr(z[:, :1] - 1)[:, [0, 0]]


def numbers(seed: int) -> pd.DataFrame:
    """Three numbers."""
    z, gone = latent(seed)
    z[:, 1:][gone] = np.nan
    return pd.DataFrame(z, columns=["x", "o", "b"])


def mixed(seed: int) -> pd.DataFrame:
    """A number, ordered answers and a yes or no."""
    z, gone = latent(seed)
    df = pd.DataFrame({"x": z[:, 0]})
    df["o"] = pd.Categorical.from_codes(np.digitize(z[:, 1], CUTS), ["l", "m", "h"], ordered=True)
    df["b"] = pd.array(z[:, 2] > MIDDLE, dtype="boolean")
    df.loc[gone[:, 0], "o"] = None
    df.loc[gone[:, 1], "b"] = pd.NA
    return df


def truth(index: pd.MultiIndex) -> np.ndarray:
    """What the parameters are."""
    cuts = {("o", 1): CUTS[0], ("o", 2): CUTS[1], ("b", 1): MIDDLE}
    by_name = {"mean": lambda *_: 0.0, "cov": lambda x, y: 1.0 if x == y else RHO, "corr": lambda *_: RHO}
    return np.array([cuts[x, y] if name == "cut" else by_name[name](x, y) for name, x, y in index])


def main(tables: int) -> None:
    for make in (numbers, mixed):
        covered: dict[str, list[np.ndarray]] = {cov_type: [] for cov_type in COV_TYPES}
        for seed in range(tables):
            fit = emimpute.fit(make(seed))
            found = fit.params["estimate"]
            for cov_type in COV_TYPES:
                error = fit.standard_errors(cov_type)
                covered[cov_type].append(np.where(error > 0, np.abs(found - truth(found.index)) <= Z * error, np.nan))
        share = pd.DataFrame({cov_type: np.mean(each, axis=0) for cov_type, each in covered.items()}, index=found.index)
        share = share.dropna()
        print(f"\n{make.__name__}, {tables} tables: coverage of estimate +- {Z:.2f} standard errors")
        print(share.round(3).to_string())
        print(f"mean {share.mean().round(3).to_dict()}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 40 if os.environ.get("QUICK") else 500)
