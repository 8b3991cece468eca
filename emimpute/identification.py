"""What the data cannot determine, seen before fitting: counts and comparisons only, no estimate.

A covariance that no row bears on does not enter the likelihood, which is then *flat* in it. Too few rows make it
*unbounded*. Other exact linear dependencies show only in the fit itself, as a covariance matrix that runs towards a
singular one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emimpute.latent import coverage, patterns

if TYPE_CHECKING:
    from emimpute.latent import Latent, Patterns

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
    edge: bool = False  # the likelihood has a bound, which it comes to where the covariance matrix is singular


def examine(latent: Latent) -> list[Finding]:
    """Everything that can be said of ``latent`` before it is fitted."""
    observed = latent.known
    found_in = latent.patterns if not latent.boxed else patterns(observed)
    n, d = int(observed.any(axis=1).sum()), observed.shape[1]
    found = []
    if n <= d:
        found.append(Finding("fewer rows than columns", tuple(range(d)), unbounded=True))
    elif _too_few_together(found_in):
        found.append(Finding("too few rows together", tuple(range(d)), unbounded=True))
    together = coverage(found_in)
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
        if i != j and _still(latent, i, j):
            still.append(Finding("no variation together", (int(i), int(j)), flat=True))
    same = [Finding("duplicates", pair, unbounded=True) for pair in _duplicates(latent, together)]
    same += [Finding("perfectly associated", pair, edge=True) for pair in _same_answers(latent)]
    return found + never + still + same


def _still(latent: Latent, i: int, j: int) -> bool:
    """Whether coordinate j is one and the same cell in all rows that have i, both known."""
    rows = latent.known[:, i]
    for cone in latent.cones:
        if cone.span.start <= j < cone.span.stop:
            return not cone.span.start <= i < cone.span.stop and len(np.unique(cone.of_row[rows])) == 1
    return bool(len(np.unique(latent.lower[rows, j])) == 1 and len(np.unique(latent.upper[rows, j])) == 1)


def _too_few_together(found: Patterns) -> bool:
    """Whether some columns are complete in a few rows only, in a table that has few rows for its columns.

    Where a set of columns is complete in no more rows than it has columns, a hyperplane goes through these rows, and
    the likelihood grows without bound as the variance across it shrinks. In a table of many rows this is no more than a
    spike beside the maximum that everyone means (a planned design has one at every row); where columns have
    fewer observed cells than twice their number, that maximum is not worth much, or not there.
    """
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
    exact = (latent.known == observed).all(axis=0)
    pairs = []
    for i in range(z.shape[1]):
        for j in range(i):
            if together[i, j] < 3 or not (exact[i] and exact[j]):
                continue
            both = np.flatnonzero(observed[:, i] & observed[:, j]) if together[i, j] < _COMPARED else None
            few = both if both is not None else _first(observed[:, i] & observed[:, j])
            if _same(z[few, j], z[few, i]):
                every = np.flatnonzero(observed[:, i] & observed[:, j])
                if _same(z[every, j], z[every, i]):
                    pairs.append((j, i))
    return pairs


def _same_answers(latent: Latent) -> list[tuple[int, int]]:
    """Pairs of coordinates between cut points, of which each cell of one goes with one of the other, up or down.

    To put the one latent value in the place of the other (or its negative) raises the probability of every row that has
    both, so their correlation is estimated as 1 (or -1). A table of two columns with an empty cell is no such case: for
    these two alone 1 is the estimate, but other columns may speak against it, and often do (measured).
    """
    codes = {j: np.searchsorted(own, latent.lower[:, j], side="right") for j, own in enumerate(latent.cuts) if len(own)}
    known, pairs = latent.known, []
    for j in codes:
        for i in codes:
            if i >= j:
                break
            both = _first(known[:, i] & known[:, j])
            if _one_to_one(codes[i][both], codes[j][both]):
                both = np.flatnonzero(known[:, i] & known[:, j])
                if len(both) > 2 and _one_to_one(codes[i][both], codes[j][both]):
                    pairs.append((i, j))
    return pairs


def _one_to_one(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the codes y are a strictly monotone function of x, and not all the same."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    rise, other = np.diff(x) > 0, np.diff(y)
    return bool(rise.any() and (other[~rise] == 0).all() and ((other[rise] > 0).all() or (other[rise] < 0).all()))


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


def null_space(cov: np.ndarray, below: float, *, part: float = 1e-3) -> list[tuple[int, ...]]:
    """Coordinates of each linear combination whose variance, after scaling to correlations, is below ``below``.

    They have at least this ``part`` in it, relative to the largest. The vectors of the (near) null space are brought to
    echelon form, so that separate dependencies are told apart.
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
    return [tuple(int(i) for i in np.flatnonzero(np.abs(vector) > part)) for vector in basis]
