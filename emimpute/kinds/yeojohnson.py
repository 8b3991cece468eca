"""The Yeo-Johnson power transform with a power between 0 and 2, its best fit, and what is expected under it.

ψ(u) = ((1 + u)^λ - 1) / λ for u ≥ 0 and -((1 - u)^(2 - λ) - 1) / (2 - λ) for u < 0, with logarithms as the limits (Yeo
and Johnson 2000, doi:10.1093/biomet/87.4.954). λ = 1 changes nothing; below, long right tails are drawn in, above, long
left ones. For λ in [0, 2] and only there ψ maps the line onto the line, so that every z means a number and expectations
exist.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["best_power", "expectation", "forward", "inverse"]

_LARGEST = 600.0  # exponents are kept below it, so that no result overflows
_PANELS, _ORDER, _REACH = 10, 16, 9.0  # quadrature: panels on either side of the kink, nodes of each, sds that count
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_ORDER)
_GOLDEN = (math.sqrt(5) - 1) / 2


def forward(u: np.ndarray, power: float) -> np.ndarray:
    """ψ of ``u`` (any shape); NaN stays NaN."""
    size = np.log1p(np.abs(u))
    return np.asarray(np.where(u < 0, -_power(size, 2 - power), _power(size, power)))


def inverse(z: np.ndarray, power: float) -> np.ndarray:
    """The u (any shape) with ψ(u) = ``z``."""
    size = np.abs(z)
    return np.asarray(np.where(z < 0, -_root(size, 2 - power), _root(size, power)))


def _power(size: np.ndarray, exponent: float) -> np.ndarray:
    """((1 + |u|)^exponent - 1) / exponent from ``size`` = log(1 + |u|)."""
    return size if exponent == 0 else np.expm1(np.minimum(exponent * size, _LARGEST)) / exponent


def _root(size: np.ndarray, exponent: float) -> np.ndarray:
    """The inverse of that, |u|."""
    return np.expm1(np.minimum(size if exponent == 0 else np.log1p(exponent * size) / exponent, _LARGEST))


def best_power(u: np.ndarray) -> tuple[float, float]:
    """The power in [0, 2] under which ψ(u), ``u`` (n,), is most nearly normal, and the log-likelihood of one row.

    Normal with free mean and variance, profiled out, and without the constant of 2π; by golden section, to 1e-4.
    """
    bend = float(np.mean(np.sign(u) * np.log1p(np.abs(u))))

    def loglik(power: float) -> float:
        return (power - 1) * bend - 0.5 * math.log(max(float(np.var(forward(u, power))), np.finfo(float).tiny))

    low, high = 0.0, 2.0
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_a, at_b = loglik(a), loglik(b)
    while high - low > 1e-4:
        if at_a >= at_b:
            high, b, at_b = b, a, at_a
            a = high - _GOLDEN * (high - low)
            at_a = loglik(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + _GOLDEN * (high - low)
            at_b = loglik(b)
    found = [(loglik(power), power) for power in (0.0, 2.0, (low + high) / 2)]
    best, power = max(found)
    return power, best


def expectation(mean: np.ndarray, sd: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd (r,) of ψ⁻¹(z) for z normal with ``mean`` and ``sd`` (r,).

    By Gauss-Legendre quadrature on either side of z = 0, where ψ⁻¹ has a kink in its curvature. Near powers of 0 and 2
    the integrand has its mass away from the mean of z, and the range follows it.
    """
    sd = np.maximum(sd, np.finfo(float).tiny)
    below = -_REACH - _lean(-mean, sd, 2 - power)
    above = _REACH + _lean(mean, sd, power)
    with np.errstate(over="ignore"):
        kink = np.clip(-mean / sd, below, above)

    def integral(f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.asarray(_over(f, below, kink) + _over(f, kink, above))

    middle = inverse(mean, power)  # what is integrated is the difference, so that little spread is not lost in rounding

    def away(t: np.ndarray) -> np.ndarray:
        return np.asarray(inverse(mean + sd * t, power) - middle)

    mass = integral(np.ones_like)
    shift = integral(away) / mass
    return middle + shift, np.sqrt(integral(lambda t: (away(t) - shift) ** 2) / mass)


def _lean(mean: np.ndarray, sd: np.ndarray, exponent: float) -> np.ndarray:
    """How many sds above the mean of z the square of ψ⁻¹(z) has its mass: t = 2 sd / (1 + exponent (mean + sd t))."""
    there = 1 + exponent * np.maximum(mean, 0)
    return np.asarray(4 * sd / (there + np.sqrt(there**2 + 8 * exponent * sd**2)))


def _over(f: Callable[[np.ndarray], np.ndarray], start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """∫ f(t) φ(t) dt from ``start`` to ``stop`` (r,), without the constant of 2π."""
    half = (stop - start) / (2 * _PANELS)
    total = np.zeros_like(half)
    for panel in range(_PANELS):
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            t = start + half * (2 * panel + 1 + node)
            total += weight * f(t) * np.exp(-t * t / 2)
    return np.asarray(total * half)
