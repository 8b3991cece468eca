"""Frames of every shape that pandas knows, and how to compare their cells bit for bit.

``FRAMES`` makes frames of 40 rows and at least three numeric columns with gaps, each odd in one way: labels, index,
subclass, attrs, flags. ``bits`` gives the bytes of a column's cells, whatever its dtype.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 40


def numeric(rows: int = ROWS, columns: int = 3, seed: int = 0) -> pd.DataFrame:
    """Correlated normal columns labelled from ``x``, a fifth of the cells missing, no row empty."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, columns))
    x[:, 1:] += x[:, :1]
    gaps = rng.random(x.shape) < 0.2
    gaps[np.arange(rows), rng.integers(columns, size=rows)] = False
    x[gaps] = np.nan
    labels = list("xyz") if columns == 3 else [f"x{i}" for i in range(columns)]
    return pd.DataFrame(x, columns=labels)


class Survey(pd.DataFrame):
    """A subclass as pandas' guide says to write them."""

    _metadata = ["source"]  # noqa: RUF012 (pandas' own convention)

    @property
    def _constructor(self) -> type[Survey]:
        return Survey


def _labelled(*labels: Any) -> Callable[[], pd.DataFrame]:
    return lambda: numeric().set_axis(pd.Index(labels, dtype=object, tupleize_cols=False), axis=1)


def _columns(labels: Any) -> Callable[[], pd.DataFrame]:
    return lambda: numeric().set_axis(labels, axis=1)


def _index(index: Any) -> Callable[[], pd.DataFrame]:
    return lambda: numeric().set_axis(index, axis=0)


def _number_and_text() -> pd.DataFrame:
    df = numeric().assign(t=["a", "b"] * (ROWS // 2))
    return df.set_axis(["x", "y", "z", "x"], axis=1)


def _survey() -> pd.DataFrame:
    df = Survey(numeric())
    df.source = "by post"
    return df


def _attrs() -> pd.DataFrame:
    df = numeric()
    df.attrs = {"unit": "kg", "function": abs, "array": np.arange(3), "set": {1}, "list": [1, [2]], 3: None}
    return df


FRAMES: dict[str, Callable[[], pd.DataFrame]] = {
    "plain": numeric,
    "equal labels": _columns(["x", "x", "y"]),
    "a number and a text of one label": _number_and_text,
    "MultiIndex columns": _columns(pd.MultiIndex.from_tuples([("b", 1), ("a", 2), ("b", 0)], names=["u", None])),
    "MultiIndex columns, equal labels": _columns(pd.MultiIndex.from_tuples([("b", 1), ("a", 2), ("b", 1)])),
    "MultiIndex columns with NaN": _columns(pd.MultiIndex.from_tuples([("b", np.nan), ("a", 2.0), ("b", 1.0)])),
    "MultiIndex rows": _index(pd.MultiIndex.from_product([range(20), ["p", "q"]], names=["i", "j"])),
    "equal row labels": _index(pd.Index([7, 7, 3, 1] * 10, name="id")),
    "NaN row labels": _index([np.nan, 1.0] * 20),
    "RangeIndex with a step": _index(pd.RangeIndex(10, 130, 3)),
    "DatetimeIndex with a zone": _index(pd.date_range("2020", periods=ROWS, freq="D", tz="Europe/Paris", name="t")),
    "PeriodIndex": _index(pd.period_range("2020-01", periods=ROWS, freq="M")),
    "CategoricalIndex": _index(pd.CategoricalIndex(["a", "b"] * 20, categories=["b", "c", "a"])),
    "IntervalIndex": _index(pd.interval_range(0, ROWS)),
    "named axes": lambda: numeric().rename_axis(index="row", columns="column"),
    "subclass": _survey,
    "attrs": _attrs,
    "no equal labels allowed": lambda: numeric().set_flags(allows_duplicate_labels=False),
    "None as a label": _labelled(None, "a", "b"),
    "NaN as a label": _labelled(np.nan, "a", "b"),
    "NaN twice": _labelled(np.nan, np.nan, "x"),
    "all that is missing": _labelled(np.nan, None, pd.NaT),
    "ints as labels": _columns([3, 1, 2]),
    "RangeIndex columns": _columns(pd.RangeIndex(3)),
    "floats as labels": _columns([3.5, 1.0, np.nan]),
    "tuples as labels": _labelled(("a", 1), ("b", 2), "x"),
    "booleans as labels": _labelled(True, False, 2),
    "mixed labels": _labelled("a", 1, pd.Timestamp("2020")),
    "timestamps as labels": _columns(pd.date_range("2020", periods=3)),
    "periods as labels": _columns(pd.period_range("2020", periods=3)),
    "categories as labels": _columns(pd.CategoricalIndex(["p", "q", "r"])),
    "intervals as labels": _columns(pd.interval_range(0, 3)),
}


def bits(column: pd.Series[Any], rows: np.ndarray | slice = slice(None)) -> Any:
    """What some cells (a mask or a slice) are, bit for bit, and which of them are valid: ``==`` compares."""
    column = column.iloc[np.flatnonzero(rows) if isinstance(rows, np.ndarray) else rows]
    cells: Any = column.array
    found: Any
    if isinstance(column.dtype, pd.ArrowDtype):
        found = _arrow_bits(pa.array(cells, type=column.dtype.pyarrow_dtype))
    elif isinstance(column.dtype, pd.SparseDtype):
        found = np.asarray(cells).tobytes(), np.asarray(cells.sp_values).tobytes()
    elif isinstance(column.dtype, pd.CategoricalDtype):
        found = cells.codes.tobytes()
    elif isinstance(column.dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        found = cells.asi8.tobytes()
    elif hasattr(cells, "_mask"):
        found = cells._mask.tobytes(), cells._data[~cells._mask].tobytes()
    elif isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        found = _machine_bits(column.to_numpy())
    else:
        found = [id(cell) for cell in column] if isinstance(column.dtype, np.dtype) else column.tolist()
    return found


def _machine_bits(values: np.ndarray) -> bytes:
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)
    if values.dtype == np.longdouble and np.finfo(values.dtype).nmant == 63:
        raw = raw[:, :10]  # the rest is padding
    return raw.tobytes()


def _arrow_bits(cells: pa.Array) -> Any:
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    cells = cells.take(pa.array(range(len(cells))))  # without an offset into larger buffers
    valid = cells.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_string(cells.type):
        return valid.tobytes(), cells.to_pylist()
    data = np.frombuffer(cells.buffers()[1], dtype=np.uint8)
    if pa.types.is_boolean(cells.type):
        return valid.tobytes(), [cell for cell in cells.to_pylist() if cell is not None]
    width = cells.type.bit_width // 8
    return valid.tobytes(), data[: len(cells) * width].reshape(len(cells), width)[valid].tobytes()


def all_bits(df: pd.DataFrame) -> list[Any]:
    """The bits of every column."""
    return [bits(df.iloc[:, i]) for i in range(df.shape[1])]
