"""A recipe for every dtype that holds levels: from labels (None for gaps) to a Series of that dtype.

``TEXT`` takes text, ``CATEGORIES`` any labels, ``BRACKETS`` are columns of intervals of numbers made each in its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

EDGES = [0, 30, 40, 60, 100]
AGES = pd.Series([20.0, 31, 55, 47, np.nan, 68, 90, 33], name="age")

TEXT: dict[str, Callable[[list[Any]], pd.Series[Any]]] = {
    "object": lambda labels: pd.Series(labels, dtype=object),
    "what pandas infers": pd.Series,
    "string": lambda labels: pd.Series(labels, dtype="string"),
    "string[python]": lambda labels: pd.Series(labels, dtype="string[python]"),
    "string[pyarrow]": lambda labels: pd.Series(labels, dtype="string[pyarrow]"),
    "Arrow string": lambda labels: pd.Series(labels, dtype=pd.ArrowDtype(pa.string())),
}
CATEGORIES: dict[str, Callable[[list[Any]], pd.Series[Any]]] = {
    "category": lambda labels: pd.Series(labels, dtype="category"),
    "ordered category": lambda labels: pd.Series(pd.Categorical(labels, _seen(labels), ordered=True)),
    "with a category more": lambda labels: pd.Series(pd.Categorical(labels, [*_seen(labels), "more"])),
    "ordered, with a category more": lambda labels: pd.Series(
        pd.Categorical(labels, ["more", *_seen(labels)], ordered=True)
    ),
}
BRACKETS: dict[str, Callable[[], pd.Series[Any]]] = {
    "pd.cut": lambda: pd.cut(AGES, EDGES),
    "pd.cut, closed on the left": lambda: pd.cut(AGES, EDGES, right=False),
    "unordered": pd.cut(AGES, EDGES).cat.as_unordered,
    "interval dtype": lambda: pd.Series(pd.arrays.IntervalArray(pd.cut(AGES, EDGES))),
    "objects": lambda: pd.cut(AGES, EDGES).astype(object),
}


def _seen(labels: list[Any]) -> list[Any]:
    return list(dict.fromkeys(label for label in labels if label is not None))
