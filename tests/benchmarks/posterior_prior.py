"""How far posterior means of correlations are from the truth under several priors, and how often intervals cover.

``python tests/benchmarks/posterior_prior.py [ROWS [COLUMNS [REPLICATIONS]]]``, with ``QUICK=1`` two small tables:
ordered columns of four answers with latent correlations of .5, 15 % of the cells missing at random. The prior on the
correlation matrix has the density |R|^-(d+1)/2, which ``draw(method="posterior")`` uses, its root, or none at all
(uniform); the ridge of half a row goes with the first two.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pandas as pd

import emimpute
from emimpute.inference.drawing.boxposterior import BoxChain

TRUTH, CUTS, GAPS = 0.5, [-1.0, 0.0, 0.8], 0.15
BURN_IN, STEPS = 60, 600
PRIORS = {"uniform": (1.0, 0.0), "halfway": (0.5, 0.5), "noninformative": (0.0, 0.5)}


class Chain(BoxChain):
    """The chain, with the density |R|^-(1 - share)(d+1)/2 on correlations and another ridge."""

    share = 0.0

    def _weight(self, block: np.ndarray, slopes: np.ndarray, rest: np.ndarray) -> float:
        logs = np.log(np.diag(rest) + np.einsum("ij,ij->j", slopes, block @ slopes))
        dets = np.linalg.slogdet(block)[1] + np.linalg.slogdet(rest)[1]
        power = self.share * (len(self.mode.mean) + 1)
        return super()._weight(block, slopes, rest) + power / 2 * float(dets - logs.sum())


def table(seed: int, n: int, d: int) -> pd.DataFrame:
    """One table with its gaps."""
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal(np.zeros(d), TRUTH + (1 - TRUTH) * np.eye(d), n)
    answers = {
        f"q{j}": pd.Categorical.from_codes(np.digitize(z[:, j], CUTS), list("abcd"), ordered=True) for j in range(d)
    }
    return pd.DataFrame(answers).mask(rng.random((n, d)) < GAPS)


def posterior(fit: emimpute.Fit, df: pd.DataFrame, prior: str, seed: int) -> np.ndarray:
    """Mean, sd, and the ends of 95 % intervals of the correlations, (4, p)."""
    chain = Chain.of(fit.law, fit.law.table.encode(df, fit.law.table.match(df)), None, None)
    share, ridge = PRIORS[prior]
    object.__setattr__(chain, "share", share)
    object.__setattr__(chain, "more", ridge)
    rng = np.random.default_rng(seed)
    state, (i, j), found = chain.start(rng, 0.4), np.triu_indices(df.shape[1], 1), []
    for step in range(BURN_IN + STEPS):
        state = chain.step(state, rng)
        if step >= BURN_IN:
            found.append(state.params.cov[i, j])
    return np.array([np.mean(found, axis=0), np.std(found, axis=0), *np.quantile(found, [0.025, 0.975], axis=0)])


def main(n: int = 200, d: int = 8, replications: int = 60) -> None:
    """Print a line for each prior."""
    estimates, found = [], {prior: [] for prior in PRIORS}
    for seed in range(replications):
        df = table(1000 + seed, n, d)
        fit = emimpute.fit(df, prior=None, tol=1e-3)
        estimates.append(fit.corr.to_numpy()[np.triu_indices(d, 1)])
        for prior, own in found.items():
            own.append(posterior(fit, df, prior, seed))
    likelihood = np.array(estimates)
    off = likelihood.mean(axis=1) - TRUTH
    print(f"{n} rows, {d} columns, {replications} tables; maximum likelihood: bias {off.mean():+.3f}")
    for prior, own in found.items():
        mean, sd, low, high = np.array(own).transpose(1, 0, 2)
        off, covered = mean.mean(axis=1) - TRUTH, ((low <= TRUTH) & (high >= TRUTH)).mean(axis=1)
        errors = [x.std(ddof=1) / np.sqrt(replications) for x in (off, covered)]
        print(
            f"{prior:<15} bias {off.mean():+.3f} ({errors[0]:.3f}), less than by maximum likelihood: "
            f"{(likelihood - mean).mean():.3f}; sd {sd.mean():.3f}; covers {covered.mean():.3f} ({errors[1]:.3f})"
        )


if __name__ == "__main__":
    quick = ["200", "3", "2"] if os.environ.get("QUICK") else []
    main(*map(int, sys.argv[1:4] or quick))
