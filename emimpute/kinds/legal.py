"""The outermost cells of a dtype between two bounds: what fills are kept within before they are rounded to cells.

Rounding could carry a fill over a bound: 0.4 becomes 0 in an integer column, where nothing below 1 is positive. But
rounding keeps order, so a fill kept between the lowest and the highest *legal cell* ends between them.

>>> import pandas as pd
>>> from emimpute.kinds.writing import Origin
>>> outermost(pd.Series([3, None], dtype="Int64"), Origin(0), 0.0, 9.5)
(1.0, 9.0)
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.kinds.numbers import to_numbers
from emimpute.kinds.reading import MASKED
from emimpute.kinds.writing import NANOSECONDS

if TYPE_CHECKING:
    from emimpute.kinds.writing import Origin

__all__ = ["outermost", "roughness"]

_DOUBLE = 8  # bytes of a float that loses nothing on the way to float64
_FAR = 1e300  # what is farther out than this is not told apart: sums with an origin must not overflow


def outermost(
    like: pd.Series[Any], origin: Origin, low: float = -np.inf, high: float = np.inf, *, strict: bool = True
) -> tuple[float, float]:
    """The lowest and the highest number, counted from ``origin``, that a cell of ``like`` may hold.

    ``low`` and ``high`` are counted from ``origin`` too; ``strict`` says that ``low`` itself is no legal number. Where
    no cell lies between the bounds, they are returned as they are: what is written then is the nearest cell there is.
    """
    if isinstance(like.dtype, pd.CategoricalDtype):
        places = to_numbers(pd.Series(like.dtype.categories, name=like.name), origin)
        legal = places[((places > low) if strict else (places >= low)) & (places <= high)]
        return (float(legal.min()), float(legal.max())) if legal.size else (low, high)
    step, least = _grid(like.dtype, like, origin)
    start = origin.value if origin.family == "number" else 0  # the grid of numbers goes through zero
    first, last = low, high
    if math.isfinite(low):
        first = _first(low, start, step, least, strict=strict)
    if step and math.isfinite(high):
        last = math.floor((start + high) / step) * step - start
    return (max(first, -_FAR), min(last, _FAR)) if first <= last else (low, high)


def _first(low: float, start: float, step: float, least: float, *, strict: bool) -> float:
    """The first cell at or, where ``strict``, above ``low``; both counted from ``start``."""
    if not step:
        return max(low + least, float(np.nextafter(low, np.inf))) if strict else low
    place = (start + low) / step
    first = (math.floor(place) + 1 if strict else math.ceil(place)) * step - start
    return max(first, float(np.nextafter(low, np.inf))) if strict else first


def roughness(like: pd.Series[Any], bound: float) -> float:
    """How much a number near ``bound`` may change by being kept in ``like``'s dtype; 0 for eight bytes or more.

    A share of .7 kept in four bytes is .69999999, and no less legal for that where the lower bound is .7.
    """
    dtype = _machine(like.dtype)
    if dtype is None or dtype.kind != "f" or dtype.itemsize >= _DOUBLE:
        return 0.0
    return max(float(np.finfo(dtype).eps) * abs(bound), float(np.finfo(dtype).smallest_subnormal))


def _machine(dtype: Any) -> np.dtype[Any] | None:
    """The numpy dtype of the cells of a numpy, masked, sparse or Arrow dtype, if they are machine numbers."""
    inner: Any = dtype.subtype if isinstance(dtype, pd.SparseDtype) else getattr(dtype, "numpy_dtype", dtype)
    return inner if isinstance(inner, np.dtype) and inner.kind in "biuf" else None


@singledispatch
def _grid(dtype: Any, like: pd.Series[Any], origin: Origin) -> tuple[float, float]:  # noqa: ARG001
    """The step between the cells of a dtype (0: none worth the name), and the least number above zero among them."""
    return _of_machine(_machine(dtype))


@_grid.register(np.dtype)
def _(dtype: Any, like: pd.Series[Any], origin: Origin) -> tuple[float, float]:  # noqa: ARG001
    if dtype.kind == "m":
        return _of_clock(np.datetime_data(dtype)[0], origin)
    if dtype.kind != "O":
        return _of_machine(dtype)
    if origin.objects == "int":
        return 1.0, 1.0
    if origin.objects in {None, "bool", "float"} or origin.family != "number":
        return _of_machine(np.dtype(float))
    unit = float(Decimal(str(origin.objects)))
    return unit, unit


def _of_masked(dtype: Any, like: pd.Series[Any], origin: Origin) -> tuple[float, float]:  # noqa: ARG001
    return _of_machine(dtype.numpy_dtype)


for _masked in MASKED:
    _grid.register(_masked, _of_masked)


@_grid.register(pd.ArrowDtype)
def _(dtype: Any, like: pd.Series[Any], origin: Origin) -> tuple[float, float]:  # noqa: ARG001
    import pyarrow as pa  # noqa: PLC0415 (only frames that already use Arrow pay for it)

    kind = dtype.pyarrow_dtype
    if pa.types.is_decimal(kind):
        return 10.0**-kind.scale, 10.0**-kind.scale
    if pa.types.is_duration(kind):
        return _of_clock(kind.unit, origin)
    return _of_machine(_machine(dtype))


def _of_machine(dtype: np.dtype[Any] | None) -> tuple[float, float]:
    if dtype is not None and dtype.kind in "biu":
        return 1.0, 1.0
    fine: Any = dtype if dtype is not None and dtype.kind == "f" and dtype.itemsize < _DOUBLE else np.float64
    return 0.0, float(np.finfo(fine).tiny)


def _of_clock(unit: str, origin: Origin) -> tuple[float, float]:
    tick = NANOSECONDS[unit] / NANOSECONDS[str(origin.unit)]
    return tick, tick
