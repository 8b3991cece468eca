"""The columns of a fit as analyses name them: by label, one latent coordinate each, on a scale that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import ColumnError, EMImputeError, named, shown, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emimpute.inference.complete import Law
    from emimpute.kinds.base import Coding

__all__ = ["Columns", "normal_quantile", "own_scale", "share"]


@dataclass(frozen=True, eq=False)
class Columns:
    """Labels, codings and first coordinates of a law's columns, and what is added to the coordinates' means."""

    labels: tuple[Any, ...]
    codings: tuple[Coding, ...]
    first: tuple[int, ...]
    shift: np.ndarray  # (d,)

    @classmethod
    def of(cls, law: Law) -> Columns:
        """Those of ``law``."""
        codings = law.table.codings
        edges = np.cumsum([0, *(coding.width for coding in codings)])
        shift = np.asarray(law.table.shift, dtype=float)
        return cls(tuple(law.table.labels), codings, tuple(int(edge) for edge in edges[:-1]), shift)

    def find(self, label: Any, what: str) -> int:
        """Which column has this label; raises ColumnError, beginning with ``what``, if none has, or several."""
        found = [i for i, own in enumerate(self.labels) if own is label or own == label]
        if len(found) == 1:
            return found[0]
        if found:
            raise ColumnError(f"{what}: {len(found)} columns are labelled {shown(label)}: rename them before the fit.")
        raise ColumnError(f"{what}: {unknown('column', label, list(self.labels))}")

    def coordinate(self, label: Any, what: str) -> int:
        """The one latent coordinate of a column that varies; raises ColumnError for one that has none, or several."""
        i = self.find(label, what)
        if self.codings[i].width != 1:
            why = "is constant" if not self.codings[i].width else "has categories without an order"
            raise ColumnError(f"{what}: column {shown(label)} {why}: leave it out.")
        return self.first[i]

    def on_own_scale(self, label: Any, what: str) -> int:
        """The same for a column whose coordinate is the column itself; raises ColumnError for a transformed one."""
        place = self.coordinate(label, what)
        coding = self.codings[self.find(label, what)]
        if not own_scale(coding):
            raise ColumnError(
                f"{what}: column {shown(label)} is of kind {coding.kind!r}, which the fit holds on a latent scale, not "
                f"in the column's own units. Fit it with kinds={{{label!r}: 'real'}}, or draw imputations and pool."
            )
        return place

    def item(self, label: Any, what: str) -> int:
        """The coordinate of a column of numbers as they are, or of ordered answers; raises ColumnError for others."""
        return self.coordinate(label, what) if self.ordered(label) else self.on_own_scale(label, what)

    def ordered(self, label: Any) -> bool:
        """Whether the column is one of ordered answers, whose coordinate is latent, with mean 0 and variance 1."""
        return any(
            own == label and any(map(len, coding.cuts)) for own, coding in zip(self.labels, self.codings, strict=True)
        )

    def items(self, items: Iterable[Any] | None, what: str) -> list[Any]:
        """Labels of the items asked for; all columns of one coordinate by default.

        Raises EMImputeError for text in place of a list, and for an item that is named twice.
        """
        if items is None:
            return [label for label, coding in zip(self.labels, self.codings, strict=True) if coding.width == 1]
        if isinstance(items, str):
            raise EMImputeError(f"{what}: a list of columns is needed, and {items!r} is text: write [{items!r}, ...].")
        found = list(items)
        if twice := [label for i, label in enumerate(found) if label in found[:i]]:
            raise EMImputeError(f"{what}: {named(twice)} is named more than once: name each item once.")
        return found


def own_scale(coding: Coding) -> bool:
    """Whether the coordinate is the column itself, so that nothing is lost where a mean is decoded."""
    return coding.width == 1 and not coding.uses_variance


def share(alpha: float) -> float:
    """``alpha``, if it is a number between 0 and 1; raises EMImputeError."""
    if not 0 < alpha < 1:
        msg = f"alpha={alpha!r} is no number between 0 and 1: .05 gives 95 % intervals."
        raise EMImputeError(msg)
    return float(alpha)


def normal_quantile(alpha: float) -> float:
    """Half the length of a normal's interval of confidence 1 − ``alpha``, in sds."""
    from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

    return float(ndtri(1 - share(alpha) / 2))
