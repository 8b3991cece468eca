"""The data as EM sees them: intervals of latent coordinates, and which of them are holes.

Each column's :class:`~emimpute.kinds.Cells` are laid side by side into one table of n rows and d coordinates. A
coordinate is *observed* where ``lower == upper``; a hole is NaN in both bounds or ``(-inf, inf)``. Rows with the
same observed coordinates share a *missingness pattern*, and nearly everything EM does is done once per pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Latent", "Patterns", "coverage", "patterns"]


class _Cells(Protocol):
    @property
    def lower(self) -> np.ndarray: ...
    @property
    def upper(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Patterns:
    """The distinct rows of a boolean table, and which of them each row is."""

    masks: np.ndarray  # (K, d) bool, True = observed
    of_row: np.ndarray  # (n,) int, row of `masks`

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows of each pattern, (K,)."""
        return np.bincount(self.of_row, minlength=len(self.masks))

    def rows(self, chosen: np.ndarray) -> Patterns:
        """The patterns of some rows."""
        kept, of_row = np.unique(self.of_row[chosen], return_inverse=True)
        return Patterns(self.masks[kept], of_row)


@dataclass(frozen=True, eq=False)
class Latent:
    """n rows of d latent intervals; ``spans[j]`` are the coordinates of the j-th column."""

    lower: np.ndarray  # (n, d)
    upper: np.ndarray  # (n, d); the same array where no cell is a proper interval
    spans: tuple[slice, ...]

    @classmethod
    def stack(cls, cells: Sequence[_Cells], n: int) -> Latent:
        """Lay the cells of several columns side by side; each has n rows."""
        edges = np.cumsum([0, *(c.lower.shape[1] for c in cells)])
        lower = np.empty((n, edges[-1]))
        exact = all(c.lower is c.upper for c in cells)
        upper = lower if exact else np.empty_like(lower)
        spans = tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
        for span, c in zip(spans, cells, strict=True):
            lower[:, span] = c.lower
            if not exact:
                upper[:, span] = c.upper
        return cls(lower, upper, spans)

    def take(self, rows: np.ndarray) -> Latent:
        """Some of the rows."""
        lower = self.lower[rows]
        return Latent(lower, lower if self.upper is self.lower else self.upper[rows], self.spans)

    @cached_property
    def observed(self) -> np.ndarray:
        """Which cells are points, (n, d) bool."""
        return np.asarray(self.lower == self.upper)

    @property
    def points(self) -> np.ndarray:
        """The points, (n, d); what stands at other cells means nothing."""
        return self.lower

    @cached_property
    def patterns(self) -> Patterns:
        """The missingness patterns."""
        return patterns(self.observed)


def patterns(observed: np.ndarray) -> Patterns:
    """Distinct rows of a boolean table (n, d), keyed by their packed bytes: exact for any d, as no hash is.

    >>> import numpy as np
    >>> p = patterns(np.array([[True, False], [True, True], [True, False]]))
    >>> p.masks.tolist(), p.of_row.tolist()
    ([[True, False], [True, True]], [0, 1, 0])
    """
    n, d = observed.shape
    if not d:
        return Patterns(np.ones((min(n, 1), 0), dtype=bool), np.zeros(n, dtype=np.intp))
    packed = np.zeros((n, -(-d // 64) * 8), dtype=np.uint8)
    packed[:, : -(-d // 8)] = np.packbits(observed, axis=1)
    words = packed.view(">u8").astype(np.uint64)  # big-endian, so that words sort as the rows they stand for
    key = np.unique(words[:, 0], return_inverse=True)[1]
    for word in words.T[1:]:  # refine by the next 64 columns; the product of two counts of rows fits an int64
        values, code = np.unique(word, return_inverse=True)
        key = np.unique(key * len(values) + code, return_inverse=True)[1]
    first = np.unique(key, return_index=True)[1]
    return Patterns(observed[first], key)


def coverage(found: Patterns, weights: np.ndarray | None = None) -> np.ndarray:
    """Rows (or their weight) in which two coordinates are observed together, (d, d); its diagonal counts one."""
    count = np.bincount(found.of_row, weights=weights, minlength=len(found.masks)).astype(float)
    masks = found.masks.astype(float)
    together: np.ndarray = masks.T @ (count[:, None] * masks)
    return together
