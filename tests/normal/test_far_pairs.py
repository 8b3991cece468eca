"""The densities of a pair at the bounds of its box, where the box is far out and the pair nearly one coordinate."""

from __future__ import annotations

import numpy as np
import pytest

from emimpute.normal.bivariate import rectangle
from emimpute.normal.pairs import _edge

INF = np.inf


@pytest.mark.parametrize(
    ("rest", "lower", "upper"),
    [
        (2.5e-12, (-INF, -35.0), (-282.0, -34.9)),
        (1.2e-11, (810.0, -608.0), (873.0, -553.0)),
        (4.7e-10, (33.2, -77.55), (INF, -77.548)),
        (4.6e-14, (30.86377, 72.80357), (30.86378, 72.8039)),
        (4.2e-16, (-86.4, -497.0), (-86.3, -496.9)),
    ],
)
def test_far_boxes_of_nearly_dependent_pairs(rest, lower, upper):
    """Without a word, finite, and no higher than any density of that sd can be."""
    lower, upper, rho = np.array([lower]), np.array([upper]), np.array([1 - rest])
    logp, _, cov = rectangle(lower, upper, rho)
    sd = np.sqrt(np.maximum(np.diagonal(cov[0]), np.finfo(float).tiny))
    for bound in (lower, upper):
        found = np.concatenate(_edge(bound, (lower, upper), rho, logp, cov))
        assert np.isfinite(found).all()
        assert (found <= (1 + 1e-9) / sd).all()
        assert (found[np.isinf(bound[0])] == 0).all()


def test_where_nothing_is_lost_the_bound_is_not_felt():
    """An exponential tail comes closest to it; here against the derivative of log P."""
    rho, step = np.array([0.6]), 1e-6
    lower, upper = np.array([[4.0, -INF]]), np.array([[INF, 0.5]])
    logp, _, cov = rectangle(lower, upper, rho)
    moved = [rectangle(lower + np.array([[side * step, 0]]), upper, rho)[0][0] for side in (-1, 1)]
    found = _edge(lower, (lower, upper), rho, logp, cov)
    assert found[0][0] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-7)
    assert found[1][0] == 0
