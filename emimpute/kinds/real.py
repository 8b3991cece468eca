"""Numbers as they are: one latent coordinate, which is the number itself, counted from a round one near them.

Nothing is transformed, so drawing and expecting go back the same way; what makes a cell legal (whole numbers, a unit of
time) is left to :func:`emimpute.kinds.numbers.from_numbers`. Booleans and ordered categories of numbers can be taken so
too, when that is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, shown
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.levels import holds_booleans
from emimpute.kinds.numbers import WORDS, Origin, from_numbers, landmark_of, numeric, summary, to_numbers
from emimpute.kinds.printing import printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.kinds.reading import Family

__all__ = ["Real", "RealCoding"]


_KINDS = {"number": "real", "datetime": "datetime", "zoned": "datetime", "period": "datetime", "timedelta": "timedelta"}


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

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd; of datetimes as a moment and a length of time."""
        return printed(float(mean[0]), float(var[0, 0]) ** 0.5, self.origin)

    def to_json(self) -> dict[str, Any]:
        """The origin."""
        return self.origin.to_json()


class Real(Kind):
    """Numbers."""

    name: ClassVar[str] = "real"
    families: ClassVar[tuple[Family, ...]] = ("number",)  # of columns of these
    coding: ClassVar[type[RealCoding]] = RealCoding

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Every column of numbers, unless these are only the names of categories."""
        if isinstance(column.dtype, pd.CategoricalDtype):
            return False
        view = numeric(column)
        return view is not None and view.family in self.families and not holds_booleans(column)

    def learn(self, column: pd.Series[Any]) -> RealCoding:
        """Only the origin. ColumnError: of another family, text, nothing observed, infinities, complex numbers."""
        origin = landmark_of(column)
        if origin.family not in self.families:
            msg = (
                f"Column {shown(column.name)} holds {WORDS[origin.family]}, which kind {self.name!r} does not take: "
                f"use kind {_KINDS[origin.family]!r}."
            )
            raise ColumnError(msg)
        return self.coding(origin)

    def restore(self, learned: Mapping[str, Any]) -> RealCoding:
        """From the origin."""
        return self.coding(Origin.from_json(learned))
