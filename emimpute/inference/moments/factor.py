r"""Factors of a fit's correlations, by maximum likelihood, with standard errors that know of the gaps.

The correlations of a fit are not those of n complete rows: each has its own share of missing information. Loadings take
their standard errors from the covariance of the correlations themselves, by the delta method through extraction and
rotation, and the test of fit takes the residual correlations against that same covariance (Browne 1984,
https://doi.org/10.1111/j.2044-8317.1984.tb00789.x; with gaps Savalei & Bentler 2009,
https://doi.org/10.1080/10705510903008238). Programs that want one number of rows get n times the mean, over all pairs
of items, of the share of the information on their correlation that was observed.

Where a rotation is hardly determined the delta method may mislead; ``bootstrap=`` takes standard errors and intervals
from resampled rows instead (:mod:`emimpute.inference.moments.replicates`).
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.errors import ColumnError, EMImputeError, named, unknown
from emimpute.inference.moments.columns import Columns, normal_quantile
from emimpute.inference.moments.extraction import best_turn, correlations, extract, loadings, rotate
from emimpute.inference.moments.replicates import Rows, replicates
from emimpute.inference.standing.uncertainty import slopes, uncertainty

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emimpute.inference.complete import Law
    from emimpute.inference.moments.extraction import Extraction
    from emimpute.inference.standing.params import Standing
    from emimpute.inference.standing.uncertainty import Uncertainty

__all__ = ["Factors", "factor"]

_ROTATIONS = ("varimax", "quartimax")
_WIDTH = 100  # characters of a line of text
_UNSURE = 0.2  # standard error of a loading from which a turn of the axes is no small one any more
_UNDETERMINED = "Standard errors above .2 say that the rotation is hardly determined: bootstrap=1000 gives intervals."


@dataclass(frozen=True, eq=False, repr=False)
class Factors:
    """m factors of k items. It prints as one screen.

    Attributes
    ----------
    loadings, se
        Rotated loadings (k, m) and their standard errors; factors by falling sum of squares, each with loadings that
        sum to a positive number. Errors are by the delta method, or sds of bootstrap samples.
    unique, unique_se
        Uniquenesses (k,): 1 − communality; and their standard errors.
    unrotated
        Loadings as extracted.
    rotation
        "varimax" or "quartimax" (rows not normalised), or None.
    corr
        The correlations (k, k) that were factored.
    nobs, effective_nobs
        Rows of the fit, or their weight; and that times the mean share of observed information of the correlations.
    statistic, df, pvalue
        Of the test that m factors account for the correlations: the residuals against their estimated covariance.
    held
        Items whose uniqueness was held at .005 (Heywood cases); standard errors take it for known, but for those by
        the bootstrap.
    replicates
        Loadings (B, k, m) of bootstrap samples, if they were asked for; factors in the order and of the signs of
        ``loadings``.
    notes
        What is to be said besides.
    """

    loadings: pd.DataFrame
    se: pd.DataFrame
    unique: pd.Series[Any]
    unique_se: pd.Series[Any]
    unrotated: pd.DataFrame
    rotation: str | None
    corr: pd.DataFrame
    nobs: float
    effective_nobs: float
    statistic: float
    df: int
    pvalue: float
    cov_type: str
    held: tuple[Any, ...] = ()
    latent: tuple[Any, ...] = ()
    replicates: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def communality(self) -> pd.Series[Any]:
        """Sum of squared loadings of each item."""
        communality: pd.Series[Any] = np.square(self.loadings).sum(axis=1).rename("communality")
        return communality

    @property
    def variance(self) -> pd.DataFrame:
        """A row for each factor: sum of squared loadings, its share of the items' variance, and the shares summed."""
        squares = np.square(self.loadings).sum()
        part = squares / len(self.loadings)
        return pd.DataFrame({"ss_loadings": squares, "share": part, "cumulative": part.cumsum()})

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the loadings, by the normal: columns (factor, "low") and (factor, "high").

        With bootstrap samples these are percentiles: the shares alpha/2 and 1 - alpha/2 of the replicates.
        """
        half = normal_quantile(alpha) * self.se
        sides = {"low": self.loadings - half, "high": self.loadings + half}
        if self.replicates is not None:
            ends = np.quantile(self.replicates, [alpha / 2, 1 - alpha / 2], axis=0)
            index, columns = self.loadings.index, self.loadings.columns
            sides = {side: pd.DataFrame(e, index=index, columns=columns) for side, e in zip(sides, ends, strict=True)}
        both = pd.concat(sides, axis=1).swaplevel(axis=1)
        order = [(name, side) for name in self.loadings for side in sides]
        return both[order]

    @cached_property
    def statsmodels(self) -> Any:
        """The unrotated solution as a ``FactorResults`` of statsmodels, with ``nobs`` the effective number of rows."""
        from statsmodels.multivariate.factor import Factor  # noqa: PLC0415 (importing emimpute stays light)

        names = [str(label) for label in self.corr]
        model = Factor(
            corr=self.corr.to_numpy(),
            n_factor=self.loadings.shape[1],
            nobs=round(self.effective_nobs),
            method="ml",
            endog_names=names,
        )
        return model.fit(start=(self.unrotated.to_numpy(), self.unique.to_numpy()))

    def summary(self) -> str:
        """One screen of text."""
        told = [line for note in self._notes() for line in textwrap.wrap(note, _WIDTH)]
        return "\n".join([*self._facts(), "", self._written().to_string(), "", self._shares().to_string(), "", *told])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        facts = "".join(f"<p>{escape(fact)}</p>" for fact in self._facts())
        told = "".join(f"<p>{escape(note)}</p>" for note in self._notes())
        return f"<div>{facts}{self._written().to_html()}{self._shares().to_html()}{told}</div>"

    def _facts(self) -> list[str]:
        m = self.loadings.shape[1]
        tested = f"Test of fit: chi2 {self.statistic:.2f} on {self.df} df, p {self.pvalue:.4f}"
        return [
            (
                f"Maximum-likelihood factor analysis: {len(self.loadings)} items, {m} factor{'s' if m > 1 else ''}, "
                f"rotation {self.rotation or 'none'}"
            ),
            f"{self.nobs:g} rows, which tell as much of the correlations as {self.effective_nobs:.0f} complete ones",
            tested if self.df else "No degrees of freedom are left to test the fit.",
        ]

    def _written(self) -> pd.DataFrame:
        table = pd.DataFrame(index=self.loadings.index)
        for name in self.loadings:
            table[name] = self.loadings[name].map("{:.3f}".format)
            table[f"{name} se"] = self.se[name].map("{:.3f}".format)
        return table.assign(unique=self.unique.map("{:.3f}".format))

    def _shares(self) -> pd.DataFrame:
        return self.variance.T.map("{:.3f}".format)

    def _notes(self) -> list[str]:
        how = "the sandwich" if self.cov_type == "sandwich" else f"the {self.cov_type} information"
        by = f"by the delta method from {how} of the correlations."
        said = [f"Standard errors and test {by}"]
        if self.replicates is not None:
            samples = f"{len(self.replicates)} bootstrap samples of the rows"
            said = [f"Standard errors and intervals by {samples}, the test {by}"]
        elif float(np.nanmax(self.se.to_numpy(), initial=0.0)) > _UNSURE and self.rotation is not None:
            said.append(_UNDETERMINED)
        said += self.notes
        if self.held:
            held = f"Uniqueness held at .005 (a Heywood case): {named(self.held)}."
            known = "" if self.replicates is not None else "; standard errors take it for known"
            said.append(f"{held} Try fewer factors{known}.")
        if self.latent:
            said.append(f"Latent (polychoric) correlations stand for {named(self.latent)}.")
        return said


@single_threaded
def factor(
    law: Law,
    standing: Standing,
    n: int,
    *,
    items: Iterable[Any] | None = None,
    rotation: str | None = "varimax",
    cov_type: str | None = None,
    bootstrap: Any = 0,
    rng: Any = None,
    rows: Rows | None = None,
) -> Factors:
    """``n`` factors of the correlations of ``law``, which has this ``standing``.

    ``bootstrap`` samples are taken of ``rows``, which were fitted, if there are to be any.

    Raises EMImputeError for a number of factors that k items do not determine, an unknown rotation, and where no
    standard errors exist; ColumnError for items that the fit lacks or holds on a transformed scale.
    """
    columns = Columns.of(law)
    labels = columns.items(items, "In factor()")
    places = [columns.item(label, "In factor()") for label in labels]
    check(n, len(labels))
    if isinstance(bootstrap, bool) or not isinstance(bootstrap, int | np.integer) or bootstrap < 0 or bootstrap == 1:
        raise EMImputeError(f"bootstrap= is how many samples to take, 0 or some 1000, and this one is {bootstrap!r}.")
    if rotation is not None and rotation not in _ROTATIONS:
        raise EMImputeError(unknown("rotation", rotation, [*_ROTATIONS, "None"]))
    found = uncertainty(law, standing, cov_type).take(places)
    corr = correlations(found.cov)
    try:
        solved = extract(corr, n)
    except np.linalg.LinAlgError:
        raise ColumnError(
            f"The correlations of {named(labels)} are singular, or no {n} factors were found in them: leave out items "
            "that others determine, or ask for fewer factors."
        ) from None
    unrotated = _signed(loadings(solved.log_unique[None], corr[None], n)[0])
    turn = _turn(unrotated, rotation)
    derivative = slopes(_moving(solved, unrotated, turn, rotation), found.cov)
    errors = np.sqrt(np.diag(found.covariance(derivative)))
    names = [f"F{i + 1}" for i in range(n)]
    index = pd.Index(labels, tupleize_cols=False, dtype=object)

    def table(values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values.reshape(len(labels), n), index=index, columns=names)

    statistic, free, p = _test(found, corr, unrotated, n)
    se, unique_se = errors[: len(labels) * n], np.where(solved.free, errors[len(labels) * n :], np.nan)
    samples: np.ndarray | None = None
    notes: list[str] = []
    if bootstrap and rows is not None:
        samples, notes = replicates(law, rows, places, unrotated @ turn, rotation, times=int(bootstrap), rng=rng)
        spread = samples.std(axis=0, ddof=1)
        se, unique_se = spread[:, :n], spread[:, n]
    return Factors(
        loadings=table(unrotated @ turn),
        se=table(se),
        unique=pd.Series(solved.unique, index=index, name="unique"),
        unique_se=pd.Series(unique_se, index=index, name="se"),
        unrotated=table(unrotated),
        rotation=None if n == 1 else rotation,
        corr=pd.DataFrame(corr, index=index, columns=index),
        nobs=found.nobs,
        effective_nobs=found.nobs * float(1 - found.fmi(slopes(_off_diagonal, found.cov)).mean()),
        statistic=statistic,
        df=free,
        pvalue=p,
        cov_type=found.cov_type,
        held=tuple(label for label, own in zip(labels, solved.free, strict=True) if not own),
        latent=tuple(label for label in labels if columns.ordered(label)),
        replicates=None if samples is None else samples[:, :, :n],
        notes=tuple(notes),
    )


def check(n: Any, k: int) -> None:
    """Raises EMImputeError unless k items determine n factors."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise EMImputeError(f"The number of factors is a whole number, 1 or more, and not {n!r}.")
    if (k - n) ** 2 < k + n:
        most = max((m for m in range(1, k) if (k - m) ** 2 >= k + m), default=0)
        remedy = f"ask for {most} at most, or give more items" if most else "give 3 items or more"
        raise EMImputeError(f"{k} items do not determine {n} factor{'s' if n > 1 else ''}: {remedy}.")


def _signed(found: np.ndarray) -> np.ndarray:
    """Loadings (k, m), each column with a positive sum."""
    return np.asarray(found * np.where(found.sum(axis=0) < 0, -1.0, 1.0))


def _turn(unrotated: np.ndarray, rotation: str | None) -> np.ndarray:
    """The rotation (m, m), with factors in order and signs fixed."""
    m = unrotated.shape[1]
    if rotation is None or m == 1:
        return np.eye(m)
    turn = best_turn(unrotated, rotation)
    rotated = unrotated @ turn
    order = np.argsort(-np.square(rotated).sum(axis=0), kind="stable")
    return np.asarray((turn * np.where(rotated.sum(axis=0) < 0, -1.0, 1.0))[:, order])


def _moving(solved: Extraction, unrotated: np.ndarray, turn: np.ndarray, rotation: str | None) -> Any:
    """Loadings and uniquenesses (B, km + k) as a function of covariance matrices near the one that was solved."""
    m = unrotated.shape[1]

    def at(cov: np.ndarray) -> np.ndarray:
        corr = correlations(cov)
        x = solved.beside(corr)
        found = loadings(x, corr, m)
        if rotation is None or m == 1:
            found = found * np.where(np.einsum("bkm,km->bm", found, unrotated) < 0, -1.0, 1.0)[:, None]
        else:  # near ties turn the axes: first back to those that were rotated
            u, _, v = np.linalg.svd(np.swapaxes(found, 1, 2) @ unrotated)
            found = found @ (u @ v)
            found = found @ rotate(found, rotation, np.broadcast_to(turn, (len(found), m, m)))
        return np.concatenate([found.reshape(len(cov), -1), np.exp(x)], axis=1)

    return at


def _off_diagonal(cov: np.ndarray) -> np.ndarray:
    """The correlations (B, k(k − 1)/2) of the pairs."""
    i, j = np.triu_indices(cov.shape[-1], 1)
    return correlations(cov)[:, i, j]


def _test(found: Uncertainty, corr: np.ndarray, unrotated: np.ndarray, m: int) -> tuple[float, int, float]:
    """Statistic, degrees of freedom and p of the residual correlations, against their covariance."""
    from scipy.special import chdtrc  # noqa: PLC0415 (importing emimpute stays light)

    k = len(corr)
    i, j = np.triu_indices(k, 1)
    free = ((k - m) ** 2 - (k + m)) // 2
    if not free:
        return float("nan"), 0, float("nan")
    each = np.arange(len(i))
    derivative = np.zeros((len(i), k, m))  # of the model's correlations, in the loadings
    derivative[each, i] += unrotated[j]
    derivative[each, j] += unrotated[i]
    axes = np.linalg.svd(derivative.reshape(len(i), -1))[0][:, len(i) - free :]  # what loadings do not move
    residual = axes.T @ (corr - unrotated @ unrotated.T)[i, j]
    covariance = axes.T @ found.covariance(slopes(_off_diagonal, found.cov)) @ axes
    statistic = float(residual @ np.linalg.solve(covariance, residual))
    return statistic, free, float(chdtrc(free, statistic))
