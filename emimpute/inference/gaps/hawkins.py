r"""Hawkins' test, whether groups of complete rows are normal with one covariance matrix, whatever their means.

A row's Mahalanobis distance from its own group's mean, in the covariance pooled over groups, becomes F with d and
N - g - d degrees of freedom once its own part in that covariance is taken out; the tail probabilities A of these are
then uniform in every group. Neyman's smooth test of order 4 asks that of each group, Fisher's sum combines them
(Hawkins 1981, https://doi.org/10.1080/00401706.1981.10486244). That fails also where rows are not normal; the
Anderson-Darling test asks only whether A is distributed alike in all groups (Jamshidian & Jalal 2010,
https://doi.org/10.1007/s11336-010-9175-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emimpute.inference.gaps.anderson import anderson_darling

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Hawkins", "Neyman", "hawkins", "tails"]

_ORDER = 4
_FEW = 30  # rows of a group, below which χ² is not trusted and the smooth statistic simulated
_TIMES = 9999  # of that


@dataclass(frozen=True, eq=False)
class Hawkins:
    """The tests of one completed table."""

    statistic: float  # Fisher's sum, χ² with 2 g degrees of freedom
    pvalue: float
    anderson_statistic: float  # standardised
    anderson_pvalue: float
    by_group: np.ndarray  # (g,) p-values of uniformity


def hawkins(groups: Sequence[np.ndarray], neyman: Neyman) -> Hawkins:
    """The tests of g groups of rows, each (n_i, d). Raises ``numpy.linalg.LinAlgError``: singular pooled covariance."""
    from scipy.special import chdtrc  # noqa: PLC0415 (importing emimpute stays light)

    found = tails(groups)
    by_group = np.array([neyman.pvalue(a) for a in found])
    statistic = -2 * float(np.log(by_group).sum())
    return Hawkins(statistic, float(chdtrc(2 * len(found), statistic)), *anderson_darling(found), by_group)


def tails(groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Tail probabilities, (n_i,) for each group (n_i, d); uniform under normality and one covariance."""
    from scipy.special import fdtrc  # noqa: PLC0415 (importing emimpute stays light)

    total, d = sum(map(len, groups)), groups[0].shape[1]
    within = total - len(groups)
    centred = [rows - rows.mean(axis=0) for rows in groups]
    root = np.linalg.cholesky(sum((z.T @ z for z in centred), np.zeros((d, d))) / within)
    found = []
    for z in centred:
        n = len(z)
        length = n * (np.linalg.solve(root, z.T) ** 2).sum(axis=0)
        # The length of a row is at most (n - 1) within, and rounding must not carry it there.
        left = np.maximum((n - 1) * within - length, np.finfo(float).tiny)
        found.append(fdtrc(d, within - d, (within - d) * length / (d * left)))
    return found


class Neyman:
    """Neyman's smooth test of uniformity, of order 4. What it simulates for small groups it keeps for the next."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._simulated: dict[int, np.ndarray] = {}

    def pvalue(self, sample: np.ndarray) -> float:
        """Of a sample (n,) in [0, 1]; from χ² with 4 degrees of freedom, or for n < 30 from 9 999 simulated samples."""
        from scipy.special import chdtrc  # noqa: PLC0415 (importing emimpute stays light)

        statistic = float(_smooth(sample[None])[0])
        n = len(sample)
        if n >= _FEW:
            return max(float(chdtrc(_ORDER, statistic)), np.finfo(float).tiny)
        if n not in self._simulated:
            self._simulated[n] = np.sort(_smooth(self._rng.random((_TIMES, n))))
        above = _TIMES - int(self._simulated[n].searchsorted(statistic))
        return (1 + above) / (1 + _TIMES)


def _smooth(samples: np.ndarray) -> np.ndarray:
    """The statistic of each row of (m, n): the squared sums of normalised Legendre polynomials, over n."""
    x = 2 * samples - 1
    p = [np.ones_like(x), x]
    for r in range(1, _ORDER):
        p.append(((2 * r + 1) * x * p[r] - r * p[r - 1]) / (r + 1))
    sums = [(2 * r + 1) * p[r].sum(axis=1) ** 2 for r in range(1, _ORDER + 1)]
    found: np.ndarray = np.sum(sums, axis=0) / samples.shape[1]
    return found
