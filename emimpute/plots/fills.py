"""The values that a fit puts into gaps: conditional expectations, draws at the estimate, or given imputations.

Conditional expectations are what :meth:`Fit.impute` fills in. They lie where the regression on the rest of the row
says, so they vary less than observed cells do, by construction; a density of them says little. Draws have the residual
variation too, and are what should look like the observed cells of similar rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError, EMImputeWarning
from emimpute.plots.columns import Column, data_of
from emimpute.plots.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.results.fit import Fit

__all__ = ["Fills", "fills"]


@dataclass(frozen=True, eq=False)
class Fills:
    """What was put into the gaps of some columns, and in which words that is said."""

    cells: dict[int, pd.Series[Any]]  # by the column's place: (imputations × gaps,)
    number: int  # of imputations
    how: str  # "conditional expectations"


def fills(fit: Fit, columns: Sequence[Column], draws: Any, rng: Any) -> Fills:
    """The values in the gaps of ``columns``, one imputation after the other.

    ``draws`` is 0 for conditional expectations, a number of draws at the estimate (seeded by ``rng``), or an
    :class:`~emimpute.Imputations` of the same data. Raises EMImputeError for anything else.
    """
    frames, how = _frames(fit, draws, rng)
    each: dict[int, list[pd.Series[Any]]] = {column.place: [] for column in columns}
    number = 0
    for frame in frames:
        number += 1
        for column in columns:
            each[column.place].append(frame.iloc[np.flatnonzero(column.gaps), column.position].rename(None))
    return Fills({place: pd.concat(parts) for place, parts in each.items()}, number, how)


def _frames(fit: Fit, draws: Any, rng: Any) -> tuple[Iterable[pd.DataFrame], str]:
    data = data_of(fit)
    if hasattr(draws, "original") and hasattr(draws, "fills"):
        original: pd.DataFrame = draws.original
        if original.shape != data.shape or not original.columns.equals(data.columns):
            raise EMImputeError("draws= holds imputations of another frame than this fit's: draw them with fit.draw().")
        if not len(draws):
            raise EMImputeError("draws= holds no imputation: this slice is empty.")
        return draws, f"{count(len(draws), 'imputation')} ({draws.method})"
    if isinstance(draws, bool) or not isinstance(draws, Integral) or draws < 0:
        msg = f"draws= is 0, a number of draws or what fit.draw() gives, and this one is {draws!r}."
        raise EMImputeError(msg)
    if draws == 0:
        return [fit.impute()], "conditional expectations"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EMImputeWarning)  # that no inference be made from such draws; none is made
        return fit.draw(int(draws), method="plugin", rng=rng), f"{count(int(draws), 'draw')} at the estimate"
