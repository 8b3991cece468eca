"""Kind `censored`: numbers measured between detection limits.

At or below the lower limit, and at or above the upper one, a number is only known to lie there; all others are known
exactly. The latent coordinate is the number itself, as it would have been without limits, and that is what a gap is
filled with. Observed cells stay as they are, those at a limit too.

Tobin 1958, https://doi.org/10.2307/1907382.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.errors import ColumnError, EMImputeError, shown
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.numbers import Origin, from_numbers, landmark_of, summary, to_numbers
from emimpute.kinds.printing import printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["Censored", "CensoredCoding"]


@dataclass(frozen=True)
class CensoredCoding(Coding):
    """Numbers counted from an origin, and the limits (None: no limit on that side)."""

    origin: Origin
    low: float | None
    high: float | None
    kind: ClassVar[str] = "censored"
    uses_variance: ClassVar[bool] = False

    @property
    def shift(self) -> tuple[float, ...]:
        """The origin."""
        return (float(self.origin.value),)

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Points, half-lines beyond the limits, or holes: (n, 1). ColumnError: no numbers, infinities."""
        numbers = to_numbers(column, self.origin)[:, np.newaxis]
        lower = upper = numbers
        if self.low is not None and (numbers <= (limit := self._counted(self.low))).any():
            below = numbers <= limit
            lower, upper = np.where(below, -np.inf, lower), np.where(below, limit, upper)
        if self.high is not None and (numbers >= (limit := self._counted(self.high))).any():
            above = numbers >= limit
            lower, upper = np.where(above, limit, lower), np.where(above, np.inf, upper)
        return Cells(lower, upper)

    def _counted(self, limit: float) -> float:
        return float(limit - self.origin.value)

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:  # noqa: ARG002 (the mean is enough)
        """The legal cells nearest to ``mean`` (r, 1)."""
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The legal cells nearest to ``z`` (r, 1), which may lie beyond the limits."""
        return from_numbers(z[:, 0], self.origin, like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:
        """Estimate, sd and 95 % interval, as floats."""
        return summary(mean[:, 0], np.sqrt(var[:, 0, 0]), self.origin, like)

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd, those that the numbers have without limits."""
        return printed(float(mean[0]), float(var[0, 0]) ** 0.5, self.origin)

    def to_json(self) -> dict[str, Any]:
        """Origin and limits."""
        return {"origin": self.origin.to_json(), "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Censored(Kind):
    """Numbers with detection limits, which are declared: ``Censored(low=0.5)``.

    Parameters
    ----------
    low, high
        The limits, on the column's scale. Cells at or below ``low`` are only known to lie there, and likewise those at
        or above ``high``. At least one is needed to use the kind.

    Raises
    ------
    EMImputeError
        For limits that are no finite numbers, or of which ``low`` is not below ``high``.
    """

    low: float | None = None
    high: float | None = None
    name: ClassVar[str] = "censored"

    def __post_init__(self) -> None:
        """Check the limits, and keep them as plain numbers."""
        for side in ("low", "high"):
            limit = getattr(self, side)
            if limit is None:
                continue
            limit = limit.item() if isinstance(limit, np.generic) else limit
            if isinstance(limit, bool) or not isinstance(limit, int | float) or not np.isfinite(float(limit)):
                raise EMImputeError(f"Censored({side}=...) is a finite number, not {limit!r}.")
            object.__setattr__(self, side, limit)
        if self.low is not None and self.high is not None and self.low >= self.high:
            msg = f"Censored(low={self.low!r}, high={self.high!r}): the lower limit must be below the upper one."
            raise EMImputeError(msg)

    def accepts(self, column: pd.Series[Any]) -> bool:  # noqa: ARG002 (only on request: no column tells its limits)
        """Never by itself."""
        return False

    def learn(self, column: pd.Series[Any]) -> CensoredCoding:
        """The origin. ColumnError: no limit given, no numbers, infinities, or all cells beyond the same limit."""
        if self.low is None and self.high is None:
            msg = (
                f"Column {shown(column.name)} was declared censored without a limit: give one, as "
                f"kinds={{{shown(column.name)}: Censored(low=0.5)}}."
            )
            raise ColumnError(msg)
        origin = landmark_of(column)
        if origin.family != "number":
            msg = (
                f"Column {shown(column.name)} holds times, which kind 'censored' does not take: convert it to numbers."
            )
            raise ColumnError(msg)
        coding = CensoredCoding(origin, self.low, self.high)
        cells = coding.encode(column)
        known = ~np.isnan(cells.lower)
        for ends, side, limit in ((cells.lower, "below", self.low), (cells.upper, "above", self.high)):
            if np.isinf(ends[known]).all():
                msg = (
                    f"Column {shown(column.name)} has all its values at or {side} the limit {limit!r}: "
                    "nothing tells how far they spread. Correct the limit, or leave the column out."
                )
                raise ColumnError(msg)
        return coding

    def restore(self, learned: Mapping[str, Any]) -> CensoredCoding:
        """From origin and limits."""
        return CensoredCoding(Origin.from_json(learned["origin"]), learned["low"], learned["high"])
