"""Holes filled by their conditional law where other cells of the row are intervals, or a column has more coordinates.

Draws first place the row's intervals inside their box, by sweeps of a Gibbs sampler (Geweke 1991) from EP's mean, and
then draw the holes given them. Every cell has deviates of its own, by its place in the table, so a cell's draw depends
on its row and place and not on how the work was divided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.boxes import BoxRows, box, given
from emimpute.normal.truncated import draw

if TYPE_CHECKING:
    from emimpute.latent import Cone, Latent
    from emimpute.models.boxes import Given

__all__ = ["fill"]

_SWEEPS = 30


def fill(
    mean: np.ndarray, cov: np.ndarray, latent: Latent, *, variance: bool = False, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, list[np.ndarray] | None]:
    """As :func:`emimpute.models.complete.complete`, for any latent table (n, d)."""
    known, point = latent.known, latent.observed
    n, d = known.shape
    scale, origin = np.sqrt(np.diag(cov)), mean.copy()
    for cone in latent.cones:  # whose frames are linear: they stay what they are in coordinates that are not moved
        scale[cone.span], origin[cone.span] = 1.0, 0.0
    lower = (np.where(known, latent.lower, -np.inf) - origin) / scale
    upper = (np.where(known, latent.upper, np.inf) - origin) / scale
    centre, correlation = (mean - origin) / scale, cov / np.outer(scale, scale)
    filled = np.zeros((n, d))
    np.copyto(filled, latent.points, where=point)
    spread = [np.zeros((n, s.stop - s.start, s.stop - s.start)) for s in latent.spans] if variance else None
    deviates = None if rng is None else rng.standard_normal((n, d, 1 + _SWEEPS))
    holes = np.flatnonzero(~known.all(axis=1))
    if not len(holes):
        return filled, spread
    lower, upper, hidden = lower[holes], upper[holes], ~known[holes]
    table = BoxRows.sort(lower, point[holes], known[holes], [_of(cone, holes) for cone in latent.cones])
    for g in given(table, lower, upper, centre, correlation):
        rows = holes[g.piece.rows]
        z = g.deviations if deviates is None else _drawn(g, lower, upper, centre, deviates[rows])
        values = filled[rows]
        np.copyto(values, (z + centre) * scale + origin, where=hidden[g.piece.rows])
        filled[rows] = values
        if spread is not None:
            full = np.zeros((len(rows), d + 1, d + 1))
            full[np.arange(len(rows))[:, None, None], g.piece.free[:, :, None], g.piece.free[:, None, :]] = g.cov
            for out, span in zip(spread, latent.spans, strict=True):
                out[rows] = full[:, span, span] * np.outer(scale[span], scale[span])
    return filled, spread


def _of(cone: Cone, rows: np.ndarray) -> Cone:
    return replace(cone, of_row=cone.of_row[rows])


def _drawn(g: Given, lower: np.ndarray, upper: np.ndarray, mean: np.ndarray, deviates: np.ndarray) -> np.ndarray:
    """Deviations (r, d) of a piece's rows, drawn, from their deviates (r, d, 1 + sweeps)."""
    piece = g.piece
    r, d = g.deviations.shape
    k = piece.inside.shape[1]
    at = np.arange(r)[:, None], np.minimum(piece.free, d - 1)
    mine = deviates[at]  # (r, u, 1 + sweeps)
    a, v = g.before
    if k and g.boxed is not None:
        z = _inside(g.boxed.mean, box(piece, lower, upper, mean, g.before), _uniforms(mine[:, :k, 1:]))
        if piece.frames is not None:
            z = (piece.frames[1] @ z[:, :, None])[:, :, 0]
        z = z - np.concatenate([mean, [0.0]])[piece.inside]
        gain = v[:, k:, :k] @ np.linalg.inv(v[:, :k, :k])
        free = a[:, k:] + (gain @ (z - a[:, :k])[:, :, None])[:, :, 0]
        rest = v[:, k:, k:] - gain @ v[:, :k, k:]
    else:
        z, free, rest = np.zeros((r, 0)), a, v
    free = free + (np.linalg.cholesky(rest) @ mine[:, k:, :1])[:, :, 0]
    out = np.concatenate([g.deviations, np.zeros((r, 1))], axis=1)
    out[np.arange(r)[:, None], piece.free] = np.concatenate([z, free], axis=1)
    return out[:, :d]


def _inside(
    begin: np.ndarray, law: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], uniforms: np.ndarray
) -> np.ndarray:
    """Draws (r, k) from the box of ``law``, after as many sweeps as there are ``uniforms`` (r, k, sweeps)."""
    low, high, centre, around = law
    precision = np.linalg.inv(around)
    x = np.clip(begin, low, high) - centre
    low, high = low - centre, high - centre
    for sweep in range(uniforms.shape[2]):
        for i in range(x.shape[1]):
            own = precision[:, i, i]
            mean = x[:, i] - (precision[:, i] * x).sum(axis=1) / own
            root = np.sqrt(own)
            x[:, i] = mean + draw((low[:, i] - mean) * root, (high[:, i] - mean) * root, uniforms[:, i, sweep]) / root
    return np.asarray(x + centre)


def _uniforms(deviates: np.ndarray) -> np.ndarray:
    """Uniforms from normal deviates."""
    from scipy.special import ndtr  # noqa: PLC0415 (importing emimpute stays light)

    return np.asarray(ndtr(deviates))
