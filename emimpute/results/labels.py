r"""Labels and categories as they are shown: on one line, without what would reverse or hide text, and not too long.

>>> name("a\u202eb\n"), name(("x", 1)), name("from the first to the last of these words")
('a\\u202eb\\n', "('x', 1)", 'from the first to the...of these words')
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["name", "names"]

_LENGTH = 40  # characters of a label
_END = 14  # of them after the cut: labels often differ in their last words


def name(label: Any, length: int = _LENGTH) -> str:
    """A label, or a category, as words; what does not print is written as Python writes it."""
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(label))
    if not visible.strip():
        return repr(visible)
    return visible if len(visible) <= length else f"{visible[: length - _END - 3]}...{visible[-_END:]}"


def names(labels: Iterable[Any], limit: int) -> str:
    """Some labels, and how many more there are."""
    told = [name(label) for label in labels]
    more = [f"and {len(told) - limit} more"] if len(told) > limit else []
    return ", ".join([*told[:limit], *more])
