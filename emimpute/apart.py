"""Groups fitted apart: each has a law of its own, and its gaps are filled from that.

Columns are of the same kind in every group. A group that has no value at all in a column cannot fill it: its gaps
remain, and one warning says so for all groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute import _frames
from emimpute.choosing import choose_within
from emimpute.errors import ColumnError, ColumnWarning, EMImputeError, named, phrase, shown, unknown
from emimpute.inference.complete import complete
from emimpute.kinds.reading import missing
from emimpute.learning import learn
from emimpute.results.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.choosing import Sorts
    from emimpute.learning import Settings
    from emimpute.results.fit import Fit

__all__ = ["Asked", "Groups", "complete_apart", "groups"]


@dataclass(frozen=True, eq=False)
class Groups:
    """The rows of each group.

    Attributes
    ----------
    names
        Such as ``"country = 'FR', year = 2020"``.
    rows
        Positions (r,) of each group's rows, rising.
    taken
        Positions of the columns that tell the groups; they take no part in the model.
    unknown
        The labels among them that are missing in some row; such rows make a group.
    """

    names: list[str]
    rows: list[np.ndarray]
    taken: list[int]
    unknown: list[Any]

    def problems(self) -> list[Problem]:
        """What is to be said of rows that no group is known of."""
        if not self.unknown:
            return []
        who = named(self.unknown)
        sentence = f"by= has rows without {who}: they are a group of their own, and their gaps there remain."
        return [Problem("unknown group", tuple(self.unknown), sentence, "Fill or drop them first.", ColumnWarning)]

    def leaves(self, df: pd.DataFrame, gaps: set[int], *, named_to_fill: bool) -> set[int]:
        """Positions of the columns with ``gaps``, without its own. Raises ColumnError if these are to be filled."""
        if named_to_fill and (own := sorted(gaps.intersection(self.taken))):
            said = named(df.columns[own])
            raise ColumnError(f"fill= names {said}, and by= the same: what tells the groups is not filled. Say one.")
        return gaps.difference(self.taken)


def groups(df: pd.DataFrame, by: Any) -> Groups:
    """The groups that ``by`` makes, in the order of its values, as ``df.groupby(by)`` does.

    ``by`` is a label of a column or an index level, a Series or array of one value for each row, or a list of these.
    Raises ColumnError for labels that there are not; EMImputeError for values that are not one for each row.
    """
    keys, taken = _keys(df, by)
    table = pd.concat([key.reset_index(drop=True) for key in keys], axis=1, ignore_index=True)
    try:
        numbers = table.groupby(list(table.columns), sort=True, dropna=False, observed=True).ngroup().to_numpy()
    except TypeError as problem:
        raise ColumnError(f"by= has values that tell no groups ({problem}): give text, numbers, dates.") from problem
    order = np.argsort(numbers, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(df) else []
    names = [_name([key.name for key in keys], table.iloc[own[0]].tolist()) for own in rows]
    without = [df.columns[i] for i in taken if missing(df.iloc[:, i]).any()]
    return Groups(names, rows, taken, without)


def _keys(df: pd.DataFrame, by: Any) -> tuple[list[pd.Series[Any]], list[int]]:
    """The columns of which each combination of values is a group, and the positions of those that are the frame's."""
    told = by if isinstance(by, list) else [by]
    if not told:
        raise EMImputeError("by= names no column: leave it out to fit all rows together.")
    keys: list[pd.Series[Any]] = []
    taken: list[int] = []
    for label in told:
        if isinstance(label, _VALUES):
            keys.append(_aligned(label, df))
            continue
        here = _frames.locate(df.columns, label).tolist()
        if not here and label in df.index.names:
            keys.append(pd.Series(df.index.get_level_values(label), name=label))
            continue
        if not here:
            raise ColumnError(f"by=: {unknown('column', label, list(df.columns))}")
        keys += [df.iloc[:, i] for i in here]
        taken += here
    return keys, taken


_VALUES = (pd.Series, pd.DataFrame, pd.Index, np.ndarray, pd.api.extensions.ExtensionArray)


def _aligned(values: Any, df: pd.DataFrame) -> pd.Series[Any]:
    """One value for each row. Raises EMImputeError for what is not that."""
    if isinstance(values, pd.Series):
        if not values.index.equals(df.index):
            raise EMImputeError("by= is a Series with another index than the data: align it with by.reindex(df.index).")
        return values
    if np.shape(values) != (len(df),):
        msg = f"by= has the shape {np.shape(values)}, and the data have {len(df)} rows: one value for each is needed."
        raise EMImputeError(msg)
    if isinstance(values, pd.MultiIndex):
        values = values.to_flat_index()
    return pd.Series(values, name=getattr(values, "name", None))


def _name(labels: Sequence[Any], values: Sequence[Any]) -> str:
    def said(value: Any) -> str:
        return "missing" if pd.api.types.is_scalar(value) and pd.isna(value) else shown(value)

    names = ["by" if label is None else label if isinstance(label, str) else shown(label) for label in labels]
    return ", ".join(f"{name} = {said(value)}" for name, value in zip(names, values, strict=True))


@dataclass(frozen=True, eq=False)
class Asked:
    """What a call asks for, the same for every group."""

    found: Sorts
    fillable: set[int]  # positions of the columns with gaps that the frame as a whole could fill
    how: Settings
    weights: np.ndarray | None  # (n,)
    fill: Sequence[int] | None
    where: np.ndarray | None  # (n, columns)
    rng: np.random.Generator | None
    keep: bool  # whether a fit keeps its group's data


def complete_apart(
    df: pd.DataFrame, apart: Groups, asked: Asked
) -> tuple[pd.DataFrame, dict[int, np.ndarray], list[Fit], list[Problem]]:
    """``df`` with each group's gaps filled by a fit of its own, which cells were, the fits, and what is to be said.

    Errors as for :func:`emimpute.impute`; they name the group.
    """
    masks = {i: np.zeros(len(df), dtype=bool) for i in sorted(asked.fillable)}
    pieces: dict[int, list[pd.Series[Any]]] = {i: [] for i in masks}
    fits: list[Fit] = []
    lost: dict[str, list[Any]] = {}
    for name, rows in zip(apart.names, apart.rows, strict=True):
        part, where = df.iloc[rows], None if asked.where is None else asked.where[rows]
        gaps = {i for i in masks if _any_to_fill(part, i, asked.fill, where)}
        try:
            fit, done, filled = _group(part, rows, gaps, where, asked)
        except EMImputeError as problem:
            raise type(problem)(f"In the group {name}: {problem}") from problem
        if left := gaps.difference(filled):
            lost[name] = [df.columns[i] for i in sorted(left)]
        if fit is not None:
            fits.append(replace(fit, group=name, part=rows))
        for i, mask in filled.items():
            masks[i][rows[mask]] = True
            pieces[i].append(pd.Series(done.iloc[:, i].array[mask], index=rows[mask]))
    masks = {i: mask for i, mask in masks.items() if mask.any()}
    # Concatenated pieces keep their dtype, categories and all, and the index puts them in the order of the rows.
    done = _frames.written(df, {i: (mask, pd.concat(pieces[i]).sort_index().array) for i, mask in masks.items()})
    return done, masks, fits, [*apart.problems(), *_left(lost), *_together(fits)]


def _group(
    part: pd.DataFrame, rows: np.ndarray, gaps: set[int], where: np.ndarray | None, asked: Asked
) -> tuple[Fit | None, pd.DataFrame, dict[int, np.ndarray]]:
    """One group's fit, its completed rows, and which cells were filled; no fit where there is nothing to fill."""
    weights = None if asked.weights is None else asked.weights[rows]
    choice = choose_within(part if weights is None else part[weights > 0], asked.found)
    if gaps.isdisjoint(choice.positions):
        return None, part, {}
    fit, latent = learn(part, choice, weights, asked.how, choice.left_alone(()), keep=asked.keep)
    done, filled = complete(fit.law, part, latent=latent, fill=asked.fill, where=where, rng=asked.rng)
    return fit, done, filled


def _any_to_fill(part: pd.DataFrame, column: int, fill: Sequence[int] | None, where: np.ndarray | None) -> bool:
    if fill is not None and column not in fill:
        return False
    return bool((missing(part.iloc[:, column]) & (True if where is None else where[:, column])).any())


def _left(lost: dict[str, list[Any]]) -> list[Problem]:
    """The columns of which some groups have no value at all."""
    if not lost:
        return []
    said = phrase([f"{named(labels)} (where {name})" for name, labels in lost.items()])
    sentence = f"Gaps remain where a group has no observed value to learn from: {said}."
    columns = tuple(dict.fromkeys(label for labels in lost.values() for label in labels))
    remedy = "Fit such groups together with others, or leave by= out."
    return [Problem("left alone", columns, sentence, remedy, ColumnWarning)]


def _together(fits: Sequence[Fit]) -> list[Problem]:
    """What was found in the groups: of each sort one sentence, with the groups it was found in."""
    found: dict[str, list[tuple[str, Problem]]] = {}
    for fit in fits:
        for problem in fit.findings:
            found.setdefault(problem.name, []).append((fit.group, problem))
    gathered = []
    for pairs in found.values():
        (name, first), *others = pairs
        if all(problem.sentence == first.sentence for _, problem in others):
            where = phrase([name for name, _ in pairs])
            sentence = f"{'In every group' if len(pairs) == len(fits) > 1 else f'Where {where}'}: {first.sentence}"
        else:
            likewise = phrase([name for name, _ in others])
            sentence = f"Where {name}: {first.sentence} Something like it where {likewise}."
        gathered.append(replace(first, sentence=sentence))
    return gathered
