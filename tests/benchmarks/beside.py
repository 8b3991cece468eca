"""Regressions pooled over our imputations beside those over Amelia's, mice's and norm2's of the same tables.

``python tests/benchmarks/beside.py [--m 200] [CASE ...]`` draws and prints, for each coefficient, how far our estimate
is from theirs in their standard errors, and our standard error over theirs; ``QUICK=1`` in the environment draws 10 for
numeric columns only. Their numbers, of 200 imputations (of mixed columns 40), are stored in
``substantive_models.json`` and ``mice_norm.json`` of ``tests/reference/mi``; the README above that folder tells how
they were made.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from threadpoolctl import threadpool_limits

import emimpute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CASES", "PEERS", "beside", "draws", "pooled"]

FOLDER = Path(__file__).parents[1] / "reference"
CASES = {
    case["name"]: case for case in json.loads((FOLDER / "mi" / "substantive_models.json").read_text(encoding="utf-8"))
}
for _name, _found in json.loads((FOLDER / "mi" / "mice_norm.json").read_text(encoding="utf-8")).items():
    if _name != "version":
        CASES[_name]["mice_norm"] = {"m200": _found}
PEERS = {"amelia": "Amelia", "mice": "mice", "mice_norm": "mice, normal", "norm2_da": "norm2"}
METHODS = ("bootstrap", "posterior")


def table(name: str) -> pd.DataFrame:
    """The data: columns of ordered answers as ordered categories."""
    case, stem = CASES[name], CASES[name]["file"].removesuffix(".csv")
    if not name.endswith("_mixed"):
        return pd.read_csv(FOLDER / "data" / f"{stem}.csv")[case["columns"]].astype(float)
    df = pd.read_csv(FOLDER / "mixed" / f"{stem}.csv")
    facts = json.loads((FOLDER / "mixed" / f"{stem}.json").read_text(encoding="utf-8"))
    for column, levels in facts["ordinal"].items():
        df[column] = pd.Categorical(df[column], categories=levels, ordered=True)
    return df[case["columns"]]


def _boys(df: pd.DataFrame) -> Any:
    return sm.OLS.from_formula("hgt ~ age + wgt + gen", df.assign(gen=df["gen"].cat.codes + 1)).fit()


def _nhanes2(df: pd.DataFrame) -> Any:
    """R takes orthogonal polynomials of ordered answers."""
    linear, quadratic = np.array([[-1, 0, 1], [1, -2, 1]]) / np.sqrt([[2], [6]])
    age = df["age"].cat.codes.to_numpy()
    numbers = df.assign(hyp=1.0 * (df["hyp"] == "yes"), linear=linear[age], quadratic=quadratic[age])
    return sm.OLS.from_formula("hyp ~ bmi + chl + linear + quadratic", numbers).fit()


ANALYSES: dict[str, str | Callable[[pd.DataFrame], Any]] = {
    "airquality": "Ozone ~ Q('Solar.R') + Wind + Temp",
    "nhanes": "chl ~ age + bmi",
    "boys_mixed": _boys,
    "nhanes2_mixed": _nhanes2,
}


def draws(name: str, m: int, method: str) -> emimpute.Imputations:
    """Imputations of the case's table."""
    df = table(name)
    kinds = {column: "real" for column in df if pd.api.types.is_float_dtype(df[column])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)  # tables of 25 rows have something to warn of
        return emimpute.draw(df, m, kinds=kinds, method=method, rng=1)


def pooled(name: str, m: int, method: str) -> emimpute.Pooled:
    """The case's regression, its terms in the order of those that are stored."""
    return draws(name, m, method).pool(ANALYSES[name])


def beside(found: emimpute.Pooled, name: str, peer: str) -> pd.DataFrame:
    """A row for each term.

    ``apart``: our estimate less theirs, in their standard errors; ``noise``: its Monte-Carlo error, ours and theirs;
    ``ratio``: our standard error over theirs; ``noise_ratio``: its Monte-Carlo error, theirs taken to be what ours
    would be at their number of imputations.
    """
    theirs = CASES[name][peer]["m200"]
    se, riv = np.array(theirs["se"]), np.array(theirs["riv"])
    between = se**2 * riv / (1 + riv) / (1 + 1 / theirs["m"])
    noise = np.hypot(found.mc_error["estimate"], np.sqrt(between / theirs["m"])) / se
    return pd.DataFrame(
        {
            "apart": (found.params["estimate"] - theirs["estimate"]) / se,
            "noise": noise,
            "ratio": found.params["se"] / se,
            "noise_ratio": found.mc_error["se"] / se * np.sqrt(1 + found.m / theirs["m"]),
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each case and method."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES)[: 2 if quick else None], metavar="CASE")
    parser.add_argument("--m", type=int, default=10 if quick else 200)
    given = parser.parse_args(arguments)
    for name in given.cases:
        for method in METHODS:
            try:
                with threadpool_limits(1):
                    found = pooled(name, given.m, method)
            except emimpute.EMImputeError as error:
                print(f"\n{name}, {method}: {error}")
                continue
            parts = {title: beside(found, name, peer) for peer, title in PEERS.items() if peer in CASES[name]}
            print(f"\n{name}, {method}, m = {given.m}: {CASES[name]['formula']}")
            print(pd.concat(parts, axis=1).round(3).to_string())


if __name__ == "__main__":
    main()
