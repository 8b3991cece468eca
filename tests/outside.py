"""What a browser would load from outside when it shows a page: for the pages that must not ask for anything.

``python tests/outside.py build/docs`` looks at every page and stylesheet below a folder, names what it finds, and fails
if there is any. Links that a reader may click are no loads.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LOADS = {  # attributes that make a browser fetch, by element; "" is any element
    "": {"src", "srcset", "poster", "background"},
    "link": {"href"},
    "object": {"data"},
    "image": {"href", "xlink:href"},
    "use": {"href", "xlink:href"},
}
CLICKED = {"canonical", "next", "prev", "search", "index", "author", "license", "help"}  # <link rel=...> not fetched
OUTSIDE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)""", re.IGNORECASE)
IN_SCRIPT = re.compile(r"""(?:import\s*\(?|fetch\(|importScripts\()\s*["']([^"']+)""")


class Page(HTMLParser):
    """Collects what a page loads from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in {"style", "script"} else ""
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and CLICKED.issuperset(given.get("rel", "").split()):
            return
        for name, value in given.items():
            if name in LOADS[""] | LOADS.get(tag, set()):
                each = value.split(",") if name == "srcset" else [value]
                self.found += [one.strip() for one in each if OUTSIDE.match(one)]
            elif name == "style":
                self.found += loads_of_style(value)
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.found.append(given.get("content", ""))

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.found += loads_of_style(data)
        elif self._inside == "script":
            self.found += [one for one in IN_SCRIPT.findall(data) if OUTSIDE.match(one)]

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""


def loads_of_style(text: str) -> list[str]:
    """What a stylesheet loads from outside."""
    return [one for one in IN_STYLE.findall(text) if OUTSIDE.match(one)]


def loads_of_page(html: str) -> list[str]:
    """What a page loads from outside."""
    page = Page()
    page.feed(html)
    page.close()
    return page.found


def loads_of_site(folder: Path) -> dict[str, list[str]]:
    """The same by file, of all pages, drawings, stylesheets and scripts below ``folder``."""
    readers = {
        ".html": loads_of_page,
        ".svg": loads_of_page,
        ".css": loads_of_style,
        ".js": lambda text: [one for one in IN_SCRIPT.findall(text) if OUTSIDE.match(one)],
    }
    found = {
        str(path.relative_to(folder)): readers[path.suffix](path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*"))
        if path.suffix in readers
    }
    if not any(name.endswith(".html") for name in found):
        raise FileNotFoundError(f"No page below {folder}: build the site first.")
    return {name: loads for name, loads in found.items() if loads}


if __name__ == "__main__":
    outside = loads_of_site(Path(sys.argv[1]))
    sys.exit("\n".join(f"{name} loads from outside: {', '.join(loads)}" for name, loads in outside.items()) or 0)
