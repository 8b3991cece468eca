"""Likelihood-ratio tests: closed forms on complete data, nesting that is checked, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import references
from mixedtables import mixed
from scipy.stats import chi2
from tables import correlated

import emimpute


def numbers(n: int = 80, d: int = 3, gone: float = 0.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = correlated(rng, n, d)
    x[rng.random(x.shape) < gone] = np.nan
    return pd.DataFrame(x, columns=list("abc"[:d]))


def test_independence_of_complete_columns():
    """Twice the loss is -n log(1 - r²), with one degree of freedom."""
    df = numbers(d=2)
    whole = emimpute.fit(df)
    found = whole.lr_test([emimpute.fit(df[["a"]]), emimpute.fit(df[["b"]])])
    expected = -80 * np.log(1 - whole.corr.loc["a", "b"] ** 2)
    assert found.df == 1
    assert found.statistic == pytest.approx(expected)
    assert found.pvalue == pytest.approx(chi2.sf(expected, 1))
    assert "chi2(1)" in repr(found)


def test_groups_of_complete_rows():
    """Twice the loss is n log|Σ| - Σ n_g log|Σ_g|, with df the parameters of each group more."""
    df = numbers()
    groups = [df[:30], df[30:60], df[60:]]
    found = emimpute.lr_test([emimpute.fit(one) for one in groups], emimpute.fit(df))
    logdet = [np.linalg.slogdet(one.cov(ddof=0))[1] for one in (df, *groups)]
    assert found.df == 2 * 9
    assert found.statistic == pytest.approx(80 * logdet[0] - np.dot([30, 30, 20], logdet[1:]))


def test_with_gaps_p_values_are_uniform():
    """About one in twenty tables of equal groups is refused at .05."""
    refused = half = 0
    for seed in range(100):
        df = numbers(n=400, d=2, gone=0.2, seed=seed)
        found = emimpute.lr_test([emimpute.fit(df[:200]), emimpute.fit(df[200:])], emimpute.fit(df))
        refused += found.pvalue < 0.05
        half += found.pvalue < 0.5
    assert found.df == 5
    assert refused <= 14  # binomial: .9998 within
    assert 30 <= half <= 70


def test_a_log_likelihood_of_ones_own():
    """As a structural equation model's; df is then needed."""
    fit = emimpute.fit(numbers())
    found = fit.lr_test(fit.loglik - 2.0, df=3)
    assert (found.statistic, found.df) == (pytest.approx(4.0), 3)
    assert found.pvalue == pytest.approx(chi2.sf(4.0, 3))
    with pytest.raises(emimpute.EMImputeError, match="needs df="):
        fit.lr_test(fit.loglik - 2.0)
    with pytest.raises(emimpute.EMImputeError, match="likelier"):
        fit.lr_test(fit.loglik + 2.0, df=3)


def test_with_intervals_parameters_are_those_that_are_estimated():
    """An ordered column against a number: one covariance."""
    df = mixed(nominal=False)[["x", "o"]].dropna()
    found = emimpute.fit(df).lr_test([emimpute.fit(df[["x"]]), emimpute.fit(df[["o"]])])
    assert found.df == 1
    assert 5 < found.statistic < 60


def test_weights_and_repeated_rows_tell_the_same():
    """A weight is so many rows."""
    df = numbers(d=2, gone=0.1)
    one = emimpute.lr_test([emimpute.fit(df[:40]), emimpute.fit(df[40:])], emimpute.fit(df))
    both = emimpute.lr_test(
        [emimpute.fit(part, weights=np.full(len(part), 2.0)) for part in (df[:40], df[40:])],
        emimpute.fit(df, weights=np.full(80, 2.0)),
    )
    assert both.statistic == pytest.approx(2 * one.statistic, rel=1e-8)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda df: (emimpute.fit(df), emimpute.fit(df[["a", "b"]])), "same columns.*'c'"),
        (lambda df: (emimpute.fit(df), emimpute.fit(df[:40])), "same cells.*'a'"),
        (lambda df: ([emimpute.fit(df[:40]), emimpute.fit(df[40:])], emimpute.fit(df * 2)), "same cells"),
        (lambda df: (emimpute.fit(df), emimpute.fit(df)), "fewer parameters"),
        (lambda df: (emimpute.fit(df, prior=3), -1.0), "under the prior"),
        (lambda df: (emimpute.fit(df), "fit"), "a fit or a list of fits"),
        (lambda df: (emimpute.fit(df), emimpute.read_json(emimpute.fit(df).to_json())), "needs the data"),
        (lambda _: (emimpute.fit(references.load("filematch_hs").frame, prior=None), -1.0), "flat.*counted"),
    ],
)
@pytest.mark.filterwarnings("ignore::emimpute.EMImputeWarning")
def test_what_cannot_be_compared(of, said):
    """Is refused with the reason."""
    with pytest.raises(emimpute.EMImputeError, match=said):
        emimpute.lr_test(*of(numbers(gone=0.1)), df=None if said != "under the prior" else 1)
