"""What is known of each missing cell: its estimate with its interval, or the probability of each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.plots.canvas import capacity, sheet
from emimpute.plots.columns import Column, choose, columns_of
from emimpute.plots.density import nothing
from emimpute.plots.palette import IMPUTED, INK, PALE, SHARES
from emimpute.plots.scales import Levels, Numbers, Scale, scale_of
from emimpute.plots.words import count, font, said, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit

__all__ = ["cells"]

_CELLS = 150  # of a panel
_NAMED = 12  # cells, up to which each row's label is drawn


def cells(fit: Fit, columns: Any, ax: Any) -> np.ndarray:
    """See :meth:`emimpute.plots.FitPlots.cells`."""
    choice = choose(fit, columns, capacity(ax))
    shown = [column for column in choice.columns if column.gaps.any()]
    if not shown:
        return nothing(ax)
    table = fit.cells()
    masks = np.column_stack([column.gaps for column in columns_of(fit)])
    place_of = np.nonzero(masks)[1]  # of each row of the table, for labels may repeat
    drawn = sheet(ax, len(shown))
    cut = answers = intervals = False
    titles = []
    for panel, column in zip(drawn.panels, shown, strict=True):
        own = table[place_of == column.place]
        cut |= len(own) > _CELLS
        if "probabilities" in own and own["probabilities"].notna().all():
            answers = True
            titles.append(_probabilities(panel, column, own))
        else:
            intervals = True
            titles.append(_intervals(panel, column, own))
        panel.tick_params(labelsize=8)
    drawn.entitle_each(titles)
    said_of = [
        "Missing cells with 95 % intervals, in order; shaded: the middle 95 % of the observed." if intervals else "",
        "For answers, the probability of each (brighter: more probable)." if answers else "",
        f"Of more than {_CELLS} cells, {_CELLS} in even steps." if cut else "",
    ]
    drawn.entitle(f"{' '.join(filter(None, said_of))}{choice.remark}")
    return drawn.axes


def _intervals(ax: Axes, column: Column, own: pd.DataFrame) -> str:
    """Draw one column's estimates with their intervals; the title."""
    low, middle, high = (pd.Series(own[name].tolist()) for name in ("low", "estimate", "high"))
    scale = scale_of(middle, column.kind if column.kind == "positive" else "", pd.concat([low, high]))
    if isinstance(scale, Levels):
        scale = Numbers()
    at = np.column_stack([scale.at(one) for one in (low, middle, high)])
    order = np.argsort(at[:, 1], kind="stable")
    ranks = _some(len(order))
    at = at[order[ranks]]
    seen = _seen(column, scale)
    if len(seen):
        ax.axvspan(*np.quantile(seen, [0.025, 0.975]), color=PALE, linewidth=0, zorder=0)
    ax.hlines(ranks, at[:, 0], at[:, 2], color=IMPUTED, linewidth=1.2 if len(order) <= 40 else 0.7, alpha=0.75)
    ax.plot(at[:, 1], ranks, "^", color=INK, markersize=4 if len(order) <= 40 else 2.5, markeredgewidth=0)
    _rows(ax, own, order)
    scale.dress(ax.xaxis)
    wide = _width(at, seen)
    unit = f" ({scale.unit})" if scale.unit else ""
    ax.spines[["top", "right"]].set_visible(False)
    return f"{column.name}{unit}: {count(len(own), 'cell')}{wide}"


def _probabilities(ax: Axes, column: Column, own: pd.DataFrame) -> str:
    """Draw the probabilities of one column's answers; the title."""
    found = pd.DataFrame(own["probabilities"].tolist())
    scale = Levels(tuple(own["probabilities"].iloc[0]))
    levels = scale.levels
    table = found.to_numpy(dtype=float)
    order = np.lexsort(table.T[::-1])[::-1] if len(levels) > 2 else np.argsort(-table[:, 0], kind="stable")
    order = order[np.argsort(table[order].argmax(axis=1), kind="stable")]
    ranks = _some(len(order))
    ax.imshow(
        table[order[ranks]],
        aspect="auto",
        cmap=SHARES,
        vmin=0,
        vmax=1,
        interpolation="nearest",
        origin="lower",
        extent=(-0.5, len(levels) - 0.5, -0.5, len(order) - 0.5),
    )
    scale.dress(ax.xaxis)
    _rows(ax, own, order)
    sure = float((table.max(axis=1) > 0.9).mean())
    return f"{column.name}: {count(len(own), 'cell')}, {share(sure)} more than 90 % sure"


def _rows(ax: Axes, own: pd.DataFrame, order: np.ndarray) -> None:
    """The rows' labels where there is room for them."""
    if len(order) <= _NAMED:
        labels = [said(label, 14) for label in own["row"].iloc[order]]
        ax.set_yticks(range(len(order)), labels=labels, **font(*labels))
        ax.set_ylabel("row", fontsize=8)
    else:
        ax.set_yticks([])
    ax.set_ylim(-0.7, len(order) - 0.3)


def _some(number: int) -> np.ndarray:
    """At most so many ranks as a panel shows, evenly spread, with the first and the last."""
    ranks: np.ndarray = np.unique(np.linspace(0, number - 1, min(number, _CELLS)).round().astype(int))
    return ranks


def _seen(column: Column, scale: Scale) -> np.ndarray:
    """Places of the observed cells; none where these are brackets, which have no single place."""
    seen = scale.at(column.cells[~column.gaps])
    there: np.ndarray = seen[np.isfinite(seen)]
    return there


def _width(at: np.ndarray, seen: np.ndarray) -> str:
    """How much narrower the intervals are than what one would say without a model."""
    if len(seen) < 2:
        return ""
    low, high = np.quantile(seen, [0.025, 0.975])
    if not high > low:
        return ""
    part = float(np.nanmedian(at[:, 2] - at[:, 0]) / (high - low))
    return f", intervals {100 * part:.0f} % as wide as shaded"
