"""The observed information in closed form, against finite differences of the gradient and stored standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from references import cases, load
from tables import joint, latent

from emimpute.em import iterates
from emimpute.models.conditional import conditionals
from emimpute.models.information import observed_information
from emimpute.models.mvn import Normal
from emimpute.models.priors import Ridge, Shrink

PRIORS = [None, Ridge(3.0), Shrink(0.5)]


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_minus_the_hessian_in_the_chart_anywhere(prior, weighted):
    """Also off the maximum, where the chart's bend counts, and under a prior, which stretches the chart."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    z[rng.random(z.shape) < 0.3] = np.nan
    weights = rng.integers(0, 4, 60).astype(float) if weighted else None
    problem = joint(latent(z), weights, prior)
    root = rng.normal(size=(4, 4)) / 2 + np.eye(4)
    at = Normal(rng.normal(size=4) / 3, root @ root.T)
    chart = problem.chart(at)
    information = problem.information(at, problem.expect(at)[0])

    def gradient(vector):
        params = chart.from_vector(vector)
        return chart.gradient(params, problem.expect(params)[0])

    step = 1e-5
    for direction in np.eye(len(information)):
        change = (gradient(-step * direction) - gradient(step * direction)) / (2 * step)
        np.testing.assert_allclose(information @ direction, change, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in cases("ml") if name != "bfi_sapa60"])
def test_rate_and_standard_errors_of_the_reference_cases(name):
    """The largest fraction of missing information, and the means' standard errors, to 1e-8."""
    case = load(name)
    problem = joint(latent(case.frame.to_numpy(float)))
    *_, last = iterates(problem, tol=1e-8)
    params, d = last.params, case.frame.shape[1]
    information = problem.information(params, problem.expect(params)[0])
    kept = problem.rows / len(case.frame)  # the references count rows with nothing observed as missing information too
    rate = 1 - np.linalg.eigvalsh(information)[0] * kept
    assert rate == pytest.approx(case.expected["em_rate_exact"], rel=0, abs=1e-8)
    factor = np.linalg.cholesky(params.cov)
    precision, table = np.linalg.inv(params.cov), problem.table
    given = conditionals(table, params.mean, params.cov, precision)
    plain = observed_information(((c, table.centre[c.chunk.rows, None]) for c in given), precision, factor, 1)
    variance = factor @ np.linalg.inv(plain)[:d, :d] @ factor.T
    se = np.sqrt(np.diag(variance)) * problem.scale
    np.testing.assert_allclose(se, case.expected["se_observed"]["mu"], rtol=1e-7)


def test_an_undetermined_covariance_is_named():
    """Two columns never seen together: it is their covariance, and no other, that nothing determines."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(90, 3)) @ rng.normal(size=(3, 3))
    z[:45, 0], z[45:, 2] = np.nan, np.nan
    problem = joint(latent(z))
    *_, last = iterates(problem)
    assert problem.undetermined(last.params) == [(0, 2)]
