"""How well a fit's model predicts cells that it has not seen: frozen values, and how they print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.inference.heldout.overcells import judged
from emimpute.inference.heldout.overimpute import predict
from emimpute.results.sheet import Sheet, labels, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.inference.complete import Law

    _Rng = int | np.random.Generator | None

__all__ = ["Overimputation", "overimputation"]

_COLUMNS = 20  # that are listed


@dataclass(frozen=True, eq=False, repr=False)
class Overimputation:
    """Observed cells, each predicted from the rest of its row by what the rows of the other folds teach.

    Attributes
    ----------
    cells
        A row for each observed cell that was predicted, in the order of the frame's rows, then of its columns: ``row``
        (its label), ``column``, ``observed``, ``estimate``, ``sd``, ``lower``, ``upper`` (95 % interval), ``covered``,
        ``z``, ``probability``, ``correct``, ``fold`` (from 0).

        What is predicted has the form of :meth:`Fit.cells <emimpute.Fit.cells>`: numbers are neither
        rounded nor clipped, and of categories the estimate is the one that would be filled in. Where columns are not
        all numbers, ``observed``, ``estimate``, ``lower`` and ``upper`` are of dtype object, each cell in its own form
        (``sd`` too where some are times).
        ``covered`` (float) is 1 where the interval holds what was observed, else 0. A cell that is an interval itself,
        as an ordered answer, a count or a bracket, is covered by the share of its own predicted probability that lies
        in the 95 % interval of the latent number, so that .95 are covered on average here too; unordered categories
        have NaN. ``z`` is the error in units of the predicted sd, on the scale that is normal in the model (NaN for
        intervals); ``probability`` is what had been predicted for the answer or bracket that was observed (NaN for
        numbers that are known exactly), and ``correct`` (1, 0, NaN) whether of a column's categories the most probable
        one was observed.
    by_column
        A row for each column under its label: ``kind``, ``n`` (cells), ``coverage`` (mean of ``covered``),
        ``calibration``, ``rmse``, ``nrmse``, ``r2``, ``accuracy``, ``accuracy_marginal``, ``log_loss``,
        ``log_loss_marginal``; NaN where one has no meaning. Means are weighted where the fit is.

        ``calibration`` is what errors are beside what was predicted of them, 1 if these agree and above 1 if intervals
        are too narrow: the mean of z² (for an interval its expectation there), or for categories the Brier score over
        the one that the probabilities expect. ``rmse`` is in the column's unit (of times in days),
        ``nrmse`` in sd of the observed cells, ``r2`` what is saved of the squared error that the mean of the other
        folds' cells has. ``accuracy_marginal`` is the share of the
        most frequent category, ``log_loss_marginal`` what the other folds' shares of the categories have.
    k, rows
        Number of folds, and of rows that were dealt.
    tol
        How close each fold's fit came to its maximum, in the unit of :attr:`emimpute.Fit.tol`.
    left_out
        Columns and cells that were not predicted: a row for each ``column`` and ``reason``, and how many ``cells``.
    coverage
        The mean of ``covered`` over the cells of all columns.
    notes
        What to bear in mind, in sentences.
    """

    cells: pd.DataFrame
    by_column: pd.DataFrame
    k: int
    rows: int
    tol: float
    left_out: pd.DataFrame
    coverage: float
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """One screen of text."""
        return self._sheet().text()

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self._sheet().html()

    def _sheet(self) -> Sheet:
        count = f"{len(self.cells)} observed cell{'s' * (len(self.cells) != 1)}"
        headline = (
            f"Overimputation: {count}, each predicted from its row by fits to the other {self.k - 1} of {self.k} folds"
        )
        facts = [
            ("Rows", f"{self.rows}, dealt into {self.k} folds"),
            ("Coverage", f"{number(self.coverage)} of the cells are within their 95 % interval"),
        ]
        answers = self.by_column["accuracy"].notna()
        tables = [
            table
            for title, chosen, shown in (("Numbers", ~answers, _NUMBERS), ("Categories", answers, _CATEGORIES))
            if (table := _table(title, self.by_column[chosen], shown)) is not None
        ]
        gone = [f"{labels([column])} ({cells}: {reason})" for column, reason, cells in _rows_of(self.left_out)]
        more = [f"and {len(gone) - _COLUMNS} more"] if len(gone) > _COLUMNS else []
        said = [f"Cells left out: {', '.join([*gone[:_COLUMNS], *more])}."] if gone else []
        return Sheet(headline, facts, tables, [*self.notes, *said])


_NUMBERS = {"coverage": 3, "calibration": 2, "rmse": None, "nrmse": 3, "r2": 3}  # digits; None: six that count
_CATEGORIES = dict.fromkeys(
    ["coverage", "calibration", "accuracy", "accuracy_marginal", "log_loss", "log_loss_marginal"], 3
) | {"calibration": 2}


def _rows_of(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(table.itertuples(index=False, name=None))


def _table(title: str, columns: pd.DataFrame, shown: Mapping[str, int | None]) -> tuple[str, pd.DataFrame] | None:
    """Some measures of some columns, as words."""
    if columns.empty:
        return None
    some = columns.iloc[:_COLUMNS]
    words: dict[str, list[str]] = {
        "column": [labels([label]) for label in some.index],
        "kind": some["kind"].tolist(),
        "cells": [str(n) for n in some["n"]],
    }
    for name, digits in shown.items():
        words[name.replace("_marginal", " marginal").replace("_", " ")] = [_word(x, digits) for x in some[name]]
    more = f" (the first {_COLUMNS} of {len(columns)}: see by_column)" if len(columns) > _COLUMNS else ""
    return f"{title}{more}", pd.DataFrame(words, dtype=object)


def _word(value: float, digits: int | None) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.6g}" if digits is None else number(value, digits)


def overimputation(
    law: Law, data: pd.DataFrame, weights: np.ndarray | None, prior: Any, *, k: int | None, rng: _Rng, tol: float
) -> Overimputation:
    """What :meth:`Fit.overimpute <emimpute.Fit.overimpute>` gives, for a fitted law and its data."""
    found = predict(law, data, weights, prior, k=k, rng=rng, tol=tol)
    cells, by_column, coverage = judged(law, data, weights, found)
    left_out = pd.DataFrame(
        {
            "column": law.table.labels.take([place for place, _, _ in found.left_out]).to_flat_index(),
            "reason": pd.Series([reason for _, reason, _ in found.left_out], dtype=object),
            "cells": pd.Series([count for _, _, count in found.left_out], dtype=int),
        }
    )
    rows = int((found.fold >= 0).sum())
    return Overimputation(
        cells, by_column, int(found.fold.max()) + 1, rows, float(tol), left_out, coverage, tuple(found.notes)
    )
