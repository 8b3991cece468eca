"""Mixed columns against other software: polychoric and polyserial correlations, and full-information ML by OpenMx."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from intervals import Column, correlations, fit, ordinal, real, table
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr, ndtri

from emimpute.normal.bivariate import rectangle

FOLDER = Path(__file__).parent / "reference" / "mixed"
PAIRWISE = ("bfi", "bfi_mixed", "boys", "sat_act", "sleep_vim", "survey")
ORDERED, BINARY = 5e-3, 1e-2  # of a correlation between two ordered columns: two-step ML fixes the cut points first
JOINT = 1e-4  # of joint ML's, by direct maximisation or by OpenMx
BOTH_WAYS = 2e-2  # two-step from joint ML, of an ordered and a numeric column


def load(case: str) -> tuple[dict, pd.DataFrame]:
    expected = json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))
    levels = {name: [str(each) for each in own] for name, own in expected["ordinal"].items()}
    frame = pd.read_csv(FOLDER / f"{case}.csv", dtype=dict.fromkeys(levels, str), keep_default_na=False, na_values=[""])
    for name, own in levels.items():
        codes = pd.Categorical(frame[name], categories=own).codes
        frame[name] = np.where(codes < 0, np.nan, codes)
    return expected, frame


def column(frame: pd.DataFrame, name: str, expected: dict) -> Column:
    x = frame[name].to_numpy(dtype=float)
    if name not in expected["ordinal"]:
        return real(x)
    _, codes = np.unique(x[~np.isnan(x)], return_inverse=True)  # complete rows may lack a level
    x = x.copy()
    x[~np.isnan(x)] = codes
    return ordinal(x)


def complete(case: str) -> tuple[dict, pd.DataFrame]:
    expected, frame = load(case)
    kept = frame.dropna()
    assert len(kept) == expected["complete_case"]["n"]
    return expected, kept


def pair(frame: pd.DataFrame, names: tuple[str, str], expected: dict):
    """A fit to two columns, equal rows once with their number as weight."""
    rows = frame[list(names)].value_counts(sort=False).reset_index()
    latent = table(*(column(rows, name, expected) for name in names))
    weights = rows["count"].to_numpy(dtype=float)
    # cut points of the weighted rows are not the shares' of the distinct ones; EM finds them from anywhere
    return fit(latent, weights)


@pytest.mark.parametrize("case", PAIRWISE)
def test_ordered_pairs_agree_with_two_step_and_joint_ml(case):
    expected, frame = complete(case)
    names, own, apart = expected["complete_case"]["columns"], expected["complete_case"], []
    for i, j in combinations(range(len(names)), 2):
        two_step = own["own_two_step_ML"][i][j]
        if not {names[i], names[j]} <= set(expected["ordinal"]) or (case == "bfi" and (i + j) % 4 != 3):
            continue  # of bfi's 300 pairs a quarter, to be quick
        last, params = pair(frame, (names[i], names[j]), expected)
        found = correlations(params.cov)[0, 1]
        binary = min(frame[names[i]].nunique(), frame[names[j]].nunique()) == 2
        bar = BINARY if binary else ORDERED
        if abs(found - two_step) < bar:
            continue
        joint = polychoric(frame[names[i]].to_numpy(), frame[names[j]].to_numpy(), params)
        assert abs(found - joint) < JOINT, (names[i], names[j], found, two_step, joint, last.stop)
        apart.append((names[i], names[j]))
    assert len(apart) <= {"sleep_vim": 3, "bfi": 1}.get(case, 0), apart


@pytest.mark.parametrize("case", [case for case in PAIRWISE if case != "bfi"])
def test_ordered_and_numeric_pairs_agree_with_direct_maximisation(case):
    """Joint ML to four digits; two-step ML, which the files have, differs from it by what is shown here."""
    expected, frame = complete(case)
    names, own, apart = expected["complete_case"]["columns"], expected["complete_case"], []
    for i, j in combinations(range(len(names)), 2):
        if (names[i] in expected["ordinal"]) == (names[j] in expected["ordinal"]):
            continue
        codes, x = (names[i], names[j]) if names[i] in expected["ordinal"] else (names[j], names[i])
        last, params = fit(table(*(column(frame, name, expected) for name in (codes, x))), tol=1e-7)
        found = correlations(params.cov)[0, 1]
        exact = polyserial(frame[codes].to_numpy(), frame[x].to_numpy())
        assert abs(found - exact) < JOINT, (codes, x, found, exact, last.stop)
        if not abs(found - own["own_two_step_ML"][i][j]) < BOTH_WAYS:
            apart.append((codes, x))
    # all 12 left-handers are younger than 20, of 168 up to 70: far from what a normal age would lead to
    assert apart == ([("W_Hnd", "Age")] if case == "survey" else [])


def polyserial(codes: np.ndarray, x: np.ndarray) -> float:
    """Joint ML of the correlation: the ordered probit of the codes on x, which is all that they say of it."""
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    x = (x - x.mean()) / x.std()

    def minus(theta: np.ndarray) -> float:
        edges = np.concatenate([[-40.0], theta[0] + np.concatenate([[0], np.cumsum(np.exp(theta[1:-1]))]), [40.0]])
        a, b = edges[codes] - theta[-1] * x, edges[codes + 1] - theta[-1] * x
        flip = a > 0
        a, b = np.where(flip, -b, a), np.where(flip, -a, b)
        return -float((log_ndtr(b) + np.log1p(-np.exp(log_ndtr(a) - log_ndtr(b)))).mean())

    cuts = ndtri(np.cumsum(counts)[:-1] / len(codes))
    theta = np.concatenate([cuts[:1], np.log(np.diff(cuts)), [0.0]])
    with np.errstate(all="ignore"):  # a line search looks far
        for _ in range(3):
            theta = minimize(minus, theta, options={"gtol": 1e-8}).x
    return float(theta[-1] / np.sqrt(1 + theta[-1] ** 2))  # of unit residual variance


def polychoric(one: np.ndarray, other: np.ndarray, start) -> float:
    """Joint ML of the correlation and all cut points, by direct maximisation of the exact likelihood."""
    codes = [np.unique(each, return_inverse=True)[1] for each in (one, other)]
    cells, counts = np.unique(np.stack(codes, axis=1), axis=0, return_counts=True)
    first = codes[0].max()

    def minus(theta: np.ndarray) -> float:
        edges = [np.concatenate([[-np.inf], own, [np.inf]]) for own in (theta[:first], theta[first:-1])]
        if any((np.diff(own) <= 0).any() for own in edges):
            return 1e6
        lower, upper = (np.stack([edges[j][cells[:, j] + side] for j in (0, 1)], axis=1) for side in (0, 1))
        return -float(counts @ rectangle(lower, upper, np.tanh(theta[-1]))[0]) / len(one)

    rho = 0.95 * correlations(start.cov)[0, 1]  # not where the fit ended
    best = minimize(minus, np.append(start.cuts, np.arctanh(rho)), options={"gtol": 1e-8})
    return float(np.tanh(best.x[-1]))


@pytest.mark.parametrize("case", ["nhanes2", "sat_act"])
def test_full_information_ml_agrees_with_openmx(case):
    expected, frame = load(case)
    fiml = expected["fiml"]
    last, params = fit(table(*(column(frame, name, expected) for name in fiml["columns"])), tol=1e-8)
    theirs, ordered = np.array(fiml["Sigma"]), [name in expected["ordinal"] for name in fiml["columns"]]
    np.testing.assert_allclose(correlations(params.cov), correlations(theirs), atol=JOINT)
    sd = np.sqrt(np.diag(theirs))
    np.testing.assert_allclose((params.mean - fiml["means"]) / sd, 0, atol=JOINT)
    np.testing.assert_allclose(np.sqrt(np.diag(params.cov)) / sd, 1, atol=JOINT)
    assert np.diag(params.cov)[ordered] == pytest.approx(1)
    cuts = np.concatenate(
        [np.atleast_1d(fiml["thresholds"][name]) for name in fiml["columns"] if name in expected["ordinal"]]
    )
    np.testing.assert_allclose(params.cuts, cuts, atol=5 * JOINT)
    assert last.loglik == pytest.approx(fiml["loglik"], abs=2e-3)


def test_boys_are_at_least_as_likely_as_openmx_left_them():
    """Its run ended with status 6 and a gradient of 329: a lower bound of the maximum."""
    expected, frame = load("boys")
    fiml = expected["fiml"]
    last, params = fit(table(*(column(frame, name, expected) for name in fiml["columns"])))
    assert last.loglik > fiml["loglik"] - 0.05
    np.testing.assert_allclose(correlations(params.cov), correlations(np.array(fiml["Sigma"])), atol=0.02)


def test_cut_points_alone_are_the_observed_shares():
    """Of complete columns that nothing correlates with they are the margins' exactly."""
    codes = np.repeat([0, 1, 2], [20, 50, 30])
    x = np.concatenate([np.tile([-1.0, 1.0], 10), np.tile([-1.0, 1.0], 25), np.tile([-1.0, 1.0], 15)])
    _, params = fit(table(ordinal(codes), real(x)))
    np.testing.assert_allclose(ndtr(params.cuts), [0.2, 0.7], atol=1e-7)
