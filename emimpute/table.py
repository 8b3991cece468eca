"""Which columns take part, and as what: the bridge between a frame's columns and latent coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import key
from emimpute.errors import ColumnError, named, unknown
from emimpute.kinds.encoded import encoded
from emimpute.latent import Latent

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

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
        turns = {i: turn for places in _by_label(columns).values() for turn, i in enumerate(places)}
        return cls(columns.take(list(positions)), tuple(turns[i] for i in positions), tuple(codings))

    @property
    def coordinates(self) -> pd.Index[Any]:
        """Labels of the d latent coordinates."""
        widths = np.array([coding.width for coding in self.codings], dtype=int)
        if widths.max(initial=0) <= 1:
            labels: pd.Index[Any] = self.labels.take(np.flatnonzero(widths))
            return labels
        each = [coding.labels(label) for label, coding in zip(self.labels, self.codings, strict=True)]
        several: pd.Index[Any] = pd.Index([label for own in each for label in own])
        return several

    @property
    def shift(self) -> list[float]:
        """What is added to the d latent means when they are reported."""
        return [s for coding in self.codings for s in coding.shift]

    def settled(self, cuts: np.ndarray) -> Table:
        """The same table with the cut points that EM found, (c,), one coordinate's after the other's."""
        codings, first = [], 0
        for coding in self.codings:
            found = []
            for own in coding.cuts:
                found.append(cuts[first : first + len(own)])
                first += len(own)
            codings.append(coding.settled(tuple(found)) if any(map(len, found)) else coding)
        return replace(self, codings=tuple(codings))

    def match(self, df: pd.DataFrame) -> list[int]:
        """Positions in ``df`` of these columns, by label, equal labels by their order.

        Raises ColumnError naming the columns that ``df`` lacks.
        """
        places = _by_label(df.columns)
        lacking: list[Any] = []
        found: list[int] = []
        for label, turn in zip(self.labels, self.turns, strict=True):
            here = places.get(key(label), [])
            if turn < len(here):
                found.append(here[turn])
            else:
                lacking.append(label)
        if not lacking:
            return found
        if here := places.get(key(lacking[0]), []):
            label = lacking[0]
            turn = 1 + max(t for s, t in zip(self.labels, self.turns, strict=True) if key(s) == key(label))
            msg = (
                f"The fit has {turn} columns labelled {label!r}, and these data have {len(here)}: columns are missing."
            )
        elif len(lacking) > 1:
            msg = f"The fit has columns that these data lack: {named(lacking)}."
        else:
            msg = f"The fit has a column that these data lack. {unknown('column', lacking[0], list(df.columns))}"
        raise ColumnError(msg)

    def encode(self, df: pd.DataFrame, positions: Sequence[int]) -> Latent:
        """The cells of the columns at ``positions`` as latent intervals (n, d)."""
        cells = (encoded(coding, df.iloc[:, i]) for i, coding in zip(positions, self.codings, strict=True))
        return Latent.stack(cells, self.codings, len(df))


def _by_label(columns: pd.Index[Any]) -> dict[Hashable, list[int]]:
    """Positions of the columns of each label, in order."""
    places: dict[Hashable, list[int]] = {}
    for i, label in enumerate(columns):
        places.setdefault(key(label), []).append(i)
    return places
