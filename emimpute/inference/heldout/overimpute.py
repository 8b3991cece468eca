r"""Observed cells predicted as if they were missing, by a fit that has not seen their row.

A fit that has seen the cell cannot tell: at the maximum the score equation makes the mean square of the standardised
errors 1, however wrong the intervals are for new rows. So the rows are dealt into k folds. Each fold's law is fitted to
the other rows, under the same prior, by EM from the estimate of all rows; and each cell of the fold is predicted from
the rest of its row.

Where all cells are points that has a closed form (:mod:`emimpute.inference.heldout.leaveout`). Rows with intervals,
columns of several coordinates and other models are completed once for each column, with that column as a hole: what a
fit says of a gap there. These passes cost less than the fits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute._threads import single_threaded
from emimpute.errors import EMImputeError, named, phrase, shown
from emimpute.inference.complete import holes
from emimpute.inference.heldout.leaveout import left_out
from emimpute.inference.heldout.refit import Present, refitted, settled
from emimpute.inference.heldout.sorting import own_order
from emimpute.latent import Latent
from emimpute.models.mvn import MVN
from emimpute.models.priors import COARSE, FALLBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from emimpute.inference.complete import Law
    from emimpute.kinds.base import Coding

__all__ = ["Predicted", "Predictions", "predict"]

_FOLDS = 10
_MORE_FOLDS, _FEW = 30, 100  # instead, below so many rows: each one counts in the fits there (measured)
_LEARNED = {"skewed", "count"}  # kinds whose latent scale is learned before EM, from the column's own values


@dataclass(frozen=True, eq=False)
class Predicted:
    """Cells of one column, and their law given the rest of their row, in the coordinates' units."""

    place: int  # of the column in the table
    coding: Coding  # with the fold's own cut points
    rows: np.ndarray  # (r,) of the frame
    fold: np.ndarray  # (r,)
    mean: np.ndarray  # (r, k)
    var: np.ndarray  # (r, k, k)
    lower: np.ndarray  # (r, k) what was observed
    upper: np.ndarray  # (r, k)


@dataclass(frozen=True, eq=False)
class Predictions:
    """All that was predicted, and all that was not."""

    cells: list[Predicted]  # by fold, then by column
    fold: np.ndarray  # (n,) of each row of the frame, -1 where it has no weight or nothing observed
    left_out: list[tuple[int, str, int]]  # place of a column, why cells of it were not predicted, how many
    notes: list[str]


@single_threaded
def predict(
    law: Law,
    df: pd.DataFrame,
    weights: np.ndarray | None,
    prior: Any,
    *,
    k: int | None,
    rng: int | np.random.Generator | None,
    tol: float,
) -> Predictions:
    """Every observed cell of those rows of ``df`` that have weight, predicted out of fold.

    Raises EMImputeError for a number of folds that these rows do not allow, or if no fold could be fitted.
    """
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0 < float(tol) < np.inf:
        raise EMImputeError(f"overimpute(tol=...) is a number above 0, not {shown(tol)}.")
    positions = law.table.match(df)
    latent = law.table.encode(df, positions)
    w = np.ones(len(df)) if weights is None else np.asarray(weights, dtype=float)
    fold = _dealt(latent, w, k, rng)
    folds = _Folds(law, latent, w, fold, prior, float(tol))
    cells: list[Predicted] = []
    for number in range(int(fold.max()) + 1):
        test = np.flatnonzero(fold == number)
        fitted, reason = folds.fitted(number)
        if fitted is None:
            folds.lose(number, reason)
            continue
        # cut points were moved, and bound the cells
        held = latent.take(test) if fitted.table is law.table else fitted.table.encode(df.iloc[test], positions)
        held = folds.heard(number, test, held)
        for place, rows, mean, var in _laws(fitted, held):
            bounds = (bound[rows, held.spans[place]] for bound in (held.lower, held.upper))
            coding, of_fold = fitted.table.codings[place], np.full(len(rows), number)
            cells.append(Predicted(place, coding, test[rows], of_fold, mean, var, *bounds))
    if not cells:
        raise EMImputeError(
            f"Nothing could be predicted: {folds.reasons()} Fit with prior='auto', or leave such columns out."
        )
    return Predictions(cells, fold, folds.left_out(), folds.notes())


def _dealt(latent: Latent, w: np.ndarray, k: int | None, rng: int | np.random.Generator | None) -> np.ndarray:
    """The fold (n,) of each row, -1 where it does not count: dealt in an order of the rows' own, or at random."""
    if k is not None and (isinstance(k, bool) or not isinstance(k, Integral) or int(k) < 2):
        raise EMImputeError(f"overimpute(k=...) is a whole number of folds, 2 or more, not {shown(k)}.")
    if not latent.lower.shape[1]:
        raise EMImputeError("There is nothing to predict: every column of this fit is constant.")
    used = np.flatnonzero(latent.known.any(axis=1) & (w > 0))
    rows = len(used)
    if rows < 2:
        raise EMImputeError("This fit has one row with something observed: there is none to predict it by.")
    if k is None:
        k = min(_MORE_FOLDS if rows < _FEW else _FOLDS, rows)
    if k > rows:
        msg = (
            f"overimpute(k={k}) asks for more folds than there are rows with something observed ({rows}): "
            f"take k={rows}, which holds out each by itself, or fewer."
        )
        raise EMImputeError(msg)
    order, _ = own_order(latent.take(used), w[used])
    if rng is not None:
        try:
            order = np.random.default_rng(rng).permutation(order)
        except (TypeError, ValueError) as error:
            raise EMImputeError(f"rng= is None, an int or a numpy Generator, and this one is {rng!r}.") from error
    fold = np.full(len(w), -1)
    fold[used[order]] = np.arange(len(order)) % k
    return fold


def _laws(law: Law, held: Latent) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """By column: its place, the rows (r,) that know it, mean (r, k) and covariance (r, k, k) given the rest of each."""
    widths = [span.stop - span.start for span in held.spans]
    known = held.known
    if isinstance(law.model, MVN) and not held.boxed and max(widths) == 1:
        errors, sd = left_out(law.params, held)
        for place, span in enumerate(held.spans):
            if widths[place]:
                rows = np.flatnonzero(known[:, span.start])
                mean = (held.points - errors)[rows, span]
                yield place, rows, mean, np.square(sd[rows, span])[:, :, None]
        return
    nowhere = np.zeros(0, dtype=int)
    for place, span in enumerate(held.spans):
        rows = np.flatnonzero(known[:, span].any(axis=1))
        if not len(rows):
            continue
        gaps = [np.arange(len(rows)) if other == place else nowhere for other in range(len(widths))]
        gone = np.zeros((len(rows), known.shape[1]), dtype=bool)
        gone[:, span] = True
        yield place, rows, *holes(law, _with_holes(held.take(rows), gone), gaps, variance=True)[place]


def _with_holes(latent: Latent, cells: np.ndarray) -> Latent:
    """The same rows with some ``cells`` (n, d) as holes."""
    lower = np.where(cells, np.nan, latent.lower)
    upper = lower if latent.upper is latent.lower else np.where(cells, np.nan, latent.upper)
    return Latent(lower, upper, latent.spans, latent.cuts, latent.cones, latent.pinned)


@dataclass(eq=False)
class _Folds:
    """The fits without each fold, and what went wrong with them. It lives inside :func:`predict`."""

    law: Law
    latent: Latent
    weights: np.ndarray  # (n,)
    fold: np.ndarray  # (n,)
    prior: Any
    tol: float
    lost: dict[str, list[int]] = field(default_factory=dict)  # folds by the reason why they have no fit
    helped: list[int] = field(default_factory=list)  # folds that needed a ridge
    unheard: dict[int, int] = field(default_factory=dict)  # cells by the place of their column

    def __post_init__(self) -> None:
        """Look once at what must not be lost."""
        self.known = self.latent.known
        self.present = Present.of(self.law, self.latent)
        self.ridge = COARSE if self.latent.boxed else FALLBACK  # as for a fit that has no maximum

    def fitted(self, number: int) -> tuple[Law | None, str]:
        """The law that the rows of the other folds say, or why there is none."""
        weights = np.where(self.fold == number, 0.0, self.weights)
        absent = np.flatnonzero(~self.known[weights > 0].any(axis=0))
        if lost := [self.present.labels[j] for j in absent] or self.present.constant(weights):
            return None, f"the other rows have no two different values of {named(lost)}"
        params = self._fit(weights, self.prior)
        if params is None and self.prior is None and isinstance(self.law.model, MVN):
            params = self._fit(weights, self.ridge)
            if params is not None:
                self.helped.append(number)
        if params is None:
            return None, "the other rows have no unique maximum of the likelihood"
        return settled(self.law, params), ""

    def _fit(self, weights: np.ndarray, prior: Any) -> Any:
        # Where an answer is lost the likelihood is flat along parameters of its own, which touch no other cell.
        flat = self.present.lost(weights) is not None
        return refitted(self.law, self.latent, weights, prior, lambda _: self.tol, flat=flat)

    def lose(self, number: int, reason: str) -> None:
        """Note that a fold has no fit."""
        self.lost.setdefault(reason, []).append(number)

    def heard(self, number: int, test: np.ndarray, held: Latent) -> Latent:
        """The rows ``test`` (t,) of a fold, without answers that no row of another fold gave: those tell it nothing."""
        gone = np.zeros(held.lower.shape, dtype=bool)
        elsewhere = (self.weights > 0) & (self.fold != number)
        for place, (answer, _) in self.present.answers.items():
            strange = (answer[test] >= 0) & ~np.isin(answer[test], answer[elsewhere])
            if strange.any():
                gone[strange, held.spans[place]] = True
                self.unheard[place] = self.unheard.get(place, 0) + int(strange.sum())
        return _with_holes(held, gone) if gone.any() else held

    def left_out(self) -> list[tuple[int, str, int]]:
        """Columns whose cells were not predicted, why, and how many cells."""
        gone = np.isin(self.fold, [number for numbers in self.lost.values() for number in numbers])
        out = []
        for place, span in enumerate(self.latent.spans):
            if span.stop == span.start:
                out.append((place, "constant", len(self.fold)))
            elif count := int(self.known[gone, span].any(axis=1).sum()):
                out.append((place, "their fold could not be fitted", count))
            if place in self.unheard:
                out.append((place, "an answer that no other fold has", self.unheard[place]))
        return out

    def reasons(self) -> str:
        """Why folds have no fit, in sentences."""
        return " ".join(f"In {_folds(numbers)}, {reason}." for reason, numbers in self.lost.items())

    def notes(self) -> list[str]:
        """What went wrong, in sentences."""
        notes = [f"{self.reasons()} The cells there were not predicted."] if self.lost else []
        if self.helped:
            notes.append(
                f"In {_folds(self.helped)} the other rows have no unique maximum of the likelihood: they were fitted "
                f"with a ridge of df {self.ridge.df:g}."
            )
        codings = zip(self.law.table.labels, self.law.table.codings, strict=True)
        learned = [label for label, coding in codings if coding.kind in _LEARNED and not any(map(len, coding.cuts))]
        if learned:
            notes.append(f"The scale of {named(learned)} was learned from all rows.")
        return notes


def _folds(numbers: list[int]) -> str:
    return f"fold{'s' if len(numbers) > 1 else ''} {phrase([str(number) for number in numbers])}"
