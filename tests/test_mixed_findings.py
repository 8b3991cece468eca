"""What goes wrong with answers in order: perfect association, seen before or during the run; and several starts."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mixedtables import mixed

import emimpute
from emimpute.binding import canonical
from emimpute.em import Stop, iterates
from emimpute.em.starts import compare
from emimpute.identification import Finding, examine
from emimpute.models import boxes
from emimpute.models.mvn import CutNormal
from emimpute.results.describe import costly, describe, unsettled


def findings(df):
    """What is seen before the run."""
    kinds = {label: "ordinal" for label in df if df[label].dtype == int}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        fit = emimpute.fit(df, kinds=kinds, max_iter=1)
    return [f for f in examine(fit.law.table.encode(df, range(df.shape[1]))) if f.edge]


def test_the_same_answers_twice_are_seen_before_the_run():
    """Also upside down, and with other labels; the ridge steps in with one warning, which names the pair."""
    df = mixed(nominal=False)
    df["twin"] = df["o"].cat.rename_categories({"lo": 3, "mid": 2, "hi": 1}).cat.as_ordered()
    with pytest.warns(emimpute.IdentificationWarning) as caught:
        fit = emimpute.fit(df)
    assert len(caught) == 1
    assert "latent correlation of 'o' with 'twin' runs to 1 or -1: perfectly associated" in str(caught[0].message)
    assert fit.converged
    assert fit.prior is not None
    assert fit.corr.loc["o", "twin"] > 0.9
    assert fit.n_iter < 100
    assert fit.problems["problem"].tolist().count("perfectly associated") == 1


def test_without_a_ridge_the_run_ends_at_the_edge():
    """The likelihood has a bound, so the fit is returned and says so."""
    df = mixed(nominal=False)
    df["twin"] = df["b"].map({True: False, False: True}).astype("boolean")
    with pytest.warns(emimpute.EMImputeWarning):
        fit = emimpute.fit(df, prior=None)
    assert fit.stop is Stop.SINGULAR
    assert fit.corr.loc["b", "twin"] < -0.99
    told = fit.problems.set_index("problem").loc["perfectly associated"]
    assert told["columns"] == (("b", "twin"),)


def test_what_is_found_during_the_run_names_its_columns():
    """A two-level column that two numbers predict perfectly."""
    rng = np.random.default_rng(2)
    df = pd.DataFrame(rng.standard_normal((80, 3)), columns=list("xyz"))
    df["split"] = pd.array(df["x"] - df["y"] > 0, dtype="boolean")
    df = df.mask(rng.random(df.shape) < 0.05)
    with pytest.warns(emimpute.IdentificationWarning, match="'x', 'y'"):
        fit = emimpute.fit(df)
    assert fit.converged
    assert fit.prior.df == 2.0
    (said,) = fit.problems.query("problem == 'perfectly associated'")["columns"]
    assert said == (("x", "y", "split"),)


@pytest.mark.parametrize("seed", range(8))
def test_an_empty_cell_alone_is_no_finding(seed):
    """In small tables cells of pairs are often empty, and the maximum is there all the same (measured: 3 of 16)."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((50, 5)) @ np.linalg.cholesky(0.5 * np.eye(5) + 0.5).T
    df = pd.DataFrame((z > rng.uniform(-1, 1, 5)).astype(int), columns=list("abcde"))
    assert findings(df) == []


def test_findings_take_gaps_into_account():
    """Only rows that have both count; three of them at least."""
    df = pd.DataFrame({"a": [0, 1, 0, 1, 0, 1, 0, 1], "b": [0, 1, 0, 1, 0, 1, 0, 0]})
    assert findings(df) == []
    df = df.astype("Int64")
    df.loc[7, "b"] = None
    df = df.astype(object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        fit = emimpute.fit(df, kinds={"a": "ordinal", "b": "ordinal"}, max_iter=50)
    assert ("a", "b") in fit.problems.set_index("problem").loc["perfectly associated", "columns"]


def test_pairs_and_larger_sets_are_told_apart():
    """In one sentence each."""
    found = [Finding("perfectly associated", places, edge=True) for places in [(0, 1), (1, 2, 3)]]
    (told,) = describe(found, pd.Index(list("abcd")), 50, helped=None, warned=True)
    assert "correlation of 'a' with 'b' runs" in told.sentence
    assert "'b', 'c' and 'd'" in told.sentence
    assert told.warning is emimpute.IdentificationWarning


def test_rows_that_do_not_settle_are_told():
    """A few are a note, many are worth a warning."""
    assert unsettled(1, 200).warning is None
    many = unsettled(30, 200)
    assert many.warning is emimpute.ConvergenceWarning
    assert many.sentence.startswith("In 30 of 200 rows")
    assert many.remedy


@pytest.mark.parametrize(
    ("unordered", "intervals", "rows", "esteps", "long"),
    [
        ([4] * 6, 44, 1500, 27, True),  # six columns of five categories beside 20 ordered ones
        ([4] * 6, 44, 1500, 5, False),  # soon done
        ([4] * 6, 24, 100, 27, False),  # few rows
        ([4], 64, 5000, 27, False),  # one among 60 ordered ones is not the reason
        ([2] * 3, 63, 5000, 27, False),
        ([29], 30, 5000, 27, True),
    ],
)
def test_what_took_long_is_told(unordered, intervals, rows, esteps, long):
    """Where a fit takes long and unordered categories are why; the widest comes first."""
    unordered = [(f"n{k}", width) for k, width in enumerate(unordered)]
    found = costly(unordered, intervals, rows, esteps)
    assert bool(found) is long
    widest = costly([*unordered, ("wide", 40)], intervals + 40, rows * 10, esteps)[0]
    assert widest.columns[0] == "wide"
    assert widest.warning is None


def test_a_fit_tells_what_took_long(monkeypatch):
    """A note, of the columns with their coordinates; nothing where the fit is short."""
    df = mixed(120, nominal=True)
    name = "slow unordered categories"
    assert name not in emimpute.fit(df, max_iter=30).problems["problem"].tolist()
    monkeypatch.setattr("emimpute.results.describe._LONG", 1.0)
    monkeypatch.setattr("emimpute.results.describe._BESIDES", 0)
    fit = emimpute.fit(df, max_iter=30)
    told = fit.problems.set_index("problem").loc[name]
    unordered = [column for column, kind in fit.kinds.items() if kind.startswith("nominal")]
    assert list(told["columns"]) == unordered
    assert emimpute.fit(df.drop(columns=unordered), max_iter=30).problems.query("problem == @name").empty


def test_unsettled_rows_are_counted(monkeypatch):
    """By the problem's own count."""
    whole = boxes.boxed

    def hasty(*args, **options):
        found = whole(*args, **options)
        found.settled[:1] = False
        return found

    monkeypatch.setattr(boxes, "boxed", hasty)
    with pytest.warns(emimpute.ConvergenceWarning, match="did not settle"):
        fit = emimpute.fit(mixed(60, nominal=False))
    assert "intervals not settled" in fit.problems["problem"].tolist()


@pytest.mark.parametrize("nominal", [False, True])
def test_starts_agree(nominal):
    """Several starts end at one maximum, and their distance is that of what is identified."""
    fit = emimpute.fit(mixed(200, nominal=nominal), starts=4, rng=1)
    assert fit.converged
    assert (fit.starts["distance"] < 1e-4).all()
    assert fit.starts["kept"].tolist() == [True, False, False, False]
    (said,) = fit.problems.query("problem == 'starts'")["sentence"]
    assert "Of 4 starts, all ended at one maximum" in said
    one = emimpute.fit(mixed(200, nominal=nominal))
    assert one.loglik == fit.loglik


def test_distances_do_not_see_what_nothing_depends_on():
    """One law in two origins and units of a latent column is one maximum."""
    problem = emimpute.bind(mixed(nominal=False)).problem
    end = list(iterates(problem))[-1]
    d = len(end.params.mean)
    unit, origin = np.ones(d), np.zeros(d)
    unit[2], origin[2] = 3.0, 0.7
    own = problem.cuts.column == 2
    cuts = np.where(own, 3 * end.params.cuts + 0.7, end.params.cuts)
    moved = CutNormal(unit * end.params.mean + origin, end.params.cov * np.outer(unit, unit), cuts)
    assert problem.expect(moved)[1] == pytest.approx(end.loglik, abs=1e-6)
    ends = [canonical(problem, one) for one in (end, replace(end, params=moved))]
    found = compare(problem, ends, 1e-6)
    assert found.maxima == ((0, 1),)
    assert found.distances[1] < 1e-9
