"""Every kind keeps the contract on every dtype, and the contract test notices when one does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS
from labels import BRACKETS, CATEGORIES, TEXT

from emimpute.kinds import Bounded, Cells, Censored, Constant, Interval, Nominal, Ordinal, Real, Skewed
from emimpute.kinds.constant import ConstantCoding
from emimpute.kinds.real import RealCoding
from emimpute.testing import check_kind

TIMES = ("time", "stamp", "duration", "date", "period")
NUMBERS = {dtype for dtype in COLUMNS if not any(word in dtype for word in TIMES)}
WHOLE = NUMBERS - {"object of Decimal"}  # tenths
BOOLEANS = {dtype for dtype in COLUMNS if "bool" in dtype}
VALUES = np.array([3.0, np.nan, 7.0, 1.0, 9.0, np.nan, 4.0])
MANY = np.array([np.nan, *range(5, 25), 7.0, 8.0])
KINDS = {
    "real": ("real", VALUES, NUMBERS),
    "real, one value": ("real", np.array([np.nan, 5.0]), NUMBERS),
    "constant": ("constant", np.array([np.nan, 3.0, 3.0]), COLUMNS),
    "ordinal": ("ordinal", VALUES, COLUMNS),
    "ordinal, margins": (Ordinal(fill="mode", cuts="margins"), VALUES, COLUMNS),
    "binary": ("binary", np.array([3.0, np.nan, 7.0, 3.0, 3.0]), COLUMNS),
    "nominal": ("nominal", VALUES, COLUMNS),
    "count, few": ("count", VALUES, WHOLE),
    "count, many": ("count", MANY, WHOLE - BOOLEANS),
    "censored": (Censored(low=1.5, high=8), VALUES, WHOLE - BOOLEANS),
    "censored, booleans": (Censored(low=0), VALUES, BOOLEANS),
}
SPANS = {dtype for dtype in COLUMNS if "timedelta" in dtype or "duration" in dtype}
KINDS |= {
    "datetime": ("datetime", VALUES, set(COLUMNS) - NUMBERS - SPANS),
    "timedelta": ("timedelta", VALUES, SPANS),
    "positive": ("positive", VALUES, (NUMBERS - BOOLEANS) | SPANS),
    "positive, far from zero": ("positive", VALUES + 64, (NUMBERS - BOOLEANS) | SPANS),
    "positive, one value": ("positive", np.array([np.nan, 5.0]), NUMBERS - BOOLEANS),
    "bounded": (Bounded(-0.5, 9.5), VALUES, NUMBERS),
    "bounded, at a bound": (Bounded(1, 20), VALUES, WHOLE - BOOLEANS),
    "bounded, at both": (Bounded(1, 9), VALUES, WHOLE - BOOLEANS),
    "skewed": ("skewed", VALUES, COLUMNS),
    "skewed, quantiles": (Skewed("quantile"), MANY, set(COLUMNS) - BOOLEANS),
}
ANSWERS = ["b", None, "a", "c", "b", "a"]
LABELLED = {
    "constant": ("constant", ["a", None, "a"], TEXT | CATEGORIES),
    "ordinal": (Ordinal(levels=["a", "b", "c"]), ANSWERS, TEXT | CATEGORIES),
    "ordinal, mode": (Ordinal(levels=["c", "a", "b"], fill="mode", cuts="margins"), ANSWERS, TEXT | CATEGORIES),
    "ordinal, as declared": ("ordinal", ANSWERS, [name for name in CATEGORIES if "ordered" in name]),
    "ordinal, whole numbers": ("ordinal", [3, None, 1, 2, 1], ["object", *CATEGORIES][:3]),
    "binary": ("binary", ["no", None, "yes", "no"], TEXT | CATEGORIES),
    "nominal": ("nominal", ANSWERS, TEXT | CATEGORIES),
    "nominal, declared": (Nominal(levels=["c", "a", "d", "b"]), ANSWERS, TEXT | CATEGORIES),
    "interval": ("interval", ["30-39", None, "<30", "40 and over", "30-39"], [*TEXT, "category", "ordered category"]),
}


@pytest.mark.parametrize(
    ("kind", "values", "dtype"), [(k, v, d) for k, v, among in KINDS.values() for d in COLUMNS if d in among]
)
def test_a_kind_keeps_the_contract(kind, values, dtype):
    check_kind(kind, COLUMNS[dtype](values).rename("x"))


@pytest.mark.parametrize(("kind", "labels", "dtype"), [(k, v, d) for k, v, among in LABELLED.values() for d in among])
def test_a_kind_keeps_the_contract_on_labels(kind, labels, dtype):
    check_kind(kind, (TEXT | CATEGORIES)[dtype](labels).rename("x"))


@pytest.mark.parametrize("kind", ["interval", Interval(scale="log"), "ordinal"])
@pytest.mark.parametrize("made", BRACKETS)
def test_a_kind_keeps_the_contract_on_brackets(kind, made):
    check_kind(kind, BRACKETS[made]())


def test_two_brackets_are_a_binary_answer_and_one_is_constant():
    for made in BRACKETS.values():
        column = made()
        check_kind("binary", column.iloc[[0, 1, 4, 0]])
        check_kind("constant", column.iloc[[0, 4]])


@dataclass(frozen=True)
class TooNarrow(RealCoding):
    kind: ClassVar[str] = "broken"

    def encode(self, column):
        return Cells.points(super().encode(column).lower[:, 0])


@dataclass(frozen=True)
class Blind(RealCoding):
    kind: ClassVar[str] = "broken"

    def encode(self, column):
        return Cells.points(np.full((len(column), 1), np.nan))


@dataclass(frozen=True)
class Crossed(RealCoding):
    kind: ClassVar[str] = "broken"

    def encode(self, column):
        lower = super().encode(column).lower
        return Cells(lower + 1, lower)


@dataclass(frozen=True)
class Confident(RealCoding):
    kind: ClassVar[str] = "broken"

    def encode(self, column):
        return Cells.points(np.nan_to_num(super().encode(column).lower))


@dataclass(frozen=True)
class Lavish(RealCoding):
    kind: ClassVar[str] = "broken"

    def decode(self, z, like):
        return np.append(super().decode(z, like), 0.0)


@dataclass(frozen=True)
class Textual(RealCoding):
    kind: ClassVar[str] = "broken"

    def decode(self, z, like):
        return super().decode(z, like).astype(str)


@dataclass(frozen=True)
class Idle(RealCoding):
    kind: ClassVar[str] = "broken"

    def decode(self, z, like):
        return np.full(len(super().decode(z, like)), np.nan)


@dataclass(frozen=True)
class Misnamed(RealCoding):
    kind: ClassVar[str] = "other"


@dataclass(frozen=True)
class Unshifted(RealCoding):
    kind: ClassVar[str] = "broken"

    @property
    def shift(self):
        return ()


@dataclass(frozen=True)
class Silent(RealCoding):
    kind: ClassVar[str] = "broken"

    def summarize(self, mean, var, like):
        return {k: v for k, v in super().summarize(mean, var, like).items() if k != "sd"}


class Thawed(RealCoding):
    kind: ClassVar[str] = "broken"

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


@pytest.mark.parametrize(
    ("coding", "sentence"),
    [
        (TooNarrow, r"bounds must have shape \(7, 1\), not \(7,\)"),
        (Blind, "an observed cell must not be a hole"),
        (Crossed, "a lower bound above its upper"),
        (Confident, "a missing cell must be a hole"),
        (Lavish, "decode must give 7 cells, not 8"),
        (Textual, "decode must give the column's dtype float64"),
        (Idle, "decode must not give missing cells"),
        (Misnamed, "is of kind 'other', but the kind's name is 'broken'"),
        (Unshifted, "shift must be width = 1 numbers"),
        (Silent, "summarize must give 'sd'"),
        (Thawed, "must be frozen"),
    ],
)
def test_a_broken_coding_is_noticed(coding, sentence):
    class Broken(Real):
        name: ClassVar[str] = "broken"

        def learn(self, column):
            return coding(super().learn(column).origin)

        def restore(self, learned):
            return coding(super().restore(learned).origin)

    with pytest.raises(AssertionError, match=sentence):
        check_kind(Broken, pd.Series(VALUES))


class Remembers(Real):
    def learn(self, column):
        self.last = column
        return super().learn(column)


class Raises(Real):
    def accepts(self, column):
        return column.mean() > 0


class Vague(Real):
    def accepts(self, column):
        return super().accepts(column) or None


class Forgets(Real):
    def restore(self, learned):
        return super().restore(learned | {"origin": -1})


class Strange(Real):
    def restore(self, learned):
        return ConstantCoding(super().restore(learned).origin)


class Scribbles(Real):
    def learn(self, column):
        coding = super().learn(column)
        column.iloc[0] = 0.0
        return coding


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Remembers, "remember nothing on the kind"),
        (Raises, "accepts must never raise, but did for dtype"),
        (Vague, "True or False, not None"),
        (Forgets, "restored from JSON must have the same shift"),
        (Strange, "restored from JSON must be of the same class"),
        (Scribbles, "must not be modified"),
    ],
)
def test_a_broken_kind_is_noticed(kind, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_kind(kind, pd.Series(VALUES))


@pytest.mark.parametrize("values", [[1.0, 2.0], [np.nan, np.nan]])
def test_a_column_that_would_test_nothing_is_refused(values):
    with pytest.raises(AssertionError, match="an observed and a missing cell"):
        check_kind(Constant, pd.Series(values))
