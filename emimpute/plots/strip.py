"""Imputed cells beside the observed ones, cell by cell: a panel for each column, or one column against another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import ColumnError, shown
from emimpute.plots.canvas import capacity, legend, panel, sheet, title
from emimpute.plots.columns import Column, choose, columns_of, matching
from emimpute.plots.density import nothing
from emimpute.plots.fills import Fills, fills
from emimpute.plots.palette import GREEN, IMPUTED, INK, OBSERVED
from emimpute.plots.scales import Levels, Scale, scale_of
from emimpute.plots.words import count, font

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit

__all__ = ["scatter", "strip"]

_DOTS = 800  # of a group


def strip(fit: Fit, columns: Any, draws: Any, rng: Any, ax: Any) -> np.ndarray:
    """See :meth:`emimpute.plots.FitPlots.strip`."""
    choice = choose(fit, columns, capacity(ax))
    if not choice.columns:
        return nothing(ax)
    filled = fills(fit, choice.columns, draws, rng)
    drawn = sheet(ax, len(choice.columns), (2.6, 2.5))
    cut = False
    titles = []
    for one, column in zip(drawn.panels, choice.columns, strict=True):
        scale = scale_of(column.cells, column.kind, filled.cells[column.place])
        cut |= _strips(one, scale, scale.at(column.cells[~column.gaps]), scale.at(filled.cells[column.place]))
        titles.append(f"{column.name}{f' ({scale.unit})' if scale.unit else ''}: {column.missing}")
    drawn.entitle_each(titles)
    drawn.entitle(
        f"Observed cells and, where cells are missing, {filled.how}.{_narrow(draws)}{_few(cut)}{choice.remark}"
    )
    return drawn.axes


def scatter(fit: Fit, pair: tuple[Any, Any], draws: Any, rng: Any, on: Any) -> Axes:
    """See :meth:`emimpute.plots.FitPlots.scatter`."""
    everything = columns_of(fit)
    across, up = (_single(everything, label, what) for label, what in zip(pair, ("x=", "y="), strict=True))
    filled = fills(fit, [across, up], draws, rng)
    scales = [scale_of(one.cells, one.kind, filled.cells[one.place]) for one in (across, up)]
    places = [
        _completed(one, scale, filled) for one, scale in zip((across, up), scales, strict=True)
    ]  # each (imputations, rows)
    ax = panel(on, (6.4, 5.0))
    rng = np.random.default_rng(0)
    groups = (
        ("both observed", ~across.gaps & ~up.gaps, "o", OBSERVED, 14, 0.45),
        (f"{up.name} imputed", ~across.gaps & up.gaps, "^", IMPUTED, 30, 0.85),
        (f"{across.name} imputed", across.gaps & ~up.gaps, ">", GREEN, 30, 0.85),
        ("both imputed", across.gaps & up.gaps, "x", INK, 30, 0.85),
    )
    imputed = int((across.gaps | up.gaps).sum())
    words = []
    cut = False
    for words_of, rows, marker, color, size, alpha in groups:
        if not rows.any():
            continue
        points = np.column_stack([p[: 1 if words_of == "both observed" else None, rows].ravel() for p in places])
        cut |= len(points) > _DOTS
        points = _thinned(points, _DOTS, rng)
        for k, scale in enumerate(scales):
            points[:, k] += _jitter(scale, len(points), rng)
        words.append(f"{words_of} ({int(rows.sum()):,})".replace(",", " "))
        order = 2 + (marker != "o")
        ax.scatter(
            points[:, 0],
            points[:, 1],
            s=size,
            marker=marker,
            color=color,
            alpha=alpha,
            linewidths=1.2 if marker == "x" else 0.4,
            edgecolors=None if marker == "x" else "white",
            label=words[-1],
            zorder=order,
        )
    for axis, scale in zip((ax.xaxis, ax.yaxis), scales, strict=True):
        scale.dress(axis)
    texts = [f"{one.name}{f' ({s.unit})' if s.unit else ''}" for one, s in zip((across, up), scales, strict=True)]
    ax.set_xlabel(texts[0], **font(texts[0]))
    ax.set_ylabel(texts[1], **font(texts[1]))
    family = font(*words)
    legend(ax, ours=on is None, prop={"family": family["fontfamily"], "size": "small"} if family else {"size": "small"})
    _frame(ax)
    if not imputed:
        title(ax, f"{up.name} against {across.name}: no cell of these is missing")
    else:
        rows_said = count(imputed, "row")
        title(ax, f"{up.name} against {across.name}: {rows_said} completed by {filled.how}.{_narrow(draws)}{_few(cut)}")
    return ax


def _single(everything: list[Column], label: Any, what: str) -> Column:
    places = matching([column.label for column in everything], [label], what)
    if len(places) > 1:
        raise ColumnError(f"{what} {len(places)} columns are labelled {shown(label)}: rename them.")
    return everything[places[0]]


def _completed(column: Column, scale: Scale, filled: Fills) -> np.ndarray:
    """The column's places in every imputation, (imputations, rows)."""
    places = np.tile(scale.at(column.cells), (filled.number, 1))
    places[:, column.gaps] = scale.at(filled.cells[column.place]).reshape(filled.number, -1)
    return places


def _strips(ax: Axes, scale: Scale, observed: np.ndarray, imputed: np.ndarray) -> bool:
    """Two columns of dots; whether some had to be left out."""
    rng = np.random.default_rng(0)
    cut = False
    for at, places, marker, color in ((0, observed, "o", OBSERVED), (1, imputed, "^", IMPUTED)):
        some = _thinned(places[np.isfinite(places), np.newaxis], _DOTS, rng)[:, 0]
        cut |= len(some) < np.isfinite(places).sum()
        across = at + rng.uniform(-0.3, 0.3, len(some))
        size = 7 if len(some) > 150 else 14
        up = some + _jitter(scale, len(some), rng)
        ax.scatter(across, up, s=size, marker=marker, color=color, alpha=0.5, linewidths=0)
        if len(some) and not isinstance(scale, Levels):
            middle = float(np.nanmedian(places))
            ax.plot([at - 0.38, at + 0.38], [middle, middle], color=INK, linewidth=1.5)
    ax.set_xlim(-0.55, 1.55)
    ax.set_xticks([0, 1], labels=["observed", "imputed"])
    scale.dress(ax.yaxis)
    ax.tick_params(labelsize=8)
    _frame(ax)
    return cut


def _frame(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)


def _thinned(points: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the points (n, k), drawn at random."""
    if len(points) <= most:
        return points.copy()
    return points[np.sort(rng.choice(len(points), most, replace=False))]


def _jitter(scale: Scale, number: int, rng: np.random.Generator) -> np.ndarray:
    """Levels lie upon each other: they are shaken a little."""
    return rng.uniform(-0.25, 0.25, number) if isinstance(scale, Levels) else np.zeros(number)


def _narrow(draws: Any) -> str:
    return " These vary less than cells do, by construction." if isinstance(draws, int) and draws == 0 else ""


def _few(cut: bool) -> str:  # noqa: FBT001 (it is said or not)
    return f" At most {_DOTS} dots of a sort are drawn." if cut else ""
