"""A fit survives the way to JSON and back, and takes no row of the data along."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.em import Stop
from emimpute.kinds.real import Real, RealCoding
from emimpute.kinds.registry import registered
from emimpute.models.mvn import MVN
from emimpute.models.priors import Ridge, Shrink


def numbers(columns=3, rows=30, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    x[:, 1:] += x[:, :1]
    x[rng.random(x.shape) < 0.15] = np.nan
    return pd.DataFrame(x)


def fitted(df, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", emimpute.EMImputeWarning)
        return df.em.fit(**arguments)


def same(fit, again):
    """Whether two fits say the same, to the last bit."""
    for name in ("nobs", "loglik", "logpost", "n_iter", "n_check", "tol", "rows", "stop", "prior", "gaps", "findings"):
        assert getattr(again, name) == getattr(fit, name), name
    for name in ("mean", "kinds"):
        pd.testing.assert_series_equal(
            getattr(again, name), getattr(fit, name), check_exact=True, check_index_type=False, check_freq=False
        )
    for name in ("cov", "corr"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fit, name))
    pd.testing.assert_frame_equal(again.trace, fit.trace, check_exact=True)
    pd.testing.assert_frame_equal(again.problems, fit.problems)
    pd.testing.assert_frame_equal(again.starts, fit.starts, check_exact=True)
    assert again.summary() == fit.summary()
    assert again._repr_html_() == fit._repr_html_()


LABELS = {
    "str": ["a", "b & <c>", "ü \"'"],
    "int": [3, 1, 2**60],
    "float": [0.5, 1.0, np.inf],
    "nan": [np.nan, 1.0, 2.0],
    "bool": [True, False, "else"],
    "none": [None, "a", 3],
    "tuples": [("a", 1), ("b", None), ("c", 2.5)],
    "numpy": [np.int64(5), np.int8(6), np.str_("s")],
    "numpy bool and float": [np.bool_(True), np.float32(0.5), np.float64(2.5)],
    "timestamps": list(pd.date_range("2020-01-01 12:34:56.789", periods=3, unit="ms")),
    "nanoseconds": [pd.Timestamp(1), pd.Timestamp(2), pd.Timestamp(3)],
    "zoned": list(pd.date_range("2020-10-24 12:00", periods=3, tz="Europe/Paris")),
    "offset": list(pd.date_range("2020", periods=3, tz=dt.timezone(dt.timedelta(hours=5, minutes=30)))),
    "mixed": ["a", 1, pd.Timestamp("2020")],
    "repeated": ["a", "b", "a"],
}


def labelled(name):
    index = pd.Index(LABELS[name], tupleize_cols=False, dtype=None if name in {"timestamps", "zoned"} else object)
    return numbers().set_axis(index, axis=1)


@pytest.mark.parametrize("name", LABELS)
def test_every_label_comes_back(name):
    df = labelled(name)
    fit = df.em.fit()
    again = emimpute.read_json(fit.to_json())
    same(fit, again)
    for new, old in zip(again.mean.index, fit.mean.index, strict=True):
        assert new == old or (pd.isna(new) and pd.isna(old))
        assert isinstance(new, type(old)) or isinstance(old, np.generic)
    pd.testing.assert_frame_equal(again.impute(df), fit.impute(), check_exact=True)


@pytest.mark.parametrize(
    "columns",
    [
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["which", None]),
        pd.MultiIndex.from_arrays([list("abc")]),
        pd.MultiIndex.from_product([pd.date_range("2020", periods=3), ["x"]]),
        pd.Index(list("abc"), name="item"),
        pd.Index([1, 2, 3], name=("a", "tuple")),
        pd.RangeIndex(3),
        pd.Index([1, 2, 3], dtype="int8"),
        pd.CategoricalIndex(list("abc")),
    ],
    ids=["levels", "one-level", "times", "named", "tuple-name", "range", "int8", "categories"],
)
def test_every_index_comes_back(columns):
    df = numbers().set_axis(columns, axis=1)
    fit = df.em.fit()
    again = emimpute.read_json(fit.to_json())
    assert again.mean.index.names == columns.names
    assert isinstance(again.mean.index, pd.MultiIndex) == isinstance(columns, pd.MultiIndex)
    assert list(again.mean.index) == list(columns)
    pd.testing.assert_frame_equal(again.impute(df), fit.impute(), check_exact=True)


@pytest.mark.parametrize(
    "label",
    [
        b"bytes",
        dt.date(2020, 1, 1),
        pd.Period("2020"),
        pd.Timedelta(1),
        1j,
        frozenset("a"),
        np.datetime64(1, "ns"),
    ],
    ids=lambda label: type(label).__name__,
)
def test_other_labels_are_refused(label):
    df = numbers().set_axis(pd.Index(["a", label, "c"], dtype=object), axis=1)
    with pytest.raises(emimpute.EMImputeError, match=r"cannot be written as JSON: rename it") as caught:
        df.em.fit().to_json()
    assert type(label).__name__ in str(caught.value)


def test_numbers_that_json_has_not():
    """Infinities and NaN in a trace, which is where they occur."""
    fit = fitted(numbers(), max_iter=2)
    first, second, *rest = (step._replace(rate=np.nan) for step in fit.history)
    history = (first._replace(step=np.inf), second._replace(step=-np.inf), *rest)
    fit = replace(fit, history=history, logpost=float("-inf"))
    text = fit.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    same(fit, emimpute.read_json(text))


@pytest.mark.parametrize("prior", [None, "ridge", 2.5, Ridge(1), Shrink(0.25), "fallback"])
def test_priors_come_back(prior):
    df = numbers().assign(total=lambda d: 2 * d[0]) if prior == "fallback" else numbers()
    df.columns = df.columns.astype(str)
    fit = fitted(df, prior=prior)
    again = emimpute.read_json(fit.to_json())
    same(fit, again)
    assert type(again.prior) is type(fit.prior)


def test_a_group_keeps_its_name():
    df = numbers().rename(columns=str).assign(g=["a", "b"] * 15)
    fits = []
    df.em.impute(by="g", report=fits.append)
    for fit in fits:
        again = emimpute.read_json(fit.to_json())
        assert again.group == fit.group != ""
        same(fit, again)


def test_findings_come_back_with_their_warnings():
    df = numbers().assign(double=lambda d: 2 * d[0], one=1).rename(columns=str)
    fit = fitted(df, max_iter=2)
    again = emimpute.read_json(fit.to_json())
    same(fit, again)
    classes = [problem.warning for problem in again.findings]
    warned = [emimpute.ConvergenceWarning, emimpute.IdentificationWarning, emimpute.IdentificationWarning]
    assert classes[:3] == warned
    assert classes[-1] is None
    assert again.stop is Stop.MAX_ITER


def mixed():
    """A column of each family of dtypes."""
    rng = np.random.default_rng(1)
    n = 90
    gaps = rng.random((n, 7)) < 0.2
    df = pd.DataFrame(
        {
            "float": rng.normal(size=n),
            "int": pd.array(rng.integers(2**60, 2**60 + 1000, n), dtype="Int64"),
            "bool": pd.array(rng.random(n) > 0.5, dtype="boolean"),
            "time": pd.date_range("2020", periods=n, unit="ns")[rng.permutation(n)],
            "zoned": pd.date_range("2020", periods=n, tz="Asia/Tokyo", unit="s")[rng.permutation(n)],
            "delta": pd.to_timedelta(rng.integers(0, 10**6, n), unit="s"),
            "level": pd.Categorical(rng.integers(1, 6, n), ordered=True),
        }
    )
    return df.mask(gaps).assign(one=[1.5, None] * (n // 2))


def test_a_read_fit_imputes_the_same_bits():
    """New rows get from the copy exactly what they get from the original, for every family of dtypes."""
    df = mixed()
    fit = df.em.fit()
    again = emimpute.read_json(fit.to_json())
    new = mixed().iloc[::-1].head(7).reset_index(drop=True)
    new.iloc[2, :3] = None
    done = fit.impute(new)
    assert done.notna().all(axis=None)
    pd.testing.assert_frame_equal(again.impute(new), done, check_exact=True)
    pd.testing.assert_frame_equal(again.impute(df), fit.impute(), check_exact=True)
    assert emimpute.read_json(again.to_json()).to_json() == fit.to_json()


@pytest.mark.parametrize("method", ["impute", "cells"])
def test_a_read_fit_says_that_it_has_no_data(method):
    again = emimpute.read_json(numbers().em.fit().to_json())
    said = rf"holds no data \(it was read from a file, .*\): {method}\(\) needs the data\. Use fit\.impute\(df\)"
    with pytest.raises(emimpute.EMImputeError, match=said):
        getattr(again, method)()


def test_no_row_is_written():
    """No cell stands in the text: columns are counted from round numbers."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.integers(10**11, 10**12, size=(30, 3)), columns=list("abc")).astype("Int64")
    df.index = [f"person-{i}" for i in range(30)]
    df = df.mask(rng.random((30, 3)) < 0.1).assign(note=[f"secret-{i}" for i in range(30)])
    df.attrs["origin"] = "clinic"
    text = df.em.fit().to_json()
    for word in ("person-", "secret-", "clinic"):
        assert word not in text
    cells = [str(cell) for cell in df[list("abc")].stack().dropna()]  # noqa: PD013 (a list of cells is meant)
    assert len(cells) > 75
    assert [cell for cell in cells if cell in text] == []


# --- reading ----------------------------------------------------------------------------------------------------------


def test_text_path_and_path_as_text(tmp_path):
    fit = numbers().em.fit()
    path = tmp_path / "fit.json"
    fit.report(path)
    for source in (fit.to_json(), f"\n  {fit.to_json()}", path, str(path)):
        same(fit, emimpute.read_json(source))
    path.write_text(f"\ufeff{fit.to_json()}", encoding="utf-8")  # as some editors save
    same(fit, emimpute.read_json(path))


def document(**changes):
    return json.loads(numbers().em.fit().to_json()) | changes


@pytest.mark.parametrize("version", [2, 99, 0, -1, "1", None, 1.0, True])
def test_another_version(version):
    with pytest.raises(emimpute.EMImputeError) as caught:
        emimpute.read_json(json.dumps(document(version=version)))
    assert f"format {version!r}, and this emimpute reads formats up to 1: upgrade it" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["{", '{"format": "emimpute.fit"', "{}", "[]", "[1, 2]", '{"format": "other", "version": 1}', '{"a": NaN}'],
)
def test_another_document(text, tmp_path):
    path = tmp_path / "fit.json"
    path.write_text(text, encoding="utf-8")
    for source in (text, path):
        with pytest.raises(emimpute.EMImputeError, match="This is not a fit written by to_json"):
            emimpute.read_json(source)


@pytest.mark.parametrize("content", [b"null", b"", b"x,y\n1,2\n", b"\xff\xfe\x00PAR1"])
def test_another_file(content, tmp_path):
    (tmp_path / "fit.json").write_bytes(content)
    with pytest.raises(emimpute.EMImputeError, match="This is not a fit written by to_json"):
        emimpute.read_json(tmp_path / "fit.json")


def test_a_missing_file():
    """As pandas' readers, which users know."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        emimpute.read_json("nowhere.json")


@pytest.mark.parametrize("key", sorted(document().keys() - {"format", "version", "group"}))
def test_a_part_is_lost(key):
    lost = document()
    del lost[key]
    with pytest.raises(emimpute.EMImputeError, match=f"This fit is damaged .*'{key}'.*: write it anew with to_json"):
        emimpute.read_json(json.dumps(lost))


@pytest.mark.parametrize("key", ["labels", "names", "turns", "kinds", "codings", "params", "prior", "findings", "gaps"])
def test_a_part_is_something_else(key):
    with pytest.raises(emimpute.EMImputeError, match=r"This fit (is damaged|cannot be read here)"):
        emimpute.read_json(json.dumps(document(**{key: 3})))


@pytest.mark.parametrize("key", ["labels", "turns", "kinds", "codings", "gaps"])
def test_a_part_is_too_short(key):
    short = document()
    short[key] = short[key][:-1]
    with pytest.raises(emimpute.EMImputeError, match="This fit is damaged"):
        emimpute.read_json(json.dumps(short))


def test_the_parameters_are_those_of_another_fit():
    other = json.loads(numbers(columns=2).em.fit().to_json())["params"]
    with pytest.raises(emimpute.EMImputeError, match="This fit is damaged"):
        emimpute.read_json(json.dumps(document(params=other)))


class Special(Real):
    """A kind that only some installations have."""

    name = "special"

    def accepts(self, column):
        return column.name == "special"

    def learn(self, column):
        return SpecialCoding(super().learn(column).origin)

    def restore(self, learned):
        return SpecialCoding(super().restore(learned).origin)


class SpecialCoding(RealCoding):
    kind = "special"


def test_a_kind_that_is_not_here():
    df = numbers()
    with registered(Special):
        fit = df.em.fit(kinds={0: "special"})
        text = fit.to_json()
        assert list(emimpute.read_json(text).kinds) == ["special", "real", "real"]
        pd.testing.assert_frame_equal(emimpute.read_json(text).impute(df), fit.impute())
    with pytest.raises(emimpute.EMImputeError, match="This fit cannot be read here: There is no kind 'special'"):
        emimpute.read_json(text)


def test_a_model_that_nobody_knows_by_name():
    class Mine(MVN):
        name = "mine"

    fit = numbers().em.fit(model=Mine())
    assert fit.summary().startswith("EM of model 'mine': 30 rows")
    with pytest.raises(emimpute.EMImputeError, match="There is no model 'mine'"):
        fit.to_json()
