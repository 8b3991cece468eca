r"""Laws drawn from the posterior distribution by data augmentation (Tanner & Wong 1987; Schafer 1997, chapter 5).

An I-step draws the missing cells given the parameters, a P-step the parameters given the completed cells. The prior is
the noninformative one, with density :math:`|\Sigma|^{-(d+1)/2}`, times that of the fit's ridge if it has one, so with
n rows of mean :math:`\bar z` and scatter S about it, and a ridge that adds df rows with the scatter R,

.. math:: \Sigma \sim W^{-1}(n - 1 + df, S + R), \qquad \mu \mid \Sigma \sim N(\bar z, \Sigma / n).

The chain's memory is what EM's speed tells: a linear function of the parameters with the fraction λ of its information
missing has about the autocorrelation λ^k after k steps, and the worst one has EM's rate for λ. Burn-in and thinning are
chosen by that, from several chains with starts that are spread more widely than the posterior is; how the worst linear
function then behaved is measured and told (https://doi.org/10.1201/9781439821862).

Here for points and holes; where cells are intervals, :mod:`emimpute.inference.drawing.boxposterior` has the steps. A
row of case weight w counts as :mod:`emimpute.inference.drawing.copies` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import EMImputeError
from emimpute.inference.drawing.boxposterior import BoxChain
from emimpute.inference.drawing.bypattern import ByPattern
from emimpute.inference.drawing.copies import NO_COVARIANCE, REDRAWS, copies
from emimpute.inference.drawing.keyed import stream
from emimpute.inference.drawing.wishart import inverse_wishart
from emimpute.models.complete import complete
from emimpute.models.mvn import MVN, CutNormal, Normal

if TYPE_CHECKING:
    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

__all__ = ["Chains", "sample"]

_CHAINS = 4
_FORGOTTEN = 0.01  # of the start's distance, when burn-in ends
_APART = 0.05  # autocorrelation of the worst linear function between draws that are kept
_LEAST = 10, 5  # steps of burn-in and between draws, at least
_MOST = 200_000  # steps of all chains
_CELLS = 2e7  # of the rows that weights stand for
_F = 5.42  # the F distribution of _CHAINS - 1 and infinitely many degrees of freedom has .001 beyond
_AGREED = 1.1  # R-hat that is no matter
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
        https://doi.org/10.1214/ss/1177011136) over all steps after burn-in: near 1 when chains agree.
    limit
        What R-hat stays below in 999 of 1000 cases when chains agree, as few steps as there are (1.1 at least): chains
        that remember as EM's rate says. There is a warning from here on.
    """

    chains: int
    burn_in: int
    thinning: int
    rate: float
    worst: str
    autocorrelation: float
    rhat: float
    limit: float

    def __str__(self) -> str:
        how = f"{self.chains} chains, burn-in {self.burn_in}, thinning {self.thinning} (EM's rate {self.rate:.3f}); "
        if not self.worst:
            return f"{how}draws are independent, for no gap tells of the parameters"
        memory = f"autocorrelation of draws {self.autocorrelation:.2f}"
        if math.isnan(self.autocorrelation):
            memory = "no two draws are of one chain"
        few = f" (below {self.limit:.2f} if chains agree)" if self.limit > _AGREED else ""
        return f"{how}worst linear function ({self.worst}): {memory}, R-hat {self.rhat:.3f}{few}"


def sample(
    law: Law,
    latent: Latent,
    weights: np.ndarray | None,
    prior: Any,
    worst: tuple[float, np.ndarray, str],
    *,
    m: int,
    seed: tuple[int, ...],
) -> tuple[list[Normal], Chains]:
    """Parameters of m laws, independent but for what ``Chains`` says, for a table (n, d) with case weights (n,).

    ``worst`` is the largest fraction of missing information, the coefficients of its linear function of means,
    covariances (lower triangle column by column) and cut points, and its name. Raises EMImputeError where the posterior
    is improper, or the chains would be too long.
    """
    rate, coefficients, name = worst
    chain: Any = (BoxChain if latent.boxed else _Chain).of(law, latent, weights, prior)
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
        state, own = chain.start(rng, rate), []
        for step in range(burn_in + each * thinning):
            state = chain.step(state, rng)
            after = step - burn_in
            if after >= 0:
                natural = chain.natural(state)
                paths[c, after] = coefficients @ _vector(natural)
                if (after + 1) % thinning == 0:
                    own.append(natural)
        kept.append(own)
    found = [kept[i % _CHAINS][i // _CHAINS] for i in range(m)]
    limit = _limit(rate, paths.shape[1])
    return found, Chains(_CHAINS, burn_in, thinning, rate, name, _autocorrelation(paths, thinning), _rhat(paths), limit)


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
    gaps: Latent  # rows with a gap, as many copies as their weights say
    weight: np.ndarray  # of these
    rows: float
    first: np.ndarray  # (d,) of rows without one
    second: np.ndarray  # (d, d)
    added: np.ndarray  # (d, d) scatter that the prior adds
    df: float  # of the inverse Wishart
    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    small: ByPattern | None  # the rows with a gap, where these are few

    @classmethod
    def of(cls, law: Law, latent: Latent, weights: np.ndarray | None, prior: Any) -> _Chain:
        problem: Any = MVN().bind(latent, weights, prior)
        centre, scale = problem.centre, problem.scale
        observed = latent.observed
        w = np.ones(len(observed)) if weights is None else np.asarray(weights, dtype=float)
        used = observed.any(axis=1) & (w > 0)
        whole = observed.all(axis=1)
        z = (latent.points - centre) / scale
        z[~observed] = np.nan
        d, rows = z.shape[1], float(w[used].sum())
        ridge = 0.0 if prior is None else float(prior.df)
        df = rows - 1 + ridge
        if df < d:
            msg = (
                f"With {rows:g} rows and {d} columns the posterior has no proper distribution: use fewer columns, or a "
                f"ridge of more prior df."
            )
            raise EMImputeError(msg)
        gaps = np.flatnonzero(used & ~whole)
        if w[gaps].sum() * d > _CELLS:
            msg = (
                f"These case weights stand for {rows:g} rows, and each is drawn for itself: use "
                f"draw(method='bootstrap'), or smaller weights."
            )
            raise EMImputeError(msg)
        again, weight = copies(w[gaps], np.ones(len(gaps), dtype=bool))
        points = z[gaps[again]]
        params = Normal((law.params.mean - centre) / scale, law.params.cov / np.outer(scale, scale))
        delta = problem.delta if not hasattr(problem, "unfactored") else problem.unfactored().delta
        complete_rows = z[used & whole]
        weighted = complete_rows * w[used & whole, None]
        return cls(
            params,
            replace(latent, lower=points, upper=points),
            weight,
            rows,
            weighted.sum(axis=0),
            weighted.T @ complete_rows,
            np.diag(ridge * delta),
            df,
            centre,
            scale,
            ByPattern.of(points, ~np.isnan(points)),
        )

    def start(self, rng: np.random.Generator, rate: float) -> Normal:
        """A place farther from the mode than draws from the posterior are."""
        d = len(self.centre)
        rows = max(_NARROW * (1 - rate) * self.df, d + 2.0)
        cov = inverse_wishart(rows, rows * self.mode.cov, rng)
        return Normal(self.mode.mean + np.linalg.cholesky(cov / rows) @ rng.standard_normal(d), cov)

    def step(self, params: Normal, rng: np.random.Generator) -> Normal:
        """I-step and P-step."""
        for _ in range(REDRAWS):
            try:
                return self._parameters(params, rng)
            except np.linalg.LinAlgError:
                continue
        raise EMImputeError(NO_COVARIANCE)

    def _parameters(self, params: Normal, rng: np.random.Generator) -> Normal:
        if self.small is None:
            z, _ = complete(params.mean, params.cov, self.gaps, rng=rng)
        else:
            z = self.small.draw(params.mean, params.cov, rng.standard_normal(self.small.z.shape))
        weighted = z * self.weight[:, None]
        mean = (self.first + weighted.sum(axis=0)) / self.rows
        scatter = self.second + weighted.T @ z - self.rows * np.outer(mean, mean) + self.added
        cov = inverse_wishart(self.df, scatter, rng)
        return Normal(mean + np.linalg.cholesky(cov) @ rng.standard_normal(len(mean)) / math.sqrt(self.rows), cov)

    def natural(self, params: Normal) -> Normal:
        """In the coordinates' units."""
        return Normal(self.centre + self.scale * params.mean, params.cov * np.outer(self.scale, self.scale))


def _vector(params: Normal) -> np.ndarray:
    """Means, covariances in the lower triangle column by column, and cut points."""
    i, j = np.triu_indices(len(params.mean))
    cuts = params.cuts if isinstance(params, CutNormal) else np.zeros(0)
    return np.concatenate([params.mean, params.cov[i, j], cuts])


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


def _limit(rate: float, length: int) -> float:
    """What R-hat of chains that agree seldom exceeds.

    Their means vary by the share τ/length of the variance, τ = (1 + λ)/(1 - λ), and the ratio to what is expected of
    them is about an F of 3 and many degrees of freedom.
    """
    share = (1 + rate) / (1 - rate) / length
    return max(math.sqrt(1 + _F * share / max(1 - share, 0.1)), _AGREED)
