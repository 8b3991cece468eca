"""Tables of several kinds of column whose law is known, and gaps in them.

Everything comes from a normal vector z. Correlations are those of a Wishart matrix with as many degrees of freedom as
columns, as on the pages of gcimpute and mdgc; skewed columns are quantiles of Φ(z), ordered answers z between cut
points, unordered ones the greatest of several utilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, ndtr, ndtri

__all__ = ["MARGINS", "Margin", "Sample", "answers", "chance", "codes", "copula", "mar", "mcar", "mixed", "nominal"]


@dataclass(frozen=True)
class Margin:
    """A continuous law, by its monotone map from a standard normal z and back."""

    name: str
    forward: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]


def _of(name: str, law, *, mirrored: bool = False) -> Margin:
    """The margin of a distribution of scipy, in the tail in which no digit is lost."""

    def forward(z: np.ndarray) -> np.ndarray:
        z = -z if mirrored else z
        x = np.where(z > 0, law.isf(ndtr(-np.abs(z))), law.ppf(ndtr(-np.abs(z))))
        return -x if mirrored else x

    def inverse(x: np.ndarray) -> np.ndarray:
        x = -x if mirrored else x
        below, above = law.cdf(x), law.sf(x)
        z = np.where(below < above, ndtri(below), -ndtri(above))
        return -z if mirrored else z

    return Margin(name, forward, inverse)


MARGINS = (
    _of("exponential", stats.expon(scale=3.0)),
    _of("gamma(2)", stats.gamma(2.0)),
    _of("log-normal", stats.lognorm(0.75)),
    _of("Weibull(1.5)", stats.weibull_min(1.5)),
    _of("gamma(3), mirrored", stats.gamma(3.0), mirrored=True),
)


@dataclass(frozen=True, eq=False)
class Sample:
    """A complete table (n rows) with its truth: means and covariance of the d coordinates, margins and cut points."""

    complete: pd.DataFrame
    mean: np.ndarray  # (d,)
    cov: np.ndarray  # (d, d)
    margins: dict[str, Margin] = field(default_factory=dict)  # of the continuous columns that are not normal
    cuts: dict[str, np.ndarray] = field(default_factory=dict)  # of the columns of ordered answers
    kinds: dict[str, str] = field(default_factory=dict)  # what a user would declare

    @property
    def codes(self) -> np.ndarray:
        """The cells as numbers (n, columns): answers by their place."""
        return codes(self.complete, self.complete)


def codes(df: pd.DataFrame, like: pd.DataFrame) -> np.ndarray:
    """The cells as numbers (n, columns), NaN where missing; answers by their place among those of ``like``."""
    out = np.full(df.shape, np.nan)
    for j, name in enumerate(df):
        column = df[name]
        if isinstance(like[name].dtype, pd.CategoricalDtype):
            place = column.astype(like[name].dtype).cat.codes.to_numpy()
            out[:, j] = np.where(place < 0, np.nan, place)
        else:
            out[:, j] = column.astype("Float64").to_numpy(float, na_value=np.nan)
    return out


def correlation(d: int, rng: np.random.Generator) -> np.ndarray:
    """That of a Wishart matrix (d, d) with d degrees of freedom."""
    factor = rng.standard_normal((d, d))
    cov = factor @ factor.T
    sd = np.sqrt(np.diag(cov))
    return cov / np.outer(sd, sd)


def cut_points(levels: int, rng: np.random.Generator) -> np.ndarray:
    """Cut points (levels - 1,) of a standard normal; no level is rarer than a quarter of an even share."""
    share = rng.dirichlet(np.full(levels, 2.0)) * 0.75 + 0.25 / levels
    return ndtri(np.cumsum(share)[:-1])


def answers(z: np.ndarray, cuts: np.ndarray) -> pd.Categorical:
    """Ordered answers a, b, c, … from latent values (n,)."""
    names = [chr(ord("a") + i) for i in range(len(cuts) + 1)]
    return pd.Categorical.from_codes(np.searchsorted(cuts, z), names, ordered=True)


def copula(seed: int, n: int = 2000, each: int = 5) -> Sample:
    """``each`` skewed, ordinal (3 to 7 levels) and binary columns of one normal vector."""
    rng = np.random.default_rng(seed)
    d = 3 * each
    cov = correlation(d, rng)
    z = rng.standard_normal((n, d)) @ np.linalg.cholesky(cov).T
    columns, margins, cuts = {}, {}, {}
    for j in range(each):
        name = f"s{j}"
        margins[name] = MARGINS[j % len(MARGINS)]
        columns[name] = margins[name].forward(z[:, j])
    for j in range(each):
        name = f"o{j}"
        cuts[name] = cut_points(3 + j % 5, rng)
        columns[name] = answers(z[:, each + j], cuts[name])
    for j in range(each):
        name = f"b{j}"
        cuts[name] = ndtri(rng.uniform(0.2, 0.8, 1))
        columns[name] = pd.array(z[:, 2 * each + j] > cuts[name][0], dtype="boolean")
    return Sample(pd.DataFrame(columns), np.zeros(d), cov, margins, cuts, dict.fromkeys(margins, "skewed"))


def mixed(seed: int, n: int = 2000) -> Sample:
    """Two columns of each of six kinds: real, positive, bounded, skewed, ordinal, binary."""
    rng = np.random.default_rng(seed)
    d = 12
    cov = 0.7 * correlation(d, rng) + 0.3 * np.eye(d)
    z = rng.standard_normal((n, d)) @ np.linalg.cholesky(cov).T
    cuts = {"ordinal0": cut_points(5, rng), "ordinal1": cut_points(3, rng)}
    columns = {
        "real0": 10 + 3 * z[:, 0],
        "real1": -z[:, 1],
        "positive0": np.exp(2 + z[:, 2]),
        "positive1": np.exp(0.5 * z[:, 3]),
        "bounded0": 100 * ndtr(0.3 + z[:, 4]),
        "bounded1": 100 * ndtr(-1 + 0.7 * z[:, 5]),
        "skewed0": MARGINS[0].forward(z[:, 6]),
        "skewed1": MARGINS[4].forward(z[:, 7]),
        **{name: answers(z[:, 8 + i], own) for i, (name, own) in enumerate(cuts.items())},
        **{f"binary{i}": pd.array(z[:, 10 + i] > (0.0, 0.8)[i], dtype="boolean") for i in range(2)},
    }
    kinds = {name: name[:-1] for name in columns if name.startswith(("positive", "skewed"))}
    return Sample(pd.DataFrame(columns), np.zeros(d), cov, {}, cuts, kinds)


def nominal(seed: int, n: int = 2000, levels: tuple[int, ...] = (3, 4, 5, 6), *, logit: bool = False) -> Sample:
    """Three covariates, an ordered answer, and unordered ones of so many ``levels``.

    Utilities are linear in a normal vector, with independent errors: normal, or those of a multinomial logit (Gumbel).
    The kind's own model is neither: it has the utilities themselves independent, not their errors. The truth is that of
    the former.
    """
    rng = np.random.default_rng(seed)
    cov = 0.6 * correlation(4, rng) + 0.4 * np.eye(4)
    x = rng.standard_normal((n, 4)) @ np.linalg.cholesky(cov).T
    cuts = {"o": cut_points(4, rng)}
    columns = {**{f"x{j}": x[:, j] for j in range(3)}, "o": answers(x[:, 3], cuts["o"])}
    d = 4 + sum(levels) - len(levels)
    mean, loadings, noise = np.zeros(d), np.zeros((d, 4)), np.zeros((d, d))
    loadings[:4] = np.eye(4)
    at = 4
    for k in levels:
        own = slice(at, at + k - 1)
        slope, base = rng.normal(0, 0.8, (k, 4)), rng.normal(0, 0.5, k)
        error = rng.gumbel(0, np.sqrt(6) / np.pi, (n, k)) if logit else rng.standard_normal((n, k))
        utility = base + x @ slope.T + error
        names = list("nsewxyz"[:k])
        columns[f"n{k}"] = pd.Categorical.from_codes(utility.argmax(axis=1), names)
        mean[own], loadings[own] = base[1:] - base[0], slope[1:] - slope[0]
        noise[own, own] = np.eye(k - 1) + 1
        at += k - 1
    return Sample(pd.DataFrame(columns), mean, loadings @ cov @ loadings.T + noise, {}, cuts)


def mcar(sample: Sample, share: float, seed: int) -> np.ndarray:
    """Gaps (n, columns) bool, each cell alike."""
    return np.random.default_rng([seed, 1]).random(sample.complete.shape) < share


def mar(sample: Sample, share: float, seed: int) -> np.ndarray:
    """Gaps (n, columns) bool in two thirds of the columns: every third one, from the first, is complete.

    A cell is missing with a probability that rises with a random linear combination of the complete columns' ranks
    (logistic, slope 1.5 an sd).
    """
    rng = np.random.default_rng([seed, 2])
    values = pd.DataFrame(sample.codes)
    n, d = values.shape
    kept = np.arange(0, d, 3)
    drivers = values[kept].rank().to_numpy()
    drivers = (drivers - drivers.mean(axis=0)) / drivers.std(axis=0)
    gone = np.zeros((n, d), dtype=bool)
    for j in np.setdiff1d(np.arange(d), kept):
        x = drivers @ rng.standard_normal(len(kept))
        gone[:, j] = rng.random(n) < chance(1.5 * x / x.std(), share)
    return gone


def chance(x: np.ndarray, share: float) -> np.ndarray:
    """expit(a + x), with the a at which its mean is ``share``."""
    low, high = -30.0, 30.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if expit(middle + x).mean() < share else (low, middle)
    return expit(low + x)
