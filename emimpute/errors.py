"""How the package speaks when something is wrong.

Every message says what we saw, which column, and what to do. Warnings point at the user's own line: the first frame
that lies neither in this package nor in pandas or scikit-learn, so a chain, a ``groupby(...).apply`` or a pipeline is
blamed where it was written.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd

__all__ = [
    "ColumnError",
    "ColumnWarning",
    "ConvergenceWarning",
    "EMImputeError",
    "EMImputeWarning",
    "IdentificationError",
    "IdentificationWarning",
    "PluginError",
    "PluginWarning",
]


class EMImputeError(ValueError):
    """Any refusal of this package."""


class IdentificationError(EMImputeError):
    """The data do not determine what was asked for, and ``prior=None`` forbids to help them."""


class ColumnError(EMImputeError):
    """A column, or the frame itself, cannot be used the way the call asks."""


class PluginError(EMImputeError):
    """A plugin is broken: it could not be loaded and was asked for by name, or it says what cannot be."""


class EMImputeWarning(UserWarning):
    """Any warning of this package."""


class ConvergenceWarning(EMImputeWarning):
    """EM stopped before its estimated distance to the maximiser fell below ``tol``."""


class IdentificationWarning(EMImputeWarning):
    """Some parameters are not determined by the data; a ridge was used."""


class ColumnWarning(EMImputeWarning):
    """Some columns with gaps were left alone."""


class PluginWarning(EMImputeWarning):
    """A plugin could not be loaded and is ignored."""


def _folders(modules: Iterable[ModuleType]) -> tuple[str, ...]:
    return tuple(str(Path(m.__file__).parent) + os.sep for m in modules if m.__file__)


_NOT_THE_USER = _folders((sys.modules[__package__], pd))
_CALLERS = ("sklearn", "joblib")  # a pipeline calls us; these are never loaded by us


def warn(message: str, category: type[EMImputeWarning]) -> None:
    """Warn once, at the user's own line."""
    level, frame = 1, sys._getframe()  # noqa: SLF001 (Python 3.11 has no skip_file_prefixes)
    not_the_user = _NOT_THE_USER + _folders(filter(None, map(sys.modules.get, _CALLERS)))
    while frame.f_back is not None and frame.f_code.co_filename.startswith(not_the_user):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def named(labels: Iterable[object], limit: int = 6) -> str:
    """Column labels as a phrase that stays short: ``'a', 'b' and 3 more``.

    >>> named("abc"), named(range(9), limit=2)
    ("'a', 'b' and 'c'", '0, 1 and 7 more')
    """
    return phrase([shown(label) for label in labels], limit)


def phrase(parts: Sequence[str], limit: int = 6) -> str:
    """Words as an enumeration, of which the first ``limit`` are said and the others counted."""
    if len(parts) > limit:
        return f"{', '.join(parts[:limit])} and {len(parts) - limit} more"
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def shown(label: object) -> str:
    """One label as Python writes it, cut where it gets long."""
    if isinstance(label, tuple) and len(label) > 1:
        return f"({', '.join(map(shown, label))})"
    numpy_scalar = type(label).__module__ == "numpy" and getattr(label, "ndim", 1) == 0
    said = str(label) if numpy_scalar and not isinstance(label, str) else repr(label)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."


def unknown(what: str, name: object, known: Sequence[object]) -> str:
    """Sentence for a name nobody knows, with the nearest known ones.

    >>> unknown("kind", "reel", ["real", "constant"])
    "There is no kind 'reel': did you mean 'real'?"
    """
    by_text = {str(k): k for k in known}
    alike = [text for text in by_text if text.casefold().strip() == str(name).casefold().strip()]
    close = alike[:3] or difflib.get_close_matches(str(name), list(by_text), n=3, cutoff=0.6)
    if close:
        hint = f"did you mean {' or '.join(shown(by_text[text]) for text in close)}?"
    else:
        hint = f"known are {named(known, 12)}." if by_text else "there are none."
    return f"There is no {what} {shown(name)}: {hint}"


_LONGEST = 60  # characters of one label
