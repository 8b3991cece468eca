"""The paragraph for a paper says what happened, whatever happened, and cites what it leans on."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute import kinds
from emimpute.em import Stop
from emimpute.models.priors import Ridge, Shrink
from emimpute.results.methods import methods
from emimpute.results.references import REFERENCES, cited


def normal(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)) + rng.normal(size=(rows, 1))
    x[rng.random(x.shape) < 0.15] = np.nan
    return pd.DataFrame(x, columns=list("xyz"))


def fitted(df, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return df.em.fit(**how)


def cuts(x):
    return pd.cut(x, [-9, -0.5, 0.5, 9], labels=["low", "mid", "high"])


COLUMNS = {
    "real": lambda x: (x, None),
    "datetime": lambda x: (pd.Timestamp("2020-01-01") + pd.to_timedelta(x, unit="D"), None),
    "timedelta": lambda x: (pd.to_timedelta(x + 9, unit="D"), None),
    "positive": lambda x: (np.exp(x), "positive"),
    "bounded": lambda x: (1 / (1 + np.exp(-x)), kinds.Bounded(0, 1)),
    "skewed": lambda x: (np.exp(x), kinds.Skewed()),
    "count": lambda x: (np.exp(x).round(), "count"),
    "ordinal": lambda x: (cuts(x), None),
    "binary": lambda x: ((x > 0).astype("boolean").mask(x.isna()), None),
    "nominal": lambda x: (cuts(x).cat.as_unordered(), None),
    "censored": lambda x: (x.clip(lower=-1), kinds.Censored(-1, None)),
    "interval": lambda x: (pd.cut(x, [-9, -1, 0, 1, 9]), None),
    "constant": lambda x: (x.where(x.isna(), 1.0), None),
}
SAID = {
    "real": "numbers as they are",
    "datetime": "dates and times",
    "timedelta": "lengths of time",
    "positive": "logarithms",
    "bounded": "probits",
    "skewed": "Yeo-Johnson",
    "count": "counts as intervals",
    "ordinal": "cut points (Olsson, 1979)",
    "binary": "cut point of a latent normal variable (Olsson, 1979)",
    "nominal": "utilities",
    "censored": "detection limit",
    "interval": "brackets",
    "constant": "their constant",
}
BOXED = {"count", "ordinal", "binary", "nominal", "censored", "interval"}


def cites_what_it_lists(said):
    """Every reference is cited by name and year, and nothing is cited that is not listed."""
    for reference in REFERENCES.values():
        surname, year = reference.split(",")[0], re.search(r"\((\d{4})\)", reference)[1]
        named = re.search(rf"{surname}[^.;()]*, {year}", said.paragraph) is not None
        assert named == (reference in said.references), (surname, said.paragraph)


@cache
def of_kind(kind, prior):
    df = normal()
    column, how = COLUMNS[kind](df["x"])
    return fitted(df.assign(x=column), kinds={} if how is None else {"x": how}, prior=prior)


@pytest.mark.parametrize("prior", ["fallback", Ridge(3.0), Shrink(2.0)], ids=["none", "ridge", "shrink"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_and_prior(kind, prior):
    fit = of_kind(kind, prior if kind in {"real", "ordinal"} else "fallback")
    if isinstance(prior, Ridge | Shrink):
        fit = replace(fit, prior=prior)  # most kinds are fitted once: words need no other fit
    assert fit.kinds["x"] == kind
    said = methods(fit)
    assert SAID[kind] in said.paragraph
    assert ("Minka" in said.paragraph) == (kind in BOXED)
    if fit.prior is None:
        assert "by maximum likelihood with the EM algorithm (Dempster, Laird, & Rubin, 1977)" in said.paragraph
    elif isinstance(fit.prior, Ridge):
        assert "inverse-Wishart ridge prior of 3 degrees of freedom (Schafer, 1997" in said.paragraph
    else:
        assert f"correlations towards 0 as {fit.prior.df:g} further rows would" in said.paragraph
    assert fit.stop.value in said.paragraph
    assert "too small" in said.paragraph
    cites_what_it_lists(said)


def test_the_numbers_are_the_fits():
    df = normal()
    fit = fitted(df)
    said = fit.methods()
    gaps, shares = int(df.isna().sum().sum()), df.isna().mean() * 100
    assert f"60 rows and 3 columns; {gaps} of 180 cells were missing" in said
    assert f"({gaps / 180:.1%}, from {shares.min():.1f}% to {shares.max():.1f}% by column)" in said
    assert f"{fit.n_iter} E-steps, and {fit.n_check} for closing checks" in said
    assert "tolerance was 1e-06" in said
    assert f"log-likelihood was {fit.loglik:.4f}." in said
    assert f"pandas {pd.__version__}, NumPy {np.__version__}" in said
    assert said.split("\n\n")[1] == "References"
    assert said.split("\n\n")[2].split("\n") == list(methods(fit).references)


def test_it_needs_no_rows():
    fit = fitted(normal())
    assert emimpute.read_json(fit.to_json()).methods() == fit.methods()


def test_why_there_is_a_ridge():
    df = normal().assign(twice=lambda d: 2 * d["x"])
    fit = fitted(df)
    reason = fit.problems["sentence"].iloc[0]
    assert f"The reason: {reason}" in fit.methods()
    auto = fitted(normal(20), prior="auto")
    chosen = auto.problems.set_index("problem").loc["ridge chosen", "sentence"]
    assert chosen in auto.methods()


def test_how_a_run_ended():
    stopped = fitted(normal(), max_iter=1)
    assert Stop.MAX_ITER.value in stopped.methods()
    assert "EM converged" not in stopped.methods()
    several = fitted(normal(), starts=3, rng=0)
    assert "The best of 3 starts was kept." in several.methods()
    monotone = pd.DataFrame({"x": [1.0, 2, 4, 3, 5], "y": [2.0, 1, 3, None, None]})
    said = methods(fitted(monotone))
    assert "in closed form, the gaps being monotone (Anderson, 1957)" in said.paragraph
    cites_what_it_lists(said)


def test_nothing_missing():
    said = methods(fitted(normal().fillna(0.0)))
    assert "no cell was missing" in said.paragraph
    assert "from the complete rows in closed form" in said.paragraph
    assert "filled" not in said.paragraph
    assert said.references == ()


def test_weights_and_empty_rows():
    df = normal()
    df.loc[3] = np.nan
    assert "In 1 of the rows nothing was observed" in fitted(df).methods()
    fit = fitted(df.assign(w=2.5), weights="w")
    assert f"add up to {59 * 2.5:g}" in fit.methods()


def test_what_stands_in_the_gaps():
    fit = fitted(normal())
    assert "conditional expectation" in methods(fit).paragraph
    drawn = methods(fit, filled="drawn", left=1)
    assert "one draw from its conditional distribution" in drawn.paragraph
    assert "1 missing cell was left as it was" in drawn.paragraph
    assert "vary less" not in drawn.paragraph
    given = methods(fit, filled="given")
    assert "other means than the fit itself" in given.paragraph
    for said in (drawn, given):
        cites_what_it_lists(said)


def test_littles_test_is_told_if_there_was_one():
    df = normal()
    test = df.em.mcar_test()
    said = methods(fitted(df), test=test)
    assert f"χ²({test.df}) = {test.statistic:.2f}, p = {test.pvalue:.4f}" in said.paragraph
    cites_what_it_lists(said)
    assert "p < .0001" in methods(fitted(df), test=replace(test, pvalue=1e-9)).paragraph


def test_groups_and_hostile_names():
    df = normal().rename(columns={"x": "a\nb\u202e"})
    said = replace(fitted(df.assign(k=cuts(normal()["y"]))), group="g = 1").methods()
    assert "those where g = 1" in said
    assert "a\\nb\\u202e" in said
    assert "\u202e" not in said


def test_references_can_be_found():
    """Each once, with an address."""
    for reference in REFERENCES.values():
        assert re.search(r"\(\d{4}\)\. .+ https://(doi\.org/10\.\d{4,}/\S+|jmlr\.org/\S+)$", reference)
    assert len({reference.rsplit(" ", 1)[1] for reference in REFERENCES.values()}) == len(REFERENCES)
    assert cited(["tobin", "anderson", "tobin"]) == (REFERENCES["anderson"], REFERENCES["tobin"])
