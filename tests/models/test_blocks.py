"""Blocks whose covariance is fixed: kept to the last bit, with exact derivatives, and an M-step that never lowers."""

from __future__ import annotations

import numpy as np
import pytest
from intervals import within

from emimpute.models.blocks import Blocks

NOMINAL = Blocks((slice(1, 3), slice(4, 7)), (within(3), within(4)))
ONE = Blocks((slice(2, 5),), (within(4),))
D = 8


def scatter(seed: int) -> np.ndarray:
    factor = np.random.default_rng(seed).standard_normal((D, D + 4))
    return factor @ factor.T / (D + 4)


def loss(cov: np.ndarray, s: np.ndarray) -> float:
    return float(np.linalg.slogdet(cov)[1] + np.trace(np.linalg.solve(cov, s)))


@pytest.mark.parametrize("blocks", [NOMINAL, ONE])
def test_fix_fixes_and_keeps_what_is_fixed(blocks):
    s = scatter(0)
    cov = blocks.fix(s)
    for span, own in zip(blocks.spans, blocks.within, strict=True):
        np.testing.assert_array_equal(cov[span, span], own)
    np.testing.assert_array_equal(cov, cov.T)
    assert np.linalg.eigvalsh(cov)[0] > 0
    np.testing.assert_allclose(blocks.fix(cov), cov, atol=1e-14)
    free = [j for j in range(D) if not any(j in range(span.start, span.stop) for span in blocks.spans)]
    np.testing.assert_array_equal(cov[np.ix_(free, free)], s[np.ix_(free, free)])


def test_without_blocks_nothing_happens():
    blocks, s = Blocks((), ()), scatter(1)
    assert not blocks
    assert blocks.fix(s) is s
    assert blocks.maximize(s, np.eye(D)) is s
    assert len(blocks.entries()[0]) == len(blocks.idle(s)) == 0


@pytest.mark.parametrize("blocks", [NOMINAL, ONE])
def test_pull_is_the_chain_rule(blocks):
    s, rng = scatter(2), np.random.default_rng(3)
    slope = rng.standard_normal((D, D))
    slope += slope.T
    pulled, step = blocks.pull(s, slope), 1e-6
    for _ in range(10):
        e = rng.standard_normal((D, D))
        e += e.T
        moved = (blocks.fix(s + step * e) - blocks.fix(s - step * e)) / (2 * step)
        assert (pulled * e).sum() == pytest.approx((slope * moved).sum(), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("blocks", [NOMINAL, ONE])
def test_idle_directions_are_taken_back(blocks):
    cov = blocks.fix(scatter(4))
    idle = blocks.idle(cov)
    assert len(idle) == len(blocks.entries()[0]) == sum(len(w) * (len(w) + 1) // 2 for w in blocks.within)
    assert np.linalg.matrix_rank(np.array([move.ravel() for move in idle])) == len(idle)
    for move in idle:
        change = (blocks.fix(cov + 1e-6 * move) - blocks.fix(cov - 1e-6 * move)) / 2e-6
        np.testing.assert_allclose(change, 0, atol=1e-7)


def test_one_block_has_a_closed_form():
    """No direction in what is free leads to a higher likelihood."""
    s = scatter(5)
    best = ONE.maximize(s, ONE.fix(s))
    np.testing.assert_allclose(best[ONE.spans[0], ONE.spans[0]], ONE.within[0], atol=1e-14)
    rng = np.random.default_rng(6)
    for _ in range(20):
        e = rng.standard_normal((D, D))
        e += e.T
        e[ONE.spans[0], ONE.spans[0]] = 0
        slope = (loss(best + 1e-5 * e, s) - loss(best - 1e-5 * e, s)) / 2e-5
        assert slope == pytest.approx(0, abs=1e-5)
        assert loss(best + 0.02 * e, s) > loss(best, s)


@pytest.mark.parametrize("seed", range(5))
def test_several_blocks_never_lose_and_come_to_rest_at_a_maximum(seed):
    s = scatter(seed)
    cov = NOMINAL.fix(np.eye(D))
    values = [loss(cov, s)]
    for _ in range(200):
        cov = NOMINAL.maximize(s, cov)
        values.append(loss(cov, s))
        for span, own in zip(NOMINAL.spans, NOMINAL.within, strict=True):
            np.testing.assert_allclose(cov[span, span], own, atol=1e-13)
    assert (np.diff(values) <= 1e-12).all()
    precision = np.linalg.inv(cov)
    slope = precision @ (cov - s) @ precision
    for span in NOMINAL.spans:
        slope[span, span] = 0
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_coordinates_pinned_one_by_one():
    """As smoothed columns are: a correlation matrix is sought, all of whose entries off the diagonal are free."""
    blocks, s = Blocks(tuple(slice(j, j + 1) for j in range(D)), (np.eye(1),) * D), scatter(7)
    cov = np.eye(D)
    for _ in range(100):
        cov = blocks.maximize(s, cov)
    np.testing.assert_array_equal(np.diag(cov), np.ones(D))
    precision = np.linalg.inv(cov)
    slope = precision @ (cov - s) @ precision
    np.testing.assert_allclose(slope - np.diag(np.diag(slope)), 0, atol=1e-6)


def test_the_order_of_the_blocks_does_not_matter():
    s, other = scatter(8), Blocks(NOMINAL.spans[::-1], NOMINAL.within[::-1])
    one, two = (blocks.maximize(s, blocks.fix(np.eye(D))) for blocks in (NOMINAL, other))
    np.testing.assert_allclose(one, two, atol=1e-12)
