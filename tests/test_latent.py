"""Latent tables, their missingness patterns and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emimpute.kinds import Cells
from emimpute.latent import Latent, coverage, patterns

WIDTHS = [1, 2, 7, 8, 9, 63, 64, 65, 128, 130]  # around bytes and words


def table(seed, n, d, share=0.5, distinct=None):
    rng = np.random.default_rng(seed)
    rows = rng.random((distinct or n, d)) < share
    return rows[rng.integers(0, len(rows), n)]


@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_patterns_are_the_distinct_rows(d, share):
    observed = table(d, 300, d, share, distinct=40)
    found, (rows, of_row) = patterns(observed), np.unique(observed, axis=0, return_inverse=True)
    assert (found.masks[found.of_row] == observed).all()
    assert sorted(map(tuple, found.masks)) == sorted(map(tuple, rows))
    np.testing.assert_array_equal(np.sort(found.counts), np.sort(np.bincount(of_row.ravel())))


@pytest.mark.parametrize("d", WIDTHS)
def test_rows_that_differ_in_one_cell_are_told_apart(d):
    """Every cell counts, also the last of a word: no two of these d + 1 rows collide."""
    observed = np.vstack([np.ones((1, d), dtype=bool), ~np.eye(d, dtype=bool)])
    assert len(patterns(observed).masks) == d + 1
    assert len(patterns(np.vstack([observed, ~observed])).masks) == len(
        np.unique(np.vstack([observed, ~observed]), axis=0)
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 130))
def test_patterns_of_any_table(seed, n, d):
    observed = table(seed, n, d) if n else np.zeros((0, d), dtype=bool)
    found = patterns(observed)
    assert found.masks.shape == (len(np.unique(observed, axis=0)) if d else min(n, 1), d)
    assert (found.masks[found.of_row] == observed).all()
    assert found.counts.sum() == n
    assert (found.counts > 0).all()


def test_a_table_without_columns_has_one_pattern():
    found = patterns(np.zeros((5, 0), dtype=bool))
    assert found.masks.shape == (1, 0)
    assert found.of_row.tolist() == [0] * 5


def test_a_table_without_rows_has_none():
    assert patterns(np.zeros((0, 3), dtype=bool)).masks.shape == (0, 3)
    assert patterns(np.zeros((0, 0), dtype=bool)).masks.shape == (0, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 9))
def test_patterns_of_some_rows(seed, n, d):
    observed = table(seed, n, d)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(n) < 0.5)
    some = patterns(observed).rows(chosen)
    assert (some.masks[some.of_row] == observed[chosen]).all()
    assert (some.counts > 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_coverage_counts_rows_with_both(seed, n, d, weighted):
    observed = table(seed, n, d)
    w = np.random.default_rng(seed).integers(0, 4, n) / 2 if weighted else np.ones(n)
    book = np.zeros((d, d))
    for row, weight in zip(observed, w, strict=True):
        book += weight * np.outer(row, row)
    np.testing.assert_array_equal(coverage(patterns(observed), w if weighted else None), book)


class Exact:
    """A coding whose cells are bounded by numbers."""

    within = None

    def __init__(self, width):
        self.width = width
        self.cuts = (np.empty(0),) * width
        self.frames = np.empty((0, width, width))


def test_columns_are_laid_side_by_side():
    """Points, holes in both spellings, and intervals; a column may have several coordinates or none."""
    points = Cells.points(np.array([[1.0], [np.nan], [3.0]]))
    nothing = Cells.points(np.empty((3, 0)))
    ranges = Cells(
        np.array([[0.0, -np.inf], [1.0, 2.0], [4.0, 5.0]]), np.array([[0.0, np.inf], [2.0, 2.0], [np.inf, 5.0]])
    )
    latent = Latent.stack([points, nothing, ranges], [Exact(1), Exact(0), Exact(2)], 3)
    assert latent.spans == (slice(0, 1), slice(1, 1), slice(1, 3))
    assert latent.observed.tolist() == [[True, True, False], [False, False, True], [True, False, True]]
    assert latent.points[latent.observed].tolist() == [1, 0, 2, 3, 5]
    assert latent.upper[2, 1] == np.inf
    assert len(latent.patterns.masks) == 3


def test_exact_columns_share_their_bounds():
    """Where every cell is a point or a hole, the bounds are one array, which costs half the memory."""
    cells = Cells.points(np.array([[1.0], [np.nan]]))
    latent = Latent.stack([cells, cells], [Exact(1), Exact(1)], 2)
    assert latent.upper is latent.lower


def test_some_rows_of_a_table():
    lower, upper = np.array([[1.0, 0.0], [2.0, np.nan], [3.0, 4.0]]), np.array([[1.0, 9.0], [2.0, np.nan], [3.0, 4.0]])
    rows = Latent(lower, upper, (slice(0, 2),)).take(np.array([2, 0]))
    assert rows.observed.tolist() == [[True, True], [True, False]]
    same = Latent(lower, lower, (slice(0, 2),)).take(np.array([0]))
    assert same.upper is same.lower
