"""One BLAS thread while we compute.

The bits of a matrix product depend on how many threads share it, and ours must not; and on busy cores two threads have
been 20 to 300 times slower than one, while on idle ones they gain little (measured).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["single_threaded"]

P = ParamSpec("P")
R = TypeVar("R")


class _Limit:
    """The limit, shared by all threads that compute: set by the first that comes in, lifted by the last that leaves."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._controller: ThreadpoolController | None = None
        self._limiter: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                if self._controller is None:
                    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 (importing emimpute stays light)

                    self._controller = ThreadpoolController()
                self._limiter = self._controller.limit(limits=1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limiter.restore_original_limits()


_LIMIT = _Limit()


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, with NumPy's linear algebra held to one thread while it runs."""

    @functools.wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        with _LIMIT:
            return function(*args, **kwargs)

    return held
