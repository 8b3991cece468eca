r"""Laws drawn from the posterior distribution by data augmentation (Tanner & Wong 1987; Schafer 1997, chapter 5).

An I-step draws the missing cells given the parameters, a P-step the parameters given the completed cells. The prior is
the noninformative one, with density :math:`|\Sigma|^{-(d+1)/2}`, times that of the fit's ridge if it has one, so with
n rows of mean :math:`\bar z` and scatter S about it, and a ridge that adds df rows with the scatter R,

.. math:: \Sigma \sim W^{-1}(n - 1 + df, S + R), \qquad \mu \mid \Sigma \sim N(\bar z, \Sigma / n).

The chain's memory is what EM's speed tells: a linear function of the parameters with the fraction λ of its information
missing has about the autocorrelation λ^k after k steps, and the worst one has EM's rate for λ. Burn-in and thinning are
chosen by that, from several chains with starts that are spread more widely than the posterior is; how the worst linear
function then behaved is measured and told (https://doi.org/10.1201/9781439821862).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import EMImputeError
from emimpute.inference.keyed import stream
from emimpute.models.complete import complete
from emimpute.models.mvn import MVN, Normal

if TYPE_CHECKING:
    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

__all__ = ["Chains", "sample"]

_CHAINS = 4
_FORGOTTEN = 0.01  # of the start's distance, when burn-in ends
_APART = 0.05  # autocorrelation of the worst linear function between draws that are kept
_LEAST = 10, 5  # steps of burn-in and between draws, at least
_MOST = 200_000  # steps of all chains
_NARROW = 0.5  # of the posterior's precision, that starts are drawn with


@dataclass(frozen=True)
class Chains:
    """How the posterior was sampled.

    Attributes
    ----------
    chains, burn_in, thinning
        How many there were, their steps before the first draw was kept, and from one that was kept to the next.
    rate
        EM's rate, the largest fraction of missing information, by which these were chosen.
    worst
        The parameter that is nearest to the worst linear function.
    autocorrelation
        Of the worst linear function, between draws of one chain that were kept; NaN with too few of them.
    rhat
        Potential scale reduction of the worst linear function (Gelman & Rubin 1992,
        https://doi.org/10.1214/ss/1177011136) over the second and later steps after burn-in: near 1 when chains agree.
    """

    chains: int
    burn_in: int
    thinning: int
    rate: float
    worst: str
    autocorrelation: float
    rhat: float

    def __str__(self) -> str:
        return (
            f"{self.chains} chains, burn-in {self.burn_in}, thinning {self.thinning} (EM's rate {self.rate:.3f}); "
            f"worst linear function ({self.worst}): autocorrelation of draws {self.autocorrelation:.2f}, "
            f"R-hat {self.rhat:.3f}"
        )


def sample(
    law: Law, latent: Latent, prior: Any, worst: tuple[float, np.ndarray, str], *, m: int, seed: tuple[int, ...]
) -> tuple[list[Normal], Chains]:
    """Parameters of m laws, independent but for what ``Chains`` says, for points and holes (n, d).

    ``worst`` is the largest fraction of missing information, the coefficients of its linear function of means and
    covariances (lower triangle column by column), and its name. Raises EMImputeError where the posterior is improper,
    or the chains would be too long.
    """
    rate, coefficients, name = worst
    chain = _Chain.of(law, latent, prior)
    burn_in, thinning = _lengths(rate)
    each = math.ceil(m / _CHAINS)
    if _CHAINS * (burn_in + each * thinning) > _MOST:
        msg = (
            f"EM's rate here is {rate:.6f}, so that draws from the posterior would need {thinning} steps each to be "
            f"independent: use draw(method='bootstrap'), or fit with prior='auto'."
        )
        raise EMImputeError(msg)
    kept: list[list[Normal]] = []
    paths = np.empty((_CHAINS, each * thinning))
    for c in range(_CHAINS):
        rng = np.random.default_rng(stream(seed, c, 2))
        params, own = chain.start(rng, rate), []
        for step in range(burn_in + each * thinning):
            params = chain.step(params, rng)
            after = step - burn_in
            if after >= 0:
                natural = chain.natural(params)
                paths[c, after] = coefficients @ _vector(natural)
                if (after + 1) % thinning == 0:
                    own.append(natural)
        kept.append(own)
    found = [kept[i % _CHAINS][i // _CHAINS] for i in range(m)]
    told = Chains(_CHAINS, burn_in, thinning, rate, name, _autocorrelation(paths, thinning), _rhat(paths))
    return found, told


def _lengths(rate: float) -> tuple[int, int]:
    """Burn-in and thinning, by the EM rate."""
    if not 0 <= rate < 1:
        msg = "The fit is at no proper maximum, so chains have no length to go by: use draw(method='bootstrap')."
        raise EMImputeError(msg)
    slow = math.log(max(rate, 1e-300))
    burn_in, thinning = (math.ceil(math.log(share) / slow) if rate else 1 for share in (_FORGOTTEN, _APART))
    return max(burn_in, _LEAST[0]), max(thinning, _LEAST[1])


@dataclass(frozen=True, eq=False)
class _Chain:
    """Data augmentation in standardised coordinates; rows without a gap are summed once."""

    mode: Normal
    gaps: Latent  # rows with a gap
    rows: int
    first: np.ndarray  # (d,) of rows without one
    second: np.ndarray  # (d, d)
    added: np.ndarray  # (d, d) scatter that the prior adds
    df: float  # of the inverse Wishart
    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)

    @classmethod
    def of(cls, law: Law, latent: Latent, prior: Any) -> _Chain:
        problem: Any = MVN().bind(latent, None, prior)
        centre, scale = problem.centre, problem.scale
        observed = latent.observed
        used = observed.any(axis=1)
        whole = observed.all(axis=1)
        z = (latent.points - centre) / scale
        z[~observed] = np.nan
        d, rows = z.shape[1], int(used.sum())
        ridge = 0.0 if prior is None else float(prior.df)
        df = rows - 1 + ridge
        if df < d:
            msg = (
                f"With {rows} rows and {d} columns the posterior has no proper distribution: use fewer columns, or a "
                f"ridge of more prior df."
            )
            raise EMImputeError(msg)
        points = z[used & ~whole]
        params = Normal((law.params.mean - centre) / scale, law.params.cov / np.outer(scale, scale))
        delta = problem.delta if not hasattr(problem, "unfactored") else problem.unfactored().delta
        return cls(
            params,
            replace(latent, lower=points, upper=points),
            rows,
            z[whole].sum(axis=0),
            z[whole].T @ z[whole],
            np.diag(ridge * delta),
            df,
            centre,
            scale,
        )

    def start(self, rng: np.random.Generator, rate: float) -> Normal:
        """A place farther from the mode than draws from the posterior are."""
        d = len(self.centre)
        rows = max(_NARROW * (1 - rate) * self.df, d + 2.0)
        cov = _inverse_wishart(rows, rows * self.mode.cov, rng)
        return Normal(self.mode.mean + np.linalg.cholesky(cov / rows) @ rng.standard_normal(d), cov)

    def step(self, params: Normal, rng: np.random.Generator) -> Normal:
        """I-step and P-step."""
        z, _ = complete(params.mean, params.cov, self.gaps, rng=rng)
        mean = (self.first + z.sum(axis=0)) / self.rows
        scatter = self.second + z.T @ z - self.rows * np.outer(mean, mean) + self.added
        cov = _inverse_wishart(self.df, scatter, rng)
        return Normal(mean + np.linalg.cholesky(cov) @ rng.standard_normal(len(mean)) / math.sqrt(self.rows), cov)

    def natural(self, params: Normal) -> Normal:
        """In the coordinates' units."""
        return Normal(self.centre + self.scale * params.mean, params.cov * np.outer(self.scale, self.scale))


def _inverse_wishart(df: float, scatter: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A draw (d, d), by Bartlett's decomposition: Σ = L B⁻ᵀ B⁻¹ Lᵀ with LLᵀ the scatter."""
    d = len(scatter)
    bartlett = np.tril(rng.standard_normal((d, d)), -1)
    bartlett[np.diag_indices(d)] = np.sqrt(rng.chisquare(df - np.arange(d)))
    root = np.linalg.solve(bartlett, np.linalg.cholesky(scatter).T)
    return np.asarray(root.T @ root)


def _vector(params: Normal) -> np.ndarray:
    """Means, and covariances in the lower triangle column by column."""
    i, j = np.triu_indices(len(params.mean))
    return np.concatenate([params.mean, params.cov[i, j]])


def _autocorrelation(paths: np.ndarray, lag: int) -> float:
    """Of the values of one chain (rows) that are ``lag`` apart."""
    z = paths - paths.mean()
    if paths.shape[1] < 2 * lag or not z.any():
        return float("nan")
    return float((z[:, :-lag] * z[:, lag:]).mean() / (z * z).mean())


def _rhat(paths: np.ndarray) -> float:
    """Potential scale reduction of chains (rows)."""
    length = paths.shape[1]
    within = paths.var(axis=1, ddof=1).mean()
    between = paths.mean(axis=1).var(ddof=1)
    return float(np.sqrt((length - 1) / length + between / within)) if within > 0 else float("nan")
