r"""How well cells of held-out rows are predicted from the rest of their row, where some of the cells are intervals.

A row's intervals are what expectation propagation makes of them: measurements y = ν/τ with error variance 1/τ of
coordinates, or of linear combinations of them. With M the covariance of all that is measured, P = M⁻¹ and r its
deviations, the measurements but B predict these as y_B - P_BB⁻¹(Pr)_B with covariance P_BB⁻¹; the errors' variance is
taken off again. The sites are those of the whole row: to find them anew without each point would cost as many fits.

A point loses its squared error in units of the column's sd, an interval minus twice the log of its predicted
probability. Both are deviances, the first with the variance held, which is not what filled cells feel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emimpute.inference.standing.boxplaces import standardised
from emimpute.models.boxes import BoxRows, given
from emimpute.models.cuts import Cuts
from emimpute.normal.ep import boxed
from emimpute.normal.truncated import truncated

if TYPE_CHECKING:
    from emimpute.latent import Latent
    from emimpute.models.boxes import Given
    from emimpute.models.mixed import MixedProblem
    from emimpute.models.mvn import CutNormal

__all__ = ["BoxFold"]

_FLAT = 1e-6  # precision of a measurement, beside the column's own, that is next to none


@dataclass(frozen=True, eq=False)
class BoxFold:
    """What some rows are predicted from, and these rows."""

    problem: MixedProblem  # without a prior
    test: np.ndarray  # (t,) numbers of the rows held out
    weight: np.ndarray  # (t,) what they count for here
    scale: np.ndarray  # (d,) sd of all rows, in which points' errors are
    spans: tuple[slice, ...]  # of the columns of cones
    table: BoxRows
    lower: np.ndarray  # (t, d)
    upper: np.ndarray  # (t, d)
    cuts: Cuts
    counted: np.ndarray  # (t, d) bool, cells that the other rows know of

    @classmethod
    def of(
        cls, problem: MixedProblem, test: np.ndarray, held: Latent, weight: np.ndarray, scale: np.ndarray
    ) -> BoxFold:
        """Rows ``held`` out of the ``problem``."""
        known, point = held.known, held.observed
        low, high = np.where(known, held.lower, -np.inf), np.where(known, held.upper, np.inf)
        cuts = Cuts.find(low, high, held.cuts)
        counted = known.copy()
        for j in cuts.columns:  # a category that no other row has is predicted by none of the priors
            seen = np.unique(problem.cuts.low[problem.known[:, j], j])
            counted[:, j] &= np.isin(cuts.low[:, j], seen)
        low, high = (low - problem.centre) / problem.scale, (high - problem.centre) / problem.scale
        table = BoxRows.sort(low, point, known, held.cones)
        spans = tuple(cone.span for cone in held.cones)
        return cls(problem, test, weight, scale, spans, table, low, high, cuts, counted)

    def loss(self, params: CutNormal) -> np.ndarray:
        """Weighted loss of each row's cells, (t,); may raise ``numpy.linalg.LinAlgError``."""
        at = standardised(self.problem, self.problem.natural(params))
        lower, upper = self.cuts.bounds(at.cuts, self.lower, self.upper)
        loss = np.zeros(self.lower.shape)
        for number, g in enumerate(given(self.table, lower, upper, at.mean, at.cov)):
            rows = g.piece.rows
            loss[rows] = self._of_piece(g, number, lower[rows], upper[rows], at)
        return np.asarray(self.weight * np.where(self.counted, loss, 0.0).sum(axis=1))

    def _of_piece(self, g: Given, number: int, lower: np.ndarray, upper: np.ndarray, at: CutNormal) -> np.ndarray:
        """The loss of each cell, (r, d)."""
        d, point = len(at.mean), self.table.point[g.piece.rows]
        each = np.arange(len(point))[:, None]
        inside = g.piece.inside < d
        known, place = point.copy(), np.minimum(g.piece.inside, d - 1)
        rows = np.broadcast_to(each, inside.shape)[inside]
        known[rows, place[inside]] = True
        tau, nu = np.ones(point.shape), np.zeros(point.shape)
        if g.boxed is not None:
            sites = self.table.sites[number]
            tau[rows, place[inside]] = np.maximum(sites.tau, _FLAT)[inside]
            nu[rows, place[inside]] = sites.nu[inside]
        frames = self._frames(g, d)
        centre = frames @ at.mean
        noise = np.where(point, 0.0, 1 / tau)
        measured = np.where(point, self.table.x[g.piece.rows], nu / tau)
        deviation = np.where(known, measured - centre, 0.0)
        both = known[:, :, None] & known[:, None, :]
        spread = np.where(both, frames @ at.cov @ frames.swapaxes(1, 2), 0.0)
        spread[:, range(d), range(d)] += np.where(known, noise, 1.0)
        precision = np.linalg.inv(spread)
        slope = (precision @ deviation[:, :, None])[:, :, 0]
        own = precision[:, range(d), range(d)]
        error = slope / own
        loss = np.where(point, np.square(error * self.problem.scale / self.scale), 0.0)
        sd = np.sqrt(np.where(known & ~point, np.maximum(1 / own - noise, _FLAT), 1.0))
        predicted = measured - error
        low, high = (np.where(known & ~point, (bound - predicted) / sd, 0.0) for bound in (lower, upper))
        cell = known & ~point
        loss[cell] = -2 * truncated(low[cell], high[cell])[0]
        width = np.arange(d)
        for span in self.spans:
            some = np.flatnonzero(known[:, span.start])
            loss[some, span] = 0.0
            spread_there = np.linalg.inv(precision[some, span, span])
            ahead = measured[some, span] - (spread_there @ slope[some, span, None])[:, :, 0]
            i = width[: span.stop - span.start]
            spread_there[:, i, i] -= noise[some, span]
            loss[some, span.start] = -2 * boxed(ahead, spread_there, lower[some, span], upper[some, span]).logz
        return loss

    def _frames(self, g: Given, d: int) -> np.ndarray:
        """What is measured, in terms of the coordinates: (r, d, d)."""
        frames = np.tile(np.eye(d), (len(g.piece.rows), 1, 1))
        if g.piece.frames is not None:
            inside = g.piece.inside
            both = (inside[:, :, None] < d) & (inside[:, None, :] < d)
            row, i, j = np.nonzero(both)
            frames[row, inside[row, i], inside[row, j]] = g.piece.frames[0][both]
        return frames
