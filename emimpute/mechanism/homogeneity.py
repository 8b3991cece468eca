"""Jamshidian and Jalal's tests, whether the covariances of the missingness patterns differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError
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
)
from emimpute.results.mcar import HomogeneityTest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.inference.gaps.hawkins import Hawkins
    from emimpute.latent import Latent
    from emimpute.models.mvn import Normal
    from emimpute.results.fit import Fit


__all__ = ["homogeneity_test"]

_LEAST = 7  # rows of a group
_TESTS = ["statistic", "pvalue", "anderson_statistic", "anderson_pvalue"]
_TOO_FEW = (
    "Of {every} missingness patterns {some} with {least} rows or more: two are needed, so there is no test. Pass a "
    "smaller smallest=, or fewer columns."
)


def homogeneity_test(
    df: pd.DataFrame,
    *,
    columns: Any = None,
    kinds: Mapping[Any, Any] | None = None,
    imputations: int = 20,
    smallest: int | None = None,
    rng: int | np.random.Generator | None = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
) -> HomogeneityTest:
    """Jamshidian and Jalal's tests that all missingness patterns have one covariance matrix.

    The rows of each pattern are completed by draws from the fitted normal distribution, and Hawkins' test asks whether
    the groups are normal with one covariance matrix. If it rejects, the Anderson-Darling test tells whether that is for
    unequal covariances, against which only its own small p-value speaks, or because rows are not normal.

    Parameters
    ----------
    df, columns, kinds, tol, max_iter
        As in :func:`mcar_test`.
    imputations
        How many times to draw; p-values are medians over the draws.
    smallest
        Rows that a pattern needs to be kept: default max(7, columns + 1).
    rng
        What seeds the draws: None, an int or a Generator.

    Returns
    -------
    HomogeneityTest
        ``pvalue`` (Hawkins), ``anderson_pvalue``, ``by_group``, ``imputations``, ``kept``, ``summary()``. Where fewer
        than two patterns are large enough the p-values are NaN, and the summary says why.

    Raises
    ------
    ColumnError, EMImputeError
        As :func:`mcar_test`.

    Notes
    -----
    Jamshidian & Jalal 2010 (https://doi.org/10.1007/s11336-010-9175-3). Differences in means are not tested here. Draws
    from one fitted distribution make groups more alike than they are, and medians are cautious, so with normal rows the
    tests err on the safe side. The draws are normal: where rows are far from it, groups with more drawn cells differ
    for that alone, and both tests reject (``kinds=`` takes logarithms).
    """
    times = count(imputations, "imputations=", "how many times to draw, 1 or more", least=1)
    generator = generator_of(rng)
    table = columns_of(df, columns, kinds)
    d = len(table.labels)
    least = max(_LEAST, d + 1) if smallest is None else count(smallest, "smallest=", "rows of a group", least=2)
    rows = np.flatnonzero(table.observed.any(axis=1))
    found = patterns(table.observed[rows])
    large = by_size(found.masks, found.counts)
    large = large[found.counts[large] >= least]
    groups = [rows[np.flatnonzero(found.of_row == k)] for k in large]
    notes, each, prior = [], [], None
    if len(groups) < 2:
        notes.append(_TOO_FEW.format(least=least, some=len(groups), every=len(found.masks)))
    elif sum(map(len, groups)) - len(groups) <= d:
        notes.append(f"The groups have too few rows for {d} columns, so there is no test: use fewer columns.")
        groups, large = [], large[:0]
    else:
        fitted = fitted_to(df, table, tol, max_iter)
        prior = fitted.prior
        notes += about(fitted)
        each = _imputed(fitted, table.latent, groups, times, generator)
    tests = pd.DataFrame([(h.statistic, h.pvalue, h.anderson_statistic, h.anderson_pvalue) for h in each])
    tests = tests.reindex(columns=range(4)).set_axis(_TESTS, axis=1).astype(float).rename_axis("imputation")
    nan = np.full(len(large), np.nan)
    by_group = pd.DataFrame(
        {
            "rows": found.counts[large],
            "missing": pd.Series(lacking(table.labels, found.masks[large]), dtype=object),
            "pvalue": np.median([h.by_group for h in each], axis=0) if each else nan,
        }
    )
    return HomogeneityTest(
        pvalue=float(np.median(tests["pvalue"])) if each else float("nan"),
        anderson_pvalue=float(np.median(tests["anderson_pvalue"])) if each else float("nan"),
        by_group=by_group,
        imputations=tests,
        kept=float(found.counts[large].sum() / len(rows)),
        nobs=len(rows),
        smallest=least,
        left_out=table.left_out,
        prior=prior,
        notes=tuple(notes),
    )


def _imputed(
    fitted: Fit, latent: Latent, groups: list[np.ndarray], times: int, rng: np.random.Generator
) -> list[Hawkins]:
    """Hawkins' tests of tables completed by draws."""
    from emimpute.inference.gaps.hawkins import Neyman, hawkins  # noqa: PLC0415 (only for this)

    params: Normal = fitted.law.params
    sd = np.sqrt(np.diag(params.cov))
    neyman = Neyman(rng.spawn(1)[0])
    tests = []
    for own in rng.spawn(times):
        z = (fitted.law.model.complete(params, latent, rng=own)[0] - params.mean) / sd
        try:
            tests.append(hawkins([z[rows] for rows in groups], neyman))
        except np.linalg.LinAlgError:
            raise EMImputeError(SINGULAR) from None
    return tests
