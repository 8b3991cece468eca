"""Findings about coordinates, put into the user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emimpute.errors import IdentificationWarning, named
from emimpute.results.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from emimpute.identification import Finding

__all__ = ["describe"]


def describe(found: Iterable[Finding], labels: pd.Index[Any], *, helped: bool, warned: bool) -> list[Problem]:
    """One problem for each name of finding, over all its columns; ``helped`` if the weak ridge was used because of them."""
    by_name: dict[str, list[Finding]] = {}
    for finding in found:
        by_name.setdefault(finding.name, []).append(finding)
    problems = []
    for name, group in by_name.items():
        sets = [tuple(labels[i] for i in finding.coordinates) for finding in group]
        serious = any(finding.flat or finding.unbounded for finding in group)
        sentence, remedy = _WORDS[name](sets)
        columns = tuple(sets) if len(sets) > 1 else sets[0]
        problems.append(Problem(name, columns, sentence, remedy, IdentificationWarning if serious and warned else None))
    if helped:
        problems.insert(0, Problem("ridge", (), _HELPED, "", IdentificationWarning))
    return problems


_HELPED = "Maximum likelihood does not exist or is not unique for these data, so a weak ridge (prior df 0.5) was used instead."


def _sets(sets: Sequence[tuple[Any, ...]]) -> str:
    said = [f"({named(s)})" for s in sets[:6]]
    return ", ".join(said) + (f" and {len(sets) - 6} more" if len(sets) > 6 else "")


_WORDS: dict[str, Callable[[Sequence[tuple[Any, ...]]], tuple[str, str]]] = {
    "fewer rows than columns": lambda sets: (
        f"There are no more rows than columns ({len(sets[0])}).",
        "Use fewer columns, or choose prior= yourself.",
    ),
    "never observed together": lambda sets: (
        f"Never observed together, so that their partial association is unknown: {_sets(sets)}.",
        "Leave one column of each pair out, or collect rows that have both.",
    ),
    "no variation together": lambda sets: (
        f"In every row that has the first, the second stands still, so that their association is unknown: {_sets(sets)}.",
        "Leave one column of each pair out.",
    ),
    "duplicates": lambda sets: (
        f"The same but for origin and unit: {_sets(sets)}.",
        "Leave one column of each pair out.",
    ),
    "dependent": lambda sets: (
        f"Linearly dependent, or too many for these rows: {_sets(sets)}.",
        "Leave one column of each set out.",
    ),
    "thin pair": lambda sets: (
        f"Observed together in fewer than ten rows: {_sets(sets)}.",
        "Read what rests on these pairs with care.",
    ),
}
