"""What past steps taught about the curvature: limited-memory BFGS (Nocedal 1980, https://doi.org/10.1090/S0025-5718-1980-0572855-7)."""

from __future__ import annotations

from collections import deque

import numpy as np

__all__ = ["Memory"]

_LEAST = 1e-6  # curvature below which a whole information is not believed


class Memory:
    """The last steps and changes of the gradient, as an inverse Hessian that starts from the identity.

    The identity is not a guess: in a chart the complete-data information is the identity and the observed one is
    smaller, so from nothing known the step is EM's, and it is never too long.
    """

    def __init__(self, size: int) -> None:
        self._pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=size)
        self._base: tuple[np.ndarray, np.ndarray] | None = None  # eigenvalues (p,) and vectors (p, p) of an information

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        """Forget everything."""
        self._pairs.clear()
        self._base = None

    def begin(self, values: np.ndarray, vectors: np.ndarray) -> None:
        """Begin anew from a whole information (p, p), by its eigenvalues (of which the size counts) and vectors."""
        self._pairs.clear()
        self._base = np.maximum(np.abs(values), _LEAST), vectors

    def learn(self, step: np.ndarray, change: np.ndarray) -> float:
        """Remember that along ``step`` (p,) the gradient of what is maximised fell by ``change`` (p,); their ratio."""
        curvature, square = float(step @ change), float(step @ step)
        if curvature > 1e-10 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self._pairs.append((step, change, 1 / curvature))
        return curvature / square if square else float("nan")

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """The inverse Hessian times ``gradient`` (p,)."""
        q = gradient.copy()
        taken = []
        for step, change, weight in reversed(self._pairs):
            amount = weight * float(step @ q)
            taken.append(amount)
            q -= amount * change
        if self._base is not None:
            values, vectors = self._base
            q = vectors @ ((vectors.T @ q) / values)
        for (step, change, weight), amount in zip(self._pairs, reversed(taken), strict=True):
            q += (amount - weight * float(change @ q)) * step
        return q
