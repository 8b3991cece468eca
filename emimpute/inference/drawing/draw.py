"""Proper multiple imputation: for each imputation a law drawn anew, and the gaps drawn from what it says of them.

A draw at the estimate alone leaves out that the estimate is uncertain, and intervals from it are too narrow (Rubin
1987, https://doi.org/10.1002/9780470316696). How laws are drawn: :mod:`emimpute.inference.drawing.bootstrap` and
:mod:`emimpute.inference.drawing.posterior`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute._frames import locate, own
from emimpute._threads import single_threaded
from emimpute.errors import ColumnError, EMImputeError, EMImputeWarning, named, shown, unknown, warn
from emimpute.inference.drawing.bootstrap import Sampler
from emimpute.inference.drawing.filling import Filling
from emimpute.inference.drawing.imputations import Imputations, counted
from emimpute.inference.drawing.keyed import Keyed, stream
from emimpute.inference.drawing.posterior import Chains, sample
from emimpute.inference.drawing.scenarios import Scenarios, scenarios
from emimpute.inference.heldout.refit import settled
from emimpute.inference.standing.diagnostics import worst
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from emimpute.inference.complete import Law
    from emimpute.inference.standing.diagnostics import Diagnostics

__all__ = ["METHODS", "Fitted", "check", "draw"]

METHODS = ("bootstrap", "posterior", "plugin")
_FARTHEST = 1e6  # sd that a column is shifted by: beyond, values are no numbers any more


@dataclass(frozen=True, eq=False)
class Fitted:
    """What draws need to know of a fit."""

    law: Law
    data: pd.DataFrame
    weights: np.ndarray | None
    prior: Any
    flat: bool  # whether the data left the estimate undetermined
    diagnostics: Callable[[], Diagnostics]


@single_threaded
def draw(fit: Fitted, m: Any, method: Any, rng: Any, delta: Mapping[Any, Any] | None) -> Imputations | Scenarios:
    """Imputations, m of them, of the data that were fitted; see :meth:`emimpute.Fit.draw`."""
    check(m, method)
    law, df = fit.law, own(fit.data)
    positions = law.table.match(df)
    several, table = scenarios(delta)
    shifts = [_shifts(law, df, one) for one in (table.to_dict("records") if several else [delta or {}])]
    columns = {i: df.iloc[:, i] for i in positions}
    rows = {i: np.flatnonzero(missing(column)) for i, column in columns.items()}
    rows = {i: gaps for i, gaps in rows.items() if len(gaps)}
    if not rows:
        same = Imputations(df, {}, ({},) * m, method, _NO_GAPS)
        return Scenarios(table, (same,) * len(shifts)) if several else same
    seed = _seed(rng)
    latent = law.table.encode(df, positions)
    notes: list[str] = []
    chains: Chains | None = None
    redrawn = 0
    if not law.params.mean.size:
        laws = iter([law] * m)
    elif method == "plugin":
        laws = iter([law] * m)
        notes.append(_TOO_NARROW)
        warn(_TOO_NARROW, EMImputeWarning)
    elif fit.flat:
        msg = "The data leave the fit undetermined, so it has no distribution to draw from: fit with prior='fallback'."
        raise EMImputeError(msg)
    elif method == "posterior":
        slowest = worst(law, latent, fit.weights, fit.prior, fit.diagnostics)
        params, chains = sample(law, latent, fit.weights, fit.prior, slowest, m=int(m), seed=seed)
        laws = (settled(law, one) for one in params)
        if chains.rhat > chains.limit:
            notes.append(f"The chains do not agree (R-hat {chains.rhat:.2f}): check with method='bootstrap'.")
            warn(notes[-1], EMImputeWarning)
    else:
        lost: list[str] = []
        laws = _bootstrapped(Sampler(law, df, latent, fit.weights, fit.prior, seed), int(m), lost)
    filling = Filling(columns, rows, latent, law, shifts)
    fills: list[tuple[dict[int, Any], ...]] = []
    for number, drawn in enumerate(laws):
        cells = latent if drawn.table is law.table else drawn.table.encode(df, positions)
        try:
            fills.append(tuple(filling.cells(drawn, cells, Keyed(stream(seed, number, 1)))))
        except np.linalg.LinAlgError as error:
            raise EMImputeError(_SINGULAR.format(number + 1)) from error
    if method == "bootstrap" and law.params.mean.size:
        redrawn = len(lost)
        notes += [f"{counted(count, 'bootstrap sample')} drawn again: {why}" for why, count in Counter(lost).items()]
    note = " ".join(notes)
    each = tuple(
        Imputations(df, rows, tuple(own), method, note, redrawn=redrawn, chains=chains)
        for own in zip(*fills, strict=True)
    )
    return Scenarios(table, each) if several else each[0]


def check(m: Any, method: Any) -> None:
    """Raises EMImputeError for what is no number of imputations, or no method."""
    if isinstance(m, bool) or not isinstance(m, Integral) or m < 1:
        raise EMImputeError(f"m= is a whole number of imputations, 1 or more, and this one is {m!r}.")
    if method not in METHODS:
        raise EMImputeError(unknown("method", method, METHODS))


def _seed(rng: Any) -> tuple[int, ...]:
    try:
        return tuple(np.random.default_rng(rng).integers(2**63, size=2).tolist())
    except (TypeError, ValueError) as error:
        raise EMImputeError(f"rng= is None, an int or a numpy Generator, and this one is {rng!r}.") from error


def _bootstrapped(sampler: Sampler, m: int, lost: list[str]) -> Iterator[Law]:
    """The laws of m imputations; ``lost`` gathers why samples were drawn again."""
    for number in range(m):
        law, reasons = sampler.draw(number)
        lost += reasons
        yield law


def _shifts(law: Law, df: pd.DataFrame, delta: Mapping[Any, float]) -> dict[int, float]:
    """The coordinates that are shifted, and by how many sd."""
    if delta and not hasattr(law.params, "cov"):
        msg = (
            f"delta= shifts by standard deviations, which the model {law.model.name!r} does not tell: use model='mvn'."
        )
        raise EMImputeError(msg)
    edges = np.cumsum([0, *(coding.width for coding in law.table.codings)])
    places = {position: place for place, position in enumerate(law.table.match(df))}
    found: dict[int, float] = {}
    for label, size in delta.items():
        positions = locate(df.columns, label).tolist()  # of a repeated label all its columns
        if not positions:
            raise ColumnError(f"delta=: {unknown('column', label, list(df.columns))}")
        if isinstance(size, bool) or not isinstance(size, Real) or not -_FARTHEST <= size <= _FARTHEST:
            msg = f"delta= shifts column {shown(label)} by a number of sd, a million at most, and not by {size!r}."
            raise EMImputeError(msg)
        for position in positions:
            place = places.get(position)
            if place is None or law.table.codings[place].width != 1:
                raise _cannot_shift(law, label, place)
            found[int(edges[place])] = float(size)
    return found


def _cannot_shift(law: Law, label: Any, place: int | None) -> ColumnError:
    """For a column at ``place`` of the table, None where it is not in it."""
    why = ", which is not in the model"
    if place is not None:
        coding = law.table.codings[place]
        why = f" of kind {coding.kind!r}, which {'has no single scale' if coding.width else 'does not vary'}"
    allowed = [s for s, c in zip(law.table.labels, law.table.codings, strict=True) if c.width == 1]
    can = f"It can shift {named(allowed)}" if allowed else "There is no column that it can shift"
    return ColumnError(f"delta= cannot shift column {shown(label)}{why}. {can}.")


_NO_GAPS = "There was no missing cell to fill: every imputation is the data."
_SINGULAR = (
    "In imputation {} the covariance matrix is singular but for rounding, so nothing can be drawn from it: these data "
    "hardly determine the fit (see fit.problems). Leave out a column, or fit with a ridge, such as prior=3."
)
_TOO_NARROW = (
    "method='plugin' draws at the estimate, as if it were known: standard errors and intervals from it are too small. "
    "Use method='bootstrap'."
)
