"""Proper multiple imputation: for each imputation a law drawn anew, and the gaps drawn from what it says of them.

A draw at the estimate alone leaves out that the estimate is uncertain, and intervals from it are too narrow (Rubin
1987, https://doi.org/10.1002/9780470316696). How laws are drawn: :mod:`emimpute.inference.bootstrap` and
:mod:`emimpute.inference.posterior`.
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
from emimpute.inference.bootstrap import Sampler
from emimpute.inference.complete import Law
from emimpute.inference.imputations import Imputations
from emimpute.inference.keyed import Keyed, stream
from emimpute.inference.posterior import Chains, sample
from emimpute.inference.scenarios import Scenarios, scenarios
from emimpute.kinds.encoded import filled
from emimpute.kinds.reading import missing
from emimpute.latent import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from emimpute.inference.diagnostics import Diagnostics
    from emimpute.latent import Latent

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
        params, chains = sample(law, latent, fit.prior, _worst(fit, latent), m=int(m), seed=seed)
        laws = (Law(law.table, law.model, one) for one in params)
        if chains.rhat > _DISAGREE:
            notes.append(f"The chains do not agree (R-hat {chains.rhat:.2f}): check with method='bootstrap'.")
            warn(notes[-1], EMImputeWarning)
    else:
        lost: list[str] = []
        laws = _bootstrapped(Sampler(law, df, latent, fit.weights, fit.prior, seed), int(m), lost)
    fills: list[list[dict[int, Any]]] = [[] for _ in shifts]
    for number, drawn in enumerate(laws):
        cells = latent if drawn.table is law.table else drawn.table.encode(df, positions)
        for own_fills, found in zip(
            fills, _fills(drawn, columns, cells, rows, shifts, rng=Keyed(stream(seed, number, 1))), strict=True
        ):
            own_fills.append(found)
    if method == "bootstrap" and law.params.mean.size:
        redrawn = len(lost)
        notes += [f"{count} bootstrap samples drawn again: {why}" for why, count in Counter(lost).items()]
    note = " ".join(notes)
    each = tuple(Imputations(df, rows, tuple(one), method, note, redrawn=redrawn, chains=chains) for one in fills)
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


def _worst(fit: Fitted, latent: Latent) -> tuple[float, np.ndarray, str]:
    """The largest fraction of missing information, the coefficients of its linear function, and its name.

    Raises EMImputeError for what has no posterior that we can draw from.
    """
    if latent.boxed:
        codings = zip(fit.law.table.labels, fit.law.table.codings, latent.spans, strict=True)
        coarse = (latent.known & ~latent.observed).any(axis=0)
        kinds = [f"{shown(label)} ({coding.kind})" for label, coding, span in codings if coarse[span].any()]
        msg = (
            f"Draws from the posterior are not there yet for columns whose cells are intervals: "
            f"{', '.join(kinds[:6])}. Use draw(method='bootstrap')."
        )
        raise EMImputeError(msg)
    if fit.weights is not None and not (fit.weights == 1).all():
        msg = "Draws from the posterior take no case weights, and this fit has some: use draw(method='bootstrap')."
        raise EMImputeError(msg)
    found = fit.diagnostics()
    coefficients = found.parameters["coefficient"].to_numpy(dtype=float)
    return found.rate, np.nan_to_num(coefficients), found.worst


def _fills(
    law: Law,
    columns: Mapping[int, pd.Series[Any]],
    latent: Latent,
    rows: Mapping[int, np.ndarray],
    shifted: Sequence[Mapping[int, tuple[int, float]]],
    *,
    rng: Keyed,
) -> list[dict[int, Any]]:
    """Legal cells (r,) for the r rows of each column's gaps, by position, drawn from ``law``; for each scenario."""
    spans = dict(zip(columns, latent.spans, strict=True))
    drawn = {i: np.empty((len(gaps), spans[i].stop - spans[i].start)) for i, gaps in rows.items()}
    n, d = latent.points.shape
    pieces = [slice(0, n)] if n * d <= _CELLS else blocks(n, d, cells=_CELLS)
    for some in pieces:
        part = latent if some == slice(0, n) else latent.take(some)
        z, _ = law.model.complete(law.params, part, rng=rng)
        for i, gaps in rows.items():
            here = slice(*np.searchsorted(gaps, (some.start, some.stop)))
            drawn[i][here] = z[gaps[here] - some.start, spans[i]]
    found: list[dict[int, Any]] = [{} for _ in shifted]
    for place, ((i, like), coding) in enumerate(zip(columns.items(), law.table.codings, strict=True)):
        if i not in rows:
            continue
        done: dict[float, Any] = {}
        for own_cells, shifts in zip(found, shifted, strict=True):
            coordinate, size = shifts.get(place, (0, 0.0))
            if size not in done:
                z = drawn[i] + size * np.sqrt(law.params.cov[coordinate, coordinate]) if size else drawn[i]
                done[size] = filled(coding, coding.decode(z, like), like, len(z))
            own_cells[i] = done[size]
    return found


def _shifts(law: Law, delta: Mapping[Any, float]) -> dict[int, tuple[int, float]]:
    """By the place of its column in the table: the coordinate that is shifted, and by how many sd."""
    edges = np.cumsum([0, *(coding.width for coding in law.table.codings)])
    places = {key(label): place for place, label in enumerate(law.table.labels)}
    found: dict[int, tuple[int, float]] = {}
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
        found[place] = (int(edges[place]), float(size))
    return found


_CELLS = 1 << 17  # of the table that are worked on at once
_DISAGREE = 1.2  # R-hat; chains as short as the shortest here stay below
_TOO_NARROW = (
    "method='plugin' draws at the estimate, as if it were known: standard errors and intervals from it are too small. "
    "Use method='bootstrap'."
)
