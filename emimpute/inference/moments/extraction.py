r"""Maximum-likelihood factors of a correlation matrix, and how they move with it.

Given uniquenesses ψ, the best loadings of m factors are Ψ^½ Ω (Θ − 1)^½ with the m largest eigenvalues Θ and vectors Ω
of Ψ^−½ R Ψ^−½, and what is left to minimise is Σ (θ − log θ − 1) over the other eigenvalues (Jöreskog 1967,
https://doi.org/10.1007/BF02289658). Its derivative in log ψ_i is Σ (1 − θ_j) ω_ij² over the same. A Newton step on it
from the solution is exact to first order for matrices nearby, and so are the derivatives taken through it. Everything
but the solution itself works on many matrices at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Extraction", "best_turn", "correlations", "extract", "loadings", "rotate"]

_LEAST = 0.005  # uniqueness; where the maximum lies below, it is held there (a Heywood case)
_APART = 1e-5  # displacement of log ψ for the Hessian
_SETTLED = 1e-13  # change of a rotation at which it ends
_TURNS = 2000  # of a rotation, at most
_STEPS = 20  # of Newton, at most
_STARTS = 15  # of a rotation, at random
_ORTHOMAX = {"varimax": 1.0, "quartimax": 0.0}


@dataclass(frozen=True, eq=False)
class Extraction:
    """The solution for one correlation matrix of k columns."""

    factors: int  # m
    log_unique: np.ndarray  # (k,) log ψ
    free: np.ndarray  # (k,) bool: not held at the least uniqueness
    inverse: np.ndarray  # (f, f) of the Hessian in the free log ψ
    value: float  # the discrepancy log|Σ| + tr(RΣ⁻¹) − log|R| − k

    @property
    def unique(self) -> np.ndarray:
        """Uniquenesses (k,)."""
        return np.asarray(np.exp(self.log_unique))

    def beside(self, corr: np.ndarray) -> np.ndarray:
        """Logarithms of ψ (B, k) for correlation matrices (B, k, k) near the one that was solved, to first order."""
        found = np.repeat(self.log_unique[None], len(corr), axis=0)
        found[:, self.free] -= _gradient(found, corr, self.factors)[:, self.free] @ self.inverse
        return found


def correlations(cov: np.ndarray) -> np.ndarray:
    """Correlation matrices (..., d, d) of covariance matrices."""
    sd = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    return np.asarray(cov / sd[..., :, None] / sd[..., None, :])


def extract(corr: np.ndarray, factors: int) -> Extraction:
    """The factors of ``corr`` (k, k). Raises ``numpy.linalg.LinAlgError`` if it is singular, or if none is found."""
    from scipy.optimize import minimize  # noqa: PLC0415 (importing emimpute stays light)

    k = len(corr)
    np.linalg.cholesky(corr)
    start = np.log(np.clip((1 - factors / (2 * k)) / np.diag(np.linalg.inv(corr)), _LEAST, 1.0))
    low = float(np.log(_LEAST))

    def value(x: Any) -> Any:
        theta = _eigen(x[None], corr[None])[0][0, : k - factors]
        return float((theta - np.log(theta) - 1).sum())

    def slope(x: Any) -> Any:
        return _gradient(x[None], corr[None], factors)[0]

    options: Any = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}
    x = minimize(value, start, jac=slope, method="L-BFGS-B", bounds=[(low, 0.0)] * k, options=options).x
    free = x > low + 1e-8
    for _ in range(_STEPS):
        gradient = _gradient(x[None], corr[None], factors)[0][free]
        inverse = np.linalg.inv(_hessian(x, corr, factors)[np.ix_(free, free)])
        step = gradient @ inverse
        x[free] -= np.clip(step, -0.5, 0.5)
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    return Extraction(factors, x, free, inverse, value(x))


def _eigen(x: np.ndarray, corr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    root = np.exp(-x / 2)
    values, vectors = np.linalg.eigh(root[:, :, None] * corr * root[:, None, :])
    return values, vectors


def _gradient(x: np.ndarray, corr: np.ndarray, factors: int) -> np.ndarray:
    """Derivative (B, k) of the discrepancy in log ψ."""
    values, vectors = _eigen(x, corr)
    rest = x.shape[1] - factors
    return np.asarray(np.einsum("bj,bij->bi", 1 - values[:, :rest], vectors[:, :, :rest] ** 2))


def _hessian(x: np.ndarray, corr: np.ndarray, factors: int) -> np.ndarray:
    moved = _APART * np.eye(len(x))
    many = np.broadcast_to(corr, (len(x), *corr.shape))
    found = (_gradient(x + moved, many, factors) - _gradient(x - moved, many, factors)) / (2 * _APART)
    return np.asarray((found + found.T) / 2)


def loadings(x: np.ndarray, corr: np.ndarray, factors: int) -> np.ndarray:
    """Unrotated loadings (B, k, m), the largest factor first; every column of either sign."""
    values, vectors = _eigen(x, corr)
    k = x.shape[1]
    theta, omega = values[:, : k - factors - 1 : -1], vectors[:, :, : k - factors - 1 : -1]
    return np.asarray(np.exp(x / 2)[:, :, None] * omega * np.sqrt(np.maximum(theta - 1, 0.0))[:, None, :])


def best_turn(found: np.ndarray, method: str, settled: float = _SETTLED) -> np.ndarray:
    """The rotation (m, m) of loadings (k, m) with the highest maximum of the criterion, from several starts.

    Unrotated loadings alone would not do: between two factors of the same size they are a minimum.
    """
    m = found.shape[1]
    rng = np.random.default_rng(0)
    starts = np.concatenate([np.eye(m)[None], np.linalg.qr(rng.standard_normal((_STARTS, m, m)))[0]])
    turns = rotate(np.repeat(found[None], len(starts), axis=0), method, starts, settled)
    squares = np.square(found @ turns)
    weight = _ORTHOMAX[method] / len(found)
    reached = np.square(squares).sum(axis=(1, 2)) - weight * np.square(squares.sum(axis=1)).sum(axis=1)
    return np.asarray(turns[np.argmax(reached >= reached.max() * (1 - 1e-12))])


def rotate(found: np.ndarray, method: str, turn: np.ndarray, settled: float = _SETTLED) -> np.ndarray:
    """Orthogonal matrices (B, m, m) that take loadings (B, k, m) to the criterion's maximum next to ``turn`` (B, m, m).

    Without the normalisation of rows. The steps are those of Kaiser's iterated singular value decompositions; they end
    when no element changes by more than ``settled``.
    """
    weight = _ORTHOMAX[method] / found.shape[1]
    across = np.swapaxes(found, 1, 2)
    turns = turn
    for _ in range(_TURNS):
        rotated = found @ turns
        slope = across @ (rotated**3 - weight * rotated * np.square(rotated).sum(axis=1, keepdims=True))
        u, _, v = np.linalg.svd(slope)
        before, turns = turns, u @ v
        if np.abs(turns - before).max() < settled:
            break
    return turns
