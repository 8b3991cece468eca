"""Reading a column of any numeric, boolean or datetime dtype as exact numbers.

pandas keeps numbers in a dozen ways. :func:`read` brings them to one :class:`View`: an array in which no digit is lost
(integers and the ticks of a clock stay integers, a ``Decimal`` stays a ``Decimal``) and a mask of what is missing. The
``family`` says what the numbers count; columns of one family can stand in for each other, whatever their dtypes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import singledispatch
from typing import Any, Literal

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, shown

__all__ = ["MASKED", "Family", "View", "as_float", "missing", "read", "refuse"]

Family = Literal["number", "datetime", "zoned", "timedelta", "period"]

MASKED: tuple[type[Any], ...] = (
    *(pd.Int8Dtype, pd.Int16Dtype, pd.Int32Dtype, pd.Int64Dtype, pd.Float32Dtype, pd.Float64Dtype),
    *(pd.UInt8Dtype, pd.UInt16Dtype, pd.UInt32Dtype, pd.UInt64Dtype, pd.BooleanDtype),
)


@dataclass(frozen=True, eq=False)
class View:
    """The cells of one column as exact numbers."""

    values: np.ndarray  # (n,) int64, uint64, float64, longdouble, complex or object; where missing, anything
    missing: np.ndarray  # (n,) bool
    family: Family | None = "number"  # None: an object column that holds nothing yet, which fits any family
    unit: str | None = None  # of the ticks: "D", "s", "ms", "us", "ns"; for periods their dtype, as "period[M]"

    @property
    def observed(self) -> np.ndarray:  # (number of observed cells,)
        """The values that are not missing."""
        kept: np.ndarray = self.values[~self.missing]
        return kept


def missing(column: pd.Series[Any]) -> np.ndarray:
    """Which cells of a column of any dtype are missing, (n,) bool: where pandas says so, and NaN wherever it hides."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufc":
        return np.asarray(np.isnan(column.to_numpy()))
    gaps = np.array(column.isna(), dtype=bool)
    if not isinstance(column.dtype, np.dtype) and getattr(column.dtype, "kind", "O") == "f":
        # In nullable and Arrow floats a NaN, as 0 / 0 makes it, need not be NA.
        gaps |= np.isnan(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gaps


def read(column: pd.Series[Any]) -> View | None:
    """The exact numbers in ``column``; None if it holds something else (text, mixed objects, times of day, ...)."""
    return _read(column.dtype, column)


def refuse(view: View, name: object, index: pd.Index[Any]) -> None:
    """Raise ColumnError, naming the column and the first row, if the numbers are complex or infinite."""
    if view.values.dtype.kind == "c":
        msg = f"Column {shown(name)} holds complex numbers: split it into its real and its imaginary part."
        raise ColumnError(msg)
    if view.values.dtype.kind not in "fO":
        return
    if view.values.dtype.kind == "f":
        values, infinite = view.values, np.isinf(view.values)
    else:
        values = np.where(view.missing, 0, view.values)
        infinite = np.isinf([as_float(v) for v in values])
    if infinite.any() and (rows := np.flatnonzero(infinite & ~view.missing)).size:
        true = any(isinstance(v, float | np.floating | Decimal) and abs(v) == np.inf for v in values[rows])
        seen = "infinity" if true else "numbers too large for a float"
        label = index[rows[:1]].tolist()[0]
        where = f"1 row (row label {label!r})" if rows.size == 1 else f"{rows.size} rows (first at row label {label!r})"
        msg = f"Column {shown(name)} holds {seen} in {where}: replace it by a number or by NaN."
        raise ColumnError(msg)


def as_float(number: Any) -> float:
    """The nearest float, or infinity where there is none."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


@singledispatch
def _read(dtype: Any, column: pd.Series[Any]) -> View | None:  # noqa: ARG001 (the fallback of the readers below)
    return None


@_read.register(np.dtype)
def _(dtype: Any, column: pd.Series[Any]) -> View | None:
    return _read_array(column.to_numpy(), missing(column)) if dtype.kind in "biufcmMO" else None


@_read.register(pd.SparseDtype)
def _(dtype: Any, column: pd.Series[Any]) -> View | None:  # noqa: ARG001
    dense = np.asarray(column.array)
    return _read_array(dense, missing(column)) if dense.dtype.kind in "biufcmMO" else None


def _read_masked(dtype: Any, column: pd.Series[Any]) -> View:
    """Nullable and Arrow integers, floats and booleans; the stand-in for NA must not widen integers to floats."""
    stand_in = {"f": np.nan, "b": False}.get(dtype.kind, 0)
    values = column.to_numpy(dtype=dtype.numpy_dtype, na_value=stand_in)
    return View(_widest(values), missing(column))


for _masked in MASKED:
    _read.register(_masked, _read_masked)


@_read.register(pd.DatetimeTZDtype)
def _(dtype: Any, column: pd.Series[Any]) -> View:
    ticks = column.to_numpy(dtype=f"M8[{dtype.unit}]").view(np.int64)  # in UTC
    return View(ticks, missing(column), "zoned", dtype.unit)


@_read.register(pd.PeriodDtype)
def _(dtype: Any, column: pd.Series[Any]) -> View:
    return View(np.asarray(column.array.astype(np.int64)), missing(column), "period", str(dtype))


@_read.register(pd.CategoricalDtype)
def _(dtype: Any, column: pd.Series[Any]) -> View | None:
    categories = read(pd.Series(dtype.categories))
    if categories is None or categories.family != "number" or not categories.values.size:
        return None
    codes = column.cat.codes.to_numpy()
    return View(categories.values.take(codes), codes < 0)


@_read.register(pd.ArrowDtype)
def _(dtype: Any, column: pd.Series[Any]) -> View | None:
    import pyarrow as pa  # noqa: PLC0415 (only frames that already use Arrow pay for it)

    kind, gaps = dtype.pyarrow_dtype, missing(column)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return _read_masked(dtype, column)
    if pa.types.is_decimal(kind):
        values = np.empty(len(column), dtype=object)
        values[:] = [Decimal(0) if cell is None else cell for cell in pa.array(column.array).to_pylist()]
        return View(values, gaps)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_duration(kind)):
        return None
    stored = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    ticks = pa.array(column.array).cast(stored).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if pa.types.is_date(kind):
        return View(ticks, gaps, "datetime", "D" if pa.types.is_date32(kind) else "ms")
    if pa.types.is_duration(kind):
        return View(ticks, gaps, "timedelta", kind.unit)
    return View(ticks, gaps, "datetime" if kind.tz is None else "zoned", kind.unit)


def _read_array(values: np.ndarray, gaps: np.ndarray) -> View | None:
    if values.dtype.kind in "mM":
        family: Family = "timedelta" if values.dtype.kind == "m" else "datetime"
        return View(values.view(np.int64), gaps, family, np.datetime_data(values.dtype)[0])
    return _read_objects(values, gaps) if values.dtype.kind == "O" else View(_widest(values), gaps)


_REAL = (int, float, Decimal, np.integer, np.floating, np.bool_)
_COMPLEX = (complex, np.complexfloating)


def _read_objects(values: np.ndarray, gaps: np.ndarray) -> View | None:
    types = set(map(type, values[~gaps]))
    if not types:
        return View(np.zeros(len(values)), gaps, None)
    if not all(issubclass(t, _REAL + _COMPLEX) and not issubclass(t, np.timedelta64) for t in types):
        return None
    filled = np.where(gaps, 0, values)
    if any(issubclass(t, _COMPLEX) and not issubclass(t, _REAL) for t in types):
        return View(np.zeros(len(values), dtype=np.complex128), gaps)
    if all(issubclass(t, float) for t in types):
        return View(filled.astype(np.float64), gaps)
    if all(issubclass(t, int | np.integer | np.bool_) for t in types):
        try:
            return View(filled.astype(np.int64), gaps)
        except OverflowError:
            pass
    return View(filled, gaps)


def _widest(values: np.ndarray) -> np.ndarray:
    """The same numbers in int64, uint64, float64 or wider, so that there are few cases from here on."""
    if values.dtype.kind in "bi" or (values.dtype.kind == "u" and values.dtype.itemsize < np.dtype(np.uint64).itemsize):
        return values.astype(np.int64, copy=False)
    return values.astype(np.float64, copy=False) if values.dtype in (np.float16, np.float32) else values
