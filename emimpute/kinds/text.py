"""Text that tells rows apart: names, codes, remarks. It takes no part in the model and is left as it is.

What no other kind takes among columns of text comes here: those whose values are nearly all different, and those with
more levels than can be told apart by the data. They are not filled: a guess at an answer nobody else gave says nothing.
So these kinds have nothing to learn; they give a reason, which the warning about gaps and ``fit.problems`` repeat, and
asking for another kind, as in ``kinds={"town": Nominal(max_levels=50)}``, overrides them. Asked for by name,
``kinds={"customer": "id"}``, they leave any column alone, also one of numbers, which is never done unasked.

>>> import pandas as pd
>>> codes = pd.Series([f"{i:04}" for i in range(100, 200)])
>>> Id().accepts(codes), Id().accepts(codes.astype(int))
(True, False)
>>> Id().reason(codes)
'id, 100 distinct values'
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, shown
from emimpute.kinds.base import Coding, Kind
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Id", "LeftAlone", "Text"]

_DISTINCT = 0.9  # of the observed values of an id are different ones
_ENOUGH = 10  # observed values without which nothing is said of how different they are
_SHORT = 40  # characters of a code: a URL or a UUID, not a sentence


class LeftAlone(Kind):
    """A kind whose columns take no part: it says why."""

    @abstractmethod
    def reason(self, column: pd.Series[Any]) -> str:
        """What ``column`` is, in a few words, for a message."""

    def learn(self, column: pd.Series[Any]) -> Coding:
        """Nothing can be learned: ColumnError with the reason."""
        msg = (
            f"Column {shown(column.name)} is left alone ({self.reason(column)}): leave it out, or name a kind that"
            f" takes it, as kinds={{{shown(column.name)}: 'nominal'}} for answers of a few sorts."
        )
        raise ColumnError(msg)

    def restore(self, learned: Mapping[str, Any]) -> NoReturn:  # noqa: ARG002 (no coding of this kind is ever written)
        """Nothing was learned: ColumnError."""
        raise ColumnError(f"Kind {self.name!r} learns nothing, so there is nothing to restore: name another kind.")


class Text(LeftAlone):
    """Text that no other kind takes: it is left alone."""

    name: ClassVar[str] = "text"

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Text, also as categories."""
        return _texts(column) is not None

    def reason(self, column: pd.Series[Any]) -> str:
        """The number of distinct values."""
        return f"{self.name}, {_count(column)} distinct values"


class Id(Text):
    """Codes that are nearly all different: they are left alone."""

    name: ClassVar[str] = "id"

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Text of which nine values in ten are different, and are one short word."""
        texts = _texts(column)
        if texts is None or texts.size < _ENOUGH:
            return False
        different = pd.unique(texts)
        codes = sum(len(text) <= _SHORT and len(text.split()) == 1 for text in different)
        return bool(different.size >= _DISTINCT * texts.size and codes >= _DISTINCT * different.size)


def _texts(column: pd.Series[Any]) -> np.ndarray | None:
    """The observed cells (m,) of a column that holds text and nothing else; None for others. Never raises."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if _texts(pd.Series(dtype.categories)) is None or dtype.ordered:
            return None
    elif not (dtype == np.dtype(object) or pd.api.types.is_string_dtype(dtype)):
        return None
    observed = np.asarray(column.array, dtype=object)[~missing(column)]
    return observed if observed.size and all(isinstance(cell, str) for cell in observed) else None


def _count(column: pd.Series[Any]) -> int:
    """Distinct observed values."""
    observed = column[~missing(column)]
    try:
        return int(observed.nunique())
    except TypeError:  # lists and other things without a hash
        return int(observed.astype(str).nunique())
