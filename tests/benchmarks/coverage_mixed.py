"""How often 95 % intervals cover: probit and logistic regression, a binary outcome and ordinal covariates with gaps.

Run with ``python tests/benchmarks/coverage_mixed.py [WORLD ...]``: 1000 replications of each, some hour a world.
``--first``, ``--results FILE`` and ``QUICK=1`` are as in ``coverage.py``. A replication draws n = 400 rows: x normal,
a of five ordered answers, b of three, both cut from normal u and v, correlated .4 with x and each other; and a binary
y, in three ways:

- latent: y = 1 where .2 + .5 x + .5 u - .5 v + e > 0, so that the columns are one normal distribution, cut: what the
  imputation supposes;
- probit: P(y = 1) = Φ(η) with η = .1 + .5 x + .4 (a - 2) - .5 (b - 1), so the analysis is right and the imputation
  nearly;
- logistic: P(y = 1) = 1 / (1 + exp(-1.7 η)), likewise.

Some 30 % of y go, the more often the higher x is, 25 % of a, the more often the lower x is, and 15 % of b at random; x
is complete, so cells are missing at random. Analyses are the probit and the logistic regression of y on x and the
numbers of the answers, by statsmodels, with m = 10. The truth is what the analysis finds in the whole population, by
quasi-Monte Carlo over 2^18 points of (x, u, v), each with its P(y = 1). Where the analysis is the one that made y, that
gives back the coefficients above to 1e-4 of themselves (and these are taken).
"""

from __future__ import annotations

import argparse
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from _replications import answers, coverage, minus, widths
from scipy.special import expit, ndtr, ndtri
from scipy.stats.qmc import Sobol
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning
from threadpoolctl import threadpool_limits

import emimpute

if TYPE_CHECKING:
    from collections.abc import Sequence

WORLDS = ("latent", "probit", "logistic")
ANALYSES = {"probit": (sm.Probit, sm.families.links.Probit()), "logistic": (sm.Logit, sm.families.links.Logit())}
DRAWS = ("bootstrap", "posterior", "plugin")
METHODS = ("complete data", *DRAWS)
KINDS = {"y": "binary", "a": "ordinal", "b": "ordinal"}
FORMULA = "y ~ x + a + b"
TERMS = ("Intercept", "x", "a", "b")
STEEPER = 1.7  # a logistic curve's slope beside the probit's
QUICK = bool(os.environ.get("QUICK"))
POINTS = 14 if QUICK else 18  # log2 of their number


def covariates(z: np.ndarray) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """From standard normal z (3, n): x with the answers a and b, and what they were cut from, u and v."""
    x, u, v = np.linalg.cholesky(np.full((3, 3), 0.4) + 0.6 * np.eye(3)) @ z
    answers_a, answers_b = np.digitize(u, [-1.2, -0.4, 0.4, 1.2]), np.digitize(v, [-0.5, 0.7])
    return pd.DataFrame({"x": x, "a": answers_a.astype(float), "b": answers_b.astype(float)}), u, v


def probability(world: str, z: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The covariates, and P(y = 1) for each row."""
    frame, u, v = covariates(z)
    if world == "latent":
        return frame, ndtr(0.2 + 0.5 * frame["x"].to_numpy() + 0.5 * u - 0.5 * v)
    eta = (0.1 + 0.5 * frame["x"] + 0.4 * (frame["a"] - 2) - 0.5 * (frame["b"] - 1)).to_numpy()
    return frame, ndtr(eta) if world == "probit" else expit(STEEPER * eta)


def truth(world: str, analysis: str) -> pd.Series[Any]:
    """Coefficients of the analysis in the population."""
    if world == analysis:
        return pd.Series([-0.2, 0.5, 0.4, -0.5], index=TERMS) * (1.0 if world == "probit" else STEEPER)
    return in_population(world, analysis)


def in_population(world: str, analysis: str) -> pd.Series[Any]:
    """The same, by the maximum of the expected log-likelihood."""
    points = ndtri(Sobol(3, rng=1).random_base2(POINTS).T)
    frame, share = probability(world, points)
    design = sm.add_constant(frame).set_axis(TERMS, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)  # where it is the analysis that made them, all fit
        return sm.GLM(share, design, family=sm.families.Binomial(ANALYSES[analysis][1])).fit(tol=1e-12).params


def sample(world: str, seed: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Complete data, and the same with gaps."""
    rng = np.random.default_rng([seed, n, WORLDS.index(world)])
    frame, share = probability(world, rng.standard_normal((3, n)))
    whole = frame.assign(y=(rng.random(n) < share).astype(float))
    gaps = whole.copy()
    for column, (level, slope) in {"y": (1.0, 1.0), "a": (1.2, -0.8), "b": (1.75, 0.0)}.items():
        gaps.loc[rng.random(n) < expit(slope * whole["x"] - level), column] = np.nan
    return whole, gaps


def intervals(world: str, method: str, seed: int, n: int, m: int) -> np.ndarray:
    """Estimates and their 95 % intervals (8, 3): of each analysis in turn, from the same imputations."""
    whole, gaps = sample(world, seed, n)
    drawn = emimpute.draw(gaps, m, kinds=KINDS, method=method, rng=seed) if method in DRAWS else None
    found = []
    for model, _ in ANALYSES.values():
        if drawn is None:
            result = model.from_formula(FORMULA, whole).fit(disp=0)
            found.append(np.column_stack([result.params[list(TERMS)], result.conf_int().loc[list(TERMS)]]))
        else:
            params = drawn.pool(FORMULA, model=model).params
            found.append(params.loc[list(TERMS), ["estimate", "ci_low", "ci_high"]].to_numpy())
    return np.vstack(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print tables for each way in which y is made and each analysis, a row for each method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("worlds", nargs="*", default=WORLDS, metavar="WORLD", help=", ".join(WORLDS))
    parser.add_argument("--replications", type=int, default=1 if QUICK else 1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--m", type=int, default=2 if QUICK else 10, help="imputations")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--results", type=Path)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", emimpute.EMImputeWarning)  # plugin warns, as it should
    print(f"{given.replications} replications of n = {given.rows}, m = {given.m}: coverage of 95 % intervals")
    for world in given.worlds:
        with threadpool_limits(1):
            found = answers(
                lambda method, number, world=world: intervals(world, method, number, given.rows, given.m),
                given.methods.split(","),
                range(given.first, given.first + given.replications),
                terms=len(ANALYSES) * len(TERMS),
                settings={"world": world, "rows": given.rows, "m": given.m},
                results=given.results,
            )
        for place, analysis in enumerate(ANALYSES):
            own = slice(place * len(TERMS), (place + 1) * len(TERMS))
            part = {method: replace(one, found=one.found[:, own]) for method, one in found.items()}
            true = truth(world, analysis)
            print(f"\n{world} data, {analysis} regression; truth {', '.join(f'{t} {b:.4f}' for t, b in true.items())}")
            print(coverage(part, true).round(3).to_string())
            if "complete data" in part:
                print("less that with complete data")
                print(minus(part, "complete data", true).round(3).to_string())
            print("bias over the sd of estimates, width of intervals, processor time")
            print(widths(part, true).round(3).to_string())
        for method, answer in found.items():
            for why in sorted(set(answer.failed)):
                print(f"{method} failed {answer.failed.count(why)} times: {why}")


if __name__ == "__main__":
    main()
