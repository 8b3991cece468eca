r"""The k-sample Anderson-Darling test, whether samples come from one distribution, with p-values of any size.

Scholz & Stephens 1987 (https://doi.org/10.1080/01621459.1987.10478517). The limit of the statistic is
:math:`\sum_{r \ge 1} \chi^2_{k-1} / (r (r+1))`, whose characteristic function is a power of one in closed form, so
the tail is an integral (Gil-Pelaez 1951, https://doi.org/10.1093/biomet/38.3-4.481) and no table is needed. As there,
the statistic enters by its exact mean and standard deviation, which makes the limit good for samples of a few rows.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["anderson_darling", "tail"]

_STEP, _END = 0.005, 120.0  # of the integral: the characteristic function is below 1e-7 beyond
_SMALLEST = 1e-7  # p-value that the integral tells from 0


def anderson_darling(samples: Sequence[np.ndarray]) -> tuple[float, float]:
    """The standardised statistic of k samples, each (n_i,), without ties; and its p-value, not below 1e-7."""
    sizes = np.array([len(sample) for sample in samples])
    total, k = int(sizes.sum()), len(sizes)
    order = np.argsort(np.concatenate(samples), kind="stable")
    of_sample = np.repeat(np.arange(k), sizes)[order]
    j = np.arange(1, total)
    statistic = 0.0
    for i, size in enumerate(sizes.tolist()):
        below = np.cumsum(of_sample == i)[:-1]
        statistic += float((((total * below - j * size) ** 2) / (j * (total - j))).sum()) / size
    standardised = (statistic / total - (k - 1)) / math.sqrt(_variance(tuple(sorted(sizes.tolist()))))
    return standardised, tail(standardised * math.sqrt((k - 1) * _LIMIT_VARIANCE) + k - 1, k)


_LIMIT_VARIANCE = 2 * (math.pi**2 / 3 - 3)  # of the limit, for k = 2


@lru_cache(maxsize=64)
def _variance(sizes: tuple[int, ...]) -> float:
    """Of the statistic of samples of these sizes where their distribution is one (Scholz & Stephens, equation 4)."""
    total, k = sum(sizes), len(sizes)
    inverse = sum(1 / size for size in sizes)
    harmonic = 1 / np.arange(1, total)
    h = float(harmonic.sum())
    # Σ_{i<j} 1 / ((N - i) j), the inner sums being those of 1 / j for j > i
    g = float((harmonic[::-1][:-1] * np.cumsum(harmonic[::-1])[:-1][::-1]).sum()) if total > 2 else 0.0
    a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * inverse
    b = (2 * g - 4) * k**2 + 8 * h * k + (2 * g - 14 * h - 4) * inverse - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * k**2 + (4 * h - 4 * g + 6) * k + (2 * h - 6) * inverse + 4 * h
    d = (2 * h + 6) * k**2 - 4 * h * k
    return (a * total**3 + b * total**2 + c * total + d) / ((total - 1) * (total - 2) * (total - 3))


def tail(x: float, k: int) -> float:
    """The probability that the limit of the k-sample statistic exceeds ``x``."""
    u, phase, size = _characteristic(k)
    rest = float((np.sin(phase - u * x) * size).sum()) * _STEP
    return min(max(0.5 + rest / math.pi, _SMALLEST), 1.0)


@lru_cache(maxsize=64)
def _characteristic(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Midpoints u of the integral, and phase and size / u of the characteristic function there."""
    u = (np.arange(int(_END / _STEP)) + 0.5) * _STEP
    one = -2j * math.pi * u / np.cos(math.pi / 2 * np.sqrt(1 + 8j * u))  # the square of that for k = 2
    power = (k - 1) / 2
    return u, power * np.unwrap(np.angle(one)), np.abs(one) ** power / u
