"""Pooled regressions beside Amelia's, mice's and norm2's of the same tables, as far as the models are the same."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from benchmarks.beside import beside, pooled

NOISE = 3.5  # Monte-Carlo errors that a difference may have
OTHER_WAY = 0.05  # of a standard error, where parameters are drawn in another way: some 4 of them over 110 rows
OTHER_PRIOR = 0.2  # the same where there are 25 rows


@functools.cache
def found(name, m, method):
    return pooled(name, m, method)


def held(table, apart, ratio):
    """Estimates and standard errors are this near, but for Monte-Carlo error."""
    assert (table["apart"].abs() < apart + NOISE * table["noise"]).all(), table
    assert (np.abs(table["ratio"] - 1) < ratio + NOISE * table["noise_ratio"]).all(), table


@pytest.mark.parametrize(
    ("name", "peer", "method"),
    [
        ("airquality", "amelia", "bootstrap"),
        ("airquality", "norm2_da", "posterior"),
        ("nhanes", "norm2_da", "posterior"),
    ],
)
def test_the_same_model_drawn_in_the_same_way(name, peer, method):
    """Nothing but Monte-Carlo error."""
    held(beside(found(name, 60, method), name, peer), 0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "peer", "method", "ratio"),
    [
        ("airquality", "norm2_da", "bootstrap", OTHER_WAY),
        ("airquality", "mice_norm", "bootstrap", OTHER_WAY),
        ("airquality", "amelia", "posterior", OTHER_WAY),
        ("airquality", "mice_norm", "posterior", OTHER_WAY),
        ("nhanes", "norm2_da", "bootstrap", OTHER_PRIOR),
        ("nhanes", "mice_norm", "posterior", OTHER_PRIOR),
    ],
)
def test_the_same_model_drawn_in_another_way(name, peer, method, ratio):
    """The same estimates; standard errors differ by what the way to draw parameters does in few rows.

    On the 25 rows of nhanes residual variances are .6 times as large in bootstrap samples as in draws from the
    posterior: maximum likelihood takes off no degrees of freedom, in the data (.70) nor again in the samples (.87).
    Amelia's standard errors are ten times too large there: they come from a few imputations with huge values.
    """
    held(beside(found(name, 60, method), name, peer), 0.0, ratio)


def test_beside_predictive_mean_matching():
    """Another model: it pulls slopes by up to .3 of a standard error, as mice's own normal draws show beside it."""
    held(beside(found("airquality", 60, "bootstrap"), "airquality", "mice"), 0.25, OTHER_WAY)


@pytest.mark.parametrize("peer", ["mice", "amelia"])
def test_ordered_answers_beside_other_models(peer):
    """Proportional odds in mice, normal draws rounded in Amelia, a normal variable that is cut here.

    Of the boys under 8 one has an answer, and the coefficient of the answers is what the models put there: below 0 with
    all three, and above 0 where the boys are older. All three are equally unsure of it.
    """
    ours = found("boys_mixed", 5, "bootstrap")
    table = beside(ours, "boys_mixed", peer)
    held(table.assign(apart=0.0), 0.0, 0.1)
    assert ours.params.loc["gen", "ci_high"] < 0
    assert (table["apart"].abs() < 2).all()
