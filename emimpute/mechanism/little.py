"""Little's test, whether the means of the missingness patterns differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError
from emimpute.inference.gaps.mcar import degrees, little, little_bootstrap
from emimpute.latent import patterns
from emimpute.mechanism.columns import (
    SINGULAR,
    about,
    by_size,
    columns_of,
    count,
    fitted_to,
    generator_of,
    lacking,
    repeated,
)
from emimpute.results.mcar import MCARTest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.inference.gaps.mcar import Little
    from emimpute.latent import Patterns
    from emimpute.mechanism.columns import Tested


__all__ = ["mcar_test"]

_THIN = 0.2  # of the statistic, from patterns of few rows
_ROWS_BY_DF, _ROWS_BY_COLUMN = 2, 10  # below which the test rejects too seldom (measured: docs/missingness.md)
_SMALL = (
    "Small sample: {rows} rows for {free} degrees of freedom and {columns} columns. The χ² approximation is for large "
    "samples, and rejects too seldom in small ones."
)
_RESTS_ON_THIN = (
    "{part} of the statistic comes from patterns with no more rows than columns. That part supposes normal rows: where "
    "columns are skewed or have outliers the test rejects too often."
)


def mcar_test(
    df: pd.DataFrame,
    *,
    columns: Any = None,
    kinds: Mapping[Any, Any] | None = None,
    weights: Any = None,
    ddof: int = 0,
    bootstrap: int = 0,
    rng: int | np.random.Generator | None = None,
    tol: float = 1e-8,
    max_iter: int = 1000,
) -> MCARTest:
    """Little's test that cells are missing completely at random, by the means of the missingness patterns.

    Parameters
    ----------
    df
        The data. All rows in which some of the columns is observed take part.
    columns
        Labels of the columns to test; default: all of numbers, dates and lengths of time that vary. The others are
        left out and named.
    kinds
        As in :func:`emimpute.fit`: ``{"income": "positive"}`` tests the logarithm. Only kinds whose cells are points on
        one line can be tested: categories have no means. Numbers are taken as they are, whatever they stand for.
    weights
        Label, Series or array of counts: a row of weight 2 is two such rows, one of weight 0 none. A label's column is
        not tested. Other weights than whole numbers are refused, for the test has no known law under them.
    ddof
        0: the maximum likelihood covariance, of divisor n, as Little 1988 and most software; 1: n / (n - 1) times it.
    bootstrap
        How many tables to simulate from the fitted normal distribution, with the same gaps, for a p-value that does
        not rest on large samples (999, say).
    rng
        What seeds these: None, an int or a Generator.
    tol, max_iter
        Of the fit, as in :func:`emimpute.fit`.

    Returns
    -------
    MCARTest
        ``statistic``, ``df``, ``pvalue``, ``by_variable``, ``by_pattern``, ``effect_size``, ``summary()``.

    Raises
    ------
    ColumnError
        For columns that cannot be tested as asked, or nothing to test.
    EMImputeError
        For any other argument that is not what it should be.

    Notes
    -----
    Little 1988 (https://doi.org/10.1080/01621459.1988.10478722). A small p-value speaks against MCAR; a large one does
    not prove it, and nothing here tells MAR from MNAR. The test supposes one covariance matrix (see
    :func:`homogeneity_test`) and normal rows, or many in each pattern.

    Examples
    --------
    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": range(12), "y": [3.0, 1, 4, 1, 5, 9, 2, 6, None, None, None, None]})
    >>> test = emimpute.mcar_test(df)
    >>> round(test.statistic, 3), test.df, round(test.pvalue, 4)
    (8.056, 1, 0.0045)
    """
    divisor = count(ddof, "ddof=", "0 or 1", most=1)
    times = count(bootstrap, "bootstrap=", "how many tables to simulate, 0 or more")
    generator = generator_of(rng)
    df, taken = repeated(df, weights)
    table = columns_of(df, columns, kinds, taken)
    found = patterns(table.observed)
    if not degrees(found.masks):
        return _nothing_to_test(table, found, divisor)
    fitted = fitted_to(df, table, tol, max_iter)
    try:
        parts = little(fitted.law.params, table.latent, ddof=divisor)
    except np.linalg.LinAlgError:
        raise EMImputeError(SINGULAR) from None

    from scipy.special import chdtrc  # noqa: PLC0415 (importing emimpute stays light)

    drawn, share = np.zeros(0), float("nan")
    if times:
        model, params, prior = fitted.law.model, fitted.law.params, fitted.prior
        drawn = little_bootstrap(model, params, table.latent, prior, times=times, ddof=divisor, rng=generator)
        usable = drawn[np.isfinite(drawn)]
        share = (1 + int((usable >= parts.statistic * (1 - 1e-9)).sum())) / (1 + len(usable))
    rows, statistic = int(parts.counts.sum()), parts.statistic
    notes = [*about(fitted), *_small(parts, bootstrapped=bool(times))]
    if lost := int(np.isnan(drawn).sum()):
        notes.append(f"{lost} of {times} simulated tables had no fit and do not count in the bootstrap p.")
    return MCARTest(
        statistic=statistic,
        df=parts.df,
        pvalue=float(chdtrc(parts.df, statistic)),
        effect_size=float(np.sqrt(max(statistic - parts.df, 0.0) / rows)),
        by_variable=_by_variable(table.labels, parts.masks, parts.shares),
        by_pattern=_by_pattern(table.labels, parts.masks, parts.counts, parts.shares),
        nobs=rows,
        ddof=divisor,
        left_out=table.left_out,
        prior=fitted.prior,
        notes=tuple(notes),
        bootstrap_pvalue=share,
        bootstrap=drawn,
    )


def _nothing_to_test(table: Tested, found: Patterns, ddof: int) -> MCARTest:
    """The answer where no column is seen in two patterns."""
    some = found.masks.any(axis=1)
    masks, counts = found.masks[some], found.counts[some]
    shares = np.zeros(masks.shape)
    if masks.all():
        note = "No cell is missing in these columns" if some.all() else "Rows have all of these columns or none"
    else:
        note = "No column is observed in two patterns"
    return MCARTest(
        statistic=0.0,
        df=0,
        pvalue=float("nan"),
        effect_size=0.0,
        by_variable=_by_variable(table.labels, masks, shares),
        by_pattern=_by_pattern(table.labels, masks, counts, shares),
        nobs=int(counts.sum()),
        ddof=ddof,
        left_out=table.left_out,
        notes=(f"{note}, so there are no means to compare, and nothing to test.",),
    )


def _by_variable(labels: pd.Index[Any], masks: np.ndarray, shares: np.ndarray) -> pd.DataFrame:
    contribution, free = shares.sum(axis=0), masks.sum(axis=0) - 1
    ratio = np.divide(contribution, free, out=np.full(len(free), np.nan), where=free > 0)
    share = contribution / max(contribution.sum(), np.finfo(float).tiny)
    return pd.DataFrame({"contribution": contribution, "share": share, "df": free, "ratio": ratio}, index=labels)


def _by_pattern(labels: pd.Index[Any], masks: np.ndarray, counts: np.ndarray, shares: np.ndarray) -> pd.DataFrame:
    order = by_size(masks, counts)
    contribution = shares.sum(axis=1)[order]
    return pd.DataFrame(
        {
            "rows": counts[order],
            "missing": pd.Series(lacking(labels, masks[order]), dtype=object),
            "observed": masks[order].sum(axis=1),
            "contribution": contribution,
            "share": contribution / max(contribution.sum(), np.finfo(float).tiny),
            "distance": np.sqrt(contribution / counts[order]),
        }
    )


def _small(parts: Little, *, bootstrapped: bool) -> list[str]:
    """Whether the p-value is to be trusted."""
    rows, free, d = int(parts.counts.sum()), parts.df, parts.masks.shape[1]
    thin = parts.counts <= parts.masks.sum(axis=1)
    part = float(parts.shares[thin].sum()) / max(parts.statistic, np.finfo(float).tiny)
    notes = []
    if rows < _ROWS_BY_DF * free or rows < _ROWS_BY_COLUMN * d:
        advice = "" if bootstrapped else " bootstrap=999 gives a p-value that does not rest on it."
        notes.append(f"{_SMALL.format(rows=rows, free=free, columns=d)}{advice}")
    if part > _THIN:
        notes.append(_RESTS_ON_THIN.format(part=f"{part:.0%}"))
    return notes
