"""Small pictures as inline SVG: no text in them but their description, no script, and the page's own colours.

They are drawn here rather than by a plotting library so that a report is the same wherever it is written, follows dark
screens, and costs milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.results.page.markup import Html, element

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bins", "curve", "is_whole", "mask", "shapes"]

_WIDTH, _HEIGHT = 600.0, 100.0  # of the drawing; the page stretches it
_FEWEST, _MOST = 8, 40  # bins
_WHOLE = 40  # distinct whole numbers up to which each is a bin
_EXACT = 2.0**52  # below it a half can be added
_TAIL = 0.005  # of the cells, that may lie beyond the ends


def curve(x: np.ndarray, y: np.ndarray, *, aim: float | None, description: str) -> Html:
    """A line through the points (k,), which stretch over the whole width and height; ``aim`` is drawn across."""
    low, high = _range(y if aim is None else np.append(y, aim))
    left, right = _range(x)
    across = (x - left) / (right - left) * _WIDTH
    up = _HEIGHT * (high - y) / (high - low)
    lines = [_path("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(across, up, strict=True)), "line")]
    if aim is not None:
        level = f"{_HEIGHT * (high - aim) / (high - low):.1f}"
        lines.append(_path(f"M0 {level}H{_WIDTH:.0f}", "aim"))
    return _svg(lines, "curve", description)


def bins(observed: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Edges (b + 1,) that suit both; what lies farther out than all but a few cells belongs to the first or last."""
    both = np.concatenate([observed, filled])
    low, high = float(both.min()), float(both.max())
    if high - low <= _WHOLE and max(high, -low) < _EXACT and (both == np.rint(both)).all():
        return np.arange(low - 0.5, high + 1.0)
    inner = np.quantile(both, [_TAIL, 1 - _TAIL])
    low, high = (low, high) if inner[0] == inner[1] else (float(inner[0]), float(inner[1]))
    if not high - low > _MOST * np.spacing(max(high, -low)):  # alike, or no float lies between the edges
        pad = abs(low) / 2 or 0.5
        return np.linspace(low - pad, low + pad, _FEWEST + 1)
    within = both[(both >= low) & (both <= high)]
    count = len(np.histogram_bin_edges(within, "fd" if len(within) > _MOST else "sturges")) - 1
    return np.linspace(low, high, min(max(count, _FEWEST), _MOST) + 1)


def is_whole(edges: np.ndarray) -> bool:
    """Whether each of the bins is one whole number's."""
    return bool((np.diff(edges) == 1).all() and (edges % 1 == 0.5).all())


def shapes(observed: np.ndarray, filled: np.ndarray, edges: np.ndarray, description: str) -> Html:
    """Two histograms over the same bins, each of area 1: observed cells as an area, filled ones as a line."""
    heights = [_shares(values, edges) for values in (observed, filled)]
    top = max(float(height.max(initial=0.0)) for height in heights) or 1.0
    across = np.linspace(0.0, _WIDTH, len(edges))
    drawn = [_steps(across, _HEIGHT * (1 - height / top)) for height in heights]
    return _svg([_path(drawn[0], "seen"), _path(drawn[1], "drawn")], "shape", description)


def mask(missing: Sequence[bool]) -> Html:
    """Which of several columns are missing, as a strip with a cell for each."""
    step = _WIDTH / max(len(missing), 1)
    holes = "".join(f"M{i * step:.1f} 0h{step:.1f}v100h-{step:.1f}z" for i, gone in enumerate(missing) if gone)
    inside = [element("path", d=holes)] if holes else []
    return element("svg", *inside, class_="mask", viewBox="0 0 600 100", preserveAspectRatio="none", aria_hidden="true")


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return np.asarray(counts / max(counts.sum(), 1))


def _steps(across: np.ndarray, down: np.ndarray) -> str:
    """The outline of a histogram, closed along its base."""
    tops = "".join(f"V{level:.1f}H{right:.1f}" for level, right in zip(down, across[1:], strict=True))
    return f"M0 100{tops}V100z"


def _path(d: str, kind: str) -> Html:
    return element("path", d=d, class_=kind)


def _svg(inside: Sequence[Html], kind: str, description: str) -> Html:
    return element(
        "svg",
        *inside,
        class_=kind,
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        preserveAspectRatio="none",
        role="img",
        aria_label=description,
    )


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)
