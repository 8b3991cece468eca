r"""The Newton step :math:`I_{obs}^{-1} \cdot` score: how far the maximum still is, whatever engine came this far.

Solved by conjugate gradients in a chart, where the observed information per row is :math:`I - J` (J the Jacobian of
the EM map), preconditioned by what the run has learned already. A product with it costs one E-step, and nothing of
the size of the full information is ever formed. Steps of an accelerated run do not contain the rate, and so cannot
tell this distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["FLAT", "Newton", "newton_step", "whole_newton_step"]

_SETTLED = 1e-2  # relative error of the Newton step at which it is believed
FLAT = 1e-7  # curvature, relative to the complete data's, that is not told from 0: no step is believed there


@dataclass(frozen=True, eq=False)
class Newton:
    """An approximate Newton step; or, where the information is not positive definite, a way out."""

    step: np.ndarray  # (p,) the step; if not concave, the direction of negative curvature
    settled: bool  # the linear system was solved, but for directions in which nothing changes
    concave: bool  # no direction of negative curvature was met
    curvature: float  # smallest met, relative to the complete data's; 1 - it is a fraction of missing information
    whole: bool = False  # every direction was looked at

    @property
    def flat(self) -> bool:
        """Whether a direction was met along which nothing changes."""
        return self.concave and self.curvature <= FLAT


def whole_newton_step(values: np.ndarray, vectors: np.ndarray, gradient: np.ndarray) -> Newton:
    """The same from the eigenvalues (p,), ascending, and vectors (p, p) of the whole information."""
    smallest = float(values[0])
    if smallest < -FLAT:
        return Newton(vectors[:, 0], False, False, smallest, whole=True)
    firm = values > FLAT
    step: np.ndarray = vectors[:, firm] @ ((vectors[:, firm].T @ gradient) / values[firm])
    return Newton(step, True, True, smallest, whole=True)


def newton_step(
    product: Callable[[np.ndarray], np.ndarray | None],
    gradient: np.ndarray,
    precondition: Callable[[np.ndarray], np.ndarray],
    length: Callable[[np.ndarray], float],
    budget: int,
) -> Newton:
    """Solve information times step = ``gradient`` (p,), the information known by its ``product`` (p,) -> (p,) only.

    ``product`` returns None where it cannot be had, and is called at most ``budget`` times; ``length`` is that of a
    step.
    """
    step = np.zeros_like(gradient)
    residual = gradient.copy()
    direction = preconditioned = precondition(residual)
    power = float(residual @ preconditioned)
    smallest = 1.0
    for _ in range(budget):
        size = float(direction @ direction)
        if not size:
            return Newton(step, True, True, smallest)
        bent = product(direction)
        if bent is None:
            break
        curvature = float(direction @ bent)
        smallest = min(smallest, curvature / size)
        if curvature < -FLAT * size:
            return Newton(direction, False, False, smallest)
        if curvature <= FLAT * size:
            break
        amount = power / curvature
        step = step + amount * direction
        residual = residual - amount * bent
        preconditioned = precondition(residual)
        if length(preconditioned) <= _SETTLED * length(step):
            return Newton(step, True, True, smallest)
        previous, power = power, float(residual @ preconditioned)
        direction = preconditioned + (power / previous) * direction
    return Newton(step, False, True, smallest)
