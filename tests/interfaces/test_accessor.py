"""``df.em``: a door that does no work of its own."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import pydoc

import numpy as np
import pandas as pd
import pytest
from frames import FRAMES, numeric

import emimpute
from emimpute.interfaces.accessor import EM

TWINS = {
    "impute": emimpute.impute,
    "fit": emimpute.fit,
    "draw": emimpute.draw,
    "patterns": emimpute.patterns,
    "coverage": emimpute.coverage,
    "flux": emimpute.flux,
    "mcar_test": emimpute.mcar_test,
    "homogeneity_test": emimpute.homogeneity_test,
    "indicator_tests": emimpute.indicator_tests,
}


@pytest.mark.parametrize("name", TWINS)
def test_twins(name):
    """The method has the function's parameters, annotations and help, without the frame."""
    function, method = TWINS[name], getattr(numeric().em, name)
    _, *parameters = inspect.signature(function).parameters.values()
    assert list(inspect.signature(method).parameters.values()) == parameters
    assert inspect.signature(method).return_annotation == inspect.signature(function).return_annotation
    assert list(inspect.signature(getattr(EM, name)).parameters) == ["self", *(p.name for p in parameters)]
    assert method.__name__ == name
    assert method.__doc__ == function.__doc__
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters if p.name != "m")  # draw(20) reads well


def test_help():
    """``help`` shows the parameters and what they mean."""
    text = pydoc.plain(pydoc.render_doc(numeric().em.impute))
    assert "max_iter" in text
    assert "conditional expectations" in text
    page = pydoc.plain(pydoc.render_doc(EM))
    assert all(name in page for name in TWINS)


def test_wrong_parameters():
    """A misspelt or positional parameter is Python's own error."""
    with pytest.raises(TypeError, match="maxiter"):
        numeric().em.impute(maxiter=3)
    with pytest.raises(TypeError, match="positional"):
        numeric().em.impute(["x"])


class Untouchable(pd.DataFrame):
    """A frame of which nobody may ask anything."""

    @property
    def _constructor(self):
        return Untouchable

    @property
    def columns(self):
        msg = "somebody looked"
        raise AssertionError(msg)


def test_construction_does_no_work():
    """Neither looks at the frame nor raises, whatever is given."""
    for thing in (numeric(), pd.DataFrame(), Untouchable.__new__(Untouchable), None, 3):
        held = vars(EM(thing))
        assert list(held) == ["_df"]
        assert held["_df"] is thing


@pytest.mark.parametrize("name", FRAMES)
def test_dir(name):
    """``dir`` of any frame constructs the accessor, quietly, and lists it."""
    assert "em" in dir(FRAMES[name]())
    names = {n for n in dir(FRAMES[name]().em) if not n.startswith("_")}
    assert names == {*TWINS, "plot"}  # the door to pictures, which has no twin


def test_nothing_is_left_on_the_frame():
    """No attrs, no last fit, no inplace."""
    df = numeric()
    before = set(vars(df))
    df.em.impute(report=[].append)
    df.em.fit()
    assert df.attrs == {}
    assert set(vars(df)) - before <= {"_cache", "em"}
    assert "inplace" not in inspect.signature(df.em.impute).parameters


def test_a_column_called_em():
    """The accessor stays reachable, and so does the column."""
    df = numeric().rename(columns={"x": "em"})
    assert not df.em.impute()["em"].isna().any()


def test_the_chain_that_users_write():
    """From a file to a table of means, with the fit beside it."""
    rows = (
        f"{'ab'[i % 2]},{17 + i % 40},{990 + 30 * (i % 40) + i % 7 if i % 5 else ''},{i % 11 if i % 7 > 1 else ''}"
        for i in range(120)
    )
    text = "\n".join(["region,age,income,score", *rows])
    fits = []
    means = (
        pd.read_csv(io.StringIO(text))
        .query("age >= 18")
        .assign(log_income=lambda d: np.log(d["income"]))
        .em.impute(report=fits.append)
        .groupby("region")
        .mean(numeric_only=True)
    )
    assert means.shape == (2, 4)
    assert not means.isna().any(axis=None)
    (fit,) = fits
    assert fit.converged
    assert fit.nobs == 117
    raw = pd.read_csv(io.StringIO(text)).query("age >= 18").groupby("region")["income"].mean()
    assert (means["income"] != raw).all()
    assert (means["income"] - raw).abs().max() < 100


class TestCopiesOfAFit:
    @pytest.fixture(scope="class")
    @staticmethod
    def fit():
        """A fit with a prior, problems and dates."""
        df = numeric().assign(day=pd.date_range("2020", periods=40).where(np.arange(40) % 3 > 0), one=[1, None] * 20)
        return df.em.fit(prior="ridge")

    @pytest.mark.parametrize(
        "again",
        [lambda fit: pickle.loads(pickle.dumps(fit)), copy.deepcopy, copy.copy],  # noqa: S301 (we pickled it ourselves)
        ids=["pickle", "deepcopy", "copy"],
    )
    def test_the_same_fit(self, fit, again):
        """It answers the same, and says the same."""
        other = again(fit)
        assert type(other) is type(fit)
        pd.testing.assert_frame_equal(other.impute(), fit.impute(), check_exact=True)
        pd.testing.assert_frame_equal(other.cells(), fit.cells(), check_exact=True)
        pd.testing.assert_frame_equal(other.cov, fit.cov, check_exact=True)
        pd.testing.assert_frame_equal(other.trace, fit.trace, check_exact=True)
        pd.testing.assert_frame_equal(other.problems, fit.problems)
        assert repr(other) == repr(fit)
        assert other.stop is fit.stop

    def test_frozen(self, fit):
        """A fit does not change."""
        with pytest.raises(AttributeError):
            fit.loglik = 0.0
