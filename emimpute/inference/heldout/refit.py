"""The fitted law again, from other weights of the same rows: a few steps of EM from where it was.

A bootstrap sample and the rows outside a fold differ from the rows that were fitted by their weights alone. Each
pattern's statistics are made anew from these, in one pass, and EM starts at the fit: where that is close to the new
maximum, plain steps are soon there, and the accelerated engine takes over where they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.em import Stop, iterates
from emimpute.errors import named, shown
from emimpute.inference.complete import Law
from emimpute.inference.standing.boxplaces import standardised
from emimpute.models.factored import FactoredProblem
from emimpute.models.mixed import MixedProblem
from emimpute.models.mvn import CutNormal, MVNProblem, Normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from emimpute.latent import Latent

__all__ = ["Present", "refitted", "settled"]

_PLAIN = 24  # steps of plain EM, where they are short work, before the accelerated engine takes over
_STEPS = 1000  # E-steps of that
_LOST = {Stop.UNBOUNDED, Stop.SINGULAR, Stop.FLAT}


def refitted(
    law: Law,
    latent: Latent,
    weights: np.ndarray,
    prior: Any,
    close: Callable[[float], float],
    *,
    flat: bool = False,
) -> Any:
    """The parameters that the rows of ``latent`` (n, d) with these ``weights`` (n,) say; None if there is no maximum.

    ``close`` gives, from the rows' total weight, the distance to the maximum at which to end, in the unit of tol. With
    ``flat`` one maximum of many will do.
    """
    try:
        problem: Any = law.model.bind(latent, weights, prior)
        start: Any = None
        if isinstance(problem, MixedProblem):
            start = standardised(problem, law.params)
        elif isinstance(problem, MVNProblem | FactoredProblem):
            cov = law.params.cov / np.outer(problem.scale, problem.scale)
            start = Normal((law.params.mean - problem.centre) / problem.scale, cov)
        near = close(float(problem.rows))
        if isinstance(start, Normal) and not isinstance(start, CutNormal):
            if problem.solution is not None:
                start = problem.solution
            start, arrived = _plain(problem, start, near)
            if arrived:
                return None if problem.degenerate(start) else problem.natural(start)
        *_, last = iterates(problem, tol=near, max_iter=_STEPS, start=start)
    except np.linalg.LinAlgError:
        return None
    lost = last.stop in _LOST and not (flat and last.stop is Stop.FLAT)
    return None if lost else problem.natural(last.params)


def settled(law: Law, params: Any) -> Law:
    """The law with these parameters instead, and with the cut points among them."""
    table = law.table.settled(params.cuts) if isinstance(params, CutNormal) else law.table
    return Law(table, law.model, params)


def _plain(problem: Any, params: Normal, close: float) -> tuple[Normal, bool]:
    """Plain EM for some steps, and whether it came as close to the maximum as asked for, by Aitken's estimate.

    On small tables a step takes less than the accelerated engine's checks do.
    """
    white = np.linalg.inv(np.linalg.cholesky(params.cov))
    before = np.inf
    for _ in range(_PLAIN):
        found: Normal = problem.maximize(problem.expect(params)[0])
        step = _length(white, params, found)
        rate = min(step / before, 1.0)
        if step == 0 or (np.isfinite(before) and rate < 1 and step * rate / (1 - rate) < close):
            # A variance on its way to 0 is close to it where it began, but not in its own unit.
            white = np.linalg.inv(np.linalg.cholesky(found.cov))
            step = _length(white, params, found)
            if step == 0 or step * rate / (1 - rate) < close:
                return found, True
        params, before = found, step
    return params, False


def _length(white: np.ndarray, one: Normal, other: Normal) -> float:
    """The distance of two laws in the unit of tol, where ``white`` (d, d) whitens."""
    by_mean = np.linalg.norm(white @ (other.mean - one.mean))
    by_cov = np.linalg.norm(white @ (other.cov - one.cov) @ white.T)
    return float(max(by_mean, by_cov))


@dataclass(frozen=True, eq=False)
class Present:
    """What other weights must not lose: columns that vary, and each answer that was given at all."""

    labels: list[Any]  # (d,) of the coordinates
    points: np.ndarray  # (n, d), NaN where there is none
    varies: np.ndarray  # (d,) bool, which coordinates have points that differ
    answers: dict[int, tuple[np.ndarray, int]]  # by column: the number (n,) of each row's answer, -1 for none; how many
    columns: list[Any]  # labels of the columns

    @classmethod
    def of(cls, law: Law, latent: Latent) -> Present:
        """What the rows of ``latent`` (n, d) have."""
        points = np.where(latent.observed, latent.points, np.nan)
        varies = np.fmin.reduce(points, axis=0) < np.fmax.reduce(points, axis=0)
        labels = law.table.coordinates.tolist()
        coarse = latent.known & ~latent.observed
        answers = {}
        cones = {cone.span.start: cone for cone in latent.cones}
        for place, span in enumerate(latent.spans):
            j = span.start
            if span.stop > j and coarse[:, j].any() and (j in cones or len(latent.cuts[j])):
                given = np.flatnonzero(coarse[:, j])
                said = cones[j].of_row[given] if j in cones else latent.lower[given, j]
                distinct, codes = np.unique(said, return_inverse=True)
                number = np.full(len(coarse), -1)
                number[given] = codes.reshape(-1)
                answers[place] = number, len(distinct)
        return cls(labels, points, varies, answers, law.table.labels.tolist())

    def lost(self, weights: np.ndarray) -> str | None:
        """What rows of these weights lack, in words, or None."""
        if constant := self.constant(weights):
            return f"Samples leave {named(constant)} without two values that differ."
        for place, (number, count) in self.answers.items():
            if len(np.unique(number[(weights > 0) & (number >= 0)])) < count:
                return f"Samples lose a rare answer of {shown(self.columns[place])}."
        return None

    def constant(self, weights: np.ndarray) -> list[Any]:
        """The coordinates, by label, whose points no longer differ among rows of these weights (n,)."""
        here = self.points[weights > 0]
        lost = self.varies & ~(np.fmin.reduce(here, axis=0) < np.fmax.reduce(here, axis=0))
        return [self.labels[j] for j in np.flatnonzero(lost)]
