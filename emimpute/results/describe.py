"""What was found about coordinates, and how a run ended, put into the user's words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from emimpute.em import Stop
from emimpute.errors import ConvergenceWarning, IdentificationWarning, named, phrase, shown
from emimpute.results.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from emimpute.em import Iterate
    from emimpute.em.starts import Agreement
    from emimpute.identification import Finding
    from emimpute.models.priors import Prior

__all__ = ["agreed", "costly", "describe", "distance", "engine", "not_converged", "refusal", "unsettled"]

_SETS = 6  # pairs or sets of columns that a sentence lists before it counts the rest


def describe(
    found: Iterable[Finding], labels: pd.Index[Any], rows: int, *, helped: Prior | None, warned: bool
) -> list[Problem]:
    """One problem for each name of finding, over all its coordinates; before them, what the ridge was used for.

    ``labels`` are those of the coordinates, ``rows`` have something observed in them; ``helped`` is the ridge that was
    used because of what was found, ``warned`` says that what harms the likelihood is worth a warning.
    """
    found = list(found)
    by_name: dict[str, list[Finding]] = {}
    for finding in found:
        by_name.setdefault(finding.name, []).append(finding)
    problems = []
    if helped is not None:
        why = cause(found)
        problems.append(Problem(why.problem, (), f"{why.value} {_HELPED.format(helped.df)}", "", IdentificationWarning))
    for name, group in by_name.items():
        sets = tuple(tuple(labels[list(finding.coordinates)]) for finding in group)
        harms = name == "incompatible" or any(finding.flat or finding.unbounded or finding.edge for finding in group)
        warning = IdentificationWarning if harms and warned else None
        if name in _TOO_FEW:
            sentence = _TOO_FEW[name].format(rows=rows, columns=len(sets[0]))
            problems.append(
                Problem(name, sets[0], sentence, "Use fewer columns, or choose a stronger prior=.", warning)
            )
        else:
            problems.append(Problem(name, sets, *_WORDS[name](sets), warning))
    return problems


def cause(found: Iterable[Finding]) -> Stop:
    """Why maximum likelihood fails, if several things are wrong the worst of them."""
    found = list(found)
    names = {finding.name for finding in found}
    if "fewer rows than columns" in names:
        return Stop.TOO_FEW_ROWS
    if any(finding.unbounded for finding in found):
        return Stop.UNBOUNDED
    return Stop.SINGULAR if "incompatible" in names or any(finding.edge for finding in found) else Stop.FLAT


def agreed(agreement: Agreement, ends: Sequence[Iterate], stop: Stop) -> Problem:
    """How far several starts agreed, by their last iterates ``ends``; ``stop`` is that of the fit."""
    arrived = sum(map(len, agreement.maxima))
    share = "all" if arrived == len(ends) else str(arrived or "none")
    said = [f"Of {len(ends)} starts, {share} ended at {_maxima(agreement, ends)}"]
    if agreement.diverged:
        said.append(f"{len(agreement.diverged)} ran towards a singular covariance matrix")
    if agreement.unfinished:
        said.append(f"{len(agreement.unfinished)} stopped on the way")
    sentence = f"{'; '.join(said)}. Kept: start {agreement.kept + 1}."
    if stop is Stop.SEVERAL_MAXIMA:
        return Problem(stop.problem, (), f"{stop.value} {sentence}", _REMEDIES[stop], IdentificationWarning)
    return Problem("starts", (), sentence, "")


def _maxima(agreement: Agreement, ends: Sequence[Iterate]) -> str:
    """The maxima with their heights and the numbers of the starts, counted from 1, that reached them."""
    if len(agreement.maxima) < 2:
        return "one maximum" if agreement.maxima else "a maximum"
    height = "log-likelihood" if ends[0].loglik == ends[0].logpost else "log posterior"
    each = [f"{ends[group[0]].logpost:.6f} ({_starts(group)})" for group in agreement.maxima]
    return f"{len(each)} maxima, of {height} {phrase(each, _SETS)}"


def _starts(group: Sequence[int]) -> str:
    return f"start{'s' * (len(group) > 1)} {phrase([str(i + 1) for i in group], _SETS)}"


def refusal(found: Iterable[Finding], labels: pd.Index[Any], rows: int) -> str:
    """Why ``prior=None`` refuses, and what to do."""
    found = list(found)
    said = [p for p in describe(found, labels, rows, helped=None, warned=True) if p.warning]
    remedies = dict.fromkeys(p.remedy for p in said)
    return " ".join([cause(found).value, *(p.sentence for p in said), *remedies, _REFUSED])


def distance(remaining: float) -> str:
    """An estimated distance to the maximum in words."""
    return f"estimated {remaining:.1e}" if math.isfinite(remaining) else "unknown"


def engine(structure: str, history: Sequence[Iterate], *, closed: bool) -> str:
    """How a run got where it ended: what of the data's ``structure`` was used, and what climbed.

    ``closed`` says that nothing is missing.
    """
    if history[-1].stop is Stop.NOTHING_MISSING:
        return f"{'nothing missing' if closed else 'monotone patterns'}: closed form."
    accelerated = any(iterate.accelerated for iterate in history[:-1])
    climbed = "L-BFGS in the EM metric" if accelerated else "EM"
    finish = ", Newton finish" if history[-1].stop in _FINISHED else ""
    return f"{structure}{'; ' if structure else ''}{climbed}{finish}."


_FINISHED = {Stop.CONVERGED, Stop.FLAT, Stop.SEVERAL_MAXIMA}  # which the closing Newton step tells


def not_converged(stop: Stop, last: Iterate, tol: float, *, coarse: bool = False) -> Problem:
    """A run that did not end as it should; ``coarse`` where some cells are intervals."""
    sentence = f"{stop.value} (E-steps: {last.esteps}; distance: {distance(last.remaining)}; tol: {tol:g}.)"
    remedy = _RARE if coarse and stop in {Stop.MAX_ITER, Stop.STALLED} else _REMEDIES.get(stop, "")
    return Problem("not converged", (), sentence, remedy, ConvergenceWarning)


def unsettled(rows: int, of: int) -> Problem:
    """Rows in which expectation propagation did not come to rest."""
    sentence = (
        f"In {rows} of {of} rows expectation propagation did not settle, so that their share of the log-likelihood and "
        f"what is filled into them is less exact."
    )
    remedy = "Look for columns that nearly determine each other, or pass a stronger prior=."
    return Problem("intervals not settled", (), sentence, remedy, ConvergenceWarning if rows > _MANY * of else None)


def costly(unordered: Sequence[tuple[Any, int]], intervals: int, rows: int, esteps: int) -> list[Problem]:
    """A note where a long fit took most of its time for what ``unordered`` columns have of coordinates beyond one each.

    These are given as (label, coordinates); of all columns' coordinates ``intervals`` have cells that are intervals.
    The time goes with the rows, the E-steps, and what one row's inverses and pairs cost.
    """

    def work(k: int) -> int:
        return rows * esteps * k * k * (k + _BESIDES)

    theirs = sum(width for _, width in unordered)
    if work(intervals) < max(_LONG, 2 * work(intervals - theirs + len(unordered))):
        return []
    labels = tuple(label for label, _ in sorted(unordered, key=lambda each: -each[1]))
    sentence = (
        f"Most of the time went to unordered categories: {named(labels)} {'have' if len(labels) > 1 else 'has'} "
        f"{theirs} of the {intervals} coordinates that are known by intervals, whose work grows faster than their "
        f"square."
    )
    remedy = "Where the categories have an order, kind 'ordinal' needs one coordinate; or merge categories."
    return [Problem("slow unordered categories", labels, sentence, remedy)]


_BESIDES = 40  # what a coordinate costs besides its part in inverses, in units of that
_LONG = 2e9  # work that takes some ten seconds (measured: 5 to 8 seconds for 1e9)
_MANY = 0.01  # share of rows from which that is worth a warning
_HELPED = "So a ridge (prior df {:g}) was used instead of maximum likelihood."
_REFUSED = "prior=None refuses to go on; prior='fallback' (the default) uses a ridge."
_RARE = "Merge rare categories, order those that have an order, or pass a stronger prior= (3, say); or raise max_iter."
_REMEDIES = {
    Stop.MAX_ITER: "Raise max_iter, and see fit.trace.",
    Stop.STALLED: "Raise tol, or look for nearly dependent columns.",
    Stop.FLAT: "Use prior='fallback', or see fit.problems for what is not determined.",
    Stop.SINGULAR: "Use prior='fallback', or see fit.problems for the columns to leave out.",
    Stop.SEVERAL_MAXIMA: "Read what rests on the covariances with care, or collect rows that decide between them.",
    Stop.UNBOUNDED: "Use a stronger prior, or leave out the dependent columns.",
}


_TOO_FEW = {
    "fewer rows than columns": "Too few rows with something observed: {rows}, for {columns} columns.",
    "too few rows together": (
        "Of {rows} rows with something observed too few are complete in the same columns, for {columns} columns."
    ),
}


def _pairs(sets: Sequence[tuple[Any, ...]]) -> str:
    said = [f"{shown(a)} with {shown(b)}" for a, b in sets[:_SETS]]
    more = len(sets) - len(said)
    return ", ".join(said) + (f" and {more} more pair{'s' * (more > 1)}" if more else "")


def _sets(sets: Sequence[tuple[Any, ...]]) -> str:
    every = list(dict.fromkeys(label for one in sets for label in one))
    if len(sets) == 1 or len(sets) > _SETS or max(map(len, sets)) > _SETS:
        return f"{named(every)}" + (f" (in {len(sets)} ways)" if len(sets) > 1 else "")
    return "; ".join(named(one) for one in sets)


def _associated(sets: Sequence[tuple[Any, ...]]) -> str:
    """Pairs, and larger sets as what they are."""
    pairs, larger = [one for one in sets if len(one) == 2], [one for one in sets if len(one) != 2]
    said = []
    if pairs:
        said.append(f"The latent correlation of {_pairs(pairs)} runs to 1 or -1: perfectly associated in these data.")
    if larger:
        said.append(
            f"A combination of latent values loses all variance, as these data are fitted best: {_sets(larger)}."
        )
    return " ".join(said)


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
    "incompatible": lambda sets: (
        f"Fitted best as if linearly dependent, though no row has them all: {_sets(sets)}.",
        f"Leave one of these columns out, or collect rows that have {'both' if len(sets[0]) == 2 else 'all of them'}."
        if len(sets) == 1
        else "There are too many gaps for so many columns: let the data choose a ridge (prior='auto'), or use fewer.",
    ),
    "perfectly associated": lambda sets: (
        _associated(sets),
        "Leave one column of each pair out, or collect rows that tell them apart."
        if all(len(one) == 2 for one in sets)
        else "Leave one of these columns out, merge rare categories, or let the data choose a ridge (prior='auto').",
    ),
    "undetermined": lambda sets: (
        f"The likelihood does not change with these covariances (or variances): {_sets(sets)}.",
        "Leave one of these columns out.",
    ),
    "thin pair": lambda sets: (
        f"Observed together in fewer than ten rows: {_pairs(sets)}.",
        "Read what rests on these pairs with care.",
    ),
}
