"""The loop: it yields iterates, and stops with a reason. Progress, logs and checkpoints watch it from outside.

Two engines share it. ``"em"`` is plain EM. ``"lbfgs"`` (the default) takes a few EM steps, then quasi-Newton steps in the
problem's :class:`~emimpute.models.base.Chart`, whose first step from nothing known *is* the EM step; a step that does not
raise the log posterior is shortened, and after some tries replaced by the EM step, which always does. Both end the same way:
by the Newton step (:mod:`emimpute.em.newton`), which estimates how far the maximum still is, and is then taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from emimpute.em.memory import Memory
from emimpute.em.newton import newton_step
from emimpute.em.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Iterate", "iterates"]

_PLAIN = 4  # EM steps before the chart is laid: the start is far away, and EM's first steps are long
_LONGEST = 2.0  # cap on the length of a quasi-Newton step, in sd and correlation units
_TRIES = 6  # shortenings of a step before the EM step replaces it
_MEMORY = 30  # steps remembered; 10 was much worse where p is close to n (measured)
_EXACT = 1e-13  # a gradient as long as rounding alone would leave
_CHECK = 200  # E-steps that one closing check may cost


class _Chart(Protocol):
    def to_vector(self, params: Any) -> np.ndarray: ...
    def from_vector(self, vector: np.ndarray) -> Any: ...
    def gradient(self, params: Any, statistics: Any) -> np.ndarray: ...
    def distance(self, vector: np.ndarray) -> float: ...


class _Problem(Protocol):
    @property
    def rows(self) -> float: ...
    def start(self) -> Any: ...
    def expect(self, params: Any) -> tuple[Any, float]: ...
    def maximize(self, statistics: Any) -> Any: ...
    def log_prior(self, params: Any) -> float: ...
    def chart(self, reference: Any) -> _Chart: ...
    def degenerate(self, params: Any) -> bool: ...
    def noise(self, params: Any, logpost: float) -> float: ...


@dataclass(frozen=True, eq=False)
class Iterate:
    """One accepted point of a run; ``step`` and ``remaining`` are in the unit of ``tol``."""

    params: Any
    loglik: float
    logpost: float
    step: float  # length of the step that led here
    remaining: float  # estimated distance to the maximiser; NaN while there is no estimate
    rate: float  # largest fraction of missing information met so far; NaN while none was
    esteps: int  # E-steps so far, rejected ones too
    accelerated: bool  # whether the step that led here was not plain EM's
    checks: int  # E-steps spent on closing checks so far
    stop: Stop | None = None  # set on the last iterate only


def iterates(
    problem: _Problem,
    *,
    tol: float = 1e-6,
    max_iter: int = 1000,
    start: Any = None,
    engine: Literal["lbfgs", "em"] = "lbfgs",
) -> Iterator[Iterate]:
    """Yield iterates from ``start`` (default: the problem's own); the ``stop`` of the last one says why it is the last.

    ``tol`` bounds the estimated distance to the maximiser, in the unit of the problem's chart; ``max_iter`` counts E-steps, those of
    closing checks apart.
    """
    search = _Search(problem, max_iter, accelerate=engine == "lbfgs")
    if not search.begin(problem.start() if start is None else start):
        yield search.iterate(Stop.UNBOUNDED)
        return
    target, moved = tol, True
    while True:
        remaining = search.estimate()
        stop = (
            Stop.UNBOUNDED
            if search.lost or problem.degenerate(search.at.params)
            else Stop.MAX_ITER
            if search.esteps >= max_iter
            else None
            if moved or remaining < target
            else Stop.STALLED
        )
        yield search.iterate(stop)
        if stop is not None:
            return
        if remaining < target:
            if search.close(tol):
                yield search.iterate(Stop.CONVERGED)
                return
            target /= 4  # the estimate was too good: ask for more before the next check
        else:
            moved = search.advance()


class _Point:
    """Parameters with their E-step."""

    def __init__(self, problem: _Problem, params: Any) -> None:
        self.params = params
        self.statistics, self.loglik = problem.expect(params)
        self.logpost = self.loglik + problem.log_prior(params)


class _Search:
    """Where a run stands. It lives inside the generator, and only iterates leave it."""

    at: _Point
    chart: _Chart
    vector: np.ndarray  # coordinates of `at`
    gradient: np.ndarray  # there, per row

    def __init__(self, problem: _Problem, max_iter: int, *, accelerate: bool) -> None:
        self.problem, self.max_iter = problem, max_iter
        self.plain = _PLAIN if accelerate else max_iter
        self.memory = Memory(_MEMORY)
        self.residuals: list[float] = []  # lengths of the EM steps while the run is plain
        self.esteps = self.checks = 0
        self.step = 0.0
        self.rate = self.remaining = float("nan")
        self.accelerated = self.lost = False

    def begin(self, start: Any) -> bool:
        """The first E-step; False where ``start`` has no likelihood."""
        point = self._visit(start)
        if point is None:
            self.at = _Point.__new__(_Point)
            self.at.params, self.at.loglik, self.at.logpost = start, float("nan"), float("nan")
            return False
        self.at = point
        self._lay_chart()
        return True

    def iterate(self, stop: Stop | None = None) -> Iterate:
        """Where the run stands, for the world to see."""
        at = self.at
        return Iterate(
            at.params,
            at.loglik,
            at.logpost,
            self.step,
            self.remaining,
            self.rate,
            self.esteps,
            self.accelerated,
            self.checks,
            stop,
        )

    def estimate(self) -> float:
        """How far the maximum seems to be, from what the run has learned; infinite while it has learned nothing."""
        length = self.chart.distance(self.gradient)
        if length < _EXACT:
            self.remaining = length
        elif len(self.memory):
            self.remaining = self.chart.distance(self.memory.direction(self.gradient))
        elif self.rate < 1:
            self.remaining = length / (1 - self.rate)
        else:
            self.remaining = float("inf")
        return self.remaining

    def advance(self) -> bool:
        """Go to a better point, by a quasi-Newton step if one is found, else by the EM step; False if even that is not better."""
        if len(self.residuals) > self.plain:
            if self._try(self.memory.direction(self.gradient)):
                return True
            self.memory.clear()
        params = self.problem.maximize(self.at.statistics)
        point = self._visit(params)
        if point is None:
            self.lost, self.at.params = True, params  # where EM left the parameter space is what the user needs to see
            return False
        if not self._better(point, self.chart.to_vector(params) - self.vector):
            return False
        self._move(point, accelerated=False)
        return True

    def close(self, tol: float) -> bool:
        """Estimate the distance by the Newton step and take it; whether the distance was below ``tol`` and the matter is closed."""
        newton = newton_step(self._gradient_beside, self.gradient, self.memory.direction, self.chart.distance, _CHECK)
        self.rate = float(np.nanmax([self.rate, 1 - newton.curvature]))
        here = self.problem.chart(self.at.params)
        target = self.chart.from_vector(self.vector + newton.step)
        distance = here.distance(here.to_vector(target))
        near = newton.settled and newton.concave and distance < tol
        if near:
            point = self._visit(target)
            if point is not None and self._better(point, newton.step):
                self._move(point, accelerated=True)
        else:
            self._try(newton.step)
        self.remaining = distance
        return near

    def _try(self, direction: np.ndarray) -> bool:
        """Move along ``direction``, shortened until the log posterior rises as it should."""
        expected = float(direction @ self.gradient)
        if not expected > 0:
            return False
        size = min(1.0, _LONGEST / self.chart.distance(direction))
        for _ in range(_TRIES):
            point = self._visit(self.chart.from_vector(self.vector + size * direction))
            if point is not None and self._better(point, direction, 1e-4 * size * expected):
                self._move(point, accelerated=True)
                return True
            if self.esteps >= self.max_iter:
                return False
            gain = -1.0 if point is None else (point.logpost - self.at.logpost) / self.problem.rows
            # minimiser of the parabola through the two values and the slope, kept between a tenth and a half
            size *= min(0.5, max(0.1, size * expected / (2 * (size * expected - gain))))
        return False

    def _better(self, point: _Point, direction: np.ndarray, enough: float = 0.0) -> bool:
        """Whether ``point``, reached along ``direction``, gains ``enough`` per row.

        Where the gain drowns in rounding, the slope along the direction decides, which does not: it must have shrunk (the
        approximate Wolfe condition of Hager & Zhang 2005, https://doi.org/10.1137/030601880).
        """
        gain = point.logpost - self.at.logpost
        noise = self.problem.noise(self.at.params, self.at.logpost)
        if abs(gain) > noise or not direction.any():
            return gain >= max(enough * self.problem.rows, 0.0)
        after = float(self.chart.gradient(point.params, point.statistics) @ direction)
        return abs(after) < float(self.gradient @ direction)

    def _move(self, point: _Point, *, accelerated: bool) -> None:
        vector = self.chart.to_vector(point.params)
        step = vector - self.vector
        self.at, self.step, self.accelerated = point, self.chart.distance(step), accelerated
        if len(self.residuals) <= self.plain or not accelerated:
            self._lay_chart()
            return
        gradient = self.chart.gradient(point.params, point.statistics)
        fraction = 1 - self.memory.learn(step, self.gradient - gradient)
        self.rate = fraction if np.isnan(self.rate) else max(self.rate, fraction)
        self.vector, self.gradient = vector, gradient

    def _lay_chart(self) -> None:
        """Put the origin of the coordinates here; what was learned in other coordinates is forgotten."""
        self.memory.clear()
        self.chart = self.problem.chart(self.at.params)
        self.gradient = self.chart.gradient(self.at.params, self.at.statistics)
        self.vector = np.zeros_like(self.gradient)
        self.residuals.append(float(np.linalg.norm(self.gradient)))
        past = self.residuals[-11:]
        if len(past) > 2 and past[0] > 0:  # the first ratio says nothing yet
            past = past[len(past) // 2 - 1 :] if len(past) < 11 else past
            self.rate = (past[-1] / past[0]) ** (1 / (len(past) - 1))

    def _gradient_beside(self, displacement: np.ndarray) -> np.ndarray | None:
        """The gradient at a displacement from here: an E-step that only checks."""
        self.checks += 1
        params = self.chart.from_vector(self.vector + displacement)
        try:
            statistics, _ = self.problem.expect(params)
        except np.linalg.LinAlgError:
            return None
        return self.chart.gradient(params, statistics)

    def _visit(self, params: Any) -> _Point | None:
        """The E-step at ``params``, or None where they are outside the parameter space."""
        self.esteps += 1
        try:
            return _Point(self.problem, params)
        except np.linalg.LinAlgError:
            return None
