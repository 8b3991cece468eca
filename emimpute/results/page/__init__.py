"""A report as one page that needs nothing else: no script, no picture from elsewhere, and nothing asked for outside.

What was missing, what was done, how EM went, what was filled, and a paragraph on methods. Labels, categories and
sentences that hold them are escaped where they enter the markup (:mod:`~emimpute.results.page.markup`). What would make
a page too long or take too long to compute is cut, and the page says so.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from emimpute.results.labels import name
from emimpute.results.methods import methods, software
from emimpute.results.page.filling import filled_part
from emimpute.results.page.gaps import little, missing_part
from emimpute.results.page.markup import Html, element, joined, label, note, section
from emimpute.results.page.run import model_part, run_part
from emimpute.results.page.seen import look
from emimpute.results.page.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from emimpute.results.fit import Fit
    from emimpute.results.methods import Methods
    from emimpute.results.page.seen import Seen

__all__ = ["page"]

_TITLE = "Missing data report"
_HEADING = 200  # characters
_PARTS = {
    "missing": "What was missing",
    "model": "What was done",
    "run": "How EM went",
    "filled": "What was filled",
    "methods": "For a paper",
}


def page(
    fit: Fit,
    *,
    done: pd.DataFrame | None = None,
    how: str = "expected",
    title: str = "",
    say: Callable[[str], str] = str,
) -> str:
    """The page on ``fit``.

    ``done`` is the completed frame, by default what the fit fills in; ``how`` says what its filled cells are:
    "expected", "drawn" or "given". ``title`` stands above the page. ``say`` puts a sentence into the reader's words.
    Raises EMImputeError or ColumnError for a frame ``done`` that is not the fitted one, completed.
    """
    seen = look(fit, done, how, say)
    test = little(seen)
    left = 0 if seen.rows is None else int(seen.rows.left.sum())
    told = methods(fit, filled=how, left=left, test=None if isinstance(test, str) else test)
    heading = name(title or (f"{_TITLE}: {fit.group}" if fit.group else _TITLE), _HEADING)
    parts = [missing_part(seen, test), model_part(seen), run_part(seen), filled_part(seen), _methods(told)]
    links = [
        element("li", element("a", words, href=f"#{anchor}")) for anchor, words in _PARTS.items() if _has(parts, anchor)
    ]
    body = element(
        "main",
        element("header", element("h1", label(heading)), _headline(seen)),
        element("nav", element("ul", *links), aria_label="Parts of this page"),
        _tiles(seen),
        *parts,
        element("footer", f"Written by {software()}."),
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(heading)}</title>'
        f"<style>{STYLE}</style></head><body>{_lines(body)}</body></html>"
    )


def _has(parts: list[Html], anchor: str) -> bool:
    return any(part.startswith(f'<section id="{anchor}"') for part in parts)


def _lines(body: Html) -> str:
    """The same with line breaks between blocks, where they mean nothing, so that versions of a page can be compared."""
    for tag in ("</tr>", "</p>", "</li>", "</dd>", "</h2>", "</h3>", "</figure>", "</thead>", "</nav>", "</caption>"):
        body = Html(body.replace(tag, f"{tag}\n"))
    return body


def _headline(seen: Seen) -> Html:
    fit = seen.fit
    where = ["Rows where ", label(name(fit.group, _HEADING)), "."] if fit.group else []
    return element("p", "Gaps estimated by the EM algorithm. ", *where, class_="lead")


def _tiles(seen: Seen) -> Html:
    fit = seen.fit
    gaps, cells = sum(fit.gaps), fit.rows * len(fit.gaps)
    pairs = [
        (f"{fit.rows}", "row" if fit.rows == 1 else "rows"),
        (f"{len(fit.gaps)}", "column in the model" if len(fit.gaps) == 1 else "columns in the model"),
        (f"{gaps / cells:.1%}" if cells else "-", f"missing: {gaps} of {cells} cells"),
        ("yes" if fit.converged else "no", "converged"),
        (f"{sum(1 for p in fit.findings if p.warning)}", "warnings"),
    ]
    if seen.rows is not None:
        left = int(seen.rows.left.sum())
        pairs.insert(3, (f"{int(seen.rows.filled.sum())}", f"cells filled{f', {left} left' if left else ''}"))
    return element("ul", *(element("li", element("b", a), element("span", b)) for a, b in pairs), class_="tiles")


def _methods(told: Methods) -> Html:
    return section(
        "methods",
        "For a paper",
        note("A paragraph that says what was done, to copy and edit, and the references it cites."),
        element(
            "div",
            element("p", told.paragraph),
            element("p", element("b", "References")),
            joined(element("p", reference) for reference in told.references),
            class_="methods",
        ),
    )
