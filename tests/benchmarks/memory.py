"""How much memory filling takes: the peak over ``df.em.impute()``, over the data as float64.

Run with ``make bench``, or with the shapes as arguments: ``memory.py 100000x30``. What is counted is all that the call
allocates, the frame it returns included; the caller's own frame is not.
"""

from __future__ import annotations

import sys
import tracemalloc
from typing import TYPE_CHECKING

from peers.tables import SHAPES, table
from threadpoolctl import threadpool_limits

import emimpute

if TYPE_CHECKING:
    import pandas as pd


def peak(df: pd.DataFrame) -> float:
    """Bytes at the peak of filling ``df``, over those of its cells as float64."""
    tracemalloc.start()
    try:
        emimpute.impute(df)
        return tracemalloc.get_traced_memory()[1] / (8 * df.size)
    finally:
        tracemalloc.stop()


def main(shapes: list[str]) -> None:
    emimpute.impute(table(100, 3, 0.1))  # what is imported at first use is no part of it
    for shape in shapes:
        rows, columns = map(int, shape.split("x"))
        print(f"{shape:>11}  {peak(table(rows, columns, SHAPES.get(shape, 0.2))):6.2f} times the data", flush=True)


if __name__ == "__main__":
    with threadpool_limits(1):
        main(sys.argv[1:] or list(SHAPES))
