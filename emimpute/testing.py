"""Contract tests for authors of plugins: what every kind of column must keep to.

One line in a plugin's own tests, for every sort of column it takes, is enough:

>>> import pandas as pd
>>> from emimpute.kinds import Real
>>> check_kind(Real(), pd.Series([1.5, None, 3.0]))

What does not keep the contract is told in a sentence.
"""

from __future__ import annotations

import json
import pickle
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.reading import missing
from emimpute.kinds.registry import get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["check_kind"]

_REACH = np.array([-1e6, -8.0, -0.5, 0.0, 0.5, 8.0, 1e6])  # how far from the centre a fill is tried, in latent sds
_NEAR = np.abs(_REACH) < 1  # a conditional expectation far outside the data need not exist for every transformation
_ROUNDED = 1e-6  # of the spread: what a way there and back may lose
_SURE = 1e-8  # a variance that leaves no doubt
_TOGETHER = 1e-9  # error of a sum of probabilities
_CONDITION = 1e8  # of a matrix that can be inverted


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
        coding = _ask("learn", kind.learn, column)
        _must(vars(kind) == configuration, "learn must remember nothing on the kind: return it in the coding")
        _check_all(kind, coding, column, gaps)
        if any(len(cuts) for cuts in coding.cuts):
            _check_all(kind, _settled(coding, column), column, gaps)
    _must(_equal(column, before), "the column that was learned from must not be modified")


def _check_all(kind: Kind, coding: Coding, column: pd.Series[Any], gaps: np.ndarray) -> None:
    _check_coding(kind, coding)
    learned = _as_json(coding)
    _check_cells(coding, column, gaps)
    _check_fills(coding, column)
    _check_way_back(coding, column, gaps)
    for again, way in _copies(kind, coding):
        _check_same(coding, again, column, way)
    _must(_as_json(coding) == learned, "using a coding must not change it, but its to_json gives something else now")


def _must(kept: bool, sentence: str) -> None:  # noqa: FBT001 (reads as a sentence)
    if not kept:
        raise AssertionError(sentence)


def _ask(what: str, method: Callable[..., Any], *arguments: Any) -> Any:
    """What a method of the plugin gives; what it raises, as a sentence."""
    try:
        return method(*arguments)
    except Exception as problem:
        msg = f"{what} raised {type(problem).__name__}: {problem}"
        raise AssertionError(msg) from problem


def _equal(a: pd.Series[Any], b: pd.Series[Any]) -> bool:
    try:
        pd.testing.assert_series_equal(a, b)
    except AssertionError:
        return False
    return True


def _array(what: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """``value``, which must be an array of floats of that shape."""
    _must(isinstance(value, np.ndarray), f"{what} must be a numpy array, not {type(value).__name__}")
    _must(value.shape == shape, f"{what} must have shape {shape}, not {value.shape}")
    _must(value.dtype == np.float64, f"{what} must be float64, not {value.dtype}")
    return np.asarray(value)


def _check_accepts(kind: Kind, column: pd.Series[Any]) -> None:
    odd = [
        column,
        column.iloc[:0],
        column[missing(column)],
        pd.Series([], dtype=object),
        pd.Series([None, None], dtype=object),
        pd.Series(["a", None]),
        pd.Series([1, "a", (2, 3)], dtype=object),
        pd.Series([["a"], {}], dtype=object),
        pd.Series([1j, 2j]),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([None, None], dtype="category"),
        pd.Series(pd.Categorical([2, 1, None], ordered=True)),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series(np.array(["2020-01-01", "NaT"], dtype="M8[s]")),
        pd.Series([True, None], dtype="boolean"),
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
    shift, labels = coding.shift, coding.labels("x")
    width: Any = coding.width
    _must(isinstance(width, int) and width >= 0, f"width must be a number of coordinates, not {width!r}")
    _must(len(shift) == width, f"shift must be width = {width} numbers, not {shift}")
    _must(bool(np.isfinite(shift).all()), f"shift must be finite, not {shift}")
    _must(len(set(labels)) == len(labels) == width, f"labels must be width = {width} different ones, not {labels}")
    for name in [*getattr(coding, "__dataclass_fields__", ()), "something_new"]:
        try:
            setattr(coding, name, None)
        except AttributeError:
            continue
        msg = f"a coding must be frozen, but its attribute {name!r} could be set: make it a dataclass(frozen=True)"
        raise AssertionError(msg)
    _check_geometry(coding)


def _check_geometry(coding: Coding) -> None:
    """Cut points, frames, and the covariance by definition."""
    k = coding.width
    _must(len(coding.cuts) == k, f"cuts must be width = {k} arrays, one for each coordinate, not {len(coding.cuts)}")
    for cuts in coding.cuts:
        _array("cuts of a coordinate", cuts, np.shape(cuts)[:1])
        _must(bool(np.isfinite(cuts).all()), f"cuts must be finite, not {cuts}")
        _must(all(one < next_ for one, next_ in pairwise(cuts)), f"cuts must increase, unlike {cuts}")
    frames = _array("frames", coding.frames, (*np.shape(coding.frames)[:1], k, k))
    for i, frame in enumerate(frames):
        sound = bool(np.isfinite(frame).all()) and (not k or float(np.linalg.cond(frame)) < _CONDITION)
        _must(sound, f"frames must be invertible, and frame {i} is not")
    if coding.within is not None:
        within = _array("within", coding.within, (k, k))
        sound = bool((within == within.T).all()) and bool((np.linalg.eigvalsh(within) > 0).all())
        _must(sound, "within must be a covariance matrix: symmetric and positive definite")


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Cells with their holes as (-inf, inf)."""

    lower: np.ndarray  # (n, k)
    upper: np.ndarray  # (n, k)
    frame: np.ndarray | None  # (n,)

    @property
    def holes(self) -> np.ndarray:  # (n, k) bool
        return np.asarray(np.isneginf(self.lower) & np.isposinf(self.upper))

    def equals(self, other: _Bounds) -> bool:
        mine, its = self.frame, other.frame
        same = (mine is None) == (its is None)
        if same and mine is not None and its is not None:
            known = ~self.holes.all(axis=1)
            same = np.array_equal(mine[known], its[known])
        return same and np.array_equal(self.lower, other.lower) and np.array_equal(self.upper, other.upper)

    def take(self, rows: Any) -> _Bounds:
        return _Bounds(self.lower[rows], self.upper[rows], None if self.frame is None else self.frame[rows])


def _bounds(coding: Coding, column: pd.Series[Any]) -> _Bounds:
    cells = _ask("encode", coding.encode, column)
    _must(isinstance(cells, Cells), f"encode must return Cells, not {cells!r}")
    shape = (len(column), coding.width)
    lower, upper = _array("bounds", cells.lower, shape), _array("bounds", cells.upper, shape)
    unknown = np.isnan(lower)
    _must(np.array_equal(unknown, np.isnan(upper)), "a bound is NaN where the other is not")
    found = _Bounds(np.where(unknown, -np.inf, lower), np.where(unknown, np.inf, upper), cells.frame)
    if cells.frame is not None:
        frame, m = cells.frame, len(coding.frames)
        fine = isinstance(frame, np.ndarray) and frame.shape == shape[:1] and frame.dtype.kind in "iu"
        _must(fine, f"frame must be an array of {shape[0]} whole numbers, not {type(frame).__name__}")
        used = bool(((frame >= 0) & (frame < m)).all())
        _must(used, f"frame must be numbers from 0 to {m - 1}, for there are {m} frames; it has {np.unique(frame)}")
    return found


def _check_cells(coding: Coding, column: pd.Series[Any], gaps: np.ndarray) -> None:
    found = _bounds(coding, column)
    _must(bool((found.lower <= found.upper).all()), "encode gives a lower bound above its upper bound")
    nowhere = np.isposinf(found.lower) | np.isneginf(found.upper)
    _must(not nowhere.any(), "encode gives a cell that lies at infinity")
    _must(bool(found.holes[gaps].all()), "a missing cell must be a hole in every coordinate")
    if coding.width:
        _must(not found.holes[~gaps].all(axis=1).any(), "an observed cell must not be a hole in every coordinate")
    _check_cuts(coding, found)
    _bounds(coding, column.iloc[:0])
    only = column.iloc[np.flatnonzero(gaps)]
    _must(bool(_bounds(coding, only).holes.all()), "a column of missing cells only must encode to holes")
    backwards = np.arange(len(column))[::-1]
    same = _bounds(coding, column.iloc[backwards]).equals(found.take(backwards))
    _must(same, "encode must look at each cell alone: rows in another order must give the same cells in that order")
    first = np.flatnonzero(~gaps)[:1]
    same = _bounds(coding, column.iloc[first]).equals(found.take(first))
    _must(same, "encode must look at each cell alone: one row must give the same cell as it does among others")


def _check_cuts(coding: Coding, found: _Bounds) -> None:
    for j, cuts in enumerate(coding.cuts):
        if not len(cuts):
            continue
        ends = np.concatenate([found.lower[:, j], found.upper[:, j]])
        ends = ends[np.isfinite(ends)]
        _must(
            bool(np.isin(ends, cuts).all()), "where a coordinate has cuts, its cells must be bounded by these numbers"
        )
        _must(bool((found.lower[:, j] < found.upper[:, j]).all()), "where a coordinate has cuts, no cell is a point")
        _must(bool(np.isin(cuts, ends).all()), "a cut must bound a cell that was seen, or nothing tells where it is")


def _settled(coding: Coding, column: pd.Series[Any]) -> Coding:
    """The coding with other cut points, which are in the same order."""
    moved = tuple(1.25 * cuts + 0.125 for cuts in coding.cuts)
    again: Coding = _ask("settled", coding.settled, moved)
    _must(type(again) is type(coding), f"settled must give a {type(coding).__name__}, not {type(again).__name__}")
    same = len(again.cuts) == len(moved) and all(map(np.array_equal, again.cuts, moved))
    _must(same, "settled must give a coding with the cuts that it was given")
    before, after = _bounds(coding, column), _bounds(again, column)
    for j, (old, new) in enumerate(zip(coding.cuts, moved, strict=True)):
        if len(old):
            for was, now in ((before.lower, after.lower), (before.upper, after.upper)):
                place = np.minimum(np.searchsorted(old, was[:, j]), len(old) - 1)
                expected = np.where(np.isfinite(was[:, j]), new[place], was[:, j])
                _must(np.array_equal(now[:, j], expected), "a settled coding must encode with its new cuts")
    return again


def _scale(found: _Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread (k,) of what is observed, by its bounds."""
    ends = np.concatenate([found.lower, found.upper])
    centre, spread = np.zeros(ends.shape[1]), np.ones(ends.shape[1])
    for j, values in enumerate(ends.T):
        finite = values[np.isfinite(values)]
        if finite.size:
            centre[j], spread[j] = finite.mean(), finite.std() or 1.0
    return centre, spread


def _places(coding: Coding, column: pd.Series[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Latent means (r, k) from the middle of what is observed to far outside, and variances (r, k, k)."""
    centre, spread = _scale(_bounds(coding, column))
    return centre + _REACH[:, np.newaxis] * spread, np.tile(np.diag(spread**2), (_REACH.size, 1, 1))


def _check_fills(coding: Coding, column: pd.Series[Any]) -> None:
    mean, var = _places(coding, column)
    size = int(_NEAR.sum())
    for way, cells, rows in (
        ("decode", _ask("decode", coding.decode, mean, column), _REACH.size),
        ("decode of no rows", _ask("decode of no rows", coding.decode, mean[:0], column), 0),
        ("expect", _ask("expect", coding.expect, mean[_NEAR], var[_NEAR], column), size),
        ("expect of no rows", _ask("expect of no rows", coding.expect, mean[:0], var[:0], column), 0),
    ):
        filled = _cells_again(way, cells, rows, column)
        holes = _bounds(coding, filled).holes
        legal = coding.width == 0 or not holes.all(axis=1).any()
        _must(legal, f"{way} must give cells that encode again")
    said = _ask("summarize", coding.summarize, mean[_NEAR], var[_NEAR], column)
    shares = _ask("probabilities", coding.probabilities, mean[_NEAR], var[_NEAR])
    if shares is None:
        _check_summary(said, size, None)
    else:
        _check_summary(said, size, _check_probabilities(shares, size, column))
        cells = pd.Series(coding.expect(mean[_NEAR], var[_NEAR], column)).tolist()
        same = all(map(_alike, np.asarray(said["estimate"], dtype=object).tolist(), cells))
        _must(same, "summarize must give as estimates the categories that expect fills in")
    texts = _ask("printed", coding.printed, np.zeros(coding.width), np.eye(coding.width))
    pair = isinstance(texts, tuple) and [type(text) for text in texts] == [str, str]
    _must(pair, f"printed must give two texts, mean and sd, not {texts!r}")


def _cells_again(way: str, cells: Any, rows: int, like: pd.Series[Any]) -> pd.Series[Any]:
    """Filled cells as a column."""
    sized = hasattr(cells, "__len__") and hasattr(cells, "dtype")
    _must(sized, f"{way} must give an array of the column's dtype {like.dtype}, not {type(cells).__name__}")
    _must(len(cells) == rows, f"{way} must give {rows} cells, not {len(cells)}")
    _must(cells.dtype == like.dtype, f"{way} must give the column's dtype {like.dtype}, not {cells.dtype}")
    filled = pd.Series(cells, name=like.name, dtype=like.dtype)
    _must(not missing(filled).any(), f"{way} must not give missing cells")
    return filled


def _check_probabilities(shares: Mapping[Any, np.ndarray], size: int, column: pd.Series[Any]) -> list[Any]:
    """The categories in their order."""
    _must(hasattr(shares, "keys"), f"probabilities must be a mapping from categories, not {type(shares).__name__}")
    names = list(shares.keys())
    table = np.array([_array(f"the probability of {name!r}", shares[name], (size,)) for name in names])
    _must(bool((table >= 0).all()), "probabilities must be numbers from 0 to 1, not negative and not NaN")
    _must(bool((np.abs(table.sum(axis=0) - 1) < _TOGETHER).all()), "probabilities of a cell must add up to 1")
    lost = [cell for cell in column[~missing(column)].tolist() if cell not in names]
    _must(not lost, f"probabilities must be of all categories, but {lost[:1]} is not among {names}")
    return names


def _alike(name: Any, cell: Any) -> bool:
    return bool(name == cell)


def _check_summary(said: Mapping[str, Any], size: int, order: list[Any] | None) -> None:
    for name in ("estimate", "sd", "low", "high"):
        _must(name in said, f"summarize must give {name!r}, not only {sorted(said)}")
        _must(len(said[name]) == size, f"summarize must give {size} of {name!r}, not {len(said[name])}")
    _must(not any(sd < 0 * sd for sd in said["sd"]), "summarize gives an sd below 0")
    for ends in zip(said["low"], said["high"], strict=True):
        none = [bool(pd.isna(end)) for end in ends]
        _must(none[0] == none[1], "summarize gives a low without a high, or a high without a low")
        if none[0]:  # categories without an order have no interval
            continue
        low, high = [order.index(end) for end in ends] if order is not None and set(ends) <= set(order) else ends
        _must(low <= high, "summarize gives a low above its high")


def _check_way_back(coding: Coding, column: pd.Series[Any], gaps: np.ndarray) -> None:
    """A place inside an observed cell must lead back to it, or to another cell in or near that place."""
    if not coding.width:
        return
    found = _bounds(coding, column)
    _, spread = _scale(found)
    found = found.take(~gaps)
    z = _inside(coding, found, spread)
    cells = _cells_again("decode", _ask("decode", coding.decode, z, column), len(z), column)
    again = _bounds(coding, cells)
    place = z if again.frame is None else (coding.frames[again.frame] @ z[:, :, np.newaxis])[:, :, 0]
    slack = _ROUNDED * spread
    inside: np.ndarray = np.asarray((again.lower - slack <= place) & (place <= again.upper + slack))
    if found.frame is None:  # or a point of that very cell: in an interval, a legal cell near to the place
        point = again.lower == again.upper
        inside |= point & (found.lower - slack <= again.lower) & (again.upper <= found.upper + slack)
    outside = np.flatnonzero(~inside.all(axis=1))
    if outside.size:
        wrong = int(outside[0])
        cell, other = column[~gaps].tolist()[wrong], cells.tolist()[wrong]
        msg = f"decode must lead back: a place inside the cell {cell!r} gives {other!r}, which is encoded elsewhere"
        raise AssertionError(msg)
    var = np.tile(_SURE * np.diag(spread**2), (len(z), 1, 1))
    shares = _ask("probabilities", coding.probabilities, z, var)
    if shares is None:
        return
    names = list(shares.keys())
    likely = np.array([shares[name] for name in names]).argmax(axis=0)
    sure = _cells_again("expect", _ask("expect", coding.expect, z, var, column), len(z), column)
    for i, cell, expected in zip(likely, cells.tolist(), sure.tolist(), strict=True):
        _must(
            _alike(names[i], cell), f"where there is no doubt, {names[i]!r} is most probable, but decode gives {cell!r}"
        )
        _must(_alike(expected, cell), f"where there is no doubt, expect gives {expected!r}, but decode gives {cell!r}")


def _inside(coding: Coding, found: _Bounds, spread: np.ndarray) -> np.ndarray:
    """A place (n, k) inside each cell: its middle, or half a spread from its only end."""
    with np.errstate(invalid="ignore"):  # inf - inf, which is not taken
        middle = found.lower / 2 + found.upper / 2
    below, above = np.isneginf(found.lower), np.isposinf(found.upper)
    u = np.where(below, found.upper - spread / 2, np.where(above, found.lower + spread / 2, middle))
    u = np.where(below & above, 0.0, u)
    return u if found.frame is None else np.linalg.solve(coding.frames[found.frame], u[:, :, np.newaxis])[:, :, 0]


def _as_json(coding: Coding) -> Any:
    learned = _ask("to_json", coding.to_json)
    try:
        return json.loads(json.dumps(learned, allow_nan=False))
    except (TypeError, ValueError) as problem:
        msg = f"to_json must give JSON types, and no NaN or infinity, but it gives {learned!r}"
        raise AssertionError(msg) from problem


def _copies(kind: Kind, coding: Coding) -> Iterator[tuple[Coding, str]]:
    yield _ask("restore", kind.restore, _as_json(coding)), "restored from JSON"
    yield _ask("pickle", lambda: pickle.loads(pickle.dumps(coding))), "unpickled"  # noqa: S301 (we pickled it ourselves)


def _check_same(coding: Coding, again: Coding, column: pd.Series[Any], way: str) -> None:
    _must(type(again) is type(coding), f"a coding {way} must be of the same class, not {type(again).__name__}")
    same = again.shift == coding.shift and again.width == coding.width
    _must(same, f"a coding {way} must have the same shift and width")
    _must(all(map(np.array_equal, again.cuts, coding.cuts)), f"a coding {way} must have the same cuts")
    same = np.array_equal(again.frames, coding.frames) and again.labels("x") == coding.labels("x")
    _must(same, f"a coding {way} must have the same frames and labels")
    one, other = coding.within, again.within
    same = one is other is None or (one is not None and other is not None and np.array_equal(one, other))
    _must(same, f"a coding {way} must have the same covariance within")
    _must(_bounds(coding, column).equals(_bounds(again, column)), f"a coding {way} must encode the same")
    mean, var = _places(coding, column)
    fills = [pd.Series(c.decode(mean, column)) for c in (coding, again)]
    _must(_equal(*fills), f"a coding {way} must decode the same")
    fills = [pd.Series(c.expect(mean[_NEAR], var[_NEAR], column)) for c in (coding, again)]
    _must(_equal(*fills), f"a coding {way} must expect the same")
