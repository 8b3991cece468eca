"""What if the missing are not like the observed: the same imputations, shifted by more and less.

The shifts are of a column's standard deviations, and those of interest are where the answer changes: the tipping point
(Cro, Morris, Kenward & Carpenter 2020, https://doi.org/10.1002/sim.8569).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError, shown, unknown
from emimpute.inference.drawing.imputations import counted

if TYPE_CHECKING:
    from emimpute.inference.drawing.imputations import Imputations

__all__ = ["Scenarios", "Tipping", "scenarios"]


def scenarios(delta: Any) -> tuple[bool, pd.DataFrame]:
    """Whether ``delta`` holds lists of shifts, and then a row for each scenario and a column for each column shifted.

    Lists go in step; a single number stays the same in all. Raises EMImputeError for lists of different lengths.
    """
    if delta is None:
        return False, pd.DataFrame()
    if not isinstance(delta, Mapping):
        msg = f"delta= maps columns to shifts, as {{'income': -.5}} does, and this is of type {type(delta).__name__}."
        raise EMImputeError(msg)
    listed = {
        label: list(sizes)
        for label, sizes in delta.items()
        if isinstance(sizes, Iterable) and not isinstance(sizes, str | bytes) and getattr(sizes, "ndim", True)
    }
    if not listed:
        return False, pd.DataFrame()
    lengths = {len(sizes) for sizes in listed.values()}
    if len(lengths) > 1 or not min(lengths):
        raise EMImputeError("delta= has lists of shifts of different lengths, or empty ones: they go in step.")
    (length,) = lengths
    table = {label: listed.get(label, [size] * length) for label, size in delta.items()}
    return True, pd.DataFrame(table, columns=pd.Index(list(table), tupleize_cols=False))


@dataclass(frozen=True, eq=False, repr=False)
class Tipping:
    """How pooled estimates move with the shifts.

    Attributes
    ----------
    table
        As ``Pooled.params``, under an index of the shifts and the term.
    mc_error
        The Monte-Carlo error of each of its numbers, as ``Pooled.mc_error``.
    """

    table: pd.DataFrame
    mc_error: pd.DataFrame

    def point(self, term: Any, *, alpha: float = 0.05) -> pd.DataFrame:
        """Between which neighbouring scenarios ``term`` begins or ceases to differ from 0 (p below alpha).

        A row for each such change, in the order of the shifts: those before it and after it, and where p would be
        alpha if the normal deviate that goes with it moved straight between them (``shift``); ``was_different`` tells
        whether the term differed from 0 before. A term that differs from 0 on one side and then on the other changes
        twice. The shifts are of the first column whose shifts vary; of further ones that do, a column for each has
        where they are at the change. Empty: the conclusion never changes. Raises EMImputeError for a term that there is
        not.
        """
        from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

        terms = self.table.index.get_level_values("term")
        if term not in set(terms):
            raise EMImputeError(unknown("term", term, list(dict.fromkeys(terms))))
        own = self.table[terms == term]
        shifts = own.index.droplevel("term").to_frame(index=False).astype(float)
        varying = [i for i in range(shifts.shape[1]) if np.ptp(shifts.to_numpy()[:, i])] or [0]
        order = np.argsort(shifts.iloc[:, varying[0]].to_numpy(), kind="stable")
        path = shifts.to_numpy()[order]
        size = -ndtri(np.maximum(own["p"].to_numpy(), np.finfo(float).tiny) / 2)
        deviate = (np.sign(own["estimate"].to_numpy()) * size)[order]
        rows = []
        for i in range(len(path) - 1):
            step = deviate[i + 1] - deviate[i]
            bounds = np.array([-1.0, 1.0] if step > 0 else [1.0, -1.0]) * -ndtri(alpha / 2)
            for bound in bounds:
                if (deviate[i] < bound) != (deviate[i + 1] < bound):
                    at = path[i] + (path[i + 1] - path[i]) * (bound - deviate[i]) / step
                    first = varying[0]
                    was = bool((bound > 0) == (step < 0))
                    rows.append((path[i, first], path[i + 1, first], at[first], was, *at[varying[1:]]))
        names = ["before", "after", "shift", "was_different", *shifts.columns[varying[1:]]]
        return pd.DataFrame(rows, columns=names)

    def __repr__(self) -> str:
        return str(self.table[["estimate", "se", "p", "ci_low", "ci_high"]].to_string())

    def _repr_html_(self) -> str:
        return str(self.table[["estimate", "se", "p", "ci_low", "ci_high"]].to_html())


@dataclass(frozen=True, eq=False, repr=False)
class Scenarios(Sequence["Imputations"]):
    """Imputations under several shifts, from the same random numbers: a sequence, in the order of the shifts.

    Attributes
    ----------
    shifts
        A row for each scenario, a column for each column that is shifted; in standard deviations.
    """

    shifts: pd.DataFrame
    imputations: tuple[Imputations, ...]

    def __len__(self) -> int:
        return len(self.imputations)

    @overload
    def __getitem__(self, index: int) -> Imputations: ...
    @overload
    def __getitem__(self, index: slice) -> Scenarios: ...
    def __getitem__(self, index: int | slice) -> Imputations | Scenarios:
        if isinstance(index, slice):
            return Scenarios(self.shifts.iloc[index].reset_index(drop=True), self.imputations[index])
        return self.imputations[index]

    def pool(self, analysis: Any, **options: Any) -> Tipping:
        """``Imputations.pool`` for each scenario."""
        if not self.imputations:
            raise EMImputeError("There is no scenario here: this slice is empty.")
        pooled = [one.pool(analysis, **options) for one in self.imputations]
        names = [f"delta {shown(label)}" for label in self.shifts.columns]
        keys = [tuple(row) for row in self.shifts.itertuples(index=False)]
        tuples = [(*key, term) for key, one in zip(keys, pooled, strict=True) for term in one.terms]
        index = pd.MultiIndex.from_tuples(tuples, names=[*names, "term"])
        table = pd.concat([one.params for one in pooled], ignore_index=True).set_axis(index)
        errors = pd.concat([one.mc_error for one in pooled], ignore_index=True).set_axis(index)
        return Tipping(table, errors)

    def __repr__(self) -> str:
        each = f" of {counted(len(self[0]), 'imputation')} each, shifted by sd:\n{self.shifts}" if len(self) else ""
        return f"{counted(len(self), 'scenario')}{each}"
