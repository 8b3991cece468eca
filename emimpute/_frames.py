"""Reading and writing frames by position, so that labels may repeat, and nothing of the caller's is ever touched."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, EMImputeError, named, unknown

__all__ = [
    "add_indicators",
    "cells_to_fill",
    "check",
    "key",
    "locate",
    "own",
    "positions",
    "row_weights",
    "written",
]

_MISSING = object()


def check(df: object) -> pd.DataFrame:
    """``df`` itself, if it is a DataFrame; raises ColumnError."""
    if isinstance(df, pd.DataFrame):
        return df
    what = type(df).__name__
    remedy = " Use series.to_frame()." if isinstance(df, pd.Series) else " Make one with pandas.DataFrame(...)."
    msg = f"A pandas DataFrame is needed, and this is of type {what}.{remedy}"
    raise ColumnError(msg)


def own(df: pd.DataFrame) -> pd.DataFrame:
    """A copy that shares no cell with ``df``; a shallow one would, for ``.array`` writes past copy-on-write."""
    return df.copy(deep=True)


def key(label: Any) -> Hashable:
    """``label`` as a key of a dictionary: the same for equal labels, and for missing ones, however they are written."""
    if isinstance(label, tuple):
        return tuple(key(level) for level in label)
    return _MISSING if pd.api.types.is_scalar(label) and pd.isna(label) else label


def positions(df: pd.DataFrame, labels: object, what: str) -> list[int]:
    """Positions of the columns that ``labels`` (one, or a list of them) name; a repeated label names all its columns.

    Raises ColumnError, which begins with ``what``, for a label that ``df`` has not.
    """
    wanted = [labels] if isinstance(labels, str | bytes | tuple) or not isinstance(labels, Iterable) else list(labels)
    found: set[int] = set()
    for label in wanted:
        here = locate(df.columns, label)
        if not len(here):
            msg = f"{what}: {unknown('column', label, list(df.columns))}"
            raise ColumnError(msg)
        found.update(here.tolist())
    return sorted(found)


def locate(columns: pd.Index[Any], label: Any) -> np.ndarray:
    """Positions of the columns labelled ``label`` (in a MultiIndex also by its first levels), possibly none."""
    if isinstance(columns, pd.MultiIndex):  # whose get_loc warns of its performance where labels are not sorted
        levels = label if isinstance(label, tuple) else (label,)
        return np.array([i for i, c in enumerate(columns) if key(c[: len(levels)]) == key(levels)], dtype=int)
    try:
        place = columns.get_loc(label)
    except (KeyError, TypeError, pd.errors.InvalidIndexError):
        return np.zeros(0, dtype=int)
    return np.atleast_1d(np.arange(len(columns))[place])


def written(df: pd.DataFrame, cells: Mapping[int, tuple[np.ndarray, Any]]) -> pd.DataFrame:
    """A copy of ``df`` (subclass, attrs and flags included) with some cells replaced; all others keep their bits.

    ``cells`` holds by position a mask (n,) and the values, of the column's dtype, of the cells where it is True.
    """
    out = own(df)
    for position, (mask, values) in cells.items():
        column = df.iloc[:, position]
        if isinstance(column.dtype, np.dtype):
            # In place: a column set anew would leave the frame in as many pieces, of which pandas warns later.
            out.iloc[np.flatnonzero(mask), position] = values
        else:
            out.isetitem(position, _put(column, mask, values))
    return out


def _put(column: pd.Series[Any], mask: np.ndarray, values: Any) -> Any:
    """A copy of a column of an extension dtype with ``values`` where ``mask`` (n,) is True."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        dense = np.array(column.array)
        dense[mask] = np.asarray(values)
        array: Any = pd.arrays.SparseArray(dense, dtype=dtype)
    else:
        array = column.array.copy()
        array[mask] = values
    return pd.Series(array, index=column.index, dtype=dtype, copy=False)


def cells_to_fill(df: pd.DataFrame, where: Any) -> np.ndarray | None:
    """``where`` as a boolean table (n, columns): True may be filled. None where it was not given.

    Raises EMImputeError for another shape, other labels, or what is not True or False.
    """
    if where is None:
        return None
    if callable(where):
        where = where(df)
    if isinstance(where, pd.DataFrame):
        if not (where.index.equals(df.index) and where.columns.equals(df.columns)):
            msg = "where= has other rows or columns than the data: build it from them, for instance with df.isna()."
            raise EMImputeError(msg)
    elif np.shape(where) != df.shape:
        msg = f"where= has the shape {np.shape(where)} and the data {df.shape}: one value for each cell is needed."
        raise EMImputeError(msg)
    table = np.asarray(where)
    if table.dtype != bool:
        others = {type(cell).__name__ for cell in table.ravel().tolist() if not isinstance(cell, bool | np.bool_)}
        if others:
            msg = f"where= holds {named(sorted(others))}, and only True and False mean something: convert it."
            raise EMImputeError(msg)
        table = table.astype(bool)
    return table


def row_weights(df: pd.DataFrame, weights: Any) -> tuple[np.ndarray | None, list[int]]:
    """Case weights (n,), and the positions of the columns they were taken from, if any.

    Raises EMImputeError unless they are one finite number, not below 0, for each row, and not all 0; ColumnError for a
    label that names no column, or several.
    """
    if weights is None:
        return None, []
    column, name, taken = _weights(df, weights)
    try:
        values = column.astype("Float64").to_numpy(dtype=float, na_value=np.nan, copy=True)
    except (TypeError, ValueError):
        msg = f"{name} holds {column.dtype}, and weights are numbers: convert it."
        raise EMImputeError(msg) from None
    if len(values) != len(df):
        msg = f"{name} has {len(values)} values, and the data have {len(df)} rows: one for each row is needed."
        raise EMImputeError(msg)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        first = int(bad.argmax())
        msg = (
            f"{name} must hold numbers not below 0, and {int(bad.sum())} of them are not"
            f" (the first is {values[first]} in row {df.index[[first]].tolist()[0]!r}): drop them, or give them one."
        )
        raise EMImputeError(msg)
    if len(values) and not values.any():
        msg = f"{name}: every weight is 0, so there is nothing to learn from."
        raise EMImputeError(msg)
    return values, taken


def _weights(df: pd.DataFrame, weights: Any) -> tuple[pd.Series[Any], str, list[int]]:
    """The weights as a column, their name in a message, and the positions they were taken from."""
    if isinstance(weights, pd.Series):
        if not weights.index.equals(df.index):
            msg = "weights= is a Series with another index than the data: align it with weights.reindex(df.index)."
            raise EMImputeError(msg)
        return weights, "weights=", []
    label = isinstance(weights, str) or (isinstance(weights, tuple) and len(locate(df.columns, weights)) > 0)
    if label or not np.ndim(weights):
        taken = positions(df, [weights], "weights=")
        if len(taken) > 1:
            msg = f"weights= names {len(taken)} columns by {weights!r}: pass the one that is meant as a Series."
            raise ColumnError(msg)
        return df.iloc[:, taken[0]], f"The weights column {weights!r}", taken
    if np.ndim(weights) > 1:
        msg = f"weights= has the shape {np.shape(weights)}: one number for each row is needed."
        raise EMImputeError(msg)
    return pd.Series(np.asarray(weights)), "weights=", []


def with_indicators(columns: pd.Index[Any], filled: Iterable[int], suffix: str) -> pd.Index[Any]:
    """``columns``, and after them a label for each filled one's indicator. Raises ColumnError for a taken one."""
    wide = columns
    for position in filled:
        label: Any = columns[position]
        name = (*label[:-1], f"{label[-1]}{suffix}") if isinstance(label, tuple) else f"{label}{suffix}"
        if len(locate(columns, name)):
            msg = f"indicator= would add the column {name!r}, which is there already: give another suffix."
            raise ColumnError(msg)
        wide = wide.insert(len(wide), name)
    return wide


def add_indicators(df: pd.DataFrame, filled: Mapping[int, np.ndarray], suffix: str) -> pd.DataFrame:
    """``df`` with a boolean column after the others for each filled one, True where a cell was filled.

    ``filled`` holds the masks (n,) by position. Raises ColumnError for a label that is there already.
    """
    if not filled:
        return df
    columns = with_indicators(df.columns, filled, suffix)
    masks = pd.DataFrame(np.column_stack(list(filled.values())), index=df.index)
    wide: Any = pd.concat([df, masks], axis=1, ignore_index=True)  # inserted one by one, they would fragment the frame
    wide.columns = columns
    whole: pd.DataFrame = wide.__finalize__(df)
    return whole
