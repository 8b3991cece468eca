"""Several starts, as values and as a table: where each run ended, and how far that is from what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from emimpute.em import Stop
from emimpute.results.trace import frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from emimpute.em import Iterate
    from emimpute.em.starts import Agreement

__all__ = ["Start", "starts", "table"]


class Start(NamedTuple):
    """How the run from one start ended."""

    loglik: float
    logpost: float
    stop: Stop
    n_iter: int
    distance: float
    kept: bool


def starts(ends: Sequence[Iterate], agreement: Agreement | None) -> tuple[Start, ...]:
    """One for each run, by their last iterates ``ends``; a single run agrees with itself."""
    kept, distances = (0, (0.0,)) if agreement is None else (agreement.kept, agreement.distances)
    return tuple(
        Start(
            loglik=float(end.loglik),
            logpost=float(end.logpost),
            stop=end.stop or Stop.MAX_ITER,
            n_iter=int(end.esteps),
            distance=float(distance),
            kept=number == kept,
        )
        for number, (end, distance) in enumerate(zip(ends, distances, strict=True))
    )


def table(runs: Sequence[Start]) -> pd.DataFrame:
    """A row for each start, indexed from 0, the usual one.

    Its columns are log-likelihood and log posterior where the run ended, why it ended (a ``Stop``), its E-steps, the
    distance of its end from the end that was kept (in the unit of ``tol``; infinite where none can be told), and
    whether it is the one that was kept.
    """
    return frame(runs, Start._fields, "start", {"stop": "object", "n_iter": "int64", "kept": "bool"})
