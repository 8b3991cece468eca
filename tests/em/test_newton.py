"""The Newton step by conjugate gradients against a dense solve."""

import numpy as np
import pytest

from emimpute.em.newton import newton_step


def system(eigenvalues, seed=0):
    rng = np.random.default_rng(seed)
    d = len(eigenvalues)
    q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (q * np.asarray(eigenvalues)) @ q.T, rng.standard_normal(d)


def solve(matrix, gradient, budget=200, precondition=np.copy):
    return newton_step(matrix.__matmul__, gradient, precondition, np.linalg.norm, budget)


@pytest.mark.parametrize("least", [0.5, 0.05, 0.001])
def test_it_is_the_dense_solution(least):
    """To the relative error at which it is believed, and in no more products than there are coordinates."""
    matrix, gradient = system([least, 0.6, 0.7, 0.8, 0.9, 1.0])
    calls = []
    newton = newton_step(lambda v: calls.append(1) or matrix @ v, gradient, np.copy, np.linalg.norm, 200)
    exact = np.linalg.solve(matrix, gradient)
    assert newton.settled
    assert newton.concave
    assert np.linalg.norm(newton.step - exact) < 0.05 * np.linalg.norm(exact)
    assert len(calls) <= 7
    assert least * (1 - 1e-9) <= newton.curvature <= 1


def test_a_good_preconditioner_makes_it_one_product():
    matrix, gradient = system([0.01, 0.1, 1.0])
    newton = solve(matrix, gradient, budget=1, precondition=lambda v: np.linalg.solve(matrix, v))
    assert newton.settled
    np.testing.assert_allclose(newton.step, np.linalg.solve(matrix, gradient), rtol=1e-9)


def test_negative_curvature_is_noticed():
    """The answer is then a direction along which the log posterior bends upwards: the way off a saddle."""
    matrix, gradient = system([-0.1, 0.4, 0.7, 1.0])
    newton = solve(matrix, gradient)
    assert not newton.concave
    assert not newton.settled
    assert newton.step @ matrix @ newton.step < 0
    assert newton.curvature < 0


def test_a_flat_direction_is_not_taken_for_a_solution():
    matrix, gradient = system([0.0, 0.4, 0.7, 1.0])
    newton = solve(matrix, gradient)
    assert newton.flat
    assert not newton.settled
    assert not solve(*system([0.3, 1.0])).flat


def test_an_exhausted_budget_does_not_settle():
    matrix, gradient = system(np.geomspace(1e-4, 1, 12))
    assert not solve(matrix, gradient, budget=2).settled
    assert solve(matrix, gradient).settled


def test_no_product_no_answer():
    newton = newton_step(lambda _: None, np.ones(3), np.copy, np.linalg.norm, 9)
    assert not newton.settled
    assert (newton.step == 0).all()


def test_no_gradient_no_step():
    newton = solve(np.eye(3), np.zeros(3))
    assert newton.settled
    assert (newton.step == 0).all()
