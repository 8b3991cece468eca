"""What a kind of column is: the way from a column's cells to latent coordinates, and back.

A cell is an interval of its latent coordinate: ``lower == upper`` is a point, ``(-inf, inf)`` a hole, anything between
an ordinal answer, a bracket or a detection limit. A :class:`Kind` is configuration; what it learns from a column is
returned as a frozen :class:`Coding`, which knows both ways back: :meth:`Coding.decode` turns a drawn latent value into
a legal cell, :meth:`Coding.expect` gives the conditional expectation (for a transformed column the two differ).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_NONE = np.empty(0)
_NONE.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Cells:
    """What the cells of one column say about its k latent coordinates.

    A hole may also be written as NaN in both bounds; where no cell is a proper interval, ``lower`` and ``upper`` may be
    one and the same array, which costs half the memory. A cone (an answer among unordered categories) bounds linear
    combinations of the coordinates: ``lower <= frames[frame] @ z <= upper``, with the coding's own ``frames``.
    """

    lower: np.ndarray  # (n, k)
    upper: np.ndarray  # (n, k)
    frame: np.ndarray | None = None  # (n,) which of the coding's frames the bounds are in; None: in none, but z itself

    @classmethod
    def points(cls, values: np.ndarray) -> Cells:
        """Cells that are known exactly, or (NaN) not at all; ``values`` is (n, k)."""
        return cls(values, values)


class Coding(ABC):
    """What a kind learned from one column. Frozen; holds no rows.

    ``like`` below is the column to be filled: its dtype decides what a legal cell is (an integer column takes integers,
    a category one of its categories, a datetime its unit and zone).
    """

    kind: ClassVar[str]  # the name of the kind that learned this
    uses_variance: ClassVar[bool] = (
        True  # whether `expect` needs `var`; a kind that is its own latent scale saves the work
    )
    width: int = 1  # k, the number of latent coordinates; 0 for a column that needs none

    @property
    def shift(self) -> tuple[float, ...]:
        """What is added to the k latent means when they are reported: the origin that a coding counts from."""
        return (0.0,) * self.width

    @property
    def cuts(self) -> tuple[np.ndarray, ...]:
        """For each of the k coordinates, its increasing cut points: bounds of cells that EM is to estimate.

        Cells are then bounded by these very numbers, which are EM's start; what it finds comes back through
        :meth:`settled`, on a scale on which the coordinate has mean 0 and variance 1. An empty array, as all are by
        default, means that the bounds of this coordinate's cells are known.
        """
        return (_NONE,) * self.width

    def settled(self, cuts: tuple[np.ndarray, ...]) -> Coding:  # noqa: ARG002 (there are none by default)
        """The same coding with the cut points that EM found, shaped as :attr:`cuts`."""
        return self

    @property
    def frames(self) -> np.ndarray:
        """The frames (m, k, k), invertible, that cells may be bounded in; see :class:`Cells`. By default none."""
        return np.empty((0, self.width, self.width))

    @property
    def within(self) -> np.ndarray | None:
        """The covariance (k, k) that the coordinates have by definition, or None where the data decide it."""
        return None

    def labels(self, column: Any) -> tuple[Any, ...]:
        """The labels of the k coordinates of the column labelled ``column``."""
        return (column,) if self.width == 1 else tuple(f"{column}[{i}]" for i in range(self.width))

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd of the column as a summary prints them, from the latent ``mean`` (k,) and ``var`` (k, k).

        Here for a single coordinate on the column's own scale; a column that has several is told by neither.
        """
        if self.width != 1:
            return "", ""
        return f"{mean[0] + self.shift[0]:.6g}", f"{var[0, 0] ** 0.5:.6g}"

    @abstractmethod
    def encode(self, column: pd.Series[Any]) -> Cells:
        """The cells of ``column`` (n,) as latent intervals (n, k). Raises ColumnError for values that have no place."""

    @abstractmethod
    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:
        """Conditional expectations as legal cells: ``mean`` (r, k), ``var`` (r, k, k) -> (r,) of ``like``'s dtype."""

    @abstractmethod
    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """Drawn latent values ``z`` (r, k) as legal cells: array (r,) of ``like``'s dtype."""

    @abstractmethod
    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:
        """Arrays (r,) ``estimate``, ``sd``, ``low``, ``high`` (95 % interval), on the column's scale, not rounded."""

    def probabilities(self, mean: np.ndarray, var: np.ndarray) -> Mapping[Any, np.ndarray] | None:  # noqa: ARG002
        """For a column of categories, the probability (r,) of each, in their order; None for a column of another sort.

        Mean and variance are as in :meth:`expect`.
        """
        return None

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What is needed to make the same coding again by :meth:`Kind.restore`; JSON types only."""


class Kind(ABC):
    """A kind of column. Configuration only: nothing is remembered on ``self``."""

    name: ClassVar[str]

    @abstractmethod
    def accepts(self, column: pd.Series[Any]) -> bool:
        """Whether this kind offers itself for ``column`` when the user did not choose; cheap, and never raises."""

    @abstractmethod
    def learn(self, column: pd.Series[Any]) -> Coding:
        """Learn the coding of ``column``. Raises ColumnError if this kind cannot hold it."""

    @abstractmethod
    def restore(self, learned: Mapping[str, Any]) -> Coding:
        """The coding again, from what its ``to_json`` gave."""
