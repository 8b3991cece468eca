"""Batches of small systems."""

import numpy as np
import pytest

from emimpute.models.small import invert


def batch(m, k, seed=0):
    a = np.random.default_rng(seed).standard_normal((k, m, 2 * m + 1))
    return np.moveaxis(a @ np.swapaxes(a, 1, 2), 0, 2)


@pytest.mark.parametrize("m", [0, 1, 2, 5, 28, 29, 40])  # from 29 on LAPACK does it
@pytest.mark.parametrize("k", [1, 6])
def test_inverses_and_determinants(m, k):
    a = batch(m, k)
    inverse, logdet = invert(a.copy())
    assert inverse.shape == (m, m, k)
    for i in range(k):
        np.testing.assert_allclose(inverse[:, :, i] @ a[:, :, i], np.eye(m), atol=1e-9)
        assert logdet[i] == pytest.approx(np.linalg.slogdet(a[:, :, i])[1], rel=1e-10)


@pytest.mark.parametrize("m", [1, 3, 40])
def test_one_matrix_that_is_not_positive_definite_is_an_error(m):
    a = batch(m, 4)
    a[:, :, 2] -= 1e3 * np.eye(m)
    with pytest.raises(np.linalg.LinAlgError):
        invert(a)
