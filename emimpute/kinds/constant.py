"""A column with one value only: nothing to learn, and its holes are that value.

It takes no latent coordinate, so a constant never makes a covariance matrix singular.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.errors import ColumnError, shown
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.levels import Levels, observed_labels
from emimpute.kinds.numbers import Origin, from_numbers, numbers_in, numeric, origin_of, summary
from emimpute.kinds.printing import printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from emimpute.kinds.reading import View

__all__ = ["Constant", "ConstantCoding", "ConstantLabelCoding"]


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

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:  # noqa: ARG002
        """The constant; it has no spread."""
        return printed(0.0, 0.0, self.value)[0], ""

    def to_json(self) -> dict[str, Any]:
        """The constant."""
        return self.value.to_json()


@dataclass(frozen=True)
class ConstantLabelCoding(Coding):
    """The constant of a column that holds no numbers: a category, a text, a bracket."""

    value: Levels  # the one
    kind: ClassVar[str] = "constant"
    uses_variance: ClassVar[bool] = False
    width = 0

    def encode(self, column: pd.Series[Any]) -> Cells:
        """No coordinates, (n, 0)."""
        return Cells.points(np.empty((len(column), 0)))

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:  # noqa: ARG002
        """The constant, once for every row of ``mean`` (r, 0)."""
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The constant, once for every row of ``z`` (r, 0). ColumnError where ``like``'s dtype cannot hold it."""
        return self.value.write(np.zeros(len(z), dtype=np.intp), like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """The constant, without uncertainty."""
        same = self.value.shown(np.zeros(len(mean), dtype=np.intp))
        return {"estimate": same, "sd": np.zeros(len(mean)), "low": same, "high": same}

    def probabilities(self, mean: np.ndarray, var: np.ndarray) -> Mapping[Any, np.ndarray]:  # noqa: ARG002
        """The constant, with certainty."""
        return {self.value.labels[0]: np.ones(len(mean))}

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:  # noqa: ARG002
        """The constant; it has no spread."""
        return str(self.value.labels[0]), ""

    def to_json(self) -> dict[str, Any]:
        """The constant."""
        return {"label": self.value.to_json()}


class Constant(Kind):
    """Columns in which one value only is observed; holes get that value."""

    name: ClassVar[str] = "constant"

    def accepts(self, column: pd.Series[Any]) -> bool:
        """A column with one distinct observed value, of whatever sort."""
        view = numeric(column)
        return _is_constant(view) if view is not None else len(observed_labels(column, 1) or ()) == 1

    def learn(self, column: pd.Series[Any]) -> ConstantCoding | ConstantLabelCoding:
        """The constant. ColumnError: nothing observed, several values, infinities, complex numbers."""
        if numeric(column) is None and (labels := observed_labels(column, len(column))):
            if len(labels) > 1:
                raise ColumnError(_several(column, labels[0], labels[1], "nominal"))
            return ConstantLabelCoding(Levels(labels))
        value, view = origin_of(column), numbers_in(column)
        if not _is_constant(view):
            other = view.observed[np.argmax(view.observed != view.observed[0])]
            raise ColumnError(_several(column, value.value, other, "real"))
        return ConstantCoding(value)

    def restore(self, learned: Mapping[str, Any]) -> ConstantCoding | ConstantLabelCoding:
        """From the constant."""
        if "label" in learned:
            return ConstantLabelCoding(Levels.from_json(learned["label"]))
        return ConstantCoding(Origin.from_json(learned))


def _several(column: pd.Series[Any], one: object, other: object, kind: str) -> str:
    return (
        f"Column {shown(column.name)} holds several values ({shown(one)} and {shown(other)}, for example): "
        f"kind 'constant' needs one; use kind {kind!r}."
    )


def _is_constant(view: View | None) -> bool:
    if view is None:
        return False
    seen = view.observed
    return seen.size > 0 and bool((seen == seen[0]).all())
