"""What was found about coordinates, and how a run ended, put into the user's words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from emimpute.em import Stop
from emimpute.errors import ConvergenceWarning, IdentificationWarning, named, shown
from emimpute.results.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from emimpute.em import Iterate
    from emimpute.identification import Finding

__all__ = ["describe", "distance", "not_converged", "refusal"]

_SETS = 6  # pairs or sets of columns that a sentence lists before it counts the rest


def describe(
    found: Iterable[Finding], labels: pd.Index[Any], rows: int, *, helped: bool, warned: bool
) -> list[Problem]:
    """One problem for each name of finding, over all its coordinates.

    ``labels`` are those of the coordinates, ``rows`` have something observed in them; ``helped`` says that the weak
    ridge was used because of what was found, ``warned`` that what harms the likelihood is worth a warning.
    """
    by_name: dict[str, list[Finding]] = {}
    for finding in found:
        by_name.setdefault(finding.name, []).append(finding)
    problems = [Problem("ridge", (), _HELPED, "", IdentificationWarning)] if helped else []
    for name, group in by_name.items():
        sets = tuple(tuple(labels[list(finding.coordinates)]) for finding in group)
        harms = any(finding.flat or finding.unbounded for finding in group)
        warning = IdentificationWarning if harms and warned else None
        if name == "fewer rows than columns":
            problems.append(Problem(name, sets[0], *_too_few(rows, len(sets[0])), warning))
        else:
            problems.append(Problem(name, sets, *_WORDS[name](sets), warning))
    return problems


def refusal(found: Iterable[Finding], labels: pd.Index[Any], rows: int) -> str:
    """Why ``prior=None`` refuses, and what to do."""
    said = [p for p in describe(found, labels, rows, helped=False, warned=True) if p.warning]
    remedies = dict.fromkeys(p.remedy for p in said)
    return " ".join([Stop.UNBOUNDED.value, *(p.sentence for p in said), *remedies, _REFUSED])


def distance(remaining: float) -> str:
    """An estimated distance to the maximum in words."""
    return f"estimated {remaining:.1e}" if math.isfinite(remaining) else "unknown"


def not_converged(stop: Stop, last: Iterate, tol: float) -> Problem:
    """A run that did not end as it should."""
    sentence = f"{stop.value} (E-steps: {last.esteps}; distance: {distance(last.remaining)}; tol: {tol:g}.)"
    return Problem("not converged", (), sentence, _REMEDIES.get(stop, ""), ConvergenceWarning)


_HELPED = (
    "Maximum likelihood does not exist or is not unique for these data, "
    "so a weak ridge (prior df 0.5) was used instead."
)
_REFUSED = "prior=None refuses to go on; prior='fallback' (the default) uses a weak ridge."
_REMEDIES = {
    Stop.MAX_ITER: "Raise max_iter, and see fit.trace.",
    Stop.STALLED: "Raise tol, or look for nearly dependent columns.",
    Stop.FLAT: "Use prior='fallback', or see fit.problems for what is not determined.",
    Stop.UNBOUNDED: "Use a stronger prior, or leave out the dependent columns.",
}


def _too_few(rows: int, columns: int) -> tuple[str, str]:
    return (
        f"Too few rows with something observed: {rows}, for {columns} columns.",
        "Use fewer columns, or choose a stronger prior=.",
    )


def _pairs(sets: Sequence[tuple[Any, ...]]) -> str:
    said = [f"{shown(a)} with {shown(b)}" for a, b in sets[:_SETS]]
    more = len(sets) - len(said)
    return ", ".join(said) + (f" and {more} more pair{'s' * (more > 1)}" if more else "")


def _sets(sets: Sequence[tuple[Any, ...]]) -> str:
    every = list(dict.fromkeys(label for one in sets for label in one))
    if len(sets) == 1 or len(sets) > _SETS or max(map(len, sets)) > _SETS:
        return f"{named(every)}" + (f" (in {len(sets)} ways)" if len(sets) > 1 else "")
    return "; ".join(named(one) for one in sets)


_LEAVE_OUT = "Leave one column of each pair out."
_WORDS: dict[str, Callable[[Sequence[tuple[Any, ...]]], tuple[str, str]]] = {
    "never observed together": lambda sets: (
        f"Never observed together, so that nothing is known of their partial association: {_pairs(sets)}.",
        "Leave one column of each pair out, or collect rows that have both.",
    ),
    "no variation together": lambda sets: (
        f"Where the first is observed the second never varies, so their association is unknown: {_pairs(sets)}.",
        _LEAVE_OUT,
    ),
    "duplicates": lambda sets: (f"The same but for origin and unit: {_pairs(sets)}.", _LEAVE_OUT),
    "dependent": lambda sets: (
        f"Linearly dependent, or too many for these rows: {_sets(sets)}.",
        f"Leave {'one of these columns' if len(sets) == 1 else f'{len(sets)} of these columns'} out.",
    ),
    "thin pair": lambda sets: (
        f"Observed together in fewer than ten rows: {_pairs(sets)}.",
        "Read what rests on these pairs with care.",
    ),
}
