"""Lanczos against dense eigenvalues; what it costs, and that it says so when it has not settled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import SEEDS

from emimpute.em.lanczos import lanczos

VALUE = 1e-6  # error of the largest eigenvalue, relative to 1 - it (its residual is below 1e-4 of that)


def symmetric(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric matrix (p, p) with these eigenvalues, and its eigenvectors."""
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return (vectors * values) @ vectors.T, vectors


def of(matrix: np.ndarray, budget: int = 300):
    """Lanczos on a matrix, and how often it was multiplied by."""
    calls = []

    def product(vector: np.ndarray) -> np.ndarray:
        calls.append(1)
        return matrix @ vector

    return lanczos(product, len(matrix), budget), len(calls)


@given(SEEDS, st.integers(1, 60))
def test_the_largest_pair_is_the_dense_one(seed, size):
    """Value and vector, for any spectrum between 0 and 1."""
    values = np.sort(np.random.default_rng(seed).random(size))
    matrix, vectors = symmetric(values, seed)
    ritz, calls = of(matrix)
    assert ritz.settled
    assert ritz.products == calls <= size
    assert abs(ritz.values[-1] - values[-1]) < VALUE * (1 - values[-1]) + 1e-14
    largest = ritz.vectors[:, -1]
    assert np.linalg.norm(matrix @ largest - values[-1] * largest) < 2e-4 * (1 - values[-1]) + 1e-12
    if size == 1 or values[-1] - values[-2] > 1e-2:
        assert abs(largest @ vectors[:, -1]) == pytest.approx(1, abs=1e-3)


def test_values_near_one_are_told_apart():
    """Where EM itself, which is the power method, would take thousands of steps."""
    matrix, _ = symmetric(np.concatenate([[0.9999, 0.9995, 0.999], np.linspace(0, 0.99, 97)]))
    ritz, calls = of(matrix)
    assert ritz.settled
    assert abs(ritz.values[-1] - 0.9999) < 1e-9
    assert calls < 100


def test_vectors_are_orthonormal():
    """Also after many products, for which reorthogonalisation is there."""
    matrix, _ = symmetric(1 - np.geomspace(1e-6, 1, 200))
    ritz, _ = of(matrix)
    np.testing.assert_allclose(ritz.vectors.T @ ritz.vectors, np.eye(ritz.products), atol=1e-12)
    assert (np.diff(ritz.values) >= 0).all()


def test_nothing_missing_takes_one_product():
    """Where J is 0, or any multiple of the identity, any vector is the answer."""
    for value in (0.0, 0.5):
        ritz, calls = of(value * np.eye(30))
        assert (ritz.settled, calls) == (True, 1)
        assert ritz.values[-1] == pytest.approx(value, abs=1e-15)


def test_equal_values_are_found_once():
    """With a vector of their common space."""
    matrix, vectors = symmetric(np.array([0.9, 0.9, 0.9, 0.5, 0.1]))
    ritz, calls = of(matrix)
    assert calls == 3
    np.testing.assert_allclose(ritz.values, [0.1, 0.5, 0.9], atol=1e-12)
    assert np.linalg.norm(vectors[:, :3].T @ ritz.vectors[:, -1]) == pytest.approx(1, abs=1e-9)


def test_a_spent_budget_is_said():
    """And the value so far is a lower bound."""
    matrix, _ = symmetric(1 - np.geomspace(1e-6, 1, 200))
    ritz, calls = of(matrix, budget=7)
    assert (ritz.settled, calls) == (False, 7)
    assert 0.9 < ritz.values[-1] < 1 - 1e-6


def test_the_same_bits_every_time():
    """The start is no accident."""
    matrix, _ = symmetric(np.linspace(0, 0.99, 40))
    one, other = of(matrix)[0], of(matrix)[0]
    assert one.values.tobytes() == other.values.tobytes()
    assert one.vectors.tobytes() == other.vectors.tobytes()


def test_what_the_product_raises_passes_through():
    """The caller knows what it means."""

    def product(vector: np.ndarray) -> np.ndarray:
        raise np.linalg.LinAlgError(str(len(vector)))

    with pytest.raises(np.linalg.LinAlgError, match="4"):
        lanczos(product, 4, 10)
