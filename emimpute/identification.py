"""What the data cannot determine, seen before fitting: counts and comparisons only, no estimate.

A covariance that no row bears on does not enter the likelihood, which is then *flat* in it. Too few rows make it
*unbounded*. Other exact linear dependencies show only in the fit itself, as a covariance matrix that runs towards a
singular one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emimpute.latent import coverage

if TYPE_CHECKING:
    from emimpute.latent import Latent

__all__ = ["Finding", "examine", "null_space"]

_THIN = 10  # rows observed together below which a pair is noted
_PATTERNS = 4096  # above which they are not compared in pairs; a table of so many is not short of rows
_COMPARED = 64  # rows on which two columns are compared before all of them are


@dataclass(frozen=True)
class Finding:
    """One thing seen: its name, the coordinates concerned, and what it does to the likelihood."""

    name: str
    coordinates: tuple[int, ...]
    flat: bool = False
    unbounded: bool = False


def examine(latent: Latent) -> list[Finding]:
    """Everything that can be said of ``latent`` before it is fitted."""
    observed = latent.observed
    n, d = int(observed.any(axis=1).sum()), observed.shape[1]
    found = []
    if n <= d:
        found.append(Finding("fewer rows than columns", tuple(range(d)), unbounded=True))
    elif _too_few_together(latent):
        found.append(Finding("too few rows together", tuple(range(d)), unbounded=True))
    together = coverage(latent.patterns)
    never, still = [], []
    for i, j in zip(*np.triu_indices(d, 1), strict=True):
        if not together[i, j]:
            never.append(Finding("never observed together", (int(i), int(j)), flat=True))
        elif together[i, j] < min(_THIN, n):
            found.append(Finding("thin pair", (int(i), int(j))))
    for i, j in np.argwhere(
        (together == np.diag(together)[:, None]) & (together > 0) & (np.diag(together) < n)[:, None]
    ):
        # Every row that has i has j too: the rows tell nothing of how i goes with j if j stands still in them.
        if i != j and np.ptp(latent.points[observed[:, i], j]) == 0:
            still.append(Finding("no variation together", (int(i), int(j)), flat=True))
    return (
        found + never + still + [Finding("duplicates", pair, unbounded=True) for pair in _duplicates(latent, together)]
    )


def _too_few_together(latent: Latent) -> bool:
    """Whether some columns are complete in a few rows only, in a table that has few rows for its columns.

    Where a set of columns is complete in no more rows than it has columns, a hyperplane goes through these rows, and
    the likelihood grows without bound as the variance across it shrinks. In a table of many rows this is no more than a
    spike beside the maximum that everyone means (a planned design has one at every row); where columns have
    fewer observed cells than twice their number, that maximum is not worth much, or not there.
    """
    found = latent.patterns
    d = found.masks.shape[1]
    if not d or np.median(found.counts @ found.masks) >= 2 * d or len(found.masks) > _PATTERNS:
        return False
    masks = found.masks.astype(float)
    size = masks.sum(axis=1)
    complete = (masks @ masks.T == size).T @ found.counts  # rows that have all that a pattern has
    return bool(((complete <= size) & (size > 1)).any())


def _duplicates(latent: Latent, together: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of coordinates that are the same but for origin and unit where both are observed (three rows or more)."""
    z, observed = latent.points, latent.observed
    pairs = []
    for i in range(z.shape[1]):
        for j in range(i):
            if together[i, j] < 3:
                continue
            both = np.flatnonzero(observed[:, i] & observed[:, j]) if together[i, j] < _COMPARED else None
            few = both if both is not None else _first(observed[:, i] & observed[:, j])
            if _same(z[few, j], z[few, i]):
                every = np.flatnonzero(observed[:, i] & observed[:, j])
                if _same(z[every, j], z[every, i]):
                    pairs.append((j, i))
    return pairs


def _first(both: np.ndarray) -> np.ndarray:
    """The first rows where both are observed, without a look at the rest where that is enough."""
    head = np.flatnonzero(both[: 4 * _COMPARED])[:_COMPARED]
    return head if len(head) == _COMPARED else np.flatnonzero(both)[:_COMPARED]


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    x, y = x - x[0], y - y[0]
    far = int(np.abs(x).argmax())
    if x[far] == 0 or not y.any():
        return False
    return bool(np.abs(y - x * (y[far] / x[far])).max() <= 1e-12 * np.abs(y).max())


def null_space(cov: np.ndarray, below: float) -> list[tuple[int, ...]]:
    """Coordinates of each linear combination whose variance, after scaling to correlations, is below ``below``.

    The vectors of the (near) null space are brought to echelon form, so that separate dependencies are told apart.
    """
    sd = np.sqrt(np.maximum(np.diag(cov), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(cov / np.outer(sd, sd))
    basis = vectors[:, values < below].T.copy()
    free = np.ones(basis.shape[1], dtype=bool)
    for row in range(len(basis)):
        tail = np.where(free, np.abs(basis[row:]), 0)
        best, pivot = np.unravel_index(int(tail.argmax()), tail.shape)
        basis[[row, row + int(best)]] = basis[[row + int(best), row]]
        basis[row] /= basis[row, pivot]
        others = np.arange(len(basis)) != row
        basis[others] -= np.outer(basis[others, pivot], basis[row])
        free[pivot] = False
    return [tuple(int(i) for i in np.flatnonzero(np.abs(vector) > 1e-3)) for vector in basis]
