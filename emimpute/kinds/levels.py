"""The levels of a column: the distinct values that its cells take, whatever dtype keeps them.

Answers come as categories, text, booleans, whole numbers, brackets. :class:`Levels` holds the values once, in order, as
plain Python objects; :meth:`Levels.codes` reads a column of any dtype as their places, and :meth:`Levels.write` gives
places back as cells of any dtype that can hold them.

>>> import pandas as pd
>>> column = pd.Series(["no", None, "yes", "no"])
>>> levels = Levels.of(column)
>>> levels.labels, levels.codes(column).tolist()
(('no', 'yes'), [0, -1, 1, 0])
>>> levels.write([1, 0], pd.Series([None], dtype="category").cat.set_categories(["yes", "no"])).tolist()
['yes', 'no']
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, named, shown
from emimpute.kinds.reading import missing, read
from emimpute.kinds.writing import objects_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike


__all__ = ["Levels", "distinct", "holds_booleans", "in_order", "observed_labels", "plain", "values_of"]

_EXACT = 2**53  # integers that floats tell apart
_FIRST = 1000  # rows looked at before all others


@dataclass(frozen=True)
class Levels:
    """Distinct labels in order: str, int, float, bool, Decimal, times, ``pd.Interval``, and tuples of these."""

    labels: tuple[Any, ...]

    @classmethod
    def of(cls, column: pd.Series[Any]) -> Levels:
        """The levels of a column: of categories all that are declared, in their order; else those observed, sorted.

        Raises ColumnError for cells that cannot be told apart (lists, arrays and other unhashable objects).
        """
        labels, _ = distinct(column)
        return cls(labels if isinstance(column.dtype, pd.CategoricalDtype) else in_order(labels))

    def __len__(self) -> int:
        return len(self.labels)

    def codes(self, column: pd.Series[Any]) -> np.ndarray:
        """The place of each cell among the levels, (n,) int, -1 where missing. ColumnError for any other value."""
        labels, codes = distinct(column)
        place = {label: i for i, label in enumerate(self.labels)}
        table = np.array([*(place.get(label, -1) for label in labels), -1], dtype=np.intp)
        found: np.ndarray = table[codes]
        strange = np.flatnonzero((found < 0) & (codes >= 0))
        if strange.size:
            row = column.index[strange[:1]].tolist()[0]
            msg = (
                f"Column {shown(column.name)} holds {shown(labels[codes[strange[0]]])} (row label {shown(row)}), which"
                f" is none of the levels seen in fitting ({named(self.labels)}): replace it by one of these or by NaN,"
                " or fit with data in which it occurs."
            )
            raise ColumnError(msg)
        return found

    def counts(self, column: pd.Series[Any]) -> np.ndarray:
        """How many cells of ``column`` are at each level, (L,)."""
        codes = self.codes(column)
        return np.bincount(codes[codes >= 0], minlength=len(self))

    def take(self, places: Iterable[int]) -> Levels:
        """Some of the levels."""
        return Levels(tuple(self.labels[i] for i in places))

    def write(self, codes: ArrayLike, like: pd.Series[Any]) -> Any:
        """The levels at ``codes`` (r,) as an array (r,) of ``like``'s dtype.

        Raises ColumnError where the dtype cannot hold a level that is to be written: categories without it, say.
        """
        codes = np.asarray(codes, dtype=np.intp)
        used, place = np.unique(codes, return_inverse=True)
        kept = [self.labels[code] for code in used]
        if isinstance(like.dtype, pd.CategoricalDtype):
            known = {plain(label): i for i, label in enumerate(like.dtype.categories)}
            found = np.array([known.get(label, -1) for label in kept], dtype=np.intp)
            self._check(used, found >= 0, like)
            return pd.Categorical.from_codes(found[place], dtype=like.dtype)
        table = _column(kept, like.dtype)
        if table is None:
            wrong = [code for code, own in zip(used, kept, strict=True) if _column([own], like.dtype) is None]
            raise self._unwritable(int([*wrong, used[0]][0]), like)
        labels, read_again = distinct(table)
        same = [code >= 0 and labels[code] == own for code, own in zip(read_again, kept, strict=True)]
        self._check(used, np.array(same, dtype=bool), like)  # nothing is changed to fit
        return table.to_numpy()[place] if isinstance(like.dtype, np.dtype) else table.array.take(place)

    def _check(self, used: np.ndarray, legal: np.ndarray, like: pd.Series[Any]) -> None:
        """Raise ColumnError if one of the codes ``used`` is not ``legal`` in ``like``'s dtype."""
        if not legal.all():
            raise self._unwritable(int(used[~legal][0]), like)

    def _unwritable(self, code: int, like: pd.Series[Any]) -> ColumnError:
        level = shown(self.labels[code])
        if isinstance(like.dtype, pd.CategoricalDtype):
            what = f"has no category {level}, which is to fill a gap: add it with .cat.add_categories."
        else:
            what = f"(dtype {like.dtype}) cannot hold {level}, which is to fill a gap: convert it with .astype."
        return ColumnError(f"Column {shown(like.name)} {what}")

    def shown(self, codes: ArrayLike) -> np.ndarray:
        """The labels at ``codes`` as an array (r,): of numbers where all labels are numbers, else of objects."""
        sorts = {type(label) for label in self.labels}
        if sorts <= {int, float} and max(map(abs, self.labels)) < _EXACT:
            values = np.array(self.labels)
        else:
            values = np.empty(len(self), dtype=object)
            for i, label in enumerate(self.labels):  # a tuple would be spread over the array
                values[i] = label
        return np.asarray(values[np.asarray(codes, dtype=np.intp)])

    def to_json(self) -> list[Any]:
        """The labels, in JSON types."""
        return [_to_json(label) for label in self.labels]

    @classmethod
    def from_json(cls, learned: Iterable[Any]) -> Levels:
        """The same again."""
        return cls(tuple(_from_json(label) for label in learned))


def _column(labels: Sequence[Any], dtype: Any) -> pd.Series[Any] | None:
    """The labels as a column of a dtype; None where it does not hold them."""
    try:
        column: pd.Series[Any] = pd.Series(labels, dtype=dtype)
    except (TypeError, ValueError, OverflowError):  # what pandas and Arrow raise for a value of another sort
        return None
    return column


def distinct(column: pd.Series[Any]) -> tuple[tuple[Any, ...], np.ndarray]:
    """The distinct values of a column as plain objects, and which of them each cell is: (n,) int, -1 where missing.

    Of categories all that are declared, else the observed ones in the order of their first cells. ColumnError for
    unhashable objects.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(map(plain, column.dtype.categories)), column.cat.codes.to_numpy().astype(np.intp)
    gaps, view = missing(column), read(column)
    values: Any = column.array
    if view is not None and view.family == "number":  # numbers of all dtypes, exactly, and in few dtypes
        values = view.values
        values = values.astype(np.float64) if values.dtype == np.longdouble else values
    elif isinstance(column.dtype, np.dtype) and column.dtype.kind not in "mM":  # whose times would come as integers
        values = column.to_numpy()
    try:
        codes, found = pd.factorize(values)
    except TypeError:
        kept = values[~gaps]
        msg = (
            f"Column {shown(column.name)} holds objects that cannot be told apart, such as {shown(kept[0])}: "
            "convert it to text or to categories, or leave it out."
        )
        raise ColumnError(msg) from None
    codes = np.where(gaps, -1, codes)
    used = np.unique(codes[codes >= 0])
    rank = np.full(len(found) + 1, -1, dtype=np.intp)
    rank[used] = np.arange(used.size)
    labels = map(plain, np.asarray(found, dtype=object)[used])
    return tuple(map(bool, labels) if holds_booleans(column) else labels), rank[codes]


def observed_labels(column: pd.Series[Any], most: int) -> tuple[Any, ...] | None:
    """The distinct observed values if they are ``most`` at the utmost; None if more, or not to be told apart.

    Never raises, and is soon done with a long column that has many: its first rows show it.
    """
    for part in (column.iloc[:_FIRST], column) if len(column) > _FIRST else (column,):
        try:
            labels, codes = distinct(part)
        except ColumnError:
            return None
        used = np.unique(codes[codes >= 0])
        if used.size > most:
            return None
    return tuple(labels[i] for i in used)


def holds_booleans(column: pd.Series[Any]) -> bool:
    """Whether the cells are True and False (of any dtype, or Python objects). Never raises."""
    dtype: Any = getattr(column.dtype, "subtype", column.dtype)
    if getattr(dtype, "kind", "O") == "b":
        return True
    return dtype == np.dtype(object) and objects_in(np.asarray(column.array)[~missing(column)]) == "bool"


def in_order(labels: Iterable[Any]) -> tuple[Any, ...]:
    """Labels sorted; those that do not compare (text beside numbers) by type and text."""
    labels = tuple(labels)
    try:
        return tuple(sorted(labels))
    except TypeError:
        return tuple(sorted(labels, key=lambda label: (type(label).__name__, str(label))))


def values_of(labels: Iterable[Any]) -> np.ndarray | None:
    """Labels that are numbers or booleans as floats (L,); None where one is something else."""
    labels = tuple(labels)
    if not labels or not all(isinstance(label, int | float | Decimal) for label in labels):
        return None
    return np.array([float(label) for label in labels])


def plain(label: Any) -> Any:
    """A label as a plain Python object that equals it."""
    if isinstance(label, pd.Interval):
        return pd.Interval(plain(label.left), plain(label.right), label.closed)
    if isinstance(label, tuple):
        return tuple(map(plain, label))
    if isinstance(label, np.datetime64 | datetime) and not isinstance(label, pd.Timestamp):
        return pd.Timestamp(label)
    if isinstance(label, np.timedelta64 | timedelta) and not isinstance(label, pd.Timedelta):
        return pd.Timedelta(label)
    return label.item() if isinstance(label, np.generic) else label


def _to_json(label: Any) -> Any:
    """A label in JSON types: itself, or an object whose one key says what it is."""
    if isinstance(label, str | bool | int) or (isinstance(label, float) and math.isfinite(label)):
        return label
    for name, (sort, write, _) in _FORMS.items():
        if isinstance(label, sort):
            return {name: write(label)}
    msg = f"A level is of type {type(label).__name__}, which JSON cannot hold: convert the column to text."
    raise ColumnError(msg)


def _from_json(label: Any) -> Any:
    if not isinstance(label, dict):
        return label
    ((name, value),) = label.items()
    _, _, read_again = _FORMS[name]
    return read_again(value)


def _from_timestamp(label: pd.Timestamp) -> list[Any]:
    zone = None if label.tz is None else str(label.tz)
    return [label.tz_convert(None).isoformat() if zone else label.isoformat(), zone, label.unit]


def _to_timestamp(value: list[Any]) -> pd.Timestamp:
    moment = pd.Timestamp(value[0]).as_unit(value[2])
    return moment.tz_localize("UTC").tz_convert(value[1]) if value[1] else moment


# name: (type, its JSON, the way back); the first that fits
_FORMS: Mapping[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "float": (float, repr, float),
    "decimal": (Decimal, str, Decimal),
    "interval": (
        pd.Interval,
        lambda label: [_to_json(label.left), _to_json(label.right), label.closed],
        lambda value: pd.Interval(_from_json(value[0]), _from_json(value[1]), value[2]),
    ),
    "tuple": (
        tuple,
        lambda label: [_to_json(part) for part in label],
        lambda value: tuple(_from_json(part) for part in value),
    ),
    "timestamp": (pd.Timestamp, _from_timestamp, _to_timestamp),
    "timedelta": (
        pd.Timedelta,
        lambda label: [int(label.to_timedelta64().view(np.int64)), label.unit],
        lambda value: pd.Timedelta(np.timedelta64(value[0], value[1])),
    ),
    "period": (
        pd.Period,
        lambda label: [label.ordinal, label.freqstr],
        lambda value: pd.Period(ordinal=value[0], freq=value[1]),
    ),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
}
