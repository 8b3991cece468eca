"""A fit: what was learned, and how it went.

It is frozen, and everything else a user asks of it is computed from what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from emimpute._frames import check
from emimpute.em import Stop
from emimpute.errors import EMImputeError
from emimpute.inference.complete import Law, cells, complete, probabilities
from emimpute.plots import FitPlots
from emimpute.results import persist, problems, render, starts
from emimpute.results.report import write
from emimpute.results.trace import trace

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Literal

    from emimpute.inference.drawing.imputations import Imputations
    from emimpute.inference.drawing.scenarios import Scenarios
    from emimpute.inference.moments.factor import Factors
    from emimpute.inference.moments.regress import Regression
    from emimpute.inference.moments.reliability import Reliability
    from emimpute.inference.standing.diagnostics import Diagnostics
    from emimpute.inference.standing.params import Standing
    from emimpute.inference.standing.ratio import LRTest
    from emimpute.results.overimputation import Overimputation
    from emimpute.results.problems import Problem
    from emimpute.results.starts import Start
    from emimpute.results.trace import Step

    _Rng = int | np.random.Generator | None

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
    engine
        What of the data's structure was used, and how the maximum was climbed.
    group
        Which rows were fitted, under ``by=``; otherwise "".
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
    history: tuple[Step, ...]
    findings: tuple[Problem, ...]
    gaps: tuple[int, ...]  # missing cells of each of the law's columns
    rows: int  # of the frame
    runs: tuple[Start, ...] = ()  # one for each start
    data: pd.DataFrame | None = None  # the frame that was fitted, as it was
    engine: str = ""
    weights: np.ndarray | None = None  # (rows,) its case weights, if it had any
    group: str = ""
    part: np.ndarray | None = None  # under by=, positions of its rows in the whole frame

    @property
    def mean(self) -> pd.Series[Any]:
        """Means, (d,), on the columns' own scale; 0 for a column between cut points, which has a latent scale alone.

        All are numbers, as EM has them: times count their dtype's unit since 1970, as ``astype("int64")`` does;
        ``summary()`` shows them as times.
        """
        mean = self.law.params.mean + np.asarray(self.law.table.shift, dtype=float)
        return pd.Series(mean, index=self.law.table.coordinates, name="mean")

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance matrix (d, d), divisor n; a column between cut points has variance 1 in it."""
        labels = self.law.table.coordinates
        return pd.DataFrame(self.law.params.cov.copy(), index=labels, columns=labels)

    @property
    def corr(self) -> pd.DataFrame:
        """Correlation matrix (d, d); of columns between cut points the latent (polychoric, polyserial) correlations."""
        labels = self.law.table.coordinates
        sd = np.sqrt(np.diag(self.law.params.cov))
        corr = self.law.params.cov / sd[:, np.newaxis] / sd
        np.fill_diagonal(corr, 1.0)
        return pd.DataFrame(corr, index=labels, columns=labels)

    @property
    def cuts(self) -> pd.Series[Any]:
        """Estimated cut points between ordered answers, by column and number (from 1), rising in each column.

        They are in units of the column's latent coordinate, which has mean 0 and variance 1.
        """
        own = [points for coding in self.law.table.codings for points in coding.cuts]
        counts = [len(points) for points in own]
        labels = np.empty(len(own), dtype=object)
        for place, label in enumerate(self.law.table.coordinates):
            labels[place] = label  # one by one: a tuple is one label
        numbers = np.concatenate([np.zeros(0, dtype=int), *(np.arange(count) + 1 for count in counts)])
        index = pd.MultiIndex.from_arrays([np.repeat(labels, counts), numbers], names=["column", "number"])
        return pd.Series(np.concatenate([np.zeros(0), *own]), index=index, name="cut")

    @property
    def converged(self) -> bool:
        """Whether the estimate is within ``tol`` of the maximiser, as far as can be told."""
        return self.stop.success

    @property
    def remaining(self) -> float:
        """Estimated distance to the maximiser before the last step, in the unit of ``tol``."""
        return self.history[-1].remaining

    @property
    def kinds(self) -> pd.Series[Any]:
        """The kind of each column that took part."""
        names = [coding.kind for coding in self.law.table.codings]
        return pd.Series(names, index=self.law.table.labels, name="kind", dtype=object)

    @property
    def trace(self) -> pd.DataFrame:
        """A row for each iterate: loglik, logpost, step, remaining, rate, esteps, accelerated."""
        return trace(self.history)

    @property
    def starts(self) -> pd.DataFrame:
        """A row for each start (0 is the usual one): loglik, logpost, stop, n_iter, distance, kept.

        ``distance`` is from the estimate that was kept, in the unit of ``tol``: far below 1 where starts agreed.
        """
        return starts.table(self.runs)

    @property
    def problems(self) -> pd.DataFrame:
        """What was found wrong or odd: problem, columns, sentence, remedy.

        ``columns`` holds a tuple of labels; where the problem lies in pairs or sets of columns, a tuple of such tuples.
        """
        return problems.table(self.findings)

    @property
    def plot(self) -> FitPlots:
        """Pictures: ``plot.trace()``, ``density()``, ``cells()`` and others, each on Axes of yours or new ones."""
        return FitPlots(self)

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """How EM converged, and which information is missing: rate, worst linear function, fractions by parameter.

        Computed from the data when first asked for, which may take as long as the fit did; ``summary()`` shows it from
        then on. Raises EMImputeError for a fit that was read from a file.
        """
        from emimpute.inference.standing.diagnostics import Ran, diagnose  # noqa: PLC0415 (importing emimpute stays light)

        data = self._own("diagnostics", "Fit the data anew with emimpute.fit.")
        ran = Ran(self.tol, self.n_iter, self.n_check, converged=self.converged or self.stop is Stop.SEVERAL_MAXIMA)
        return diagnose(self.law, data, self.weights, self.prior, ran)

    @property
    def params(self) -> pd.DataFrame:
        """Estimate, standard error (se), 95 % interval (ci_low, ci_high) and fraction of missing information (fmi).

        A row for each mean ``("mean", x, "")``, covariance ``("cov", x, y)`` (lower triangle column by column) and
        correlation ``("corr", x, y)``, and for the k-th cut point of an ordered column ``("cut", x, k)``. Errors are
        by the observed information; by the sandwich if cells are intervals. Intervals are normal, on the log scale for
        variances, by Fisher's z for correlations. What the data do not determine is NaN; ``attrs["notes"]`` has what
        is to be said. Raises EMImputeError for a fit that was read from a file.
        """
        return self._standing.table()

    def standard_errors(self, cov_type: str | None = None) -> pd.Series[Any]:
        """Standard errors of everything that ``params`` lists.

        ``cov_type`` is ``"observed"`` (the default) or ``"expected"`` information, valid under MCAR only, or
        ``"sandwich"``, which does not need the columns to be normal and is the default if cells are intervals.
        """
        return self._standing.standard_errors(cov_type)

    def cov_params(self, cov_type: str | None = None) -> pd.DataFrame:
        """Covariance matrix of the estimates that ``params`` lists; ``cov_type`` as in :meth:`standard_errors`."""
        return self._standing.cov_params(cov_type)

    def derived(
        self,
        function: Callable[[pd.Series[Any], pd.DataFrame], Any],
        *,
        cov_type: str | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Any function of the parameters: estimate, se, interval and fmi, by the delta method.

        ``function(mean, cov)`` is given ``mean`` and ``cov`` as this fit has them, and returns a number, or several (a
        Series or a dict names them). It is called beside the estimate too, so it should be smooth there. Intervals are
        normal ones at ``level``; ``cov_type`` as in :meth:`standard_errors`. Raises EMImputeError for values that are
        no finite numbers.
        """
        return self._standing.derived(function, cov_type, level)

    def scores(self) -> pd.DataFrame:
        """Gradient of each row's log-likelihood, times its weight, in the parameters that are estimated.

        (n, P): means, covariances (each once), cut points. Without a prior the columns add to nothing at the estimate.
        """
        return self._standing.scores()

    def information(self, cov_type: str = "observed") -> pd.DataFrame:
        """Information matrix (P, P) in the data's units, of the parameters that :meth:`scores` lists.

        ``"observed"`` is minus the second derivative of the log-likelihood (under a prior: of the log posterior),
        ``"expected"`` its expectation given the patterns of gaps, ``"complete"`` what there would be without gaps.
        """
        return self._standing.information(cov_type)

    def lr_test(self, restricted: Any, df: float | None = None) -> LRTest:
        """Likelihood-ratio test of what is nested in this fit: see :func:`emimpute.lr_test`."""
        from emimpute.inference.standing.ratio import lr_test  # noqa: PLC0415 (importing emimpute stays light)

        return lr_test(self, restricted, df)

    def regress(self, formula: str, *, cov_type: str | None = None) -> Regression:
        """Linear regression ``"y ~ x1 + x2"`` by maximum likelihood from incomplete rows (FIML), nothing imputed.

        Main effects of columns of this fit that are numbers as they are; all its other columns are auxiliary variables.
        ``cov_type``: "observed" (the default), "expected", or "sandwich", the default of weighted fits. Intervals are
        by t, df = (n - k)(1 - fmi). Raises EMImputeError for other terms, saying what to do, and ColumnError for
        columns that are not there.
        """
        from emimpute.inference.moments.regress import regress  # noqa: PLC0415 (importing emimpute stays light)

        return regress(self.law, self._standing, formula, cov_type=cov_type)

    def alpha(
        self,
        items: Iterable[Any] | None = None,
        reverse: Iterable[Any] = (),
        *,
        standardized: bool = False,
        cov_type: str | None = None,
    ) -> Reliability:
        """Cronbach's alpha of ``items`` (default: all columns), those in ``reverse`` turned, with its standard error.

        Its ``items`` have each one's correlation with the sum of the others, and alpha without it. ``standardized``: of
        the correlations. Ordered answers come by latent correlations: ordinal alpha. ``cov_type`` as in
        :meth:`regress`.
        """
        from emimpute.inference.moments.reliability import alpha  # noqa: PLC0415 (importing emimpute stays light)

        return alpha(
            self.law, self._standing, items=items, reverse=reverse, standardized=standardized, cov_type=cov_type
        )

    def omega(
        self,
        items: Iterable[Any] | None = None,
        reverse: Iterable[Any] = (),
        *,
        standardized: bool = False,
        cov_type: str | None = None,
    ) -> Reliability:
        """McDonald's omega of ``items``, by one factor and maximum likelihood; arguments as in :meth:`alpha`."""
        from emimpute.inference.moments.reliability import omega  # noqa: PLC0415 (importing emimpute stays light)

        return omega(
            self.law, self._standing, items=items, reverse=reverse, standardized=standardized, cov_type=cov_type
        )

    def scales(
        self,
        scales: Mapping[Any, Iterable[Any]],
        kind: Literal["mean", "sum"] = "mean",
        *,
        new: pd.DataFrame | None = None,
        ranges: Mapping[Any, tuple[float, float]] | tuple[float, float] | None = None,
    ) -> pd.DataFrame:
        """A score per person and scale, its conditional sd, and person-mean scoring beside it, under the data's index.

        ``scales`` is such as ``{"agree": ["-A1", "A2"]}``, "-A1" for A1 reversed: taken from lowest + highest answer,
        as observed or as ``ranges`` has it, (1, 6) for all or by label. ``new``: rows to score, default those fitted.
        """
        from emimpute.inference.moments.scales import scales as scored  # noqa: PLC0415 (importing emimpute stays light)

        return scored(self.law, self.data, scales, new=None if new is None else check(new), kind=kind, ranges=ranges)

    def factor(
        self,
        n: int,
        items: Iterable[Any] | None = None,
        *,
        rotation: str | None = "varimax",
        cov_type: str | None = None,
        bootstrap: int = 0,
        rng: _Rng = None,
    ) -> Factors:
        """``n`` factors of the correlations of ``items`` by maximum likelihood, rotated, with standard errors.

        ``rotation``: "varimax", "quartimax" or None. The result has the effective number of rows, a test of fit, and
        the ``FactorResults`` of statsmodels. ``cov_type`` as in :meth:`regress`. ``bootstrap``: how many samples of the
        rows to take, seeded by ``rng``, for standard errors and percentile intervals; 0: by the delta method.
        """
        from emimpute.inference.moments.factor import factor  # noqa: PLC0415 (importing emimpute stays light)
        from emimpute.inference.moments.replicates import Rows  # noqa: PLC0415 (likewise)

        standing = self._standing
        rows = Rows(self._own("factor()"), self.weights, self.prior)
        options: Any = {"rotation": rotation, "cov_type": cov_type, "bootstrap": bootstrap, "rng": rng, "rows": rows}
        return factor(self.law, standing, n, items=items, **options)

    @cached_property
    def _standing(self) -> Standing:
        from emimpute.inference.standing.params import stand  # noqa: PLC0415 (importing emimpute stays light)

        data = self._own("standard errors", "Fit the data anew with emimpute.fit.")
        sure = self.converged or self.stop in {Stop.SEVERAL_MAXIMA, Stop.FLAT}
        return stand(self.law, data, self.weights, self.prior, converged=sure)

    def impute(self, new: pd.DataFrame | None = None) -> pd.DataFrame:
        """Fill the gaps of ``new`` (default: of the frame that was fitted) by their conditional expectations.

        Columns are matched by label (equal labels by their order); others pass through. A row's answer does not depend
        on the other rows of the call. Raises ColumnError for a column that ``new`` lacks or that holds something else.
        """
        return complete(self.law, self._own("impute()") if new is None else check(new))[0]

    @overload
    def draw(
        self, m: int = ..., *, method: str = ..., delta: Mapping[Any, float] | None = ..., rng: _Rng = ...
    ) -> Imputations: ...
    @overload
    def draw(
        self, m: int = ..., *, method: str = ..., delta: Mapping[Any, Sequence[float]], rng: _Rng = ...
    ) -> Scenarios: ...
    @overload
    def draw(
        self, m: int = ..., *, method: str = ..., delta: Mapping[Any, float | Sequence[float]], rng: _Rng = ...
    ) -> Imputations | Scenarios: ...
    def draw(
        self,
        m: int = 20,
        *,
        method: str = "bootstrap",
        delta: Mapping[Any, float]
        | Mapping[Any, Sequence[float]]
        | Mapping[Any, float | Sequence[float]]
        | None = None,
        rng: _Rng = None,
    ) -> Imputations | Scenarios:
        """Draw m imputations of the frame that was fitted: see :func:`emimpute.draw`."""
        from emimpute.inference.drawing.draw import Fitted, draw  # noqa: PLC0415 (importing emimpute stays light)

        data = self._own("draw()", "Fit the data anew with emimpute.fit.")
        flat = self.stop is Stop.FLAT
        fitted = Fitted(self.law, data, self.weights, self.prior, flat, lambda: self.diagnostics)
        return draw(fitted, m, method, rng, delta)

    def overimpute(self, k: int | None = None, *, rng: _Rng = None, tol: float = 1e-4) -> Overimputation:
        """Predict each observed cell from the rest of its row, by fits that have not seen the row.

        The rows are dealt into ``k`` folds, and each fold is predicted by a fit to the others, under the prior of this
        fit: so intervals are covered as those of new rows would be. (By the fit itself, which has seen each cell, they
        seem right however wrong they are.) By default there are 10 folds, and 30 below 100 rows, where each one counts;
        ``k`` equal to the number of rows holds out each by itself. ``rng``: None deals the rows in an order of their
        own, whatever order they came in; an int or a Generator deals at random. ``tol`` bounds each fold's distance to
        its maximum, in the unit of the fit's own ``tol``. Raises EMImputeError for fits that were read from a file, a
        ``k`` that the rows do not allow, or if no fold can be fitted.
        """
        from emimpute.results.overimputation import overimputation  # noqa: PLC0415 (importing emimpute stays light)

        data = self._own("overimpute()", "Fit the data anew with emimpute.fit.")
        return overimputation(self.law, data, self.weights, self.prior, k=k, rng=rng, tol=tol)

    def cells(self) -> pd.DataFrame:
        """A row for each missing cell: row, column, estimate, sd, and the 95 % interval (low, high), not rounded.

        For a column of categories the estimate is the one that is filled in, and ``probabilities`` (which is there only
        if the fit has such a column) a dict of each category's; for cells of other columns it is None. What has no
        meaning for a kind, as the sd of answers without an order, is NaN.
        """
        return cells(self.law, self._own("cells()"))

    def probabilities(self, column: Any, new: pd.DataFrame | None = None) -> pd.DataFrame:
        """The probability of each category of ``column`` where it has a gap, given all else that its row says.

        A row for each row of ``new`` (default: of the frame that was fitted) in which the column is missing, under its
        own label; a column for each category, in their order. Raises ColumnError for a column that the fit lacks, or
        that has no categories.
        """
        return probabilities(self.law, self._own("probabilities()", _NEW) if new is None else check(new), column)

    def summary(self) -> str:
        """One screen of text: columns, kinds, share missing, how EM went, what was found.

        Lines on ``diagnostics`` are added once these have been computed.
        """
        return render.text(self)

    def report(
        self, path: str | os.PathLike[str], *, done: pd.DataFrame | None = None, title: str | None = None
    ) -> None:
        """Write a report to ``path``, by its ending: .html, .txt (the summary), or .json (the fit itself).

        The .html is one page that asks for nothing outside: what was missing (patterns, coverage, an MCAR test), what
        was done, how EM went (with ``diagnostics``), what was filled, and :meth:`methods`. What would take long is left
        out, and the page says so. ``title`` stands above it. ``done`` is the completed frame whose cells it shows,
        where they are others than ``impute()`` gives. Raises EMImputeError for another ending, or for a ``done`` that
        is not the fitted frame completed.
        """
        write(self, path, done=done, how="expected" if done is None else "given", title=title or "")

    def methods(self) -> str:
        """A paragraph that says what was done, in words for a paper, and the references it cites.

        It is made from this fit: its columns' kinds, its prior and why there is one, its engine, how the run ended.
        """
        from emimpute.results.methods import methods  # noqa: PLC0415 (importing emimpute stays light)

        return str(methods(self))

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
            source = "it was read from a file, or belongs to an EMImputer"
            msg = f"This fit holds no data ({source}): {what} needs the data. {remedy}"
            raise EMImputeError(msg)
        return self.data


_NEW = "Give them as new=."
