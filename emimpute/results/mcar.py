"""What the tests of the missingness mechanism found: frozen values, and how they print."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.results.sheet import Sheet, labels, number

if TYPE_CHECKING:
    from emimpute.models.priors import Prior

__all__ = ["HomogeneityTest", "MCARTest"]

_ROWS = 8  # of a table that are listed


@dataclass(frozen=True, eq=False, repr=False)
class MCARTest:
    """Little's test that cells are missing completely at random.

    Attributes
    ----------
    statistic, df, pvalue
        d², its degrees of freedom and the χ² tail. Where there is nothing to test (no cell missing, or one column)
        they are 0, 0 and NaN.
    effect_size
        How far the patterns' means lie from those of all rows, beyond what chance gives: sqrt(max(d² - df, 0) / n), a
        root mean square of Mahalanobis distances, in standard deviations. It does not grow with n.
    by_variable
        A row for each column: ``contribution`` to the statistic (they add up to it), ``share``, ``df`` (patterns that
        have the column, less one; they add up too) and ``ratio`` of contribution to df, about 1 where the column is
        missing, and others with it, completely at random.
    by_pattern
        A row for each pattern, the most frequent first: ``rows``, ``missing`` (a tuple of labels), ``observed`` (how
        many columns), ``contribution``, ``share`` and ``distance`` (Mahalanobis, of its mean from that of all rows).
    nobs
        Rows with something observed.
    ddof
        What was taken from n in the divisor of the covariance.
    bootstrap_pvalue, bootstrap
        The share of simulated statistics (and this one) that are not smaller, and these statistics; NaN, and empty,
        unless asked for.
    left_out
        Columns that took no part: a row for each, column and reason.
    prior
        The ridge that had to stand in for maximum likelihood, or None; with one the test is approximate.
    notes
        What to bear in mind, in sentences.
    """

    statistic: float
    df: int
    pvalue: float
    effect_size: float
    by_variable: pd.DataFrame
    by_pattern: pd.DataFrame
    nobs: int
    ddof: int
    left_out: pd.DataFrame
    prior: Prior | None = None
    notes: tuple[str, ...] = ()
    bootstrap_pvalue: float = float("nan")
    bootstrap: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (B,)

    def summary(self) -> str:
        """One screen of text."""
        return self._sheet().text()

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self._sheet().html()

    def _sheet(self) -> Sheet:
        rows, columns = _some(self.nobs, "row"), _some(len(self.by_variable), "column")
        headline = f"Little's MCAR test: {rows}, {columns}, {_some(len(self.by_pattern), 'missingness pattern')}"
        facts = [
            ("Statistic", f"{self.statistic:.4f} on {self.df} degrees of freedom"),
            ("p", number(self.pvalue, 4, p=True)),
        ]
        if len(self.bootstrap):
            drawn = int(np.isfinite(self.bootstrap).sum())
            facts.append(("Bootstrap p", f"{number(self.bootstrap_pvalue, 4)} ({drawn} simulated tables)"))
        if self.df:
            facts.append(("Effect size", f"{self.effect_size:.3f} sd between patterns, beyond chance"))
        tables = [] if not self.df else [_variables(self.by_variable), _patterns(self.by_pattern)]
        return Sheet(headline, facts, tables, [*self.notes, *_said_of(self.left_out)])


def _some(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _variables(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    order = np.argsort(-table["contribution"].to_numpy(), kind="stable")[:_ROWS]
    shown = table.iloc[order]
    title = "Contributions by variable" + (f" (the {_ROWS} largest of {len(table)})" if len(table) > _ROWS else "")
    cells = {
        "column": [labels([label]) for label in shown.index],
        "contribution": [f"{x:.3f}" for x in shown["contribution"]],
        "share": [f"{x:.1%}" for x in shown["share"]],
        "df": [str(x) for x in shown["df"]],
        "ratio": [number(x, 2) if x == x else "" for x in shown["ratio"]],  # noqa: PLR0124 (not NaN)
    }
    return title, pd.DataFrame(cells, dtype=object)


def _patterns(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    order = np.argsort(-table["contribution"].to_numpy(), kind="stable")[:_ROWS]
    shown = table.iloc[order]
    title = "Contributions by pattern" + (f" (the {_ROWS} largest of {len(table)})" if len(table) > _ROWS else "")
    cells = {
        "missing": [labels(missing) if missing else "nothing" for missing in shown["missing"]],
        "rows": [str(x) for x in shown["rows"]],
        "contribution": [f"{x:.3f}" for x in shown["contribution"]],
        "share": [f"{x:.1%}" for x in shown["share"]],
        "distance": [f"{x:.3f}" for x in shown["distance"]],
    }
    return title, pd.DataFrame(cells, dtype=object)


def _said_of(left_out: pd.DataFrame) -> list[str]:
    """The columns that took no part, by reason."""
    groups = [(reason, own["column"].tolist()) for reason, own in left_out.groupby("reason", sort=False)]
    said = "; ".join(f"{labels(columns, 6)} ({reason})" for reason, columns in groups)
    return [f"Left out: {said}."] if said else []


@dataclass(frozen=True, eq=False, repr=False)
class HomogeneityTest:
    """Jamshidian and Jalal's tests that the missingness patterns have one covariance matrix.

    Attributes
    ----------
    pvalue
        Hawkins' test of normality and one covariance matrix: the median over the imputations.
    anderson_pvalue
        The Anderson-Darling test of one distribution in all groups, which does not ask for normality: likewise.
    by_group
        A row for each pattern that was kept: ``rows``, ``missing`` (a tuple of labels), ``pvalue`` (median) of its own
        test of uniformity.
    imputations
        A row for each imputation: ``statistic``, ``pvalue``, ``anderson_statistic`` (standardised),
        ``anderson_pvalue``.
    kept
        The share of rows (with something observed) whose pattern has at least ``smallest`` rows.
    nobs, smallest, left_out, prior, notes
        Rows with something observed, the smallest group that was kept; the others as in :class:`MCARTest`.
    """

    pvalue: float
    anderson_pvalue: float
    by_group: pd.DataFrame
    imputations: pd.DataFrame
    kept: float
    nobs: int
    smallest: int
    left_out: pd.DataFrame
    prior: Prior | None = None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """One screen of text."""
        return self._sheet().text()

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self._sheet().html()

    def _sheet(self) -> Sheet:
        groups = len(self.by_group)
        headline = (
            f"Jamshidian-Jalal tests of one covariance matrix: {_some(groups, 'missingness pattern')} of at least "
            f"{self.smallest} rows, {self.kept:.1%} of {_some(self.nobs, 'row')}"
        )
        facts = [
            ("Hawkins p", f"{number(self.pvalue, 4, p=True)} (normal, and one covariance matrix)"),
            ("Anderson p", f"{number(self.anderson_pvalue, 4, p=True)} (one covariance matrix, normal or not)"),
            ("Imputations", f"{len(self.imputations)}; p-values are medians over them"),
        ]
        return Sheet(
            headline, facts, [_groups(self.by_group)] if groups else [], [*self.notes, *_said_of(self.left_out)]
        )


def _groups(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    order = np.argsort(table["pvalue"].to_numpy(), kind="stable")[:_ROWS]
    shown = table.iloc[order]
    title = "Groups" + (f" (the {_ROWS} of smallest p of {len(table)})" if len(table) > _ROWS else "")
    cells: dict[str, list[Any]] = {
        "missing": [labels(missing) if missing else "nothing" for missing in shown["missing"]],
        "rows": [str(x) for x in shown["rows"]],
        "p": [number(x, 4, p=True) for x in shown["pvalue"]],
    }
    return title, pd.DataFrame(cells, dtype=object)
