"""The data as EM sees them: intervals of latent coordinates, and which of them are holes.

Each column's :class:`~emimpute.kinds.Cells` are laid side by side into one table of n rows and d coordinates. A
coordinate is *observed* where ``lower == upper``; a hole is NaN in both bounds or ``(-inf, inf)``. Rows with the
same observed coordinates share a *missingness pattern*, and nearly everything EM does is done once per pattern.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Latent", "Patterns", "blocks", "coverage", "patterns"]


class _Cells(Protocol):
    @property
    def lower(self) -> np.ndarray: ...
    @property
    def upper(self) -> np.ndarray: ...
    @property
    def frame(self) -> np.ndarray | None: ...


class _Coding(Protocol):
    @property
    def width(self) -> int: ...
    @property
    def cuts(self) -> tuple[np.ndarray, ...]: ...
    @property
    def frames(self) -> np.ndarray: ...
    @property
    def within(self) -> np.ndarray | None: ...


@dataclass(frozen=True, eq=False)
class Patterns:
    """The distinct rows of a boolean table, and which of them each row is."""

    masks: np.ndarray  # (K, d) bool, True = observed
    of_row: np.ndarray  # (n,) int, row of `masks`

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows of each pattern, (K,)."""
        return np.bincount(self.of_row, minlength=len(self.masks))

    @property
    def order(self) -> np.ndarray:
        """Rows sorted by pattern, (n,)."""
        short = self.of_row.astype(np.min_scalar_type(len(self.masks)))  # up to 16 bits are sorted in linear time
        return np.argsort(short, kind="stable")

    def rows(self, chosen: np.ndarray) -> Patterns:
        """The patterns of some rows."""
        kept, of_row = np.unique(self.of_row[chosen], return_inverse=True)
        return Patterns(self.masks[kept], of_row)


@dataclass(frozen=True, eq=False)
class Cone:
    """A column of cones: a cell says ``lower <= frames[of_row] @ z <= upper`` of the coordinates z of its span."""

    span: slice
    frames: np.ndarray  # (m, k, k)
    of_row: np.ndarray  # (n,)
    within: np.ndarray  # (k, k) the covariance its coordinates have by definition


@dataclass(frozen=True, eq=False)
class Latent:
    """n rows of d latent intervals; ``spans[j]`` are the coordinates of the j-th column."""

    lower: np.ndarray  # (n, d)
    upper: np.ndarray  # (n, d); the same array where no cell is a proper interval
    spans: tuple[slice, ...]
    cuts: tuple[np.ndarray, ...] = ()  # of each coordinate, those of its cells' bounds that are to be estimated
    cones: tuple[Cone, ...] = ()  # the columns whose cells are bounded in frames of their own
    pinned: tuple[int, ...] = ()  # coordinates of mean 0 and variance 1 by definition

    @classmethod
    def stack(cls, cells: Iterable[_Cells], codings: Sequence[_Coding], n: int) -> Latent:
        """Lay the cells of several columns side by side; each has n rows, and as many coordinates as its coding says.

        One column after the other, so that only the cells of one are there twice if they come from a generator.
        """
        edges = np.cumsum([0, *(coding.width for coding in codings)])
        spans = tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
        lower = upper = np.empty((n, edges[-1]), order="F")  # by column, as frames are kept
        cones: list[Cone] = []
        pinned: list[int] = []
        for span, c, coding in zip(spans, cells, codings, strict=True):
            if c.frame is not None:
                within = np.eye(coding.width) if coding.within is None else coding.within
                cones.append(Cone(span, coding.frames, c.frame, within))
            elif coding.within is not None:
                pinned += range(span.start, span.stop)
            if upper is lower and c.upper is not c.lower:
                upper = lower.copy(order="F")
            lower[:, span] = c.lower
            if upper is not lower:
                upper[:, span] = c.upper
        cuts = tuple(cut for coding in codings for cut in coding.cuts)
        return cls(lower, upper, spans, cuts, tuple(cones), tuple(pinned))

    def take(self, rows: np.ndarray | slice) -> Latent:
        """Some of the rows."""
        lower = self.lower[rows]
        upper = lower if self.upper is self.lower else self.upper[rows]
        cones = tuple(replace(cone, of_row=cone.of_row[rows]) for cone in self.cones)
        return replace(self, lower=lower, upper=upper, cones=cones)

    @property
    def observed(self) -> np.ndarray:
        """Which cells are points, (n, d) bool; made anew each time, and soon made."""
        return np.asarray(self.lower == self.upper)

    @property
    def known(self) -> np.ndarray:
        """Which cells are no holes, (n, d) bool: points and proper intervals."""
        if self.upper is self.lower:
            return self.observed
        return np.asarray(~(np.isnan(self.lower) | (np.isneginf(self.lower) & np.isposinf(self.upper))))

    @property
    def boxed(self) -> bool:
        """Whether any cell is a proper interval."""
        return self.upper is not self.lower and bool((self.known & ~self.observed).any())

    @property
    def points(self) -> np.ndarray:
        """The points, (n, d); what stands at other cells means nothing."""
        return self.lower

    @cached_property
    def patterns(self) -> Patterns:
        """The missingness patterns."""
        return patterns(self.observed)


def patterns(observed: np.ndarray) -> Patterns:
    """Distinct rows of a boolean table (n, d), keyed by their packed bits: exact for any d, as no hash is.

    >>> import numpy as np
    >>> p = patterns(np.array([[True, False], [True, True], [True, False]]))
    >>> p.masks.tolist(), p.of_row.tolist()
    ([[True, False], [True, True]], [0, 1, 0])
    """
    n, d = observed.shape
    key, count = np.zeros(n, dtype=np.intp), min(n, 1)
    for first in range(0, d, 64):
        word = np.zeros(n, dtype=np.uint64)
        for column in observed[:, first : first + 64].T:
            word <<= np.uint64(1)
            word |= column
        code, codes = _ranks(word, 1 << min(d - first, 64))
        # refined word by word; the product of two counts of rows fits an int64
        key, count = (code, codes) if not first else _ranks(key * codes + code, count * codes)
    example = np.zeros(count, dtype=np.intp)
    example[key] = np.arange(n)
    return Patterns(observed[example], key)


def _ranks(values: np.ndarray, below: int) -> tuple[np.ndarray, int]:
    """The rank of each value (n,) among the distinct ones, and how many these are; all are integers under ``below``."""
    if below > 4 * len(values):
        distinct, ranks = np.unique(values, return_inverse=True)
        return ranks, len(distinct)
    seen = np.zeros(below, dtype=bool)  # to mark them in a table is shorter than to sort them
    seen[values] = True
    return (np.cumsum(seen) - 1)[values], int(seen.sum())


def coverage(found: Patterns, weights: np.ndarray | None = None) -> np.ndarray:
    """Rows (or their weight) in which two coordinates are observed together, (d, d); its diagonal counts one."""
    count = np.bincount(found.of_row, weights=weights, minlength=len(found.masks)).astype(float)
    d = found.masks.shape[1]
    together = np.zeros((d, d))
    for some in blocks(len(count), d):
        masks = found.masks[some].astype(float)
        together += (masks.T * count[some]) @ masks
    return together


def blocks(n: int, d: int, cells: int = 1 << 16) -> Iterator[slice]:
    """The n rows of a table of d columns, some at a time: about as many as have ``cells`` cells.

    That is few beside the data where these are many, and many beside what a call of NumPy costs.
    """
    step = max(cells // max(d, 1), 4 * d)
    for first in range(0, n, step):
        yield slice(first, min(first + step, n))
