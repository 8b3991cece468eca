"""Why a run ended. A stop is a value with a sentence, and only ``CONVERGED`` reads as success."""

from __future__ import annotations

from enum import Enum

__all__ = ["Stop"]


class Stop(Enum):
    """The reason a run ended; its value is the sentence that the user reads.

    The loop itself can tell only that a covariance matrix runs towards a singular one (``UNBOUNDED``). Whoever knows
    the data tells it apart from ``SINGULAR``, and knows ``TOO_FEW_ROWS`` and most of what is ``FLAT`` before any run;
    ``SEVERAL_MAXIMA`` shows only in several runs.
    """

    CONVERGED = "EM converged: the estimated distance to the maximum is below tol."
    MAX_ITER = "EM stopped at max_iter before its estimated distance to the maximum fell below tol."
    UNBOUNDED = "The likelihood keeps rising towards a singular covariance matrix, and no proper maximum exists."
    SINGULAR = "The likelihood is bounded, but its rise leads to a singular covariance matrix, not to a maximum."
    TOO_FEW_ROWS = "There are no more rows than columns, so the likelihood is unbounded, and no maximum exists."
    FLAT = "The likelihood is flat: some parameters do not enter it, and many estimates are equally likely."
    SEVERAL_MAXIMA = "Estimates that are far apart are equally likely: starts ended at several maxima of one height."
    STALLED = (
        "EM stopped: no step raises the likelihood any more, yet the estimated distance to the maximum is above tol."
    )
    NOTHING_MISSING = "Nothing to iterate: the estimate has a closed form."

    @property
    def success(self) -> bool:
        """Whether the estimate is the maximiser that was asked for."""
        return self in {Stop.CONVERGED, Stop.NOTHING_MISSING}

    @property
    def problem(self) -> str:
        """What ``fit.problems`` calls it."""
        return self.name.lower().replace("_", " ")
