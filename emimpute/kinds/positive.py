"""Numbers above zero: incomes, concentrations, waiting times. Their logarithm is normal.

What is filled in is the conditional expectation on the data's own scale, exp(μ + σ²/2), not exp(μ), which is the
median: with σ = 1 that is 39 % too low. The logarithm is taken relative to a round number near the data, so that values
that differ in their tenth digit only still differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.errors import ColumnError, shown
from emimpute.kinds.base import Kind
from emimpute.kinds.legal import outermost
from emimpute.kinds.numbers import WORDS, Origin, landmark_of, numbers_in
from emimpute.kinds.transformed import TransformedCoding, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from emimpute.kinds.base import Cells

__all__ = ["Positive", "PositiveCoding"]

_LARGEST = 690.0  # exp of it, times or plus another such, is still a float


@dataclass(frozen=True)
class PositiveCoding(TransformedCoding):
    """z = log x, counted from the logarithm of the origin where the origin is above zero."""

    origin: Origin
    kind: ClassVar[str] = "positive"

    @property
    def shift(self) -> tuple[float, ...]:
        """The logarithm of the origin, so that means are reported as those of log x."""
        return (float(np.log(self._unit)),)

    @property
    def _unit(self) -> float:
        return float(self.origin.value or 1)

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Points (n, 1), NaN for holes. ColumnError: zeros, numbers below zero, and as for numbers in general."""
        view = numbers_in(column, self.origin)
        low = ~view.missing & (
            np.asarray(view.values, dtype=object) <= 0 if view.values.dtype.kind == "O" else view.values <= 0
        )
        if low.any():
            msg = (
                "but kind 'positive' takes numbers above zero only: make them missing, or use kind 'skewed' or 'real'."
            )
            raise refused(column, low, msg)
        return super().encode(column)

    def there(self, numbers: np.ndarray) -> np.ndarray:
        """The logarithm; from the origin by log1p, so that the exact difference counts."""
        return np.asarray(np.log1p(numbers / self._unit) if self.origin.value else np.log(numbers))

    def back(self, z: np.ndarray) -> np.ndarray:
        """The exponential, less the origin."""
        most = _LARGEST - np.log(self._unit)
        kept = np.minimum(z, most)
        return np.asarray(np.expm1(kept) * self._unit if self.origin.value else np.exp(kept))

    def moments(self, mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the log-normal law: exp(μ + σ²/2), and exp(μ + σ²/2) times the root of exp(σ²) - 1."""
        most = _LARGEST - np.log(self._unit)
        sd = self._unit * np.exp(np.minimum(mean + var, most)) * np.sqrt(-np.expm1(-var))
        return self.back(mean + var / 2), sd

    def limits(self, like: pd.Series[Any]) -> tuple[float, float]:
        """Nothing but what lies above zero: 1 in a column of integers."""
        return outermost(like, self.origin, -float(self.origin.value))

    def to_json(self) -> dict[str, Any]:
        """The origin."""
        return self.origin.to_json()


class Positive(Kind):
    """Numbers or time differences above zero, whose logarithm is normal; by choice only."""

    name: ClassVar[str] = "positive"

    def accepts(self, column: pd.Series[Any]) -> bool:  # noqa: ARG002
        """No column of its own accord: numbers are real unless the user says so."""
        return False

    def learn(self, column: pd.Series[Any]) -> PositiveCoding:
        """Only an origin. ColumnError: zeros or numbers below, text, dates, nothing observed, infinities."""
        origin = landmark_of(column)
        if origin.family not in {"number", "timedelta"}:
            held = WORDS[origin.family]
            msg = f"Column {shown(column.name)} holds {held}, which have no logarithm: use kind 'datetime'."
            raise ColumnError(msg)
        coding = PositiveCoding(origin if origin.value > 0 else replace(origin, value=0))
        coding.encode(column)
        return coding

    def restore(self, learned: Mapping[str, Any]) -> PositiveCoding:
        """From the origin."""
        return PositiveCoding(Origin.from_json(learned))
