"""Whether a column differs between the rows where another one is missing and the others: Welch's t, Cohen's d."""

from __future__ import annotations

import numpy as np

__all__ = ["welch"]

_TWO = 2  # values that a variance takes


def welch(values: np.ndarray, gaps: np.ndarray) -> dict[str, np.ndarray]:
    """Compare a column (n,), NaN where missing, between the rows of each gap indicator, (n, q).

    Arrays (q,): rows, means, and the difference (missing less observed), its size ``d`` in pooled standard deviations,
    Welch's t, degrees of freedom and two-sided p-value. NaN where a side has too few rows, or nothing varies; where
    the means differ and neither side varies, the column tells the gaps exactly: d and t are infinite, and p is 0.
    """
    from scipy.special import stdtr  # noqa: PLC0415 (importing emimpute stays light)

    there = ~np.isnan(values)
    centre = values[there].mean() if there.any() else 0.0
    x = values[there] - centre
    found: dict[str, np.ndarray] = {}
    counts, means, variances = [], [], []
    for side in (gaps[there], ~gaps[there]):
        n = side.sum(axis=0)
        mean = _over(x @ side, n, n > 0)
        squares = ((x[:, None] - np.where(n > 0, mean, 0.0)) ** 2 * side).sum(axis=0)
        highest = np.where(side, x[:, None], -np.inf).max(axis=0, initial=-np.inf)
        lowest = np.where(side, x[:, None], np.inf).min(axis=0, initial=np.inf)
        squares[highest <= lowest] = 0.0  # to the last bit, which the mean may be beside
        counts.append(n)
        means.append(mean)
        variances.append(_over(squares, n - 1, n >= _TWO))
    n, var = np.array(counts), np.array(variances)
    found["rows_missing"], found["rows_observed"] = counts
    found["mean_missing"], found["mean_observed"] = (mean + centre for mean in means)
    difference = means[0] - means[1]
    both = np.asarray(n.min(axis=0) > 0)
    pooled = _over(np.where(n >= _TWO, (n - 1) * var, 0.0).sum(axis=0), n.sum(axis=0) - 2, both)
    found["difference"] = difference
    found["d"] = _sizes(difference, np.sqrt(pooled))
    parts = _over(var, n, n >= _TWO)
    error = parts.sum(axis=0)
    found["t"] = _sizes(difference, np.sqrt(error))
    found["df"] = _over(error**2, _over(parts**2, n - 1, n >= _TWO).sum(axis=0), error > 0)
    found["pvalue"] = np.where(np.isinf(found["t"]), 0.0, 2 * stdtr(found["df"], -np.abs(found["t"])))
    return found


def _sizes(difference: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Differences in units of their own, which may be 0, or NaN for none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(difference / unit)


def _over(part: np.ndarray, whole: np.ndarray, where: np.ndarray) -> np.ndarray:
    """``part / whole`` where that may be, else NaN."""
    ok = np.asarray(where) & (np.asarray(whole) != 0)
    quotient = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=quotient, where=ok)
    return quotient
