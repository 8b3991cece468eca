"""Where a picture is drawn: on the caller's Axes, or on a figure made for it.

A figure is made through pyplot only where the caller gave nothing to draw on, so that notebooks show it; nothing is
shown, saved or closed here, and no global setting is touched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from emimpute.errors import EMImputeError
from emimpute.plots.palette import GREY
from emimpute.plots.words import entitle, font, width, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist

__all__ = ["Sheet", "capacity", "empty", "legend", "panel", "sheet", "title"]

_ACROSS = (3, 4)  # panels in a row


@dataclass(frozen=True, eq=False)
class Sheet:
    """Several panels, and the figure around them; None where they are Axes of the caller's."""

    panels: tuple[Axes, ...]
    figure: Figure | SubFigure | None

    @property
    def axes(self) -> np.ndarray:
        """The panels as an array (panels,) of Axes."""
        array = np.empty(len(self.panels), dtype=object)
        array[:] = self.panels
        return array

    def entitle(self, sentence: str) -> None:
        """``sentence`` over all panels; over panels of the caller's there is no place for it."""
        if self.figure is not None:
            text = wrapped(sentence, self.figure.bbox.width / self.figure.dpi - 0.25, 11)
            self.figure.suptitle(text, x=0.01, ha="left", fontsize=11, **font(sentence))

    def entitle_each(self, sentences: Sequence[str]) -> None:
        """A sentence over each panel. It comes after the panels are drawn, whose tick labels take from its width."""
        engine = None if self.figure is None else self.figure.get_layout_engine()
        if engine is not None and isinstance(self.figure, Figure):
            engine.execute(self.figure)
        for panel, sentence in zip(self.panels, sentences, strict=True):
            entitle(panel, sentence, size=9, margin=0.1)

    def legend(self, handles: Sequence[Artist]) -> None:
        """One legend for all panels: below them, or where the layout leaves no place there, in the first."""
        if self.figure is not None and self.figure.get_layout_engine() is not None:
            self.figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False)
        else:
            self.panels[0].legend(handles=handles, fontsize="small", framealpha=0.8)


def capacity(ax: Any) -> int | None:
    """How many panels ``ax=`` holds; None where as many may be made as are needed."""
    if ax is None or isinstance(ax, Figure | SubFigure):
        return None
    return len(_given(ax))


def panel(ax: Any, size: tuple[float, float] = (7.0, 4.2)) -> Axes:
    """The Axes to draw on: ``ax``, one in that figure, or one in a new figure of ``size`` inches.

    Raises EMImputeError for anything else, and for several Axes.
    """
    if ax is None:
        return _figure(size).subplots()
    if isinstance(ax, Figure | SubFigure):
        return ax.subplots()
    axes = _given(ax)
    if len(axes) > 1:
        raise EMImputeError(f"ax= holds {len(axes)} Axes, and this picture is drawn on one: pass one of them.")
    return axes[0]


def sheet(ax: Any, count: int, size: tuple[float, float] = (3.1, 2.4)) -> Sheet:
    """``count`` panels: the first of those in ``ax``, new ones in that figure, or in a new figure.

    ``size`` is that of a panel, in inches. Raises EMImputeError for another ``ax``, or one with too few Axes.
    """
    if ax is not None and not isinstance(ax, Figure | SubFigure):
        axes = _given(ax)
        if len(axes) < count:
            raise EMImputeError(f"ax= holds {len(axes)} Axes, and {count} are needed: pass more, or fewer columns=.")
        return Sheet(tuple(axes[:count]), None)
    across = min(_ACROSS, key=lambda wide: (-count % wide, -wide)) if count > max(_ACROSS) else count
    down = math.ceil(count / across)
    if ax is None:
        ax = _figure((max(size[0] * across, 5.0), size[1] * down + 0.8))
    grid = ax.subplots(down, across, squeeze=False).ravel().tolist()
    for unused in grid[count:]:
        unused.remove()
    return Sheet(tuple(grid[:count]), ax)


def title(ax: Axes, sentence: str) -> None:
    """``sentence`` over a picture of one panel, which is as wide as its layout makes it."""
    figure: Any = ax.figure
    engine = figure.get_layout_engine()
    if engine is not None and isinstance(figure, Figure):
        engine.execute(figure)
    entitle(ax, sentence)


def legend(ax: Axes, *, ours: bool, **options: Any) -> None:
    """The legend of a picture of one panel: below it in a figure of ours, else within, where there is most room."""
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    if ours:
        figure: Any = ax.figure
        needed = sum(width(label, 10) + 0.6 for label in labels)
        columns = max(1, int(len(handles) * min(1.0, figure.bbox.width / figure.dpi / needed)))
        figure.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False, **options)
    else:
        ax.legend(framealpha=0.8, **options)


def empty(ax: Axes, sentence: str) -> None:
    """A sentence in the place of a picture that would have nothing to show."""
    inches = ax.get_window_extent().width / ax.figure.dpi
    ax.text(0.5, 0.5, wrapped(sentence, inches, 11), ha="center", va="center", transform=ax.transAxes, color=GREY)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib import pyplot as plt  # noqa: PLC0415 (whoever brings Axes need not have a pyplot)

    return plt.figure(figsize=size, layout="constrained")


def _given(ax: Any) -> list[Axes]:
    """The caller's Axes, one by one."""
    axes = [ax] if isinstance(ax, Axes) else np.asarray(ax, dtype=object).ravel().tolist()
    wrong = [type(one).__name__ for one in axes if not isinstance(one, Axes)]
    if wrong or not axes:
        seen = f"of type {wrong[0]}" if wrong else "empty"
        msg = f"ax= is a matplotlib Axes, an array of Axes, or a figure to draw in, and this one is {seen}."
        raise EMImputeError(msg)
    return axes
