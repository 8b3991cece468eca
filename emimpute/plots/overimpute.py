"""Would the model have found cells that we know? Observed cells against what the rest of the data predicted of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from emimpute._frames import key
from emimpute.plots.canvas import capacity, empty, sheet
from emimpute.plots.columns import columns_of, left_out, matching
from emimpute.plots.palette import BLUE, GREY, INK, VERMILLION
from emimpute.plots.scales import Levels, Numbers, scale_of
from emimpute.plots.words import each, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit
    from emimpute.results.overimputation import Overimputation

__all__ = ["overimpute"]

_PANELS = 12
_CELLS = 250  # of a panel
_FEW = 15  # different places, up to which cells that share one are drawn beside each other


def overimpute(fit: Fit, found: Overimputation, columns: Any, ax: Any) -> np.ndarray:
    """See :meth:`emimpute.plots.FitPlots.overimpute`."""
    by_column, table = found.by_column, found.cells
    labels = by_column.index.tolist()
    predicted = [k for k in range(len(labels)) if by_column["n"].iloc[k] > 0]
    room = capacity(ax)
    if columns is None:
        shown = _worst(by_column, predicted)[: _PANELS if room is None else room]
    else:
        shown = [k for k in matching(labels, columns, "columns=") if k in predicted]
    if not shown:
        drawn = sheet(ax, 1)
        empty(drawn.panels[0], "No observed cell was predicted.")
        return drawn.axes
    own_of = [key(label) for label in table["column"].tolist()]
    learned = {} if fit.data is None else {key(column.label): column.cells for column in columns_of(fit)}
    names = each(labels)
    cut = answers = False
    drawn = sheet(ax, len(shown), (3.1, 2.9))
    for panel, k in zip(drawn.panels, sorted(shown), strict=True):
        own = table[np.array([label == key(labels[k]) for label in own_of], dtype=bool)]
        if own["correct"].notna().any():
            _answers(panel, own, learned.get(key(labels[k])))
            answers = True
        else:
            cut |= _numbers(panel, own, str(by_column["kind"].iloc[k]))
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    drawn.entitle_each([f"{names[k]}: {_verdict(by_column.iloc[k])}" for k in sorted(shown)])
    thinned = f" {_CELLS} cells of a panel are drawn." if cut else ""
    more = left_out(len(predicted) - len(shown), "predicted nearer to 95 %") if columns is None else ""
    whole = (
        ""
        if np.isnan(found.coverage)
        else f" 95 % intervals hold {found.coverage:.1%} of them.".replace("% of", " % of")
    )
    drawn.entitle(f"Observed cells (across) and what {found.k} folds predicted of them (up).{whole}{thinned}{more}")
    held = f"interval holds the observed cell{', or the answer is right' if answers else ''}"
    drawn.legend(
        [
            Line2D([], [], color=BLUE, marker="o", markersize=4, label=held),
            Line2D([], [], color=VERMILLION, marker="x", markersize=5, linestyle="--", label="it does not"),
        ]
    )
    return drawn.axes


def _worst(by_column: pd.DataFrame, predicted: list[int]) -> list[int]:
    """Columns whose intervals hold furthest from 95 % come first."""
    off = (by_column["coverage"] - 0.95).abs().fillna(-1.0).to_numpy(dtype=float)
    return sorted(predicted, key=lambda k: -off[k])


def _verdict(row: pd.Series[Any]) -> str:
    if np.isfinite(row["coverage"]):
        words = f"{share(float(row['coverage']))} covered"
        return f"{words}, {share(float(row['accuracy']))} right" if np.isfinite(row["accuracy"]) else words
    return f"{share(float(row['accuracy']))} right" if np.isfinite(row["accuracy"]) else "no verdict"


def _numbers(ax: Axes, own: pd.DataFrame, kind: str) -> bool:
    """One column's cells with their intervals; whether some were left out."""
    observed = pd.Series(own["observed"].tolist())
    estimate, low, high = (pd.Series(own[name].tolist()) for name in ("estimate", "lower", "upper"))
    scale = scale_of(estimate, kind if kind == "positive" else "", pd.concat([low, high]))
    if isinstance(scale, Levels):
        scale = Numbers()
    x = _middles(observed) if kind == "interval" else scale.at(observed)
    at = np.column_stack([scale.at(low), scale.at(estimate), scale.at(high)])
    there = np.flatnonzero(np.isfinite(x) & np.isfinite(at[:, 1]))
    cut = len(there) > _CELLS
    if cut:
        there = np.sort(np.random.default_rng(0).choice(there, _CELLS, replace=False))
    beside = _beside(x)
    covered = own["covered"].to_numpy(dtype=float)[there] >= 0.5
    for here, color, line, marker in ((covered, BLUE, "-", "o"), (~covered, VERMILLION, "--", "x")):
        rows = there[here]
        ax.vlines(beside[rows], at[rows, 0], at[rows, 2], color=color, linewidth=0.8, linestyle=line, alpha=0.5)
        ax.plot(beside[rows], at[rows, 1], marker, color=color, markersize=2.5 if marker == "o" else 4)
    if len(there):
        ends = [np.nanmin(x[there]), np.nanmax(x[there])]
        ax.plot(ends, ends, color=INK, linewidth=1.2, linestyle=":", zorder=4)
    for axis in (ax.xaxis, ax.yaxis):
        scale.dress(axis)
    return cut


def _answers(ax: Axes, own: pd.DataFrame, cells: pd.Series[Any] | None) -> None:
    """A mark for each pair of answers, its area by their number; on the diagonal are those predicted right.

    ``cells`` are those of the column, if the fit has them: they know the answers' order.
    """
    observed, estimate = (pd.Series(own[name].tolist(), dtype=object) for name in ("observed", "estimate"))
    scale = scale_of(observed if cells is None else cells, "nominal", estimate)
    assert isinstance(scale, Levels)  # noqa: S101 (answers have no other scale)
    pairs, counts = np.unique(np.column_stack([scale.at(observed), scale.at(estimate)]), axis=0, return_counts=True)
    right = pairs[:, 0] == pairs[:, 1]
    area = 420 * counts / counts.max() * min(1.0, 4 / len(scale.levels)) ** 1.5
    for here, color, marker in ((right, BLUE, "o"), (~right, VERMILLION, "X")):
        ax.scatter(pairs[here, 0], pairs[here, 1], s=area[here], color=color, marker=marker, linewidths=0)
    ax.set_xlim(-0.6, len(scale.levels) - 0.4)
    ax.set_ylim(-0.6, len(scale.levels) - 0.4)
    for axis in (ax.xaxis, ax.yaxis):
        scale.dress(axis, longest=10)
    ax.plot([0, len(scale.levels) - 1], [0, len(scale.levels) - 1], color=GREY, linewidth=1, linestyle=":", zorder=0)


def _beside(x: np.ndarray) -> np.ndarray:
    """``x``, where it takes few values shaken by up to a quarter of the smallest distance between them."""
    different = np.unique(x[np.isfinite(x)])
    if not 1 < len(different) <= _FEW:
        return x
    shaken: np.ndarray = x + np.random.default_rng(0).uniform(-0.25, 0.25, len(x)) * np.diff(different).min()
    return shaken


def _middles(cells: pd.Series[Any]) -> np.ndarray:
    """Middles of brackets; NaN for those without an end."""
    bounded = [isinstance(cell, pd.Interval) and np.isfinite(cell.length) for cell in cells]
    return np.array([cell.mid if inside else np.nan for cell, inside in zip(cells, bounded, strict=True)], dtype=float)
