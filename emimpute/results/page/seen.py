"""What a page looks at: a fit, and if it is known, what was missing and what was filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute._frames import check
from emimpute.errors import EMImputeError
from emimpute.kinds.reading import missing
from emimpute.results.labels import name

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from emimpute.results.fit import Fit

__all__ = ["Rows", "Seen", "look"]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that were fitted, in the columns of the model, before and after; m columns."""

    before: pd.DataFrame  # (n, m)
    after: pd.DataFrame  # (n, m)
    gaps: np.ndarray  # (n, m) bool
    left: np.ndarray  # (n, m) bool: gaps that are gaps still
    others: dict[int, int]  # missing cells of the frame's columns that took no part, by position
    labels: pd.Index[Any]  # of the whole frame

    @property
    def filled(self) -> np.ndarray:
        """Which cells were filled, (n, m) bool."""
        return np.asarray(self.gaps & ~self.left)


@dataclass(frozen=True, eq=False)
class Seen:
    """A fit; its rows, if it has any; what stands in the gaps, as :func:`~emimpute.results.methods.methods` knows it.

    ``say`` puts a sentence of the package into the words of who reads the page.
    """

    fit: Fit
    rows: Rows | None
    how: str
    say: Callable[[str], str]

    @property
    def names(self) -> list[str]:
        """The columns of the model, as they are shown."""
        return [name(label) for label in self.fit.law.table.labels]


def look(fit: Fit, done: pd.DataFrame | None, how: str, say: Callable[[str], str]) -> Seen:
    """Look at ``fit`` and the completed frame ``done``, by default what the fit itself fills in.

    Raises EMImputeError for a frame of other rows or row labels, ColumnError for one that lacks columns of the model.
    """
    if fit.data is None:
        return Seen(fit, None, how, say)
    data, table = fit.data, fit.law.table
    places = table.match(data)
    done = fit.impute() if done is None else check(done)
    if len(done) != len(data):
        msg = f"done= has {len(done)} rows, and the fit was made from {len(data)}: pass the completed frame itself."
        raise EMImputeError(msg)
    if not done.index.equals(data.index):
        raise EMImputeError("done= has other row labels than the fitted frame, or in another order: pass it as it was.")
    before, after = data.iloc[:, places], done.iloc[:, table.match(done)]
    gaps = _missing(before)
    others = {i: int(missing(data.iloc[:, i]).sum()) for i in range(data.shape[1]) if i not in set(places)}
    return Seen(fit, Rows(before, after, gaps, gaps & _missing(after), others, data.columns), how, say)


def _missing(frame: pd.DataFrame) -> np.ndarray:
    table = np.zeros(frame.shape, dtype=bool)
    for i in range(frame.shape[1]):
        table[:, i] = missing(frame.iloc[:, i])
    return table
