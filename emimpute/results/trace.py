"""The history of a run as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emimpute.em import Iterate

__all__ = ["COLUMNS", "trace"]

COLUMNS = ["loglik", "logpost", "step", "remaining", "rate", "esteps", "accelerated"]


def trace(iterates: Iterable[Iterate]) -> pd.DataFrame:
    """A row for each iterate, indexed from 0.

    Its columns are the log-likelihood and the log posterior, the step that led there and the estimated remaining
    distance (both in the unit of ``tol``), the largest fraction of missing information met so far, the E-steps so far,
    and whether the step was an accelerated one.
    """
    history = list(iterates)
    kinds = {"esteps": "int64", "accelerated": "bool"}
    columns = {name: np.array([getattr(i, name) for i in history], kinds.get(name, "float64")) for name in COLUMNS}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(history), name="iterate"))
