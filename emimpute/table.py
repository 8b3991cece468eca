"""Which columns take part, and as what: the bridge between a frame's columns and latent coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import locate
from emimpute.errors import ColumnError, unknown
from emimpute.latent import Latent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.kinds.base import Coding

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a model, in order, with what was learned of each. Holds no rows."""

    labels: pd.Index[Any]
    turns: tuple[int, ...]  # which of the frame's columns with that label each one is: labels may repeat
    codings: tuple[Coding, ...]

    @classmethod
    def of(cls, columns: pd.Index[Any], positions: Sequence[int], codings: Sequence[Coding]) -> Table:
        """The table of the columns at ``positions`` of a frame whose labels are ``columns``."""
        turns = pd.Series(range(len(columns))).groupby(columns.to_flat_index().map(repr)).cumcount()
        return cls(columns[list(positions)], tuple(int(turns[i]) for i in positions), tuple(codings))

    @property
    def coordinates(self) -> pd.Index[Any]:
        """Labels of the d latent coordinates."""
        widths = np.array([coding.width for coding in self.codings], dtype=int)
        if widths.max(initial=0) <= 1:
            return self.labels[widths == 1]
        return pd.Index(
            [c for label, coding in zip(self.labels, self.codings, strict=True) for c in coding.labels(label)]
        )

    @property
    def shift(self) -> list[float]:
        """What is added to the d latent means when they are reported."""
        return [s for coding in self.codings for s in coding.shift]

    def match(self, df: pd.DataFrame) -> list[int]:
        """Positions in ``df`` of these columns, by label, equal labels by their order. Raises ColumnError naming one it lacks."""
        taken: list[int] = []
        for label, turn in zip(self.labels, self.turns, strict=True):
            here = [int(i) for i in locate(df.columns, label) if df.columns[i] == label]
            if len(here) <= turn:
                msg = f"The fit has a column that these data lack. {unknown('column', label, list(df.columns))}"
                if here:
                    msg = f"The fit has {turn + 1} columns labelled {label!r}, and these data have {len(here)}."
                raise ColumnError(msg)
            taken.append(here[turn])
        return taken

    def encode(self, df: pd.DataFrame, positions: Sequence[int]) -> Latent:
        """The cells of the columns at ``positions`` as latent intervals (n, d)."""
        cells = [coding.encode(df.iloc[:, i]) for i, coding in zip(positions, self.codings, strict=True)]
        return Latent.stack(cells, len(df))
