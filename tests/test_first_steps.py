"""What a newcomer meets in the first hour: words that help, and odd tables that do not take for ever."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute import learning
from emimpute.errors import unknown
from emimpute.models.priors import COARSE, PIN


def births(n: int = 300) -> pd.DataFrame:
    """A birth year beside the age, with gaps in different rows, and a town."""
    rng = np.random.default_rng(4)
    age = (45 + 12 * rng.normal(size=n)).round()
    frame = pd.DataFrame({"age": age, "born": 2024 - age, "pay": age + rng.normal(0, 9, n)})
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    return frame.assign(town=pd.Categorical(rng.choice(["Bern", "Linz", "Rom"], n)))


def warned(**options: object) -> str:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        births().drop(columns="town").em.impute(**options)
    assert [w.category for w in said] == [emimpute.IdentificationWarning]
    return str(said[0].message)


def test_a_dependency_is_pinned_also_beside_unordered_answers(monkeypatch):
    """Pinned, what depends on another column is filled exactly; a run that wanders for it gets a stronger ridge."""
    df = births()
    with pytest.warns(emimpute.IdentificationWarning):
        fit = df.em.fit()
    assert fit.prior == PIN
    done, told = fit.impute(), df["age"].isna() & df["born"].notna()
    assert told.any()
    np.testing.assert_allclose(done.loc[told, "age"], 2024 - df.loc[told, "born"], atol=0.01)
    monkeypatch.setattr(learning, "_PINNED", 5)
    with pytest.warns(emimpute.IdentificationWarning):
        assert df.em.fit().prior == COARSE


def test_a_warning_names_the_report_that_there_is(tmp_path, capsys):
    path = tmp_path / "report.txt"
    assert warned().endswith("For more, see fit.problems, or pass report=True.")
    assert warned(report=lambda _: None).endswith("For more, see fit.problems.")
    assert warned(report=path).endswith(f"For more, see {path}.")
    assert "For more" not in warned(report=True)
    assert "'age' with 'born'" in capsys.readouterr().out


def test_a_pipeline_step_offers_no_option_that_it_has_not():
    sklearn = pytest.importorskip("emimpute.sklearn", exc_type=ImportError)
    with pytest.warns(emimpute.IdentificationWarning, match=r"For more, see fit\.problems\.$"):
        sklearn.EMImputer().fit(births().drop(columns="town"))


def test_a_name_in_the_wrong_case_is_recognised():
    assert unknown("column", "AGE", ["id", "age", "x"]) == "There is no column 'AGE': did you mean 'age'?"
    assert unknown("column", "x ", ["y", "X"]) == "There is no column 'x ': did you mean 'X'?"


def test_answers_in_words_as_numbers_are_told_the_way():
    words = pd.Categorical(["no", "some", None, "much"] * 5, categories=["no", "some", "much"], ordered=True)
    frame = pd.DataFrame({"q": words, "x": np.arange(20.0) ** 1.5})
    with pytest.raises(emimpute.ColumnError, match=r"column\.cat\.codes\.where\(column\.notna\(\)\) \+ 1"):
        frame.em.fit(kinds={"q": "real"})
    places = frame["q"].cat.codes.where(frame["q"].notna()) + 1
    assert places.head(4).tolist()[:2] == [1, 2]
    assert frame.assign(q=places).em.fit().gaps == (5, 0)


def test_importing_loads_no_reader_of_packages():
    code = "import pandas, sys; before = set(sys.modules); import emimpute; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "emimpute" in loaded
    assert not {"importlib.metadata", "email", "socket"} & set(loaded)
