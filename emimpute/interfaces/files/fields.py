"""Fields of delimited text: quotes on and off, what a column of them is, and how a filled cell is spelled.

The rules are few, and the same for every pandas: a field is missing if it is empty or one of :data:`MISSING`, blanks
around it aside; a column is integer if all its other fields are integers (in a file the column is what its cells are,
though pandas would read it as float as soon as one is missing), float if they are numbers, boolean if they are true and
false, else text. Integers with leading zeros are codes, so text, unless the caller says they are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["MISSING", "QUOTED", "protected", "quoted", "spelling", "typed", "unquoted"]


# What pandas.read_csv takes for missing, written out because pandas keeps its list private.
_MISSING = ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN")


MISSING = frozenset((*_MISSING, "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"))


# A quote opens only at a field's start and is doubled inside. Possessive: "a""b without an end must not pass for "a".
QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')


def unquoted(field: str) -> str:
    """The field without quotes; what stands after the closing one is kept."""
    found = QUOTED.match(field) if field[:1] == '"' else None
    return field if found is None else found[0][1:-1].replace('""', '"') + field[found.end() :]


def quoted(text: str) -> str:
    """The field in quotes."""
    return '"' + text.replace('"', '""') + '"'


def protected(field: str, sep: str) -> str:
    """Quote a raw field where the delimiter ``sep`` would part it; else it stays untouched."""
    return quoted(unquoted(field)) if sep in field and not QUOTED.fullmatch(field) else field


_INTEGER = re.compile(r"[+-]?[0-9]+")


_CODE = re.compile(r"[+-]?0[0-9]")


_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.IGNORECASE)


_BOOLEAN = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def typed(texts: list[str], words: AbstractSet[str], *, codes: bool) -> pd.Series[Any]:
    """One column (n,) by the rules at the top of this module; ``codes``: integers with leading zeros are text."""
    gap = np.fromiter((t in words or t.strip() in words for t in texts), dtype=bool, count=len(texts))
    observed = [t.strip() for t, g in zip(texts, gap.tolist(), strict=True) if not g]
    if observed and all(map(_INTEGER.fullmatch, observed)):
        integers = None if codes and any(map(_CODE.match, observed)) else _integers(observed)
        if integers is not None:
            return _spread(integers, gap)
    elif all(map(_NUMBER.fullmatch, observed)):  # also where nothing was observed
        out = np.full(len(texts), np.nan)
        out[~gap] = np.array(observed, dtype=float)
        return pd.Series(out)
    elif all(t in _BOOLEAN for t in observed):
        return _spread(np.array([_BOOLEAN[t] for t in observed]), gap)
    return pd.Series(texts, dtype=object).where(~gap, np.nan).infer_objects()


def _integers(texts: list[str]) -> np.ndarray | None:
    """Integers (r,) in the dtype that holds them exactly; None if none does, for then they are ids."""
    values = [int(t) for t in texts]
    low, high = min(values), max(values)
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.array(values, dtype=dtype)
    return None


def _spread(observed: np.ndarray, gap: np.ndarray) -> pd.Series[Any]:
    """Put the observed values (r,) at their rows (n,), in a nullable dtype only if there are gaps."""
    values = np.zeros(gap.size, dtype=observed.dtype)
    values[~gap] = observed
    if not gap.any():
        return pd.Series(values)
    array = pd.arrays.BooleanArray if values.dtype == bool else pd.arrays.IntegerArray
    return pd.Series(array(values, gap))


def spelling(column: pd.Series[Any], observed: Iterable[str]) -> Any:
    """How to write a filled cell of ``column``: numbers in full precision, booleans as the column spells its own."""
    if not pd.api.types.is_bool_dtype(column.dtype):
        return str  # of a Python float: the shortest text that reads back as the same float
    first = next((word for word in map(str.strip, map(unquoted, observed)) if word in _BOOLEAN), "True")
    case = str.upper if first.isupper() else str.lower if first.islower() else str.title
    return lambda value: case(str(value))
