"""How Sphinx builds these pages: ``make docs``, in which every warning is an error and nothing is fetched.

Some pages live elsewhere in the repository: the README, the notebooks. They are copied to docs/brought/ before a build.
Links between files are written as they hold in the repository, and are turned here to where the pages are.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon import Config, NumpyDocstring

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))  # mathml.py

project = "emimpute"
author = "emimpute developers"
copyright = f"{author}, BSD-3-Clause"  # noqa: A001 (Sphinx's name for it)
version = release = version_of("emimpute")

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml"]
nitpicky = True
nitpick_ignore_regex = [
    # other people's pages are not fetched
    ("py:.*", r"(collections\.abc|np|numpy|os|pathlib|pd|pandas|sklearn|statsmodels)\..*"),
    ("py:class", "ArrayLike|Axes|ndarray"),
    # unions of types, explained where they are parameters; what is of the inside
    ("py:class", r"Codes|Kinds|Progress|Report|Starts|_.*|.*\._.*"),
    ("py:class", "Latent|FactoredProblem|MixedProblem|MVNProblem"),
]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Notebooks are run anew in every build; one that fails ends it.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_execution_in_temp = True  # what they write is not for the repository
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # by default a script from elsewhere

html_theme = "furo"
html_title = f"emimpute {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "separated"
python_use_unqualified_type_names = True
maximum_signature_line_length = 100

# Pages from elsewhere: where the file is, from the root of the repository, by where Sphinx reads it, from docs/.
BROUGHT = {
    "brought/tour.md": "README.md",
    "brought/data.md": "emimpute/datasets/README.md",
    "brought/reference-cases.md": "tests/reference/README.md",
    "brought/changelog.md": "CHANGELOG.md",
    "brought/contributing.md": "CONTRIBUTING.md",
    **{
        f"brought/{path.name}": f"notebooks/{path.name}"
        for path in sorted((ROOT / "notebooks").glob("*.md"))
        if path.name != "README.md"
    },
}
PLACES = {path: place for place, path in BROUGHT.items()} | {"notebooks/README.md": "tutorials.md"}
LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")  # [text](path#anchor)


def bring() -> None:
    """Copy the pages from elsewhere to where Sphinx reads them."""
    shutil.rmtree(DOCS / "brought", ignore_errors=True)
    (DOCS / "brought").mkdir()
    for place, path in BROUGHT.items():
        shutil.copy(ROOT / path, DOCS / place)


def turned(link: re.Match[str], page: str) -> str:
    """A link between files of the repository as it has to be on ``page``, a path from docs/."""
    text, path, anchor = link.groups()
    home = posixpath.dirname(BROUGHT.get(page, f"docs/{page}"))
    target = posixpath.normpath(posixpath.join(home, path))
    if not (ROOT / target).exists():  # code that looks like a link; a link that leads nowhere is Sphinx's to tell
        return link[0]
    place = PLACES.get(target, posixpath.relpath(target, "docs"))
    if place.startswith(".."):
        return text  # the site does not have it
    return f"[{text}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{anchor or ''})"


def turn_links(_app: Sphinx, page: str, source: list[str]) -> None:
    """As Sphinx has read a page."""
    source[0] = LINK.sub(lambda link: turned(link, f"{page}.md"), source[0])


def tell(_app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A docstring in numpy's form as reStructuredText.

    napoleon itself would take what stands before a colon in a property's first line for its type. The accessor's
    methods have the docstrings of the functions that they call, which are shown once.
    """
    accessor, _, method = name.rpartition(".")
    if what == "method" and accessor == "emimpute.interfaces.accessor.EM":
        end = lines.index("") if "" in lines else len(lines)
        lines[end:] = ["", f"See :func:`emimpute.{method}`."]
        return
    sort = "method" if what in {"attribute", "property", "data"} else what
    lines[:] = str(NumpyDocstring("\n".join(lines), NUMPY, what=sort, name=name, obj=obj, options=options)).splitlines()


NUMPY = Config(napoleon_attr_annotations=False, napoleon_use_rtype=False)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    bring()
    app.connect("source-read", turn_links)
    app.connect("autodoc-process-docstring", tell)
    return {"parallel_read_safe": True}
