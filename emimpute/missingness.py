"""What is missing: counts only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from emimpute import latent
from emimpute._frames import check
from emimpute.kinds.reading import missing

__all__ = ["coverage", "flux", "patterns"]


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


def flux(df: pd.DataFrame) -> pd.DataFrame:
    """How much each column can be learned from the others, and they from it, as far as gaps go: a row for each column.

    ``observed``: the share of its cells that are there. ``influx``: of all observed cells, the share that stand in the
    rows where it is missing; 0 for a column without gaps, 1 for one that is all missing. ``outflux``: of all missing
    cells, the share that stand in rows where it is there; 1 for a column without gaps, 0 for one that is all missing.
    ``incomplete``: of the rows where it is there, the share that lack something else. A column of low outflux (and
    influx) helps little to fill others. NaN where there is nothing to take a share of.

    Van Buuren 2018 (https://doi.org/10.1201/9780429492259), section 4.1.3.

    >>> import pandas as pd, emimpute
    >>> emimpute.flux(pd.DataFrame({"x": [1.0, 2.0, None], "y": [1.0, None, None], "z": [1, 2, 3]})).round(3)
       observed  influx  outflux  incomplete
    x     0.667   0.167    0.333       0.500
    y     0.333   0.500    0.000       0.000
    z     1.000   0.000    1.000       0.667
    """
    found = latent.patterns(_observed(df))
    seen, rows = found.masks.astype(np.int64), found.counts
    there = rows @ seen  # (columns,) observed cells of each
    cells = seen.sum(axis=1)  # (K,) observed in a row of each pattern
    gaps = df.shape[1] - cells
    shares = {
        "observed": (there, len(df)),
        "influx": ((rows * cells) @ (1 - seen), rows @ cells),
        "outflux": ((rows * gaps) @ seen, rows @ gaps),
        "incomplete": ((rows * (gaps > 0)) @ seen, there),
    }
    return pd.DataFrame({name: _share(*of) for name, of in shares.items()}, index=df.columns)


def _share(part: np.ndarray, whole: np.ndarray | int) -> np.ndarray:
    """``part / whole``, NaN where the latter is 0."""
    share = np.full(len(part), np.nan)
    np.divide(part, whole, out=share, where=np.asarray(whole) > 0)
    return share


def _observed(df: pd.DataFrame) -> np.ndarray:
    check(df)
    observed = np.ones(df.shape, dtype=bool)
    for i in range(df.shape[1]):
        observed[:, i] = ~missing(df.iloc[:, i])
    return observed
