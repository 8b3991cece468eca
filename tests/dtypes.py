"""A recipe for every dtype this package fills: from whole numbers (with NaN for gaps) to a Series of that dtype.

``COLUMNS`` can hold gaps, and have one wherever the number is NaN. ``COMPLETE`` cannot: there a NaN becomes 0. Numbers
from 0 to 100 fit everywhere; a boolean is True where the number is above the mean, a date lies that many days after
the first of January 2020, a category needs the number to be among the observed ones.

``ANSWERS`` can hold gaps too, and are no numbers: sorts without an order, by the last digit of the number, sizes and
brackets by how large it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

ZONE = "Europe/Paris"
DAY = pd.Timestamp("2020-01-01")


def _numbers(dtype: str) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: pd.Series(values).astype(dtype)


def _booleans(dtype: str) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: _objects(values, lambda v: bool(v > np.nanmean(values))).astype(dtype)


def _arrow(kind: pa.DataType, make: Callable[[float], Any] = int) -> Callable[[np.ndarray], pd.Series[Any]]:
    def column(values: np.ndarray) -> pd.Series[Any]:
        cells = pa.array([None if np.isnan(v) else make(v) for v in values], type=kind)
        return pd.Series(pd.arrays.ArrowExtensionArray(cells))

    return column


def _objects(values: np.ndarray, make: Callable[[float], Any], gap: Any = None) -> pd.Series[Any]:
    cells = np.empty(len(values), dtype=object)
    cells[:] = [gap if np.isnan(v) else make(v) for v in values]
    return pd.Series(cells)


def _day(value: float) -> pd.Timestamp:
    return DAY + pd.Timedelta(days=int(value))


def _day_in_paris(value: float) -> pd.Timestamp:
    return _day(value).tz_localize(ZONE)


def _days(values: np.ndarray, unit: str) -> pd.Series[Any]:
    days = ["NaT" if np.isnan(v) else np.datetime64("2020-01-01") + int(v) for v in values]
    return pd.Series(np.array(days, dtype=f"M8[{unit}]"))


def _datetime(unit: str, zone: str | None = None) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: _days(values, unit).dt.tz_localize(zone)


def _timedelta(unit: str) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: _days(values, unit) - DAY.as_unit(unit)  # type: ignore[arg-type]


def _categories(values: np.ndarray) -> pd.Series[Any]:
    whole = _objects(values, int)
    return pd.Series(pd.Categorical(whole, categories=sorted(set(whole.dropna())), ordered=True))


def _zeros(dtype: str) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: pd.Series(np.nan_to_num(values)).astype(dtype)


def _no_gap_booleans(dtype: str) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: pd.Series(np.nan_to_num(values) > np.nanmean(values)).astype(dtype)


_UNITS = ("s", "ms", "us", "ns")

COLUMNS: dict[str, Callable[[np.ndarray], pd.Series[Any]]] = {
    **{dtype: _numbers(dtype) for dtype in ("float16", "float32", "float64", "longdouble")},
    **{dtype: _numbers(dtype) for dtype in ("Float32", "Float64", "Int8", "Int16", "Int32", "Int64")},
    **{dtype: _numbers(dtype) for dtype in ("UInt8", "UInt16", "UInt32", "UInt64")},
    "boolean": _booleans("boolean"),
    **{f"{t}[pyarrow]": _arrow(pa.type_for_alias(t)) for t in ("int8", "int16", "int32", "int64")},
    **{f"{t}[pyarrow]": _arrow(pa.type_for_alias(t)) for t in ("uint8", "uint16", "uint32", "uint64")},
    "float16[pyarrow]": _arrow(pa.float16(), np.float16),
    "float32[pyarrow]": _arrow(pa.float32(), float),
    "float64[pyarrow]": _arrow(pa.float64(), float),
    "bool[pyarrow]": lambda values: _arrow(pa.bool_(), lambda v: bool(v > np.nanmean(values)))(values),
    "decimal128[pyarrow]": _arrow(pa.decimal128(12, 2), lambda v: Decimal(int(v))),
    "decimal256[pyarrow]": _arrow(pa.decimal256(50, 4), lambda v: Decimal(int(v))),
    **{f"timestamp[{unit}][pyarrow]": _arrow(pa.timestamp(unit), _day) for unit in _UNITS},
    **{f"timestamp[{unit}, tz][pyarrow]": _arrow(pa.timestamp(unit, tz=ZONE), _day_in_paris) for unit in _UNITS},
    **{f"duration[{unit}][pyarrow]": _arrow(pa.duration(unit), lambda v: _day(v) - DAY) for unit in _UNITS},
    "date32[pyarrow]": _arrow(pa.date32(), lambda v: _day(v).date()),
    "date64[pyarrow]": _arrow(pa.date64(), lambda v: _day(v).date()),
    "Sparse[float64]": _numbers("Sparse[float64]"),
    "Sparse[float32]": _numbers("Sparse[float32]"),
    **{f"datetime64[{unit}]": _datetime(unit) for unit in _UNITS},
    **{f"datetime64[{unit}, Europe/Paris]": _datetime(unit, "Europe/Paris") for unit in _UNITS},
    **{f"timedelta64[{unit}]": _timedelta(unit) for unit in _UNITS},
    "period[D]": lambda values: _days(values, "ns").dt.to_period("D"),
    "object of int": lambda values: _objects(values, int),
    "object of float": lambda values: _objects(values, float),
    "object of Decimal": lambda values: _objects(values, lambda v: Decimal(int(v)).scaleb(-1), Decimal("NaN")),
    "object of bool": lambda values: _objects(values, lambda v: bool(v > np.nanmean(values)), np.nan),
    "object of numpy scalars": lambda values: _objects(values, np.float32, pd.NA),
    "ordered category of numbers": _categories,
}

SORTS = ("a", "b", "c")
SIZES = ("small", "middling", "large")


def _sort(value: float) -> str:
    return SORTS[int(value) % 10 % 3]


def _size(value: float) -> str:
    return SIZES[int((value > 40) + (value > 60))]


def _bracket(value: float) -> pd.Interval[Any]:
    return pd.Interval(low := 20 * int((value - 1) // 20), low + 20)


def _texts(dtype: Any) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: _objects(values, _sort).astype(dtype)


def _levels(make: Callable[[float], Any], levels: Any, *, ordered: bool) -> Callable[[np.ndarray], pd.Series[Any]]:
    return lambda values: pd.Series(pd.Categorical(_objects(values, make), categories=levels, ordered=ordered))


def _brackets(subtype: str) -> Callable[[np.ndarray], pd.Series[Any]]:
    def column(values: np.ndarray) -> pd.Series[Any]:
        cells = [np.nan if np.isnan(v) else _bracket(v) for v in values]
        return pd.Series(pd.arrays.IntervalArray(cells, dtype=pd.IntervalDtype(subtype, "right")))

    return column


ANSWERS: dict[str, Callable[[np.ndarray], pd.Series[Any]]] = {
    "object of str": lambda values: _objects(values, _sort),
    "str": _texts(pd.StringDtype("pyarrow", na_value=np.nan)),
    "string[python]": _texts(pd.StringDtype("python")),
    "string[pyarrow]": _texts(pd.StringDtype("pyarrow")),
    "string as pyarrow has it": _arrow(pa.string(), _sort),
    "text of two": lambda values: _objects(values, lambda v: "yes" if v > 50 else "no"),
    "category": _levels(_sort, ["c", "never", "a", "b"], ordered=False),
    "category of int": _levels(lambda v: int(v) % 3, [2, 0, 1], ordered=False),
    "category of two": _levels(lambda v: bool(v > 50), [True, False], ordered=False),
    "ordered category of text": _levels(_size, SIZES, ordered=True),
    "category of intervals": _levels(_bracket, pd.interval_range(-20, 100, freq=20), ordered=True),
    "interval[float64]": _brackets("float64"),
}

COMPLETE: dict[str, Callable[[np.ndarray], pd.Series[Any]]] = {
    **{dtype: _zeros(dtype) for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "bool": _no_gap_booleans("bool"),
    "Sparse[int64]": _zeros("Sparse[int64]"),
    "Sparse[bool]": _no_gap_booleans("Sparse[bool]"),
}
