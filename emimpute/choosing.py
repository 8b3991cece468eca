"""Choosing what each column is: by the user's word first, then by what the kinds accept; and what to do with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emimpute._frames import locate, positions
from emimpute.errors import ColumnError, named, unknown
from emimpute.kinds import registry
from emimpute.kinds.numbers import check_finite, missing
from emimpute.results.problems import Problem
from emimpute.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from emimpute.kinds.base import Coding, Kind

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, eq=False)
class Choice:
    """The columns that take part, and what was found about the others."""

    positions: list[int]
    table: Table
    problems: list[Problem]
    left: dict[int, str]  # position -> why a column is left alone
    empty: list[int]  # positions of columns that could take part had they any value


def choose(df: pd.DataFrame, columns: object, kinds: object, taken: Sequence[int] = ()) -> Choice:
    """Choose a kind for each column named in ``columns`` (default: all that some kind accepts), but for those ``taken`` as weights.

    Raises ColumnError for a column that was named and cannot be used.
    """
    asked = _asked(df, kinds)
    named_ones = set() if columns is None else set(positions(df, columns, "columns="))
    usable: list[int] = []
    codings: list[Coding] = []
    left: dict[int, str] = {}
    empty: list[int] = []
    for i in sorted(named_ones) if columns is not None else range(df.shape[1]):
        if i in taken:
            continue
        column = df.iloc[:, i]
        check_finite(column)
        kind = asked.get(i) or registry.choose(column)
        reason = None
        if missing(column).all():
            reason = "it has no observed value"
            if kind is not None:
                empty.append(i)
        elif kind is None:
            reason = f"no kind accepts its dtype {column.dtype}"
        if reason is None and kind is not None:
            usable.append(i)
            codings.append(kind.learn(column))
        elif i in named_ones or i in asked:
            msg = f"Column {df.columns[i]!r} was asked for and cannot be used: {reason}. Convert it, or leave it out."
            if len(df):
                raise ColumnError(msg)
        else:
            left[i] = str(reason)
    return Choice(usable, Table.of(df.columns, usable, codings), _notes(df, usable, codings), left, empty)


def _asked(df: pd.DataFrame, kinds: object) -> dict[int, Kind]:
    """The kinds that the call asks for, by position: a label wins, then the first function that says yes."""
    if kinds is None:
        return {}
    if not isinstance(kinds, Mapping):
        msg = f"kinds= is a mapping from column labels to kinds, such as {{'age': 'real'}}, and not a {type(kinds).__name__}."
        raise ColumnError(msg)
    by_label: dict[int, Kind] = {}
    by_function: dict[int, Kind] = {}
    for key, wanted in kinds.items():
        here = locate(df.columns, key)
        if len(here):
            by_label |= {int(i): registry.get(wanted) for i in here}
        elif callable(key):
            says_yes = [i for i in range(df.shape[1]) if bool(key(df.iloc[:, i]))]
            by_function = {i: registry.get(wanted) for i in says_yes} | by_function
        else:
            msg = f"kinds=: {unknown('column', key, list(df.columns))}"
            raise ColumnError(msg)
    return by_function | by_label


def _notes(df: pd.DataFrame, usable: list[int], codings: list[Coding]) -> list[Problem]:
    """What is worth a note in ``fit.problems`` but no warning."""
    notes = []
    constant = [df.columns[i] for i, coding in zip(usable, codings, strict=True) if not coding.width]
    if constant:
        sentence = f"Constant: {named(constant)}. Such a column takes no part in the model, and its gaps are filled with the constant."
        notes.append(Problem("constant", tuple(constant), sentence, "Nothing to do, unless the column should vary."))
    if usable:
        gaps: Any = True
        for i in usable:
            gaps = gaps & missing(df.iloc[:, i])
        if (count := int(gaps.sum())) > 0:
            sentence = f"{count} rows have nothing observed in the model's columns: filled from the marginal distribution (the means)."
            notes.append(Problem("empty rows", (), sentence, "Drop them if they are not to be filled."))
    return notes
