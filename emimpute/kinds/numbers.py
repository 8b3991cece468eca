"""A column as float64 numbers counted from an origin, and numbers back as legal cells.

EM works in double precision, which cannot tell ``2**60`` from ``2**60 + 1``. So a column is counted from one of its own
values, and the subtraction is made exactly, in integers where the data are integers (a datetime is an integer number of
ticks), before anything is rounded. On the way back only the holes are written, so observed cells never take part.

>>> import pandas as pd
>>> column = pd.Series([2**60, None, 2**60 + 3], dtype="Int64")
>>> origin = origin_of(column)
>>> to_numbers(column, origin)
array([ 0., nan,  3.])
>>> int(from_numbers([1.2], origin, column)[0]) - 2**60
1
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Context, Decimal
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, shown
from emimpute.kinds.reading import View, as_float, missing, read, refuse
from emimpute.kinds.writing import EXACT, NANOSECONDS, Origin, as_decimal, clock, objects_in, split, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

__all__ = [
    "WORDS",
    "Z95",
    "Origin",
    "check_finite",
    "from_numbers",
    "is_numeric",
    "landmark_of",
    "missing",
    "numbers_in",
    "numeric",
    "origin_of",
    "summary",
    "summary_of",
    "to_numbers",
]

WORDS = {
    "number": "numbers",
    "datetime": "datetimes without a zone",
    "zoned": "datetimes with a zone",
    "timedelta": "time differences",
    "period": "periods",
}
_WHOLE = (int, np.integer, np.bool_)
Z95 = NormalDist().inv_cdf(0.975)


def is_numeric(column: pd.Series[Any]) -> bool:
    """Whether the cells are numbers, booleans, datetimes or ordered categories of numbers. Never raises.

    Unordered categories of numbers are codes, so no. Complex numbers are numbers; that they cannot be used is for
    :func:`check_finite` to say, by name.
    """
    return numeric(column) is not None


def numeric(column: pd.Series[Any]) -> View | None:
    """The exact numbers of ``column`` where :func:`is_numeric` says yes; else None."""
    view = read(column) if getattr(column.dtype, "ordered", True) else None
    return None if view is None or view.family is None else view


def check_finite(column: pd.Series[Any]) -> None:
    """Raise ColumnError if ``column`` (of any dtype) is numeric and holds infinities or complex numbers."""
    view = numeric(column)
    if view is not None:
        refuse(view, column.name, column.index)


def origin_of(column: pd.Series[Any]) -> Origin:
    """The first observed value, as what the column is counted from.

    Raises ColumnError if nothing is observed, or for what is no number, infinite or complex.
    """
    return _origin(numbers_in(column), column)


def _origin(view: View, column: pd.Series[Any]) -> Origin:
    if view.family is None or view.missing.all():
        msg = f"Column {shown(column.name)} has no observed value to learn from: give it values, or leave it out."
        raise ColumnError(msg)
    first = view.values[int(np.argmin(view.missing))]
    whole = isinstance(first, _WHOLE) or (isinstance(first, Decimal) and first == first.to_integral_value())
    objects = (
        objects_in(np.asarray(column.array)[~view.missing])
        if column.dtype == object and view.family == "number"
        else None
    )
    return Origin(int(first) if whole else float(first), view.family, view.unit, objects)


def landmark_of(column: pd.Series[Any]) -> Origin:
    """A round number near the data, to count from: the lowest value, rounded down to a power of two above the range.

    It says no more of the data than their place and range, does not depend on the order of rows, and the subtraction
    loses nothing. Raises ColumnError as :func:`origin_of` does.
    """
    view = numbers_in(column)
    first, seen = _origin(view, column), view.observed
    low, high = (seen.min(), seen.max()) if seen.dtype.kind != "O" else (min(seen), max(seen))
    low, high = (int(low), int(high)) if isinstance(first.value, int) else (as_float(low), as_float(high))
    spread = as_float(high - low)
    exponent = math.frexp(spread or abs(low) / 2)[1]
    if isinstance(low, int):
        return replace(first, value=low >> max(exponent, 0) << max(exponent, 0))
    step = math.ldexp(1.0, max(min(exponent, 1000), -1000))
    whole = math.floor(low / step) * step
    return replace(first, value=whole if math.isfinite(whole) else 0.0)


def to_numbers(column: pd.Series[Any], origin: Origin) -> np.ndarray:
    """The cells minus ``origin``, (n,) float64 in units of ``origin``; NaN where missing.

    Raises ColumnError if the column is of another family than the origin, or holds infinities or complex numbers.
    """
    view = numbers_in(column, origin)
    with np.errstate(over="ignore"):
        numbers = np.where(view.missing, np.nan, _counted(view, origin))
    if np.isinf(numbers).any():
        msg = f"The values of column {shown(column.name)} lie too far apart for floats: divide it by a power of ten."
        raise ColumnError(msg)
    return numbers


def from_numbers(numbers: ArrayLike, origin: Origin, like: pd.Series[Any]) -> Any:
    """Numbers (r,) counted from ``origin`` as an array (r,) of ``like``'s dtype: the nearest legal cells.

    Integers are rounded half to even and clipped to the dtype's range, booleans to False and True, categories to the
    nearest one, datetimes to the dtype's unit, decimals to its scale. An object column gets what all of its observed
    cells are: bools, ints or Decimals (to their finest digit), else floats. ColumnError if ``like`` is of another
    family than the origin, ValueError for NaN.
    """
    numbers_in(like, origin)
    numbers = np.asarray(numbers, dtype=np.float64)
    if np.isnan(numbers).any():
        msg = f"A fill for column {shown(like.name)} is NaN: expected numbers."
        raise ValueError(msg)
    return write(like.dtype, numbers, origin, like)


def summary(mean: np.ndarray, sd: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Mapping[str, Any]:
    """Arrays (r,) ``estimate``, ``sd``, ``low``, ``high`` (95 % interval) from means (r,) and sds (r,) of numbers.

    Normal ones, so that the interval reaches as far down as up; its form is that of :func:`summary_of`.
    """
    places = {"estimate": mean, "low": mean - Z95 * sd, "high": mean + Z95 * sd}
    return summary_of(places, sd, origin, like)


def summary_of(
    places: Mapping[str, np.ndarray], sd: np.ndarray, origin: Origin, like: pd.Series[Any]
) -> Mapping[str, Any]:
    """The ``places`` (each (r,) numbers counted from ``origin``) and ``sd`` (r,), on the column's own scale.

    Floats that are neither rounded nor clipped; for datetimes and time differences Timestamps and Timedeltas in at
    least microseconds, in ``like``'s zone; for periods the nearest ones, with the sd as a float number of periods.
    """
    if origin.family == "number":
        high, low = split(origin.value)
        return {"sd": sd} | {name: (place + low) + high for name, place in places.items()}
    if origin.family == "period":
        return {"sd": sd} | {name: from_numbers(place, origin, like) for name, place in places.items()}
    fine = "ns" if "ns" in {origin.unit, numbers_in(like, origin).unit} else "us"
    zone = getattr(getattr(like.dtype, "pyarrow_dtype", like.dtype), "tz", None)
    times = pd.Series(dtype=clock(origin.family, fine, zone))
    spread = pd.Series(dtype=clock("timedelta", fine))
    said = {name: from_numbers(place, origin, times) for name, place in places.items()}
    said["sd"] = from_numbers(sd, Origin(0, "timedelta", origin.unit), spread)
    return {name: pd.Series(values).array for name, values in said.items()}


def numbers_in(column: pd.Series[Any], origin: Origin | None = None) -> View:
    """The exact numbers of ``column``, of the origin's family if there is one; else ColumnError with the way out."""
    view = read(column)
    if view is None:
        way = "convert it with pd.to_numeric or pd.to_datetime."
        if (
            getattr(column.dtype, "ordered", False) and column.notna().any()
        ):  # answers in words: to_numeric could not help
            way = "for the places of its answers, 1, 2, ..., take column.cat.codes.where(column.notna()) + 1."
        msg = f"Column {shown(column.name)} (dtype {column.dtype}) does not hold numbers: {way}"
        raise ColumnError(msg)
    refuse(view, column.name, column.index)
    if origin is None or view.family is None:
        return view
    if view.family != origin.family:
        held, learned = WORDS[view.family], WORDS[origin.family]
        msg = f"Column {shown(column.name)} holds {held} where {learned} were learned: convert it first."
        raise ColumnError(msg)
    if origin.family == "period" and view.unit != origin.unit:
        msg = (
            f"Column {shown(column.name)} holds {view.unit} where {origin.unit} was learned: "
            "convert it with .dt.asfreq."
        )
        raise ColumnError(msg)
    return view


def _counted(view: View, origin: Origin) -> np.ndarray:
    """Values minus origin, (n,); the cells of a clock in the origin's unit."""
    if view.unit == origin.unit or view.unit not in NANOSECONDS:
        return _minus(view.values, origin.value)
    here, there = NANOSECONDS[view.unit], NANOSECONDS[str(origin.unit)]
    if here < there:
        ticks, fraction = np.divmod(view.values, there // here)
        return _minus(ticks, origin.value) + fraction / (there // here)
    whole, rest = divmod(int(origin.value), here // there)
    return _minus(view.values, whole) * (here // there) - rest


def _minus(values: np.ndarray, value: float) -> np.ndarray:
    """``values - value`` as float64, (n,), rounded once."""
    if values.dtype.kind == "f":
        high, low = split(value)
        counted: np.ndarray = ((values - high) - low).astype(np.float64, copy=False)
        return counted
    if values.dtype.kind == "O":
        return np.array([_minus_one(v, value) for v in values], dtype=np.float64)
    whole = math.floor(value)
    part = value - whole  # an integer of any size minus itself is 0 here, not nan
    return _integers_minus(values, whole) - part


def _integers_minus(values: np.ndarray, whole: int) -> np.ndarray:
    info = np.iinfo(values.dtype)
    if not info.min <= whole <= info.max:
        return np.array([float(v - whole) for v in values.tolist()], dtype=np.float64)
    # A difference of two 64-bit integers needs 65 bits; modulo 2**64 it is exact once its sign is known.
    bits, here = values.view(np.uint64), np.uint64(whole % 2**64)
    return np.where(values >= whole, (bits - here).astype(np.float64), -(here - bits).astype(np.float64))


def _minus_one(number: Any, value: float) -> float:
    if isinstance(number, Decimal):
        return as_float(Context(prec=EXACT).subtract(number, as_decimal(value)))
    if isinstance(number, _WHOLE):
        whole = math.floor(value)
        return as_float(int(number) - whole) - (value - whole)
    high, low = split(value)
    return (float(number) - high) - low
