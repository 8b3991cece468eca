"""Amounts that people round: an income of 42 000 may be anything from 41 500 to 42 500.

The latent coordinate is the logarithm of the true amount. A reported number is the interval that is rounded to it: of
a width of 1000 for multiples of 1000, of 100 for other multiples of 100, and so on. EM does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute import ColumnError
from emimpute.kinds import Cells, Coding, Kind
from emimpute.kinds.numbers import Origin, from_numbers, to_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

PLAIN = Origin(0)  # numbers as they are, counted from nothing
FAR = 700.0  # the largest exponent of e that is a float


@dataclass(frozen=True)
class HeapedCoding(Coding):
    """The widths that numbers are rounded to, the largest first."""

    widths: tuple[float, ...]
    kind: ClassVar[str] = "heaped"

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Intervals of logarithms, (n, 1); NaN is a hole."""
        amounts = to_numbers(column, PLAIN)
        if (amounts < 0).any():
            msg = f"Column {column.name!r} holds a negative amount: correct it, or use another kind."
            raise ColumnError(msg)
        width = np.zeros(len(amounts))
        for candidate in sorted(self.widths):
            width[amounts % candidate == 0] = candidate
        low, high = amounts - width / 2, amounts + width / 2
        with np.errstate(divide="ignore"):  # of 0 and what is rounded to it
            return Cells(np.log(np.maximum(low, 0))[:, np.newaxis], np.log(high)[:, np.newaxis])

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:
        """The expected amount, which is above the exponential of the expected logarithm."""
        return self.decode(mean + var[:, :, 0] / 2, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The amount itself: it is the reports that are rounded."""
        return from_numbers(np.exp(np.clip(z[:, 0], -FAR, FAR)), PLAIN, like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Of a log-normal amount."""
        m, v = mean[:, 0], var[:, 0, 0]
        estimate = np.exp(m + v / 2)
        sd = estimate * np.sqrt(np.expm1(v))
        return {"estimate": estimate, "sd": sd, "low": np.exp(m - 1.96 * v**0.5), "high": np.exp(m + 1.96 * v**0.5)}

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd of the amounts."""
        estimate = np.exp(mean[0] + var[0, 0] / 2)
        return f"{estimate:.6g}", f"{estimate * np.expm1(var[0, 0]) ** 0.5:.6g}"

    def to_json(self) -> dict[str, Any]:
        """The widths."""
        return {"widths": list(self.widths)}


@dataclass(frozen=True)
class Heaped(Kind):
    """Amounts that are rounded where they are multiples of 1000, 100 or 1; asked for by name."""

    widths: tuple[float, ...] = (1000, 100, 1)
    name: ClassVar[str] = "heaped"

    def accepts(self, column: pd.Series[Any]) -> bool:  # noqa: ARG002
        """Never by itself: a number does not tell whether it was rounded."""
        return False

    def learn(self, column: pd.Series[Any]) -> HeapedCoding:
        """Nothing but to see that the column holds amounts."""
        coding = HeapedCoding(self.widths)
        coding.encode(column)
        return coding

    def restore(self, learned: Mapping[str, Any]) -> HeapedCoding:
        """From the widths."""
        return HeapedCoding(tuple(learned["widths"]))
