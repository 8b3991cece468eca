r"""The slowest directions of EM, by Lanczos on its Jacobian J, known by products with a vector only.

In a problem's chart J is symmetric: the fractions of missing information are its eigenvalues, and the largest is the
rate of EM. A product costs one E-step. Power iteration, as the EM iterates themselves are, cannot separate the largest
eigenvalue from its neighbours where all are near 1; Lanczos can, and full reorthogonalisation keeps its vectors from
repeating themselves (Parlett 1998, https://doi.org/10.1137/1.9781611971163, chapter 13).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ritz", "lanczos"]

_SETTLED = 1e-4  # length of the largest pair's residual, relative to 1 - its value, at which it is believed
_LEAST = 1e-7  # 1 - value below this is not told from 0
_EXHAUSTED = 1e-10  # length of a new direction that only rounding has left
_SEED = 0  # of the start: it decides nothing but the last digits, and must be the same in every run


@dataclass(frozen=True, eq=False)
class Ritz:
    """Approximate eigenpairs of J, the largest last."""

    values: np.ndarray  # (k,) ascending
    vectors: np.ndarray  # (p, k), orthonormal
    settled: bool  # whether the last pair is accurate
    products: int
    residual: float = 0.0  # of the last pair: length of J v - value v


def lanczos(
    product: Callable[[np.ndarray], np.ndarray], size: int, budget: int, *, enough: Callable[[Ritz], bool] | None = None
) -> Ritz:
    """Eigenpairs of a symmetric J (p, p), p = ``size`` > 0, from at most ``budget`` > 0 products (p,) -> (p,) with it.

    It ends where the largest pair is accurate, or before where ``enough`` says so of what is known (values and
    residual, no vectors). Equal eigenvalues are found once, with a vector of their common space. Whatever ``product``
    raises passes through.
    """
    limit = min(budget, size)
    basis = np.empty((limit, size))
    diagonal: list[float] = []
    beside: list[float] = []
    new = np.random.default_rng(_SEED).standard_normal(size)
    new /= np.linalg.norm(new)
    while True:
        k = len(diagonal) + 1
        basis[k - 1] = new
        image = product(new)
        diagonal.append(float(new @ image))
        for _ in range(2):  # once leaves rounding errors of the size of what was cancelled
            image = image - (basis[:k] @ image) @ basis[:k]
        length = float(np.linalg.norm(image))
        t = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, within = np.linalg.eigh(t)
        residual = length * abs(float(within[-1, -1]))
        settled = residual <= _SETTLED * max(1 - float(values[-1]), _LEAST) or length <= _EXHAUSTED
        seen = Ritz(values, within[:0], bool(settled or k == size), k, residual)
        if settled or k == limit or (enough is not None and enough(seen)):
            return replace(seen, vectors=basis[:k].T @ within)
        beside.append(length)
        new = image / length
