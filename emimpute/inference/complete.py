"""From the law of the holes back to a frame: completed columns, and a table of the filled cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import key, own, written
from emimpute._threads import single_threaded
from emimpute.errors import ColumnError, named, shown, unknown
from emimpute.kinds.encoded import filled
from emimpute.kinds.reading import missing
from emimpute.latent import blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emimpute.latent import Latent
    from emimpute.models.base import Model
    from emimpute.table import Table

__all__ = ["Law", "cells", "complete", "holes", "levels", "probabilities"]


@dataclass(frozen=True, eq=False)
class Law:
    """A fitted law: columns, model and parameters. Everything that filling needs, and no rows."""

    table: Table
    model: Model
    params: Any


@single_threaded
def complete(
    law: Law,
    df: pd.DataFrame,
    *,
    latent: Latent | None = None,
    fill: Sequence[int] | None = None,
    where: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """``df`` with its gaps filled, and which cells were, by position: (n,) bool each.

    ``latent`` saves encoding again; ``fill`` (positions) and ``where`` (n, columns) leave the other gaps alone; with
    ``rng`` values are drawn instead of expected. Raises ColumnError for a column that ``df`` lacks, or that holds
    something else than what was learned.
    """
    positions = law.table.match(df)
    masks = {i: missing(df.iloc[:, i]) & (True if where is None else where[:, i]) for i in positions}
    masks = {i: mask for i, mask in masks.items() if mask.any() and (fill is None or i in fill)}
    if not masks:
        return own(df), {}
    latent = law.table.encode(df, positions) if latent is None else latent
    values = _values(law, df, latent, positions, masks=masks, rng=rng)
    return written(df, {i: (mask, values[i]) for i, mask in masks.items()}), masks


@single_threaded
def cells(law: Law, df: pd.DataFrame) -> pd.DataFrame:
    """One row for each missing cell of the law's columns: row label, column, estimate, sd, 95 % interval (low, high).

    Estimates are on the column's own scale and not rounded; rows in the order of the frame, then of the columns. Where
    some column has categories there is a column ``probabilities`` besides: a dict for its cells, None elsewhere.
    """
    positions = law.table.match(df)
    gaps = [np.flatnonzero(missing(df.iloc[:, i])) for i in positions]
    laws = holes(law, law.table.encode(df, positions), gaps, variance=True)
    names = [*_CELLS, "probabilities"] if any(count is not None for count in levels(law)) else _CELLS
    parts = []
    for place, (i, coding, rows) in enumerate(zip(positions, law.table.codings, gaps, strict=True)):
        if not len(rows):
            continue
        like = df.iloc[:, i]
        said = coding.summarize(*laws[place], like)
        part = pd.DataFrame({name: pd.Series(values) for name, values in said.items()})
        label = np.empty(len(rows), dtype=object)
        label[:] = df.columns[[i]].tolist() * len(rows)
        part.insert(0, "row", df.index[rows].to_flat_index())
        part.insert(1, "column", pd.Series(label, dtype=object))
        part["probabilities"] = pd.Series(_by_cell(coding.probabilities(*laws[place]), len(rows)), dtype=object)
        parts.append(part.assign(_row=rows, _place=place))
    if not parts:
        return pd.DataFrame(columns=names).astype(dict.fromkeys(_CELLS[2:], float))
    for name in _CELLS[2:]:
        if len({str(part[name].dtype) for part in parts}) > 1:  # numbers beside times or words: keep each as it is
            parts = [part.astype({name: object}) for part in parts]
    table = pd.concat(parts, ignore_index=True).sort_values(["_row", "_place"], ignore_index=True)
    return table[names]


_CELLS = ["row", "column", "estimate", "sd", "low", "high"]


def _by_cell(shares: Mapping[Any, np.ndarray] | None, count: int) -> np.ndarray:
    """A dict for each of ``count`` cells, or None for each where there are no shares."""
    each = np.full(count, None, dtype=object)
    if shares is not None:
        table = np.array(list(shares.values())).T.tolist()
        each[:] = [dict(zip(shares, row, strict=True)) for row in table]
    return each


def levels(law: Law) -> list[int | None]:
    """How many categories each column of the law has; None for those that are none of categories."""
    found: list[int | None] = []
    place = 0
    for coding in law.table.codings:
        own = slice(place, place + coding.width)
        shares = coding.probabilities(law.params.mean[np.newaxis, own], law.params.cov[np.newaxis, own, own])
        found.append(None if shares is None else len(shares))
        place += coding.width
    return found


@single_threaded
def probabilities(law: Law, df: pd.DataFrame, column: Any) -> pd.DataFrame:
    """The probability of each category (columns, in their order) in each row of ``df`` where ``column`` has a gap.

    Raises ColumnError for a column that the law lacks, that has no categories, or that shares its label with another
    that has.
    """
    place = _column_of_categories(law, column)
    positions = law.table.match(df)
    own = df.iloc[:, positions[place]]
    gaps = [np.zeros(0, dtype=int) for _ in positions]
    gaps[place] = np.flatnonzero(missing(own))
    laws = holes(law, law.table.encode(df, positions), gaps, variance=True)
    shares = law.table.codings[place].probabilities(*laws[place])
    assert shares is not None  # noqa: S101 (the column is one of categories)
    labels = pd.Index(list(shares), tupleize_cols=False, name=own.name)
    return pd.DataFrame(np.array(list(shares.values())).T, index=df.index[gaps[place]], columns=labels)


def _column_of_categories(law: Law, column: Any) -> int:
    """The place of the column of categories with that label."""
    table = law.table
    try:
        here = [place for place, label in enumerate(table.labels) if key(label) == key(column)]
    except TypeError:  # a list, say, is no label
        here = []
    if not here:
        raise ColumnError(f"In this fit: {unknown('column', column, list(table.labels))}")
    counts = levels(law)
    found = [place for place in here if counts[place] is not None]
    if not found:
        others = [label for label, count in zip(table.labels, counts, strict=True) if count is not None]
        which = f"These have: {named(others)}." if others else "No column of this fit has: see fit.cells()."
        kind = table.codings[here[0]].kind
        raise ColumnError(f"Column {shown(column)} is of kind {kind!r}, which has no categories. {which}")
    if len(found) > 1:
        msg = f"{len(found)} columns of categories are labelled {shown(column)}: rename them, or see fit.cells()."
        raise ColumnError(msg)
    return found[0]


def _values(
    law: Law,
    df: pd.DataFrame,
    latent: Latent,
    positions: Sequence[int],
    *,
    masks: Mapping[int, np.ndarray],
    rng: np.random.Generator | None,
) -> dict[int, Any]:
    """Legal cells (r,) for the r True ones of each mask, by position."""
    variance = rng is None and any(coding.width for coding in law.table.codings if coding.uses_variance)
    gaps = [np.flatnonzero(masks[i]) if i in masks else np.zeros(0, dtype=int) for i in positions]
    laws = holes(law, latent, gaps, variance=variance, rng=rng)
    found = {}
    for i, coding, (z, var) in zip(positions, law.table.codings, laws, strict=True):
        if i in masks:
            like = df.iloc[:, i]
            values = coding.expect(z, var, like) if rng is None else coding.decode(z, like)
            found[i] = filled(coding, values, like, len(z))
    return found


def holes(
    law: Law,
    latent: Latent,
    gaps: Sequence[np.ndarray],
    *,
    variance: bool,
    rng: np.random.Generator | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Means or draws (r, k) and covariances (r, k, k) of each column's coordinates in the r rows of its ``gaps``.

    Rows are worked on in blocks, so nothing as large as the table is made. Covariances nobody asked for are zeros.
    """
    widths = [span.stop - span.start for span in latent.spans]
    laws = [(np.empty((len(rows), k)), np.zeros((len(rows), k, k))) for rows, k in zip(gaps, widths, strict=True)]
    n, d = latent.points.shape
    for some in blocks(n, d, cells=1 << 17):
        mean, var = law.model.complete(law.params, latent.take(some), variance=variance, rng=rng)
        for place, (rows, span, (means, covariances)) in enumerate(zip(gaps, latent.spans, laws, strict=True)):
            here = slice(*np.searchsorted(rows, (some.start, some.stop)))
            means[here] = mean[rows[here] - some.start, span]
            if var is not None:
                covariances[here] = var[place][rows[here] - some.start]
    return laws
