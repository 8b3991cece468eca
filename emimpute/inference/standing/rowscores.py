r"""The score of each row: the gradient of its own log-likelihood in the mean, the covariance and the cut points.

With u = Σ_oo⁻¹(z_o - μ_o) and P = Σ_oo⁻¹, both padded by zeros, a row of points has the score u in μ and ½(uuᵀ - P) in
Σ. A row with intervals has, by Fisher's identity, the expectation of what its complete data would have: ΩE(z - μ) and
½Ω(E(z - μ)(z - μ)ᵀ - Σ)Ω. Off the diagonal a covariance stands twice in Σ, so its score is doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.inference.standing.places import triangle
from emimpute.models.boxes import given
from emimpute.models.conditional import Conditional, Rows, conditionals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emimpute.latent import Patterns
    from emimpute.models.mixed import MixedProblem
    from emimpute.models.mvn import CutNormal, Normal

__all__ = ["of_boxes", "of_points", "padded"]

_ILL = 1e8  # condition number above which the precision form is left


def of_points(z: np.ndarray, found: Patterns, params: Normal) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores (r, d + d(d+1)/2) of the rows z (n, d), 0 at holes, some rows (r,) at a time.

    The order is that of :func:`emimpute.inference.standing.places.parameters`; the units are those of ``params``.
    """
    precision = np.linalg.inv(params.cov)
    table = Rows.sort([z], np.ones(len(z)), found, precision=bool(np.linalg.cond(params.cov) < _ILL))
    for c in conditionals(table, params.mean, params.cov, precision):
        u = c.deviations @ precision
        p = padded(c, precision)
        each = p if c.chunk.of_row is None else p[c.chunk.of_row]
        yield table.order[c.chunk.rows], np.concatenate([u, _vech((u[:, :, None] * u[:, None, :] - each) / 2)], axis=1)


def padded(c: Conditional, precision: np.ndarray) -> np.ndarray:
    """Σ_oo⁻¹ of a chunk's K patterns, padded by zeros, (K, d, d)."""
    d, block = len(precision), c.chunk.block.T
    patterns, inverse = len(block), np.moveaxis(c.inverse, 2, 0)
    if c.chunk.precision:
        rows = precision[block]  # (K, m, d)
        inner: np.ndarray = precision - rows.swapaxes(1, 2) @ inverse @ rows
        at = np.arange(patterns)[:, None], block
        inner[at] = 0.0  # to the last bit
        inner.swapaxes(1, 2)[at] = 0.0
        return inner
    out = np.zeros((patterns, d, d))
    out[np.arange(patterns)[:, None, None], block[:, :, None], block[:, None, :]] = inverse
    return out


def of_boxes(problem: MixedProblem, params: CutNormal) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same of the problem's rows, some of whose cells are intervals; scores of the c cut points come last."""
    d = len(params.mean)
    precision = np.linalg.inv(params.cov)
    lower, upper = problem.cuts.bounds(params.cuts, problem.lower, problem.upper)
    for g in given(problem.table, lower, upper, params.mean, params.cov):
        rows, free, r = g.piece.rows, g.piece.free, len(g.deviations)
        second = np.zeros((r, d + 1, d + 1))
        second[np.arange(r)[:, None, None], free[:, :, None], free[:, None, :]] = g.cov
        second = second[:, :d, :d] + g.deviations[:, :, None] * g.deviations[:, None, :] - params.cov
        of_cuts = np.zeros((r, len(params.cuts)))
        if g.boxed is not None and len(params.cuts):
            of_cuts = problem.cuts.spread(rows, g.piece.inside, g.boxed.lower, g.boxed.upper)
        slope = _vech(precision @ second @ precision / 2)
        yield rows, np.concatenate([g.deviations @ precision, slope, of_cuts], axis=1)


def _vech(slopes: np.ndarray) -> np.ndarray:
    """Derivatives in the lower triangle (r, d(d+1)/2) from symmetric ones (r, d, d) in the whole matrix."""
    row, column = triangle(slopes.shape[1])
    lower: np.ndarray = slopes[:, row, column] * np.where(row == column, 1.0, 2.0)
    return lower
