"""Batches of small systems."""

import numpy as np
import pytest

from emimpute.normal.small import invert


def batch(m, k, seed=0):
    a = np.random.default_rng(seed).standard_normal((k, m, 2 * m + 1))
    return np.moveaxis(a @ np.swapaxes(a, 1, 2), 0, 2)


@pytest.mark.parametrize("m", [0, 1, 2, 3, 4, 5, 8, 32, 33, 40])  # from 33 on LAPACK does it
@pytest.mark.parametrize("k", [1, 6])
def test_inverses_and_determinants(m, k):
    a = batch(m, k)
    inverse, logdet = invert(a.copy())
    assert inverse.shape == (m, m, k)
    for i in range(k):
        np.testing.assert_allclose(inverse[:, :, i] @ a[:, :, i], np.eye(m), atol=1e-9)
        assert logdet[i] == pytest.approx(np.linalg.slogdet(a[:, :, i])[1], rel=1e-10)


@pytest.mark.parametrize("m", [1, 2, 3, 7, 40])
def test_the_lower_triangle_says_it_all(m):
    a = batch(m, 5)
    low = np.ascontiguousarray(np.where(np.tri(m, dtype=bool)[:, :, None], a, np.nan))
    for one, other in zip(invert(a.copy()), invert(low), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 13])
def test_a_matrix_has_the_same_bits_in_every_batch(m):
    a = batch(m, 37)
    inverse, logdet = invert(a.copy())
    for first, last in [(0, 1), (36, 37), (5, 7), (3, 20)]:
        some, of_some = invert(a[:, :, first:last].copy())
        np.testing.assert_array_equal(some, inverse[:, :, first:last])
        np.testing.assert_array_equal(of_some, logdet[first:last])


@pytest.mark.parametrize("share", [1e-3, 1e-6, 1e-9])
def test_nearly_singular_matrices_lose_no_more_digits_than_their_condition(share):
    """Beside the inverse that the eigenvectors tell."""
    vectors = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 9, 9)))[0]
    values = np.geomspace(share, 1.0, 9)
    a = (vectors * values) @ vectors.swapaxes(1, 2)
    exact = np.moveaxis((vectors / values) @ vectors.swapaxes(1, 2), 0, 2)
    inverse, logdet = invert(np.moveaxis(a, 0, 2).copy())
    np.testing.assert_allclose(inverse, exact, atol=1e-14 / share**2)
    np.testing.assert_allclose(logdet, np.log(values).sum(), atol=1e-14 / share)


@pytest.mark.parametrize("m", [1, 2, 3, 6, 40])
def test_one_matrix_that_is_not_positive_definite_is_an_error(m):
    a = batch(m, 4)
    a[m - 1, m - 1, 2] -= 1e3
    with pytest.raises(np.linalg.LinAlgError):
        invert(a)
