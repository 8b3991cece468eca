"""What a coding makes of a column, looked through: a kind may be anybody's, and EM believes every bound.

A wrong shape, a bound that cannot be, a fill that is none are told where they come from, with the kind and the column,
before NumPy or the likelihood stumbles over them. It costs a few passes over the cells; the thorough test is
:func:`emimpute.testing.check_kind`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import PluginError, shown
from emimpute.kinds.base import Cells, Coding
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["encoded", "filled"]


def encoded(coding: Coding, column: pd.Series[Any]) -> Cells:
    """The cells of ``column``. Raises PluginError for cells that cannot be, and what ``coding.encode`` raises."""
    cells = coding.encode(column)
    wrong = next(_malformed(cells, coding, len(column)), None) or next(_impossible(cells, missing(column)), None)
    if wrong is not None:
        raise _broken(coding, "encodes", column, wrong)
    return cells


def filled(coding: Coding, cells: Any, like: pd.Series[Any], count: int) -> Any:
    """``cells``, the fills of ``count`` gaps of ``like``. Raises PluginError for what cannot stand there."""
    if not hasattr(cells, "dtype") or cells.dtype != like.dtype:
        given = getattr(cells, "dtype", type(cells).__name__)
        raise _broken(coding, "fills", like, f"its cells have to be of dtype {like.dtype}, and are {given}")
    if np.shape(cells) != (count,):
        raise _broken(coding, "fills", like, f"it gives cells of shape {np.shape(cells)} for {count} gaps")
    if missing(pd.Series(cells)).any():
        raise _broken(coding, "fills", like, "it gives missing cells")
    return cells


def _broken(coding: Coding, does: str, column: pd.Series[Any], wrong: str) -> PluginError:
    return PluginError(
        f"Kind {shown(coding.kind)} {does} column {shown(column.name)} wrongly: {wrong}. Repair the kind "
        "(emimpute.testing.check_kind tells more), or choose another for this column with kinds=."
    )


def _malformed(cells: Any, coding: Coding, n: int) -> Iterator[str]:
    """What of its form is wrong, in words."""
    if not isinstance(cells, Cells):
        yield f"it gives {type(cells).__name__} instead of Cells"
    shape = (n, coding.width)
    for bound in _bounds(cells):
        if not isinstance(bound, np.ndarray):
            yield f"its bounds have to be numpy arrays, and are {type(bound).__name__}"
        if bound.shape != shape or bound.dtype.kind not in "fiu":
            yield f"its bounds have to be floats of shape {shape}, and are {bound.dtype} of shape {bound.shape}"
    frame, m = cells.frame, len(coding.frames)
    if frame is None:
        return
    if np.shape(frame) != shape[:1] or frame.dtype.kind not in "iu" or not np.isin(frame, np.arange(m)).all():
        yield f"its cells have to name one of its {m} frames each, by whole numbers from 0"


def _impossible(cells: Cells, gaps: np.ndarray) -> Iterator[str]:
    """What its bounds say that cannot be, in words."""
    lower, *other = _bounds(cells)
    if not other and (np.isfinite(lower) != gaps[:, np.newaxis]).all():
        return  # points wherever something is observed, NaN wherever not: the usual case, soon seen
    nothing = np.isnan(lower)
    if nothing.shape[1] and nothing[~gaps].all(axis=1).any():
        yield "an observed cell is encoded as NaN"
    if not other:
        if not nothing[gaps].all():
            yield "a missing cell is encoded as if it were known"
        if np.isinf(lower).any():
            yield "a cell lies at infinity"
        return
    (upper,) = other
    if not np.array_equal(nothing, np.isnan(upper)):
        yield "one bound of a cell is NaN where the other is not"
    if (lower > upper).any():
        yield "the lower bound of a cell is above its upper bound"
    if (np.isposinf(lower) | np.isneginf(upper)).any():
        yield "a cell lies at infinity"
    if not (nothing | (np.isneginf(lower) & np.isposinf(upper)))[gaps].all():
        yield "a missing cell is encoded as if it were known"


def _bounds(cells: Cells) -> tuple[np.ndarray, ...]:
    """Lower and upper (n, k), or one array if they are the same."""
    return (cells.lower,) if cells.upper is cells.lower else (cells.lower, cells.upper)
