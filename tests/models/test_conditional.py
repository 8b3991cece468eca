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
    blocks, centre, found = reduced(lambda rows: x[rows], weights, found)
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


@pytest.mark.parametrize("precision", [True, False])
@pytest.mark.parametrize("distinct", [None, 20])
def test_inverses_are_summed_by_their_weight(precision, distinct):
    """Padded by zeros; a pattern counts as often as its rows."""
    x, observed = holed(120, 7, 0.4, distinct=distinct)
    mean, cov = law(7)
    weight = np.random.default_rng(3).uniform(0.5, 2.0, 120)
    rows = Rows.sort([x], np.sqrt(weight), patterns(observed), precision=precision)
    inverse = np.linalg.inv(cov)
    for c in conditionals(rows, mean, cov, inverse):
        by_hand = np.zeros((7, 7))
        for row in rows.order[c.chunk.rows]:
            which = np.flatnonzero(observed[row] ^ c.chunk.precision)
            block = np.ix_(which, which)
            by_hand[block] += weight[row] * np.linalg.inv((inverse if c.chunk.precision else cov)[block])
        np.testing.assert_allclose(c.total(), by_hand, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [1, 63, 64, 200])
def test_rows_of_weight_one_are_centred_as_others_are(n):
    """By another way to the same bits."""
    x, observed = holed(n, 5, 0.3)
    mean, cov = law(5)
    found = patterns(observed)
    plain = Rows.sort([x], np.ones(n), found)
    mixed = Rows.sort(
        [np.concatenate([x, x])], np.repeat([1.0, 0.5], n), patterns(np.concatenate([observed, observed]))
    )
    of_plain, of_mixed = (
        {
            row: z
            for c in conditionals(rows, mean, cov, np.linalg.inv(cov))
            for row, z in zip(rows.order[c.chunk.rows], c.deviations, strict=True)
        }
        for rows in (plain, mixed)
    )
    for row, z in of_plain.items():
        np.testing.assert_array_equal(z, of_mixed[row])


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


@pytest.mark.parametrize(("d", "share", "epsilon"), [(4, 0.3, 1e-6), (9, 0.5, 1e-3), (60, 0.3, 1.0)])
@pytest.mark.parametrize("precision", [True, False])
def test_the_bits_of_a_row_do_not_depend_on_its_neighbours(d, share, epsilon, precision):
    """Alone, with some others, with all: where columns are nearly collinear, rounding is much in conditional sds."""
    x, observed = holed(150, d, share)
    mean, cov = law(d)
    cov = np.ones((d, d)) + epsilon * cov
    inverse, together = np.linalg.inv(cov), {}
    for size in (150, 70, 7, 3, 1):
        for first in range(0, 150 - size + 1, size):
            some = slice(first, first + size)
            rows = Rows.sort([x[some]], np.ones(size), patterns(observed[some]), precision=precision)
            for c in conditionals(rows, mean, cov, inverse):
                for row, z in zip(first + rows.order[c.chunk.rows], c.deviations, strict=True):
                    np.testing.assert_array_equal(z, together.setdefault(row, z))


def test_the_covariance_form_is_another_plan_for_the_same_rows():
    x, observed = holed(200, 6, 0.3, distinct=30)
    found = patterns(observed)
    rows = Rows.sort([x], np.arange(1.0, 201), found)
    again, afresh = rows.covariance_form(found), Rows.sort([x], np.arange(1.0, 201), found, precision=False)
    assert again.x is rows.x
    assert not any(c.precision for c in again.chunks)
    np.testing.assert_array_equal(again.x, afresh.x)
    for one, other in zip(again.chunks, afresh.chunks, strict=True):
        assert one.rows == other.rows
        np.testing.assert_array_equal(one.block, other.block)
        np.testing.assert_array_equal(one.weight, other.weight)


def test_rows_come_in_blocks():
    """However they are divided, the same table."""
    x, observed = holed(100, 5, 0.3)
    found = patterns(observed)
    whole = Rows.sort([x], np.ones(100), found)
    np.testing.assert_array_equal(Rows.sort(np.split(x, [1, 40, 41, 90]), np.ones(100), found).x, whole.x)


def test_a_large_pattern_is_reduced_block_by_block():
    """A mean far from 0 beside a small spread keeps its digits, over many blocks of rows."""
    rng = np.random.default_rng(3)
    x = 5 + 1e-4 * rng.standard_normal((100_000, 2))
    few, centre, _ = gathered(x, np.ones(len(x)), patterns(np.ones(x.shape, dtype=bool)))
    assert few.shape == (3, 2)
    assert (centre == [np.sqrt(len(x)), 0, 0]).all()
    np.testing.assert_allclose(few[0] / centre[0], x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(few[1:].T @ few[1:] / len(x), np.cov(x.T, ddof=0), rtol=1e-8)
