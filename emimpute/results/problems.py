"""What was found wrong or odd, as values: each with its columns, a sentence and a remedy; and which warning says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from emimpute.errors import ColumnWarning, EMImputeWarning, warn

__all__ = ["Problem", "table", "warn_of"]


@dataclass(frozen=True)
class Problem:
    """One thing that was found. ``warning`` is None where a note is enough."""

    name: str
    columns: tuple[Any, ...]  # labels; or, where pairs or sets of columns are concerned, a tuple of labels for each
    sentence: str
    remedy: str
    warning: type[EMImputeWarning] | None = None

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


def table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems as a frame with the columns problem, columns, sentence, remedy."""
    rows = [(p.name, p.columns, p.sentence, p.remedy) for p in problems]
    return pd.DataFrame(rows, columns=["problem", "columns", "sentence", "remedy"], dtype=object)


_MORE = "For more, see fit.problems, or pass report=True."


def warn_of(problems: Iterable[Problem], more: str = _MORE) -> None:
    """One warning for each class of warning among ``problems``, at the user's own line; ``more`` ends it."""
    by_class: dict[type[EMImputeWarning], list[Problem]] = {}
    for problem in problems:
        if problem.warning is not None:
            by_class.setdefault(problem.warning, []).append(problem)
    for category, found in by_class.items():
        remedies = dict.fromkeys(p.remedy for p in found if p.remedy)
        last = [more] if more and category is not ColumnWarning else []
        warn(" ".join([*(p.sentence for p in found), *remedies, *last]), category)
