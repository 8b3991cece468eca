"""Which columns take part, and as what: by the user's word first, then by what the kinds accept.

What was chosen also knows what to say of the columns that were not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute._frames import locate, positions
from emimpute.errors import ColumnError, ColumnWarning, named, phrase, shown, unknown
from emimpute.kinds import registry
from emimpute.kinds.numbers import check_finite, missing
from emimpute.kinds.text import LeftAlone
from emimpute.results.problems import Problem
from emimpute.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from emimpute.kinds.base import Coding, Kind

__all__ = ["Choice", "Sorts", "choose", "choose_within", "sorts"]

_EMPTY = "no observed value"


@dataclass(frozen=True, eq=False)
class Choice:
    """The columns of a frame that take part, and why the others do not."""

    positions: list[int]
    table: Table
    problems: list[Problem]  # notes on the columns that take part
    labels: pd.Index[Any]  # of all columns of the frame
    rows: int
    left: dict[int, str]  # position of a column that is left alone: what it has (that no kind can use)
    hopeful: list[int]  # those of them that could take part had they any value
    texts: list[int]  # those of them that hold text or were said to be left alone: no accident, so they are noted

    def left_alone(self, gaps: Collection[int]) -> list[Problem]:
        """The columns of ``gaps`` (positions of columns with gaps) that nobody fills, as one problem that warns.

        And the other columns of text, as a note.
        """
        noted = [i for i in self.texts if i not in gaps]
        sentence = f"Left alone: {self._reasons(noted)}."
        remedy = f"Nothing to do, unless they should take part: {self._as_answers(noted)}."
        notes = [Problem("text", tuple(self.labels[noted]), sentence, remedy)] if noted else []
        left = [i for i in self.left if i in gaps]
        if not left:
            return notes
        # Each by its name, however many: whom the warning does not name, nobody would look for.
        sentence = f"Gaps remain in columns that no kind can use: {self._reasons(left, len(left))}."
        answers = f"name a kind for them ({said}), " if (said := self._as_answers(left)) else ""
        remedy = f"Convert these columns, drop them, {answers}or say with fill= which columns to fill."
        return [Problem("left alone", tuple(self.labels[left]), sentence, remedy, ColumnWarning), *notes]

    def _as_answers(self, columns: Iterable[int]) -> str:
        """How to have a column of text, the first among ``columns``, taken as answers; "" where there is none."""
        first = next((shown(self.labels[i]) for i in columns if i in self.texts), None)
        return "" if first is None else f"kinds={{{first}: 'nominal'}} takes answers of a few sorts"

    def nothing_to_learn(self) -> ColumnError:
        """The error for a frame of which no column can be used."""
        if self.left:
            reason = f"no column of this frame can be used: {self._reasons(self.left)}."
        elif not len(self.labels):
            reason = "the frame has no columns."
        else:
            reason = f"the frame has no {'columns but the weights' if self.rows else 'rows'}."
        return ColumnError(f"There is nothing to learn from: {reason} Give columns of numbers with observed values.")

    def cannot_fill(self, unfilled: Sequence[int]) -> ColumnError:
        """The error for columns (positions) that ``fill=`` names and the model cannot fill."""
        outside = [i for i in unfilled if i not in self.left]
        reasons = [self._reasons([i for i in unfilled if i in self.left])] if len(outside) < len(unfilled) else []
        if outside:
            reasons.append(f"{named(self.labels[outside])} (not among columns=)")
        said = "; ".join(reasons)
        return ColumnError(
            f"fill= names columns that cannot be filled: {said}. Convert them, or leave them out of fill=."
        )

    def _reasons(self, columns: Iterable[int], limit: int = 6) -> str:
        by_reason: dict[str, list[Any]] = {}
        for i in columns:
            by_reason.setdefault(self.left[i], []).append(self.labels[i])
        return phrase([f"{named(labels, limit)} ({reason})" for reason, labels in by_reason.items()])


@dataclass(frozen=True, eq=False)
class Sorts:
    """What each column is, before anything is learned from it."""

    kinds: dict[int, Kind | None]  # by position; None where no kind accepts the column
    insisted: set[int]  # those that the call names, in ``columns`` or ``kinds``: it is an error if they cannot be used
    unsorted: set[int]  # those named in ``columns`` alone


def choose(df: pd.DataFrame, columns: object, kinds: object, taken: Sequence[int] = ()) -> Choice:
    """A kind for each column that ``columns`` names (default: each that some kind accepts), but for those ``taken``.

    Raises ColumnError for a column that was named, here or in ``kinds``, and cannot be used.
    """
    return _learned(df, sorts(df, columns, kinds, taken))


def sorts(df: pd.DataFrame, columns: object, kinds: object, taken: Sequence[int] = ()) -> Sorts:
    """The kind of each column; arguments and errors as for :func:`choose`."""
    by_label, by_function = _asked(df, kinds)
    among = list(range(df.shape[1])) if columns is None else _named(df, columns)
    found: dict[int, Kind | None] = {}
    for i in among:
        if i not in taken:
            column = df.iloc[:, i]
            check_finite(column)
            found[i] = by_label.get(i) or by_function.get(i) or registry.choose(column)
    asked = set() if columns is None else set(among)
    return Sorts(found, set(by_label) | asked, asked - set(by_label))


def choose_within(group: pd.DataFrame, found: Sorts) -> Choice:
    """What the rows of one group can use of the columns, which are of the same kind in every group.

    But one value makes a constant of any column, and none at all leaves it out, even if it was asked for.
    """
    constant = registry.get("constant")
    kinds = {i: constant if constant.accepts(group.iloc[:, i]) else kind for i, kind in found.kinds.items()}
    kinds |= {i: kind for i, kind in found.kinds.items() if kind is None or isinstance(kind, LeftAlone)}
    return _learned(group, Sorts(kinds, set(), set()))


def _learned(df: pd.DataFrame, found: Sorts) -> Choice:
    """What the columns' kinds learn from ``df``. Raises ColumnError as :func:`choose` does."""
    learned: dict[int, Coding] = {}
    left: dict[int, str] = {}
    hopeful: list[int] = []
    texts: list[int] = []
    unseen = np.ones(len(df), dtype=bool)  # rows in which nothing is observed
    for i, kind in found.kinds.items():
        column = df.iloc[:, i]
        gaps = missing(column)
        empty = bool(gaps.all())
        if isinstance(kind, LeftAlone) and not empty:
            left[i] = kind.reason(column)
            texts.append(i)
            if i in found.unsorted:
                kind.learn(column)  # it was asked for, and this says why it cannot be used
            continue
        if kind is not None and not empty:
            learned[i] = kind.learn(column)
            unseen &= gaps
            continue
        left[i] = _EMPTY if empty else f"dtype {column.dtype}"
        if kind is not None:
            hopeful.append(i)
        if i in found.insisted and len(df):
            label, remedy = shown(df.columns[i]), "give it values" if empty else "convert it to numbers"
            raise ColumnError(
                f"Column {label} was asked for and cannot be used ({left[i]}): {remedy}, or leave it out."
            )
    table = Table.of(df.columns, list(learned), list(learned.values()))
    return Choice(
        list(learned),
        table,
        _notes(df.columns, learned, int(unseen.sum())),
        df.columns,
        len(df),
        left if len(df) else {},
        hopeful,
        texts,
    )


def _named(df: pd.DataFrame, columns: object) -> list[int]:
    found = positions(df, columns, "columns=")
    if not found:
        raise ColumnError("columns= names no column: leave it out, and every column that some kind accepts is used.")
    return found


def _asked(df: pd.DataFrame, kinds: object) -> tuple[dict[int, Kind], dict[int, Kind]]:
    """The kinds that the call asks for, by position: by label, and of the first function that says yes."""
    if kinds is None:
        return {}, {}
    if not isinstance(kinds, Mapping):
        what = type(kinds).__name__
        raise ColumnError(f"kinds= is a mapping from columns to kinds, as {{'age': 'real'}}; this is of type {what}.")
    by_label: dict[int, Kind] = {}
    by_function: dict[int, Kind] = {}
    for key, wanted in kinds.items():
        kind, here = registry.get(wanted), locate(df.columns, key)
        if len(here):
            by_label |= dict.fromkeys(here.tolist(), kind)
        elif callable(key):
            by_function = dict.fromkeys(_says_yes(key, df), kind) | by_function
        else:
            raise ColumnError(f"kinds=: {unknown('column', key, list(df.columns))}")
    return by_label, by_function


def _says_yes(function: Any, df: pd.DataFrame) -> list[int]:
    """Positions of the columns for which a function of ``kinds=`` says yes."""
    said = []
    for i in range(df.shape[1]):
        try:
            yes = bool(function(df.iloc[:, i]))
        except Exception as problem:
            name = getattr(function, "__name__", repr(function))
            msg = (
                f"kinds=: the function {name} failed on column {shown(df.columns[i])}"
                f" ({type(problem).__name__}: {problem}): it takes any Series and says True or False."
            )
            raise ColumnError(msg) from problem
        if yes:
            said.append(i)
    return said


def _notes(labels: pd.Index[Any], learned: Mapping[int, Coding], empty: int) -> list[Problem]:
    """What is worth a note in ``fit.problems`` but no warning; ``empty`` rows have nothing observed."""
    notes = []
    constant = [labels[i] for i, coding in learned.items() if not coding.width]
    if constant:
        sentence = f"Constant: {named(constant)}. A constant takes no part in the model, and fills its own gaps."
        notes.append(Problem("constant", tuple(constant), sentence, "Nothing to do, unless the column should vary."))
    if learned and empty:
        rows = "1 row has" if empty == 1 else f"{empty} rows have"
        sentence = f"{rows} nothing observed in the model's columns: filled from the marginal distribution (the means)."
        notes.append(Problem("empty rows", (), sentence, "Drop such rows if they are not to be filled."))
    return notes
