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

from emimpute._frames import key, own
from emimpute._threads import single_threaded
from emimpute.errors import ColumnError, EMImputeError, EMImputeWarning, named, shown, unknown, warn
from emimpute.inference.drawing.bootstrap import Sampler
from emimpute.inference.drawing.filling import Filling
from emimpute.inference.drawing.imputations import Imputations
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

__all__ = ["METHODS", "Fitted", "draw"]

METHODS = ("bootstrap", "posterior", "plugin")


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
    _check(m, method)
    law, df = fit.law, own(fit.data)
    positions = law.table.match(df)
    several, table = scenarios(delta or {})
    shifts = [_shifts(law, one) for one in table.to_dict("records")] if several else [_shifts(law, delta or {})]
    columns = {i: df.iloc[:, i] for i in positions}
    rows = {i: np.flatnonzero(missing(column)) for i, column in columns.items()}
    rows = {i: gaps for i, gaps in rows.items() if len(gaps)}
    if not rows:
        same = Imputations(df, {}, ({},) * m, method, "There was no missing cell: every imputation is the data.")
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
        fills.append(tuple(filling.cells(drawn, cells, Keyed(stream(seed, number, 1)))))
    if method == "bootstrap" and law.params.mean.size:
        redrawn = len(lost)
        notes += [f"{count} bootstrap samples drawn again: {why}" for why, count in Counter(lost).items()]
    note = " ".join(notes)
    each = tuple(
        Imputations(df, rows, tuple(own), method, note, redrawn=redrawn, chains=chains)
        for own in zip(*fills, strict=True)
    )
    return Scenarios(table, each) if several else each[0]


def _check(m: Any, method: Any) -> None:
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


def _shifts(law: Law, delta: Mapping[Any, float]) -> dict[int, float]:
    """The coordinates that are shifted, and by how many sd."""
    if delta and not hasattr(law.params, "cov"):
        msg = (
            f"delta= shifts by standard deviations, which the model {law.model.name!r} does not tell: use model='mvn'."
        )
        raise EMImputeError(msg)
    edges = np.cumsum([0, *(coding.width for coding in law.table.codings)])
    places = {key(label): place for place, label in enumerate(law.table.labels)}
    found: dict[int, float] = {}
    for label, size in delta.items():
        place = places.get(key(label))
        if place is None:
            raise ColumnError(f"delta=: {unknown('column', label, list(law.table.labels))}")
        if isinstance(size, bool) or not isinstance(size, Real) or not np.isfinite(float(size)):
            msg = f"delta= shifts column {shown(label)} by a finite number of sd, and not by {size!r}."
            raise EMImputeError(msg)
        if law.table.codings[place].width != 1:
            kind = law.table.codings[place].kind
            allowed = [s for s, c in zip(law.table.labels, law.table.codings, strict=True) if c.width == 1]
            msg = (
                f"delta= cannot shift column {shown(label)} of kind {kind!r}, which has no single scale. "
                f"It can shift {named(allowed)}."
            )
            raise ColumnError(msg)
        found[int(edges[place])] = float(size)
    return found


_TOO_NARROW = (
    "method='plugin' draws at the estimate, as if it were known: standard errors and intervals from it are too small. "
    "Use method='bootstrap'."
)
