"""What is missing, before any fit: the patterns of gaps, and which pairs of columns are observed together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap

from emimpute import missingness
from emimpute.errors import EMImputeError
from emimpute.plots.canvas import panel, title
from emimpute.plots.columns import left_out, matching
from emimpute.plots.palette import INK, PALE, SHARES, VERMILLION
from emimpute.plots.words import count, each, font, share, width

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["coverage", "patterns"]

_COLUMNS = 40
_PATTERNS = 20
_WRITTEN = 12  # columns, up to which the numbers are written into a heat map
_UPRIGHT = 8  # columns, up to which labels may lie


def patterns(df: pd.DataFrame, columns: Any, rows: int, on: Any) -> Axes:
    """See :meth:`emimpute.plots.FramePlots.patterns`."""
    table = missingness.patterns(df)
    masks, counts = table.iloc[:, :-2].to_numpy(dtype=bool), table.iloc[:, -2].to_numpy()
    _check(df, rows)
    gaps = counts @ ~masks
    chosen, left = _chosen(df, gaps, columns)
    masks, counts = _merged(masks[:, chosen], counts)
    more = len(counts) - min(rows, len(counts))
    shown, of_shown = masks[:rows], counts[:rows]
    names = _names(df, chosen)
    ax = panel(on, (1.2 + 0.3 * max(len(chosen), 15), 1.3 + 0.24 * max(len(shown), 4) + _longest(names)))
    ax.imshow(~shown, cmap=ListedColormap([PALE, VERMILLION]), vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    up, across = np.nonzero(~shown)
    ax.plot(across, up, "x", color="white", markersize=4, markeredgewidth=1.2)
    _grid(ax, *shown.shape[::-1])
    _columns(ax, names)
    ax.set_yticks(range(len(shown)), labels=[f"{n:,}".replace(",", " ") for n in of_shown])
    ax.set_ylabel("rows")
    other = ax.secondary_xaxis("top")
    ticks = [share(g / len(df)) for g in gaps[chosen]]
    other.set_xticks(range(len(chosen)), labels=ticks, fontsize=8, rotation=0 if len(chosen) <= _UPRIGHT else 90)
    other.tick_params(length=0)
    other.spines[:].set_visible(False)
    title(ax, _of_patterns(df, masks, counts, more, left))
    return ax


def coverage(df: pd.DataFrame, columns: Any, on: Any) -> Axes:
    """See :meth:`emimpute.plots.FramePlots.coverage`."""
    table = missingness.coverage(df).to_numpy()
    _check(df, 1)
    gaps = len(df) - table.diagonal()
    chosen, left = _chosen(df, gaps, columns, all_of_them=True)
    table = table[np.ix_(chosen, chosen)]
    names = _names(df, chosen)
    cells = max(3.0, (0.3 if len(chosen) <= _WRITTEN else 0.22) * len(chosen))
    ax = panel(on, (cells + _longest(names) + 1.5, cells + _longest(names) + 0.6))
    part = table / len(df)
    least = min(np.floor(10 * part.min()) / 10, 0.9)
    image = ax.imshow(part, cmap=SHARES, vmin=least, vmax=1, aspect="auto", interpolation="nearest")
    _grid(ax, len(chosen), len(chosen))
    _columns(ax, names)
    ax.set_yticks(range(len(chosen)), labels=names, fontsize=8 if len(chosen) > _WRITTEN else None, **font(*names))
    if len(chosen) <= _WRITTEN:
        for (i, j), value in np.ndenumerate(part):
            text = f"{np.clip(100 * value, 1, 99):.0f}" if 0 < table[i, j] < len(df) else ("all" if value else "0")
            light = value > (1 + least) / 2
            ax.text(j, i, text, ha="center", va="center", fontsize=8, color=INK if light else "white")
    never = np.argwhere(table == 0)
    if len(never) and len(chosen) > _WRITTEN:
        ax.plot(never[:, 1], never[:, 0], "x", color="white", markersize=4)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, format=lambda v, _: share(v))
    bar.set_label("rows with both observed")
    title(ax, _of_coverage(names, table, len(df), left))
    return ax


def _check(df: pd.DataFrame, rows: Any) -> None:
    if not df.size:
        raise EMImputeError(f"The frame has {len(df)} rows and {df.shape[1]} columns: there is nothing to draw.")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise EMImputeError(f"rows= is how many patterns to show, 1 or more, and this one is {rows!r}.")


def _chosen(df: pd.DataFrame, gaps: np.ndarray, columns: Any, *, all_of_them: bool = False) -> tuple[np.ndarray, str]:
    """Positions of the columns to draw, and what is said of the others: those without gaps, and too many."""
    if columns is not None:
        return np.array(matching(df.columns.tolist(), columns, "columns=")), ""
    of_interest = np.arange(len(gaps)) if all_of_them or not gaps.any() else np.flatnonzero(gaps)
    most = of_interest[np.argsort(-gaps[of_interest], kind="stable")][:_COLUMNS]
    complete = len(gaps) - len(of_interest)
    verb = "is" if complete == 1 else "are"
    said_of = f" {count(complete, 'column')} without gaps {verb} not shown." if complete else ""
    return np.sort(most), said_of + left_out(len(of_interest) - len(most), "with fewer gaps")


def _merged(masks: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of ``masks`` with their counts added, the most frequent first."""
    distinct, which = np.unique(masks, axis=0, return_inverse=True)
    total = np.bincount(which.ravel(), weights=counts, minlength=len(distinct)).astype(int)
    order = np.lexsort(((~distinct).sum(axis=1), -total))
    return distinct[order], total[order]


def _of_patterns(df: pd.DataFrame, masks: np.ndarray, counts: np.ndarray, more: int, left: str) -> str:
    complete = int(counts[masks.all(axis=1)].sum())
    if complete == len(df):
        return f"No cell is missing: {count(len(df), 'row')} of {count(df.shape[1], 'column')}."
    rest = f" The {count(more, 'rarer pattern')} are not shown (rows= shows more)." if more else ""
    part = f"{share(complete / len(df))} of" if complete else "None of"
    whole = f"{part} {count(len(df), 'row')} {'are' if complete else 'is'} without gaps here"
    marks = "crossed where missing (above: the share of each column)"
    return f"{whole}; {count(len(counts), 'pattern')}, {marks}.{rest}{left}"


def _of_coverage(names: list[str], table: np.ndarray, rows: int, left: str) -> str:
    if len(table) < 2:
        return f"{names[0]} is observed in {share(table[0, 0] / rows)} of {count(rows, 'row')}.{left}"
    pairs = table + np.where(np.eye(len(table)), np.inf, 0)
    i, j = np.unravel_index(int(np.argmin(pairs)), pairs.shape)
    least = int(table[i, j])
    if least == rows:
        return f"Every pair of columns is observed together in all {count(rows, 'row')}.{left}"
    pair = f"{names[min(i, j)]} and {names[max(i, j)]}"
    if not least:
        never = int((table == 0).sum() - (table.diagonal() == 0).sum()) // 2
        others = f" and {count(never - 1, 'other pair')}" if never > 1 else ""
        return f"Never observed together: {pair}{others}.{left}"
    return f"Least often observed together: {pair}, in {share(least / rows)} of {count(rows, 'row')}.{left}"


def _names(df: pd.DataFrame, chosen: np.ndarray) -> list[str]:
    named = each(df.columns.tolist())
    return [named[position] for position in chosen]


def _longest(names: list[str]) -> float:
    """Inches that the longest name takes."""
    return max(width(name, 10) for name in names)


def _grid(ax: Axes, across: int, up: int) -> None:
    ax.set_xticks(np.arange(across + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(up + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def _columns(ax: Axes, names: list[str]) -> None:
    small = 8 if len(names) > _WRITTEN else 10
    lie = _longest(names) < 0.9 * ax.get_window_extent().width / ax.figure.dpi / len(names)
    ax.set_xticks(range(len(names)), labels=names, rotation=0 if lie else 90, fontsize=small, **font(*names))
