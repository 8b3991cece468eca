"""Rubin's rules, as functions of arrays: m estimates (m, k) and their covariance matrices (m, k, k).

Rubin 1987 (https://doi.org/10.1002/9780470316696); degrees of freedom by Barnard & Rubin 1999
(https://doi.org/10.1093/biomet/86.4.948); how many imputations suffice by von Hippel 2020
(https://doi.org/10.1177/0049124117747303); tests of several coefficients by Li, Raghunathan & Rubin 1991
(https://doi.org/10.1080/01621459.1991.10475152) with Reiter's degrees of freedom
(https://doi.org/10.1093/biomet/asm028), by Li, Meng, Raghunathan & Rubin 1991, and by likelihood ratios: Meng & Rubin
1992 (https://doi.org/10.1093/biomet/79.1.103), Chan & Meng 2022 (https://arxiv.org/abs/1711.08822).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["COLUMNS", "between", "jackknife", "likelihood_ratio", "rules", "suffices", "wald", "wald_of_statistics"]

COLUMNS = ["estimate", "se", "t", "df", "p", "ci_low", "ci_high", "riv", "lambda", "fmi", "efficiency"]


def between(estimates: np.ndarray) -> np.ndarray:
    """Covariance matrix (k, k) of the estimates (m, k), divisor m - 1; exactly 0 where all are the same."""
    same = (estimates == estimates[0]).all(axis=0)  # whose mean may differ from each by rounding
    deviations = np.where(same, 0.0, estimates - estimates.mean(axis=0))
    return np.asarray(deviations.T @ deviations / (len(estimates) - 1))


def rules(estimates: np.ndarray, variances: np.ndarray, dfcom: float, level: float = 0.95) -> np.ndarray:
    """A row for each of k terms, of the columns ``COLUMNS``, from estimates and their variances (m, k).

    Where all imputations say exactly the same, estimates and variances, nothing was imputed that matters: the answer is
    that of the complete data, with ``dfcom`` degrees of freedom.
    """
    from scipy.stats import norm, t  # noqa: PLC0415 (importing emimpute stays light)

    m = len(estimates)
    estimate, within = estimates.mean(axis=0), variances.mean(axis=0)
    same = (estimates == estimates[0]).all(axis=0)  # whose mean may differ from each by rounding
    estimate = np.where(same, estimates[0], estimate)
    extra = (1 + 1 / m) * np.where(same, 0.0, ((estimates - estimate) ** 2).sum(axis=0) / (m - 1))
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        riv, share = extra / within, extra / total
        df = _barnard_rubin(share, m, dfcom)
        fmi = np.where(np.isinf(riv), 1.0, (riv + 2 / (df + 3)) / (riv + 1))
        certain = same & (variances == variances[0]).all(axis=0)
        df, fmi = np.where(certain, dfcom, df), np.where(certain, 0.0, fmi)
        riv, share = np.where(certain, 0.0, riv), np.where(certain, 0.0, share)
        se = np.sqrt(total)
        ratio = estimate / se
    finite = np.isfinite(df)
    nu = np.where(finite, df, 1.0)
    p = np.where(finite, 2 * t.sf(np.abs(ratio), nu), 2 * norm.sf(np.abs(ratio)))
    half = np.where(finite, t.ppf((1 + level) / 2, nu), norm.ppf((1 + level) / 2)) * se
    return np.column_stack(
        [estimate, se, ratio, df, p, estimate - half, estimate + half, riv, share, fmi, 1 / (1 + fmi / m)]
    )


def jackknife(each: np.ndarray) -> np.ndarray:
    """Monte-Carlo errors (...), sd, of statistics that are ``each`` (m, ...) where one of m imputations is left out."""
    m = len(each)
    same = (each == each[0]).all(axis=0)  # infinite degrees of freedom, for instance
    with np.errstate(invalid="ignore"):
        error = np.sqrt((m - 1) / m * np.square(each - each.mean(axis=0)).sum(axis=0))
    return np.where(same, 0.0, error)


def _barnard_rubin(share: np.ndarray, m: int, dfcom: float) -> np.ndarray:
    """Degrees of freedom, for the ``share`` (k,) of the variance that lies between m imputations."""
    old = (m - 1) / share**2
    if math.isinf(dfcom):
        return np.asarray(old)
    observed = (dfcom + 1) / (dfcom + 3) * dfcom * (1 - share)
    return np.asarray(np.where(share > 0, 1 / (1 / old + 1 / observed), observed))


def suffices(fmi: np.ndarray, m: int, cv: float) -> np.ndarray:
    """Imputations after which standard errors would vary by no more than the share ``cv`` from draw to draw.

    m = 1 + (fmi/cv)²/2, where fmi is the upper end of its 95 % interval, from ``m`` imputations, on the logit scale.
    """
    fmi = np.asarray(fmi, dtype=float)
    with np.errstate(divide="ignore"):
        logit = np.log(fmi / (1 - fmi)) + 1.959963984540054 * math.sqrt(2 / m)
    upper = 1 / (1 + np.exp(-logit))
    return np.asarray(np.ceil(1 + (upper / cv) ** 2 / 2))


def wald(distance: np.ndarray, covariances: np.ndarray, dfcom: float) -> tuple[float, float, float]:
    """D1: F, its denominator's df, and riv, from k distances to the hypothesis (m, k) and covariances (m, k, k)."""
    m, k = distance.shape
    mean, within = distance.mean(axis=0), covariances.mean(axis=0)
    riv = (1 + 1 / m) * float(np.trace(np.linalg.solve(within, between(distance)))) / k
    f = float(mean @ np.linalg.solve(within, mean)) / (k * (1 + riv))
    return f, _df_d1(riv, k, m, dfcom), riv


def _df_d1(riv: float, k: int, m: int, dfcom: float) -> float:
    t = k * (m - 1)
    if riv <= 0:
        return dfcom
    few = t <= 4  # imputations, too few for the others, which need a fourth moment
    large = t * (1 + 1 / k) * (1 + 1 / riv) ** 2 / 2 if few else 4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2
    if math.isinf(dfcom):
        return large
    nu = (dfcom + 1) / (dfcom + 3) * dfcom
    if few:  # as Barnard and Rubin do for one term
        return 1 / (1 / large + (1 + riv) / nu)
    a = riv * t / (t - 2)
    c0, c1, c2 = 1 / (t - 4), nu - 2 * (1 + a), nu - 4 * (1 + a)
    if c2 <= 0:  # too few rows for Reiter's moments
        return 1 / (1 / large + (1 + riv) / nu)
    z = (
        1 / c2
        + c0 * (a**2 * c1 / ((1 + a) ** 2 * c2) + 8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2))
        + c0 * (4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3 + 8 * a**2 / c2**2)
    )
    return 4 + 1 / z


def wald_of_statistics(statistics: np.ndarray, k: int) -> tuple[float, float, float]:
    """D2: F, its denominator's df, and riv, from the χ² statistic (m,) of each imputation, of k df."""
    m = len(statistics)
    riv = (1 + 1 / m) * float(np.sqrt(statistics).var(ddof=1))
    f = (float(statistics.mean()) / k - (m + 1) / (m - 1) * riv) / (1 + riv)
    df = k ** (-3 / m) * (m - 1) * (1 + 1 / riv) ** 2 if riv > 0 else math.inf
    return f, df, riv


def likelihood_ratio(own: float, together: float, k: int, m: int, *, stacked: bool) -> tuple[float, float, float]:
    """D3, or ``stacked`` D4: F, its denominator's df, and riv, from mean likelihood ratios of k df in m imputations.

    ``own`` is at each imputation's maxima, ``together`` at what all imputations share. riv is held at 0 or above, as it
    is where the ratios' expansion to second order is exact.
    """
    riv = max((m + 1) / (k * (m - 1)) * (own - together), 0.0)
    f = together / (k * (1 + riv))
    if stacked:
        return f, k * (m - 1) * (1 + 1 / riv) ** 2 if riv > 0 else math.inf, riv
    return f, _df_d1(riv, k, m, math.inf), riv
