"""The history of a run, as values and as a table.

A fit keeps the values; the table is made when someone looks, for it costs more than many a small fit's iterate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emimpute.em import Iterate

__all__ = ["Step", "frame", "steps", "trace"]


class Step(NamedTuple):
    """What is kept of an iterate."""

    loglik: float
    logpost: float
    step: float
    remaining: float
    rate: float
    esteps: int
    accelerated: bool


def steps(iterates: Iterable[Iterate]) -> tuple[Step, ...]:
    """A step for each iterate, in Python's own numbers, which JSON knows."""
    return tuple(
        Step(
            loglik=float(i.loglik),
            logpost=float(i.logpost),
            step=float(i.step),
            remaining=float(i.remaining),
            rate=float(i.rate),
            esteps=int(i.esteps),
            accelerated=bool(i.accelerated),
        )
        for i in iterates
    )


def trace(history: Sequence[Step]) -> pd.DataFrame:
    """A row for each step, indexed from 0.

    Its columns are the log-likelihood and the log posterior, the step that led there and the estimated remaining
    distance (both in the unit of ``tol``), the largest fraction of missing information met so far, the E-steps so far,
    and whether the step was an accelerated one.
    """
    return frame(history, Step._fields, "iterate", {"esteps": "int64", "accelerated": "bool"})


def frame(rows: Sequence[Any], fields: Sequence[str], index: str, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Rows of values as a table with the columns ``fields``, of floats but for those in ``dtypes``."""
    columns = {
        name: np.array([row[place] for row in rows], dtype=dtypes.get(name, "float64"))
        for place, name in enumerate(fields)
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows), name=index))
