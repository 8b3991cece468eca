"""Draws from the inverse Wishart distribution."""

from __future__ import annotations

import numpy as np

__all__ = ["inverse_wishart"]


def inverse_wishart(df: float, scatter: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A draw (d, d), by Bartlett's decomposition: Σ = L B⁻ᵀ B⁻¹ Lᵀ with LLᵀ the scatter.

    Bartlett 1933, https://doi.org/10.1017/S0370164600015789. Raises ``numpy.linalg.LinAlgError`` for a scatter that is
    not positive definite.
    """
    d = len(scatter)
    bartlett = np.tril(rng.standard_normal((d, d)), -1)
    bartlett[np.diag_indices(d)] = np.sqrt(rng.chisquare(df - np.arange(d)))
    root = np.linalg.solve(bartlett, np.linalg.cholesky(scatter).T)
    return np.asarray(root.T @ root)
