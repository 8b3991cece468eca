"""``emimpute describe``: say what is missing in a table, and where."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.interfaces.cli.imputing import read
from emimpute.interfaces.cli.speech import say, some
from emimpute.kinds.reading import missing
from emimpute.kinds.registry import choose
from emimpute.kinds.text import LeftAlone
from emimpute.missingness import coverage, patterns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run"]


SHOWN = 10  # patterns, and pairs never observed together, that `describe` lists


WIDTH = 90  # characters of labels in a line of `describe`


LABEL = 30  # characters of one label


def run(args: argparse.Namespace) -> int:
    """Say it on stdout and return the exit code."""
    frame = read(args).frame
    found = patterns(frame)
    parts = [_size(args.input, frame, found), _columns(frame)]
    if len(frame):
        parts += [_patterns(frame, found), _never_together(frame)]
    say("\n\n".join(parts), sys.stdout)
    return 0


def _size(path: Path, frame: pd.DataFrame, found: pd.DataFrame) -> str:
    rows, lacking = found.iloc[:, -2], found.iloc[:, -1]
    gaps, whole = int((rows * lacking).sum()), int(rows[lacking == 0].sum())
    share = f"{gaps} of {some(frame.size, 'cell')} missing ({_percent(gaps, frame.size)} %)"
    return (
        f"{path}: {some(len(frame), 'row')}, {some(frame.shape[1], 'column')}\n{share}, {some(whole, 'row')} complete"
    )


def _columns(frame: pd.DataFrame) -> str:
    rows = []
    for j, label in enumerate(frame.columns):
        column = frame.iloc[:, j]
        gaps = int(missing(column).sum())
        name = "left alone (empty)" if gaps == len(frame) > 0 else _kind(column)
        rows.append((_shown(label), str(column.dtype), str(gaps), _percent(gaps, len(frame)), name))
    return _table(("column", "dtype", "missing", "%", "kind"), rows)


def _kind(column: pd.Series[Any]) -> str:
    kind = choose(column)
    if kind is None:
        return "left alone"
    return f"left alone ({kind.name})" if isinstance(kind, LeftAlone) else kind.name


def _patterns(frame: pd.DataFrame, found: pd.DataFrame) -> str:
    rows = []
    for observed, count in zip(found.iloc[:SHOWN, :-2].to_numpy(), found.iloc[:SHOWN, -2].tolist(), strict=True):
        labels = [_shown(label) for label, seen in zip(frame.columns, observed, strict=True) if not seen]
        rows.append((str(count), _percent(count, len(frame)), _listed(labels) if labels else "nothing"))
    most = "" if len(found) <= SHOWN else f", the {SHOWN} most frequent"
    return f"patterns of missing cells: {len(found)}{most}\n{_table(('rows', '%', 'missing'), rows)}"


def _never_together(frame: pd.DataFrame) -> str:
    """Name the pairs of columns of which no row has both; a column without any value is no news here."""
    together = coverage(frame).to_numpy()
    seen = together.diagonal() > 0
    pairs = np.argwhere(np.triu(together == 0, 1) & seen & seen[:, None])
    lines = [" and ".join(_shown(frame.columns[j]) for j in pair) for pair in pairs[:SHOWN]]
    more = [] if len(pairs) <= SHOWN else [f"and {len(pairs) - SHOWN} more"]
    return "\n".join(
        [f"pairs of columns never observed together: {len(pairs)}", *(f"  {line}" for line in lines + more)]
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _shown(label: object) -> str:
    """Make a label fit a cell of a table: one line, and not too long."""
    text = " ".join(str(label).split()) or repr(label)
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"


def _listed(labels: list[str]) -> str:
    """Join labels with commas, as many as a line holds."""
    line = ", ".join(labels)
    if len(line) <= WIDTH:
        return line
    held = next(k for k in range(len(labels) - 1, -1, -1) if len(", ".join(labels[:k])) <= WIDTH or not k)
    return f"{', '.join(labels[:held])} and {len(labels) - held} more"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Set rows under their heads; a column whose cells are all numbers stands on the right."""
    lines = []
    columns = list(zip(head, *rows, strict=True))
    right = [all(cell.replace(".", "").isdecimal() or cell == "-" for cell in cells[1:]) for cells in columns]
    widths = [max(map(len, cells)) for cells in columns]
    for row in zip(*columns, strict=True):
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
