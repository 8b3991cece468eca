"""Pictures of a fit (``fit.plot``) and of what is missing (``df.em.plot``), by matplotlib.

Each takes ``ax=`` and returns the Axes it drew on, so pictures can be laid out, restyled and saved as any other. A
picture of one panel takes an Axes, one of several panels an array of Axes; both take a Figure or SubFigure to make
Axes in, and without ``ax=`` a new pyplot figure is made. Every number that is drawn is in a public frame of the fit.
Nothing is shown or closed, and no rcParams are changed. matplotlib is imported when the first picture is drawn; without
it there is an error that says how to install it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emimpute.errors import EMImputeError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit
    from emimpute.results.overimputation import Overimputation

__all__ = ["FitPlots", "FramePlots"]


@dataclass(frozen=True, eq=False, repr=False)
class FitPlots:
    """Pictures of a fit. ``ax`` is as :mod:`emimpute.plots` says; all raise EMImputeError for another one.

    Pictures of several columns show, by default, those with most gaps, and say in the title how many more there are;
    ``columns`` (a label, or a list of them) chooses others, and a label that the fit lacks is a ColumnError. Given an
    array of Axes, as many columns are shown as there are Axes. Pictures of cells need the data, which a fit that was
    read from a file does not hold (EMImputeError).

    ``draws`` says what is put into the gaps: 0, the conditional expectations that ``impute()`` fills in; a number of
    draws at the estimate, seeded by ``rng``; or :class:`emimpute.Imputations` of the same data.
    """

    _fit: Fit

    def trace(self, of: str = "remaining", *, ax: Any = None) -> Axes:
        """How EM went: the estimated distance to the maximum, or another column ``of`` the trace, at each iterate.

        ``of`` is "remaining" or "step" (logarithmic, beside ``tol``), "loglik", "logpost" or "rate".
        """
        _needs_matplotlib()
        from emimpute.plots.trace import trace  # noqa: PLC0415 (matplotlib comes with the first picture)

        return trace(self._fit, of, ax)

    def density(self, columns: Any = None, *, draws: Any = 20, rng: Any = 0, ax: Any = None) -> np.ndarray:
        """Imputed values beside the observed ones: curves for numbers and times, bars of shares for answers.

        Array of Axes, one for each column. By default values are drawn, since conditional expectations vary less than
        cells do. The curves are kernel density estimates by Silverman's rule, from the smallest value to the largest;
        rows count by their weights. Imputed cells need not be distributed as the observed ones: where gaps depend on
        other columns they should not.
        """
        _needs_matplotlib()
        from emimpute.plots.density import density  # noqa: PLC0415 (matplotlib comes with the first picture)

        return density(self._fit, columns, draws, rng, ax)

    def cells(self, columns: Any = None, *, ax: Any = None) -> np.ndarray:
        """Each missing cell's estimate with its 95 % interval, as ``Fit.cells()`` has them; of answers, probabilities.

        Array of Axes, one for each column. Cells are in the order of their estimates; the shaded band holds the middle
        95 % of the observed cells, which is what one would say of a gap that knew nothing of its row.
        """
        _needs_matplotlib()
        from emimpute.plots.cells import cells  # noqa: PLC0415 (matplotlib comes with the first picture)

        return cells(self._fit, columns, ax)

    def information(self, columns: Any = None, *, ax: Any = None) -> Axes:
        """Fraction of missing information of each column's mean, variance, covariances and cut points.

        From ``Fit.params``; of covariances, correlations and cut points the largest that concerns the column. A column
        of several latent coordinates, as unordered categories have, is there by each of them.
        """
        _needs_matplotlib()
        from emimpute.plots.information import information  # noqa: PLC0415 (matplotlib comes with the first picture)

        return information(self._fit, columns, ax)

    def strip(self, columns: Any = None, *, draws: Any = 0, rng: Any = 0, ax: Any = None) -> np.ndarray:
        """Imputed cells beside observed ones, a dot each; lines are medians. Array of Axes, one for each column."""
        _needs_matplotlib()
        from emimpute.plots.strip import strip  # noqa: PLC0415 (matplotlib comes with the first picture)

        return strip(self._fit, columns, draws, rng, ax)

    def scatter(self, x: Any, y: Any, *, draws: Any = 0, rng: Any = 0, ax: Any = None) -> Axes:
        """Column ``y`` against column ``x``: imputed cells among observed ones.

        Raises ColumnError for a label that the fit lacks, or that several of its columns have.
        """
        _needs_matplotlib()
        from emimpute.plots.strip import scatter  # noqa: PLC0415 (matplotlib comes with the first picture)

        return scatter(self._fit, (x, y), draws, rng, ax)

    def overimpute(self, columns: Any = None, *, of: Overimputation | None = None, ax: Any = None) -> np.ndarray:
        """Observed cells against what the rows of other folds predict of them, with 95 % intervals.

        Array of Axes, one for each column, those first whose intervals hold furthest from 95 %. ``of`` is what
        ``Fit.overimpute()`` gave; without it that is computed, with its defaults.
        """
        _needs_matplotlib()
        from emimpute.plots.overimpute import overimpute  # noqa: PLC0415 (matplotlib comes with the first picture)

        return overimpute(self._fit, self._fit.overimpute() if of is None else of, columns, ax)

    def __repr__(self) -> str:
        return _listed(self, "fit.plot")


@dataclass(frozen=True, eq=False, repr=False)
class FramePlots:
    """Pictures of what is missing in a frame. ``ax`` is as :mod:`emimpute.plots` says; EMImputeError for another one.

    At most 40 columns are shown, those with most gaps; ``columns`` (a label, or a list of them) chooses others, and a
    label that the frame lacks is a ColumnError. A frame without cells is an EMImputeError.
    """

    _df: pd.DataFrame

    def patterns(self, columns: Any = None, *, rows: int = 20, ax: Any = None) -> Axes:
        """The patterns of gaps, the ``rows`` most frequent ones, as :func:`emimpute.patterns` counts them.

        A line for each pattern, crossed where it lacks a column, with the number of its rows; above, each column's
        share of missing cells. Columns without gaps are left out, and patterns that differ in nothing else are one.
        """
        _needs_matplotlib()
        from emimpute.plots.missingness import patterns  # noqa: PLC0415 (matplotlib comes with the first picture)

        return patterns(self._df, columns, rows, ax)

    def coverage(self, columns: Any = None, *, ax: Any = None) -> Axes:
        """Share of rows in which each pair of columns is observed, from :func:`emimpute.coverage`."""
        _needs_matplotlib()
        from emimpute.plots.missingness import coverage  # noqa: PLC0415 (matplotlib comes with the first picture)

        return coverage(self._df, columns, ax)

    def __repr__(self) -> str:
        return _listed(self, "df.em.plot")


def _needs_matplotlib() -> None:
    try:
        import matplotlib as _  # noqa: F401, ICN001, PLC0415 (it may not be there)
    except ImportError as error:
        msg = "Pictures need matplotlib, which is not installed: pip install 'emimpute[plot]'."
        raise EMImputeError(msg) from error


def _listed(door: object, name: str) -> str:
    """What a door offers: it is what a notebook shows for ``fit.plot`` alone."""
    pictures = [word for word in vars(type(door)) if not word.startswith("_")]
    return f"Pictures: {', '.join(f'{name}.{word}()' for word in pictures)}"
