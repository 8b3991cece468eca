r"""The Newton step :math:`I_{obs}^{-1} \cdot` score, which says how far the maximum still is, whatever engine came this far.

Solved by conjugate gradients in a chart, where the observed information per row is :math:`I - J` (J the Jacobian of the EM map), preconditioned by
what the run has learned already. A product with it is a difference of two gradients and costs one E-step, so nothing of the
size of the full information is ever formed. Steps of an accelerated run do not contain the rate, and so cannot tell this distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Newton", "newton_step"]

_DIFFERENCE = 1e-6  # length of the displacement for a directional derivative
_SETTLED = 1e-2  # relative error of the Newton step at which it is believed


@dataclass(frozen=True, eq=False)
class Newton:
    """An approximate Newton step."""

    step: np.ndarray  # (p,)
    settled: bool  # the linear system was solved
    concave: bool  # no direction of negative curvature was met
    curvature: float  # smallest curvature met, relative to the complete-data information; 1 - it is a fraction of missing information


def newton_step(
    gradient_at: Callable[[np.ndarray], np.ndarray | None],
    gradient: np.ndarray,
    precondition: Callable[[np.ndarray], np.ndarray],
    length: Callable[[np.ndarray], float],
    budget: int,
) -> Newton:
    """Solve for the step from the origin of ``gradient_at`` (p,) -> (p,), whose value there is ``gradient``.

    ``gradient_at`` returns None outside the parameter space; it is called at most ``budget`` times.
    """
    step = np.zeros_like(gradient)
    residual = gradient.copy()
    direction = preconditioned = precondition(residual)
    power = float(residual @ preconditioned)
    smallest = 1.0
    for _ in range(budget):
        size = float(np.linalg.norm(direction))
        if not size:
            return Newton(step, True, True, smallest)
        moved = gradient_at(direction * (_DIFFERENCE / size))
        if moved is None:
            return Newton(step, False, True, smallest)
        product = (gradient - moved) * (size / _DIFFERENCE)
        curvature = float(direction @ product)
        smallest = min(smallest, curvature / size**2)
        if curvature <= 0:
            return Newton(step if step.any() else direction, False, False, smallest)
        amount = power / curvature
        step = step + amount * direction
        residual = residual - amount * product
        preconditioned = precondition(residual)
        if length(preconditioned) <= _SETTLED * length(step):
            return Newton(step, True, True, smallest)
        previous, power = power, float(residual @ preconditioned)
        direction = preconditioned + (power / previous) * direction
    return Newton(step, False, True, smallest)
