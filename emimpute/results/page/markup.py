"""Markup in which nothing can be forgotten to be escaped: text is, unless it is an element already.

>>> element("p", "a < b", element("b", "!"), class_="x")
'<p class="x">a &lt; b<b>!</b></p>'
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Html", "bar", "element", "facts", "joined", "label", "listed", "more", "note", "section", "table"]


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, *inside: str, **attributes: str) -> Html:
    """An element; of an attribute ``class_`` or ``aria_label`` the last underscore goes, the others become hyphens."""
    named = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    said = "".join(f' {key}="{escape(value)}"' for key, value in named)
    return Html(f"<{tag}{said}>{joined(inside)}</{tag}>")


def joined(parts: Iterable[str]) -> Html:
    """Parts one after the other, escaped where they are not markup."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def section(anchor: str, title: str, *inside: str) -> Html:
    """A part of the page that a link can lead to."""
    return element("section", element("h2", title), *inside, id=anchor)


def label(text: str) -> Html:
    """A label of the user's, which keeps its own direction of writing and leaves that of the page alone."""
    return element("bdi", text)


def note(*text: str) -> Html:
    """What is to be known of a table or picture."""
    return element("p", *text, class_="note")


def more(left_out: int, what: str, where: str) -> Html:
    """How many of a list are not shown; nothing where all are."""
    if left_out <= 0:
        return Html("")
    return note(f"... and {left_out} more {what}{'' if left_out == 1 else 's'}: {where}.")


def bar(share: float) -> Html:
    """A bar as long as ``share`` of the room for it; it repeats a number that stands beside it."""
    length = min(max(share, 0.0), 1.0) * 100
    return element("span", element("i", style=f"width:{length:.1f}%"), class_="bar", aria_hidden="true")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and what is said of them."""
    return element("dl", *(joined([element("dt", name), element("dd", value)]) for name, value in pairs))


def listed(items: Iterable[str], class_: str = "") -> Html:
    """A list, if there is anything in it."""
    each = [element("li", item) for item in items]
    return element("ul", *each, class_=class_) if each else Html("")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> Html:
    """A table that scrolls by itself where it is too wide; the first ``words`` columns are text, the others numbers."""
    classes = ["" if place < words else "n" for place in range(len(head))]

    def cells(tag: str, row: Sequence[str], **more: str) -> list[Html]:
        each = zip(row, classes, strict=True)
        return [element(tag, cell, **({"class_": kind} if kind else {}), **more) for cell, kind in each]

    body = [element("tr", *cells("td", row)) for row in rows]
    top = element("thead", element("tr", *cells("th", head, scope="col")))
    whole = element("table", element("caption", caption), top, element("tbody", *body))
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)
