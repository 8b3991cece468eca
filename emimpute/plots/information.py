"""What the gaps cost: the fraction of missing information of each parameter, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from emimpute._frames import key
from emimpute.plots.canvas import empty, legend, panel, title
from emimpute.plots.columns import left_out, matching
from emimpute.plots.palette import BLUE, GREEN, PALE, PURPLE, VERMILLION
from emimpute.plots.words import each, font, said, share

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit

__all__ = ["information"]

_ROWS = 20
_MARKS = {
    "mean": ("o", BLUE, "mean"),
    "variance": ("s", GREEN, "variance"),
    "covariance": ("^", VERMILLION, "covariance or correlation, the largest"),
    "cut": ("D", PURPLE, "cut point, the largest"),
}


def information(fit: Fit, columns: Any, on: Any) -> Axes:
    """See :meth:`emimpute.plots.FitPlots.information`."""
    params = fit.params
    labels = list(dict.fromkeys(fit.mean.index))
    found = _fractions(params["fmi"], labels)
    wanted = range(len(labels)) if columns is None else matching(labels, columns, "columns=")
    worst = np.array([np.nanmax([f[k] for f in found.values()] + [-np.inf]) for k in range(len(labels))])
    known = [k for k in wanted if np.isfinite(worst[k])]
    room = _ROWS if columns is None else len(known)
    order = sorted(known, key=lambda k: -worst[k])[:room]
    ax = panel(on, (7.0, 1.5 + 0.26 * max(len(order), 4)))
    if not order:
        notes = " ".join(params.attrs.get("notes", ()))
        empty(ax, f"No fraction of missing information is known. {notes}".strip())
        return ax
    rows = np.arange(len(order))
    top = [worst[k] for k in order]
    ax.hlines(rows, 0, top, color=PALE, linewidth=3, zorder=1)
    for name, fractions in found.items():
        marker, color, words = _MARKS[name]
        x = fractions[order]
        if np.isfinite(x).any():
            ax.plot(x, rows, marker, color=color, label=words, markersize=6, alpha=0.9, clip_on=False, zorder=3)
    words = np.array(each(labels), dtype=object)[order].tolist()
    ax.set_yticks(rows, labels=words, **font(*words))
    ax.set_ylim(len(order) - 0.5, -0.5)
    least = min(0.0, float(np.nanmin([f[order] for f in found.values()])))
    ax.set_xlim(least * 1.05, min(1.0, max(0.05, 1.12 * max(top))))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("fraction of missing information")
    ax.spines[["top", "right"]].set_visible(False)
    legend(ax, ours=on is None, fontsize="small")
    more = left_out(len(known) - len(order), "with less of it")
    title(ax, f"{_largest(params['fmi'])}.{more}")
    return ax


def _fractions(fmi: pd.Series[Any], labels: list[Any]) -> dict[str, np.ndarray]:
    """For each sort of parameter its fraction by label (labels,); the largest where a label has several."""
    places = {key(label): place for place, label in enumerate(labels)}
    found = {name: np.full(len(labels), np.nan) for name in _MARKS}
    for (parameter, column, column2), value in zip(fmi.index.tolist(), fmi.tolist(), strict=True):
        concerned = [column]
        name = parameter
        if parameter in {"cov", "corr"}:
            name = "variance" if parameter == "cov" and key(column) == key(column2) else "covariance"
            concerned = [column] if name == "variance" else [column, column2]
        for label in concerned:
            own, place = found[name], places[key(label)]
            own[place] = np.fmax(own[place], value)
    return found


def _largest(fmi: pd.Series[Any]) -> str:
    """On which parameter most information is missing."""
    place = int(np.nanargmax(fmi.to_numpy()))
    parameter, column, column2 = fmi.index.tolist()[place]
    value = float(fmi.iloc[place])
    if value <= 0:
        return "No information is missing"
    variance = parameter == "cov" and key(column) == key(column2)
    of = said(column) if variance or parameter in {"mean", "cut"} else f"{said(column)} and {said(column2)}"
    names = {"mean": "mean", "cov": "covariance", "corr": "correlation", "cut": f"cut point {column2}"}
    return f"Most information is missing on the {'variance' if variance else names[parameter]} of {of}: {share(value)}"
