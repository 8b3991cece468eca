"""A frame with gaps in, a completed frame out: this package beside the peers that are installed, in alternating runs.

Run with ``make bench``, or with the shapes as arguments: ``end_to_end.py 1000x10 10000x20``. Times are wall seconds of
one thread, the median of the runs; "log-likelihood" is the observed-data one of the mean and covariance that each
arrives at (for a peer that keeps none: those of its completed table, which is what its users would compute).
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import emimpute
from emimpute.latent import Latent
from emimpute.models.mvn import MVN, Normal

RUNS = 5
SHAPES = {"1000x10": 0.2, "10000x20": 0.2, "10000x100": 0.1, "100000x30": 0.2, "1000000x10": 0.05}


def table(rows: int, columns: int, missing: float) -> pd.DataFrame:
    """Normal data with a few common factors, cells missing completely at random."""
    rng = np.random.default_rng(20)
    loadings = rng.standard_normal((columns, columns // 3 + 1)) / np.sqrt(columns // 3 + 1)
    z = rng.standard_normal((rows, columns // 3 + 1)) @ loadings.T + 0.7 * rng.standard_normal((rows, columns))
    z[rng.random(z.shape) < missing] = np.nan
    return pd.DataFrame(z, columns=[f"x{j}" for j in range(columns)])


def ours(df: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    fits: list[emimpute.Fit] = []
    emimpute.impute(df, report=fits.append)
    return fits[0].mean.to_numpy(), fits[0].cov.to_numpy()


def scikit_learn(df: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401, PLC0415 (a peer that may not be there)
    from sklearn.impute import IterativeImputer  # noqa: PLC0415

    done = IterativeImputer().set_output(transform="pandas").fit_transform(df)
    return done.mean().to_numpy(), done.cov(ddof=0).to_numpy()


PEERS: dict[str, Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]] = {
    "emimpute": ours,
    "scikit-learn IterativeImputer": scikit_learn,
}


def loglik(df: pd.DataFrame, mean: np.ndarray, cov: np.ndarray) -> float:
    z = df.to_numpy()
    problem = MVN().bind(Latent(z, z, ()))
    scaled = Normal((mean - problem.centre) / problem.scale, cov / np.outer(problem.scale, problem.scale))
    return problem.expect(scaled)[1]


def main(shapes: list[str]) -> None:
    for shape in shapes:
        rows, columns = map(int, shape.split("x"))
        df = table(rows, columns, SHAPES.get(shape, 0.2))
        seconds: dict[str, list[float]] = {}
        estimates = {}
        for run in range(RUNS if rows * columns < 1_000_000 else 3):
            for name, peer in PEERS.items():
                if name in seconds or run == 0:
                    begin = time.perf_counter()
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")
                            estimates[name] = peer(df)
                    except ImportError as error:
                        print(f"{name}: not installed ({error.name})")
                        continue
                    seconds.setdefault(name, []).append(time.perf_counter() - begin)
        base = statistics.median(seconds["emimpute"])
        for name, times in seconds.items():
            median = statistics.median(times)
            print(
                f"{shape:>11}  {name:<30} {median:8.3f} s (x{median / base:6.1f})"
                f"  log-likelihood {loglik(df, *estimates[name]):16.3f}",
                flush=True,
            )


if __name__ == "__main__":
    with threadpool_limits(1):
        main(sys.argv[1:] or list(SHAPES))
