r"""Conditional moments of normal rows given what was observed of them, in whichever form is smaller.

With deviations :math:`d = z - \mu`, precision :math:`\Omega = \Sigma^{-1}`, o the observed and m the missing
coordinates of a row:

- precision form, cost |m|³: for *any* trial fill, :math:`d_m - \Omega_{mm}^{-1} (\Omega d)_m` is the conditional
  mean, and :math:`C = \Omega_{mm}^{-1}` the conditional covariance;
- covariance form, cost |o|³: :math:`\Sigma_{\cdot o} \Sigma_{oo}^{-1} d_o` is the conditional mean of the whole
  row, and :math:`C = \Sigma - \Sigma_{\cdot o} \Sigma_{oo}^{-1} \Sigma_{o\cdot}`.

Either way all rows of a chunk share one matrix product, and what is left is one small system per missingness
pattern, batched over the patterns of a chunk. The precision form loses digits like cond(Σ); above 1e8 only the
covariance form is used.

Patterns with many rows are reduced once: the rows' mean, and a triangular factor of their scatter. To every
function here these are just rows (the mean weighs as many rows as it stands for; rows of the factor have no mean to
subtract), so an iteration then costs the same for a thousand rows as for a billion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.small import invert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emimpute.latent import Patterns

__all__ = ["Chunk", "Conditional", "Rows", "conditionals", "reduced"]

_ROWS = 4096  # of a chunk at most,
_BATCH = 1 << 16  # and numbers in its small systems: both so that a chunk's work stays in the cache (measured)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive rows whose small systems have the same size and form."""

    rows: slice
    block: (
        np.ndarray
    )  # (s, K) coordinates of each pattern's small system: the missing ones, or (covariance form) the observed
    of_row: np.ndarray | None  # (r,) pattern of each row among the K; None where it is the row's own number
    weight: np.ndarray  # (K,) rows of each pattern, or their weight
    precision: bool


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows sorted by form, size of the small system and pattern, each multiplied by the root of its weight."""

    x: np.ndarray  # (R, d), 0 at holes
    centre: (
        np.ndarray
    )  # (R,) how often μ is to be subtracted: the root of the weight, or 0 for a row of a scatter's factor
    order: np.ndarray  # (R,) row of the table before sorting
    chunks: tuple[Chunk, ...]

    @classmethod
    def sort(cls, x: np.ndarray, centre: np.ndarray, found: Patterns, *, precision: bool = True) -> Rows:
        """Plan the work on ``x`` (R, d) with patterns ``found``; without ``precision`` only in the covariance form."""
        d = x.shape[1]
        missing = d - found.masks.sum(axis=1)
        form = (2 * missing <= d) & precision
        size = np.where(form, missing, d - missing)
        by_size = np.lexsort((size, ~form))
        rank = np.empty_like(by_size)
        rank[by_size] = np.arange(len(by_size))
        of_row = rank[found.of_row]
        order = np.argsort(of_row, kind="stable")
        sorted_rank, sorted_centre = of_row[order], centre[order]
        chunks: list[Chunk] = []
        group = np.flatnonzero(np.diff(size[by_size] * 2 + form[by_size], prepend=-1, append=-1))
        for first, last in pairwise(group):
            s, f = int(size[by_size[first]]), bool(form[by_size[first]])
            masks = found.masks[by_size[first:last]]
            block = np.nonzero(~masks if f else masks)[1].reshape(len(masks), s).T
            begin, end = np.searchsorted(sorted_rank, (first, last))
            step = max(1, min(_ROWS, _BATCH // max(s * s, 1)))
            for a in range(int(begin), int(end), step):
                b = min(a + step, int(end))
                local = sorted_rank[a:b] - first
                low, high = int(local[0]), int(local[-1]) + 1
                of = local - low
                weight = np.bincount(of, weights=sorted_centre[a:b] ** 2, minlength=high - low)
                alone = high - low == b - a
                chunks.append(
                    Chunk(slice(a, b), np.ascontiguousarray(block[:, low:high]), None if alone else of, weight, f)
                )
        return cls(np.ascontiguousarray(x[order]), sorted_centre, order, tuple(chunks))

    def covariance_form(self, found: Patterns) -> Rows:
        """The same rows, planned for the covariance form alone."""
        again = Rows.sort(self.x, self.centre, replace(found, of_row=found.of_row[self.order]), precision=False)
        return replace(again, order=self.order[again.order])


def reduced(x: np.ndarray, weights: np.ndarray, found: Patterns) -> tuple[np.ndarray, np.ndarray, Patterns]:
    """Rows with the statistics of ``x`` (n, d), fewer where patterns are few: (x, centre, patterns) for ``Rows.sort``.

    A pattern of more than twice as many rows as it has observed coordinates becomes its mean, and the triangular
    factor of the scatter about it (by QR of the rows themselves, which does not square the condition number).
    """
    root = np.sqrt(weights)
    many = found.counts > 2 * (found.masks.sum(axis=1) + 1)
    if not many.any():
        return x * root[:, None] if (weights != 1).any() else x, root, found
    order = np.argsort(found.of_row, kind="stable")
    edges = np.concatenate([[0], np.cumsum(found.counts)])
    kept = np.flatnonzero(~many[found.of_row])
    parts, centres, of_rows = [x[kept] * root[kept, None]], [root[kept]], [found.of_row[kept]]
    for k in np.flatnonzero(many):
        rows = order[edges[k] : edges[k + 1]]
        seen = np.flatnonzero(found.masks[k])
        w, z = weights[rows], x[np.ix_(rows, seen)]
        total = w.sum()
        mean = w @ z / total
        z -= mean
        z *= root[rows, None]
        factor = np.linalg.qr(z, mode="r") if len(seen) else np.zeros((0, 0))
        part = np.zeros((1 + len(factor), x.shape[1]))
        part[0, seen] = np.sqrt(total) * mean
        part[1:, seen] = factor
        parts.append(part)
        centre = np.zeros(len(part))
        centre[0] = np.sqrt(total)
        centres.append(centre)
        of_rows.append(np.full(len(part), k))
    return np.concatenate(parts), np.concatenate(centres), replace(found, of_row=np.concatenate(of_rows))


@dataclass(frozen=True, eq=False)
class Conditional:
    """What one chunk's rows are given their observed coordinates."""

    chunk: Chunk
    pairs: np.ndarray  # (s, s, K) flat positions of the small systems in a d x d matrix
    deviations: np.ndarray  # (r, d) rows minus μ (times the root of the weight), holes filled by the conditional mean
    inverse: np.ndarray  # (s, s, K) Ω_mm⁻¹ (precision form) or Σ_oo⁻¹
    logdet: np.ndarray  # (K,) log|Ω_mm| or log|Σ_oo|
    quadratic: float  # Σ d_oᵀ Σ_oo⁻¹ d_o, in the covariance form; 0 in the other, where it is tr(DᵀD Ω)


def conditionals(rows: Rows, mean: np.ndarray, cov: np.ndarray, precision: np.ndarray) -> Iterator[Conditional]:
    """Conditional moments chunk by chunk, for mean (d,), covariance (d, d) and its inverse."""
    for chunk in rows.chunks:
        d = len(mean)
        pairs = chunk.block[:, None, :] * d + chunk.block[None, :, :]
        deviations = rows.x[chunk.rows] - rows.centre[chunk.rows, None] * mean
        if chunk.precision:
            inverse, logdet = invert(precision.ravel()[pairs])
            if len(chunk.block):
                block = chunk.block if chunk.of_row is None else chunk.block[:, chunk.of_row]
                at = np.arange(len(deviations)) * d + block
                slope = (deviations @ precision).ravel()[at]
                deviations.ravel()[at] -= _apply(inverse, slope, chunk.of_row)
            yield Conditional(chunk, pairs, deviations, inverse, logdet, 0.0)
        else:
            inverse, logdet = invert(cov.ravel()[pairs])
            block = chunk.block if chunk.of_row is None else chunk.block[:, chunk.of_row]
            at = np.arange(len(deviations)) * d + block
            seen = deviations.ravel()[at]
            solved = _apply(inverse, seen, chunk.of_row)
            sparse = np.zeros_like(deviations)
            sparse.ravel()[at] = solved
            filled = sparse @ cov
            filled.ravel()[at] = seen
            yield Conditional(chunk, pairs, filled, inverse, logdet, float((seen * solved).sum()))


def _apply(inverse: np.ndarray, vectors: np.ndarray, of_row: np.ndarray | None) -> np.ndarray:
    """Each row's own system times its vector: (s, s, K), (s, r) -> (s, r)."""
    each = inverse if of_row is None else inverse[:, :, of_row]
    product: np.ndarray = np.einsum("ijr,jr->ir", each, vectors)
    return product
