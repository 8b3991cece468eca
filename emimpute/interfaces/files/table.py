"""What every file gives, whatever its format: a frame for the model, and its own content to put the fills into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emimpute.errors import unknown
from emimpute.interfaces.files.formats import TableError
from emimpute.kinds.reading import missing

__all__ = ["Reading", "Table", "indexed"]


@dataclass(frozen=True)
class Reading:
    """How to read; all but ``index`` concern text only."""

    missing: tuple[str, ...] = ()  # fields that mean a missing cell, besides MISSING
    sep: str | None = None  # what parts the fields, if not what the ending says
    encoding: str = "utf-8"
    index: str | None = None  # the column that only labels the rows
    numbers: frozenset[str] = frozenset()  # columns whose integers with leading zeros are numbers, not codes


@dataclass(frozen=True, eq=False)
class Table:
    """A file's content; ``columns[j]`` is the place in the file of the frame's j-th column (the index is none)."""

    frame: pd.DataFrame
    columns: tuple[int, ...]

    @property
    def where(self) -> pd.DataFrame | None:
        """False where a gap of the frame must stay; None where the file knows of none."""
        return None

    def text(self, done: pd.DataFrame, sep: str) -> bytes:
        """``done`` as delimited text; the index is written unless it only numbers the rows."""
        index = done.index
        plain = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None
        text: str = done.to_csv(sep=sep, index=not plain, lineterminator="\n")
        return text.encode()

    def arrow(self, done: pd.DataFrame, pa: Any) -> Any:
        """``done`` as a pyarrow Table."""
        return pa.Table.from_pandas(done)

    def survey(self, done: pd.DataFrame, draft: Path) -> None:  # noqa: ARG002
        """Write ``done`` as a survey file. Raises TableError: there are no labels and levels to write."""
        msg = f"only a survey file can be completed as {draft.suffix}: choose .csv, .parquet, or what the input is"
        raise TableError(msg)

    def filled(self, done: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
        """For each column of the frame with cells that ``done`` filled: its position and those rows' positions."""
        for j in range(self.frame.shape[1]):
            rows = np.flatnonzero(missing(self.frame.iloc[:, j]) & ~missing(done.iloc[:, j]))
            if rows.size:
                yield j, rows


def indexed(frame: pd.DataFrame, places: Iterable[int], index: str | None) -> tuple[pd.DataFrame, tuple[int, ...]]:
    """Make the column ``index`` the row labels; also returned: the places in the file of the columns that stay."""
    kept = list(places)
    if index is None:
        return frame, tuple(kept)
    names = [str(label) for label in frame.columns]
    if index not in names:
        raise TableError(unknown("column", index, names))
    j = names.index(index)
    labels = pd.Index(frame.iloc[:, j], name=frame.columns[j] if index else None)
    del kept[j]
    frame = frame.iloc[:, [i for i in range(len(names)) if i != j]]
    return frame.set_axis(labels, axis=0), tuple(kept)
