"""How the time of a default fit grows with rows, columns, share missing and number of patterns; a plot of four panels.

Run with ``make bench``, which writes ``build/growth.png``, or with another path: ``growth.py docs/growth.png``. Every
point is the median processor time of a few calls, one BLAS thread; scikit-learn's ``IterativeImputer`` stands beside
where a call of its takes a few seconds at most. ``QUICK=1`` in the environment leaves out the large tables. The numbers
are printed as well, and without matplotlib they are all there is.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from peers.inside import emimpute, iterative_imputer
from peers.tables import table
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import pandas as pd

PATIENCE = 3.0  # seconds of a call after which the peer's series ends
OURS, THEIRS = "emimpute", "scikit-learn IterativeImputer"
LOOK = {OURS: {"color": "#0072B2", "marker": "o"}, THEIRS: {"color": "#D55E00", "marker": "s", "linestyle": "--"}}
QUICK = bool(os.environ.get("QUICK"))


@dataclass(frozen=True)
class Series:
    """One panel: what grows, through which values, and the table for a value."""

    grows: str
    fixed: str
    values: tuple[float, ...]
    make: Callable[[float], pd.DataFrame]
    log: bool = True


def of_patterns(patterns: float) -> pd.DataFrame:
    """100 000 rows, which share the given number of patterns: one without gaps, the others random."""
    df = table(100_000, 12, 0.0)
    rng = np.random.default_rng(21)
    masks = rng.random((int(patterns), df.shape[1])) < 0.2
    masks[0] = False
    return df.mask(masks[np.arange(len(df)) % len(masks)])


SERIES = (
    Series("rows", "10 columns, 20 % missing", (1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6), lambda n: table(round(n), 10, 0.2)),
    Series("columns", "5 000 rows, 20 % missing", (5, 10, 20, 40, 80, 160), lambda d: table(5_000, round(d), 0.2)),
    Series(
        "share missing",
        "5 000 rows, 20 columns",
        (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        lambda share: table(5_000, 20, share),
        log=False,
    ),
    Series("patterns", "100 000 rows, 12 columns, 20 % missing", (2, 10, 100, 1000, 10_000), of_patterns),
)


def seconds(call: Callable[[pd.DataFrame], object], df: pd.DataFrame) -> float:
    """Median processor time of a call: of five, or of those that fit a second."""
    times: list[float] = []
    while len(times) < 5 and sum(times) < 1:
        begin = time.process_time()
        call(df)
        times.append(time.process_time() - begin)
    return statistics.median(times)


def measure(series: Series) -> dict[str, list[tuple[float, float]]]:
    """(value, seconds) of either, as far as it is patient or installed; prints them."""
    values = series.values[:3] if QUICK else series.values
    points: dict[str, list[tuple[float, float]]] = {OURS: [], THEIRS: []}
    print(f"\n{series.grows} ({series.fixed}) | {OURS} s | {THEIRS} s\n---|---|---")
    for value in values:
        df, cells = series.make(value), [f"{value:g}"]
        for name, call in ((OURS, emimpute), (THEIRS, iterative_imputer)):
            earlier = points[name]
            found = None
            if name == OURS or not earlier or earlier[-1][1] < PATIENCE:
                try:
                    found = seconds(call, df)
                    earlier.append((value, found))
                except ImportError:
                    pass
            cells.append("" if found is None else f"{found:.3g}")
        print(" | ".join(cells), flush=True)
    return points


def draw(found: list[tuple[Series, dict[str, list[tuple[float, float]]]]], path: Path) -> None:
    """The four panels."""
    import matplotlib as mpl  # noqa: PLC0415 (the numbers come without it)

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained", sharey=True)
    for axis, (series, points) in zip(axes.flat, found, strict=True):
        for name, pairs in points.items():
            if pairs:
                axis.plot(*zip(*pairs, strict=True), label=name, markersize=5, linewidth=1.6, **LOOK[name])
        axis.set_yscale("log")
        if series.log:
            axis.set_xscale("log")
            axis.set_xticks([value for value, _ in points[OURS]], minor=False)
            axis.set_xticks([], minor=True)
            axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.set_xlabel(series.grows)
        axis.set_title(series.fixed, fontsize=10)
        axis.grid(visible=True, which="major", color="0.9")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("processor seconds")
    axes[0, 0].legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"\nThe plot is {path}.")


def main(path: Path) -> None:
    for call in (emimpute, iterative_imputer):  # what is imported at first use is no part of it
        with suppress(ImportError):
            call(table(200, 4, 0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [(series, measure(series)) for series in SERIES]
    try:
        draw(found, path)
    except ImportError as error:
        print(f"\nNo plot: {error.name} is not installed.")


if __name__ == "__main__":
    with threadpool_limits(1):
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "build" / "growth.png")
