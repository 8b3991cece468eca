"""Reading and writing pandas frames by position, so that labels may repeat, and nothing of the caller's is ever touched."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, EMImputeError, named, unknown

__all__ = ["check", "cells_to_fill", "own", "positions", "put", "replace", "row_weights"]

_COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


def check(df: object) -> pd.DataFrame:
    """``df`` itself, if it is a DataFrame; raises ColumnError."""
    if isinstance(df, pd.DataFrame):
        return df
    what = type(df).__name__
    remedy = " Use series.to_frame()." if isinstance(df, pd.Series) else " Make one with pandas.DataFrame(...)."
    msg = f"emimpute works on a pandas DataFrame, and this is a {what}.{remedy}"
    raise ColumnError(msg)


def own(df: pd.DataFrame) -> pd.DataFrame:
    """A copy that later edits of ``df`` do not reach; without copy-on-write it must be deep."""
    return df.copy(deep=not _COPY_ON_WRITE)


def positions(df: pd.DataFrame, labels: object, what: str) -> list[int]:
    """Positions of the columns that ``labels`` (one, or a list of them) name; a repeated label names all its columns."""
    wanted = [labels] if isinstance(labels, (str, bytes, tuple)) or not isinstance(labels, Iterable) else list(labels)
    found: list[int] = []
    for label in wanted:
        here = locate(df.columns, label)
        if not len(here):
            msg = f"{what}: {unknown('column', label, list(df.columns))}"
            raise ColumnError(msg)
        found.extend(int(i) for i in here if int(i) not in found)
    return sorted(found)


def locate(columns: pd.Index[Any], label: Hashable) -> np.ndarray:
    """Positions of the columns labelled ``label`` (in a MultiIndex also by its first levels), possibly none."""
    try:
        place = columns.get_loc(label)
    except (KeyError, TypeError, pd.errors.InvalidIndexError):
        return np.zeros(0, dtype=int)
    return np.atleast_1d(np.arange(len(columns))[place])


def put(column: pd.Series[Any], mask: np.ndarray, values: Any) -> pd.Series[Any]:
    """A copy of ``column`` with ``values`` (of its dtype) where ``mask`` (n,) is True; the other cells keep their bits."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        dense = np.asarray(column.array).copy()
        dense[mask] = np.asarray(values)
        array: Any = pd.arrays.SparseArray(dense, dtype=dtype)
    elif isinstance(dtype, np.dtype):
        array = column.to_numpy(copy=True)
        array[mask] = values
    else:
        array = column.array.copy()
        array[mask] = values
    return pd.Series(array, index=column.index, name=column.name, dtype=dtype, copy=False)


def replace(df: pd.DataFrame, columns: Mapping[int, pd.Series[Any]]) -> pd.DataFrame:
    """A copy of ``df`` (subclass, attrs and flags included) with the columns at some positions replaced."""
    out = own(df)
    for position, column in columns.items():
        out.isetitem(position, column)
    return out


def cells_to_fill(df: pd.DataFrame, where: object) -> np.ndarray | None:
    """``where`` as a boolean table (n, columns): True may be filled. None where it was not given."""
    if where is None:
        return None
    if callable(where):
        where = where(df)
    if isinstance(where, pd.DataFrame):
        if not (where.index.equals(df.index) and where.columns.equals(df.columns)):
            msg = "where= has other rows or columns than the data: build it from them, for instance with df.isna()."
            raise EMImputeError(msg)
    elif np.shape(where) != df.shape:
        msg = (
            f"where= has the shape {np.shape(where)}, and the data have {df.shape}: one value for each cell is needed."
        )
        raise EMImputeError(msg)
    table = np.asarray(where)
    if table.dtype != bool:
        kinds = {type(v) for v in table.ravel().tolist()}
        if not kinds <= {bool}:
            msg = f"where= holds {named(sorted(k.__name__ for k in kinds))}, and only True and False mean something."
            raise EMImputeError(msg)
        table = table.astype(bool)
    return table


def row_weights(df: pd.DataFrame, weights: object) -> tuple[np.ndarray | None, list[int]]:
    """Case weights (n,), and the positions of the columns they were taken from, if any."""
    if weights is None:
        return None, []
    taken: list[int] = []
    if isinstance(weights, pd.Series):
        if not weights.index.equals(df.index):
            msg = (
                "weights= is a Series with another index than the data: align it first, with weights.reindex(df.index)."
            )
            raise EMImputeError(msg)
        column, name = weights, "weights="
    elif isinstance(weights, (str, tuple)) or np.ndim(weights) == 0:  # type: ignore[arg-type]
        taken = positions(df, [weights], "weights=")
        column, name = df.iloc[:, taken[0]], f"The weights column {weights!r}"
    else:
        column, name = pd.Series(np.asarray(weights)), "weights="
    try:
        values = column.astype("Float64").to_numpy(dtype=float, na_value=np.nan, copy=True)
    except (TypeError, ValueError):
        msg = f"{name} holds {column.dtype}, and weights are numbers."
        raise EMImputeError(msg) from None
    if len(values) != len(df):
        msg = f"weights= has {len(values)} values, and the data have {len(df)} rows."
        raise EMImputeError(msg)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        first = int(bad.argmax())
        msg = (
            f"{name} must be numbers not below 0, and {int(bad.sum())} of them are not"
            f" (the first is {values[first]} in row {df.index[first]!r}): drop these rows or give them a weight."
        )
        raise EMImputeError(msg)
    if len(values) and not values.any():
        msg = f"{name}: every weight is 0, so there is nothing to learn from."
        raise EMImputeError(msg)
    return values, taken


def add_indicators(df: pd.DataFrame, filled: Mapping[int, np.ndarray], suffix: str) -> pd.DataFrame:
    """``df`` with a boolean column after the others for each filled one, True where a cell was filled. Raises ColumnError."""
    for position, mask in filled.items():
        label = df.columns[position]
        name = (*label[:-1], f"{label[-1]}{suffix}") if isinstance(label, tuple) else f"{label}{suffix}"
        if len(locate(df.columns, name)):
            msg = f"indicator= would add the column {name!r}, which is there already: give another suffix."
            raise ColumnError(msg)
        df.insert(df.shape[1], name, mask)
    return df
