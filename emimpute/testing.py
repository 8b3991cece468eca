"""Contract tests for authors of plugins: what every kind of column must keep to.

One line in a plugin's own tests, for every sort of column it takes, is enough:

>>> import pandas as pd
>>> from emimpute.kinds import Real
>>> check_kind(Real(), pd.Series([1.5, None, 3.0]))
"""

from __future__ import annotations

import json
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.reading import missing
from emimpute.kinds.registry import get

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_kind"]

_REACH = np.array([-1e6, -8.0, -0.5, 0.0, 0.5, 8.0, 1e6])  # how far from the centre a fill is tried, in latent sds


def check_kind(kind: str | Kind | type[Kind], column: pd.Series[Any]) -> None:
    """Raise AssertionError, with a sentence, unless ``kind`` does all that a kind must, on ``column``.

    ``column`` must be one that the kind can learn from, with at least one observed cell and one missing one.
    """
    kind = get(kind)
    gaps = missing(column)
    _must(bool(gaps.any()) and not gaps.all(), "check_kind needs a column with an observed and a missing cell")
    before, configuration = column.copy(deep=True), dict(vars(kind))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        _check_accepts(kind, column)
        coding = kind.learn(column)
        _must(vars(kind) == configuration, "learn must remember nothing on the kind: return it in the coding")
        _check_coding(kind, coding)
        _check_cells(coding, column, gaps)
        _check_fills(coding, column)
        for again, way in _copies(kind, coding):
            _check_same(coding, again, column, way)
    _must(_equal(column, before), "the column that was learned from must not be modified")


def _must(kept: bool, sentence: str) -> None:  # noqa: FBT001 (reads as a sentence)
    if not kept:
        raise AssertionError(sentence)


def _equal(a: pd.Series[Any], b: pd.Series[Any]) -> bool:
    try:
        pd.testing.assert_series_equal(a, b)
    except AssertionError:
        return False
    return True


def _check_accepts(kind: Kind, column: pd.Series[Any]) -> None:
    odd = [
        column,
        column.iloc[:0],
        column[missing(column)],
        pd.Series([], dtype=object),
        pd.Series([None, None], dtype=object),
        pd.Series(["a", None]),
        pd.Series([1, "a", (2, 3)], dtype=object),
        pd.Series([1j, 2j]),
        pd.Series(["a", "b"], dtype="category"),
    ]
    for one in odd:
        try:
            answer = kind.accepts(one)
        except Exception as problem:
            msg = f"accepts must never raise, but did for dtype {one.dtype} with the cells {one.tolist()[:3]}"
            raise AssertionError(msg) from problem
        _must(isinstance(answer, bool | np.bool_), f"accepts must answer True or False, not {answer!r}")


def _check_coding(kind: Kind, coding: Coding) -> None:
    _must(isinstance(coding, Coding), f"learn must return a Coding, not {coding!r}")
    _must(coding.kind == kind.name, f"the coding is of kind {coding.kind!r}, but the kind's name is {kind.name!r}")
    width, shift, labels = coding.width, coding.shift, coding.labels("x")
    _must(len(shift) == width, f"shift must be width = {width} numbers, not {shift}")
    _must(len(set(labels)) == len(labels) == width, f"labels must be width = {width} different ones, not {labels}")
    for name in [*getattr(coding, "__dataclass_fields__", ()), "something_new"]:
        try:
            setattr(coding, name, None)
        except AttributeError:
            continue
        msg = f"a coding must be frozen, but its attribute {name!r} could be set: make it a dataclass(frozen=True)"
        raise AssertionError(msg)


def _bounds(coding: Coding, column: pd.Series[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper (n, k), with holes as (-inf, inf)."""
    cells = coding.encode(column)
    _must(isinstance(cells, Cells), f"encode must return Cells, not {cells!r}")
    for side in (cells.lower, cells.upper):
        shape = (len(column), coding.width)
        _must(side.shape == shape, f"bounds must have shape {shape}, not {side.shape}")
        _must(side.dtype == np.float64, f"bounds must be float64, not {side.dtype}")
    unknown = np.isnan(cells.lower)
    _must(np.array_equal(unknown, np.isnan(cells.upper)), "a bound is NaN where the other is not")
    return np.where(unknown, -np.inf, cells.lower), np.where(unknown, np.inf, cells.upper)


def _check_cells(coding: Coding, column: pd.Series[Any], gaps: np.ndarray) -> None:
    lower, upper = _bounds(coding, column)
    _must(bool((lower <= upper).all()), "encode gives a lower bound above its upper bound")
    holes = np.isneginf(lower) & np.isposinf(upper)
    _must(bool(holes[gaps].all()), "a missing cell must be a hole in every coordinate")
    if coding.width:
        _must(not holes[~gaps].all(axis=1).any(), "an observed cell must not be a hole in every coordinate")
    _bounds(coding, column.iloc[:0])
    only = column.iloc[np.flatnonzero(gaps)]
    _must(bool(np.isneginf(_bounds(coding, only)[0]).all()), "a column of missing cells only must encode to holes")


def _places(coding: Coding, column: pd.Series[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Latent means (r, k) from the middle of what is observed to far outside, and variances (r, k, k)."""
    ends = np.concatenate(_bounds(coding, column))
    centre, spread = np.zeros(coding.width), np.ones(coding.width)
    for j, values in enumerate(ends.T):
        finite = values[np.isfinite(values)]
        centre[j], spread[j] = finite.mean(), finite.std() or 1.0
    return centre + _REACH[:, np.newaxis] * spread, np.tile(np.diag(spread**2), (_REACH.size, 1, 1))


def _check_fills(coding: Coding, column: pd.Series[Any]) -> None:
    mean, var = _places(coding, column)
    near = np.abs(_REACH) < 1  # a conditional expectation far outside the data need not exist for every transformation
    for way, fills, size in (
        ("decode", coding.decode(mean, column), _REACH.size),
        ("decode of no rows", coding.decode(mean[:0], column), 0),
        ("expect", coding.expect(mean[near], var[near], column), int(near.sum())),
    ):
        _must(len(fills) == size, f"{way} must give {size} cells, not {len(fills)}")
        _must(fills.dtype == column.dtype, f"{way} must give the column's dtype {column.dtype}, not {fills.dtype}")
        filled = pd.Series(fills, name=column.name, dtype=column.dtype)
        _must(not missing(filled).any(), f"{way} must not give missing cells")
        lower, upper = _bounds(coding, filled)
        legal = coding.width == 0 or not (np.isneginf(lower) & np.isposinf(upper)).all(axis=1).any()
        _must(legal, f"{way} must give cells that encode again")
    _check_summary(coding.summarize(mean[near], var[near], column), int(near.sum()))


def _check_summary(said: Mapping[str, Any], size: int) -> None:
    for name in ("estimate", "sd", "low", "high"):
        _must(name in said, f"summarize must give {name!r}, not only {sorted(said)}")
        _must(len(said[name]) == size, f"summarize must give {size} of {name!r}, not {len(said[name])}")
    ordered = all(low <= high for low, high in zip(said["low"], said["high"], strict=True))
    _must(ordered, "summarize gives a low above its high")


def _copies(kind: Kind, coding: Coding) -> Iterator[tuple[Coding, str]]:
    yield kind.restore(json.loads(json.dumps(coding.to_json(), allow_nan=False))), "restored from JSON"
    yield pickle.loads(pickle.dumps(coding)), "unpickled"  # noqa: S301 (we pickled it ourselves)


def _check_same(coding: Coding, again: Coding, column: pd.Series[Any], way: str) -> None:
    _must(type(again) is type(coding), f"a coding {way} must be of the same class, not {type(again).__name__}")
    same = again.shift == coding.shift and again.width == coding.width
    _must(same, f"a coding {way} must have the same shift and width")
    for one, other in zip(_bounds(coding, column), _bounds(again, column), strict=True):
        _must(np.array_equal(one, other), f"a coding {way} must encode the same")
    mean, _ = _places(coding, column)
    fills = [pd.Series(c.decode(mean, column)) for c in (coding, again)]
    _must(_equal(*fills), f"a coding {way} must decode the same")
