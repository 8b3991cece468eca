"""An order of rows that is their own: no permutation of rows or columns and no change of units or signs alters it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emimpute.latent import Latent

__all__ = ["own_order"]


def own_order(latent: Latent, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows (n,) of ``latent`` in an order of their own, and what they are sorted by: numbers (n, d), unsorted.

    Every column has a known cell of positive weight. Only rows that these numbers cannot tell apart keep the order they
    came in.
    """
    seen = latent.known
    z = _standard(_scores(latent) if latent.boxed else latent.points, seen, weights)
    return np.lexsort(_marks(z, seen, weights)), z


def _scores(latent: Latent) -> np.ndarray:
    """A number for each cell, (n, d), that equal cells share: the rank of its bounds among those of the column.

    Cells of a cone are told apart by their frame.
    """
    scores = np.zeros(latent.lower.shape)
    turned = np.zeros(latent.lower.shape)
    for cone in latent.cones:
        turned[:, cone.span] = cone.of_row[:, np.newaxis]
    known = latent.known
    for j in np.flatnonzero(known.any(axis=0)):
        own = known[:, j]
        cells = np.stack([latent.lower[own, j], latent.upper[own, j], turned[own, j]], axis=1)
        if (cells[:, 0] == cells[:, 1]).all():
            scores[own, j] = cells[:, 0]
        else:
            scores[own, j] = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
    return scores


def _standard(points: np.ndarray, seen: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The points in standard units, 0 at holes."""
    anchor = points[seen.argmax(axis=0), np.arange(points.shape[1])]
    z = np.where(seen, points - anchor, 0.0)
    total = w @ seen
    z = np.where(seen, z - w @ z / total, 0.0)
    sd = np.sqrt(w @ np.square(z) / total)
    return np.asarray(z / np.where(sd > 0, sd, 1.0))


def _marks(z: np.ndarray, seen: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, ...]:
    """Sort keys of rows, the last first, that no permutation of columns and no change of units or signs alters.

    Rounded, so that rounding errors sort nothing; the very last resort, which tells equal rows from others with equal
    marks, depends on the order of the columns.
    """
    total = w @ seen
    third, fourth = w @ z**3 / total, w @ z**4 / total
    size = np.square(z).sum(axis=1)
    skewed, tailed = (z * third).sum(axis=1), (np.square(z) * fourth).sum(axis=1)
    resort = (z * np.arange(1, z.shape[1] + 1)).sum(axis=1)
    return resort, *(np.round(mark, 9) for mark in (tailed, skewed, size)), seen.sum(axis=1)
