r"""Many small positive definite systems at once: each step is one vector operation over all of them.

A matrix is inverted in halves. With A in the upper left corner, B below it and D beside that, :math:`H = B A^{-1}` and
:math:`S = D - H B^T`, the inverse has :math:`S^{-1}` in the lower right corner, :math:`-S^{-1} H` left of it and
:math:`A^{-1} + H^T S^{-1} H` in the upper left, and :math:`\log|\cdot| = \log|A| + \log|S|`.
"""

from __future__ import annotations

import numpy as np

__all__ = ["invert"]

_LAPACK_FROM = 32  # above this size a LAPACK call for each matrix is faster than vectors over the batch (measured)


def invert(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses and log determinants of a batch of symmetric positive definite matrices (m, m, K), the batch last.

    Overwrites ``a``, of which the upper triangle is not looked at. A matrix gives the same bits in every batch in C
    order. Raises ``numpy.linalg.LinAlgError`` if one of them is not positive definite.
    """
    if len(a) > _LAPACK_FROM:
        return _lapack(a)
    if a.shape[2] == 1:  # whose terms einsum would add in another order
        inverse, logdet = invert(np.repeat(a, 2, axis=2))
        return inverse[:, :, :1], logdet[:1]
    return a, _halves(a)


def _halves(a: np.ndarray) -> np.ndarray:
    """Replace matrices (m, m, K) by their inverses, and return the log determinants (K,)."""
    m = len(a)
    if m < 3:
        return _smallest(a)
    h = m // 2
    first, below, second = a[:h, :h], a[h:, :h], a[h:, h:]
    logdet = _halves(first)
    slope = np.einsum("ijk,jlk->ilk", below, first)
    second -= np.einsum("ijk,ljk->ilk", slope, below)
    logdet += _halves(second)
    np.einsum("ijk,jlk->ilk", second, slope, out=below)
    first += np.einsum("jik,jlk->ilk", slope, below)
    np.negative(below, out=below)
    a[:h, h:] = below.swapaxes(0, 1)
    return logdet


def _smallest(a: np.ndarray) -> np.ndarray:
    """The same for matrices of two rows, one, or none; in fewer calls."""
    if not len(a):
        return np.zeros(a.shape[2])
    first = a[0, 0]
    _check(first)
    if len(a) == 1:
        logdet: np.ndarray = np.log(first)
        np.divide(1.0, first, out=first)
        return logdet
    below, second = a[1, 0], a[1, 1]
    slope = below / first
    second -= slope * below
    _check(second)
    determinant = first * second
    np.divide(1.0, first, out=first)
    np.divide(1.0, second, out=second)
    np.multiply(slope, second, out=below)
    slope *= below
    first += slope
    np.negative(below, out=below)
    a[0, 1] = below
    return np.asarray(np.log(determinant, out=determinant))


def _check(pivot: np.ndarray) -> None:
    if not pivot.min() > 0:
        msg = "not positive definite"
        raise np.linalg.LinAlgError(msg)


def _lapack(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    factor = np.linalg.cholesky(np.moveaxis(a, 2, 0))
    half = np.linalg.inv(factor)
    determinant = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return np.moveaxis(np.swapaxes(half, 1, 2) @ half, 0, 2), determinant
