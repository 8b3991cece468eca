"""Simulated tables with columns of several kinds."""

from __future__ import annotations

import numpy as np
import pandas as pd


def mixed(n: int = 150, seed: int = 1, *, nominal: bool = True, gone: float = 0.2) -> pd.DataFrame:
    """Two numbers, an ordered and a two-level column, and unordered text, all correlated, with gaps at random."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 4)) @ np.linalg.cholesky(0.5 * np.eye(4) + 0.5).T
    df = pd.DataFrame({"x": z[:, 0], "y": 3 * z[:, 1] + 5})
    df["o"] = pd.Categorical.from_codes(np.digitize(z[:, 2], [-0.5, 0.7]), ["lo", "mid", "hi"], ordered=True)
    df["b"] = pd.array(z[:, 3] > 0, dtype="boolean")
    if nominal:
        utility = z[:, [0, 1, 1]] * [1, 0.5, -0.5] + rng.standard_normal((n, 3))
        df["n"] = np.array(["red", "green", "blue"])[utility.argmax(axis=1)]
    return df.mask(rng.random(df.shape) < gone)
