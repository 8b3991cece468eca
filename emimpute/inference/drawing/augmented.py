r"""The I-step where cells are intervals: latent values inside their bounds, and the cut points between them.

Column by column, given the parameters and the latent values of the other known cells of the row; holes are integrated
out, and drawn at the end.

- A column's cut points are drawn with its own latent values integrated out (Cowles 1996,
  https://doi.org/10.1007/BF00162520): from the product over its cells of Φ((c_y - m)/s) - Φ((c_(y-1) - m)/s), which is
  log-concave. Drawn given the latent values they would hardly move. The proposal is the normal law that a Newton step
  from the present place leads to (Qi & Minka 2002), so that nearly all are accepted.
- Its latent values are then drawn from truncated normals. Of an answer among unordered categories, each coordinate lies
  between bounds that the others of its cone give it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from emimpute.inference.drawing.bypattern import precisions, solved
from emimpute.latent import Latent, patterns
from emimpute.models.complete import complete
from emimpute.models.cuts import tridiagonal
from emimpute.normal.truncated import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.latent import Cone, Patterns
    from emimpute.models.mixed import MixedProblem
    from emimpute.models.mvn import CutNormal

    Copies = tuple[np.ndarray, np.ndarray]  # rows (N,) of the problem, and what each weighs

__all__ = ["Augmented", "State"]

_NUMBERS = 1 << 23  # in the patterns' precision matrices at most: else cells are drawn given the holes, too
_LOG_ROOT_2PI = float(np.log(2 * np.pi) / 2)


@dataclass(frozen=True, eq=False)
class State:
    """Where a chain is: parameters, and the table (N, d) with every cell drawn."""

    params: CutNormal
    z: np.ndarray


@dataclass(frozen=True, eq=False)
class _Frame:
    """The cones of a column's cells: bounds of linear combinations of its k coordinates."""

    span: slice
    each: np.ndarray  # (r, k, k)
    lower: np.ndarray  # (r, k)
    upper: np.ndarray


@dataclass(frozen=True, eq=False)
class _Column:
    """A coordinate whose cells are intervals."""

    j: int
    rows: np.ndarray  # (r,) of the table
    weight: np.ndarray  # (r,)
    low: np.ndarray  # (r,) cut point below each cell, among the column's own, or -1
    high: np.ndarray  # (r,) and above
    own: slice  # its cut points among all
    lower: np.ndarray  # (r,) bounds that are numbers
    upper: np.ndarray
    frame: _Frame | None


@dataclass(frozen=True, eq=False)
class Augmented:
    """N rows (copies of weighted ones) of points, intervals and holes."""

    points: np.ndarray  # (N, d), 0 where there is none
    weight: np.ndarray  # (N,)
    known: np.ndarray  # (N, d) bool
    columns: tuple[_Column, ...]
    seen: Patterns  # of the known cells
    begin: np.ndarray  # (N, d) a place inside all bounds

    @classmethod
    def of(cls, problem: MixedProblem, at: np.ndarray, cones: Sequence[Cone], copied: Copies) -> Augmented:
        """The cells of a problem, its cut points being ``at`` (c,), in copied rows; ``cones`` have the rows already."""
        rows, weight = copied
        known, point = problem.known[rows], problem.table.point[rows]
        cuts = replace(problem.cuts, low=problem.cuts.low[rows], high=problem.cuts.high[rows])
        lower, upper = cuts.bounds(at, problem.lower[rows], problem.upper[rows])
        begin = _middle(lower, upper)
        in_cone = {j: cone for cone in cones for j in range(cone.span.start, cone.span.stop)}
        for cone in cones:
            here = np.flatnonzero(known[:, cone.span.start])
            inside = begin[here, cone.span][:, :, None]
            begin[here, cone.span] = np.linalg.solve(cone.frames[cone.of_row[here]], inside)[:, :, 0]
        begin[~known] = 0.0
        columns = []
        for j in range(lower.shape[1]):
            rows = np.flatnonzero(known[:, j] & ~point[:, j])
            if not len(rows):
                continue
            which = np.flatnonzero(cuts.column == j)
            own = slice(int(which[0]), int(which[-1]) + 1) if len(which) else slice(0, 0)
            low, high = (np.where(at[rows, j] >= 0, at[rows, j] - own.start, -1) for at in (cuts.low, cuts.high))
            frame = None
            if j in in_cone:
                span = in_cone[j].span
                each = in_cone[j].frames[in_cone[j].of_row[rows]]
                frame = _Frame(span, each, lower[rows, span], upper[rows, span])
            columns.append(_Column(j, rows, weight[rows], low, high, own, lower[rows, j], upper[rows, j], frame))
        points = np.where(point, lower, 0.0)
        return cls(points, weight, known, tuple(columns), patterns(known), np.where(point, points, begin))

    def step(self, state: State, rng: np.random.Generator, sweeps: int = 1) -> State:
        """Cut points, latent values and holes drawn anew, column by column, ``sweeps`` times."""
        params, z = state.params, state.z.copy()
        mean, cov, cuts = params.mean, params.cov, params.cuts.copy()
        masks, of_row = self.seen.masks, self.seen.of_row
        few = masks.size * len(mean) <= _NUMBERS
        if not few:
            masks, of_row = np.ones((1, len(mean)), dtype=bool), np.zeros(len(z), dtype=np.intp)
        precision = precisions(masks, cov)
        for _ in range(sweeps):
            for column in self.columns:
                own = precision[of_row[column.rows], column.j]  # (r, d)
                deviations = z[column.rows] - mean
                variance = 1 / own[:, column.j]
                centre = z[column.rows, column.j] - variance * np.einsum("ij,ij->i", own, deviations)
                sd = np.sqrt(variance)
                if column.own.stop > column.own.start:
                    cuts[column.own] = _cuts(column, cuts[column.own], centre, sd, rng)
                low, high = _bounds(column, cuts[column.own], z)
                uniform = rng.random(len(sd))
                z[column.rows, column.j] = centre + sd * draw((low - centre) / sd, (high - centre) / sd, uniform)
        holes = np.flatnonzero(~self.known.all(axis=1))
        if few:
            noise = rng.standard_normal((len(holes), len(mean))) @ np.linalg.cholesky(cov).T
            gap = np.where(self.known[holes], z[holes] - mean - noise, 0.0)
            filled = mean + noise + solved(gap, precision, of_row[holes]) @ cov
            z[holes] = np.where(self.known[holes], z[holes], filled)
        else:
            given = np.where(self.known, z, np.nan)
            spans = tuple(slice(j, j + 1) for j in range(len(mean)))
            z = complete(mean, cov, Latent(given, given, spans), rng=rng)[0]
        return State(type(params)(mean, cov, cuts), z)


def _middle(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """A number inside each pair of bounds."""
    with np.errstate(invalid="ignore"):
        middle = (lower + upper) / 2
    below, above = np.isneginf(lower), np.isposinf(upper)
    return np.where(below, np.where(above, 0.0, upper - 0.5), np.where(above, lower + 0.5, middle))


def _bounds(column: _Column, cuts: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the column's coordinate in each of its rows, given the other coordinates of its cone."""
    if column.frame is None:
        if not len(cuts):
            return column.lower, column.upper
        return (
            np.where(column.low >= 0, cuts[column.low], column.lower),
            np.where(column.high >= 0, cuts[column.high], column.upper),
        )
    frame = column.frame
    i = column.j - frame.span.start
    own = frame.each[:, :, i]
    at = z[column.rows, frame.span]
    rest = (frame.each @ at[:, :, None])[:, :, 0] - own * at[:, [i]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = (frame.lower - rest) / own, (frame.upper - rest) / own
    low = np.where(own > 0, ends[0], np.where(own < 0, ends[1], -np.inf)).max(axis=1)
    high = np.where(own > 0, ends[1], np.where(own < 0, ends[0], np.inf)).min(axis=1)
    return low, np.maximum(low, high)


def _cuts(column: _Column, at: np.ndarray, centre: np.ndarray, sd: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The column's cut points (c,) after a Metropolis-Hastings step from ``at``."""
    deviates, uniform = rng.standard_normal(len(at)), rng.random()
    try:
        here, ahead, root = _newton(column, at, centre, sd)
        proposed = ahead + np.linalg.solve(root.T, deviates)
        if not (np.diff(proposed) > 0).all():
            return at
        there, back, other = _newton(column, proposed, centre, sd)
    except np.linalg.LinAlgError:
        return at
    forth = np.log(np.diag(root)).sum() - deviates @ deviates / 2
    away = other.T @ (at - back)
    back_again = np.log(np.diag(other)).sum() - away @ away / 2
    return proposed if np.log(max(uniform, 1e-300)) < there - here + back_again - forth else at


def _newton(
    column: _Column, at: np.ndarray, centre: np.ndarray, sd: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood at cut points ``at`` (c,), where a Newton step leads, and the root (c, c) of the curvature."""
    from scipy.special import log_ndtr  # noqa: PLC0415 (importing emimpute stays light)

    c, w = len(at), column.weight
    below, above = column.low >= 0, column.high >= 0
    low = np.where(below, (at[column.low] - centre) / sd, -np.inf)
    high = np.where(above, (at[column.high] - centre) / sd, np.inf)
    turned = low + np.where(above, high, 1e300) > 0  # in the tail in which nothing cancels
    turned |= ~above
    a, b = np.where(turned, -high, low), np.where(turned, -low, high)
    log_b = log_ndtr(b)
    with np.errstate(divide="ignore"):
        log_z = log_b + np.log1p(-np.exp(np.minimum(log_ndtr(a) - log_b, -1e-300)))
    slopes = []
    for bound, there in ((low, below), (high, above)):
        x = np.where(there, bound, 0.0)
        slopes.append((np.where(there, np.exp(-x * x / 2 - _LOG_ROOT_2PI - log_z), 0.0) / sd, x / sd))
    (at_low, x_low), (at_high, x_high) = slopes

    def summed(where: np.ndarray, value: np.ndarray) -> np.ndarray:
        return np.bincount(where + 1, w * value, minlength=c + 1)[1:]

    slope = summed(column.high, at_high) - summed(column.low, at_low)
    curve = summed(column.high, x_high * at_high + at_high**2) + summed(column.low, at_low**2 - x_low * at_low)
    both = np.where(below & above, column.low, -1)
    beside = -summed(both, at_low * at_high)
    root = np.linalg.cholesky(tridiagonal(np.stack([curve, beside])))
    ahead = at + np.linalg.solve(root.T, np.linalg.solve(root, slope))
    return float(w @ log_z), ahead, root
