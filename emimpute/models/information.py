r"""The observed information of a normal distribution, in closed form by missingness pattern.

With P = Σ_oo⁻¹ and u = P(z_o − μ_o), both padded by zeros, a row's information for (μ, Σ) in directions e, E and F is

- e, f:  eᵀP f
- e, E:  eᵀP E u
- E, F:  tr(E P F uuᵀ) − ½ tr(E P F P),

or, where the mean of a row is μ + Mr with r of its own, the same with e = Mr;
summed over rows (the second derivatives of the log-likelihood; Savalei 2010, https://doi.org/10.1037/a0020143). Only a
pattern's P and the sums of its u and uuᵀ are needed, so the cost does not depend on how many rows share it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emimpute.models.conditional import Conditional, Rows

__all__ = ["cost", "curvature", "observed_information", "penalty"]

_NUMBERS = 1 << 18  # in the arrays of one batch of patterns


def cost(table: Rows, dx: int = 0) -> float:
    """How many E-steps as long as one :func:`observed_information` takes, with its eigenvalues; roughly.

    The first ``dx`` columns of the table are those on which the others are regressed.
    """
    (rows, d), patterns = table.x.shape, sum(len(chunk.weight) for chunk in table.chunks)
    dy = d - dx
    p = dy * (dx + 1) + dy * (dy + 1) / 2
    step = 3e5 * (1 + len(table.chunks)) + 8 * rows * d * dy  # the interpreter's share, and the products
    return float((step + 2 * patterns * (d * dy) ** 2 + 10 * p**3) / step)


def observed_information(
    rows: Iterable[tuple[Conditional, np.ndarray]], precision: np.ndarray, factor: np.ndarray, q: int
) -> np.ndarray:
    """Observed information (p, p), p = dq + d(d+1)/2, for M and H in the means (μ + LM)r and Σ + LHLᵀ, L = ``factor``.

    ``rows`` come chunk by chunk: their conditional moments, and r (rows, q), the first of which is the intercept's.

    The order of the coordinates, and their scale, is the chart's: M's first column, the others row by row, the diagonal
    of H over √2, H above the diagonal.
    """
    d = len(precision)
    total = np.zeros((d * d, (q + d) ** 2))
    for c, r in rows:
        of_row = np.arange(len(c.deviations)) if c.chunk.of_row is None else c.chunk.of_row
        both = np.concatenate([r, c.deviations @ precision @ factor], axis=1)
        edges = np.searchsorted(of_row, np.arange(len(c.chunk.weight) + 1))
        batch = max(1, _NUMBERS // (q + d) ** 2)
        for first in range(0, len(c.chunk.weight), batch):
            last = min(first + batch, len(c.chunk.weight))
            some = slice(edges[first], edges[last])
            p = _padded(c, slice(first, last), precision, factor)
            scatter = np.zeros((last - first, q + d, q + d))
            np.add.at(scatter, of_row[some] - first, both[some, :, None] * both[some, None, :])
            scatter[:, q:, q:] -= c.chunk.weight[first:last, None, None] * p / 2
            total += p.reshape(-1, d * d).T @ scatter.reshape(last - first, -1)
    four = total.reshape(d, d, q + d, q + d)
    straight = four[:, :, :q, :q].transpose(0, 2, 1, 3).reshape(d * q, d * q)  # [im, jl]
    cross = four[:, :, :q, q:].transpose(0, 2, 1, 3).reshape(d * q, d * d)
    information = _assemble(straight, cross, four[:, :, q:, q:].reshape(d * d, d * d))
    order = np.arange(len(information))
    order[: d * q] = np.concatenate([(place := np.arange(d * q).reshape(d, q))[:, 0], place[:, 1:].ravel()])
    return information[np.ix_(order, order)]


def curvature(matrix: np.ndarray) -> np.ndarray:
    """What a term tr(M (EF + FE))/2 adds to the information of H (h, h), for M = ``matrix`` (d, d): tr(E I F M)."""
    d = len(matrix)
    return _assemble(np.zeros((0, 0)), np.zeros((0, d * d)), np.outer(np.eye(d).ravel(), matrix.ravel()))


def penalty(of_x: np.ndarray, across: np.ndarray, square: np.ndarray) -> np.ndarray:
    """What the log density -½ tr(exp(-H) (b P bᵀ - bR - (bR)ᵀ + S)) adds to the information of b and H, (p, p).

    P (dx, dx), Rᵀ (dy, dx) and S (dy, dy) are the arguments.
    """
    (dy, dx), bend = across.shape, np.outer(np.eye(len(square)).ravel(), square.ravel() / 2)
    cross = np.einsum("il,jm->imjl", np.eye(dy), across).reshape(dy * dx, dy * dy)
    return _assemble(np.kron(np.eye(dy), of_x), cross, bend)


def _assemble(straight: np.ndarray, cross: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The information from that of the means (m, m), of both (m, d²) and Σ P ⊗ Q (d², d²: [jk, li])."""
    d = math.isqrt(len(square))
    # tr(E P F Q) has the coefficient P_jk Q_li for E_ij F_kl; symmetric directions add both orders of an index pair.
    four = square.reshape(d, d, d, d).transpose(3, 0, 1, 2).reshape(d * d, d * d)  # [ij, kl]
    mixed = _symmetric(cross.T).T
    upper = _symmetric(_symmetric(four).T).T
    information: np.ndarray = np.block([[straight, mixed], [mixed.T, upper]])
    return np.asarray((information + information.T) / 2)


def _symmetric(rows: np.ndarray) -> np.ndarray:
    """Rows [ij] (d², q) taken to the coordinates of H (d(d+1)/2, q): √2 × diagonal, then ij + ji above it."""
    d = math.isqrt(len(rows))
    i, j = np.triu_indices(d, 1)
    return np.concatenate([math.sqrt(2) * rows[:: d + 1], rows[i * d + j] + rows[j * d + i]])


def _padded(c: Conditional, some: slice, precision: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Lᵀ P L of some patterns of a chunk, (K, d, d)."""
    d, block = len(precision), c.chunk.block[:, some]
    patterns = block.shape[1]
    inverse = np.moveaxis(c.inverse[:, :, some], 2, 0)
    if c.chunk.precision:
        rows = precision[block.T] @ factor  # (K, m, d)
        whole = factor.T @ precision @ factor
        removed: np.ndarray = np.swapaxes(rows, 1, 2) @ inverse @ rows
        inner: np.ndarray = whole - removed
        return inner
    rows = factor[block.T]  # (K, o, d)
    padded: np.ndarray = np.swapaxes(rows, 1, 2) @ inverse @ rows
    return padded.reshape(patterns, d, d)
