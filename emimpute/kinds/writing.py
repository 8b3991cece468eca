"""Writing numbers as legal cells of a dtype: the way back from :mod:`emimpute.kinds.reading`.

Every writer takes finite numbers (r,) counted from an :class:`Origin`, and gives an array (r,) of the dtype it is
registered for. Adding the origin back is exact in integers, and what does not fit the dtype is moved to the nearest end
of its range before a cast could wrap around or overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.kinds.reading import MASKED, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.kinds.reading import Family

__all__ = ["EXACT", "NANOSECONDS", "Origin", "as_decimal", "clock", "objects_in", "split", "write"]

NANOSECONDS = {"D": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
EXACT = 800  # decimal digits that hold any float, hence any sum or difference with one, without rounding
_ROOM = 2**62  # integers below it can be added in int64
_FAR = float(2**120)  # farther from any origin than a 64-bit integer is, in any unit
_TICKS = (-(2**63) + 1, 2**63 - 1)  # the lowest int64 is NaT
_EPOCH = date(1970, 1, 1).toordinal()
_CALENDAR = {  # first and last day; before 1677, pandas 2 crashes on times with a zone
    "datetime": (date(1, 1, 2).toordinal() - _EPOCH, date(9999, 12, 30).toordinal() - _EPOCH),
    "zoned": (date(1677, 9, 24).toordinal() - _EPOCH, date(9999, 12, 30).toordinal() - _EPOCH),
}
_EXPONENTS = (-300, 0)  # digits that an object column of Decimals may be rounded to


@dataclass(frozen=True)
class Origin:
    """What the numbers of a column are counted from: one of its values, in a unit."""

    value: float  # an int where the data are integers, so that nothing is rounded
    family: Family = "number"
    unit: str | None = None  # of a clock: "D", "s", "ms", "us", "ns"; of periods their dtype, as "period[M]"
    objects: str | None = (
        None  # what an object column held: "bool", "int", "float", or "1E-2" for Decimals of two digits
    )

    def to_json(self) -> dict[str, Any]:
        """Value, family, unit, and what objects there were."""
        return {"origin": self.value, "family": self.family, "unit": self.unit, "objects": self.objects}

    @classmethod
    def from_json(cls, learned: Mapping[str, Any]) -> Origin:
        """The same again."""
        return cls(learned["origin"], learned["family"], learned["unit"], learned["objects"])


def split(value: float) -> tuple[float, float]:
    """An int or a float as a sum of two floats, the second far smaller (0 unless an int has more than 53 bits)."""
    high = float(value)
    return high, float(value - int(high)) if isinstance(value, int) else 0.0


def as_decimal(value: float) -> Decimal:
    """The decimal number that a float or an int is written as: 0.1 means 0.1 here, not its nearest binary fraction."""
    return Decimal(repr(value))


def clock(family: Family, unit: str, zone: Any = None) -> Any:
    """The pandas dtype for times of a family in a unit, and in a zone (UTC) if the family has one."""
    if family == "zoned":
        resolution: Any = unit
        return pd.DatetimeTZDtype(resolution, zone or "UTC")
    return np.dtype(f"{'M8' if family == 'datetime' else 'm8'}[{unit}]")


@singledispatch
def write(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:
    """``numbers`` (r,) counted from ``origin`` as an array of ``dtype``, which is ``like``'s."""
    raise NotImplementedError(dtype)


@write.register(np.dtype)
def _(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:
    if dtype.kind == "O":
        return _write_objects(numbers, origin, like.to_numpy()[~missing(like)])
    if dtype.kind in "mM":
        return _ticks(numbers, origin, np.datetime_data(dtype)[0]).view(dtype)
    return _machine_numbers(numbers, origin, dtype)


def _write_masked(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:  # noqa: ARG001
    return pd.array(_machine_numbers(numbers, origin, dtype.numpy_dtype), dtype=dtype)


for _masked in MASKED:
    write.register(_masked, _write_masked)


@write.register(pd.SparseDtype)
def _(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:
    dense = pd.Series(np.asarray(like.array, dtype=dtype.subtype))  # float32 of itself becomes float64
    return pd.arrays.SparseArray(write(dense.dtype, numbers, origin, dense), dtype=dtype)


@write.register(pd.DatetimeTZDtype)
def _(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:  # noqa: ARG001
    utc = pd.Series(_ticks(numbers, origin, dtype.unit).view(f"M8[{dtype.unit}]"))
    return utc.dt.tz_localize("UTC").dt.tz_convert(dtype.tz).array


@write.register(pd.PeriodDtype)
def _(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:  # noqa: ARG001
    ordinals = _integers(numbers, origin.value, *_TICKS)
    return pd.PeriodIndex.from_ordinals(ordinals, freq=dtype.freq).array  # type: ignore[attr-defined] # not in the stubs


@write.register(pd.CategoricalDtype)
def _(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:
    from emimpute.kinds.numbers import to_numbers  # noqa: PLC0415 (the categories are a column themselves)

    places = to_numbers(pd.Series(dtype.categories, name=like.name), origin)
    order = np.argsort(places, kind="stable")
    between = (places[order][1:] + places[order][:-1]) / 2
    return pd.Categorical.from_codes(order[np.searchsorted(between, numbers)], dtype=dtype)


@write.register(pd.ArrowDtype)
def _(dtype: Any, numbers: np.ndarray, origin: Origin, like: pd.Series[Any]) -> Any:  # noqa: ARG001
    import pyarrow as pa  # noqa: PLC0415 (only frames that already use Arrow pay for it)

    kind = dtype.pyarrow_dtype
    if pa.types.is_decimal(kind):
        limit = Decimal(10**kind.precision - 1).scaleb(-kind.scale, Context(prec=EXACT))
        cells = pa.array(_decimals(numbers, origin, -kind.scale, limit), type=kind)
    elif pa.types.is_date32(kind):
        cells = pa.array(_ticks(numbers, origin, "D", (-(2**31), 2**31 - 1)).astype(np.int32)).cast(kind)
    elif pa.types.is_date64(kind):
        day = NANOSECONDS["D"] // NANOSECONDS["ms"]  # a date64 counts milliseconds, but only whole days are dates
        cells = pa.array(_ticks(numbers, origin, "D", (_TICKS[0] // day + 1, _TICKS[1] // day)) * day).cast(kind)
    elif pa.types.is_temporal(kind):
        cells = pa.array(_ticks(numbers, origin, kind.unit)).cast(kind)
    else:
        cells = pa.array(_machine_numbers(numbers, origin, dtype.numpy_dtype), type=kind)
    return pd.arrays.ArrowExtensionArray(cells)


def _machine_numbers(numbers: np.ndarray, origin: Origin, dtype: np.dtype[Any]) -> np.ndarray:
    """Numbers as a numpy integer, float or boolean dtype, (r,)."""
    if dtype.kind == "b":
        return _integers(numbers, origin.value, 0, 1).astype(bool)
    if dtype.kind in "iu":
        return _integers(numbers, origin.value, int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)).astype(dtype)
    high, low = split(origin.value)
    with np.errstate(over="ignore"):
        total = (numbers.astype(np.promote_types(dtype, np.float64)) + low) + high
    return np.clip(total, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)


def _ticks(numbers: np.ndarray, origin: Origin, unit: str, limits: tuple[int, int] = _TICKS) -> np.ndarray:
    """Numbers in the origin's unit as int64 ticks of another unit, (r,), within the limits and the calendar."""
    there, here = NANOSECONDS[str(origin.unit)], NANOSECONDS[unit]
    start, numbers = int(origin.value), np.clip(numbers, -_FAR, _FAR)
    lowest, highest = limits
    day = NANOSECONDS["D"]
    first, last = _CALENDAR.get(origin.family, (1, 0))
    if first * day <= start * there <= last * day:
        # The outermost day of a dtype's range is left free, for the zones in which it is another date.
        lowest, highest = max(lowest + day // here, first * day // here), min(highest - day // here, last * day // here)
    if there >= here:
        return _integers(numbers * (there // here), start * (there // here), lowest, highest)
    whole, rest = divmod(start, here // there)
    return _integers((numbers + rest) / (here // there), whole, lowest, highest)


def _integers(numbers: np.ndarray, value: float, lowest: int, highest: int) -> np.ndarray:
    """``numbers + value`` rounded half to even and clipped, (r,) int64, or uint64 if ``highest`` needs it."""
    whole = math.floor(value)
    odd = whole % 2  # with it, half to even means the sum, so a tie does not depend on the origin
    rounded = np.rint(numbers + (value - whole) + odd) - odd
    if highest < 2**63 and abs(whole) < _ROOM and (np.abs(rounded) < _ROOM).all():
        return np.clip(rounded.astype(np.int64) + whole, lowest, highest)
    exact = [min(max(whole + int(step), lowest), highest) for step in np.clip(rounded, -_FAR, _FAR)]
    return np.array(exact, dtype=np.int64 if highest < 2**63 else np.uint64)


def _decimals(numbers: np.ndarray, origin: Origin, exponent: int, limit: Decimal | None = None) -> list[Decimal]:
    context = Context(prec=EXACT, rounding=ROUND_HALF_EVEN)
    unit, start = Decimal(1).scaleb(exponent), as_decimal(origin.value)
    sums = (context.add(Decimal(number), start) for number in numbers.tolist())
    if limit is not None:
        sums = (min(max(total, -limit), limit) for total in sums)
    return [total.quantize(unit, context=context) for total in sums]


def objects_in(observed: np.ndarray) -> str:
    """What Python objects these numbers are: "bool", "int", "float", or the finest unit of Decimals, as "1E-2"."""
    types = set(map(type, observed))
    if types and all(issubclass(t, bool | np.bool_) for t in types):
        return "bool"
    if types and all(issubclass(t, int | np.integer | np.bool_) for t in types):
        return "int"
    if types == {Decimal}:
        exponent = min(int(number.as_tuple().exponent) for number in observed)
        return f"1E{min(max(exponent, _EXPONENTS[0]), _EXPONENTS[1])}"
    return "float"


def _write_objects(numbers: np.ndarray, origin: Origin, observed: np.ndarray) -> np.ndarray:
    """Python objects of the type that was learned (a row must not depend on the others); else of the observed ones'."""
    objects = origin.objects or objects_in(observed)
    cells: list[Any]
    if origin.family != "number":
        unit = "s" if origin.unit == "D" else str(origin.unit)
        empty = pd.Series(dtype=unit if origin.family == "period" else clock(origin.family, unit))
        cells = list(pd.Series(write(empty.dtype, numbers, origin, empty)))
    elif objects == "int":
        cells = [_integer(number, origin.value) for number in numbers.tolist()]
    elif objects in {"bool", "float"}:
        cells = _machine_numbers(numbers, origin, np.dtype(objects)).tolist()
    else:
        cells = list(_decimals(numbers, origin, int(objects.removeprefix("1E"))))
    written = np.empty(len(cells), dtype=object)
    written[:] = cells
    return written


def _integer(number: float, value: float) -> int:
    """``number + value`` rounded half to even, as a Python integer of any size."""
    whole = math.floor(value)
    odd = whole % 2
    return whole + round(number + (value - whole) + odd) - odd
