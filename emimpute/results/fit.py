"""A fit: what was learned, and how it went.

It is frozen, and everything else a user asks of it is computed from what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import check
from emimpute.em import Stop
from emimpute.errors import EMImputeError
from emimpute.inference.complete import Law, cells, complete
from emimpute.results import persist, problems, render
from emimpute.results.report import check_ending

if TYPE_CHECKING:
    import os

    from emimpute.inference.diagnostics import Diagnostics
    from emimpute.results.problems import Problem

__all__ = ["Fit"]


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """What :func:`emimpute.fit` learned from a frame of d latent coordinates, and how it went.

    Attributes
    ----------
    nobs
        Rows with something observed (their weight, if they were weighted): the divisor of the covariance.
    loglik
        Observed-data log-likelihood at the estimate, in the data's units, with the 2π constant.
    logpost
        The same plus the log prior density; equal to ``loglik`` without a prior.
    n_iter
        E-steps of the fit, rejected and extrapolated ones too.
    n_check
        E-steps spent on closing checks, not in ``n_iter``.
    stop
        Why the run ended; its value is a sentence.
    prior
        The prior that was used, or None.
    tol
        The distance to the maximum that was asked for.
    """

    law: Law
    nobs: float
    loglik: float
    logpost: float
    n_iter: int
    n_check: int
    stop: Stop
    prior: Any
    tol: float
    history: pd.DataFrame
    findings: tuple[Problem, ...]
    gaps: tuple[int, ...]  # missing cells of each of the law's columns
    rows: int  # of the frame
    data: pd.DataFrame | None = None  # the frame that was fitted, as it was
    weights: np.ndarray | None = None  # (rows,) its case weights, if it had any

    @property
    def mean(self) -> pd.Series[Any]:
        """Means, (d,), on the columns' own scale (times as a number of their unit since 1970)."""
        mean = self.law.params.mean + np.asarray(self.law.table.shift, dtype=float)
        return pd.Series(mean, index=self.law.table.coordinates, name="mean")

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance matrix (d, d), divisor n."""
        labels = self.law.table.coordinates
        return pd.DataFrame(self.law.params.cov.copy(), index=labels, columns=labels)

    @property
    def corr(self) -> pd.DataFrame:
        """Correlation matrix (d, d)."""
        labels = self.law.table.coordinates
        sd = np.sqrt(np.diag(self.law.params.cov))
        corr = self.law.params.cov / sd[:, np.newaxis] / sd
        np.fill_diagonal(corr, 1.0)
        return pd.DataFrame(corr, index=labels, columns=labels)

    @property
    def converged(self) -> bool:
        """Whether the estimate is within ``tol`` of the maximiser, as far as can be told."""
        return self.stop.success

    @property
    def remaining(self) -> float:
        """Estimated distance to the maximiser before the last step, in the unit of ``tol``."""
        return float(self.history["remaining"].iloc[-1])

    @property
    def kinds(self) -> pd.Series[Any]:
        """The kind of each column that took part."""
        names = [coding.kind for coding in self.law.table.codings]
        return pd.Series(names, index=self.law.table.labels, name="kind", dtype=object)

    @property
    def trace(self) -> pd.DataFrame:
        """A row for each iterate: loglik, logpost, step, remaining, rate, esteps, accelerated."""
        return self.history.copy()

    @property
    def problems(self) -> pd.DataFrame:
        """What was found wrong or odd: problem, columns, sentence, remedy.

        ``columns`` holds a tuple of labels; where the problem lies in pairs or sets of columns, a tuple of such tuples.
        """
        return problems.table(self.findings)

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """How EM converged, and which information is missing: rate, worst linear function, fractions by parameter.

        Computed from the data when first asked for, which may take as long as the fit did; ``summary()`` shows it from
        then on. Raises EMImputeError for a fit that was read from a file.
        """
        from emimpute.inference.diagnostics import Ran, diagnose  # noqa: PLC0415 (importing emimpute stays light)

        data = self._own("diagnostics", "Fit the data anew with emimpute.fit.")
        ran = Ran(self.tol, self.n_iter, self.n_check, converged=self.converged or self.stop is Stop.SEVERAL_MAXIMA)
        return diagnose(self.law, data, self.weights, self.prior, ran)

    def impute(self, new: pd.DataFrame | None = None) -> pd.DataFrame:
        """Fill the gaps of ``new`` (default: of the frame that was fitted) by their conditional expectations.

        Columns are matched by label (equal labels by their order); others pass through. A row's answer does not depend
        on the other rows of the call. Raises ColumnError for a column that ``new`` lacks or that holds something else.
        """
        return complete(self.law, self._own("impute()") if new is None else check(new))[0]

    def cells(self) -> pd.DataFrame:
        """A row for each missing cell: row, column, estimate, sd, and the 95 % interval (low, high), not rounded."""
        return cells(self.law, self._own("cells()"))

    def summary(self) -> str:
        """One screen of text: columns, kinds, share missing, how EM went, what was found.

        Lines on ``diagnostics`` are added once these have been computed.
        """
        return render.text(self)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write the summary to ``path``, by its ending: .txt, .html, or .json (the fit itself).

        Raises EMImputeError for another ending.
        """
        writers = {".txt": self.summary, ".html": lambda: render.page(self), ".json": self.to_json}
        Path(path).write_text(writers[check_ending(path)]() + "\n", encoding="utf-8")

    def to_json(self) -> str:
        """What was learned, without any row of the data, for :func:`emimpute.read_json`.

        Raises EMImputeError for column labels or a prior that JSON cannot hold.
        """
        return persist.dump(self)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.html(self)

    def _own(self, what: str, remedy: str = "Use fit.impute(df).") -> pd.DataFrame:
        if self.data is None:
            msg = f"This fit was read from a file, which holds no data: {what} needs the data. {remedy}"
            raise EMImputeError(msg)
        return self.data
