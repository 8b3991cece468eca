r"""Columns that are complete, factored out: their law has a closed form, and EM learns that of the others given them.

Let x be the coordinates that every row has, y the others, and

.. math:: y \mid x \sim N(\alpha + B(x - \bar x), K).

The likelihood is p(x) p(y | x), and the penalty factors with it: with Δ diagonal, tr(ΔΣ⁻¹) = tr(Δ_x Σ_xx⁻¹) +
tr((Δ_y + BΔ_xBᵀ)K⁻¹), and log|Σ| = log|Σ_xx| + log|K|. So x̄ and W, the mode of Σ_xx, are reached by the first M-step
and stay, and what is left to climb in is (α, B, K), of d_y(d_x + 1) + d_y(d_y + 1)/2 coordinates. An E-step takes
y − α − B(x − x̄), whose holes have the same conditional law under N(0, K) as those of y given all else: its products are
n × d_y, and its small systems know nothing of x (Little & Rubin 2019, https://doi.org/10.1002/9781119482260, section
7.2; Schafer 1997, https://doi.org/10.1201/9781439821862).

Parameters and statistics are those of all coordinates, and EM's iterates are those of :class:`MVNProblem`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.conditional import Rows, conditionals
from emimpute.models.information import cost, curvature, observed_information, penalty
from emimpute.models.mvn import MVNProblem, Normal, Statistics, correlation, quotients, symmetric, whitened_eigen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from emimpute.latent import Patterns
    from emimpute.models.conditional import Chunk, Conditional

    _Chunks = list[tuple[slice, tuple[Chunk]]]  # rows of the table, and the plan for these alone

__all__ = ["FactoredChart", "FactoredProblem", "Regression", "factor"]

_COLLINEAR = 1e-8  # smallest eigenvalue of the correlation matrix of x that a regression on it bears
_ILL = 1e8  # condition number above which the precision form is left


def factor(
    whole: MVNProblem, table: Iterable[np.ndarray], centre: np.ndarray, known: np.ndarray
) -> MVNProblem | FactoredProblem:
    """``whole``, which has no table yet, bound to the rows of ``table``: factored, unless x is nearly collinear.

    ``table`` (R, d) comes in blocks, ``centre`` (R,) is as in :class:`Rows`, and ``known`` (d,) tells which
    coordinates are x.
    """
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    dx, found = int(known.sum()), whole.patterns
    of_y = replace(found, masks=found.masks[:, ~known])
    plan = Rows.sort((), centre, of_y)
    place = np.empty_like(plan.order)
    place[plan.order] = np.arange(len(place))
    x, first = np.empty((len(place), len(order))), 0
    for block in table:
        x[place[first : first + len(block)]] = block.take(order, axis=1)
        first += len(block)
    joint = replace(
        whole,
        table=replace(plan, x=x, chunks=()),
        patterns=replace(found, masks=found.masks[:, order]),
        centre=whole.centre[order],
        scale=whole.scale[order],
        delta=whole.delta[order],
    )
    problem = FactoredProblem(joint, order, replace(plan, x=x), of_y, dx)
    return problem.unfactored() if problem.collinear else problem


@dataclass(frozen=True, eq=False)
class Regression:
    """The law of y given x."""

    mean: np.ndarray  # (dy,) α, where x is at its mean
    slopes: np.ndarray  # (dy, dx) B
    cov: np.ndarray  # (dy, dy) K


@dataclass(frozen=True, eq=False)
class FactoredProblem:
    """:class:`MVNProblem` where some coordinates are complete; its parameters and statistics are the same."""

    joint: MVNProblem  # of the coordinates x, then y; its table has no plan
    order: np.ndarray  # (d,) the coordinates x, then y
    table: Rows  # of x and y, planned for the patterns of y
    of_y: Patterns  # of the rows, in the order before sorting
    dx: int

    @property
    def structure(self) -> str:
        """What of the data's structure is used, in words."""
        return f"{self.dx} complete column{'' if self.dx == 1 else 's'} factored out"

    @cached_property
    def back(self) -> np.ndarray:
        """Where each coordinate is in ``order``, (d,)."""
        return np.argsort(self.order)

    @property
    def rows(self) -> float:
        """Total weight of the rows with something observed."""
        return self.joint.rows

    @property
    def patterns(self) -> Patterns:
        """Of the (reduced) rows, in the order before sorting."""
        return replace(self.joint.patterns, masks=self.joint.patterns.masks[:, self.back])

    @property
    def centre(self) -> np.ndarray:
        """Observed means, (d,)."""
        return np.asarray(self.joint.centre[self.back])

    @property
    def scale(self) -> np.ndarray:
        """Observed sd, (d,)."""
        return np.asarray(self.joint.scale[self.back])

    @property
    def closed(self) -> bool:
        """Whether no row has a hole: never."""
        return False

    @cached_property
    def solution(self) -> Normal | None:
        """The maximiser in closed form, where the patterns are monotone; None elsewhere."""
        found = self.joint.solution
        return None if found is None else self._outward(found)

    @cached_property
    def nearby(self) -> Normal | None:
        """As :attr:`MVNProblem.nearby`."""
        found = self.joint.nearby
        return None if found is None else self._outward(found)

    def start(self, rng: np.random.Generator | None = None) -> Normal:
        """As :meth:`MVNProblem.start`."""
        return self._outward(self.joint.start(rng))

    def maximize(self, statistics: Statistics) -> Normal:
        """As :meth:`MVNProblem.maximize`."""
        return self._outward(self.joint.maximize(self.inward_statistics(statistics)))

    def log_prior(self, params: Normal) -> float:
        """As :meth:`MVNProblem.log_prior`."""
        return self.joint.log_prior(self._inward(params))

    def noise(self, params: Normal, logpost: float) -> float:
        """As :meth:`MVNProblem.noise`."""
        return self.joint.noise(params, logpost)

    def degenerate(self, params: Normal) -> bool:
        """As :meth:`MVNProblem.degenerate`."""
        return self.joint.degenerate(params)

    def natural(self, params: Normal) -> Normal:
        """``params`` in the units of the latent coordinates."""
        return self._outward(self.joint.natural(self._inward(params)))

    def undetermined(self, params: Normal) -> list[tuple[int, ...]]:
        """As :meth:`MVNProblem.undetermined`."""
        planned = replace(self.joint, table=self.joint.table.covariance_form(self.joint.patterns))
        return sorted(
            tuple(sorted(self.order[list(group)].tolist())) for group in planned.undetermined(self._inward(params))
        )

    def unfactored(self) -> MVNProblem:
        """The same problem, in whose charts every parameter is a coordinate."""
        place, joint = np.argsort(self.table.order), self.joint
        found, back = replace(joint.patterns, masks=joint.patterns.masks[:, self.back]), self.back
        table = Rows.sort([self.table.x[place].take(back, axis=1)], self.table.centre[place], found)
        centre, scale, delta = joint.centre[back], joint.scale[back], joint.delta[back]
        return replace(joint, table=table, patterns=found, centre=centre, scale=scale, delta=delta)

    # The law of x ----------------------------------------------------------------------------------------------------

    @cached_property
    def _first(self) -> np.ndarray:
        """Σ w x, (dx,)."""
        return np.asarray(self.table.centre @ self.table.x[:, : self.dx])

    @cached_property
    def _second(self) -> np.ndarray:
        """Σ w xxᵀ, (dx, dx)."""
        x = self.table.x[:, : self.dx]
        return np.asarray(x.T @ x)

    @cached_property
    def mean_x(self) -> np.ndarray:
        """x̄, (dx,)."""
        return np.asarray(self._first / self.rows)

    @cached_property
    def cov_x(self) -> np.ndarray:
        """W, (dx, dx)."""
        scatter = self._second - self.rows * np.outer(self.mean_x, self.mean_x)
        return np.asarray((scatter + self.joint.added[: self.dx, : self.dx]) / self.joint.divisor)

    @property
    def collinear(self) -> bool:
        """Whether W is too near a singular matrix to regress on x."""
        if not (np.diag(self.cov_x) > _COLLINEAR).all():
            return True
        return bool(np.linalg.eigvalsh(correlation(self.cov_x))[0] < _COLLINEAR)

    @cached_property
    def factor_x(self) -> np.ndarray:
        """Cholesky factor of W, (dx, dx)."""
        return np.asarray(np.linalg.cholesky(self.cov_x))

    # The law of y given x --------------------------------------------------------------------------------------------

    def regression(self, params: Normal) -> Regression:
        """The law of y given x under ``params``. Raises ``numpy.linalg.LinAlgError`` where Σ is singular."""
        inward = self._inward(params)
        return self._regression(inward.mean, np.linalg.cholesky(inward.cov))

    def whole(self, given: Regression) -> Normal:
        """The law of all, x at its maximum."""
        across = given.slopes @ self.cov_x
        cov = np.block([[self.cov_x, across.T], [across, across @ given.slopes.T + given.cov]])
        return self._outward(Normal(np.concatenate([self.mean_x, given.mean]), cov))

    def expect(self, params: Normal) -> tuple[Statistics, float]:
        """E-step; raises ``numpy.linalg.LinAlgError`` where Σ is not positive definite."""
        inward, dx = self._inward(params), self.dx
        root = np.linalg.cholesky(inward.cov)
        given = self._regression(inward.mean, root)
        dy = len(given.mean)
        values, vectors = np.linalg.eigh(given.cov)
        if not values[0] > 16 * len(root) * np.finfo(float).eps * float(np.trace(inward.cov)):
            msg = "the covariance matrix is not positive definite"
            raise np.linalg.LinAlgError(msg)
        precision, logdet = (vectors / values) @ vectors.T, float(np.log(values).sum())
        first, across = np.zeros(dy), np.zeros((dy, dx))
        second, filled = np.zeros((dy, dy)), np.zeros((dy, dy))
        variance, solved = np.zeros((dy, dy)), np.zeros((dy, dy))
        minus2, covariance_count = self.joint.constant, 0.0
        for c, x, centre in self._conditionals(self._planned(values), given, precision):
            weight, residuals = c.chunk.weight, c.deviations
            first += centre @ residuals
            across += residuals.T @ x
            minus2 += float(weight @ c.logdet) + c.quadratic
            if c.chunk.precision:
                filled += residuals.T @ residuals
                variance += c.total()
                minus2 += logdet * float(weight.sum())
            else:
                second += residuals.T @ residuals
                solved += c.total()
                covariance_count += float(weight.sum())
        minus2 += float((filled * precision).sum())
        second += filled + variance
        if covariance_count:
            second += covariance_count * given.cov - given.cov @ solved @ given.cov
        statistics = self._put_together(inward.mean, given.slopes, first, across, second)
        white = np.linalg.solve(root[:dx, :dx], np.linalg.solve(root[:dx, :dx], statistics.second[:dx, :dx]).T)
        minus2 += 2 * self.rows * float(np.log(np.diag(root)[:dx]).sum()) + float(np.trace(white))
        return self._outward_statistics(statistics), -minus2 / 2

    def chart(self, reference: Normal) -> FactoredChart:
        """Coordinates of the law of y given x around ``reference``."""
        given = self.regression(reference)
        stretch = math.sqrt(self.joint.divisor / self.rows)
        return FactoredChart(self, given, np.linalg.cholesky(given.cov), stretch)

    @cached_property
    def information_cost(self) -> float:
        """How many E-steps as long as one :meth:`information` takes, roughly."""
        return cost(self.table, self.dx)

    def information(self, params: Normal, statistics: Statistics) -> np.ndarray:
        """Observed information per row (p, p): minus the log posterior's Hessian in the chart laid at ``params``."""
        chart = self.chart(params)
        values, vectors = np.linalg.eigh(chart.reference.cov)
        dy, q = len(values), self.dx + 1
        precision = (vectors / values) @ vectors.T
        rows = self._conditionals(self._planned(values), chart.reference, precision)
        standard = ((c, self._standard(x, centre)) for c, x, centre in rows)
        information = observed_information(standard, precision, chart.factor, q)
        # As in MVNProblem; the penalty, besides, is quadratic in b, and its slope in b changes with H.
        _, square = chart.white(chart.reference, chart.about(chart.reference, statistics)[1])
        information[dy * q :, dy * q :] += curvature((self.rows * np.eye(dy) - square) / 2)
        across, square = chart.white(chart.reference, self.joint.added)
        information[dy:, dy:] += penalty(self._white_x(self.joint.added[: self.dx, : self.dx]), across, square)
        stretch = np.ones(len(information))
        stretch[dy:] = chart.stretch
        return np.asarray(information / (self.rows * np.outer(stretch, stretch)))

    # How it is done --------------------------------------------------------------------------------------------------

    def _conditionals(
        self, table: _Chunks, given: Regression, precision: np.ndarray
    ) -> Iterator[tuple[Conditional, np.ndarray, np.ndarray]]:
        """Conditional moments of what y is beside its regression, chunk by chunk, with the chunk's x and centre."""
        origin, steep = given.mean - given.slopes @ self.mean_x, -given.slopes.T
        for rows, alone in table:
            x, centre = self.table.x[rows, : self.dx], self.table.centre[rows]
            beside = x @ steep
            beside += self.table.x[rows, self.dx :]
            for c in conditionals(Rows(beside, centre, self.table.order, alone), origin, given.cov, precision):
                yield c, x, centre

    def _white_x(self, matrix: np.ndarray) -> np.ndarray:
        half = np.linalg.solve(self.factor_x, matrix)
        return np.asarray(np.linalg.solve(self.factor_x, half.T))

    def _standard(self, x: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """What α and B are multiplied by in each row, in the chart's coordinates, (r, 1 + dx)."""
        white = np.linalg.solve(self.factor_x, (x - np.multiply.outer(centre, self.mean_x)).T).T
        return np.column_stack([centre, white])

    def _regression(self, mean: np.ndarray, root: np.ndarray) -> Regression:
        """From a mean (d,) and the Cholesky factor (d, d) of a covariance matrix, of x and y."""
        dx = self.dx
        slopes = np.linalg.solve(root[:dx, :dx].T, root[dx:, :dx].T).T
        cov = root[dx:, dx:] @ root[dx:, dx:].T
        return Regression(mean[dx:] + slopes @ (self.mean_x - mean[:dx]), slopes, cov)

    def _put_together(
        self, mean: np.ndarray, slopes: np.ndarray, first: np.ndarray, across: np.ndarray, second: np.ndarray
    ) -> Statistics:
        """Statistics of x and y about ``mean`` from those of the residuals r of y: Σ w r, Σ w r xᵀ and Σ w rrᵀ.

        The residuals are from the regression that goes through ``mean``.
        """
        about = mean[: self.dx]
        of_x = self._first - self.rows * about
        square = self._second - np.outer(self._first, about) - np.outer(about, of_x)
        mixed = slopes @ square
        cross = across - np.outer(first, about)
        of_y = mixed @ slopes.T + slopes @ cross.T + cross @ slopes.T + second
        both = np.block([[square, (mixed + cross).T], [mixed + cross, of_y]])
        return Statistics(self.rows, mean, np.concatenate([of_x, slopes @ of_x + first]), (both + both.T) / 2)

    @cached_property
    def _chunks(self) -> _Chunks:
        return _each_from_0(self.table)

    @cached_property
    def _ill_conditioned_chunks(self) -> _Chunks:
        return _each_from_0(self.table.covariance_form(self.of_y))

    def _planned(self, eigenvalues: np.ndarray) -> _Chunks:
        """The rows in the forms that a matrix K with these eigenvalues allows."""
        return self._chunks if eigenvalues[-1] < _ILL * eigenvalues[0] else self._ill_conditioned_chunks

    def _inward(self, params: Normal) -> Normal:
        return Normal(params.mean[self.order], params.cov[np.ix_(self.order, self.order)])

    def _outward(self, params: Normal) -> Normal:
        return Normal(params.mean[self.back], params.cov[np.ix_(self.back, self.back)])

    def inward_statistics(self, given: Statistics) -> Statistics:
        """Statistics of x, then y."""
        return _reordered(given, self.order)

    def _outward_statistics(self, given: Statistics) -> Statistics:
        return _reordered(given, self.back)


def _each_from_0(table: Rows) -> _Chunks:
    return [(c.rows, (replace(c, rows=slice(0, c.rows.stop - c.rows.start)),)) for c in table.chunks]


def _reordered(given: Statistics, order: np.ndarray) -> Statistics:
    return Statistics(given.count, given.origin[order], given.first[order], given.second[np.ix_(order, order)])


@dataclass(frozen=True, eq=False)
class FactoredChart:
    """α = α₀ + Ma, B = B₀ + MbV⁻¹, K = M exp(H) Mᵀ, where K₀ = MMᵀ and W = VVᵀ; the vector is a, b, H as in MVNChart.

    With L the Cholesky factor of Σ₀ (x before y), L⁻¹Δμ is (0, a) and L⁻¹ΔΣL⁻ᵀ is (0, bᵀ; b, H) to first order, so
    this is :class:`MVNChart` but for the coordinates of x, and lengths mean the same.
    """

    problem: FactoredProblem
    reference: Regression
    factor: np.ndarray  # (dy, dy) M
    stretch: float  # of the coordinates of b and H; 1 without a prior

    def to_vector(self, params: Normal) -> np.ndarray:
        """Coordinates (dy(dx + 1) + dy(dy+1)/2,) of ``params``.

        Raises ``numpy.linalg.LinAlgError`` where Σ is singular, or K seen from the reference.
        """
        given = self.problem.regression(params)
        values, vectors = whitened_eigen(self.factor, given.cov)
        h = self.stretch * ((vectors * np.log(values)) @ vectors.T)
        a = np.linalg.solve(self.factor, given.mean - self.reference.mean)
        b = np.linalg.solve(self.factor, (given.slopes - self.reference.slopes) @ self.problem.factor_x)
        upper = h[np.triu_indices(len(a), 1)]
        return np.concatenate([a, self.stretch * b.ravel(), np.diag(h) / math.sqrt(2), upper])

    def from_vector(self, vector: np.ndarray) -> Normal:
        """The parameters at ``vector``, x at its maximum."""
        dy, dx = self.reference.slopes.shape
        values, vectors = np.linalg.eigh(symmetric(vector[dy + dy * dx :], dy) / self.stretch)
        root = self.factor @ (vectors * np.exp(values / 2))
        b = vector[dy : dy + dy * dx].reshape(dy, dx) / self.stretch
        slopes = self.reference.slopes + self.factor @ np.linalg.solve(self.problem.factor_x.T, b.T).T
        return self.problem.whole(Regression(self.reference.mean + self.factor @ vector[:dy], slopes, root @ root.T))

    def gradient(self, params: Normal, statistics: Statistics) -> np.ndarray:
        """Gradient per row of the log posterior at ``params``, where ``statistics`` are the E-step's; may raise too."""
        dy = len(self.factor)
        given = self.problem.regression(params)
        values, vectors = whitened_eigen(self.factor, given.cov)
        first, second = self.about(given, statistics)
        across, square = self.white(given, second + self.problem.joint.added)
        # As in MVNChart with S = M⁻¹KM⁻ᵀ; besides dℓ/db = S⁻¹T, T the residuals' products with x.
        slope = vectors.T @ square @ vectors / np.outer(values, values) / 2
        slope[np.diag_indices(dy)] -= self.problem.joint.divisor / values / 2
        dh = vectors @ (slope * quotients(values)) @ vectors.T / self.stretch
        da = vectors @ ((vectors.T @ np.linalg.solve(self.factor, first)) / values)
        db = vectors @ ((vectors.T @ across) / values[:, None]) / self.stretch
        upper = 2 * dh[np.triu_indices(dy, 1)]
        return np.concatenate([da, db.ravel(), math.sqrt(2) * np.diag(dh), upper]) / statistics.count

    def distance(self, vector: np.ndarray) -> float:
        """The larger of the Euclidean length of L₀⁻¹Δμ and the Frobenius norm of L₀⁻¹ΔΣL₀⁻ᵀ, to first order."""
        dy = len(self.factor)
        of_cov = math.sqrt(2) * float(np.linalg.norm(vector[dy:])) / self.stretch
        return max(float(np.linalg.norm(vector[:dy])), of_cov)

    def about(self, given: Regression, statistics: Statistics) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the residuals (dy,), and of the squares of x and y (d, d), both about x̄ and α of ``given``."""
        inward = self.problem.inward_statistics(statistics)
        off = np.concatenate([self.problem.mean_x, given.mean]) - inward.origin
        first = inward.first - inward.count * off
        second = inward.second - np.outer(inward.first, off) - np.outer(off, first)
        return first[self.problem.dx :] - given.slopes @ first[: self.problem.dx], second

    def white(self, given: Regression, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From a scatter (d, d) of x and y that of the residuals with x, (dy, dx), and with each other, (dy, dy)."""
        dx = self.problem.dx
        left = np.linalg.solve(self.factor, square[dx:] - given.slopes @ square[:dx])
        across = np.linalg.solve(self.problem.factor_x, left[:, :dx].T).T
        return across, np.linalg.solve(self.factor, (left[:, dx:] - left[:, :dx] @ given.slopes.T).T)
