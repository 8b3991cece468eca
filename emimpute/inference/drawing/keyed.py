"""Random numbers that belong to a row: the same for it, however the rows are cut into pieces.

Philox is a counter that is enciphered (Salmon, Moraes, Dror & Shaw 2011, https://doi.org/10.1145/2063384.2063405), so
one may begin anywhere in its stream. Each row has a stretch of it for itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Keyed", "stream"]

_BLOCK = 4  # numbers that Philox makes at once


def stream(seed: Sequence[int], *key: int) -> np.random.SeedSequence:
    """The seed of what belongs to ``key``, a few whole numbers; streams of different keys have nothing in common."""
    return np.random.SeedSequence(list(seed), spawn_key=key)


class Keyed(np.random.Generator):
    """A generator whose normal deviates go by row: each call for (r, ...) serves the next r rows of the table.

    The deviates of a row depend on the seed, on the row's position, and on their own place in it; where a row asks for
    (d, k) of them, the first of each k is what it would get for (d,).
    """

    def __init__(self, seed: np.random.SeedSequence, row: int = 0) -> None:
        super().__init__(np.random.Philox(seed))  # for a model that asks for anything else
        self._keys = [np.random.Philox(child).state["state"]["key"] for child in seed.spawn(2)]
        self._row = row

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Normal deviates of shape ``size``, whose first axis is rows."""
        if not isinstance(size, tuple) or len(size) not in {2, 3} or dtype is not np.float64 or out is not None:
            return super().standard_normal(size, dtype, out)
        rows, *shape = size
        first, self._row = self._row, self._row + rows
        if len(shape) == 1:
            return self._deviates(0, first, rows, shape[0])
        deviates = np.empty(size)
        deviates[:, :, 0] = self._deviates(0, first, rows, shape[0])
        d, more = shape[0], shape[1] - 1
        deviates[:, :, 1:] = self._deviates(1, first, rows, d * more).reshape(rows, d, more)
        return deviates

    def _deviates(self, which: int, first: int, rows: int, width: int) -> np.ndarray:
        """Those of some consecutive rows, (rows, width)."""
        from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

        blocks = math.ceil(width / _BLOCK)
        bits = np.random.Philox(key=self._keys[which], counter=first * blocks)
        uniform = np.random.Generator(bits).random((rows, blocks * _BLOCK))[:, :width]
        return np.asarray(ndtri(uniform + 2.0**-54))  # from the middles of the cells of a grid, so never infinite
