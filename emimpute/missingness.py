"""What is missing: counts only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from emimpute import latent
from emimpute._frames import check
from emimpute.kinds.reading import missing

__all__ = ["coverage", "patterns"]


def patterns(df: pd.DataFrame) -> pd.DataFrame:
    """The distinct missingness patterns of all columns, the most frequent first.

    A row for each pattern and a boolean column for each column of ``df`` (True: observed), then ``rows`` (how many rows
    have the pattern) and ``missing`` (how many columns it lacks), indexed from 0.

    >>> import pandas as pd, emimpute
    >>> emimpute.patterns(pd.DataFrame({"x": [1.0, 2.0, None], "y": [1.0, None, None]}))
           x      y  rows  missing
    0   True   True     1        0
    1   True  False     1        1
    2  False  False     1        2
    """
    found = latent.patterns(_observed(df))
    lacking = (~found.masks).sum(axis=1)
    order = np.lexsort((lacking, -found.counts))
    table = pd.DataFrame(found.masks[order], columns=df.columns)
    counts: dict[Any, np.ndarray] = {"rows": found.counts[order], "missing": lacking[order]}
    for name, values in counts.items():
        label = (name, *[""] * (df.columns.nlevels - 1)) if df.columns.nlevels > 1 else name
        table.insert(table.shape[1], label, values, allow_duplicates=True)
    return table


def coverage(df: pd.DataFrame) -> pd.DataFrame:
    """How many rows have each pair of columns observed together, (columns, columns); the diagonal counts the observed.

    >>> import pandas as pd, emimpute
    >>> emimpute.coverage(pd.DataFrame({"x": [1.0, 2.0, None], "y": [1.0, None, None]}))
       x  y
    x  2  1
    y  1  1
    """
    together = latent.coverage(latent.patterns(_observed(df))).astype(np.int64)
    return pd.DataFrame(together, index=df.columns, columns=df.columns)


def _observed(df: pd.DataFrame) -> np.ndarray:
    check(df)
    observed = np.ones(df.shape, dtype=bool)
    for i in range(df.shape[1]):
        observed[:, i] = ~missing(df.iloc[:, i])
    return observed
