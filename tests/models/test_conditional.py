"""Plans of work, and rows reduced to what counts."""

import numpy as np
import pytest

from emimpute.latent import patterns
from emimpute.models.conditional import Rows, conditionals, reduced


def holed(n, d, share, seed=0, distinct=None):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    masks = rng.random((distinct or n, d)) >= share
    masks[:, 0] |= ~masks.any(axis=1)
    observed = masks[rng.integers(0, len(masks), n)]
    return np.where(observed, x, 0.0), observed


def gathered(x, weights, found):
    blocks, centre, found = reduced(x.__getitem__, weights, found)
    return np.concatenate(list(blocks)), centre, found


def law(d, seed=1):
    a = np.random.default_rng(seed).standard_normal((d, 2 * d))
    return np.random.default_rng(seed).standard_normal(d), a @ a.T / d


@pytest.mark.parametrize(("n", "d", "share"), [(50, 5, 0.3), (50, 5, 0.8), (9000, 3, 0.4), (40, 64, 0.5), (30, 1, 0.0)])
@pytest.mark.parametrize("precision", [True, False])
def test_a_plan_has_every_row_once(n, d, share, precision):
    x, observed = holed(n, d, share, distinct=20)
    rows = Rows.sort([x], np.ones(n), patterns(observed), precision=precision)
    assert sorted(rows.order) == list(range(n))
    assert (rows.x == x[rows.order]).all()
    edges = [c.rows.start for c in rows.chunks] + [n]
    assert edges == [0, *(c.rows.stop for c in rows.chunks)]
    for chunk in rows.chunks:
        of_row = np.arange(chunk.rows.stop - chunk.rows.start) if chunk.of_row is None else chunk.of_row
        small = np.zeros((chunk.block.shape[1], d), dtype=bool)
        np.put_along_axis(small, chunk.block.T, values=True, axis=1)
        seen = ~small if chunk.precision else small
        assert (seen[of_row] == observed[rows.order[chunk.rows]]).all()
        assert len(chunk.block) <= d / 2 or not precision
        np.testing.assert_allclose(chunk.weight, np.bincount(of_row))


def test_no_chunk_is_larger_than_the_cache():
    x, observed = holed(20_000, 2, 0.3)
    rows = Rows.sort([x], np.ones(len(x)), patterns(observed))
    assert max(c.rows.stop - c.rows.start for c in rows.chunks) <= 4096


@pytest.mark.parametrize(("d", "share"), [(4, 0.3), (4, 0.7), (60, 0.5)])
@pytest.mark.parametrize("precision", [True, False])
def test_holes_are_filled_by_regression(d, share, precision):
    """In both forms, and through LAPACK where a small system is not small."""
    x, observed = holed(25, d, share)
    mean, cov = law(d)
    rows = Rows.sort([x], np.ones(25), patterns(observed), precision=precision)
    for c in conditionals(rows, mean, cov, np.linalg.inv(cov)):
        for i, row in enumerate(rows.order[c.chunk.rows]):
            o, m = observed[row], ~observed[row]
            weights = np.linalg.solve(cov[np.ix_(o, o)], x[row, o] - mean[o])
            np.testing.assert_allclose(c.deviations[i, o], x[row, o] - mean[o], rtol=1e-12)
            np.testing.assert_allclose(c.deviations[i, m], cov[np.ix_(m, o)] @ weights, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_reduced_rows_have_the_same_moments(weighted):
    """Of each pattern the weight, the weighted sum, and the weighted scatter about any point."""
    x, observed = holed(500, 4, 0.3, distinct=5)
    w = np.random.default_rng(2).uniform(0.1, 3.0, 500) if weighted else np.ones(500)
    found = patterns(observed)
    few, centre, of_few = gathered(x, w, found)
    assert len(few) < 50
    about = np.array([0.3, -2.0, 5.0, 1.0])
    for k, mask in enumerate(found.masks):
        old, new = found.of_row == k, of_few.of_row == k
        assert (centre[new] ** 2).sum() == pytest.approx(w[old].sum())
        np.testing.assert_allclose((centre[new] @ few[new])[mask], (w[old] @ x[old])[mask], rtol=1e-10, atol=1e-10)
        a, b = few[new] - np.outer(centre[new], about), x[old] - about
        np.testing.assert_allclose((a.T @ a)[mask][:, mask], ((b.T * w[old]) @ b)[mask][:, mask], rtol=1e-10)


def test_patterns_of_few_rows_stay_rows():
    x, observed = holed(30, 12, 0.5)
    few, centre, found = gathered(x, np.ones(30), patterns(observed))
    assert (few == x).all()
    assert (centre == 1).all()
    assert len(found.of_row) == 30
