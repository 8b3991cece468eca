"""Many small positive definite systems at once: each elimination step is one vector operation over all of them."""

from __future__ import annotations

import numpy as np

__all__ = ["invert"]

_LAPACK_FROM = 28  # above this size a LAPACK call for each matrix is faster than vectors over the batch (measured)


def invert(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses and log determinants of a batch of symmetric positive definite matrices (m, m, K), the batch last.

    Overwrites ``a``. Raises ``numpy.linalg.LinAlgError`` if one of them is not positive definite.
    """
    m = len(a)
    if m > _LAPACK_FROM:
        return _lapack(a)
    determinant = np.zeros(a.shape[2])
    outer = np.empty_like(a)
    for j in range(m):  # sweep operator (Goodnight 1979, https://doi.org/10.1080/00031305.1979.10482685)
        pivot = a[j, j].copy()
        if not (pivot > 0).all():
            msg = "not positive definite"
            raise np.linalg.LinAlgError(msg)
        determinant += np.log(pivot)
        column = a[:, j].copy()
        row = column / pivot
        np.multiply(column[:, None], row[None, :], out=outer)
        a -= outer
        a[j] = row
        a[:, j] = row
        a[j, j] = -1.0 / pivot
    np.negative(a, out=a)
    return a, determinant


def _lapack(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    factor = np.linalg.cholesky(np.moveaxis(a, 2, 0))
    half = np.linalg.inv(factor)
    determinant = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return np.moveaxis(np.swapaxes(half, 1, 2) @ half, 0, 2), determinant
