"""Which columns differ between the rows where another one is missing and the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.kinds.reading import missing
from emimpute.mechanism.columns import columns_of, objects

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["indicator_tests"]

_COMPARED = [
    *("missing", "column", "d", "corr", "t", "df", "pvalue"),
    *("rows_missing", "rows_observed", "mean_missing", "mean_observed"),
]


def indicator_tests(df: pd.DataFrame, *, columns: Any = None, kinds: Mapping[Any, Any] | None = None) -> pd.DataFrame:
    """Which columns tell where another one is missing: Welch's t of each column by each column's gaps.

    Who is far off 0 here *and* correlated with the incomplete column is a good auxiliary variable for it.

    Parameters
    ----------
    df
        The data.
    columns, kinds
        The columns to compare, as in :func:`mcar_test`; gaps are looked for in all columns of ``df``.

    Returns
    -------
    DataFrame
        A row for each gap column (``missing``) and each other column (``column``) seen on both sides, those of the
        largest ``|d|`` first: ``d`` (Cohen's: the mean where the first is missing less that where it is observed, in
        pooled standard deviations), ``corr`` (with the gap column, over the rows that have both; NaN if that is not
        among the columns compared), ``t`` (Welch's), ``df``, ``pvalue`` (two-sided, one test at a time), and
        ``rows_missing``, ``rows_observed``, ``mean_missing``, ``mean_observed``. A column that has one value on each
        side, as the year in which a question was not asked, has infinite d and t, and p is 0.

    Raises
    ------
    ColumnError
        For columns that cannot be compared as asked, or none that can.

    Examples
    --------
    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": range(8), "y": [1.0, 3, 2, 5, 4, None, None, None]})
    >>> emimpute.indicator_tests(df)[["missing", "column", "d", "corr", "pvalue"]].round(3)
      missing column      d  corr  pvalue
    0       y      x  2.828   0.8   0.005
    """
    from emimpute.inference.gaps.indicators import welch  # noqa: PLC0415 (only for this)

    table = columns_of(df, columns, kinds)
    gaps = np.array([missing(df.iloc[:, i]) for i in range(df.shape[1])]).T  # (n, columns of df)
    incomplete = np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0))
    z = np.where(table.observed, table.latent.points, np.nan)
    shift = np.asarray(table.choice.table.shift, dtype=float)
    parts = []
    for place, i in enumerate(table.choice.positions):
        others = incomplete[incomplete != i]
        compared = pd.DataFrame(welch(z[:, place], gaps[:, others]))
        for name in ("mean_missing", "mean_observed"):
            compared[name] += shift[place]
        compared["corr"] = [_correlation(z[:, place], _own(z, table.choice.positions, j)) for j in others]
        compared["missing"] = pd.Series(objects(df.columns[others]), dtype=object)
        compared["column"] = pd.Series(objects(df.columns[[i] * len(others)]), dtype=object)
        parts.append(compared[(compared[["rows_missing", "rows_observed"]] > 0).all(axis=1)])
    every = pd.concat(parts, ignore_index=True)[_COMPARED]
    order = np.argsort(-every["d"].abs().fillna(-1.0).to_numpy(), kind="stable")
    return every.iloc[order].reset_index(drop=True)


def _own(z: np.ndarray, positions: list[int], position: int) -> np.ndarray | None:
    """The values (n,) of the column at a position of the frame, if it is one of numbers."""
    return z[:, positions.index(position)] if position in positions else None


def _correlation(x: np.ndarray, y: np.ndarray | None) -> float:
    """Over the rows that have both; NaN where one of them does not vary there."""
    if y is None:
        return float("nan")
    both = ~(np.isnan(x) | np.isnan(y))
    if both.sum() < 2:
        return float("nan")
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else float("nan")
