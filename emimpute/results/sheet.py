"""A result on one screen: a headline, facts, a table or two and sentences, as text and as HTML.

Labels are the user's: a line break in one does not break a line here, and HTML is escaped.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sheet", "labels", "number"]

_WIDTH = 100  # characters of a line
_NAME = 16  # of a fact's name
_LABEL = 40  # of a label
_SMALL = 1e-4  # p-value below which only that is said


@dataclass(frozen=True)
class Sheet:
    """What is to be shown, in words that are not escaped yet."""

    headline: str
    facts: list[tuple[str, str]]
    tables: list[tuple[str, pd.DataFrame]]  # of strings, under a title
    notes: list[str]

    def text(self) -> str:
        """One screen of text."""
        lines = _wrapped(self.headline)
        for name, value in self.facts:
            lines += _wrapped(f"{name + ':':<{_NAME}}{value}", indent=_NAME)
        for title, table in self.tables:
            lines += ["", title, *_aligned(table)]
        for note in self.notes:
            lines += ["", *_wrapped(note)]
        return "\n".join(lines)

    def html(self) -> str:
        """An HTML fragment, for notebooks."""
        facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.facts)
        tables = "".join(_html(title, table) for title, table in self.tables)
        said = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        notes = f"<ul>{said}</ul>" if said else ""
        return f"<div><p><b>{escape(self.headline)}</b></p><table>{facts}</table>{tables}{notes}</div>"


def _aligned(table: pd.DataFrame) -> list[str]:
    rows = [tuple(table.columns), *table.itertuples(index=False, name=None)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    ]


def _html(title: str, table: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in table.itertuples(index=False, name=None)
    )
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _wrapped(line: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(line, _WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def number(value: Any, digits: int = 3, *, p: bool = False) -> str:
    """A number as it is printed; with ``p`` a p-value, of which the very small are only said to be that."""
    if np.isnan(value):
        return "not available"
    if p and value < _SMALL:
        return f"< {_SMALL:.4f}"
    return f"{value:.{digits}f}"


def labels(chosen: Any, limit: int = 4) -> str:
    """Some column labels, on one line and no longer than a table bears."""
    told = [label if isinstance(label, str) else shown(label) for label in chosen]
    plain = ["".join(c if c.isprintable() else repr(c)[1:-1] for c in label) for label in told]
    cut = [label if len(label) <= _LABEL else f"{label[: _LABEL - 3]}..." for label in plain]
    more = [f"and {len(cut) - limit} more"] if len(cut) > limit else []
    return ", ".join([*cut[:limit], *more])
