"""The results of an analysis, done to each of several imputations, as one: Rubin's rules, and what they say besides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError, named, unknown
from emimpute.inference.pooling.rubin import (
    COLUMNS,
    between,
    jackknife,
    likelihood_ratio,
    rules,
    suffices,
    wald,
    wald_of_statistics,
)

__all__ = ["JointTest", "Pooled", "pool", "pooled"]

_UNSURE = ["statistic", "df2", "p", "riv"]  # of a joint test, which vary with the imputations


@dataclass(frozen=True)
class JointTest:
    """A test of several coefficients at once.

    Attributes
    ----------
    method
        ``"D1"``, ``"D2"``, ``"D3"`` or ``"D4"``.
    statistic, df1, df2, p
        The F statistic, its degrees of freedom, and the p-value.
    riv
        Average relative increase in variance due to the missing cells.
    """

    method: str
    statistic: float
    df1: int
    df2: float
    p: float
    riv: float
    _asked: _Asked | None = field(default=None, repr=False, compare=False)

    @cached_property
    def mc_error(self) -> pd.Series[Any]:
        """The Monte-Carlo error of ``statistic``, ``df2``, ``p`` and ``riv``: sd from one set of m to another.

        By the jackknife over the imputations, when it is first asked for: D3 and D4 look at the models anew for each
        one that is left out. NaN with only two imputations, or where the test has no value without one of them.
        """
        if self._asked is None or self._asked.pooled.m < 3:
            return pd.Series(np.nan, index=_UNSURE, name="mc_error")
        each = [self._asked.without(number) for number in range(self._asked.pooled.m)]
        return pd.Series(jackknife(np.array(each)), index=_UNSURE, name="mc_error")

    def __str__(self) -> str:
        return (
            f"{self.method}: F({self.df1}, {self.df2:.1f}) = {self.statistic:.4g}, p = {self.p:.4g}; "
            f"relative increase in variance {self.riv:.3f}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Pooled:
    """Estimates of k terms from m imputations, pooled. It prints as a table.

    Attributes
    ----------
    terms
        Their names, (k,).
    estimates, covariances
        What went in: (m, k) and (m, k, k).
    dfcom
        Degrees of freedom that the analysis of complete data would have; infinite where nobody said.
    results
        The m results of statsmodels that were pooled, with their data, or nothing. D3 and D4 ask them;
        ``dataclasses.replace(pooled, results=())`` lets them go.
    """

    terms: pd.Index[Any]
    estimates: np.ndarray
    covariances: np.ndarray
    dfcom: float
    results: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def m(self) -> int:
        """How many imputations there were."""
        return len(self.estimates)

    @cached_property
    def _table(self) -> np.ndarray:
        return rules(self.estimates, self._variances, self.dfcom)

    @property
    def _variances(self) -> np.ndarray:
        return np.asarray(np.diagonal(self.covariances, axis1=1, axis2=2))

    @property
    def params(self) -> pd.DataFrame:
        """A row for each term.

        ``estimate``, ``se``; ``t``, ``df`` (Barnard & Rubin) and ``p`` of the test that it is 0; the 95 % interval
        ``ci_low`` to ``ci_high``; ``riv``, the relative increase in variance that the missing cells cause; ``lambda``,
        the share of the variance that they cause; ``fmi``, the fraction of missing information, which is that and what
        the few degrees of freedom cost besides; and the ``efficiency`` relative to infinitely many imputations.
        """
        return pd.DataFrame(self._table, index=self.terms, columns=COLUMNS)

    @cached_property
    def mc_error(self) -> pd.DataFrame:
        """The Monte-Carlo error of each number of ``params``: by how much it varies, sd, from one set of m to another.

        By the jackknife over the imputations; NaN with only two of them. A p-value far below .001 varies by its own
        size and more, and skewly: there the error of ``t`` tells more.
        """
        m = self.m
        if m < 3:
            return pd.DataFrame(np.nan, index=self.terms, columns=COLUMNS)
        others = [np.arange(m) != left_out for left_out in range(m)]
        each = [rules(self.estimates[o], self._variances[o], self.dfcom) for o in others]
        return pd.DataFrame(jackknife(np.array(each)), index=self.terms, columns=COLUMNS)

    @property
    def within(self) -> pd.DataFrame:
        """Covariance matrix (k, k) within imputations, on average."""
        return self._square(self.covariances.mean(axis=0))

    @property
    def between(self) -> pd.DataFrame:
        """Covariance matrix (k, k) of the estimates between imputations."""
        return self._square(between(self.estimates))

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance matrix (k, k) of the pooled estimates: within + (1 + 1/m) between."""
        return self.within + (1 + 1 / self.m) * self.between

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of level 1 - alpha: columns ``low`` and ``high``."""
        if isinstance(alpha, bool) or not isinstance(alpha, Real) or not 0 < alpha < 1:
            raise EMImputeError(f"alpha= lies between 0 and 1, as .05 does, and this one is {alpha!r}.")
        table = rules(self.estimates, self._variances, self.dfcom, 1 - float(alpha))
        return pd.DataFrame(table[:, 5:7], index=self.terms, columns=["low", "high"])

    def suffices(self, cv: float = 0.05) -> pd.Series[Any]:
        """How many imputations suffice, for each term, that its standard error would vary by ``cv`` (5 %) or less.

        By von Hippel's quadratic rule (2020, https://doi.org/10.1177/0049124117747303), for the upper end of a 95 %
        interval of the fraction of missing information.
        """
        if isinstance(cv, bool) or not isinstance(cv, Real) or not cv > 0:
            raise EMImputeError(f"cv= is a share above 0, as .05 is, and this one is {cv!r}.")
        fmi = self._table[:, COLUMNS.index("fmi")]
        return pd.Series(suffices(fmi, self.m, float(cv)), index=self.terms, name="suffices").astype(int)

    def test(
        self,
        terms: Any = None,
        *,
        value: float | Sequence[float] = 0.0,
        method: str = "D1",
        statistics: Any = None,
        restricted: Any = None,
    ) -> JointTest:
        """Test that several coefficients have given values.

        Parameters
        ----------
        terms
            Their names; or a matrix (q, k) of linear combinations. Default: all but the intercept.
        value
            What they, or the combinations, are under the hypothesis; 0 for D3 and D4.
        method
            ``"D1"``: by the pooled estimates and covariances (Li, Raghunathan & Rubin 1991), with Reiter's (2007)
            degrees of freedom where ``dfcom`` is finite. ``"D2"``: by a χ² statistic from each imputation (Li, Meng,
            Raghunathan & Rubin 1991), which is less efficient. ``"D3"``: by likelihood ratios at the mean parameters
            (Meng & Rubin 1992): all of them, the residual variance too, as R's mitml has it (mice has not). ``"D4"``:
            by the likelihood ratio of all imputations stacked (Chan & Meng 2022).
        statistics
            For D2, the m statistics themselves, likelihood ratios perhaps; by default they are Wald's.
        restricted
            For D3 and D4, the restricted model, pooled from the same imputations, instead of ``terms``.

        Raises
        ------
        EMImputeError
            For names that there are not, and for hypotheses that are redundant; for D3 and D4 where the models' results
            were not pooled, have no likelihood at given parameters, or are not nested.
        """
        if method not in {"D1", "D2", "D3", "D4"}:
            raise EMImputeError(unknown("test", method, ["D1", "D2", "D3", "D4"]))
        if statistics is not None and method != "D2":
            raise EMImputeError(f"statistics= belongs to D2, and this is {method}.")
        if restricted is not None and method in {"D1", "D2"}:
            raise EMImputeError(f"restricted= belongs to D3 and D4; {method} takes the names of the terms.")
        if method in {"D3", "D4"}:
            others = self._others(terms, value, restricted, method)
            return _Asked(self, method, others=tuple(others)).answer()
        return _Asked(self, method, self._combinations(terms), value, statistics).answer()

    def _by_estimates(
        self, terms: Any, value: float | Sequence[float], statistics: Any, method: str
    ) -> tuple[float, float, float, int]:
        """F, its denominator's df, riv, and its numerator's df: D1 and D2."""
        combine = self._combinations(terms)
        q = len(combine)
        distance = self.estimates @ combine.T - self._under_hypothesis(value, q)
        covariances = combine @ self.covariances @ combine.T
        still = np.diagonal(covariances.mean(axis=0)) == 0
        if still.any():
            msg = f"Hypothesis number {int(np.argmax(still)) + 1} is of something without variance in any imputation"
            raise EMImputeError(f"{msg}, so there is nothing to test it by.")
        if np.linalg.matrix_rank(combine) < q or np.linalg.matrix_rank(covariances.mean(axis=0)) < q:
            raise EMImputeError("Some of these hypotheses follow from the others: leave them out.")
        if method == "D1":
            return (*wald(distance, covariances, self.dfcom), q)
        if statistics is None:
            singular = np.linalg.matrix_rank(covariances) < q
            if singular.any():
                msg = (
                    f"In imputation {int(np.argmax(singular)) + 1} these coefficients have a singular covariance matrix"
                )
                raise EMImputeError(f"{msg}, so they have no Wald statistic: take D1, or give statistics=.")
            statistics = [float(d @ np.linalg.solve(c, d)) for d, c in zip(distance, covariances, strict=True)]
        given = np.asarray(statistics, dtype=float)
        if given.shape != (self.m,) or not (np.isfinite(given) & (given >= 0)).all():
            raise EMImputeError(f"statistics= holds {self.m} finite numbers not below 0, one for each imputation.")
        return (*wald_of_statistics(given, q), q)

    def _others(self, terms: Any, value: float | Sequence[float], restricted: Any, name: str) -> Sequence[Any]:
        """The results of the restricted model in each imputation, for D3 and D4."""
        from emimpute.inference.pooling import likelihood  # noqa: PLC0415 (importing emimpute stays light)

        if restricted is None:
            combine = self._combinations(terms)
            chosen = [self.terms[int(np.argmax(row))] for row in combine]
            unit = (np.sort(np.abs(combine), axis=1)[:, :-1] == 0).all() and (combine.max(axis=1) == 1).all()
            if not unit or len(set(chosen)) < len(chosen) or np.any(np.asarray(value) != 0):
                msg = f"{name} tests that some terms, each once, are 0: for another hypothesis fit its model too"
                raise EMImputeError(f"{msg}, pool it, and give it as restricted=.")
            return likelihood.without(self._own_results(name), chosen)
        if not isinstance(restricted, Pooled) or restricted.m != self.m or terms is not None:
            msg = f"restricted= is a Pooled of the same {self.m} imputations, in the place of names of terms."
            raise EMImputeError(msg)
        return restricted._own_results(name)  # noqa: SLF001 (of its own class)

    def _by_likelihood(self, others: Sequence[Any], name: str) -> tuple[float, float, float, int]:
        """The same as :meth:`_by_estimates` for D3 and D4, beside the results of the restricted model."""
        from emimpute.inference.pooling import likelihood  # noqa: PLC0415 (importing emimpute stays light)

        stacked = name == "D4"
        ratios = likelihood.ratios_stacked if stacked else likelihood.ratios_at_means
        own, together, k = ratios(self._own_results(name), others)
        return (*likelihood_ratio(own, together, k, self.m, stacked=stacked), k)

    def _own_results(self, name: str) -> tuple[Any, ...]:
        if not self.results:
            raise EMImputeError(
                f"{name} asks the models for likelihoods, and here are only estimates and covariances: pool results of "
                f"statsmodels, or take D1."
            )
        return self.results

    @staticmethod
    def _under_hypothesis(value: Any, q: int) -> np.ndarray:
        given = np.asarray(value, dtype=float)
        if given.shape not in {(), (q,)} or not np.isfinite(given).all():
            raise EMImputeError(f"value= is one number, or {q} of them, one for each hypothesis, and not {value!r}.")
        return np.broadcast_to(given, (q,))

    def _combinations(self, terms: Any) -> np.ndarray:
        known = self.terms.tolist()
        if terms is None:
            terms = [name for name in known if _last(name) not in {"Intercept", "const", "(Intercept)"}]
        elif isinstance(terms, str | tuple) or not isinstance(terms, Iterable):
            terms = list(terms) if isinstance(terms, tuple) and terms not in known else [terms]
        if isinstance(terms, np.ndarray | pd.DataFrame) and np.ndim(terms) == 2:
            matrix = np.asarray(terms, dtype=float)
            if matrix.shape[1] != len(known) or not np.isfinite(matrix).all():
                msg = f"A matrix of hypotheses has a column of numbers for each of the {len(known)} terms"
                raise EMImputeError(f"{msg}, and this one has the shape {matrix.shape}.")
            return matrix
        rows = []
        for name in terms:
            if name not in known:
                raise EMImputeError(unknown("term", name, known))
            rows.append(np.eye(len(known))[known.index(name)])
        if not rows:
            raise EMImputeError(f"There is nothing to test: name some of {named(known)}.")
        return np.array(rows)

    def summary(self) -> str:
        """The table as text, and what stands behind it."""
        shown = self.params.drop(columns=["riv", "lambda", "efficiency"])
        return f"{shown.to_string(float_format=_short)}\n{self._said()}"

    def _said(self) -> str:
        enough = int(self.suffices().max())
        df = "infinite" if math.isinf(self.dfcom) else f"{self.dfcom:g}"
        verdict = "enough" if enough <= self.m else f"{enough} would make"
        end = (
            " for standard errors to vary by 5 % at most"
            if enough <= self.m
            else " standard errors vary by 5 % at most"
        )
        return f"{self.m} imputations, {verdict}{end}; complete-data degrees of freedom {df}."

    def _square(self, matrix: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(matrix, index=self.terms, columns=self.terms)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<div>{self.params.to_html(float_format=_short)}<p>{escape(self._said())}</p></div>"


@dataclass(frozen=True, eq=False, repr=False)
class _Asked:
    """A joint test as it was asked for, so that it can be asked again of fewer imputations."""

    pooled: Pooled
    method: str
    terms: Any = None
    value: Any = 0.0
    statistics: Any = None
    others: tuple[Any, ...] = ()  # results of the restricted model, for D3 and D4

    def answer(self) -> JointTest:
        """The test."""
        from scipy.stats import chi2, f  # noqa: PLC0415 (importing emimpute stays light)

        if self.method in {"D3", "D4"}:
            found = self.pooled._by_likelihood(self.others, self.method)  # noqa: SLF001 (a part of it)
        else:
            found = self.pooled._by_estimates(self.terms, self.value, self.statistics, self.method)  # noqa: SLF001
        statistic, df2, riv, q = found
        p = f.sf(statistic, q, df2) if math.isfinite(df2) else chi2.sf(q * statistic, q)
        return JointTest(self.method, statistic, q, df2, 1.0 if statistic <= 0 else float(p), riv, self)

    def without(self, number: int) -> list[float]:
        """What it would say without one imputation, of what is listed in ``_UNSURE``; NaN if it has no value then."""
        keep = [i for i in range(self.pooled.m) if i != number]
        pooled = replace(
            self.pooled,
            estimates=self.pooled.estimates[keep],
            covariances=self.pooled.covariances[keep],
            results=tuple(self.pooled.results[i] for i in keep if self.pooled.results),
        )
        statistics = None if self.statistics is None else np.asarray(self.statistics)[keep]
        others = tuple(self.others[i] for i in keep if self.others)
        try:
            found = replace(self, pooled=pooled, statistics=statistics, others=others).answer()
        except EMImputeError:
            return [math.nan] * len(_UNSURE)
        return [getattr(found, name) for name in _UNSURE]


def _last(name: Any) -> Any:
    """The term itself, without its equation."""
    return name[-1] if isinstance(name, tuple) and name else name


def _short(number: float) -> str:
    return f"{number:.4g}"


def pool(results: Any, *, dfcom: float | None = None) -> Pooled:
    """Pool the results of the same analysis, done to several imputations, by Rubin's rules.

    Parameters
    ----------
    results
        A list with one entry for each imputation: results of a statsmodels model, or (estimates, covariance matrix); or
        a tuple (estimates (m, k), covariances (m, k, k)). Single numbers stand for k = 1, with a variance.
    dfcom
        Degrees of freedom that the analysis of complete data would have. Default: what the results say in ``df_resid``
        (the least), else infinitely many.

    Returns
    -------
    Pooled
        Estimates with standard errors, degrees of freedom, intervals, and fractions of missing information.

    Raises
    ------
    EMImputeError
        For fewer than two imputations, for terms that differ between them, and for estimates or variances that are no
        numbers.

    Examples
    --------
    >>> import emimpute
    >>> emimpute.pool(([1.2, 1.5, 0.9, 1.1, 1.4], [0.04, 0.05, 0.045, 0.05, 0.04])).params["se"].round(4).tolist()
    [0.3367]
    """
    if isinstance(results, tuple):
        results = _split(results)
    if isinstance(results, str) or not isinstance(results, Iterable):
        what = type(results).__name__
        raise EMImputeError(f"pool() takes a list with one entry for each imputation, and this is of type {what}.")
    return pooled(list(results), dfcom)


def _split(arrays: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """(estimates, covariances) as a list of pairs."""
    if len(arrays) != 2 or np.ndim(arrays[0]) == 0 or len(arrays[0]) != len(arrays[1]):
        msg = (
            "A tuple is (estimates, covariances), of the same length m; give a list for one entry for each imputation."
        )
        raise EMImputeError(msg)
    estimates, covariances = arrays
    if isinstance(estimates, pd.DataFrame):
        estimates = [row for _, row in estimates.iterrows()]
    return list(zip(estimates, covariances, strict=True))


def pooled(results: Sequence[Any], dfcom: float | None) -> Pooled:
    """The results of m imputations as one; see :func:`pool`."""
    if len(results) < 2:
        msg = (
            f"Pooling needs at least 2 imputations, for it is their difference that tells what the gaps cost, and here "
            f"{'is 1' if results else 'are none'}: draw more with m=."
        )
        raise EMImputeError(msg)
    read = [_read(result, number) for number, result in enumerate(results, start=1)]
    terms = read[0][0]
    for number, (other, _, _, _) in enumerate(read, start=1):
        if not other.equals(terms):
            lacking, more = terms.difference(other, sort=False), other.difference(terms, sort=False)
            said = " and ".join(
                [f"lacks {named(lacking)}"] * bool(len(lacking)) + [f"has {named(more)} besides"] * bool(len(more))
            )
            msg = (
                f"The terms differ between imputations: number {number} {said or 'has another order'}, "
                f"compared with number 1. A category that one imputation lacks does this: make the column categorical."
            )
            raise EMImputeError(msg)
    if dfcom is None:
        dfcom = min(df for _, _, _, df in read)
    if isinstance(dfcom, bool) or not isinstance(dfcom, Real) or not float(dfcom) > 0:
        raise EMImputeError(f"dfcom= is a number above 0, or infinite, and this one is {dfcom!r}.")
    kept = tuple(results) if all(hasattr(result, "model") for result in results) else ()
    estimates, covariances = np.array([e for _, e, _, _ in read]), np.array([c for _, _, c, _ in read])
    return Pooled(terms, estimates, covariances, float(dfcom), kept)


def _read(result: Any, number: int) -> tuple[pd.Index[Any], np.ndarray, np.ndarray, float]:
    """Terms, estimates (k,), covariance matrix (k, k) and residual df of one result."""
    df = math.inf
    if hasattr(result, "params") and callable(getattr(result, "cov_params", None)):
        estimate, covariance = _in_one(result.params, result), result.cov_params()
        names = getattr(getattr(result, "model", None), "exog_names", None)
        if not isinstance(estimate, pd.Series) and names is not None and len(names) == np.size(estimate):
            estimate = pd.Series(np.asarray(estimate), index=list(names))
        said = getattr(result, "df_resid", None)
        df = float(said) if isinstance(said, Real) and float(said) > 0 else math.inf
    elif isinstance(result, tuple | list) and len(result) == 2:
        estimate, covariance = result
    else:
        msg = (
            f"For imputation {number} there is a {type(result).__name__}, and statsmodels results or a pair "
            f"(estimates, covariance matrix) are needed."
        )
        raise EMImputeError(msg)
    try:
        values, square = np.atleast_1d(np.asarray(estimate, dtype=float)), np.asarray(covariance, dtype=float)
    except (TypeError, ValueError):
        raise EMImputeError(f"In imputation {number} the estimates or covariances are no numbers.") from None
    if square.ndim == 0 or (square.shape == (1,) and len(values) == 1):
        square = square.reshape(1, 1)
    k = len(values)
    if values.ndim != 1 or square.shape != (k, k):
        msg = (
            f"In imputation {number} the estimates have the shape {np.shape(estimate)} and the covariances "
            f"{square.shape}: (k,) and (k, k) are needed."
        )
        raise EMImputeError(msg)
    terms = estimate.index if isinstance(estimate, pd.Series) else pd.RangeIndex(k)
    bad = ~np.isfinite(values) | ~np.isfinite(np.diag(square)) | (np.diag(square) < 0)
    if bad.any():
        msg = (
            f"In imputation {number} the estimate or the variance of {named(terms[bad].tolist())} is no number, or the "
            f"variance is negative: that model failed there."
        )
        raise EMImputeError(msg)
    if not np.isfinite(square).all():
        raise EMImputeError(f"In imputation {number} some covariances are no numbers: that model failed there.")
    return terms, values, square, df


def _in_one(params: Any, result: Any) -> Any:
    """Parameters of several equations (terms by equations) below each other, under (equation, term)."""
    if np.ndim(params) != 2:
        return params
    if not isinstance(params, pd.DataFrame):
        names = getattr(result.model, "exog_names", None)
        params = pd.DataFrame(params, index=names if names is not None and len(names) == len(params) else None)
    by = [(equation, term) for equation in params.columns for term in params.index]
    index = pd.MultiIndex.from_tuples(by, names=["equation", "term"])
    return pd.Series(params.to_numpy().ravel(order="F"), index=index)
