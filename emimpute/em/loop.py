"""The loop: it yields iterates, and stops with a reason. Progress, logs and checkpoints watch it from outside.

Two engines share it. ``"em"`` is plain EM. ``"lbfgs"`` (the default) takes a few EM steps, then quasi-Newton steps
in the problem's :class:`~emimpute.models.base.Chart`, whose first step from nothing known *is* the EM step; a step
that does not raise the log posterior is shortened, and after some tries replaced by the EM step, which always does.
Both end the same way: by the Newton step (:mod:`emimpute.em.newton`), which estimates how far the maximum still is,
and is then taken. Where that meets a direction of negative curvature the run stands at a saddle, and leaves it
along that direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from emimpute.em.lanczos import lanczos
from emimpute.em.memory import Memory
from emimpute.em.newton import FLAT, Newton, newton_step, whole_newton_step
from emimpute.em.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emimpute.em.lanczos import Ritz

__all__ = ["Iterate", "iterates"]

_FIRST = 4  # EM steps before the chart is laid: the start is far away, and EM's first steps are long
_LONGEST = 0.5  # cap on the length of a quasi-Newton step, in sd and correlation units: longer ones leave EM's basin
_PROVED = 2  # steps of the length of the cap, one after the other, that did well: then it grows
_LONGER = 2.0  # by this; many columns are far from their maximum, and one length does not fit all
_WELL = 0.5  # a gain, relative to what the slope promised, at which a step did well
_TRIES = 6  # shortenings of a step before the EM step replaces it
_MEMORY = 30  # steps remembered; 10 was much worse where p is close to n (measured)
_MUCH = 0.3  # share of the complete data's information with which a rough one is near enough (measured: .9 to 1.1)
_PATIENCE = 10  # E-steps of a run before the whole information is computed, and between two such, where that is cheap
_EXACT = 1e-13  # a gradient as long as rounding alone would leave
_SOLVED = 1e-9  # the same where a closed form was computed from ill-conditioned data
_CHECK = 200  # E-steps that one closing check may cost
_SHARE = 0.25  # of the E-steps so far: what a look around costs, and twice that where something is odd
_GLANCE = 4, 8  # E-steps that a look takes at least, or it is not taken, and at most where nothing is odd
_SUSPECT = 1e-2  # least curvature that may be none
_DIFFERENCE = 1e-6  # length of the displacement for a directional derivative
_HALVINGS = 12  # of the step that leaves a saddle


class _Chart(Protocol):
    def to_vector(self, params: Any) -> np.ndarray: ...
    def from_vector(self, vector: np.ndarray) -> Any: ...
    def gradient(self, params: Any, statistics: Any) -> np.ndarray: ...
    def distance(self, vector: np.ndarray) -> float: ...


class _Problem(Protocol):
    @property
    def rows(self) -> float: ...
    @property
    def closed(self) -> bool: ...
    @property
    def solution(self) -> Any: ...
    def start(self) -> Any: ...
    def expect(self, params: Any) -> tuple[Any, float]: ...
    def maximize(self, statistics: Any) -> Any: ...
    def log_prior(self, params: Any) -> float: ...
    def chart(self, reference: Any) -> _Chart: ...
    def degenerate(self, params: Any) -> bool: ...
    def noise(self, params: Any, logpost: float) -> float: ...
    @property
    def information_cost(self) -> float: ...
    def information(self, params: Any, statistics: Any) -> np.ndarray: ...


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
    saddles: int = 0  # points so far at which the run came to rest, and which were no maximum


def iterates(
    problem: _Problem,
    *,
    tol: float = 1e-6,
    max_iter: int = 1000,
    start: Any = None,
    engine: Literal["lbfgs", "em"] = "lbfgs",
) -> Iterator[Iterate]:
    """Yield iterates from ``start`` (default: the problem's own); the ``stop`` of the last one says why it is the last.

    ``tol`` bounds the estimated distance to the maximiser, in the unit of the problem's chart; ``max_iter`` bounds the
    E-steps, those of closing checks apart.
    """
    search = _Search(problem, max_iter, accelerate=engine == "lbfgs")
    # Plain EM is asked for to be watched; only where it has nothing to do it is spared, too.
    default = start is None
    solution = problem.solution if default and (search.accelerate or problem.closed) else None
    if default:
        start = problem.start() if solution is None else solution
    if not search.begin(start):
        nan = float("nan")
        yield Iterate(start, nan, nan, 0.0, nan, nan, search.esteps, False, 0, Stop.UNBOUNDED)
        return
    if solution is None and search.accelerate and default:
        search.consider(getattr(problem, "nearby", None))
    if solution is not None and search.solved(tol):
        yield search.iterate(Stop.UNBOUNDED if search.broken else Stop.NOTHING_MISSING)
        return
    target = tol
    while True:
        near = search.estimate() < target
        stop = search.verdict()
        yield search.iterate(stop)
        if stop is not None:
            return
        if not near and (search.advance() or search.verdict() is not None):
            continue
        stop = search.close(tol)
        if stop is not None:
            yield search.iterate(stop)
            return
        target /= 4  # the estimate was too good: ask for more before the next check
        if not search.moved and not search.advance() and search.verdict() is None:
            yield search.iterate(Stop.STALLED)
            return


@dataclass(frozen=True, eq=False)
class _Point:
    """Parameters with their E-step, and where they are in a chart."""

    params: Any
    statistics: Any
    loglik: float
    logpost: float
    vector: np.ndarray  # (p,)
    gradient: np.ndarray  # (p,) of the log posterior, per row


class _Search:
    """Where a run stands. It lives inside the generator, and only iterates leave it."""

    at: _Point
    chart: _Chart

    def __init__(self, problem: _Problem, max_iter: int, *, accelerate: bool) -> None:
        self.problem, self.max_iter, self.accelerate = problem, max_iter, accelerate
        self.memory = Memory(_MEMORY)
        self.residuals: list[float] = []  # lengths of EM steps that followed one another
        self.plain = self.esteps = self.checks = self.saddles = 0
        self.informed = 0  # E-steps when the whole information was last computed
        self.step = 0.0
        self.longest = _LONGEST  # cap on the next step
        self.capped = 0  # steps of that length in a row that did well
        self.rate = self.remaining = float("nan")
        self.accelerated = False
        self.moved = True  # whether the last `advance` or `close` found a better point
        self.lost: Any = None  # parameters outside the parameter space, where the EM step led

    def begin(self, start: Any) -> bool:
        """The first E-step; False where ``start`` has no likelihood."""
        try:
            self.chart = self.problem.chart(start)
        except np.linalg.LinAlgError:
            return False
        point = self._visit(start)
        if point is None:
            return False
        self.at = point
        self._watch_rate()
        return True

    def consider(self, other: Any) -> None:
        """Start from ``other`` instead, if that is better; one E-step, unless it is None."""
        if other is None or self.esteps >= self.max_iter or self.problem.degenerate(other):
            return
        point = self._visit(other)
        if point is not None and point.logpost > self.at.logpost:
            self.at = point
            self._lay_chart()
            self.residuals.clear()
            self._watch_rate()

    def iterate(self, stop: Stop | None = None) -> Iterate:
        """Where the run stands, for the world to see."""
        at = self.at
        return Iterate(
            at.params
            if self.lost is None
            else self.lost,  # where EM left the parameter space is what users need to see
            at.loglik,
            at.logpost,
            self.step,
            self.remaining,
            min(self.rate, 1.0),
            self.esteps,
            self.accelerated,
            self.checks,
            stop,
            self.saddles,
        )

    @property
    def broken(self) -> bool:
        """Whether the run has come to the edge of the parameter space."""
        return self.lost is not None or self.problem.degenerate(self.at.params)

    def verdict(self) -> Stop | None:
        """The reason to stop here and now, if there is one."""
        if self.broken:
            return Stop.UNBOUNDED
        return Stop.MAX_ITER if self.esteps >= self.max_iter else None

    def estimate(self) -> float:
        """How far the maximum seems to be, by what the run has learned; infinite while it has learned nothing."""
        length = self.chart.distance(self.at.gradient)
        if length < _EXACT:
            self.remaining = length
        elif len(self.memory):
            self.remaining = self.chart.distance(self.memory.direction(self.at.gradient))
        elif self.rate < 1:
            self.remaining = length / (1 - self.rate)
        else:
            self.remaining = float("inf")
        return self.remaining

    def solved(self, tol: float) -> bool:
        """Whether the gradient is gone, so that nothing is left to do but for rounding."""
        self.remaining = self.chart.distance(self.at.gradient)
        return self.broken or self.remaining < min(tol, _SOLVED)

    def advance(self) -> bool:
        """Go to a better point, by a quasi-Newton step if one is found, else by the EM step; False if there is none."""
        self.moved = False
        if not self._plainly:
            if self.esteps - self.informed > max(self._patience, self.problem.information_cost):
                self.esteps += 1
                self._inform()
            if self._try(self.memory.direction(self.at.gradient)):
                return True
            self.memory.clear()
        if self.esteps >= self.max_iter:
            return False
        params = self.problem.maximize(self.at.statistics)
        point = self._visit(params)
        if point is None:
            self.lost = params
        elif self._better(point, point.vector - self.at.vector):
            self._move(point, accelerated=False)
        return self.moved

    @property
    def _rough(self) -> bool:
        """Whether the problem's information leaves something out."""
        return bool(getattr(self.problem, "rough", False))

    def _borne_out(self, newton: Newton) -> bool:
        """Whether the information along a step is about what a rough one said that the step was made of.

        Where it says that much of the information is there in every direction, it is taken at its word.
        """
        if newton.curvature > _MUCH:
            return True
        size = float(np.linalg.norm(newton.step))
        if not newton.concave or not size:
            return newton.concave
        said = float(newton.step @ self.at.gradient) / size**2
        try:
            return said / 2 < self._curvature(newton.step / size) < 2 * said
        except np.linalg.LinAlgError:  # so near to the edge that it cannot be looked at
            return False

    @property
    def _patience(self) -> int:
        """E-steps to be taken before the whole information is asked for (again).

        A rough one is a good beginning, and the memory soon knows better.
        """
        return max(getattr(self.problem, "patience", _PATIENCE), self.informed if self._rough else 0)

    def close(self, tol: float) -> Stop | None:
        """Estimate the distance by the Newton step, and take it; the stop, if the distance was below ``tol``."""
        self.moved = False
        # The whole information if it costs less than the run so far, else products with it.
        newton = self._inform(closing=True) if self.problem.information_cost <= self.esteps else None
        self.checks += newton is not None
        if newton is not None and self._rough and not self._borne_out(newton):
            newton = None  # products with the information leave nothing out
        newton = newton or self._solve()
        self.rate = float(np.nanmax([self.rate, 1 - newton.curvature]))
        if not newton.concave:
            self.remaining = float("inf")
            self._leave(newton.step)
            return None
        self.remaining = self._distance(newton.step)
        if not (newton.settled and self.remaining < tol):
            self._try(newton.step)
            return None
        around = newton if newton.whole else self._look_around()
        if not around.concave:
            self.rate, self.remaining = float(np.nanmax([self.rate, 1 - around.curvature])), float("inf")
            self._leave(around.step)
            return None
        point = self._visit_vector(self.at.vector + newton.step)
        if point is not None and self._better(point, newton.step):
            self._move(point, accelerated=True)
        return Stop.FLAT if newton.flat or around.flat else Stop.CONVERGED

    def _look_around(self) -> Newton:
        """The direction of least curvature, as far as a share of the E-steps spent so far finds it by Lanczos.

        Conjugate gradients see no direction that the gradient has no part in: neither those of a flat likelihood, nor
        those off a saddle that lies between two maxima that mirror each other.
        """
        size, share = len(self.at.gradient), round(_SHARE * self.esteps)
        nothing = Newton(np.zeros(size), settled=False, concave=True, curvature=1.0)
        if share < _GLANCE[0]:
            return nothing

        def enough(ritz: Ritz) -> bool:
            """Some curvature is within the residual of the least that was met; on a flat likelihood that may be 0."""
            least = 1 - float(ritz.values[-1])
            return ritz.products >= min(share, _GLANCE[1]) and (least > ritz.residual or abs(least) < FLAT)

        try:
            ritz = lanczos(self._missing, size, 2 * share, enough=enough)
            direction, least = ritz.vectors[:, -1], float(1 - ritz.values[-1])
            if least < _SUSPECT:
                least = self._curvature(direction)
                apart = 1 - float(ritz.values[-2]) - least if len(ritz.values) > 1 else 1.0
                if 0 < least < 10 * FLAT < apart:  # what the other directions still have in this one (Kato-Temple)
                    least = max(0.0, least - ritz.residual**2 / apart)
        except np.linalg.LinAlgError:
            return nothing
        return Newton(direction, ritz.settled, least >= -FLAT, least)

    def _missing(self, direction: np.ndarray) -> np.ndarray:
        """The Jacobian of the EM map, times ``direction`` (p,)."""
        product = self._information(direction)
        if product is None:
            raise np.linalg.LinAlgError
        return np.asarray(direction - product)

    def _curvature(self, direction: np.ndarray) -> float:
        """The information per row along a unit ``direction`` (p,): two E-steps, and exact to their square."""
        size = math.sqrt(_DIFFERENCE) / 10
        self.checks += 2
        slopes = []
        for side in (-size, size):
            params = self.chart.from_vector(self.at.vector + side * direction)
            slopes.append(float(self.chart.gradient(params, self.problem.expect(params)[0]) @ direction))
        return (slopes[0] - slopes[1]) / (2 * size)

    def _inform(self, *, closing: bool = False) -> Newton | None:
        """The Newton step by the whole information, with which the memory then begins anew in a chart laid here.

        Not where the information has a direction of negative curvature: Newton's steps leave such a region for any
        maximum, and what the memory has learned follows EM's path. None on the edge of the parameter space.
        """
        self.informed = self.esteps
        try:
            values, vectors = np.linalg.eigh(self.problem.information(self.at.params, self.at.statistics))
        except np.linalg.LinAlgError:
            return None
        if values[0] > 0 or closing:
            if not self._lay_chart():
                return None
            self.memory.begin(values, vectors)
        return whole_newton_step(values, vectors, self.at.gradient)

    def _solve(self) -> Newton:
        """Newton's step by conjugate gradients."""
        length = self.chart.distance
        if length(self.at.gradient) >= _EXACT:
            return newton_step(self._information, self.at.gradient, self.memory.direction, length, _CHECK)
        # A gradient of mere rounding points nowhere; any direction will do to tell a maximum from a saddle.
        side = np.random.default_rng(0).standard_normal(len(self.at.gradient))
        newton = newton_step(self._information, side, self.memory.direction, length, _CHECK)
        if not newton.concave:
            return newton
        shrunk = newton.step * (length(self.at.gradient) / length(side))
        return replace(newton, step=shrunk, settled=newton.settled or newton.flat)

    @property
    def _plainly(self) -> bool:
        """Whether the next step is to be plain EM's."""
        return not self.accelerate or self.plain < _FIRST

    def _distance(self, step: np.ndarray) -> float:
        """Length of ``step``, seen from where it begins, and not from where the chart was laid."""
        far = self.chart.distance(step)
        if far > _LONGEST:
            return far
        try:
            here = self.problem.chart(self.at.params)
            return here.distance(here.to_vector(self.chart.from_vector(self.at.vector + step)))
        except np.linalg.LinAlgError:
            return float("inf")

    def _try(self, direction: np.ndarray) -> bool:
        """Move along ``direction``, shortened until the log posterior rises as it should."""
        at = self.at
        expected = float(direction @ at.gradient)
        if not expected > 0:
            return False
        size = min(1.0, self.longest / self.chart.distance(direction))
        capped = size < 1
        for _ in range(_TRIES):
            if self.esteps >= self.max_iter:
                return False
            point = self._visit_vector(at.vector + size * direction)
            if point is not None and self._better(point, direction, 1e-4 * size * expected):
                well = point.logpost - at.logpost > _WELL * size * expected * self.problem.rows
                self.capped = self.capped + 1 if capped and well else 0
                if self.capped >= _PROVED:
                    self.longest *= _LONGER
                self._move(point, accelerated=True)
                return True
            capped, self.longest = False, max(_LONGEST, self.longest / _LONGER)
            gain = -1.0 if point is None else (point.logpost - at.logpost) / self.problem.rows
            # minimiser of the parabola through the two values and the slope, kept between a tenth and a half
            size *= min(0.5, max(0.1, size * expected / (2 * (size * expected - gain))))
        return False

    def _leave(self, direction: np.ndarray) -> None:
        """Move uphill along a direction of negative curvature, so far that the log posterior rises beyond rounding."""
        at = self.at
        noise = self.problem.noise(at.params, at.logpost)
        size = (1.0 if direction @ at.gradient >= 0 else -1.0) / self.chart.distance(direction)
        for _ in range(_HALVINGS):
            if self.esteps >= self.max_iter:
                return
            point = self._visit_vector(at.vector + size * direction)
            if point is not None and point.logpost - at.logpost > noise:
                self.saddles += 1
                self._move(point, accelerated=True)
                return
            size /= 2

    def _better(self, point: _Point, direction: np.ndarray, enough: float = 0.0) -> bool:
        """Whether ``point``, reached along ``direction``, gains ``enough`` per row.

        Where the gain drowns in rounding, the slope along the direction decides, which does not: it must have
        shrunk (the approximate Wolfe condition of Hager & Zhang 2005, https://doi.org/10.1137/030601880).
        """
        gain = point.logpost - self.at.logpost
        noise = self.problem.noise(self.at.params, self.at.logpost)
        if abs(gain) > noise:
            return gain >= max(enough * self.problem.rows, 0.0)
        return abs(float(point.gradient @ direction)) < float(self.at.gradient @ direction)

    def _move(self, point: _Point, *, accelerated: bool) -> None:
        before, self.at = self.at, point
        step = point.vector - before.vector
        self.step, self.accelerated, self.moved = self.chart.distance(step), accelerated, True
        if accelerated:
            self.residuals.clear()
        else:
            self.plain += 1
        if self._plainly or not accelerated:
            self._lay_chart()
        else:
            fraction = 1 - self.memory.learn(step, before.gradient - point.gradient)
            self.rate = fraction if np.isnan(self.rate) else max(self.rate, fraction)
        self._watch_rate()

    def _lay_chart(self) -> bool:
        """Put the origin of the coordinates here, and forget what was learned in other ones; False on the edge."""
        try:
            chart = self.problem.chart(self.at.params)
            gradient = chart.gradient(self.at.params, self.at.statistics)
        except np.linalg.LinAlgError:  # on the edge of the parameter space the old coordinates are the better ones
            return False
        self.memory.clear()
        self.chart = chart
        self.at = replace(self.at, vector=np.zeros_like(gradient), gradient=gradient)
        return True

    def _watch_rate(self) -> None:
        """Learn the rate from the lengths of EM steps that followed one another."""
        self.residuals.append(self.chart.distance(self.at.gradient))
        past = self.residuals[-11:]
        if len(past) > 2 and past[0] > 0:
            past = past[len(past) // 2 - 1 :] if len(past) < 11 else past  # the first ratios say nothing yet
            self.rate = (past[-1] / past[0]) ** (1 / (len(past) - 1))

    def _information(self, direction: np.ndarray) -> np.ndarray | None:
        """The observed information per row here times ``direction``, from an E-step beside that only checks."""
        self.checks += 1
        size = _DIFFERENCE / float(np.linalg.norm(direction))
        params = self.chart.from_vector(self.at.vector + size * direction)
        try:
            statistics, _ = self.problem.expect(params)
            bent = (self.at.gradient - self.chart.gradient(params, statistics)) / size
            # where nothing changes by construction, a chart may count the information as the complete data's
            return np.asarray(bent + getattr(self.chart, "held", np.zeros_like)(direction))
        except np.linalg.LinAlgError:
            return None

    def _visit(self, params: Any) -> _Point | None:
        """The E-step at ``params``, or None where they are outside the parameter space."""
        try:
            vector = self.chart.to_vector(params)
        except np.linalg.LinAlgError:
            self.esteps += 1
            return None
        return self._point(params, vector)

    def _visit_vector(self, vector: np.ndarray) -> _Point | None:
        """The same for coordinates (p,)."""
        return self._point(self.chart.from_vector(vector), vector)

    def _point(self, params: Any, vector: np.ndarray) -> _Point | None:
        self.esteps += 1
        try:
            statistics, loglik = self.problem.expect(params)
            gradient = self.chart.gradient(params, statistics)
            return _Point(params, statistics, loglik, loglik + self.problem.log_prior(params), vector, gradient)
        except np.linalg.LinAlgError:
            return None
