"""Holes filled by their conditional law, given the parameters: expectations, variances, or draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.conditional import Conditional, Rows, conditionals
from emimpute.models.fill import fill

if TYPE_CHECKING:
    from emimpute.latent import Latent

__all__ = ["complete"]

_ILL = 1e8  # condition number above which the precision form is left


def complete(
    mean: np.ndarray, cov: np.ndarray, latent: Latent, *, variance: bool = False, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, list[np.ndarray] | None]:
    """The table (n, d) with every hole filled, and on request each column's conditional covariances, 0 where observed.

    The latter are (n, k, k) for each of the table's spans of k coordinates.

    Holes are filled by the conditional expectation, or with ``rng`` by a draw: one normal deviate for each cell of
    the table in its order, so a cell's draw depends on its place and its row, not on how the work was divided.
    """
    if latent.boxed or any(span.stop - span.start > 1 for span in latent.spans):
        return fill(mean, cov, latent, variance=variance, rng=rng)
    filled, spread = _points(mean, cov, latent, variance=variance, rng=rng)
    return filled, None if spread is None else [spread[:, span, None] for span in latent.spans]


def _points(
    mean: np.ndarray, cov: np.ndarray, latent: Latent, *, variance: bool, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Where every cell is a point or a hole, and every column one coordinate; variances (n, d)."""
    scale = np.sqrt(np.diag(cov))
    correlation = cov / np.outer(scale, scale)
    observed = latent.observed
    noise = None if rng is None else rng.standard_normal(observed.shape)
    filled = np.zeros(observed.shape)
    np.copyto(filled, latent.points, where=observed)
    spread = np.zeros_like(filled) if variance else None
    holes = np.flatnonzero(~observed.all(axis=1))
    if not len(holes):
        return filled, spread
    z = (filled[holes] - mean) / scale
    z[~observed[holes]] = 0.0
    values, vectors = np.linalg.eigh(correlation)
    well = bool(values[-1] < _ILL * values[0])
    rows = Rows.sort([z], np.ones(len(holes)), latent.patterns.rows(holes), precision=well)
    inverse = (vectors / values) @ vectors.T
    for c in conditionals(rows, np.zeros(len(mean)), correlation, inverse):
        table_rows = holes[rows.order[c.chunk.rows]]
        if noise is not None or spread is not None:
            missing = np.nonzero(~observed[table_rows])[1].reshape(len(table_rows), -1)
            law = _covariances(c, correlation)
            of_row = slice(None) if c.chunk.of_row is None else c.chunk.of_row
            each = table_rows[:, None], missing
            if noise is not None:
                root = np.linalg.cholesky(law)[of_row]
                c.deviations[np.arange(len(missing))[:, None], missing] += np.einsum("rij,rj->ri", root, noise[each])
            if spread is not None:
                spread[each] = np.diagonal(law, axis1=1, axis2=2)[of_row] * np.square(scale)[missing]
        filled[table_rows] = c.deviations * scale + mean
    np.copyto(filled, latent.points, where=observed)  # the very values, not rounded on the way here and back
    return filled, spread


def _covariances(c: Conditional, cov: np.ndarray) -> np.ndarray:
    """Conditional covariance of the missing coordinates of each pattern of a chunk, (K, m, m)."""
    if c.chunk.precision:
        return np.moveaxis(c.inverse, 2, 0)
    d = len(cov)
    seen = np.zeros((c.chunk.block.shape[1], d), dtype=bool)
    np.put_along_axis(seen, c.chunk.block.T, True, axis=1)
    missing = np.nonzero(~seen)[1].reshape(len(seen), -1)
    across = cov[missing[:, :, None], c.chunk.block.T[:, None, :]]
    own = cov[missing[:, :, None], missing[:, None, :]]
    explained = across @ np.moveaxis(c.inverse, 2, 0) @ np.swapaxes(across, 1, 2)
    return np.asarray(own - explained)
