"""Holding BLAS to one thread, from many threads at once, and letting go of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import emimpute
from emimpute import datasets
from emimpute._threads import single_threaded


def blas() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_inside_and_as_before_outside():
    with threadpool_limits(2, user_api="blas"):
        before = blas()
        assert single_threaded(blas)() == [1] * len(before)
        assert blas() == before


def test_an_error_lets_go_too():
    @single_threaded
    def fails():
        raise KeyError

    with threadpool_limits(2, user_api="blas"):
        before = blas()
        with pytest.raises(KeyError):
            fails()
        assert blas() == before


def test_many_threads_at_once_get_the_same_bits_and_leave_the_limit_as_it_was():
    rng = np.random.default_rng(0)
    tao = datasets.load("tao").iloc[rng.permutation(736)]
    expected = emimpute.impute(tao).to_numpy().tobytes()
    with threadpool_limits(2, user_api="blas"):
        before = blas()
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(lambda _: emimpute.impute(tao).to_numpy().tobytes(), range(24)))
        assert blas() == before
    assert all(result == expected for result in results)
