"""What the options may hold: each reads one word, and refuses in one sentence what it cannot mean."""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
from typing import Any

__all__ = ["REPORTS", "Merge", "count", "names", "pairs", "positive", "prior", "report", "seed", "separator"]

REPORTS = (".txt", ".json", ".html")


class Merge(argparse.Action):
    """``--kinds a=x --kinds b=y`` is ``--kinds a=x,b=y``."""

    def __call__(self, _: object, namespace: argparse.Namespace, values: Any, option: object = None) -> None:  # noqa: ARG002
        """Add ``values`` to those of before."""
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), **values})


def names(text: str) -> list[str]:
    """Names parted by commas; quotes, as in csv, hold a name with a comma together."""
    return next(csv.reader([text]), [])


def pairs(text: str) -> dict[str, str]:
    """``A=KIND,B=KIND`` as a dictionary."""
    pairs = [name.rpartition("=") for name in names(text)]
    if not all(label and kind for label, _, kind in pairs):
        raise argparse.ArgumentTypeError(f"expected COLUMN=KIND,..., got {text!r}")
    return {label: kind for label, _, kind in pairs}


def prior(text: str) -> str | float | None:
    """A prior's name or its degrees of freedom; None for ``none``."""
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def count(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, got {text!r}")
    return int(text)


def separator(text: str) -> str:
    """One character, or the word for a tab."""
    sep = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(sep) != 1 or sep in '"\r\n':
        raise argparse.ArgumentTypeError(f"expected one character (or tab), got {text!r}")
    return sep


def report(text: str) -> Path:
    """A path whose ending names a kind of report."""
    if not text.lower().endswith(REPORTS):
        raise argparse.ArgumentTypeError(f"expected a name that ends in {', '.join(REPORTS)}, got {text!r}")
    return Path(text)
