"""Which columns are drawn, and their cells: by position, so that labels may repeat.

By default those with gaps; where these are too many the ones with most gaps, in the order of the data, and how many
were left out is said in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute._frames import key
from emimpute.errors import ColumnError, EMImputeError, shown, unknown
from emimpute.kinds.reading import missing
from emimpute.plots.words import count, each

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from emimpute.results.fit import Fit

__all__ = ["Choice", "Column", "choose", "columns_of", "data_of", "left_out", "matching"]

_LIMIT = 12  # panels


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a fit, with its cells as they were fitted."""

    place: int  # among the fit's columns
    position: int  # among the data's
    label: Any
    kind: str
    cells: pd.Series[Any]  # without its name, which pandas may stumble over
    gaps: np.ndarray  # (rows,) bool
    name: str  # the label as it is drawn

    @property
    def missing(self) -> str:
        """How many cells are missing, of how many."""
        return f"{int(self.gaps.sum()):,} of {len(self.gaps):,} missing".replace(",", " ")


@dataclass(frozen=True, eq=False)
class Choice:
    """The columns that are drawn, and how many with gaps are not."""

    columns: tuple[Column, ...]
    left: int

    @property
    def remark(self) -> str:
        """What is said of those left out, or nothing."""
        return left_out(self.left, "with gaps")


def left_out(number: int, which: str) -> str:
    """The sentence on columns that are not drawn; empty if there are none."""
    if not number:
        return ""
    return f" {count(number, 'more column')} {which} {'is' if number == 1 else 'are'} not shown (columns= chooses)."


def data_of(fit: Fit) -> pd.DataFrame:
    """The frame that was fitted. Raises EMImputeError for a fit that was read from a file."""
    if fit.data is None:
        msg = (
            "This fit was read from a file, which holds no data, and this picture shows cells of the data. "
            "Fit the data anew with emimpute.fit."
        )
        raise EMImputeError(msg)
    return fit.data


def columns_of(fit: Fit) -> list[Column]:
    """All columns of a fit."""
    data = data_of(fit)
    positions = fit.law.table.match(data)
    labels = [data.columns[[position]].tolist()[0] for position in positions]
    names = each(labels)
    found = []
    for place, position in enumerate(positions):
        cells, kind = data.iloc[:, position].rename(None), str(fit.kinds.iloc[place])
        found.append(Column(place, position, labels[place], kind, cells, missing(cells), names[place]))
    return found


def choose(fit: Fit, columns: Any, room: int | None) -> Choice:
    """The columns labelled ``columns``, or by default those with most gaps that ``room`` panels hold.

    Raises ColumnError for a label that the fit lacks, EMImputeError for a fit that was read from a file.
    """
    everything = columns_of(fit)
    if columns is not None:
        places = matching([column.label for column in everything], columns, "columns=")
        return Choice(tuple(everything[place] for place in places), 0)
    with_gaps = [column for column in everything if column.gaps.any()]
    limit = _LIMIT if room is None else room
    most = sorted(with_gaps, key=lambda column: -int(column.gaps.sum()))[:limit]
    return Choice(tuple(sorted(most, key=lambda column: column.place)), len(with_gaps) - len(most))


def matching(labels: Sequence[Any], wanted: Any, what: str) -> list[int]:
    """Places among ``labels`` of one label or of each in a list; a repeated label stands for all its columns.

    Raises ColumnError, which begins with ``what``, for a label that is not there.
    """
    here: dict[Any, list[int]] = {}
    for place, label in enumerate(labels):
        here.setdefault(key(label), []).append(place)
    single = isinstance(wanted, str | bytes | tuple) or not np.iterable(wanted)
    found: list[int] = []
    for label in [wanted] if single else list(wanted):
        try:
            found += here.get(key(label), [])
            there = key(label) in here
        except TypeError:
            there = False
        if not there:
            raise ColumnError(f"{what}: {unknown('column', label, labels)}")
    if not found:
        raise ColumnError(f"{what} is empty, {shown(wanted)}: name a column, or leave it out.")
    return list(dict.fromkeys(found))
