r"""Small tables of points and holes: all missingness patterns at once, in a few calls of NumPy.

On a table of some hundred rows what the E-step and a draw cost is the number of calls, not the arithmetic. With
:math:`Q_k` the inverse of Σ over what pattern k has observed, zero elsewhere, and :math:`B_k = \Sigma Q_k`,

- the expectation of a row's deviations from μ is :math:`B_k (z - \mu)`, holes at 0, and its covariance
  :math:`\Sigma - B_k \Sigma`;
- a draw is :math:`u + B_k (z - \mu - u)` with u ~ N(0, Σ), for its observed cells are then those of the row (Matheron's
  rule; Hoffman & Ribak 1991, https://doi.org/10.1086/186160).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emimpute.latent import blocks, patterns

__all__ = ["ByPattern", "Sums", "precisions", "solved"]

_ARITHMETIC = 1 << 20  # K d³ at most
_NUMBERS = 1 << 18  # n d² at most


@dataclass(frozen=True, eq=False)
class Sums:
    """The rows of each pattern: their weight, sum and sum of products, 0 at holes."""

    count: np.ndarray  # (K,)
    first: np.ndarray  # (K, d)
    second: np.ndarray  # (K, d, d)


@dataclass(frozen=True, eq=False)
class ByPattern:
    """n rows of d points and holes."""

    z: np.ndarray  # (n, d), 0 at holes
    observed: np.ndarray  # (n, d) bool
    masks: np.ndarray  # (K, d) bool, the patterns of some rows
    of_row: np.ndarray  # (n,)
    order: np.ndarray  # (n,) rows by pattern
    edges: np.ndarray  # (K,) where each pattern begins among these

    @classmethod
    def of(cls, z: np.ndarray, observed: np.ndarray) -> ByPattern | None:
        """The table ``z`` (n, d), or None where it is so large, or its patterns so many, that other ways are faster."""
        n, d = z.shape
        if not n or n * d * d > _NUMBERS:
            return None
        found = patterns(observed)
        if len(found.masks) * d**3 > _ARITHMETIC:
            return None
        order = found.order
        edges = np.searchsorted(found.of_row[order], np.arange(len(found.masks)))
        return cls(np.where(observed, z, 0.0), observed, found.masks, found.of_row, order, edges)

    def draw(self, mean: np.ndarray, cov: np.ndarray, deviates: np.ndarray) -> np.ndarray:
        """The table with its holes drawn, (n, d), from normal ``deviates`` (n, d)."""
        noise = deviates @ np.linalg.cholesky(cov).T
        gap = np.where(self.observed, self.z - mean - noise, 0.0)
        filled = mean + noise + solved(gap, precisions(self.masks, cov), self.of_row) @ cov
        return np.where(self.observed, self.z, filled)

    def sums(self, weights: np.ndarray) -> Sums:
        """Of the rows with these ``weights`` (n,)."""
        z, w = self.z[self.order], weights[self.order]
        weighted = z * w[:, None]
        products = weighted[:, :, None] * z[:, None, :]
        return Sums(*(np.add.reduceat(each, self.edges, axis=0) for each in (w, weighted, products)))

    def step(self, sums: Sums, mean: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (d,) and scatter about it (d, d) of the expected complete data: an E-step."""
        onto = cov @ precisions(self.masks, cov)  # (K, d, d)
        at = np.where(self.masks, mean, 0.0)
        across = sums.first[:, :, None] * at[:, None, :]
        seen = sums.second - across - across.swapaxes(1, 2)
        seen += sums.count[:, None, None] * at[:, :, None] * at[:, None, :]
        away = sums.first - sums.count[:, None] * at
        total = sums.count.sum()
        shift = np.matmul(onto, away[:, :, None])[:, :, 0].sum(axis=0) / total
        second = (onto @ seen @ onto.swapaxes(1, 2)).sum(axis=0)
        second += total * cov - np.tensordot(sums.count, onto, 1) @ cov - total * np.outer(shift, shift)
        return mean + shift, (second + second.T) / 2


def solved(rows: np.ndarray, onto: np.ndarray, of_row: np.ndarray) -> np.ndarray:
    """``rows`` (n, d), each times its own of the matrices ``onto`` (K, d, d)."""
    n, d = rows.shape
    out = np.empty((n, d))
    for some in blocks(n, d * d, cells=_NUMBERS):
        out[some] = np.matmul(rows[some, None, :], onto[of_row[some]])[:, 0]
    return out


def precisions(masks: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """The inverse of ``cov`` over each pattern's coordinates, 0 elsewhere: (K, d, d)."""
    d = len(cov)
    both = masks[:, :, None] & masks[:, None, :]
    alone = np.where(both, cov, 0.0)
    alone[:, range(d), range(d)] += ~masks
    return np.where(both, np.linalg.inv(alone), 0.0)
