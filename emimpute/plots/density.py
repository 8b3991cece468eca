"""How imputed values are distributed beside the observed ones: curves for numbers, bars of shares for levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy.stats import gaussian_kde

from emimpute.plots.canvas import capacity, empty, sheet
from emimpute.plots.columns import Column, choose
from emimpute.plots.fills import fills
from emimpute.plots.palette import IMPUTED, OBSERVED
from emimpute.plots.scales import Levels, Scale, scale_of
from emimpute.plots.words import share

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit

__all__ = ["curve", "density", "shares"]

_POINTS = 256  # of a curve
_BINS = 2048  # that a large sample is gathered in first: far finer than the curve's bandwidth
_SAME = 0.1  # sd, below which means are called alike


@dataclass(frozen=True, eq=False)
class _Values:
    """Places of one column's observed and imputed cells, and their weights."""

    observed: np.ndarray
    imputed: np.ndarray
    of_observed: np.ndarray
    of_imputed: np.ndarray


def density(fit: Fit, columns: Any, draws: Any, rng: Any, ax: Any) -> np.ndarray:
    """See :meth:`emimpute.plots.FitPlots.density`."""
    choice = choose(fit, columns, capacity(ax))
    if not choice.columns:
        return nothing(ax)
    filled = fills(fit, choice.columns, draws, rng)
    scales = [scale_of(column.cells, column.kind, filled.cells[column.place]) for column in choice.columns]
    values = [
        _values(column, scale, filled.cells[column.place], fit.weights, filled.number)
        for column, scale in zip(choice.columns, scales, strict=True)
    ]
    drawn = sheet(ax, len(choice.columns))
    for panel, column, scale, own in zip(drawn.panels, choice.columns, scales, values, strict=True):
        (_bars if isinstance(scale, Levels) else _curves)(panel, scale, own)
        panel.set_xlabel(f"{column.missing}{f' ({scale.unit})' if scale.unit else ''}", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    drawn.entitle_each([f"{c.name}: {_compared(s, v)}" for c, s, v in zip(choice.columns, scales, values, strict=True)])
    narrow = " These vary less than cells do, by construction." if draws == 0 else ""
    drawn.entitle(f"Observed cells and, where cells are missing, {filled.how}.{narrow}{choice.remark}")
    drawn.legend(_handles(scales))
    return drawn.axes


def nothing(ax: Any) -> np.ndarray:
    """The picture of imputed cells where there are none."""
    drawn = sheet(ax, 1)
    empty(drawn.panels[0], "No cell is missing: nothing was imputed.")
    return drawn.axes


def curve(x: np.ndarray, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Kernel density estimate of ``x`` (n,) with ``weights`` (n,) on ``grid``, by Silverman's rule of thumb.

    The bandwidth is .9 min(sd, IQR / 1.34) n^(-1/5) with n the effective number (Silverman 1986, equation 3.31), the
    default of R's ``density``. ``x`` holds two different values at least.
    """
    total = weights.sum()
    n = total**2 / (weights**2).sum()
    sd = float(np.sqrt(np.cov(x, aweights=weights)))
    spread = min(sd, _middle_half(x, weights) / 1.34) or sd
    if len(x) > _BINS:
        weights, edges = np.histogram(x, bins=_BINS, weights=weights)
        x = (edges[1:] + edges[:-1]) / 2
        x, weights = x[weights > 0], weights[weights > 0]
    own = gaussian_kde(x, weights=weights)
    own.set_bandwidth(0.9 * spread * n**-0.2 / float(np.sqrt(own.covariance[0, 0]) / own.factor))
    found: np.ndarray = own(grid)
    return found


def _middle_half(x: np.ndarray, weights: np.ndarray) -> float:
    """The distance between the quartiles: numpy's where weights are equal, else by the sum of weights below."""
    if not np.ptp(weights):
        low, high = np.quantile(x, [0.25, 0.75])
    else:
        order = np.argsort(x, kind="stable")
        below = np.cumsum(weights[order]) - weights[order] / 2
        low, high = np.interp([0.25 * weights.sum(), 0.75 * weights.sum()], below, x[order])
    return float(high - low)


def shares(places: np.ndarray, weights: np.ndarray, levels: int) -> np.ndarray:
    """The share (levels,) of each level."""
    counts = np.bincount(places.astype(int), weights=weights, minlength=levels)
    return counts / counts.sum() if counts.sum() else counts


def _values(column: Column, scale: Scale, filled: pd.Series[Any], weights: np.ndarray | None, number: int) -> _Values:
    rows = np.ones(len(column.gaps)) if weights is None else weights
    observed, imputed = scale.at(column.cells), scale.at(filled)
    of_imputed = np.tile(rows[column.gaps], number)
    seen, there = np.isfinite(observed) & (rows > 0), np.isfinite(imputed) & (of_imputed > 0)
    return _Values(observed[seen], imputed[there], rows[seen], of_imputed[there])


def _curves(ax: Axes, scale: Scale, values: _Values) -> None:
    """Each curve from the smallest of its values to the largest."""
    for x, weights, color, dashed in (
        (values.observed, values.of_observed, OBSERVED, False),
        (values.imputed, values.of_imputed, IMPUTED, True),
    ):
        line: dict[str, Any] = {"color": color, "linewidth": 1.8, "linestyle": (0, (4, 1.5)) if dashed else "-"}
        if len(np.unique(x)) < 2:
            for one in np.unique(x):
                ax.axvline(one, **line)
            continue
        grid = np.linspace(x.min(), x.max(), _POINTS)
        height = curve(x, weights, grid)
        ax.plot(grid, height, **line)
        if not dashed:
            ax.fill_between(grid, height, color=color, alpha=0.15, linewidth=0)
    ax.set_ylim(bottom=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    scale.dress(ax.xaxis)


def _bars(ax: Axes, scale: Scale, values: _Values) -> None:
    assert isinstance(scale, Levels)  # noqa: S101 (the caller's choice)
    count = len(scale.levels)
    x = np.arange(count)
    ax.bar(x - 0.2, shares(values.observed, values.of_observed, count), 0.38, color=OBSERVED)
    ax.bar(
        x + 0.2, shares(values.imputed, values.of_imputed, count), 0.38, color="white", edgecolor=IMPUTED, hatch="////"
    )
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    scale.dress(ax.xaxis)


def _compared(scale: Scale, values: _Values) -> str:
    """What the panel shows, in words."""
    if not len(values.imputed):
        return "nothing imputed"
    if not len(values.observed):
        return "nothing observed"
    if isinstance(scale, Levels):
        count = len(scale.levels)
        seen = shares(values.observed, values.of_observed, count)
        filled = shares(values.imputed, values.of_imputed, count)
        most = int(np.argmax(np.abs(filled - seen)))
        return f"'{scale.words(14)[most]}' observed {share(seen[most])}, imputed {share(filled[most])}"
    mean = np.average(values.observed, weights=values.of_observed)
    sd = float(np.sqrt(np.average((values.observed - mean) ** 2, weights=values.of_observed)))
    apart = float(np.average(values.imputed, weights=values.of_imputed) - mean)
    if sd == 0 and apart == 0:
        return "all cells alike"
    if abs(apart) < _SAME * sd:
        return "imputed alike on average"
    return f"imputed {abs(apart) / sd:.1f} sd {'higher' if apart > 0 else 'lower'}"


def _handles(scales: list[Scale]) -> list[Artist]:
    bars = any(isinstance(scale, Levels) for scale in scales)
    if all(isinstance(scale, Levels) for scale in scales):
        return [Patch(color=OBSERVED, label="observed"), Patch(fc="white", ec=IMPUTED, hatch="////", label="imputed")]
    more = ", hatched" if bars else ""
    return [
        Line2D([], [], color=OBSERVED, label="observed (solid)"),
        Line2D([], [], color=IMPUTED, linestyle=(0, (4, 1.5)), label=f"imputed (dashed{more})"),
    ]
