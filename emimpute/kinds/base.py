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

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Cells:
    """What the cells of one column say about its k latent coordinates.

    A hole may also be written as NaN in both bounds; where no cell is a proper interval, ``lower`` and ``upper`` may be
    one and the same array, which costs half the memory.
    """

    lower: np.ndarray  # (n, k)
    upper: np.ndarray  # (n, k)

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

    def labels(self, column: Any) -> tuple[Any, ...]:
        """The labels of the k coordinates of the column labelled ``column``."""
        return (column,) if self.width == 1 else tuple(f"{column}[{i}]" for i in range(self.width))

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
