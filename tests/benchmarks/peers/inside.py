"""The peers that are Python, each as its users call it: a frame with gaps in, mean and covariance out.

A peer that keeps no mean or covariance gives those of its completed table, which is what its users would compute. Each
imports inside its function, for it may not be installed.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Estimate = tuple[np.ndarray, np.ndarray]  # mean (d,), covariance (d, d)
DRAWS = 20  # Gibbs cycles of statsmodels; R's mice does 5 by default, and statsmodels has no default


def emimpute(df: pd.DataFrame) -> Estimate:
    import emimpute as package

    fits: list[package.Fit] = []
    package.impute(df, report=fits.append)
    return fits[0].mean.to_numpy(), fits[0].cov.to_numpy()


def iterative_imputer(df: pd.DataFrame) -> Estimate:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return _moments(IterativeImputer().set_output(transform="pandas").fit_transform(df))


def pystatistics(df: pd.DataFrame) -> Estimate:
    from pystatistics.mvnmle import mlest

    found = mlest(df, method="em")
    return np.asarray(found.muhat), np.asarray(found.sigmahat)


def gcimpute(df: pd.DataFrame) -> Estimate:
    from gcimpute.gaussian_copula import GaussianCopula

    return _moments(pd.DataFrame(GaussianCopula().fit_transform(df)))


def bayes_gauss(df: pd.DataFrame) -> Estimate:
    from statsmodels.imputation.bayes_mi import BayesGaussMI

    sampler = BayesGaussMI(df, rng=np.random.default_rng(1))
    means, covs = [], []
    for _ in range(DRAWS):
        sampler.update()
        means.append(sampler.mean)
        covs.append(sampler.cov)
    return np.mean(means[DRAWS // 2 :], axis=0), np.mean(covs[DRAWS // 2 :], axis=0)


def chained(df: pd.DataFrame) -> Estimate:
    from statsmodels.imputation.mice import MICEData

    data = MICEData(df)
    data.update_all(5)
    return _moments(data.data[df.columns])


def _moments(done: pd.DataFrame) -> Estimate:
    return done.mean().to_numpy(), done.cov(ddof=0).to_numpy()


PEERS: dict[str, tuple[str, Callable[[pd.DataFrame], Estimate]]] = {
    # name: (the distribution that has it, the call)
    "emimpute": ("emimpute", emimpute),
    "scikit-learn IterativeImputer": ("scikit-learn", iterative_imputer),
    "pystatistics mlest EM": ("pystatistics", pystatistics),
    "gcimpute GaussianCopula": ("gcimpute", gcimpute),
    "statsmodels BayesGaussMI": ("statsmodels", bayes_gauss),
    "statsmodels MICEData": ("statsmodels", chained),
}
