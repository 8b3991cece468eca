"""From the law of the holes back to a frame: completed columns, and a table of the filled cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import own, written
from emimpute._threads import single_threaded
from emimpute.kinds.reading import missing
from emimpute.latent import blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emimpute.latent import Latent
    from emimpute.models.base import Model
    from emimpute.table import Table

__all__ = ["Law", "cells", "complete"]


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

    Estimates are on the column's own scale and not rounded; rows in the order of the frame, then of the columns.
    """
    positions = law.table.match(df)
    gaps = [np.flatnonzero(missing(df.iloc[:, i])) for i in positions]
    laws = _holes(law, law.table.encode(df, positions), gaps, variance=True)
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
        parts.append(part.assign(_row=rows, _place=place))
    if not parts:
        return pd.DataFrame(columns=_CELLS).astype(dict.fromkeys(_CELLS[2:], float))
    if len({str(part["estimate"].dtype) for part in parts}) > 1:  # numbers beside times: keep each as it is
        parts = [part.astype(dict.fromkeys(_CELLS[2:], object)) for part in parts]
    table = pd.concat(parts, ignore_index=True).sort_values(["_row", "_place"], ignore_index=True)
    return table[_CELLS]


_CELLS = ["row", "column", "estimate", "sd", "low", "high"]


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
    laws = _holes(law, latent, gaps, variance=variance, rng=rng)
    found = {}
    for i, coding, (z, var) in zip(positions, law.table.codings, laws, strict=True):
        if i in masks:
            like = df.iloc[:, i]
            found[i] = coding.expect(z, var, like) if rng is None else coding.decode(z, like)
    return found


def _holes(
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
        for rows, span, k, (means, covariances) in zip(gaps, latent.spans, widths, laws, strict=True):
            here = slice(*np.searchsorted(rows, (some.start, some.stop)))
            means[here] = mean[rows[here] - some.start, span]
            if var is not None:
                covariances[here, range(k), range(k)] = var[rows[here] - some.start, span]
    return laws
