"""Tables as an estimator meets them: arrays, lists or frames, with gaps marked by NaN or by a value of the user's.

What comes in becomes a frame whose gaps are pandas' own, so that everything behind sees one thing; what goes out is the
frame itself, or the array that scikit-learn's imputers would give for it: of floats where all columns are numbers or
booleans, else of objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, named
from emimpute.kinds.levels import distinct
from emimpute.kinds.reading import missing

__all__ = ["array_of", "as_fitted", "framed", "gapped", "gaps_in", "is_missing", "put_back", "replaced", "zeroed"]

_SINGLE = 4  # bytes of a float32


def is_missing(marker: Any) -> bool:
    """Whether ``marker`` is what pandas takes for missing (NaN, None, NA, NaT), and no value."""
    return bool(pd.api.types.is_scalar(marker) and pd.isna(marker))


def framed(cells: np.ndarray) -> pd.DataFrame:
    """An array (n, p) as a frame with columns 0 … p-1; each column of objects gets the dtype its cells have."""
    if cells.dtype != object:
        return pd.DataFrame(cells)
    columns = {}
    for i in range(cells.shape[1]):
        column = pd.Series(cells[:, i], dtype=object)
        columns[i] = column.mask(missing(column), np.nan).infer_objects()  # whichever sign of missing was used
    return pd.DataFrame(columns)


def gaps_in(df: pd.DataFrame) -> np.ndarray:
    """Which cells are missing, (n, p) bool."""
    gaps = np.zeros(df.shape, dtype=bool)
    for i in range(df.shape[1]):
        gaps[:, i] = missing(df.iloc[:, i])
    return gaps


def gapped(df: pd.DataFrame, marker: Any) -> tuple[pd.DataFrame, dict[int, Any]]:
    """``df`` with a gap in place of each ``marker``, and the dtypes, by position, of columns that had to change theirs.

    Raises ColumnError where there are gaps already: it cannot be told what they mean.
    """
    if is_missing(marker):
        return df, {}
    others = df.columns[np.array(gaps_in(df).any(axis=0))]
    if len(others):
        msg = (
            f"The data contain NaN in column {named(others)}, and missing_values={marker!r} says that gaps are written"
            " otherwise: replace one by the other, or use missing_values=nan."
        )
        raise ColumnError(msg)
    marked = {i: np.asarray(df.iloc[:, i].isin([marker]), dtype=bool) for i in range(df.shape[1])}
    columns = {i: _without(df.iloc[:, i], mask, marker) for i, mask in marked.items() if mask.any()}
    before = {i: df.dtypes.iloc[i] for i in columns}
    return replaced(df, columns), {i: dtype for i, dtype in before.items() if columns[i].dtype != dtype}


def _without(column: pd.Series[Any], mask: np.ndarray, marker: Any) -> Any:
    """``column`` with gaps where ``mask`` is True; integers and booleans stay what they are, in a nullable dtype."""
    dtype: Any = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        name: Any = "boolean" if dtype.kind == "b" else f"{'U' if dtype.kind == 'u' else ''}Int{8 * dtype.itemsize}"
        return column.astype(name).mask(mask)
    if isinstance(dtype, pd.CategoricalDtype):
        return column.cat.remove_categories([marker])
    return column.mask(mask)


def as_fitted(df: pd.DataFrame, dtypes: Mapping[int, Any]) -> pd.DataFrame:
    """``df`` with columns in the dtype they had at fit (by position) where theirs says less.

    That is: columns without any value, whose dtype is an accident, and columns of known categories. So the answer for a
    row does not depend on what the rows beside it happen to hold.
    """
    columns = {}
    for i, dtype in dtypes.items():
        column = df.iloc[:, i]
        if column.dtype == dtype:
            continue
        if missing(column).all():
            columns[i] = pd.Series(np.full(len(df), None), index=df.index, dtype=_with_gaps(dtype))
        elif isinstance(dtype, pd.CategoricalDtype) and _known(column, dtype):
            columns[i] = column.astype(dtype)
    return replaced(df, columns)


def _with_gaps(dtype: Any) -> Any:
    """``dtype``, or the nearest one that holds its values and gaps."""
    inner = dtype.subtype if isinstance(dtype, pd.SparseDtype | pd.IntervalDtype) else dtype
    if not isinstance(inner, np.dtype) or inner.kind not in "iub":
        return dtype
    if isinstance(dtype, pd.IntervalDtype):
        return pd.IntervalDtype("float64", dtype.closed)
    return object if inner.kind == "b" else np.float64


def _known(column: pd.Series[Any], dtype: pd.CategoricalDtype) -> bool:
    """Whether every cell of ``column`` is missing or one of the categories."""
    try:
        labels, codes = distinct(column)
    except ColumnError:  # unhashable objects
        return False
    known = set(distinct(pd.Series(dtype.categories))[0])
    return all(labels[code] in known for code in np.unique(codes[codes >= 0]))


def put_back(filled: pd.Series[Any], mask: np.ndarray, column: pd.Series[Any]) -> pd.Series[Any]:
    """``filled`` with the cells of ``column`` where ``mask`` is True; categories that it lacks are added to its own."""
    cells = column[mask].astype(object)
    if isinstance(filled.dtype, pd.CategoricalDtype):
        filled = filled.cat.add_categories([x for x in pd.unique(cells) if x not in filled.dtype.categories])
    out = filled.copy()
    out.iloc[np.flatnonzero(mask)] = cells.to_numpy()
    return out


def replaced(df: pd.DataFrame, columns: Mapping[int, Any]) -> pd.DataFrame:
    """``df`` with these columns (by position, for labels may repeat) in place of its own; it is not changed itself."""
    out = df.copy(deep=False)
    for i, column in columns.items():
        out.isetitem(i, column)
    return out


def zeroed(column: pd.Series[Any]) -> pd.Series[Any]:
    """``column`` with 0 in its gaps, as scikit-learn fills what it knows nothing of; unchanged if it cannot hold 0."""
    if isinstance(column.dtype, pd.CategoricalDtype) or not (_is_number(column.dtype) or column.dtype == object):
        return column
    return column.mask(missing(column), 0)


def array_of(df: pd.DataFrame) -> np.ndarray:
    """The cells (n, p): of floats (float32 where no column is wider) if all are numbers or booleans, else objects.

    They are a copy, which may be written to: pandas would lend its own, read-only.
    """
    if not all(_is_number(dtype) for dtype in df.dtypes):
        return df.to_numpy(dtype=object, copy=True)
    inner: list[Any] = [getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype)) for dtype in df.dtypes]
    narrow = inner and all(dtype.kind == "f" and dtype.itemsize <= _SINGLE for dtype in inner)
    dtype = np.result_type(*inner) if narrow else np.dtype(np.float64)
    return df.to_numpy(dtype=dtype, na_value=np.nan, copy=True)


def _is_number(dtype: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)) and not (
        pd.api.types.is_complex_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype)
    )
