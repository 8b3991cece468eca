r"""The observed information of a normal distribution, in closed form by missingness pattern.

With P = Σ_oo⁻¹ and u = P(z_o − μ_o), both padded by zeros, a row's information for (μ, Σ) in directions e, E and F is

- e, f:  eᵀP f
- e, E:  eᵀP E u
- E, F:  tr(E P F uuᵀ) − ½ tr(E P F P),

summed over rows (the second derivatives of the log-likelihood; Savalei 2010, https://doi.org/10.1037/a0020143). Only a
pattern's P and the sums of its u and uuᵀ are needed, so the cost does not depend on how many rows share it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.conditional import conditionals

if TYPE_CHECKING:
    from emimpute.models.conditional import Conditional, Rows

__all__ = ["cost", "curvature", "observed_information"]

_NUMBERS = 1 << 22  # in the arrays of one batch of patterns


def cost(table: Rows) -> float:
    """How many E-steps as long as one :func:`observed_information` takes, with its eigenvalues; roughly."""
    (rows, d), patterns = table.x.shape, sum(len(chunk.weight) for chunk in table.chunks)
    p = d + d * (d + 1) / 2
    fixed = 3e5 * (1 + len(table.chunks))  # the interpreter's share, in multiplications
    return float((fixed + 8 * rows * d**2 + 2 * patterns * d**4 + 10 * p**3) / (fixed + 8 * rows * d**2))


def observed_information(table: Rows, mean: np.ndarray, cov: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Observed information (p, p), p = d + d(d+1)/2, at (mean, cov), for a and H in μ + La, Σ + LHLᵀ, L = ``factor``.

    The order of the coordinates, and their scale, is the chart's: a, the diagonal of H over √2, H above the diagonal.
    """
    d = len(mean)
    precision = np.linalg.inv(cov)
    straight, cross, square = np.zeros((d, d)), np.zeros((d, d * d)), np.zeros((d * d, d * d))
    for c in conditionals(table, mean, cov, precision):
        of_row = np.arange(len(c.deviations)) if c.chunk.of_row is None else c.chunk.of_row
        u = c.deviations @ precision @ factor
        edges = np.searchsorted(of_row, np.arange(len(c.chunk.weight) + 1))
        batch = max(1, _NUMBERS // (d * d))
        for first in range(0, len(c.chunk.weight), batch):
            last = min(first + batch, len(c.chunk.weight))
            rows = slice(edges[first], edges[last])
            pattern = of_row[rows] - first
            p = _padded(c, slice(first, last), precision, factor)
            weight = c.chunk.weight[first:last]
            total = np.zeros((last - first, d))
            np.add.at(total, pattern, table.centre[c.chunk.rows][rows, None] * u[rows])
            scatter = np.zeros((last - first, d, d))
            np.add.at(scatter, pattern, u[rows, :, None] * u[rows, None, :])
            flat = p.reshape(-1, d * d)
            straight += (weight @ flat).reshape(d, d)
            cross += np.einsum("kij,kl->ijl", p, total, optimize=True).reshape(d, d * d)
            square += flat.T @ (scatter - weight[:, None, None] * p / 2).reshape(-1, d * d)
    return _assemble(straight, cross, square)


def curvature(matrix: np.ndarray) -> np.ndarray:
    """What a term tr(M (EF + FE))/2 adds to the information (p, p), for M = ``matrix`` (d, d): tr(E I F M)."""
    d = len(matrix)
    square = np.outer(np.eye(d).ravel(), matrix.ravel())
    return _assemble(np.zeros((d, d)), np.zeros((d, d * d)), square)


def _assemble(straight: np.ndarray, cross: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The information (p, p) from Σ P (d, d), Σ P ⊗ u (d, d²: [i, jl] = P_ij u_l) and Σ P ⊗ Q (d², d²: [jk, li])."""
    d = len(straight)
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
