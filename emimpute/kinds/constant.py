"""A column with one value only: nothing to learn, and its holes are that value.

It takes no latent coordinate, so a constant never makes a covariance matrix singular.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.errors import ColumnError
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.numbers import Origin, from_numbers, numbers_in, numeric, origin_of, summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from emimpute.kinds.reading import View

__all__ = ["Constant", "ConstantCoding"]


@dataclass(frozen=True)
class ConstantCoding(Coding):
    """The constant itself."""

    value: Origin
    kind: ClassVar[str] = "constant"
    uses_variance: ClassVar[bool] = False
    width = 0

    def encode(self, column: pd.Series[Any]) -> Cells:
        """No coordinates, (n, 0). ColumnError as for numbers: another family, text, infinities."""
        numbers_in(column, self.value)
        return Cells.points(np.empty((len(column), 0)))

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:  # noqa: ARG002
        """The constant, once for every row of ``mean`` (r, 0)."""
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The constant, once for every row of ``z`` (r, 0); where ``like`` has it observed, the very cell repeated."""
        view = numbers_in(like, self.value)
        if _is_constant(view) and origin_of(like) == self.value:
            cell = np.full(len(z), int(np.argmin(view.missing)))
            return like.iloc[cell].array if not isinstance(like.dtype, np.dtype) else like.to_numpy()[cell]
        return from_numbers(np.zeros(len(z)), self.value, like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """The constant, without uncertainty."""
        sure = np.zeros(len(mean))
        return summary(sure, sure, self.value, like)

    def to_json(self) -> dict[str, Any]:
        """The constant."""
        return self.value.to_json()


class Constant(Kind):
    """Columns of numbers in which one value only is observed; holes get that value."""

    name: ClassVar[str] = "constant"

    def accepts(self, column: pd.Series[Any]) -> bool:
        """A column of numbers with one distinct observed value."""
        return _is_constant(numeric(column))

    def learn(self, column: pd.Series[Any]) -> ConstantCoding:
        """The constant. ColumnError: text, nothing observed, several values, infinities, complex numbers."""
        value, view = origin_of(column), numbers_in(column)
        if not _is_constant(view):
            other = view.observed[np.argmax(view.observed != view.observed[0])]
            msg = (
                f"column {column.name!r} holds several values ({value.value} and {other}, for example): "
                "kind 'constant' needs one; use kind 'real'"
            )
            raise ColumnError(msg)
        return ConstantCoding(value)

    def restore(self, learned: Mapping[str, Any]) -> ConstantCoding:
        """From the constant."""
        return ConstantCoding(Origin.from_json(learned))


def _is_constant(view: View | None) -> bool:
    if view is None:
        return False
    seen = view.observed
    return seen.size > 0 and bool((seen == seen[0]).all())
