"""Cells that were predicted beside what was observed: a table of them, and how well each column does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.kinds.reading import missing, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emimpute.inference.complete import Law
    from emimpute.inference.heldout.overimpute import Predicted, Predictions

__all__ = ["MEASURES", "judged"]

MEASURES = (
    *("n", "coverage", "calibration", "rmse", "nrmse", "r2"),
    *("accuracy", "accuracy_marginal", "log_loss", "log_loss_marginal"),
)
_PLACES = ("observed", "estimate", "sd", "lower", "upper")  # in each column's own form
_NUMBERS = ("covered", "z", "probability", "correct")
_REACH = 1.959963984540054  # sds, of a 95 % interval
_TINY = np.finfo(float).tiny
_EXACT = 2**53  # beyond which floats do not have every whole number
_A_DAY = {"D": 1, "s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}  # ticks


@single_threaded
def judged(
    law: Law, df: pd.DataFrame, weights: np.ndarray | None, found: Predictions
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """A row for each predicted cell, a row for each column, and the share of all cells that intervals cover."""
    positions = law.table.match(df)
    w = np.ones(len(df)) if weights is None else np.asarray(weights, dtype=float)
    parts, measures, kept = [], [], []
    for place, i in enumerate(positions):
        own = [cells for cells in found.cells if cells.place == place]
        if own:
            part, measured = _column(own, df.iloc[:, i], w, found.fold)
            parts.append(part.assign(column=_repeated(df.columns[[i]], len(part)), _place=place))
            measures.append({"kind": own[0].coding.kind, **measured})
            kept.append(place)
    for name in _PLACES:
        if len({str(part[name].dtype) for part in parts}) > 1:  # numbers beside times or words: keep each as it is
            parts = [part.astype({name: object}) for part in parts]
    cells = pd.concat(parts, ignore_index=True).sort_values(["_row", "_place"], ignore_index=True)
    rows = cells["_row"].to_numpy()
    cells.insert(0, "row", df.index[rows].to_flat_index())
    by_column = pd.DataFrame(measures, index=law.table.labels[kept], columns=["kind", *MEASURES])
    if by_column.index.nlevels == 1:  # labels of several levels keep the names of these
        by_column = by_column.rename_axis("column")
    covered = cells["covered"].to_numpy()
    coverage = _mean(covered, w[rows])
    return cells[["row", "column", *_PLACES, *_NUMBERS, "fold"]], by_column, coverage


def _repeated(label: pd.Index[Any], count: int) -> pd.Series[Any]:
    labels = np.empty(count, dtype=object)
    labels[:] = label.tolist() * count  # a tuple is one label
    return pd.Series(labels, dtype=object)


@dataclass(frozen=True, eq=False)
class _Judged:
    """Cells of one column; numbers are NaN where they have no meaning."""

    rows: np.ndarray  # (r,)
    fold: np.ndarray  # (r,)
    weight: np.ndarray  # (r,)
    covered: np.ndarray  # (r,)
    z: np.ndarray  # (r,)
    square: np.ndarray  # (r,) expected z²
    probability: np.ndarray  # (r,) of the interval
    exact: np.ndarray  # (r,) bool, known exactly


def _column(own: list[Predicted], like: pd.Series[Any], w: np.ndarray, fold: np.ndarray) -> tuple[pd.DataFrame, Any]:
    """One column's cells, and its measures."""
    said, shares = _said(own, like)
    rows = np.concatenate([cells.rows for cells in own])
    at = _judged(own, rows, w)
    probability, correct = at.probability, np.full(len(rows), np.nan)
    measured: dict[str, float] = {"n": len(rows), "coverage": _mean(at.covered, at.weight)}
    if shares is None:
        measured["calibration"] = _mean(at.square, at.weight)
        scored = at.exact | (own[0].coding.kind != "censored")  # beyond a limit the number is not known
        estimate = _exact(own, like) if _large(like) else said["estimate"]
        if (scale := _numbers(like, rows, estimate)) is not None:
            measured |= _of_numbers(*scale, rows, np.where(scored, w[rows], 0.0), _Dealt(fold, w))
    else:
        answers = _codes(like, list(shares))
        table = np.array(list(shares.values())).T
        code = answers[rows]
        probability = table[np.arange(len(rows)), code]
        correct = (table.argmax(axis=1) == code).astype(float)
        measured |= _of_categories(table, code, at.weight) | _marginal(answers, rows, w, fold, table.shape[1])
    part = pd.DataFrame({"observed": _observed(like, rows, numbers=shares is None), **said})
    numbers = {"covered": at.covered, "z": at.z, "probability": probability, "correct": correct}
    return part.assign(**numbers, fold=at.fold, _row=rows), measured


def _said(own: list[Predicted], like: pd.Series[Any]) -> tuple[dict[str, pd.Series[Any]], Mapping[Any, Any] | None]:
    """What the column's kind makes of the predicted laws: estimate, sd, lower, upper, and probabilities."""
    groups: list[list[Predicted]] = []
    for cells in own:  # folds share a coding unless they moved its cut points
        if groups and cells.coding is groups[-1][-1].coding:
            groups[-1].append(cells)
        else:
            groups.append([cells])
    said, shares = [], []
    for group in groups:
        mean, var = (np.concatenate([getattr(cells, name) for cells in group]) for name in ("mean", "var"))
        said.append({name: pd.Series(x) for name, x in group[0].coding.summarize(mean, var, like).items()})
        shares.append(group[0].coding.probabilities(mean, var))
    names = {"estimate": "estimate", "sd": "sd", "low": "lower", "high": "upper"}
    joined = {new: pd.concat([one[old] for one in said], ignore_index=True) for old, new in names.items()}
    if shares[0] is None:
        return joined, None
    each = [one for one in shares if one is not None]
    return joined, {label: np.concatenate([one[label] for one in each]) for label in each[0]}


def _judged(own: list[Predicted], rows: np.ndarray, w: np.ndarray) -> _Judged:
    """The observed cells under their predicted laws; columns of several coordinates have no interval."""
    fold = np.concatenate([cells.fold for cells in own])
    nothing = np.full(len(rows), np.nan)
    if own[0].coding.width > 1:
        return _Judged(rows, fold, w[rows], nothing, nothing, nothing, nothing, np.zeros(len(rows), dtype=bool))
    mean, lower, upper = (
        np.concatenate([getattr(cells, name)[:, 0] for cells in own]) for name in ("mean", "lower", "upper")
    )
    sd = np.sqrt(np.maximum(np.concatenate([cells.var[:, 0, 0] for cells in own]), _TINY))
    low, high = (lower - mean) / sd, (upper - mean) / sd
    exact = lower == upper
    z = np.where(exact, low, np.nan)
    covered, square, probability = (np.abs(z) <= _REACH).astype(float), np.square(z), nothing
    if not exact.all():
        inside = ~exact
        covered[inside], square[inside], probability[inside] = _within(low[inside], high[inside])
    return _Judged(rows, fold, w[rows], covered, z, square, probability, exact)


def _within(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a standard normal between ``low`` and ``high`` (r,): its share within the interval, its expected square, ...

    ... and the probability of being there.
    """
    from emimpute.normal.truncated import truncated  # noqa: PLC0415 (importing emimpute stays light)

    logz, mean, var = truncated(low, high)
    a, b = np.clip(low, -_REACH, _REACH), np.clip(high, -_REACH, _REACH)
    both = a < b
    share = np.zeros(len(low))
    share[both] = np.exp(truncated(a[both], b[both])[0] - logz[both])
    return np.minimum(share, 1.0), var + np.square(mean), np.exp(logz)


@dataclass(frozen=True, eq=False)
class _Dealt:
    """The fold (n,) of each row of the frame, -1 for none, and its weight (n,)."""

    fold: np.ndarray
    weights: np.ndarray

    def others(self, values: np.ndarray) -> np.ndarray:
        """For each row (n,) the mean of ``values`` (n,), NaN where missing, in the other folds."""
        known = ~np.isnan(values) & (self.fold >= 0)
        fold, w = self.fold[known], self.weights[known]
        weight, total = (np.bincount(fold, part, minlength=self.fold.max() + 1) for part in (w, w * values[known]))
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (total.sum() - total) / (weight.sum() - weight)
        return np.asarray(means[self.fold])


def _of_numbers(
    values: np.ndarray, errors: np.ndarray, rows: np.ndarray, weight: np.ndarray, dealt: _Dealt
) -> dict[str, float]:
    """Root mean squared error, the same in sd, and what it saves of the error of the other folds' means."""
    x = values[rows]
    mse = _mean(np.square(errors), weight)
    sd = _mean(np.square(x - _mean(x, weight)), weight) ** 0.5
    plain = _mean(np.square(x - dealt.others(values)[rows]), weight)
    return {"rmse": mse**0.5, "nrmse": mse**0.5 / sd if sd else np.nan, "r2": 1 - mse / plain if plain else np.nan}


def _numbers(like: pd.Series[Any], rows: np.ndarray, estimate: pd.Series[Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """The column's numbers (n,) as floats about one of their own, NaN where missing, and the errors (r,) of estimates.

    None where it holds something else. Times are counted in days, periods as they are.
    """
    view, said = read(like), read(estimate)
    if view is None or said is None or view.family is None:
        return None
    first, observed, estimates = view.observed[0], view.values[rows], said.values
    values = (np.where(view.missing, first, view.values) - first).astype(float)
    values[view.missing] = np.nan
    if view.unit != said.unit or view.unit in _A_DAY:
        values /= _A_DAY[str(view.unit)]
        parts = (np.divmod(ticks, _A_DAY[str(unit)]) for ticks, unit in ((estimates, said.unit), (observed, view.unit)))
        (days, ticks), (own_days, own_ticks) = parts
        return values, (days - own_days) + ticks / _A_DAY[str(said.unit)] - own_ticks / _A_DAY[str(view.unit)]
    if estimates.dtype != observed.dtype:
        estimates, observed = estimates.astype(float), observed.astype(float)
    return values, (estimates - observed).astype(float)


def _large(like: pd.Series[Any]) -> bool:
    """Whether the column holds exact numbers that floats would round."""
    view = read(like)
    if view is None or view.family != "number" or view.values.dtype.kind not in "iuO":
        return False
    return bool(max(map(abs, (view.observed.max(), view.observed.min()))) > _EXACT)


def _exact(own: list[Predicted], like: pd.Series[Any]) -> pd.Series[Any]:
    """The estimates (r,) as legal cells."""
    return pd.concat([pd.Series(cells.coding.expect(cells.mean, cells.var, like)) for cells in own], ignore_index=True)


def _codes(like: pd.Series[Any], labels: list[Any]) -> np.ndarray:
    """Which of the labels each cell is, (n,), -1 where missing."""
    places = {label: number for number, label in enumerate(labels)}
    gaps = missing(like)
    return np.array([-1 if gap else places[cell] for cell, gap in zip(like.tolist(), gaps, strict=True)], dtype=int)


def _of_categories(table: np.ndarray, code: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Accuracy, log loss, and the Brier score beside what the probabilities ``table`` (r, L) expect of it."""
    said = table[np.arange(len(code)), code]
    concentration = np.square(table).sum(axis=1)
    expected = _mean(1 - concentration, weight)
    return {
        "calibration": _mean(1 - 2 * said + concentration, weight) / expected if expected > 0 else np.nan,
        "accuracy": _mean((table.argmax(axis=1) == code).astype(float), weight),
        "log_loss": -_mean(np.log(np.maximum(said, _TINY)), weight),
    }


def _marginal(answers: np.ndarray, rows: np.ndarray, w: np.ndarray, fold: np.ndarray, levels: int) -> dict[str, float]:
    """What shares of the categories alone would do: the other folds' for the log loss, the most frequent of all ...

    ... for accuracy. (By the other folds it would be worse than chance where two are as frequent: the fold in which one
    happens to be rarer is the one it is predicted for.)
    """
    counts = np.zeros((fold.max() + 1, levels))
    used = (answers >= 0) & (fold >= 0)
    np.add.at(counts, (fold[used], answers[used]), w[used])
    others = counts.sum(axis=0) - counts
    said = (others / others.sum(axis=1, keepdims=True))[fold[rows], answers[rows]]
    frequent = np.bincount(answers[rows], w[rows], minlength=levels)
    return {
        "accuracy_marginal": float(frequent.max() / frequent.sum()),
        "log_loss_marginal": -_mean(np.log(np.maximum(said, _TINY)), w[rows]),
    }


def _observed(like: pd.Series[Any], rows: np.ndarray, *, numbers: bool) -> pd.Series[Any]:
    """The observed cells (r,): floats where they are numbers, else as they are."""
    view = read(like) if numbers else None
    if view is not None and view.family == "number":
        return pd.Series(view.values[rows].astype(float))
    own = like.iloc[rows].reset_index(drop=True)
    return own if numbers and view is not None else pd.Series(own.tolist(), dtype=object)


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    """The weighted mean of what is not NaN; NaN where all is."""
    known = ~np.isnan(values) & (weight > 0)
    return float(weight[known] @ values[known] / weight[known].sum()) if known.any() else float("nan")
