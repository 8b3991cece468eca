"""Columns of several kinds beside gcimpute, the true parameters and the simplest fills: errors, calibration, speed.

Run with ``make bench``, or with names of parts as arguments: ``mixed.py copula cuts nominal calibration speed``.
``--seeds 10`` says how many tables are simulated for each line, ``--first 100`` with which seed to begin, and ``--raw
FILE`` appends what was measured of each table, one line of JSON each. ``QUICK=1`` in the environment takes three seeds
and smaller tables. gcimpute runs in a process of its own; ``GCIMPUTE_PYTHON`` names another Python that has it.

What is simulated stands in ``mixture/data.py``, what is measured in ``mixture/errors.py``. Behind ± is the standard
error of a mean over seeds. "Truth" fills the gaps as the package does, by the parameters that made the data. Seconds
are those of the processor, one BLAS thread. docs/mixed-kinds.md has the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from mixture import data, errors
from mixture.peer import gcimpute
from mixture.truth import medians, true_fit
from threadpoolctl import threadpool_limits

import emimpute
from emimpute import datasets

Measures = dict[str, float]


@dataclass(frozen=True)
class How:
    """What was asked for on the command line."""

    seeds: range
    quick: bool
    rows: int | None
    raw: Path | None

    def size(self, usual: int) -> int:
        """How many rows a table has."""
        return self.rows or (usual // 4 if self.quick else usual)

    def keep(self, part: str, seed: int, who: str, found: Measures) -> None:
        """Note what was measured of one table."""
        if self.raw is not None:
            with self.raw.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"part": part, "seed": seed, "who": who, **found}) + "\n")


def with_gaps(sample: data.Sample, gone: np.ndarray) -> pd.DataFrame:
    """The table with the cells ``gone`` (n, columns) taken out, its dtypes kept."""
    return sample.complete.mask(gone).astype(sample.complete.dtypes)


def fitted(df: pd.DataFrame, kinds: dict[str, str] | None) -> tuple[emimpute.Fit, pd.DataFrame, float]:
    """The fit, the filled table, and the processor seconds of both."""
    begin = time.process_time()
    fit = emimpute.fit(df, kinds=kinds, report=lambda _: None)
    done = fit.impute()
    return fit, done, time.process_time() - begin


def table(title: str, head: list[str], rows: dict[str, list[Measures]]) -> None:
    """Print means ± standard errors over seeds: a row for each who, a column for each measure of ``head``."""
    print(f"\n### {title}\n\n| | {' | '.join(head)} |\n|---|{'---|' * len(head)}")
    for who, found in rows.items():
        print(f"| {who} | {' | '.join(cell([one.get(name) for one in found]) for name in head)} |", flush=True)


def cell(values: list[float | None]) -> str:
    """A mean and its standard error; nothing where there is nothing."""
    known = np.array([value for value in values if value is not None], dtype=float)
    if not len(known):
        return ""
    mean = known.mean()
    digits = 2 if abs(mean) >= 1.5 else 4
    if len(known) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {known.std(ddof=1) / np.sqrt(len(known)):.{digits}f}"


def against(rows: dict[str, list[Measures]], ours: str, other: str, names: list[str]) -> str:
    """Our errors over another's, seed by seed: the mean ratio of each measure."""
    pairs = list(zip(rows[ours], rows[other], strict=True))
    if not pairs:
        return ""
    told = [f"{name} {cell([one[name] / two[name] for one, two in pairs])}" for name in names]
    return f"{ours} over {other}, table by table: {', '.join(told)}."


# ---------------------------------------------------------------- skewed, ordinal and binary columns

_THREE = ["NRMSE", "ordinal SMAE", "binary error"]
_OURS, _DEFAULT, _PEER, _TRUTH, _MEDIAN = "emimpute, kind skewed", "emimpute, no options", "gcimpute", "truth", "median"


def three(filled: np.ndarray, sample: data.Sample, gone: np.ndarray) -> Measures:
    """The errors of a filled table (n, 3 · each) of the copula simulation."""
    each = gone.shape[1] // 3
    own = [slice(i * each, (i + 1) * each) for i in range(3)]
    parts = [(filled[:, s], sample.codes[:, s], gone[:, s]) for s in own]
    found = (errors.nrmse(*parts[0]), errors.smae(*parts[1]), errors.missed(*parts[2]))
    return dict(zip(_THREE, found, strict=True))


def copula_once(seed: int, mechanism: str, n: int, each: int = 5) -> dict[str, Measures]:
    """All fills of one table."""
    sample = data.copula(seed, n, each)
    gone = data.mcar(sample, 0.2, seed) if mechanism == "MCAR" else data.mar(sample, 0.3, seed)
    df = with_gaps(sample, gone)
    out = {}
    for who, kinds in ((_OURS, sample.kinds), (_DEFAULT, None)):
        fit, done, seconds = fitted(df, kinds)
        wrong = errors.correlation_error(fit.corr.to_numpy(), sample.cov)
        how = {"R": wrong, "CPU s": seconds, "E-steps": fit.n_iter, "converged": float(fit.converged)}
        out[who] = three(data.codes(done, sample.complete), sample, gone) | how
        if who == _OURS:
            known = true_fit(fit, sample).impute()
            out[_TRUTH] = three(data.codes(known, sample.complete), sample, gone)
    theirs = gcimpute(data.codes(df, sample.complete), list(range(each, 3 * each)))
    if theirs is not None:
        wrong = errors.correlation_error(theirs.corr, sample.cov)
        out[_PEER] = three(theirs.values, sample, gone) | {"R": wrong, "CPU s": theirs.seconds}
    out[_MEDIAN] = three(data.codes(medians(df), sample.complete), sample, gone)
    return out


def copula(how: How) -> None:
    """The Gaussian copula of skewed, ordinal and binary columns."""
    n = how.size(2000)
    for mechanism in ("MCAR", "MAR"):
        rows: dict[str, list[Measures]] = {_OURS: [], _DEFAULT: [], _PEER: [], _TRUTH: [], _MEDIAN: []}
        for seed in how.seeds:
            for who, found in copula_once(seed, mechanism, n).items():
                rows[who].append(found)
                how.keep(f"copula {mechanism}", seed, who, found)
        rows = {who: found for who, found in rows.items() if found}
        title = f"5 skewed, 5 ordinal, 5 binary columns, n = {n}, {'20 % MCAR' if mechanism == 'MCAR' else '30 % MAR'}"
        table(title, [*_THREE, "R", "CPU s", "E-steps", "converged"], rows)
        for other in (_PEER, _TRUTH):
            if other in rows:
                print("\n" + against(rows, _OURS, other, _THREE))


# ---------------------------------------------------------------- cut points where gaps depend on another column


def cuts(how: How) -> None:
    """Cut points of a column of five answers and one of two, of which 45 % are missing, the more the larger x is."""
    n = how.size(8000)
    truth = {"o": np.array([-1.2, -0.4, 0.3, 1.1]), "b": np.array([0.4])}
    rows: dict[str, list[Measures]] = {"emimpute": [], "observed shares, as gcimpute has them": []}
    for seed in how.seeds:
        rng = np.random.default_rng([seed, 3])
        x = rng.standard_normal(n)
        z = {name: 0.7 * x + np.sqrt(0.51) * rng.standard_normal(n) for name in truth}
        columns = {"o": data.answers(z["o"], truth["o"]), "b": pd.array(z["b"] > truth["b"][0], dtype="boolean")}
        complete = pd.DataFrame({"x": x, **columns})
        gone = np.column_stack([np.zeros(n, dtype=bool), *(rng.random(n) < data.chance(1.5 * x, 0.45) for _ in truth)])
        df = complete.mask(gone).astype(complete.dtypes)
        fit = emimpute.fit(df, report=lambda _: None)
        found = dict(zip(fit.law.table.labels, fit.law.table.codings, strict=True))
        shares = {name: found[name].settled((observed_cuts(df[name]),)) for name in truth}
        for who, codings in zip(rows, (found, shares), strict=True):
            off = {f"{name}{i + 1}": e for name in truth for i, e in enumerate(codings[name].cuts[0] - truth[name])}
            measures = off | {"mean |error|": float(np.mean(np.abs(list(off.values()))))}
            rows[who].append(measures)
            how.keep("cuts", seed, who, measures)
    names = list(rows["emimpute"][0])
    table(f"Cut points, 45 % missing given x, n = {n}: mean error of each (o: five answers; b: two)", names, rows)


def observed_cuts(column: pd.Series) -> np.ndarray:
    """Where a standard normal has the observed shares."""
    place = column.dropna().astype(float) if column.dtype == "boolean" else column.cat.codes[column.notna()]
    share = np.bincount(place.astype(int)) / len(place)
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf(below) for below in np.cumsum(share)[:-1]])


# ---------------------------------------------------------------- unordered answers

_FREQUENT = "most frequent level"
_KNOWN = ["x0", "x1", "x2", "o"]


def nominal_once(seed: int, n: int, levels: tuple[int, ...], *, logit: bool) -> tuple[dict[str, Measures], np.ndarray]:
    """All fills of one table; and the predicted probabilities of its gaps beside what was true, (cells, 2)."""
    sample = data.nominal(seed, n, levels, logit=logit)
    gone = data.mcar(sample, 0.3, seed)
    df = with_gaps(sample, gone)
    columns = [name for name in df if name not in _KNOWN]
    fit, done, seconds = fitted(df, None)

    def judged(filled: np.ndarray) -> Measures:
        each = [errors.missed(filled[:, [j]], sample.codes[:, [j]], gone[:, [j]]) for j in range(4, gone.shape[1])]
        return {
            **{f"{name[1:]} levels": e for name, e in zip(columns, each, strict=True)},
            "mean": float(np.mean(each)),
        }

    out = {"emimpute": judged(data.codes(done, sample.complete)) | {"CPU s": seconds, "E-steps": fit.n_iter}}
    if not logit:
        out[_TRUTH] = judged(data.codes(true_fit(fit, sample).impute(), sample.complete))
    hot, ordinal, places = one_hot(df)
    try:
        theirs = gcimpute(hot, ordinal)
    except RuntimeError as error:  # columns that add up to 1 are near what it can stand
        print(f"\nSeed {seed}: {error}")
        theirs = None
    if theirs is not None:
        share = np.nanmean(hot, axis=0)
        filled = data.codes(df, sample.complete)
        for j, own in places.items():
            height = theirs.latent[:, own] + [statistics.NormalDist().inv_cdf(p) for p in share[own]]
            filled[gone[:, j], j] = height[gone[:, j]].argmax(axis=1)
        out["gcimpute, one column a level"] = judged(filled) | {"CPU s": theirs.seconds}
    out[_FREQUENT] = judged(data.codes(medians(df), sample.complete))
    return out, predicted(fit, sample.complete, columns)


def one_hot(df: pd.DataFrame) -> tuple[np.ndarray, list[int], dict[int, slice]]:
    """A column of 0 and 1 for each level, as gcimpute wants it; its ordinal columns; where each nominal one went."""
    parts, ordinal, places, at = [], [], {}, 0
    for j, name in enumerate(df):
        part = data.codes(df[[name]], df[[name]])
        if name not in _KNOWN:
            levels = np.arange(len(df[name].cat.categories))
            part = np.where(np.isnan(part), np.nan, part == levels)
            places[j] = slice(at, at + len(levels))
        if name == "o" or j in places:
            ordinal += range(at, at + part.shape[1])
        parts.append(part)
        at += part.shape[1]
    return np.hstack(parts), ordinal, places


def predicted(fit: emimpute.Fit, complete: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """The probability of each category in each gap of the columns, and whether it was true, (cells · categories, 2)."""
    cells, truth = fit.cells(), complete.to_dict("list")
    cells = cells[cells["column"].isin(columns)]
    found = [
        (share, truth[name][row] == level)
        for row, name, shares in zip(cells["row"], cells["column"], cells["probabilities"], strict=True)
        for level, share in shares.items()
    ]
    return np.array(found, dtype=float)


def reliability(title: str, each: list[np.ndarray]) -> None:
    """Print what came true of predictions in tenths, with standard errors over seeds."""
    print(f"\n### {title}\n\n| predicted | mean prediction | came true | cells |\n|---|---|---|---|")
    for tenth in range(10):
        some = [part[np.minimum((10 * part[:, 0]).astype(int), 9) == tenth] for part in each]
        some = [part for part in some if len(part) > 20]
        if some:
            said, true = ([float(part[:, i].mean()) for part in some] for i in (0, 1))
            count = sum(map(len, some))
            print(f"| {tenth / 10:.1f} to {(tenth + 1) / 10:.1f} | {cell(said)} | {cell(true)} | {count} |")
    promised = cell([due(part) for part in each])
    print(f"\nMean squared error of a probability {cell([squared(part) for part in each])}, promised {promised}.")


def squared(shares: np.ndarray) -> float:
    """Mean squared error of predicted probabilities beside what was true, (cells, 2)."""
    return float(np.mean(np.square(shares[:, 0] - shares[:, 1])))


def due(shares: np.ndarray) -> float:
    """What that is expected to be where the predictions are right."""
    return float(np.mean(shares[:, 0] * (1 - shares[:, 0])))


def nominal(how: How) -> None:
    """Unordered answers of three to six levels: error, and calibration of the probabilities."""
    n, levels = how.size(2000), (3, 4) if how.quick else (3, 4, 5, 6)
    for logit in (False, True):
        rows: dict[str, list[Measures]] = {}
        each = []
        for seed in how.seeds:
            out, shares = nominal_once(seed, n, levels, logit=logit)
            out["emimpute"] |= {"squared error of probabilities": squared(shares), "due": due(shares)}
            each.append(shares)
            for who, found in out.items():
                rows.setdefault(who, []).append(found)
                how.keep(f"nominal {'logit' if logit else 'probit'}", seed, who, found)
        law = "multinomial logit" if logit else "multinomial probit"
        names = [*(f"{k} levels" for k in levels), "mean", "CPU s", "E-steps"]
        table(f"Unordered answers, n = {n}, 30 % MCAR, {law}: share filled wrongly", names, rows)
        reliability(f"Probabilities of unordered answers, {'logit' if logit else 'probit'}", each)


# ---------------------------------------------------------------- intervals and probabilities


def calibration(how: How) -> None:
    """95 % intervals of six kinds in one frame, and probabilities of answers."""
    n = how.size(2000)
    for mechanism in ("MCAR", "MAR"):
        rows: list[Measures] = []
        shares: dict[str, list[np.ndarray]] = {"ordinal": [], "binary": []}
        for seed in how.seeds:
            sample = data.mixed(seed, n)
            gone = data.mcar(sample, 0.3, seed) if mechanism == "MCAR" else data.mar(sample, 0.3, seed)
            kinds = sample.kinds | {
                "bounded0": emimpute.kinds.Bounded(0, 100),
                "bounded1": emimpute.kinds.Bounded(0, 100),
            }
            fit = emimpute.fit(with_gaps(sample, gone), kinds=kinds, report=lambda _: None)
            found = covered(fit, sample.complete)
            rows.append(found)
            how.keep(f"calibration {mechanism}", seed, "emimpute", found)
            for kind, each in shares.items():
                names = [name for name in sample.complete if name.startswith(kind)]
                each.append(predicted(fit, sample.complete, names))
        title = f"Share of the true values within the 95 % interval, n = {n}, 30 % {mechanism}"
        table(title, list(rows[0]), {"emimpute": rows})
        for kind, each in shares.items():
            reliability(f"Probabilities of {kind} answers, 30 % {mechanism}", each)


def covered(fit: emimpute.Fit, complete: pd.DataFrame) -> Measures:
    """The share of gaps whose true value lies in its interval, by kind; of ordered answers also what was promised."""
    values = complete.to_dict("list")
    out: dict[str, list[float]] = {}
    of_each = fit.cells()[["row", "column", "low", "high", "probabilities"]]
    for row, name, low, high, shares in of_each.itertuples(index=False):
        truth = values[name][row]
        if shares is not None:
            order = list(shares)
            inside = order[order.index(low) : order.index(high) + 1]
            out.setdefault(f"{name[:-1]}, promised", []).append(sum(shares[level] for level in inside))
            out.setdefault(name[:-1], []).append(float(truth in inside))
        else:
            out.setdefault(name[:-1], []).append(float(low <= truth <= high))
    return {name: float(np.mean(each)) for name, each in sorted(out.items())}


# ---------------------------------------------------------------- processor time


def speed(how: How) -> None:
    """Fit and fill, alternating with gcimpute; medians of several runs."""
    runs = 1 if how.quick else 5
    sample = data.copula(0)
    simulated = with_gaps(sample, data.mcar(sample, 0.2, 0))
    items = datasets.load("bfi").iloc[:, :25]
    tables = {
        "2 000 × 15, simulated": (simulated, sample.kinds, list(range(5, 15))),
        f"bfi, {len(items)} × 25, as ordinal": (items, dict.fromkeys(items, "ordinal"), list(range(25))),
    }
    print("\n### Processor seconds, fit and fill, one thread, medians\n")
    print("| | emimpute | (fit, fill) | E-steps | gcimpute |\n|---|---|---|---|---|")
    for name, (df, kinds, ordinal) in tables.items():
        ours, parts, theirs = [], [], []
        for _ in range(runs):
            begin = time.process_time()
            fit = emimpute.fit(df, kinds=kinds, report=lambda _: None)
            middle = time.process_time()
            fit.impute()
            end = time.process_time()
            ours.append(end - begin)
            parts.append((middle - begin, end - middle))
            other = gcimpute(data.codes(df, df), ordinal)
            if other is not None:
                theirs.append(other.seconds)
        said = f"{statistics.median(theirs):.2f}" if theirs else "not installed"
        fitting, filling = (statistics.median(part) for part in zip(*parts, strict=True))
        steps = f"{fit.n_iter} + {fit.n_check}, {fit.stop.name}"
        print(
            f"| {name} | {statistics.median(ours):.2f} | {fitting:.2f}, {filling:.2f} | {steps} | {said} |", flush=True
        )
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"\nLoad of the machine: {load} on {os.cpu_count()} processors.")


PARTS: dict[str, Callable[[How], None]] = {
    "copula": copula,
    "cuts": cuts,
    "nominal": nominal,
    "calibration": calibration,
    "speed": speed,
}


def main(arguments: list[str] | None = None) -> None:
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description="Columns of several kinds: errors, calibration, speed.")
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=3 if quick else 10, help="tables for each line")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rows", type=int, help="of each table, in place of 2000, or 8000 for cut points")
    parser.add_argument("--raw", type=Path, help="a file for what was measured of each table")
    asked = parser.parse_args(arguments)
    how = How(range(asked.first, asked.first + asked.seeds), quick, asked.rows, asked.raw)
    for part in asked.parts:
        PARTS[part](how)


if __name__ == "__main__":
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
