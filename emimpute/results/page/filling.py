"""What was filled: by column, filled cells beside observed ones, as numbers, as times, and as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.inference.complete import levels
from emimpute.kinds.levels import distinct, in_order
from emimpute.kinds.printing import printed
from emimpute.kinds.reading import as_float, read
from emimpute.kinds.writing import Origin
from emimpute.results.labels import name
from emimpute.results.page.drawing import bins, is_whole, shapes
from emimpute.results.page.markup import Html, bar, element, joined, label, more, note, section, table

if TYPE_CHECKING:
    from emimpute.results.page.seen import Rows, Seen

__all__ = ["filled_part"]

_COLUMNS = 60  # that are listed
_PICTURES = 24
_CATEGORIES = 8  # of a column
_TOP = 3  # of them in a line
_EXACT = 2**53  # up to which floats hold every integer
_FEW = 12  # distinct numbers up to which a column of levels is told by these


def filled_part(seen: Seen) -> Html:
    """The section; empty where there is no row to look at."""
    if seen.rows is None:
        return Html("")
    filled, left = seen.rows.filled.sum(axis=0), seen.rows.left.sum(axis=0)
    parts: list[str] = [element("p", _sentence(int(filled.sum()), int(left.sum()), int((filled > 0).sum())))]
    if filled.any():
        columns = _columns(seen, filled)
        parts += [_HOW[seen.how], _numbers(columns, seen.fit.rows), _categories(columns, seen.fit.rows)]
        parts.append(more(int((filled > 0).sum()) - len(columns), "column", "those with the most filled are shown"))
        parts.append(_pictures(columns))
    return section("filled", "What was filled", *parts)


_HOW = {
    "expected": note(
        "Filled cells are conditional expectations (of categories the most probable or the median one): the best guess "
        "for each cell, and so less spread out than the observed ones. That they differ in place says that those who "
        "lack a value differ in what else is known of them."
    ),
    "drawn": note("Filled cells are one draw each from their conditional distribution."),
    "given": note("Filled cells are those of the completed table that was given to this report."),
}


def _sentence(filled: int, left: int, columns: int) -> str:
    if not filled and not left:
        return "No cell was missing, and none was filled."
    cells = f"{filled} {'cell was' if filled == 1 else 'cells were'} filled, in {columns} "
    return f"{cells}{'column' if columns == 1 else 'columns'}{f'; {left} left missing' if left else ''}."


@dataclass(frozen=True, eq=False)
class _Column:
    """One column's observed and filled cells: as numbers counted in a unit, or as shares of its categories."""

    name: str
    kind: str
    filled: int
    left: int
    numbers: tuple[np.ndarray, np.ndarray] | None
    origin: Origin
    shares: tuple[tuple[Any, ...], np.ndarray, np.ndarray]  # labels, observed and filled share of each


def _columns(seen: Seen, filled: np.ndarray) -> list[_Column]:
    """Those with something filled, the most first, no more than a page bears."""
    assert seen.rows is not None  # noqa: S101 (the caller looked)
    order = [int(i) for i in np.argsort(-filled, kind="stable")[:_COLUMNS] if filled[i]]
    counts = levels(seen.fit.law)
    return [_column(seen, seen.rows, i, counts[i]) for i in order]


def _column(seen: Seen, rows: Rows, i: int, count: int | None) -> _Column:
    before, after = rows.before.iloc[:, i], rows.after.iloc[:, i]
    here, there = ~rows.gaps[:, i], rows.filled[:, i]
    kind = seen.fit.law.table.codings[i].kind
    sizes = (seen.names[i], kind, int(there.sum()), int(rows.left[:, i].sum()))
    view, view_after = read(before), read(after)
    categories = count is not None and (kind != "count" or count <= _FEW)
    same = view is not None and view_after is not None and view.family == view_after.family
    if categories or not same or view is None or view_after is None or view.unit != view_after.unit:
        return _Column(*sizes, None, Origin(0), _shares(before, after, here, there))
    observed, filled, first = view.values[here], view_after.values[there], 0
    if len(observed) and (view.family != "number" or _is_large(observed, filled)):
        first = int(min(observed.min(), filled.min()))  # ticks of a clock, or another's, are too many for a float
        observed, filled = observed - first, filled - first
    origin = Origin(first, view.family or "number", view.unit)
    return _Column(*sizes, (_floats(observed), _floats(filled)), origin, ((), np.zeros(0), np.zeros(0)))


def _is_large(*parts: np.ndarray) -> bool:
    """Whether these are integers that no float holds, and that do not lie too far apart to be counted from one."""
    if any(part.dtype.kind not in "iu" for part in parts):
        return False
    low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
    return max(high, -low) > _EXACT > high - low


def _floats(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.array([as_float(value) for value in values], dtype=float)
    return values.astype(float)


def _shares(
    before: pd.Series[Any], after: pd.Series[Any], here: np.ndarray, there: np.ndarray
) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    """Categories in their order, and their shares of the observed and of the filled cells."""
    counts: dict[Any, list[int]] = {}
    for place, (column, rows) in enumerate(((before, here), (after, there))):
        labels, codes = distinct(column)
        each = np.bincount(codes[rows & (codes >= 0)], minlength=len(labels))
        for own, number in zip(labels, each.tolist(), strict=True):
            counts.setdefault(own, [0, 0])[place] += number
    used = tuple(own for own, numbers in counts.items() if any(numbers))
    order = used if isinstance(before.dtype, pd.CategoricalDtype) else in_order(used)
    table_ = np.array([counts[own] for own in order], dtype=float).reshape(len(order), 2)
    totals = np.maximum(table_.sum(axis=0), 1)
    return order, table_[:, 0] / totals[0], table_[:, 1] / totals[1]


def _numbers(columns: list[_Column], n: int) -> Html:
    rows: list[tuple[str, ...]] = []
    for column in columns:
        if column.numbers is None:
            continue
        observed, filled = (_told(values, column.origin) for values in column.numbers)
        rows.append((label(column.name), column.kind, "observed", str(len(column.numbers[0])), "", *observed))
        rows.append(("", _left(column), "filled", str(column.filled), f"{column.filled / n:.1%}", *filled))
    head = ("column", "kind", "", "cells", "of rows", "mean", "sd", "least", "greatest")
    return table("Numbers and times", head, rows, words=3) if rows else Html("")


def _left(column: _Column) -> str:
    return f"{column.left} left missing" if column.left else ""


def _told(values: np.ndarray, origin: Origin) -> tuple[str, str, str, str]:
    """Mean, sd (divisor n), least and greatest of numbers, in the column's own way of writing them."""
    mean, sd = float(values.mean()), float(values.std())
    low, high = (printed(float(end), sd, origin)[0] for end in (values.min(), values.max()))
    return (*printed(mean, sd, origin), low, high)


def _categories(columns: list[_Column], n: int) -> Html:
    rows = []
    for column in columns:
        if column.numbers is None:
            labels, *shares = column.shares
            observed, filled = (_most(labels, each) for each in shares)
            counts = (str(column.filled), f"{column.filled / n:.1%}")
            rows.append((label(column.name), joined([column.kind, " ", _left(column)]), observed, filled, *counts))
    head = ("column", "kind", "observed, the most frequent", "filled", "cells filled", "of rows")
    return table("Categories", head, rows, words=4) if rows else Html("")


def _most(labels: tuple[Any, ...], shares: np.ndarray) -> Html:
    order = [int(k) for k in np.argsort(-shares, kind="stable")[:_TOP] if shares[k] > 0]
    parts: list[str] = []
    for k in order:
        parts += [", " if parts else "", label(name(labels[k])), f" {shares[k]:.0%}"]
    return joined(parts)


def _pictures(columns: list[_Column]) -> Html:
    drawn = [_picture(column) for column in columns[:_PICTURES]]
    key = note(
        element("span", "observed", class_="key a"),
        element("span", "filled", class_="key b"),
        "Each is drawn to the same area; the first and last bin hold what lies farther out.",
    )
    return joined(
        [
            element("h3", "Observed and filled"),
            key,
            element("div", *drawn, class_="grid"),
            more(len(columns) - _PICTURES, "column", "pictures of those with the most filled are shown"),
        ]
    )


def _picture(column: _Column) -> Html:
    counts = f"{column.filled} filled"
    caption = element("figcaption", element("b", label(column.name)), element("span", f"{column.kind}; {counts}"))
    if column.numbers is None:
        return element("figure", caption, _bars(column.shares))
    observed, filled = column.numbers
    edges = bins(observed, filled)
    sd = float(np.concatenate(column.numbers).std())
    whole = 0.5 if is_whole(edges) else 0.0  # a bin for each number: its middle is the number
    ends = [printed(float(end), sd, column.origin)[0] for end in (edges[0] + whole, edges[-1] - whole)]
    picture = shapes(observed, filled, edges, f"Distributions of the observed and the filled cells of {column.name}")
    return element("figure", caption, picture, element("div", *(element("span", e) for e in ends), class_="ends"))


def _bars(shares: tuple[tuple[Any, ...], np.ndarray, np.ndarray]) -> Html:
    """Of each category the observed share over the filled one."""
    cells: list[str] = []
    labels, observed, filled_ = shares
    most = np.argsort(-np.maximum(observed, filled_), kind="stable")[:_CATEGORIES]
    for k in sorted(most.tolist()):
        own, seen, filled = labels[k], float(observed[k]), float(filled_[k])
        cells += [
            label(name(own)),
            element("span", bar(seen), element("span", bar(filled), class_="fill")),
            element("span", f"{seen:.0%}, {filled:.0%}"),
        ]
    rest = len(labels) - _CATEGORIES
    return joined([element("div", *cells, class_="shares"), more(rest, "level", "the most frequent are shown")])
