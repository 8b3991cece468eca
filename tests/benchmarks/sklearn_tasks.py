"""``EMImputer`` beside scikit-learn's imputers on real tables: cells that were removed, and targets of pipelines.

Run with ``make bench``, or with names of tasks as arguments; ``--seeds 20`` takes as many, ``QUICK=1`` in the
environment two. All that is learned is learned from the training rows.

Cells: removed from a complete table (MCAR or MAR, as in ``auto_ridge.py``), of which two thirds of the rows are for
training. NRMSE is the root mean squared error over the removed cells of the other rows, in units of their column's sd.

Targets: the score of a model behind the imputer, by five-fold cross-validation in which gaps are in the training and
in the held-out rows alike; where the table has no gaps of its own, a share of the cells is removed. Behind ± is the
standard error, over the seeds, of the mean difference to EMImputer's.

Seconds are the processor's, one BLAS thread, for ``fit`` and both calls of ``transform``.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from auto_ridge import holes
from sklearn import datasets as theirs
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (it is what makes the next import work)
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from emimpute import datasets
from emimpute.sklearn import EMImputer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

NUMBERS: Mapping[str, Callable[[], Any]] = {
    "EMImputer": EMImputer,
    "EMImputer(prior='auto')": lambda: EMImputer(prior="auto"),
    "IterativeImputer": IterativeImputer,
    "IterativeImputer(max_iter=100)": lambda: IterativeImputer(max_iter=100),
    "KNNImputer": KNNImputer,
    "SimpleImputer": SimpleImputer,
}
WORDS = make_column_selector(dtype_exclude="number")
DIGITS = make_column_selector(dtype_include="number")


def _by_sort(numbers: Any) -> Any:
    """``numbers`` for the numbers, the most frequent for the others: what there is for tables of both."""
    both = make_column_transformer(
        (numbers, DIGITS), (SimpleImputer(strategy="most_frequent"), WORDS), verbose_feature_names_out=False
    )
    return both.set_output(transform="pandas")


MIXED: Mapping[str, Callable[[], Any]] = {
    "EMImputer": lambda: EMImputer(handle_unknown="ignore").set_output(transform="pandas"),
    "IterativeImputer": lambda: _by_sort(IterativeImputer()),
    "KNNImputer": lambda: _by_sort(KNNImputer()),
    "SimpleImputer": lambda: _by_sort(SimpleImputer()),
}


@dataclass(frozen=True)
class Target:
    """What is to be predicted, from a table with a share of its cells removed, and the score."""

    table: Callable[[], tuple[pd.DataFrame, Any]]
    model: Callable[[], Any]
    scoring: str
    share: float  # of cells to remove; 0 leaves the table its own gaps
    imputers: Mapping[str, Callable[[], Any]]


def _of_theirs(name: str) -> tuple[pd.DataFrame, Any]:
    return getattr(theirs, f"load_{name}")(return_X_y=True, as_frame=True)


def _bfi() -> tuple[pd.DataFrame, Any]:
    bfi = datasets.load("bfi").astype(float)
    return bfi.drop(columns="age"), bfi["age"]


def _penguins() -> tuple[pd.DataFrame, Any]:
    """The sex of those whose sex is known: body measurements, species and island have gaps of their own and others."""
    penguins = datasets.load("penguins").dropna(subset="sex").reset_index(drop=True)
    x = penguins.drop(columns=["sex", "year"], errors="ignore")
    numbers = x.select_dtypes("number").columns
    return x.astype(dict.fromkeys(numbers, float)), penguins["sex"].astype(str)


def _linear(estimator: Any) -> Any:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), WORDS), (StandardScaler(), DIGITS), remainder="drop"
    )
    return make_pipeline(encoder, estimator)


TARGETS = {
    "diabetes, ridge regression": Target(
        lambda: _of_theirs("diabetes"), lambda: make_pipeline(StandardScaler(), RidgeCV()), "r2", 0.3, NUMBERS
    ),
    "diabetes, boosted trees": Target(
        lambda: _of_theirs("diabetes"), lambda: HistGradientBoostingRegressor(max_iter=50), "r2", 0.3, NUMBERS
    ),
    "breast_cancer, logistic regression": Target(
        lambda: _of_theirs("breast_cancer"),
        lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "roc_auc",
        0.3,
        NUMBERS,
    ),
    "bfi, age from answers, ridge regression": Target(
        _bfi, lambda: make_pipeline(StandardScaler(), RidgeCV()), "r2", 0.0, NUMBERS
    ),
    "penguins, sex, logistic regression": Target(
        _penguins, lambda: _linear(LogisticRegression(max_iter=2000)), "roc_auc", 0.3, MIXED
    ),
}
CELLS = ("diabetes", "breast_cancer", "wine")


def cells(name: str, mechanism: str, seeds: int, share: float = 0.3) -> None:
    """Print a row for each imputer: NRMSE of the held-out rows' removed cells, and processor seconds."""
    z = getattr(theirs, f"load_{name}")().data
    found: dict[str, list[tuple[float, float]]] = {label: [] for label in NUMBERS}
    for seed in range(seeds):
        gone = holes(z, share, mechanism, seed)
        x = np.where(gone, np.nan, z)
        train, test = train_test_split(np.arange(len(z)), test_size=1 / 3, random_state=seed)
        for label, make in NUMBERS.items():
            begin = time.process_time()
            imputer = make().fit(x[train])
            imputer.transform(x[train])
            done = imputer.transform(x[test])
            seconds = time.process_time() - begin
            error = np.sqrt(np.mean(np.square((done - z[test]) / z.std(axis=0))[gone[test]]))
            found[label].append((float(error), seconds))
    _print(f"{name} {z.shape[0]} × {z.shape[1]}, {share:.0%} {mechanism}", found, "NRMSE")


def target(name: str, seeds: int) -> None:
    """Print a row for each imputer: the cross-validated score of the pipeline, and processor seconds of all of it."""
    task = TARGETS[name]
    complete, y = task.table()
    found: dict[str, list[tuple[float, float]]] = {label: [] for label in task.imputers}
    for seed in range(seeds):
        gone = np.random.default_rng(seed).random(complete.shape) < task.share
        x = complete.mask(gone)
        split = StratifiedKFold if task.scoring == "roc_auc" else KFold
        folds = split(5, shuffle=True, random_state=seed)
        for label, make in task.imputers.items():
            begin = time.process_time()
            scores = cross_val_score(make_pipeline(make(), task.model()), x, y, cv=folds, scoring=task.scoring)
            found[label].append((float(scores.mean()), time.process_time() - begin))
    what = f"{task.share:.0%} MCAR" if task.share else "its own gaps"
    _print(f"{name} {complete.shape[0]} × {complete.shape[1]}, {what}", found, "R²" if task.scoring == "r2" else "AUC")


def _print(task: str, found: dict[str, list[tuple[float, float]]], score: str) -> None:
    print(f"\n{task}\n\n| | {score} | less EMImputer's | seconds |\n|---|---|---|---|")
    first = np.array(found["EMImputer"])[:, 0]
    for label, pairs in found.items():
        scores, seconds = np.array(pairs).T
        less = scores - first
        error = less.std(ddof=1) / np.sqrt(len(less))
        said = "" if label == "EMImputer" else f"{less.mean():+.4f} ± {error:.4f}"
        print(f"| `{label}` | {scores.mean():.4f} | {said} | {np.median(seconds):.2f} |", flush=True)


def main(tasks: list[str], seeds: int) -> None:
    for name in tasks:
        if name in CELLS:
            for mechanism in ("MCAR", "MAR"):
                cells(name, mechanism, seeds)
        else:
            target(name, seeds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="EMImputer beside scikit-learn's imputers")
    parser.add_argument(
        "tasks", nargs="*", default=(*CELLS, *TARGETS), metavar="task", help="; ".join((*CELLS, *TARGETS))
    )
    parser.add_argument("--seeds", type=int, default=2 if os.environ.get("QUICK") else 5)
    asked = parser.parse_args()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # IterativeImputer's ten rounds end with one, each time
        main(asked.tasks, asked.seeds)
