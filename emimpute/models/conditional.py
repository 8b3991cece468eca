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
subtract), so an iteration then costs the same for a thousand rows as for a billion. Rows come in blocks that are made
as they are asked for, so that the sorted table is the only one here that may be as large as the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from emimpute.latent import blocks
from emimpute.normal.small import invert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from emimpute.latent import Patterns

__all__ = ["Chunk", "Conditional", "Rows", "conditionals", "reduced"]

_AT_ONCE = 64  # rows in one call of BLAS
_ROWS = 4096  # of a chunk at most,
_BATCH = 1 << 16, 1 << 18  # and numbers in its small systems: few, so that a chunk's work stays in the cache, ...
_SHARE = 8  # ... and little beside the table, which may have so many times as many; more make fewer calls (measured)


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
    """Rows sorted by number of holes and pattern, each multiplied by the root of its weight."""

    x: np.ndarray  # (R, d), 0 at holes
    centre: np.ndarray  # (R,) how often μ is subtracted: the root of the weight, or 0 for rows of a scatter's factor
    order: np.ndarray  # (R,) row of the table before sorting
    chunks: tuple[Chunk, ...]

    @classmethod
    def sort(cls, table: Iterable[np.ndarray], centre: np.ndarray, found: Patterns, *, precision: bool = True) -> Rows:
        """Plan the work on the rows of ``table`` (R, d), which come in blocks and are of the patterns ``found``.

        Without ``precision`` only in the covariance form.
        """
        order, chunks = _plan(found, centre, precision=precision)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        x, first = np.empty((len(order), found.masks.shape[1])), 0
        for block in table:
            x[place[first : first + len(block)]] = block
            first += len(block)
        return cls(x, centre[order], order, chunks)

    def covariance_form(self, found: Patterns) -> Rows:
        """The same rows, planned for the covariance form alone; ``found`` are their patterns before sorting."""
        centre = np.empty_like(self.centre)
        centre[self.order] = self.centre
        return replace(self, chunks=_plan(found, centre, precision=False)[1])


def _plan(found: Patterns, centre: np.ndarray, *, precision: bool) -> tuple[np.ndarray, tuple[Chunk, ...]]:
    """How to sort rows of some patterns by number of holes and pattern, (R,), and the chunks of sorted rows."""
    by_holes = np.argsort(-found.masks.sum(axis=1), kind="stable")
    rank = np.empty_like(by_holes)
    rank[by_holes] = np.arange(len(by_holes))
    found = replace(found, masks=found.masks[by_holes], of_row=rank[found.of_row])
    order = found.order
    return order, tuple(_chunks(found, centre[order], precision=precision))


def _chunks(found: Patterns, centre: np.ndarray, *, precision: bool) -> Iterator[Chunk]:
    """The chunks of sorted rows, of patterns sorted by holes."""
    d = found.masks.shape[1]
    seen = found.masks.sum(axis=1)
    edges = np.concatenate([[0], np.cumsum(found.counts)])
    batch = min(max(len(found.of_row) * d // _SHARE, _BATCH[0]), _BATCH[1])
    for first, last in pairwise(np.flatnonzero(np.diff(seen, prepend=-1, append=-1))):
        form = bool(precision and d <= 2 * seen[first])
        size = int(d - seen[first] if form else seen[first])
        block = np.nonzero(found.masks[first:last] ^ form)[1].reshape(last - first, size).T
        step = max(1, min(_ROWS, batch // max(size * size, 1)))
        for a in range(int(edges[first]), int(edges[last]), step):
            b = min(a + step, int(edges[last]))
            low, high = int(edges.searchsorted(a, "right")) - 1, int(edges.searchsorted(b))
            of = np.repeat(np.arange(high - low), np.diff(edges[low : high + 1].clip(a, b)))
            weight = np.bincount(of, weights=centre[a:b] ** 2, minlength=high - low)
            small = np.ascontiguousarray(block[:, low - first : high - first])
            yield Chunk(slice(a, b), small, None if high - low == b - a else of, weight, form)


def reduced(
    take: Callable[[np.ndarray], np.ndarray], weights: np.ndarray, found: Patterns
) -> tuple[Iterator[np.ndarray], np.ndarray, Patterns]:
    """Fewer rows with the same statistics, where patterns are few: (blocks, centre, patterns) for ``Rows.sort``.

    ``take(rows)`` makes some of the n rows, 0 at holes; ``weights`` is (n,). A pattern of more than twice as many rows
    as it has observed coordinates becomes its mean, and the triangular factor of the scatter about it.
    """
    root = np.sqrt(weights)
    observed = found.masks.sum(axis=1)
    many = found.counts > 2 * (observed + 1)
    kept, large = np.flatnonzero(~many[found.of_row]), np.flatnonzero(many)
    height = observed[large] + 1
    means = np.zeros(height.sum())
    means[np.cumsum(height) - height] = np.sqrt(np.bincount(found.of_row, weights, len(many))[large])

    def fewer() -> Iterator[np.ndarray]:
        for some in blocks(len(kept), found.masks.shape[1]):
            z = take(kept[some])
            z *= root[kept[some], None]
            yield z
        order, edges = found.order, np.concatenate([[0], np.cumsum(found.counts)])
        for k in large:
            yield _triangle(take, root, order[edges[k] : edges[k + 1]], found.masks[k])

    if not len(large):
        return fewer(), root, found
    of_row = np.concatenate([found.of_row[kept], np.repeat(large, height)])
    return fewer(), np.concatenate([root[kept], means]), replace(found, of_row=of_row)


def _triangle(
    take: Callable[[np.ndarray], np.ndarray], root: np.ndarray, rows: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """The mean of some rows, and a triangular factor of their scatter about it, (observed coordinates + 1, d).

    Both are the triangular factor of the rows bordered by ones, which does not square the condition number.
    """
    factor = np.zeros((0, 1 + int(mask.sum())))
    for some in blocks(len(rows), len(mask)):
        z = take(rows[some])[:, mask]
        bordered = np.concatenate([np.ones((len(z), 1)), z], axis=1) * root[rows[some], None]
        factor = np.asarray(np.linalg.qr(np.concatenate([factor, bordered]), mode="r"))
    out = np.zeros((len(factor), len(mask)))
    out[:, mask] = factor[:, 1:]
    out[0] *= np.sign(factor[0, 0])
    return out


@dataclass(frozen=True, eq=False)
class Conditional:
    """What one chunk's rows are given their observed coordinates."""

    chunk: Chunk
    places: np.ndarray  # (s(s+1)/2, K) flat positions in a d x d matrix of the small systems' lower triangles
    deviations: np.ndarray  # (r, d) rows minus μ (times the root of the weight), holes filled by the conditional mean
    inverse: np.ndarray  # (s, s, K) Ω_mm⁻¹ (precision form) or Σ_oo⁻¹
    logdet: np.ndarray  # (K,) log|Ω_mm| or log|Σ_oo|
    quadratic: float  # Σ d_oᵀ Σ_oo⁻¹ d_o, in the covariance form; 0 in the other, where it is tr(DᵀD Ω)

    def total(self) -> np.ndarray:
        """The inverses, padded by zeros and times the weight of their patterns, summed: (d, d)."""
        d = self.deviations.shape[1]
        if not self.places.size:
            return np.zeros((d, d))
        terms = self.inverse[_lower(len(self.inverse))]
        if not (self.chunk.weight == 1).all():
            terms *= self.chunk.weight
        low: np.ndarray = np.bincount(self.places.ravel(), weights=terms.ravel(), minlength=d * d).reshape(d, d)
        low[np.diag_indices(d)] /= 2
        return np.asarray(low + low.T)


@lru_cache(maxsize=64)
def _lower(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a lower triangle, which is all that a symmetric matrix has to tell."""
    return np.tril_indices(size)


def conditionals(rows: Rows, mean: np.ndarray, cov: np.ndarray, precision: np.ndarray) -> Iterator[Conditional]:
    """Conditional moments chunk by chunk, for mean (d,), covariance (d, d) and its inverse."""
    for chunk in rows.chunks:
        yield _by_precision(rows, chunk, mean, precision) if chunk.precision else _by_covariance(rows, chunk, mean, cov)


def _by_precision(rows: Rows, chunk: Chunk, mean: np.ndarray, precision: np.ndarray) -> Conditional:
    places, inverse, logdet = _inverted(chunk, precision)
    deviations = _deviations(rows.x[chunk.rows], rows.centre[chunk.rows], mean)  # with 0 - μ for a trial fill
    if len(inverse):
        at = _cells(chunk, *deviations.shape)
        slope = _times(deviations, precision).ravel().take(at)
        flat = deviations.ravel()
        filled = flat.take(at)
        filled -= _apply(inverse, slope, chunk.of_row)
        flat[at] = filled
    return Conditional(chunk, places, deviations, inverse, logdet, 0.0)


def _by_covariance(rows: Rows, chunk: Chunk, mean: np.ndarray, cov: np.ndarray) -> Conditional:
    places, inverse, logdet = _inverted(chunk, cov)
    deviations = _deviations(rows.x[chunk.rows], rows.centre[chunk.rows], mean)
    at = _cells(chunk, *deviations.shape)
    seen = deviations.ravel().take(at)
    solved = _apply(inverse, seen, chunk.of_row)
    sparse = np.zeros_like(deviations)
    sparse.ravel()[at] = solved
    filled = _times(sparse, cov)
    filled.ravel()[at] = seen
    return Conditional(chunk, places, filled, inverse, logdet, float((seen * solved).sum()))


def _deviations(x: np.ndarray, centre: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Rows (r, d) minus ``mean`` as often as ``centre`` (r,) says."""
    if not (centre == 1).all():
        return np.asarray(np.multiply.outer(-centre, mean) + x)
    deviations = np.empty(x.shape)
    whole, wide = len(x) - len(x) % _AT_ONCE, _AT_ONCE * len(mean)  # NumPy is slow on rows of few numbers
    if whole:
        means = mean[None].repeat(_AT_ONCE, axis=0).ravel()
        np.subtract(x[:whole].reshape(-1, wide), means, out=deviations[:whole].reshape(-1, wide))
    np.subtract(x[whole:], mean, out=deviations[whole:])
    return deviations


def _inverted(chunk: Chunk, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the small systems stand in a (d, d) matrix, their inverses (s, s, K) and log determinants (K,)."""
    s, patterns = chunk.block.shape
    i, j = _lower(s)
    places = chunk.block[i]
    places *= len(matrix)
    places += chunk.block[j]
    small = np.empty((s, s, patterns))
    small[i, j] = matrix.ravel().take(places)
    return places, *invert(small)


def _cells(chunk: Chunk, r: int, d: int) -> np.ndarray:
    """Flat positions of the small systems' coordinates in a table (r, d), (s, r)."""
    block = chunk.block if chunk.of_row is None else chunk.block.take(chunk.of_row, axis=1)
    return np.asarray(np.arange(r) * d + block)


# A row's bits must not depend on its neighbours: a few of the last would be a visible part of a small conditional sd.


def _times(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(r, d) times (d, d), always so many rows at once: BLAS works on the last ones of an odd number in another way."""
    d, product = len(matrix), np.empty_like(rows)
    whole = len(rows) - len(rows) % _AT_ONCE
    np.matmul(rows[:whole].reshape(-1, _AT_ONCE, d), matrix, out=product[:whole].reshape(-1, _AT_ONCE, d))
    last = np.zeros((_AT_ONCE, d))
    last[: len(rows) - whole] = rows[whole:]
    product[whole:] = (last @ matrix)[: len(rows) - whole]
    return product


def _apply(inverse: np.ndarray, vectors: np.ndarray, of_row: np.ndarray | None) -> np.ndarray:
    """Each row's own system times its vector: (s, s, K), (s, r) -> (s, r)."""
    each = inverse if of_row is None else inverse.take(of_row, axis=2)
    if len(vectors) and vectors.shape[1] == 1:  # whose terms einsum would add in another order
        return np.asarray(np.cumsum(each * vectors, axis=1)[:, -1])
    product: np.ndarray = np.einsum("ijr,jr->ir", each, vectors)
    return product
