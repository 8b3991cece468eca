"""From the law of the holes back to a frame: completed columns, and a table of the filled cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import put, replace
from emimpute.kinds.numbers import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    ``latent`` saves encoding again; ``fill`` (positions) and ``where`` (n, columns) leave the other gaps alone; with ``rng``
    values are drawn instead of expected.
    """
    positions = law.table.match(df)
    masks = {}
    for i in positions:
        mask = missing(df.iloc[:, i])
        if where is not None:
            mask &= where[:, i]
        if (fill is None or i in fill) and mask.any():
            masks[i] = mask
    if not masks:
        return replace(df, {}), {}
    latent = law.table.encode(df, positions) if latent is None else latent
    variance = rng is None and any(coding.width for coding in law.table.codings if coding.uses_variance)
    mean, var = law.model.complete(law.params, latent, variance=variance, rng=rng)
    columns = {}
    for i, coding, span in zip(positions, law.table.codings, latent.spans, strict=True):
        if i not in masks:
            continue
        like, mask = df.iloc[:, i], masks[i]
        if rng is None:
            values = coding.expect(mean[mask, span], _diagonal(var, mask, span), like)
        else:
            values = coding.decode(mean[mask, span], like)
        columns[i] = put(like, mask, values)
    return replace(df, columns), masks


def cells(law: Law, df: pd.DataFrame) -> pd.DataFrame:
    """One row for each missing cell of the law's columns: row label, column, estimate, sd, 95 % interval (low, high).

    Estimates are on the column's own scale and not rounded; rows in the order of the frame, then of the columns.
    """
    positions = law.table.match(df)
    latent = law.table.encode(df, positions)
    mean, var = law.model.complete(law.params, latent, variance=True)
    parts = []
    for place, (i, coding, span) in enumerate(zip(positions, law.table.codings, latent.spans, strict=True)):
        like = df.iloc[:, i]
        mask = missing(like)
        if not mask.any():
            continue
        said = coding.summarize(mean[mask, span], _diagonal(var, mask, span), like)
        part = pd.DataFrame({name: pd.Series(values) for name, values in said.items()})
        rows = np.flatnonzero(mask)
        label = np.empty(len(rows), dtype=object)
        label[:] = [df.columns[i]] * len(rows)
        part.insert(0, "row", df.index[rows].to_flat_index())
        part.insert(1, "column", pd.Series(label, dtype=object))
        parts.append(part.assign(_row=rows, _place=place))
    if not parts:
        return pd.DataFrame(columns=["row", "column", "estimate", "sd", "low", "high"])
    mixed = len({str(part["estimate"].dtype) for part in parts}) > 1
    if mixed:  # numbers beside times: keep each as it is
        parts = [part.astype(dict.fromkeys(("estimate", "sd", "low", "high"), object)) for part in parts]
    table = pd.concat(parts, ignore_index=True).sort_values(["_row", "_place"], ignore_index=True)
    return table[["row", "column", "estimate", "sd", "low", "high"]]


def _diagonal(var: np.ndarray | None, mask: np.ndarray, span: slice) -> np.ndarray:
    """Conditional covariances (r, k, k) of one column's coordinates; zeros where nobody asked for them."""
    width = span.stop - span.start
    out = np.zeros((int(mask.sum()), width, width))
    if var is not None:
        out[:, range(width), range(width)] = var[mask, span]
    return out
