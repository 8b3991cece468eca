"""What goes wrong is told early, and stays told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.models.mvn import MVN


def frame() -> pd.DataFrame:
    return pd.DataFrame({"x": [1.0, 2, 3, 4, 5], "y": [2.0, None, 6, 8.5, 9], "s": ["a", None, "b", None, "c"]})


def test_what_is_left_alone_is_a_problem_of_the_fit_too():
    """Also where warnings are not read: in the table, the summary, and the report."""
    fits: list[emimpute.Fit] = []
    with pytest.warns(emimpute.ColumnWarning):
        frame().em.impute(report=fits.append)
    with pytest.warns(emimpute.ColumnWarning):
        fits.append(frame().em.fit())
    for fit in fits:
        told = fit.problems.set_index("problem")["columns"]
        assert told["left alone"] == ("s",)
        assert "'s'" in fit.summary()


def test_mistakes_are_found_before_the_work(monkeypatch, tmp_path):
    """A report that cannot be written and a label that is taken."""
    monkeypatch.setattr(MVN, "bind", lambda *_: pytest.fail("the work was begun"))
    df = frame().drop(columns="s").assign(y_imputed=0.5)
    with pytest.raises(emimpute.EMImputeError, match="does not exist"):
        df.em.impute(report=tmp_path / "nowhere" / "report.html")
    with pytest.raises(emimpute.ColumnError, match="'y_imputed', which is there already"):
        df.em.impute(indicator=True)


def test_a_class_is_no_model():
    with pytest.raises(emimpute.EMImputeError, match="make an instance of it first"):
        frame().em.fit(model=MVN)


def test_weights_may_be_a_tuple():
    df = frame().drop(columns="s")
    weighted, listed = df.em.fit(weights=(1, 2, 1, 1, 2)), df.em.fit(weights=[1, 2, 1, 1, 2])
    np.testing.assert_array_equal(weighted.mean, listed.mean)


def test_a_fraction_of_missing_information_is_at_most_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    df = pd.DataFrame(x, columns=list("abc")).assign(d=lambda d: d["a"] + d["b"] + 1e-3 * rng.normal(size=60))
    rate = df.mask(rng.random(df.shape) < 0.2).em.fit().trace["rate"]
    assert not (rate > 1).any()


def test_cells_of_a_complete_frame_have_the_dtypes_of_others():
    empty = frame()[["x"]].assign(z=[3.0, 1, 2, 5, 4]).em.fit().cells()
    assert len(empty) == 0
    assert set(empty.dtypes[["estimate", "sd", "low", "high"]]) == {np.dtype(float)}


def test_the_data_sets_come_with_the_package():
    assert emimpute.datasets.load("tao").shape == (736, 8)
