"""What a browser would make of a page, and what in it could run or ask for something outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta"}
TAGS = (
    {"html", "head", "meta", "title", "style", "body", "main", "header", "footer", "nav", "section", "div", "figure"}
    | {"figcaption", "p", "b", "i", "span", "bdi", "h1", "h2", "h3", "ul", "li", "dl", "dt", "dd", "a"}
    | {"table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "path"}
)
ATTRIBUTES = (
    {"lang", "charset", "name", "content", "class", "id", "href", "style", "scope", "tabindex", "role", "d"}
    | {"aria-label", "aria-hidden", "viewbox", "preserveaspectratio"}
)  # fmt: skip


class Reader(HTMLParser):
    """Tags, attributes and text of a page; every element must be closed by its own tag."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open, self.style, self.declared = [], [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.style if self.open[-1:] == ["style"] else self.texts).append(data)

    def handle_decl(self, decl):
        self.declared.append(decl)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data}")

    @property
    def text(self):
        return "".join(self.texts)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def complaints(page):
    """Whatever could run, or ask for something; a sentence for each."""
    reader = read(page)
    said = [f"<{tag}>" for tag in reader.tags if tag not in TAGS]
    for tag, name, value in reader.attributes:
        if name not in ATTRIBUTES or name.startswith("on"):
            said.append(f"{name} of <{tag}>")
        if name in {"href", "src"} and not value.startswith(("#", "data:")):
            said.append(f"{name}={value}")
        if name == "style" and not re.fullmatch(r"width:\d+\.\d%", value):
            said.append(f"style={value}")
        if name in {"http-equiv", "srcset", "action", "formaction", "xlink:href"}:
            said.append(f"{name}={value}")
    css = "".join(reader.style)
    said += [f"{what} in the style sheet" for what in ("url(", "@import", "expression(", "<", "\\") if what in css]
    if reader.tags.count("style") > 1:
        said.append("a second style sheet")
    return said


class Tables(HTMLParser):
    """The tables of a page, by caption: rows of the texts of their cells, the head first."""

    def __init__(self):
        super().__init__()
        self.found, self.rows, self.cell, self.caption = {}, [], None, None

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 (the parser's)
        if tag == "table":
            self.rows = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th", "caption"}:
            self.cell = []

    def handle_endtag(self, tag):
        if tag == "caption":
            self.caption, self.cell = "".join(self.cell), None
        elif tag in {"td", "th"}:
            self.rows[-1].append("".join(self.cell))
            self.cell = None
        elif tag == "table":
            self.found[self.caption] = self.rows

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def tables(page):
    reader = Tables()
    reader.feed(page)
    reader.close()
    return reader.found
