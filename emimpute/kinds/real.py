"""Numbers as they are: one latent coordinate, which is the number itself, counted from a round one near them.

Nothing is transformed, so drawing and expecting go back the same way; what makes a cell legal (whole numbers, True and
False, a unit of time) is left to :func:`emimpute.kinds.numbers.from_numbers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.numbers import Origin, from_numbers, is_numeric, landmark_of, summary, to_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["Real", "RealCoding"]


@dataclass(frozen=True)
class RealCoding(Coding):
    """A number is its distance from the origin, in the unit of the column it was learned from."""

    origin: Origin
    kind: ClassVar[str] = "real"
    uses_variance: ClassVar[bool] = False

    @property
    def shift(self) -> tuple[float, ...]:
        """The origin: a number, or the ticks of a clock since its epoch."""
        return (float(self.origin.value),)

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Points (n, 1), NaN for holes. ColumnError: numbers of another family, text, infinities."""
        return Cells.points(to_numbers(column, self.origin)[:, np.newaxis])

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:  # noqa: ARG002 (the mean is enough)
        """The legal cells nearest to ``mean`` (r, 1)."""
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The legal cells nearest to ``z`` (r, 1)."""
        return from_numbers(z[:, 0], self.origin, like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:
        """Estimate, sd and 95 % interval; floats, or Timestamps and Timedeltas, or periods."""
        return summary(mean[:, 0], np.sqrt(var[:, 0, 0]), self.origin, like)

    def to_json(self) -> dict[str, Any]:
        """The origin."""
        return self.origin.to_json()


class Real(Kind):
    """Numbers, booleans, dates and times, and ordered categories of numbers."""

    name: ClassVar[str] = "real"

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Every column of numbers, unless its numbers are only codes (unordered categories)."""
        return is_numeric(column)

    def learn(self, column: pd.Series[Any]) -> RealCoding:
        """Only the origin. ColumnError: text, nothing observed, infinities, complex numbers."""
        return RealCoding(landmark_of(column))

    def restore(self, learned: Mapping[str, Any]) -> RealCoding:
        """From the origin."""
        return RealCoding(Origin.from_json(learned))
