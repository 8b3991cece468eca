"""Why a run ended. A stop is a value with a sentence, and only ``CONVERGED`` reads as success."""

from __future__ import annotations

from enum import Enum

__all__ = ["Stop"]


class Stop(Enum):
    """The reason a run ended; its value is the sentence that the user reads."""

    CONVERGED = "EM converged: the estimated distance to the maximum is below tol."
    MAX_ITER = "EM stopped at max_iter before its estimated distance to the maximum fell below tol."
    UNBOUNDED = "The likelihood is unbounded: the covariance matrix runs towards a singular one, and no maximum exists."
    FLAT = "The likelihood is flat: some parameters do not enter it, and many estimates are equally likely."
    STALLED = (
        "EM stopped: no step raises the likelihood any more, yet the estimated distance to the maximum is above tol."
    )
    NOTHING_MISSING = "Nothing to iterate: the estimate has a closed form."

    @property
    def success(self) -> bool:
        """Whether the estimate is the maximiser that was asked for."""
        return self in {Stop.CONVERGED, Stop.NOTHING_MISSING}
