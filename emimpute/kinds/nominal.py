"""Kind `nominal`: one of several answers without an order, the one of greatest utility.

Of K levels each but the first has a latent coordinate, its utility less the first one's. Answer k > 0 is the cone
{z_k > 0, z_k > z_j for all other j}, answer 0 is {z_j < 0 for all j}; in a frame of its own a cone is a box. With
independent utilities of variance 1 the differences have covariance I + 11ᵀ, whichever level is the first: this fixes
the scale, which answers do not show, and is an assumption for the rest.

A level that is declared but was never observed is left out of the coding, has probability 0, and stays a category of
the dtype. Thurstone 1927, https://doi.org/10.1037/h0070288; Hausman & Wise 1978, https://doi.org/10.2307/1913909.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, EMImputeError, named, shown
from emimpute.kinds.base import Cells, Coding, Kind
from emimpute.kinds.levels import Levels, distinct, plain
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Nominal", "NominalCoding"]

_FEW, _MANY = 3, 20  # levels that a column has by which it is recognised
_SHARED = 0.5  # of the cells of text: so many hold a value that occurs twice or more, or it tells rows apart
_NONE = -300.0  # log of a probability that is nothing beside another answer's
_FLOOR = 1e-12  # of the largest variance: added where a covariance is singular


@dataclass(frozen=True)
class NominalCoding(Coding):
    """The levels, and which of them were seen; the first of those is what utilities are measured against."""

    levels: Levels  # all that are declared
    seen: tuple[int, ...]  # places of the K that were observed
    kind: ClassVar[str] = "nominal"

    @cached_property
    def kept(self) -> Levels:
        """The K levels that were seen in fitting."""
        return self.levels.take(self.seen)

    @property
    def unseen(self) -> tuple[Any, ...]:
        """Levels that are declared and were never observed: nothing is ever filled with them."""
        return tuple(label for i, label in enumerate(self.levels.labels) if i not in self.seen)

    @property
    def width(self) -> int:  # type: ignore[override] # read only, as in every frozen coding
        """One coordinate for each level but the first."""
        return len(self.seen) - 1

    @cached_property
    def frames(self) -> np.ndarray:
        """(K, K - 1, K - 1): in its own, every answer's cone is the box of positive numbers."""
        k = self.width
        frames = np.tile(-np.eye(k), (k + 1, 1, 1))
        for answer in range(1, k + 1):
            frames[answer, :, answer - 1] = 1.0  # z_k - z_j in the rows of the others, and z_k itself in its own
        frames.flags.writeable = False
        return frames

    @property
    def within(self) -> np.ndarray:
        """Of the differences of independent utilities: I + 11ᵀ."""
        return np.eye(self.width) + 1.0

    def labels(self, column: Any) -> tuple[Any, ...]:
        """``column[level]`` for every level but the first."""
        levels = self.kept.labels[1:]
        said = list(map(str, levels))
        return tuple(f"{column}[{level}]" for level in (said if len(set(said)) == len(said) else map(repr, levels)))

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Cones (n, K - 1). ColumnError: a level that was not seen in fitting."""
        codes = self.kept.codes(column)
        lower = np.repeat(np.where(codes < 0, -np.inf, 0.0)[:, np.newaxis], self.width, axis=1)
        return Cells(lower, np.full(lower.shape, np.inf), np.maximum(codes, 0))

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:
        """The most probable level."""
        return self.kept.write(self._shares(mean, var).argmax(axis=1), like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The level of greatest utility."""
        return self.kept.write(np.hstack([np.zeros((len(z), 1)), z]).argmax(axis=1), like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """The most probable level; levels without an order have neither sd nor interval, which are NaN."""
        nothing = dict.fromkeys(("sd", "low", "high"), np.full(len(mean), np.nan))
        return {"estimate": self.kept.shown(self._shares(mean, var).argmax(axis=1)), **nothing}

    def probabilities(self, mean: np.ndarray, var: np.ndarray) -> Mapping[Any, np.ndarray]:
        """Of every declared level, in order; 0 for those that were never observed.

        Exact up to three levels. From four to six, against quasi-Monte Carlo, within .0001 where nothing else is known
        of the row, within .001 where other columns leave half of the variance, and .003 where they leave a tenth.
        """
        found = {label: np.zeros(len(mean)) for label in self.levels.labels}
        return found | dict(zip(self.kept.labels, self._shares(mean, var).T, strict=True))

    def _shares(self, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
        """Probabilities (r, K) of the cones under N(mean, var), which add up to 1."""
        size = np.max(var, axis=(1, 2), initial=0.0)
        var = var + np.maximum(_FLOOR * size, _FLOOR)[:, np.newaxis, np.newaxis] * np.eye(self.width)
        found = np.stack([_log_positive(mean @ frame.T, frame @ var @ frame.T) for frame in self.frames], axis=1)
        found = np.exp(found - found.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:  # noqa: ARG002
        """Nothing: levels without an order have neither mean nor sd."""
        return "", ""

    def to_json(self) -> dict[str, Any]:
        """Levels, and which were seen."""
        return {"levels": self.levels.to_json(), "seen": list(self.seen)}


@dataclass(frozen=True)
class Nominal(Kind):
    """Answers without an order: unordered categories, and text, of at most 20 levels.

    Parameters
    ----------
    levels
        The levels; the first is the one that the latent utilities are measured against. By default all categories that
        are declared, in their order, or the observed values, sorted.
    max_levels
        How many observed levels are taken at most: each but the first costs a latent coordinate.

    Raises
    ------
    EMImputeError
        For options that are none of these.
    """

    levels: Iterable[Any] | None = None
    max_levels: int = _MANY
    name: ClassVar[str] = "nominal"

    def __post_init__(self) -> None:
        """Keep the levels as a tuple, and refuse options that mean nothing."""
        most: Any = self.max_levels
        if isinstance(most, bool) or not isinstance(most, Integral) or most < 2:
            raise EMImputeError(f"Nominal(max_levels=...) is a whole number, 2 or more, not {most!r}.")
        if self.levels is None:
            return
        levels = () if isinstance(self.levels, str) else tuple(map(plain, self.levels))
        if len(set(levels)) < max(len(levels), 2):
            given = f"{self.levels!r}" if isinstance(self.levels, str) else named(levels)
            raise EMImputeError(f"Nominal(levels=...) is a list of two or more different levels, not {given or '[]'}.")
        object.__setattr__(self, "levels", levels)

    def accepts(self, column: pd.Series[Any]) -> bool:
        """Unordered categories, and text that does not tell rows apart, of which 3 to 20 levels are observed."""
        dtype: Any = column.dtype
        categories = isinstance(dtype, pd.CategoricalDtype)
        if not (_is_text(column) or (categories and not dtype.ordered)):
            return False
        _, codes = distinct(column)
        counts = np.bincount(codes[codes >= 0])
        counts = counts[counts > 0]
        shared = counts[counts > 1].sum() >= _SHARED * counts.sum()
        return _FEW <= len(counts) <= self.max_levels and (categories or bool(shared))

    def learn(self, column: pd.Series[Any]) -> NominalCoding:
        """The levels. ColumnError: a value outside ``levels``, fewer than two levels, or too many."""
        levels = self._levels(column)
        seen = np.flatnonzero(levels.counts(column))
        if not seen.size:
            msg = f"Column {shown(column.name)} has no observed value to learn from: give it values, or leave it out."
            raise ColumnError(msg)
        if seen.size < 2:
            msg = (
                f"Column {shown(column.name)} holds one level only ({shown(levels.labels[seen[0]])}): "
                f"kind {self.name!r} needs two; use kind 'constant'."
            )
            raise ColumnError(msg)
        if seen.size > self.max_levels:
            msg = (
                f"Column {shown(column.name)} holds {seen.size} levels ({named(levels.take(seen).labels, 3)}), and "
                f"kind {self.name!r} takes {self.max_levels} at most: merge the rare ones, leave the column out, or "
                f"take Nominal(max_levels={seen.size}), which costs a latent coordinate for each."
            )
            raise ColumnError(msg)
        return NominalCoding(levels, tuple(seen.tolist()))

    def _levels(self, column: pd.Series[Any]) -> Levels:
        if self.levels is None:
            return Levels.of(column)
        declared = Levels(tuple(self.levels))
        labels, codes = distinct(column)
        strange = np.flatnonzero(np.array([*(label not in declared.labels for label in labels), False])[codes])
        if strange.size:
            value, row = labels[codes[strange[0]]], column.index[strange[:1]].tolist()[0]
            msg = (
                f"Column {shown(column.name)} holds {shown(value)} (row label {shown(row)}), which is not among levels="
                f" ({named(declared.labels)}): add it there, or correct the data."
            )
            raise ColumnError(msg)
        return declared

    def restore(self, learned: Mapping[str, Any]) -> NominalCoding:
        """From the levels."""
        return NominalCoding(Levels.from_json(learned["levels"]), tuple(learned["seen"]))


def _log_positive(mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Log probability (r,) that all coordinates of N(mean, cov) are positive; where there is next to none, a bound."""
    from scipy.special import log_ndtr  # noqa: PLC0415 (importing emimpute stays light)

    from emimpute.normal.ep import boxed  # noqa: PLC0415 (likewise)

    # So far out that EP does not settle, the least likely coordinate alone says all that can be said.
    logz = log_ndtr(mean / np.sqrt(np.diagonal(cov, axis1=1, axis2=2))).min(axis=1)
    near = np.flatnonzero(logz > _NONE)
    if near.size:
        m = mean[near]
        logz[near] = np.minimum(boxed(m, cov[near], np.zeros(m.shape), np.full(m.shape, np.inf)).logz, logz[near])
    return np.asarray(logz)


def _is_text(column: pd.Series[Any]) -> bool:
    if isinstance(column.dtype, pd.StringDtype) or str(column.dtype) in {"string[pyarrow]", "large_string[pyarrow]"}:
        return True
    if column.dtype != object:
        return False
    observed = column.to_numpy()[~missing(column)]  # pandas itself takes NaT for a value among text
    return pd.api.types.infer_dtype(observed, skipna=False) == "string"
