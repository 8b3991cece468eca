"""What holes are filled with: expectations, variances, draws."""

import numpy as np
import pytest
from tables import anywhere, latent

from emimpute.models.mvn import MVN, Normal

DRAWS = 4000
MONTE_CARLO = 5 / np.sqrt(DRAWS)  # five standard errors


def conditional(row, mean, cov):
    o, m = ~np.isnan(row), np.isnan(row)
    slope = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, m)]).T
    return mean[m] + slope @ (row[o] - mean[o]), cov[np.ix_(m, m)] - slope @ cov[np.ix_(o, m)]


def holed(d=5, n=30, seed=0, share=0.4, least=0.1):
    rng = np.random.default_rng(seed)
    mean, cov = anywhere(rng, d, least)
    x = rng.standard_normal((n, d)) @ np.linalg.cholesky(cov).T + mean
    x[rng.random(x.shape) < share] = np.nan
    x[0], x[1] = np.nan, np.nan_to_num(x[1])
    return x, mean, cov


@pytest.mark.parametrize(("share", "least"), [(0.2, 0.1), (0.8, 0.1), (0.4, 1e-9)])
def test_expectations_and_variances(share, least):
    """Row by row, by regression; an empty row gets the mean; above a condition number of 1e8 too."""
    x, mean, cov = holed(share=share, least=least)
    filled, covariances = MVN().complete(Normal(mean, cov), latent(x), variance=True)
    variance = np.column_stack([each[:, 0, 0] for each in covariances])
    assert (filled[~np.isnan(x)] == x[~np.isnan(x)]).all()
    assert (variance[~np.isnan(x)] == 0).all()
    for i, row in enumerate(x):
        m = np.isnan(row)
        expectation, law = conditional(row, mean, cov)
        np.testing.assert_allclose(filled[i, m], expectation, atol=1e-8 if least > 1e-6 else 1e-5)
        np.testing.assert_allclose(variance[i, m], np.diag(law), rtol=1e-8 if least > 1e-6 else 1e-3, atol=1e-12)


def test_units_do_not_matter():
    x, mean, cov = holed()
    scale = np.array([1e6, -1e-6, 1.0, 1e3, -1.0])
    one = MVN().complete(Normal(mean, cov), latent(x))[0]
    other = MVN().complete(Normal(mean * scale, cov * np.outer(scale, scale)), latent(x * scale))[0]
    np.testing.assert_allclose(other / scale, one, rtol=1e-9, atol=1e-9)


def test_a_rows_answer_does_not_depend_on_the_others():
    x, mean, cov = holed()
    whole = MVN().complete(Normal(mean, cov), latent(x))[0]
    for i in range(len(x)):
        alone = MVN().complete(Normal(mean, cov), latent(x[[i]]))[0]
        np.testing.assert_allclose(alone[0], whole[i], rtol=1e-12, atol=1e-12)


def test_a_complete_table_comes_back():
    x = np.arange(6.0).reshape(3, 2)
    filled, covariances = MVN().complete(Normal(np.zeros(2), np.eye(2)), latent(x), variance=True)
    assert (filled == x).all()
    assert all((each == 0).all() for each in covariances)


@pytest.mark.parametrize("pattern", [[0], [0, 1], [1, 3, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]])
def test_draws_follow_the_conditional_law(pattern):
    """Mean and covariance of many draws of one row, in both forms and where nothing is observed."""
    _, mean, cov = holed()
    row = mean + np.array([1.0, -0.5, 0.3, 0.8, -1.2])
    row[pattern] = np.nan
    draws, _ = MVN().complete(Normal(mean, cov), latent(np.tile(row, (DRAWS, 1))), rng=np.random.default_rng(7))
    expectation, law = conditional(row, mean, cov) if len(pattern) < 5 else (mean, cov)
    drawn = draws[:, pattern]
    sd = np.sqrt(np.diag(law))
    assert (np.abs(drawn.mean(axis=0) - expectation) < MONTE_CARLO * sd).all()
    assert (np.abs(np.cov(drawn.T).reshape(law.shape) - law) < 2 * MONTE_CARLO * np.outer(sd, sd)).all()


def test_draws_of_different_rows_are_independent():
    _, mean, cov = holed()
    row = np.where(np.arange(5) < 3, mean, np.nan)
    draws = MVN().complete(Normal(mean, cov), latent(np.tile(row, (DRAWS, 1))), rng=np.random.default_rng(8))[0]
    lagged = np.corrcoef(draws[:-1, 4], draws[1:, 4])[0, 1]
    assert abs(lagged) < MONTE_CARLO


def test_the_same_seed_gives_the_same_draws():
    x, mean, cov = holed()
    draw = [MVN().complete(Normal(mean, cov), latent(x), rng=np.random.default_rng(s))[0] for s in (1, 1, 2)]
    assert (draw[0] == draw[1]).all()
    assert (draw[0] != draw[2])[np.isnan(x)].all()


def test_a_draw_does_not_depend_on_what_else_is_missing_in_other_rows():
    """A cell's deviate is its place's: filling another row's gap leaves it alone."""
    x, mean, cov = holed()
    fuller = x.copy()
    fuller[10:] = np.where(np.isnan(x[10:]), 0.0, x[10:])
    one, other = (MVN().complete(Normal(mean, cov), latent(t), rng=np.random.default_rng(3))[0] for t in (x, fuller))
    np.testing.assert_allclose(one[:10], other[:10], rtol=1e-12)
