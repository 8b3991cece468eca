"""Equations as MathML, which browsers draw by themselves: a page needs no script and no font from anywhere.

Docutils translates the LaTeX. What it cannot read is a warning with the equation in it, and so ends ``make docs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOG = logging.getLogger(__name__)


def _mathml(node: nodes.Element, *, block: bool) -> str:
    tex = node.astext()
    try:
        return str(tex2mathml(tex, as_block=block))
    except MathError as problem:
        LOG.warning("This equation cannot be made MathML (%s): %s", problem, tex, location=node)
        return f"<code>{nodes.unescape(tex)}</code>"


def inline(translator: Any, node: nodes.math) -> None:
    """An equation within a sentence."""
    translator.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def display(translator: Any, node: nodes.math_block) -> None:
    """An equation on a line of its own; one with a label has its number beside it."""
    number = ""
    if node.get("number"):
        number = f'<span class="eqno">({get_node_equation_number(translator, node)})</span>'
    translator.body.append(translator.starttag(node, "div", CLASS="math displayed"))
    translator.body.append(f"{number}{_mathml(node, block=True)}</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Make this the way equations are drawn."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
