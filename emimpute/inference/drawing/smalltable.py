"""EM on a small table from weights of its rows: for bootstrap samples, where calls cost more than arithmetic.

Plain EM from the fit, on each pattern's sums, to within a given distance of the maximum by Aitken's estimate. Where
that takes long, or leads towards the edge of the parameter space, the answer is left to the engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.inference.drawing.bypattern import ByPattern, Sums
from emimpute.models.mvn import MVN, CutNormal, Normal

if TYPE_CHECKING:
    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

__all__ = ["SmallTable"]

_STEPS = 60  # of EM at most
_EDGE = 1e-6  # smallest eigenvalue of the correlation matrix that is no matter for the engine


@dataclass(frozen=True, eq=False)
class SmallTable:
    """Rows in which something is observed, in units of the fit."""

    table: ByPattern
    rows: np.ndarray  # of the data
    mean: np.ndarray  # (d,) of the fit
    unit: np.ndarray  # (d,) its sd
    cov: np.ndarray  # (d, d) its correlations
    prior: Any

    @classmethod
    def of(cls, law: Law, latent: Latent, prior: Any) -> SmallTable | None:
        """The table ``latent`` (n, d), or None where it is not small, has intervals, or the model is another one."""
        if latent.boxed or not isinstance(law.model, MVN) or isinstance(law.params, CutNormal):
            return None
        observed = latent.observed
        rows = np.flatnonzero(observed.any(axis=1))
        unit = np.sqrt(np.diag(law.params.cov))
        table = ByPattern.of((latent.points[rows] - law.params.mean) / unit, observed[rows])
        if table is None:
            return None
        return cls(table, rows, law.params.mean, unit, law.params.cov / np.outer(unit, unit), prior)

    def fitted(self, weights: np.ndarray, close: float) -> Normal | None:
        """The maximum for rows (n,) of these ``weights``; None where the engine should look for it.

        ``close`` is the distance to it at which to end, in sampling standard deviations.
        """
        sums = self.table.sums(weights[self.rows])
        total = float(sums.count.sum())
        near = close / math.sqrt(total)
        added, divisor = self._ridge(sums), total
        if self.prior is not None:
            divisor += self.prior.df + self.prior.extra(len(self.mean))
        mean, cov = np.zeros(len(self.mean)), self.cov
        white = np.linalg.inv(np.linalg.cholesky(cov))
        before = math.inf
        try:
            for _ in range(_STEPS):
                at, scatter = self.table.step(sums, mean, cov)
                found = (scatter + added) / divisor
                move = white @ (found - cov) @ white.T
                step = max(float(np.linalg.norm(white @ (at - mean))), float(np.linalg.norm(move)))
                mean, cov = at, found
                rate = min(step / before, 1.0)
                if step == 0 or (before < math.inf and rate < 1 and step * rate / (1 - rate) < near):
                    return self._natural(mean, cov)
                before = step
        except np.linalg.LinAlgError:
            return None
        return None

    def _natural(self, mean: np.ndarray, cov: np.ndarray) -> Normal | None:
        sd = np.sqrt(np.diag(cov))
        if not np.linalg.eigvalsh(cov / np.outer(sd, sd))[0] > _EDGE:
            return None
        return Normal(self.mean + self.unit * mean, cov * np.outer(self.unit, self.unit))

    def _ridge(self, sums: Sums) -> np.ndarray:
        """The scatter (d, d) that the prior adds: its df times the observed variances."""
        d = len(self.mean)
        if self.prior is None:
            return np.zeros((d, d))
        count = np.maximum(sums.count @ self.table.masks, 1.0)
        spread = sums.second[:, range(d), range(d)].sum(axis=0) - sums.first.sum(axis=0) ** 2 / count
        return np.diag(self.prior.df * spread / np.maximum(count - 1, 1))
