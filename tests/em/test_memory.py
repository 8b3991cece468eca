"""Limited-memory BFGS against the formula with matrices."""

import numpy as np
import pytest

from emimpute.em.memory import Memory


def quadratic(d, seed):
    """A positive definite information matrix, eigenvalues in (0, 1]."""
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return rng, (q * rng.uniform(0.05, 1.0, d)) @ q.T


def dense(pairs, d):
    """The inverse Hessian by the BFGS update, from the identity (Nocedal & Wright 2006, equation 6.17)."""
    h = np.eye(d)
    for s, y in pairs:
        rho = 1 / (s @ y)
        left = np.eye(d) - rho * np.outer(s, y)
        h = left @ h @ left.T + rho * np.outer(s, s)
    return h


@pytest.mark.parametrize(("steps", "size"), [(1, 30), (5, 30), (12, 30), (12, 4)])
def test_a_direction_is_the_dense_inverse_hessian_times_the_gradient(steps, size):
    rng, information = quadratic(7, 1)
    memory, pairs = Memory(size), []
    for _ in range(steps):
        step = rng.standard_normal(7)
        memory.learn(step, information @ step)
        pairs.append((step, information @ step))
    gradient = rng.standard_normal(7)
    np.testing.assert_allclose(memory.direction(gradient), dense(pairs[-size:], 7) @ gradient, rtol=1e-9)
    assert len(memory) == min(steps, size)


def test_from_nothing_known_the_direction_is_the_gradient():
    gradient = np.array([1.0, -2.0])
    assert (Memory(3).direction(gradient) == gradient).all()


def test_what_was_learned_is_exact_along_the_last_step():
    rng, information = quadratic(5, 2)
    memory = Memory(30)
    for _ in range(3):
        step = rng.standard_normal(5)
        memory.learn(step, information @ step)
    np.testing.assert_allclose(memory.direction(information @ step), step, rtol=1e-12)


def test_learning_tells_the_curvature():
    """Step times change over the step's square: 1 less the fraction of missing information along it."""
    assert Memory(3).learn(np.array([2.0, 0.0]), np.array([0.5, 7.0])) == pytest.approx(0.25)
    assert np.isnan(Memory(3).learn(np.zeros(2), np.zeros(2)))


def test_negative_curvature_is_not_remembered():
    memory = Memory(3)
    assert memory.learn(np.ones(2), -np.ones(2)) == -1
    assert len(memory) == 0


def test_clear_forgets():
    memory = Memory(3)
    memory.learn(np.ones(2), np.ones(2) / 2)
    memory.clear()
    assert (memory.direction(np.ones(2)) == 1).all()
