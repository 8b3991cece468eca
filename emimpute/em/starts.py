"""Several starts: where each run ended, which of them ended at the same maximum, and which one is kept.

A likelihood with holes may have several maxima, and which one EM finds is decided by where it starts. The first start
is always the problem's own, and where no other run ends higher, its result is kept, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from emimpute.em.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.em.loop import Iterate

__all__ = ["Agreement", "compare"]

_APART = 10.0  # times tol: what two runs may be apart that ended at one maximum, each within tol of it,
_NEAR = 1e-4  # or this much, below which nobody would call two estimates different
_LEVEL = 1e-6  # difference in log posterior of maxima that are of one height


class _Chart(Protocol):
    def to_vector(self, params: Any) -> np.ndarray: ...
    def distance(self, vector: np.ndarray) -> float: ...


class _Problem(Protocol):
    @property
    def rows(self) -> float: ...
    def chart(self, reference: Any) -> _Chart: ...
    def noise(self, params: Any, logpost: float) -> float: ...


@dataclass(frozen=True)
class Agreement:
    """Where several runs ended, each known by its number (the first is 0)."""

    kept: int
    maxima: tuple[tuple[int, ...], ...]  # the runs that reached each maximum, the highest first
    level: int  # maxima as high as the highest
    diverged: tuple[int, ...]  # runs towards the edge of the parameter space
    unfinished: tuple[int, ...]  # runs that ended before they were at a maximum
    distances: tuple[float, ...]  # of each run's end from that of the kept one, in the unit of ``tol``


def compare(problem: _Problem, ends: Sequence[Iterate], tol: float) -> Agreement:
    """Tell the maxima apart that runs came to, by their last iterates ``ends``, and choose the one with the highest.

    A run that did not get as far as a maximum is kept where it is higher than all maxima, for then a higher one must
    exist; and one that diverged only where the first did and no run came to a maximum.
    """
    arrived = [i for i, end in enumerate(ends) if end.stop is not None and end.stop.success]
    diverged = tuple(i for i, end in enumerate(ends) if end.stop is Stop.UNBOUNDED)
    unfinished = tuple(i for i in range(len(ends)) if i not in arrived and i not in diverged)
    if not arrived and 0 in diverged:
        return Agreement(0, (), 0, diverged, unfinished, _distances(problem, ends, 0))

    def above(one: int, other: int) -> bool:
        return ends[one].logpost - ends[other].logpost > _level(problem, ends[one], tol)

    groups = _maxima(problem, ends, arrived, tol)
    top = [group for group in groups if not above(groups[0][0], group[0])]
    top.sort()  # by the earliest start, which is kept, so that later ones change nothing without a gain
    maxima = (*top, *groups[len(top) :])
    kept = maxima[0][0] if maxima else unfinished[0]
    for i in unfinished:
        kept = i if above(i, kept) else kept
    return Agreement(kept, maxima, len(top), diverged, unfinished, _distances(problem, ends, kept))


def _maxima(
    problem: _Problem, ends: Sequence[Iterate], arrived: Sequence[int], tol: float
) -> tuple[tuple[int, ...], ...]:
    groups: list[list[int]] = []
    for i in sorted(arrived, key=lambda i: -ends[i].logpost):
        near = (g for g in groups if _apart(problem, ends[g[0]].params, ends[i].params) <= max(_APART * tol, _NEAR))
        group = next(near, None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    return tuple(tuple(sorted(group)) for group in groups)


def _distances(problem: _Problem, ends: Sequence[Iterate], kept: int) -> tuple[float, ...]:
    here = ends[kept].params
    return tuple(0.0 if i == kept else _apart(problem, here, end.params) for i, end in enumerate(ends))


def _apart(problem: _Problem, one: Any, other: Any) -> float:
    """Distance of two parameters in the unit of ``tol``; infinite where one of them is no distribution to speak of."""
    try:
        chart = problem.chart(one)
        return chart.distance(chart.to_vector(other))
    except np.linalg.LinAlgError:
        return float("inf")


def _level(problem: _Problem, top: Iterate, tol: float) -> float:
    """Differences in height that mean nothing: what is left to climb, and what rounding may do."""
    return max(_LEVEL, problem.rows * tol**2, problem.noise(top.params, top.logpost))
