"""Which columns the tests compare, those of points on a line, and the distribution fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute import _frames
from emimpute.choosing import choose
from emimpute.em import Stop
from emimpute.errors import ColumnError, EMImputeError, IdentificationError, named, shown
from emimpute.kinds import registry
from emimpute.kinds.real import Real
from emimpute.learning import learn, settings
from emimpute.table import Table

if TYPE_CHECKING:
    from emimpute.choosing import Choice
    from emimpute.latent import Latent
    from emimpute.results.fit import Fit


__all__ = [
    "SINGULAR",
    "Tested",
    "about",
    "by_size",
    "columns_of",
    "count",
    "fitted_to",
    "generator_of",
    "lacking",
    "objects",
    "repeated",
]

_ON_A_LINE = {"real", "datetime", "timedelta"}  # kinds of numbers as they are
_NUMBERS = Real()
_RIDGE = (
    "Approximate: these data have no maximum likelihood estimate (see emimpute.fit(df).problems), so the test rests on "
    "one with a ridge, and its p-value on no theory."
)
SINGULAR = (
    "The fitted covariance matrix is singular, so there is no test: leave out one column of each nearly dependent set."
)


@dataclass(frozen=True, eq=False)
class Tested:
    """The columns that are tested, and the others."""

    choice: Choice
    latent: Latent
    left_out: pd.DataFrame  # column, reason

    @property
    def labels(self) -> pd.Index[Any]:
        """Of the columns that are tested, (d,)."""
        return self.choice.table.labels

    @property
    def observed(self) -> np.ndarray:
        """Which of their cells are there, (n, d) bool."""
        return self.latent.observed


def columns_of(df: pd.DataFrame, columns: Any, kinds: Mapping[Any, Any] | None, taken: Sequence[int] = ()) -> Tested:
    """Choose the columns whose cells are points on a line, of all but those ``taken`` for something else.

    ColumnError: there is none, or one that was asked for is not of that sort.
    """
    df = _frames.check(df)
    # Numbers are numbers here, also where they count or are 0 and 1, unless kinds= says otherwise: the first function
    # that says yes wins, so ours comes last.
    choice = choose(df, columns, {**(kinds or {}), _are_numbers: _NUMBERS} if _mapping(kinds) else kinds, taken)
    insisted = set() if columns is None else set(_frames.positions(df, columns, "columns="))
    for label in kinds or ():
        insisted.update(_frames.locate(df.columns, label).tolist())
    left = dict(choice.left)
    kept = []
    for i, coding in zip(choice.positions, choice.table.codings, strict=True):
        reason = None
        if not coding.width:
            reason = "constant"
        elif coding.width > 1 or any(map(len, coding.cuts)) or (coding.kind not in _ON_A_LINE and i not in insisted):
            reason = f"kind {coding.kind}"
        elif Table.of(df.columns, [i], [coding]).encode(df, [i]).boxed:
            reason = f"kind {coding.kind}, with cells that are intervals"
        if reason is None:
            kept.append((i, coding))
        elif i in insisted and coding.width:
            msg = (
                f"Column {shown(df.columns[i])} cannot be tested ({reason}): {_remedy(df.iloc[:, i])}, or leave it out."
            )
            raise ColumnError(msg)
        else:
            left[i] = reason
    if not kept:
        said = f" {named(df.columns[sorted(left)])} cannot be used." if left else ""
        raise ColumnError(f"There is nothing to test: no column of numbers that vary.{said} Give columns of numbers.")
    chosen = [i for i, _ in kept]
    table = Table.of(df.columns, chosen, [coding for _, coding in kept])
    choice = replace(choice, positions=chosen, table=table, problems=[])
    out = pd.DataFrame(
        {
            "column": pd.Series(objects(df.columns[sorted(left)]), dtype=object),
            "reason": pd.Series([left[i] for i in sorted(left)], dtype=object),
        }
    )
    return Tested(choice, table.encode(df, chosen), out)


def _remedy(column: pd.Series[Any]) -> str:
    """How such a column could be tested after all."""
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dtype):
        ordered = isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered
        how = " (.cat.codes, with -1 as missing)" if ordered else " (0 and 1 for each category)"
        return f"the test compares means, so put numbers in the place of its categories{how}"
    return "take kind 'real'"


def _are_numbers(column: pd.Series[Any]) -> bool:
    return _NUMBERS.accepts(column) and getattr(registry.choose(column), "name", None) != "constant"


def _mapping(kinds: object) -> bool:
    return kinds is None or isinstance(kinds, Mapping)


def fitted_to(df: pd.DataFrame, table: Tested, tol: float, max_iter: int) -> Fit:
    """Maximum likelihood, also where other parameters than those of the patterns are not determined; else a ridge."""
    plain = settings("mvn", None, tol, max_iter, None, progress=False, seeds=())
    try:
        fitted, _ = learn(df, table.choice, None, plain, [], keep=False)
    except IdentificationError:
        fitted = None
    if fitted is None or fitted.stop in {Stop.SINGULAR, Stop.UNBOUNDED}:
        helped = settings("mvn", "fallback", tol, max_iter, None, progress=False, seeds=())
        fitted, _ = learn(df, table.choice, None, helped, [], keep=False)
    return fitted


def about(fitted: Fit) -> list[str]:
    """What the estimate says of the test."""
    if fitted.prior is not None:
        return [_RIDGE]
    if fitted.stop is Stop.FLAT or fitted.converged:
        return []
    return [f"{fitted.stop.value} The test rests on this estimate."]


def by_size(masks: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Patterns in the order of :func:`emimpute.patterns`: the most frequent first, of these the more complete."""
    return np.lexsort(((~masks).sum(axis=1), -counts))


def lacking(labels: pd.Index[Any], masks: np.ndarray) -> list[tuple[Any, ...]]:
    """The labels that each pattern (K, d) lacks."""
    return [tuple(labels[~mask]) for mask in masks]


def objects(labels: pd.Index[Any]) -> np.ndarray:
    """Labels as cells: a tuple is one of them."""
    cells = np.empty(len(labels), dtype=object)
    cells[:] = labels.tolist()
    return cells


def count(value: Any, what: str, meaning: str, *, least: int = 0, most: int | None = None) -> int:
    """``value`` if it is a whole number in that range. Raises EMImputeError."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < least or (most is not None and int(value) > most):
        raise EMImputeError(f"{what} is {meaning}, and this one is {value!r}.")
    return int(value)


def repeated(df: pd.DataFrame, weights: Any) -> tuple[pd.DataFrame, list[int]]:
    """``df`` with a row of weight w as often as that, and the positions of the columns that held ``weights``.

    Raises EMImputeError unless weights are whole numbers, not below 0: a test's p-value counts rows.
    """
    df = _frames.check(df)
    found, taken = _frames.row_weights(df, weights)
    if found is None:
        return df, taken
    if (found != np.rint(found)).any():
        first = found[found != np.rint(found)][0]
        msg = f"weights= hold {first:g}, and this test counts rows: it takes whole numbers, 2 for two alike."
        raise EMImputeError(f"{msg} With other weights (sampling weights) its statistic is not chi-squared.")
    return df.take(np.repeat(np.arange(len(df)), found.astype(int))), taken


def generator_of(rng: Any) -> np.random.Generator:
    """A generator from what ``rng=`` may be. Raises EMImputeError."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise EMImputeError(f"rng= is None, an int or a numpy Generator, and this one is {rng!r}.") from error
