"""Alpha and omega against psych, factanal, closed forms and the delta method at large; and what is refused."""

from __future__ import annotations

import functools
import json

import numpy as np
import pandas as pd
import pytest
import references

import emimpute
from emimpute import datasets

EXACT = 1e-12  # where both are closed forms
SOLVED = 1e-8  # where ours is a solution
FACTANAL = 1e-6  # factanal's optimiser stops early
NUMERIC = 1e-6  # relative, where both sides take differences

PSYCH = json.loads((references.FOLDER / "analysis" / "bfi.json").read_text(encoding="utf-8"))
AGREE = ["A1", "A2", "A3", "A4", "A5"]


@functools.cache
def complete() -> emimpute.Fit:
    """The complete rows of bfi's 25 items."""
    return emimpute.fit(datasets.load("bfi").iloc[:, :25].dropna())


@functools.cache
def gappy() -> emimpute.Fit:
    """400 rows of the items of agreeableness, a fifth of the answers deleted by those to N1."""
    table = datasets.load("bfi").iloc[:400][[*AGREE, "N1"]].astype(float)
    rng = np.random.default_rng(2)
    gaps = rng.random((400, 5)) < 0.05 * table[["N1"]].fillna(3).to_numpy()
    return emimpute.fit(table.assign(**table[AGREE].mask(gaps)), tol=1e-9)


def test_alpha_is_psychs():
    """Alpha, corrected item-total correlations, alpha without each item; raw and standardized."""
    found = complete().alpha(AGREE, reverse=["A1"])
    assert found.nobs == PSYCH["rows"]
    assert float(found) == pytest.approx(PSYCH["raw_alpha"][0], abs=EXACT)
    np.testing.assert_allclose(found.items["item_total"], PSYCH["r_drop"], atol=EXACT)
    np.testing.assert_allclose(found.items["alpha_dropped"], PSYCH["alpha_drop"], atol=EXACT)
    standardized = complete().alpha(AGREE, reverse=["A1"], standardized=True)
    assert standardized.estimate == pytest.approx(PSYCH["std_alpha"][0], abs=EXACT)
    np.testing.assert_allclose(standardized.items["alpha_dropped"], PSYCH["std_alpha_drop"], atol=EXACT)
    assert standardized.name == "standardized alpha"
    assert found.items["reversed"].tolist() == [True, False, False, False, False]


def test_omega_is_factanals():
    """The loadings and uniquenesses of one factor, and what follows from them."""
    found = complete().omega(AGREE, reverse=["A1"])
    loadings, unique = np.array(PSYCH["one_loadings"]), np.array(PSYCH["one_unique"])
    np.testing.assert_allclose(found.items["loading"], loadings, atol=FACTANAL)
    np.testing.assert_allclose(found.items["unique"], unique, atol=FACTANAL)
    sd = np.sqrt(np.diag(complete().cov.loc[AGREE, AGREE]))
    common = (sd * loadings).sum() ** 2
    assert found.estimate == pytest.approx(common / (common + (sd**2 * unique).sum()), abs=FACTANAL)
    standardized = complete().omega(AGREE, reverse=["A1"], standardized=True)
    assert standardized.estimate == pytest.approx(
        loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum()), abs=FACTANAL
    )


def test_the_standard_error_without_gaps_is_the_closed_form():
    """Of alpha for normal items: van Zyl, Neudecker & Nel 2000, https://doi.org/10.1007/BF02296146."""
    found, n, k = complete().alpha(AGREE), PSYCH["rows"], 5
    s = complete().cov.loc[AGREE, AGREE].to_numpy()
    total, trace = s.sum(), np.trace(s)
    inner = total * (np.trace(s @ s) + trace**2) - 2 * trace * (s @ s).sum()
    assert found.se == pytest.approx(np.sqrt(2 * k**2 / ((k - 1) ** 2 * total**3) * inner / n), rel=NUMERIC)


@pytest.mark.parametrize("cov_type", ["observed", "expected", "sandwich"])
@pytest.mark.parametrize("standardized", [False, True])
def test_alpha_is_the_delta_method(cov_type, standardized):
    """What ``Fit.derived`` says of the same function, where there are gaps."""

    def by_hand(_, cov):
        s = cov.loc[AGREE, AGREE].to_numpy() * np.outer(sign := np.array([-1, 1, 1, 1, 1]), sign)
        s = s / np.sqrt(np.outer(np.diag(s), np.diag(s))) if standardized else s
        return 5 / 4 * (1 - np.trace(s) / s.sum())

    found = gappy().alpha(AGREE, ["A1"], standardized=standardized, cov_type=cov_type)
    other = gappy().derived(by_hand, cov_type=cov_type).iloc[0]
    assert found.estimate == pytest.approx(other["estimate"], rel=EXACT)
    assert found.se == pytest.approx(other["se"], rel=NUMERIC)
    assert found.cov_type == cov_type


def test_gaps_cost_precision():
    """The interval with gaps is wider than had n been complete, and holds the estimate."""
    found = gappy().alpha(AGREE, ["A1"])
    n, share = 400, complete().alpha(AGREE, ["A1"]).se
    assert found.se > share * np.sqrt(PSYCH["rows"] / n) * 0.9
    low, high = found.conf_int()
    assert low < found.estimate < high < 1
    assert found.estimate - low > high - found.estimate
    wider = found.conf_int(0.01)
    assert wider[0] < low < high < wider[1]
    assert found.to_frame().loc["alpha"].tolist() == [found.estimate, found.se, low, high]


def test_omega_of_parallel_items_is_alpha():
    """Where the covariances are all equal, and the variances too, both are the same."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 4))
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, ddof=0))).T
    x = x @ np.linalg.cholesky(0.4 + 0.6 * np.eye(4)).T
    fit = emimpute.fit(pd.DataFrame(x, columns=list("abcd")))
    assert fit.omega().estimate == pytest.approx(fit.alpha().estimate, abs=SOLVED)
    assert fit.alpha().estimate == pytest.approx(4 * 0.4 / (1 + 3 * 0.4), abs=SOLVED)
    np.testing.assert_allclose(fit.omega().items["loading"], np.sqrt(0.4), atol=SOLVED)


@pytest.mark.parametrize("name", ["alpha", "omega"])
def test_order_and_units_of_items(name):
    """Items may come in any order; standardized coefficients know of no units."""
    one = getattr(gappy(), name)(AGREE, ["A1"], standardized=True)
    table = gappy().data.assign(A2=lambda t: 10 * t["A2"])
    other = getattr(emimpute.fit(table, tol=1e-9), name)(AGREE[::-1], "A1", standardized=True)
    assert other.estimate == pytest.approx(one.estimate, rel=1e-7)
    assert other.se == pytest.approx(one.se, rel=NUMERIC)


def test_an_item_that_goes_against_the_others_is_named():
    for found in (complete().alpha(AGREE), complete().omega(AGREE)):
        assert any("'A1'" in note and "reverse=" in note for note in found.notes)
    assert complete().alpha(AGREE, ["A1"]).notes == ()


def test_two_items_have_no_alpha_without_one():
    found = complete().alpha(["A2", "A3"])
    assert found.items["alpha_dropped"].isna().all()
    r = complete().corr.loc["A2", "A3"]
    assert complete().alpha(["A2", "A3"], standardized=True).estimate == pytest.approx(2 * r / (1 + r), abs=EXACT)


def test_ordered_answers_give_ordinal_alpha():
    """From the latent correlations, and it says so."""
    table = datasets.load("bfi").iloc[:300][AGREE[1:4]]
    fit = emimpute.fit(table, kinds=dict.fromkeys(table, "ordinal"))
    found = fit.alpha()
    s = fit.corr.to_numpy()
    assert found.name == "ordinal alpha"
    assert found.estimate == pytest.approx(3 / 2 * (1 - 3 / s.sum()), abs=EXACT)
    assert found.estimate > emimpute.fit(table).alpha().estimate
    assert 0 < found.se < 0.1
    assert "not of the sum of their codes" in found.summary()
    assert fit.omega().name == "ordinal omega"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.alpha(["A1"]), "Alpha needs 2 items or more, and was given 1"),
        (lambda fit: fit.omega(["A1", "A2"]), "Omega needs 3 items or more"),
        (lambda fit: fit.alpha("A1"), "is text"),
        (lambda fit: fit.alpha(["A1", "A7"]), "no column 'A7'"),
        (lambda fit: fit.alpha(["A1", "A2", "A1"]), "'A1' is named more than once"),
        (lambda fit: fit.alpha(["A2", "A3"], reverse=["A1"]), "'A1', which is none of the items"),
        (lambda fit: fit.alpha(["A2", "A3"], reverse=["Q"]), "no column 'Q'"),
        (lambda fit: fit.alpha(cov_type="hc1"), "no cov_type 'hc1'"),
        (lambda fit: fit.alpha().conf_int(0), "alpha=0"),
        (lambda fit: emimpute.read_json(fit.to_json()).alpha(), "read from a file"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(emimpute.EMImputeError, match=said):
        call(gappy())


def test_transformed_and_constant_columns_are_refused():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(np.exp(rng.standard_normal((30, 3))), columns=list("abc")).assign(d=1.0)
    fit = emimpute.fit(table, kinds={"a": "positive"})
    with pytest.raises(emimpute.ColumnError, match="'a' is of kind 'positive'"):
        fit.alpha(["a", "b", "c"])
    with pytest.raises(emimpute.ColumnError, match="'d' is constant"):
        fit.alpha(["b", "c", "d"])


def test_it_prints_what_it_holds():
    fit = emimpute.fit(gappy().data.rename(columns={"A2": "<i>"}))
    found = fit.alpha(["A3", "<i>", "A4"])
    assert repr(found) == found.summary()
    assert found.summary().startswith(f"Alpha {found.estimate:.4f} (se {found.se:.4f}")
    assert "&lt;i&gt;" in found._repr_html_()
    assert "<i>" not in found._repr_html_()


def test_weights_bring_the_sandwich():
    """A weight of 2 for all changes nothing but the name of what is there; none for a row leaves it out."""
    table = gappy().data
    weights = np.ones(len(table))
    weights[::3] = 0
    found, kept = emimpute.fit(table, weights=2 * weights), emimpute.fit(table[weights > 0])
    one, other = found.alpha(AGREE, ["A1"]), kept.alpha(AGREE, ["A1"], cov_type="sandwich")
    assert one.cov_type == "sandwich"
    assert one.nobs == (weights > 0).sum()
    assert one.estimate == pytest.approx(other.estimate, rel=NUMERIC)
    assert one.se == pytest.approx(other.se, rel=NUMERIC)
    assert found.factor(1, AGREE).cov_type == "sandwich"
