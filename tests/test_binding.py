"""``emimpute.bind``: the problem of a frame, for whoever wants to hold the loop."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from frames import numeric

import emimpute
from emimpute.em import Stop, iterates


def messy():
    """Whole numbers far from 0, weights, text, a constant, and a row that counts for nothing."""
    df = numeric(60).assign(year=pd.array(1990 + np.arange(60) % 7, dtype="Int64"), text="a", same=1.0)
    weights = 1.0 + np.arange(60) % 3
    weights[4] = 0.0
    return df, weights


@pytest.mark.parametrize("prior", [None, "ridge", 0.5])
def test_the_loop_by_hand_is_the_fit(prior):
    """The same path to the same estimate, under the same labels and in the same units."""
    df, weights = messy()
    fit = df.em.fit(prior=prior, weights=weights)
    problem = emimpute.bind(df, prior=prior, weights=weights)
    history = list(iterates(problem))
    last = problem.natural(history[-1].params)
    assert history[-1].stop is Stop.CONVERGED
    assert list(problem.labels) == list(fit.mean.index)
    np.testing.assert_allclose(last.mean, fit.mean, rtol=1e-12)
    np.testing.assert_allclose(last.cov, fit.cov, rtol=1e-9, atol=1e-12)
    assert [i.esteps for i in history] == fit.trace["esteps"].tolist()


def test_it_has_all_that_the_models_problem_has():
    df, _ = messy()
    problem = emimpute.bind(df, columns=["x", "y"])
    start = problem.start(np.random.default_rng(0))
    assert problem.expect(start)[1] < problem.expect(problem.maximize(problem.expect(start)[0]))[1]
    assert not problem.closed
    with pytest.raises(AttributeError, match="unheard_of"):
        _ = problem.unheard_of


def test_it_can_be_copied_and_pickled():
    problem = emimpute.bind(messy()[0])
    for other in (copy.deepcopy(problem), pickle.loads(pickle.dumps(problem))):  # noqa: S301 (our own bytes)
        assert list(other.labels) == list(problem.labels)
        assert other.rows == problem.rows


@pytest.mark.parametrize(
    "df", [pd.DataFrame({"a": ["x", "y"]}), pd.DataFrame({"a": [1.0, 1.0]}), pd.DataFrame({"a": [1.0, np.inf]})]
)
def test_what_cannot_be_fitted_cannot_be_bound(df):
    with pytest.raises(emimpute.ColumnError):
        emimpute.bind(df)


def test_only_a_frame_can_be_bound():
    with pytest.raises(emimpute.ColumnError, match="pandas DataFrame"):
        emimpute.bind([1.0, None])


def test_the_loop_by_hand_tells_a_bounded_edge():
    """Three pairs of columns whose correlations fit no matrix, and a column that is the sum of two others."""
    rng, x = np.random.default_rng(0), np.full((90, 3), np.nan)
    for k, (pair, r) in enumerate({(0, 1): 0.9, (1, 2): 0.9, (0, 2): -0.9}.items()):
        x[30 * k : 30 * k + 30, pair] = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 30)
    bounded = emimpute.bind(pd.DataFrame(x))
    *_, last = iterates(bounded)
    assert last.stop is Stop.UNBOUNDED
    assert bounded.stop(last) is Stop.SINGULAR
    df = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"]).assign(c=lambda t: t.a + t.b)
    df.loc[::5, "a"], df.loc[2::7, "c"] = np.nan, np.nan
    unbounded = emimpute.bind(df)
    *_, last = iterates(unbounded)
    assert unbounded.stop(last) is Stop.UNBOUNDED


def test_any_other_stop_is_the_loops():
    problem = emimpute.bind(messy()[0])
    history = list(iterates(problem))
    assert problem.stop(history[0]) is None
    assert problem.stop(history[-1]) is Stop.CONVERGED
