"""One latent coordinate cut into steps: the arithmetic of ordered answers.

Of L levels, level k is the interval (c₍k₋₁₎, c₍k₎] of a coordinate z, with L − 1 increasing cut points c and ends at
±infinity. Where z is normal, a level's probability is a difference of two values of Φ, taken in the tail in which it
does not cancel.

>>> import numpy as np
>>> cuts = start(np.array([1, 2, 1]))
>>> cuts.round(3).tolist()
[-0.674, 0.674]
>>> probabilities(cuts, np.array([0.0]), np.array([1.0])).round(3).tolist()
[[0.25, 0.5, 0.25]]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.kinds.base import Cells

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["cells", "level_at", "moments", "probabilities", "standardized", "start"]

_TINY = 1e-300  # a standard deviation that stands for 0


def start(counts: np.ndarray) -> np.ndarray:
    """Cut points (L - 1,) at which a standard normal has the shares of ``counts`` (L,), all of them positive."""
    from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

    below, total = np.cumsum(counts)[:-1], int(np.sum(counts))
    upper = 2 * below > total  # by the smaller tail, in which no digit is lost
    tail = ndtri(np.where(upper, total - below, below) / total)
    return np.asarray(np.where(upper, -tail, tail))


def cells(codes: np.ndarray, cuts: np.ndarray) -> Cells:
    """Cells (n, 1) of levels ``codes`` (n,), -1 for holes: bounded by the very numbers ``cuts``."""
    lower = np.concatenate([[-np.inf], cuts, [-np.inf]])[codes]  # a hole, -1, finds the last
    upper = np.concatenate([cuts, [np.inf, np.inf]])[codes]
    return Cells(lower[:, np.newaxis], upper[:, np.newaxis])


def level_at(z: ArrayLike, cuts: np.ndarray) -> np.ndarray:
    """The level (r,) in which each latent value (r,) lies; at a cut point, the one below it."""
    return np.searchsorted(cuts, np.asarray(z, dtype=float), side="left")


def standardized(cuts: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """(c - mean) / sd, (r, L - 1), where an sd may be 0."""
    with np.errstate(over="ignore"):
        return np.asarray((cuts - mean[:, np.newaxis]) / np.maximum(sd, _TINY)[:, np.newaxis])


def probabilities(cuts: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Probability (r, L) of each level where z is normal with ``mean`` and ``sd`` (r,); rows add up to 1 by 1e-15."""
    from scipy.special import ndtr  # noqa: PLC0415 (importing emimpute stays light)

    at = standardized(cuts, mean, sd)
    edge = np.full((len(at), 1), np.inf)
    low, high = np.hstack([-edge, at]), np.hstack([at, edge])
    flipped = low > 0
    return np.asarray(ndtr(np.where(flipped, -low, high)) - ndtr(np.where(flipped, -high, low)))


def moments(shares: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd (r,) of ``scores`` (L,) that are taken with probabilities ``shares`` (r, L)."""
    mean = shares @ scores
    away = scores - mean[:, np.newaxis]
    return mean, np.sqrt((shares * away * away).sum(axis=1))
