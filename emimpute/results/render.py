"""How a fit prints, as text and as HTML.

Labels are the user's, so they are escaped; every number also comes as a frame. One screen, however many columns there
are: tables and lists are cut, and say where the rest is.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from emimpute.errors import phrase
from emimpute.inference.complete import levels
from emimpute.results.describe import distance
from emimpute.results.labels import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.inference.standing.diagnostics import Diagnostics
    from emimpute.results.fit import Fit

__all__ = ["html", "text"]

_COLUMNS = 20  # columns of the data that are listed
_PROBLEMS = 6  # problems that are told in full
_WIDTH = 100  # characters of a line of text
_LABEL = 40  # characters of a label
_GROUP = 60  # characters of a group's name
_HEADER = ("column", "kind", "missing", "share", "mean", "sd")
_TWO = 2  # levels, above which their number is told
_TEXT_CELLS = 2  # the first cells of a row are words, the others numbers
_TITLES = {"mvn": "Multivariate normal EM"}


@dataclass(frozen=True)
class _Screen:
    """What is to be shown, in words that are not escaped yet."""

    headline: str
    facts: list[tuple[str, str]]
    rows: list[tuple[str, ...]]  # under _HEADER
    more_rows: str
    problems: list[str]


def text(fit: Fit) -> str:
    """One screen of text."""
    screen = _screen(fit)
    lines = _wrapped(screen.headline)
    for what, value in screen.facts:
        lines += _wrapped(f"{what + ':':<16}{value}", indent=16)
    lines += ["", *_aligned(screen.rows)]
    if screen.more_rows:
        lines.append(screen.more_rows)
    for problem in screen.problems:
        lines += ["", *_wrapped(problem)]
    return "\n".join(lines)


def html(fit: Fit) -> str:
    """The same as an HTML fragment, for notebooks."""
    screen = _screen(fit)
    facts = "".join(f"<tr><th>{escape(what)}</th><td>{escape(value)}</td></tr>" for what, value in screen.facts)
    header = "".join(f"<th>{head}</th>" for head in _HEADER)
    rows = "".join(_html_row(row) for row in screen.rows)
    more = f"<p>{escape(screen.more_rows)}</p>" if screen.more_rows else ""
    said = "".join(f"<li>{escape(problem)}</li>" for problem in screen.problems)
    return (
        f"<div><p><b>{escape(screen.headline)}</b></p><table>{facts}</table>"
        f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>{more}"
        f"{f'<ul>{said}</ul>' if said else ''}</div>"
    )


def _screen(fit: Fit) -> _Screen:
    rows = _rows(fit)
    more = f"... and {len(rows) - _COLUMNS} more columns: see fit.mean, fit.kinds" if len(rows) > _COLUMNS else ""
    problems = [str(problem) for problem in fit.findings[:_PROBLEMS]]
    if rest := fit.findings[_PROBLEMS:]:
        problems.append(f"Also: {phrase([problem.name for problem in rest])}. See fit.problems.")
    return _Screen(_headline(fit), _facts(fit), rows[:_COLUMNS], more, problems)


def _headline(fit: Fit) -> str:
    cells, gaps = fit.rows * len(fit.gaps), sum(fit.gaps)
    share = gaps / cells if cells else 0.0
    title = _TITLES.get(fit.law.model.name, f"EM of model {fit.law.model.name!r}")
    if fit.group:
        title = f"{title} where {name(fit.group, _GROUP)}"
    return f"{title}: {_count(fit.rows, 'row')}, {_count(len(fit.gaps), 'column')}, {gaps} cells missing ({share:.1%})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _facts(fit: Fit) -> list[tuple[str, str]]:
    facts = [
        ("Stop", fit.stop.value),
        ("E-steps", f"{fit.n_iter}, and {fit.n_check} for closing checks"),
        (
            "Remaining",
            f"{distance(fit.remaining)} before the last step (tol {fit.tol:g}; sd and correlation units)",
        ),
        ("Log-likelihood", f"{fit.loglik:.6f}"),
    ]
    if fit.engine:
        facts.insert(1, ("Engine", fit.engine))
    if fit.nobs != fit.rows:
        facts.insert(0, ("Observations", f"{fit.nobs:g} (rows with something observed, times their weights)"))
    if fit.prior is not None:
        facts += [("Log posterior", f"{fit.logpost:.6f}"), ("Prior", f"{fit.prior}")]
    known = vars(fit).get("diagnostics")  # to print takes no E-step: what is not computed yet is left out
    return facts if known is None else facts + _convergence(known)


def _convergence(known: Diagnostics) -> list[tuple[str, str]]:
    """What the diagnostics say, in three lines."""
    plain = known.esteps_saved + known.n_iter
    needed = "" if math.isnan(plain) else f"; plain EM would have needed about {plain:.0f} E-steps"
    shape = f"positive definite, condition number {known.condition:.3g}" if known.definite else "not positive definite"
    facts = [
        ("Rate of EM", f"{known.rate:.6g}, the largest fraction of missing information{needed}"),
        ("Information", f"{shape}; distance to the maximum {distance(known.remaining)}"),
    ]
    return [*facts, ("Slowest", known.worst)] if known.worst else facts


def _rows(fit: Fit) -> list[tuple[str, ...]]:
    """One row for each column: label, kind, missing cells and their share, and what its kind says of mean and sd."""
    mean, cov = fit.law.params.mean, fit.law.params.cov
    place = 0
    rows: list[tuple[str, ...]] = []
    table = fit.law.table
    for label, coding, gaps, count in zip(table.labels, table.codings, fit.gaps, levels(fit.law), strict=True):
        own = slice(place, place + coding.width)
        share = f"{gaps / fit.rows:.1%}" if fit.rows else ""
        kind = coding.kind if (count or 0) <= _TWO else f"{coding.kind}, {count} levels"
        rows.append((_one_line(str(label)), kind, str(gaps), share, *coding.printed(mean[own], cov[own, own])))
        place += coding.width
    return rows


def _one_line(label: str) -> str:
    """A label without what would break a line, and no longer than a table bears."""
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in label)
    return visible if len(visible) <= _LABEL else f"{visible[: _LABEL - 3]}..."


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
    lines = []
    for row in [_HEADER, *rows]:
        cells = [
            cell.ljust(width) if i < _TEXT_CELLS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _wrapped(line: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(line, _WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def _html_row(row: tuple[str, ...]) -> str:
    cells = (
        f"<td>{escape(cell)}</td>" if i < _TEXT_CELLS else f'<td class="number">{escape(cell)}</td>'
        for i, cell in enumerate(row)
    )
    return f"<tr>{''.join(cells)}</tr>"
