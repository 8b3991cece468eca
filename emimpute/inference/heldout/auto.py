r"""``prior="auto"``: the ridge that fills held-out cells best.

The rows are dealt into folds. For each df on a grid the others teach a mean and a covariance matrix, and every
observed cell of the held-out rows is predicted from the rest of its row: with P = Σ_oo⁻¹ of the row's observed block
and r = z_o − μ_o, the error of cell j is (Pr)_j / P_jj. What is compared is the sum of squared errors, each column in
units of its observed sd. (The log density of the same predictions is the other obvious measure. It chose worse, for
it counts relative errors of conditional variances, which no filled cell feels: docs/auto-ridge.md.)

Without a choice there would be df = 0, which is maximum likelihood, or the fallback's df where that does not exist.
From there one goes towards the df of least error, but no further than to where the error is within a standard error of
the (paired) difference from the least: chance often does so much (Breiman, Friedman, Olshen & Stone 1984, section
3.4.3).

Nothing here depends on the order of rows or columns, or on units: rows are dealt after sorting by numbers that have
none of these. Only rows that those numbers cannot tell apart keep the order they came in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.em import Stop, iterates
from emimpute.errors import EMImputeError
from emimpute.inference.heldout.boxauto import BoxFold
from emimpute.inference.heldout.leaveout import left_out
from emimpute.inference.heldout.sorting import own_order
from emimpute.inference.standing.boxplaces import standardised
from emimpute.models.factored import FactoredProblem
from emimpute.models.mixed import MixedProblem
from emimpute.models.mvn import MVNProblem, Normal
from emimpute.models.priors import FALLBACK, Shrink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emimpute.latent import Latent
    from emimpute.models.base import Model

__all__ = ["Choice", "choose"]

_FOLDS = 5
_MORE_FOLDS, _FEW = 10, 100  # instead, below so many distinct rows: each one counts in the fits there
_ROWS = 3000  # distinct rows that are dealt, at most: what is a good df does not grow with the rows
_WORK = 1e7, 500  # rows d² (d + 40) instead, where cells are intervals, but that many rows
_FACTOR = 4.0  # from one df to the next; a finer grid chose no better (measured)
_LEAST = 1e-3  # df: nearly collinear tables want as little as .002 (measured)
_TOL = 0.03  # of the fits without a fold, in the unit of the fit's own tol
_ESTEPS = 40  # of one of them, at most
_BOX_ESTEPS = 20  # likewise where cells are intervals; there are no more than five folds then either
_NO_MATTER = 1e-3  # relative change of the squared error from df = 0 to the fallback's that is not looked into
_NEAR = 1.0  # standard errors above the least error that are taken for chance


@dataclass(frozen=True, eq=False)
class Choice:
    """The ridge that was chosen, and between what."""

    prior: Shrink | None  # None: maximum likelihood
    df: np.ndarray  # (G,) tried, rising
    error: np.ndarray  # (G,) root mean squared error of held-out cells, in sd; inf where the fits failed
    best: float  # df of the least error
    folds: int
    rows: int  # distinct rows that took part
    esteps: int  # spent, each over the rows that took part
    boxed: bool = False  # whether some cells are intervals, whose losses are no squares

    @property
    def sentence(self) -> str:
        """What was chosen, and why."""
        chosen = "no ridge (df 0)" if self.prior is None else f"a ridge of df {self.prior.df:g}"
        if not self.folds:
            return f"prior='auto' took {chosen}: there are too few rows to hold some out."
        place = int(np.flatnonzero(self.df == (0.0 if self.prior is None else self.prior.df))[0])
        least = self.df[place] == self.best
        why = "it had the least error" if least else f"within a standard error of the least, at df {self.best:g}"
        return (
            f"prior='auto' chose {chosen} by predicting the cells of held-out rows "
            f"({self.folds} folds of {self.rows} distinct rows): of {len(self.df)} values of df between "
            f"{self.df[0]:g} and {self.df[-1]:g}, {why} ({self._error(place)})."
        )

    def _error(self, place: int) -> str:
        if self.boxed:
            return f"deviance {self.error[place] ** 2:.3f} a cell"
        return f"{self.error[place]:.3f} sd a cell"


def choose(
    model: Model, latent: Latent, weights: np.ndarray | None, ml: Normal | None, fallback: Shrink = FALLBACK
) -> Choice:
    """The ridge for ``latent`` (n, d) with case weights (n,), where ``ml`` is the maximum likelihood estimate.

    Where ``ml`` is None (it does not exist, or is not unique) df = 0 is not on the grid, and ``fallback`` is what there
    would be without a choice. Raises EMImputeError for a model that is not normal.
    """
    units, count = _distinct(latent, weights)
    folds = list(_folds(model, units, count))
    if not folds:
        prior = fallback if ml is None else None
        return Choice(prior, np.zeros(0), np.zeros(0), math.nan, 0, len(count), 0)
    trial = _Trial(folds, len(count), ml, fallback)
    trial.search(4 * float(count.sum()))
    return trial.verdict(float((count[:, None] * units.known).sum()), boxed=units.boxed)


@dataclass(frozen=True, eq=False)
class _Fold:
    """What some rows are predicted from, and these rows."""

    problem: MVNProblem  # without a prior
    test: np.ndarray  # (t,) numbers of the rows held out
    held: Latent
    weight: np.ndarray  # (t,) what they count for here
    scale: np.ndarray  # (d,) observed sd of all rows

    def loss(self, params: Normal) -> np.ndarray:
        """Weighted sum of squared errors of each row's cells, (t,)."""
        errors = left_out(self.problem.natural(params), self.held)[0] / self.scale
        loss: np.ndarray = self.weight * np.square(errors).sum(axis=1)
        return loss


class _Trial:
    """The losses met so far. It lives inside :func:`choose`."""

    def __init__(self, folds: Sequence[_Fold | BoxFold], rows: int, ml: Normal | None, fallback: Shrink) -> None:
        self.folds, self.rows = folds, rows
        self.losses: dict[float, np.ndarray | None] = {}  # (rows,) by df; None where a fit failed
        self.home = 0.0 if ml is not None else fallback.df  # what would be without a choice
        self.ml = ml
        self.esteps = 0

    def search(self, most: float) -> None:
        """Try what may matter between 0 and ``most``, from a middle outwards."""
        middle = self.home or FALLBACK.df
        starts: list[Normal | None] = [None] * len(self.folds)
        if self.ml is not None:
            standard = [_standardised(fold.problem, self.ml) for fold in self.folds]
            plain = self._try(0.0, standard)
            starts = [start if at is None else at for start, at in zip(standard, plain, strict=True)]
        first = self._try(middle, starts)
        if self._matters(middle):
            self._walk(middle, first, 1 / _FACTOR, _LEAST)
        self._walk(middle, first, _FACTOR, most)

    def _walk(self, df: float, at: list[Normal | None], factor: float, end: float) -> None:
        """Go on from ``df`` to the ``end``, or to where the loss is plainly above one met before."""
        rising = factor > 1
        while (df * factor <= end if rising else df * factor >= end) and not self._behind(df, rising=rising):
            df *= factor
            at = self._try(df, at)

    def verdict(self, cells: float, *, boxed: bool) -> Choice:
        """On the way from home to the df of least loss the first whose loss is within a standard error of it."""
        dfs = sorted(self.losses)
        totals = np.array([self._total(df) for df in dfs])
        home, least = dfs.index(self.home), int(totals.argmin())
        way = dfs[home : least + 1] if home <= least else dfs[least : home + 1][::-1]
        best = dfs[least]
        df = next((one for one in way if self._excess(one, best) <= _NEAR), self.home)
        prior = Shrink(df) if df else None
        errors = np.sqrt(totals / cells)
        return Choice(prior, np.array(dfs), errors, best, len(self.folds), self.rows, self.esteps, boxed)

    def _try(self, df: float, starts: Sequence[Normal | None]) -> list[Normal | None]:
        """Fit each fold's problem at ``df``; the estimates, None where there is none."""
        loss: np.ndarray | None = np.zeros(self.rows)
        found = []
        for fold, start in zip(self.folds, starts, strict=True):
            params: Any = None
            try:
                params = None if loss is None else self._fit(fold.problem, df, start)
                if params is None:
                    loss = None
                elif loss is not None:
                    np.add.at(loss, fold.test, fold.loss(params))
            except np.linalg.LinAlgError:
                loss = None
            found.append(params)
        self.losses[df] = loss
        return found

    def _fit(self, problem: MVNProblem | MixedProblem, df: float, start: Normal | None) -> Normal | None:
        """An estimate good enough to predict by; None where the likelihood is unbounded."""
        most = _BOX_ESTEPS if isinstance(problem, MixedProblem) else _ESTEPS
        bound: Any = replace(problem, prior=Shrink(df) if df else None)
        last = None
        for last in iterates(bound, tol=_TOL, max_iter=most, start=start):
            if last.esteps > 1 and last.remaining < _TOL:
                break  # before the loop's closing check, which costs more than the fit
        if last is None or last.stop is Stop.UNBOUNDED:
            return None
        self.esteps += last.esteps + last.checks
        params: Normal = last.params
        return params

    def _total(self, df: float) -> float:
        loss = self.losses[df]
        return math.inf if loss is None else float(loss.sum())

    def _excess(self, df: float, best: float) -> float:
        """How many standard errors the loss at ``df`` is above that at ``best``."""
        mine, least = self.losses[df], self.losses[best]
        if mine is None or least is None:
            return math.inf
        more = mine - least
        total, error = float(more.sum()), math.sqrt(len(more) * float(more.var(ddof=1)))
        return total / error if error else math.inf if total > 0 else 0.0

    def _matters(self, middle: float) -> bool:
        """Whether dfs below ``middle`` can make a difference."""
        if 0.0 not in self.losses:
            return True
        plain, ridge = self._total(0.0), self._total(middle)
        return not abs(plain - ridge) <= _NO_MATTER * ridge

    def _behind(self, df: float, *, rising: bool) -> bool:
        """Whether the best df lies back from ``df``, and that is no chance."""
        best = min(self.losses, key=self._total)
        return (best < df if rising else best > df) and self._excess(df, best) > _NEAR


def _standardised(problem: MVNProblem | MixedProblem, natural: Normal) -> Normal:
    if isinstance(problem, MixedProblem):
        return standardised(problem, natural)
    scale = problem.scale
    return Normal((natural.mean - problem.centre) / scale, natural.cov / np.outer(scale, scale))


def _folds(model: Model, units: Latent, count: np.ndarray) -> Iterator[_Fold | BoxFold]:
    """Deal the rows; a fold without which a column does not vary is left out.

    A row that weighs more than a fold gives every fold its share: as many equal rows would.
    """
    whole = _bound(model, units, count)
    if not isinstance(whole, MVNProblem | MixedProblem):
        raise EMImputeError(f"prior='auto' works with model='mvn', and this one is {model.name!r}.")
    folds = min(_MORE_FOLDS if len(count) < _FEW and not units.boxed else _FOLDS, len(count))
    heavy = count > 1.001 * float(count.sum()) / folds  # not by rounding
    of_row = (np.cumsum(~heavy) - 1) % folds
    for k in range(folds):
        mine = heavy | (of_row == k)
        share = np.where(heavy, count / folds, np.where(mine, count, 0.0))
        left = count - share
        left[mine & ~heavy] = 0.0
        train = np.flatnonzero(left > 0)
        if mine.any() and len(train) > 1 and _varies(units.take(train)):
            test = np.flatnonzero(mine)
            problem = _bound(model, units.take(train), left[train])
            if isinstance(problem, MixedProblem):
                yield BoxFold.of(problem, test, units.take(test), share[test], whole.scale)
                continue
            yield _Fold(problem, test, units.take(test), share[test], whole.scale)


def _bound(model: Model, latent: Latent, weights: np.ndarray) -> Any:
    """The problem without a prior; a normal one unfactored, for that takes another prior."""
    problem = model.bind(latent, weights, None)
    return problem.unfactored() if isinstance(problem, FactoredProblem) else problem


def _varies(latent: Latent) -> bool:
    """Whether every coordinate takes two values or more."""
    z, seen = latent.points, latent.observed
    high, low = np.where(seen, z, -np.inf).max(axis=0), np.where(seen, z, np.inf).min(axis=0)
    if latent.boxed:
        return all(_two_cells(latent, j) for j in range(latent.lower.shape[1]))
    return bool((high > low).all())


def _two_cells(latent: Latent, j: int) -> bool:
    """Whether a coordinate has two different cells or more; those of a cone differ in their frames."""
    known = latent.known[:, j]
    turned = next((c.of_row for c in latent.cones if c.span.start <= j < c.span.stop), np.zeros(len(known)))
    cells = np.stack([latent.lower[known, j], latent.upper[known, j], turned[known]], axis=1)
    return bool((cells != cells[:1]).any())


def _distinct(latent: Latent, weights: np.ndarray | None) -> tuple[Latent, np.ndarray]:
    """The distinct rows that count, with their weights, in an order of their own; a sample where they are many."""
    w = np.ones(len(latent.points)) if weights is None else np.asarray(weights, dtype=float)
    used = np.flatnonzero((w > 0) & latent.known.any(axis=1))
    latent, w = latent.take(used), w[used]
    seen, most, d = latent.known, _ROWS, latent.points.shape[1]
    if latent.boxed:
        most = min(_ROWS, max(int(_WORK[0] / (d * d * (d + 40))), _WORK[1]))
    order, z = own_order(latent, w)
    z, w, seen = z[order], w[order], seen[order]
    new = np.r_[True, (z[1:] != z[:-1]).any(axis=1) | (seen[1:] != seen[:-1]).any(axis=1)]
    first = np.flatnonzero(new)
    count = np.add.reduceat(w, first)
    if len(first) > most:
        # Systematic sampling with chances as the weights: every hit is one row of average weight.
        edges, mean = np.cumsum(count), float(count.mean())
        hits = np.searchsorted(edges, (np.arange(most) + 0.5) * edges[-1] / most)
        chosen, times = np.unique(hits, return_counts=True)
        first, count = first[chosen], times * mean
    return latent.take(order[first]), count
