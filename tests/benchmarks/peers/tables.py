"""The tables that every peer is given: five simulated shapes and two real ones, as matrices with NaN for a gap.

A table reaches a peer's process as a file of float64, column by column, which NumPy and R read alike and at once, so
that no peer pays for parsing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from emimpute import datasets

SHAPES = {"1000x10": 0.2, "10000x20": 0.2, "10000x100": 0.1, "100000x30": 0.2, "1000000x10": 0.05}
REAL = ("bfi", "breast_cancer")


def table(rows: int, columns: int, missing: float) -> pd.DataFrame:
    """Normal data with a few common factors, cells missing completely at random."""
    rng = np.random.default_rng(20)
    loadings = rng.standard_normal((columns, columns // 3 + 1)) / np.sqrt(columns // 3 + 1)
    z = rng.standard_normal((rows, columns // 3 + 1)) @ loadings.T + 0.7 * rng.standard_normal((rows, columns))
    z[rng.random(z.shape) < missing] = np.nan
    return pd.DataFrame(z, columns=[f"x{j}" for j in range(columns)])


def named(name: str) -> pd.DataFrame:
    """The table of that name: "1000x10", or "1000x10x0.3" for another share missing, or a real one.

    Raises ImportError where a real table comes with a package that is not installed.
    """
    if name == "bfi":
        return datasets.load("bfi").iloc[:, :25].astype(float)
    if name == "breast_cancer":
        from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 (a peer that may not be there)

        z = load_breast_cancer().data.copy()
        z[np.random.default_rng(20).random(z.shape) < 0.15] = np.nan
        return pd.DataFrame(z, columns=[f"x{j}" for j in range(z.shape[1])])
    rows, columns, *share = name.split("x")
    return table(int(rows), int(columns), float(share[0]) if share else SHAPES.get(name, 0.2))


def write(df: pd.DataFrame, path: Path) -> None:
    """Column by column, float64."""
    df.to_numpy(float).ravel(order="F").tofile(path)


def read(path: Path, columns: int) -> pd.DataFrame:
    """What :func:`write` wrote."""
    z = np.fromfile(path).reshape(-1, columns, order="F")
    return pd.DataFrame(z, columns=[f"x{j}" for j in range(columns)])
