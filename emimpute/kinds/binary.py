"""Kind `binary`: one of two answers, told apart by the sign of a latent coordinate beyond one cut point.

It is an ordinal answer with two levels; which of the two comes first only decides the sign of correlations. Booleans
are in the order False, True, categories in their own, all else sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from emimpute.errors import ColumnError, named, shown
from emimpute.kinds.base import Kind
from emimpute.kinds.levels import Levels, holds_booleans, observed_labels
from emimpute.kinds.ordinal import OrdinalCoding, learned_cuts
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Binary", "BinaryCoding"]

_TWO = 2


@dataclass(frozen=True)
class BinaryCoding(OrdinalCoding):
    """Two levels and the cut point between them; a gap gets the more probable one."""

    kind: ClassVar[str] = "binary"


class Binary(Kind):
    """Booleans, two categories, two distinct texts; two numbers where they are declared so."""

    name: ClassVar[str] = "binary"

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Booleans, categories and texts of which two are observed, the latter in more than two cells."""
        dtype = column.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            # three ordered categories of which two were seen stay ordinal: what a column is should not hang on a cell
            offered = not dtype.ordered or len(dtype.categories) == _TWO
        elif isinstance(dtype, pd.IntervalDtype) or holds_booleans(column):
            offered = True
        else:
            offered = _is_text(column) and column.count() > _TWO
        return offered and len(observed_labels(column, _TWO) or ()) == _TWO

    def learn(self, column: pd.Series[Any]) -> BinaryCoding:
        """The two levels and a first cut point. ColumnError: more levels, or fewer."""
        levels = Levels.of(column)
        seen, points = learned_cuts(levels, column, self.name)
        if len(seen) > _TWO:
            msg = (
                f"Column {shown(column.name)} holds {len(seen)} levels ({named(levels.take(seen).labels)}): "
                "kind 'binary' takes two; use kind 'ordinal' or 'nominal'."
            )
            raise ColumnError(msg)
        return BinaryCoding(levels, seen, points)

    def restore(self, learned: Mapping[str, Any]) -> BinaryCoding:
        """From levels and cut point."""
        return BinaryCoding.from_json(learned)


def _is_text(column: pd.Series[Any]) -> bool:
    if isinstance(column.dtype, pd.StringDtype) or str(column.dtype) in {"string[pyarrow]", "large_string[pyarrow]"}:
        return True
    if column.dtype != object:
        return False
    observed = column.to_numpy()[~missing(column)]  # pandas itself takes NaT for a value among text
    return pd.api.types.infer_dtype(observed, skipna=False) == "string"
