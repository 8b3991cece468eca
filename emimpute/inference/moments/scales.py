r"""Scale scores per person: the expected mean or sum of some items, given all that the person answered.

With a the signs (and 1/k for a mean) of the items of a scale, a row's score is c + aᵀE[z], its conditional sd
√(aᵀ Cov(z) a): exactly what the fit says of the unanswered items, with their correlations, from every column. Beside it
stands the usual person-mean scoring, which takes each unanswered item for the mean of those that were answered, however
easy or hard these are to agree with. A reversed item counts as (lowest + highest) − answer.

A score from expectations varies less than the scale would have, had everything been answered: compare persons by it,
with its sd; for variances and regressions use the fit itself, or draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.errors import ColumnError, EMImputeError, named, shown, unknown
from emimpute.inference.moments.columns import Columns
from emimpute.latent import blocks

if TYPE_CHECKING:
    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

    Ranges = Mapping[Any, tuple[float, float]] | tuple[float, float]

__all__ = ["scales"]

_KINDS = ("mean", "sum")
_NUMBERS = 1 << 20  # in the covariance matrices of one block of rows
_SUFFIXES = ("", "_sd", "_person", "_answered")


@dataclass(frozen=True)
class _Scale:
    """A scale's items, as coordinates."""

    name: Any
    labels: list[Any]
    turned: list[bool]
    places: np.ndarray  # (k,)


@single_threaded
def scales(
    law: Law,
    fitted: pd.DataFrame | None,
    asked: Mapping[Any, Any],
    *,
    new: pd.DataFrame | None = None,
    kind: Literal["mean", "sum"] = "mean",
    ranges: Ranges | None = None,
) -> pd.DataFrame:
    """Scores of each row of ``new`` (default: of the ``fitted`` frame), under its index; four columns a scale.

    ``asked`` has a list of items for each scale's name, ``"-A1"`` for the reversed A1. The columns are ``name`` (the
    expected score), ``name_sd`` (its conditional sd, 0 where all was answered), ``name_person`` (from the answered
    items alone, NaN where there are none) and ``name_answered`` (how many were). ``ranges`` is the lowest and highest
    answer of reversed items, for all of them or by label; by default what was observed.

    Raises EMImputeError for what is no such mapping, ColumnError for items that the fit lacks or holds on another scale
    than their own.
    """
    columns = Columns.of(law)
    if kind not in _KINDS:
        raise EMImputeError(unknown("kind of score", kind, _KINDS))
    given: Any = asked  # by whoever does not read types
    if not isinstance(given, Mapping) or not given:
        msg = 'Scales are asked for as a dict with a list of items for each, such as {"agree": ["-A1", "A2"]}.'
        raise EMImputeError(msg)
    wanted = [_scale(columns, name, items) for name, items in asked.items()]
    named_columns = [f"{one.name}{suffix}" if suffix else one.name for one in wanted for suffix in _SUFFIXES]
    if twice := {name for name in named_columns if named_columns.count(name) > 1}:
        raise EMImputeError(
            f"These scales would make the column {named(sorted(map(str, twice)))} twice: rename a scale."
        )
    df = fitted if new is None else new
    if df is None:
        raise EMImputeError("This fit was read from a file, which holds no data: give rows to score as new=.")
    latent = law.table.encode(df, law.table.match(df))
    total = _totals(law, fitted, wanted, ranges, columns)
    weights = np.zeros((len(wanted), len(columns.shift)))
    for row, one in zip(weights, wanted, strict=True):
        row[one.places] = np.where(one.turned, -1.0, 1.0)
    expected, spread = _expected(law, latent, weights)
    answers = np.where(latent.observed, latent.points, np.nan) + columns.shift
    found: dict[Any, np.ndarray] = {}
    for s, one in enumerate(wanted):
        k = len(one.places)
        divisor = k if kind == "mean" else 1
        own = answers[:, one.places] * weights[s, one.places] + total[s]
        count = (~np.isnan(own)).sum(axis=1)
        person = np.divide(np.nansum(own, axis=1), count, out=np.full(len(own), np.nan), where=count > 0)
        shift = weights[s] @ columns.shift + total[s].sum()
        score = np.where(count == k, np.nansum(own, axis=1), expected[:, s] + shift)
        name = one.name
        found |= {
            name: score / divisor,
            f"{name}_sd": spread[:, s] / divisor,
            f"{name}_person": person * (k / divisor),
            f"{name}_answered": count,
        }
    return pd.DataFrame(dict(enumerate(found.values())), index=df.index).set_axis(list(found), axis=1)


def _scale(columns: Columns, name: Any, items: Any) -> _Scale:
    what = f"Scale {shown(name)}"
    if isinstance(items, str) or not hasattr(items, "__iter__"):
        raise EMImputeError(f"{what}: items come as a list, as ['-A1', 'A2'], and not as {items!r}.")
    labels, turned = [], []
    for item in items:
        known = any(label is item or label == item for label in columns.labels)
        back = not known and isinstance(item, str) and item.startswith("-")
        wanted = item[1:].strip() if back else item
        texts = [label for label in columns.labels if back and str(label) == wanted]
        labels.append(texts[0] if len(texts) == 1 else wanted)  # the label may be a number
        turned.append(back)
    if not labels:
        raise EMImputeError(f"{what}: there are no items: name one or more.")
    if twice := [label for i, label in enumerate(labels) if label in labels[:i]]:
        raise EMImputeError(f"{what}: {named(twice)} is named more than once: name each item once.")
    places = np.array([columns.on_own_scale(label, what) for label in labels])
    return _Scale(name, labels, turned, places)


def _totals(
    law: Law, fitted: pd.DataFrame | None, wanted: list[_Scale], ranges: Ranges | None, columns: Columns
) -> list[np.ndarray]:
    """For each scale what a reversed item is taken from, lowest + highest, and 0 for others, (k,)."""
    reversed_ = {
        label: place
        for one in wanted
        for label, turn, place in zip(one.labels, one.turned, one.places, strict=True)
        if turn
    }
    given = _given(ranges, list(reversed_))
    observed = {}
    if lacking := [label for label in reversed_ if label not in given]:
        if fitted is None:
            raise EMImputeError(
                "This fit was read from a file, which holds no data: give the lowest and highest answer of "
                f"{named(lacking)} as ranges=(low, high), or by label."
            )
        latent = law.table.encode(fitted, law.table.match(fitted))
        for label in lacking:
            place = reversed_[label]
            seen = latent.points[latent.observed[:, place], place] + columns.shift[place]
            observed[label] = float(seen.min() + seen.max())
    both = {**observed, **given}
    return [
        np.array([both[label] if turn else 0.0 for label, turn in zip(one.labels, one.turned, strict=True)])
        for one in wanted
    ]


def _given(ranges: Ranges | None, labels: list[Any]) -> dict[Any, float]:
    """Lowest + highest answer of those of ``labels`` whose range was given."""
    if ranges is None:
        return {}
    by_label = dict(ranges) if isinstance(ranges, Mapping) else dict.fromkeys(labels, ranges)
    if stray := [label for label in by_label if label not in labels]:
        raise ColumnError(f"In ranges=, {named(stray)} is no reversed item: only these need a range.")
    found = {}
    for label, pair in by_label.items():
        try:
            low, high = map(float, pair)
        except (TypeError, ValueError):
            low, high = np.nan, np.nan
        if not low < high:
            raise EMImputeError(f"In ranges=, {pair!r} is no lowest and highest answer, such as (1, 6).")
        found[label] = low + high
    return found


def _expected(law: Law, latent: Latent, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Conditional means and sds (n, s) of the sums of latent coordinates with these ``weights`` (s, d)."""
    n, d = latent.points.shape
    mean, spread = np.empty((n, len(weights))), np.empty((n, len(weights)))
    whole = replace(latent, spans=(slice(0, d),))  # so that all coordinates have one covariance matrix
    for some in blocks(n, d * d, cells=_NUMBERS):
        z, covariances = law.model.complete(law.params, whole.take(some), variance=True)
        assert covariances is not None  # noqa: S101 (they were asked for)
        cov = covariances[0]
        mean[some] = z @ weights.T
        spread[some] = np.sqrt(np.maximum(np.einsum("sd,nde,se->ns", weights, cov, weights, optimize=True), 0.0))
    return mean, spread
