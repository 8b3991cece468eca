"""Replications of a simulation, and how often their intervals hold the truth.

A replication has a number, which seeds all that is random in it, so it is the same whichever others are run; all
methods see the same data. With a file for the results a run goes on where another one ended: it holds a line of JSON
for each replication and method.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import emimpute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["Answers", "answers", "coverage", "minus", "widths"]

NOMINAL = 0.95  # of the intervals


@dataclass(frozen=True)
class Answers:
    """What one method said in each replication."""

    found: np.ndarray  # (replications, k, 3): estimate, low, high; NaN where it failed
    seconds: np.ndarray  # (replications,) of the processor
    failed: tuple[str, ...]  # why, a sentence for each failure


def answers(
    attempt: Callable[[str, int], np.ndarray],
    methods: Iterable[str],
    numbers: range,
    *,
    terms: int,
    settings: Mapping[str, Any],
    results: Path | None = None,
) -> dict[str, Answers]:
    """For each method what ``attempt(method, number)`` gave, (terms, 3); taken from ``results`` where it is there.

    Lines of the file with other ``settings`` are left aside, and what failed is tried again.
    """
    methods = tuple(methods)
    known = _read(results, settings)
    for number in numbers:
        for method in methods:
            if (method, number) not in known:
                line = _timed(attempt, method, number)
                known[method, number] = line
                if results is not None:
                    with results.open("a", encoding="utf-8") as file:  # a line begins with its break: whole lines only
                        file.write("\n" + json.dumps({**settings, "method": method, "number": number, **line}))
    return {method: _gathered([known[method, number] for number in numbers], terms) for method in methods}


def _timed(attempt: Callable[[str, int], np.ndarray], method: str, number: int) -> dict[str, Any]:
    begin = time.process_time()
    try:
        found, failed = attempt(method, number).tolist(), ""
    except emimpute.EMImputeError as error:
        found, failed = None, str(error)
    return {"found": found, "failed": failed, "seconds": time.process_time() - begin}


def _read(results: Path | None, settings: Mapping[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    known = {}
    text = results.read_text(encoding="utf-8") if results is not None and results.exists() else ""
    for written in text.splitlines():
        try:
            line = json.loads(written)
        except ValueError:  # the run was ended in the middle of it
            continue
        if line["found"] is not None and all(line[name] == value for name, value in settings.items()):
            known[line["method"], line["number"]] = line
    return known


def _gathered(lines: list[dict[str, Any]], terms: int) -> Answers:
    nothing = np.full((terms, 3), np.nan)
    found = np.array([nothing if line["found"] is None else line["found"] for line in lines])
    return Answers(
        found,
        np.array([line["seconds"] for line in lines]),
        tuple(f"{line['failed']}" for line in lines if line["found"] is None),
    )


def held(answer: Answers, truth: np.ndarray) -> np.ndarray:
    """Whether the truth (k,) is in the intervals: (replications, k), as 0 and 1; NaN where there is none."""
    _, low, high = np.moveaxis(answer.found, 2, 0)
    return np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))


def coverage(by_method: Mapping[str, Answers], truth: pd.Series[Any]) -> pd.DataFrame:
    """A row for each method: the share of intervals that hold the truth, by term and on average, and their errors.

    ``±`` is the standard error of the coverage of a term, ``± mean`` that of their mean, from the replications' own
    means (the terms of one replication are not independent). ``failed`` counts replications without an answer, which
    the shares leave out; a method that always failed has no row.
    """
    rows = {}
    for method, answer in by_method.items():
        inside = held(answer, truth.to_numpy())
        inside = inside[~np.isnan(inside).any(axis=1)]
        if len(inside):
            error = np.sqrt(NOMINAL * (1 - NOMINAL) / len(inside))
            each = inside.mean(axis=1)
            rows[method] = [*inside.mean(axis=0), error, each.mean(), _error(each), len(answer.failed)]
    columns = [*truth.index, "±", "mean", "± mean", "failed"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def minus(by_method: Mapping[str, Answers], reference: str, truth: pd.Series[Any]) -> pd.DataFrame:
    """How much more often than the reference, by term and on average, and the error of that: the data are the same."""
    rows = {}
    base = held(by_method[reference], truth.to_numpy())
    for method, answer in by_method.items():
        if method != reference:
            apart = held(answer, truth.to_numpy()) - base
            apart = apart[~np.isnan(apart).any(axis=1)]
            if len(apart):
                rows[method] = [*apart.mean(axis=0), apart.mean(), _error(apart.mean(axis=1))]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*truth.index, "mean", "± mean"])


def widths(by_method: Mapping[str, Answers], truth: pd.Series[Any]) -> pd.DataFrame:
    """A row for each method: bias by term, over the sd of the estimates; mean width; milliseconds, the median."""
    rows = {}
    for method, answer in by_method.items():
        estimate, low, high = np.moveaxis(answer.found[~np.isnan(answer.found).any(axis=(1, 2))], 2, 0)
        if len(estimate):
            bias = (estimate.mean(axis=0) - truth) / (estimate.std(axis=0, ddof=1) if len(estimate) > 1 else np.nan)
            rows[method] = [*bias, (high - low).mean(), 1e3 * float(np.median(answer.seconds))]
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=[*(f"bias {term}" for term in truth.index), "width", "ms"]
    )


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
