"""Filling takes little memory beside the data: the peak of what a call allocates, the frame it returns included."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import emimpute

ALLOWED = 3.0  # times the data as float64


def normal(rows, columns, missing, distinct=None):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((rows, 3)) @ rng.standard_normal((3, columns)) + rng.standard_normal((rows, columns))
    masks = rng.random((distinct or rows, columns)) < missing
    z[masks[rng.integers(0, len(masks), rows)] if distinct else masks] = np.nan
    return pd.DataFrame(z)


def peak(df, **how):
    """Of ``df.em.impute()``, over the size of the data."""
    tracemalloc.start()
    try:
        emimpute.impute(df, **how)
        return tracemalloc.get_traced_memory()[1] / (8 * df.size)
    finally:
        tracemalloc.stop()


@pytest.fixture(autouse=True)
def _warm():
    """What is imported at first use is no part of it."""
    emimpute.impute(normal(50, 3, 0.1))


def test_many_patterns():
    """Nearly every row has a pattern of its own, so that EM works on a table as large as the data."""
    assert peak(normal(40_000, 20, 0.2)) < ALLOWED


def test_few_patterns():
    """EM needs no table at all: there are the coordinates and the frame that is returned."""
    assert peak(normal(200_000, 5, 0.2, distinct=8)) < ALLOWED


def test_draws():
    """Noise is made for some rows at a time."""
    assert peak(normal(40_000, 20, 0.2), sample=True, rng=1) < 1.1 * ALLOWED


def test_empty_rows():
    """Rows that do not count in EM are passed over where they stand."""
    df = normal(40_000, 20, 0.2)
    df.iloc[::10] = np.nan
    assert peak(df) < 1.1 * ALLOWED
