"""Every kind keeps the contract on every dtype, and the contract test notices when one does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from dtypes import COLUMNS

from emimpute.kinds import Cells, Constant, Real
from emimpute.kinds.constant import ConstantCoding
from emimpute.kinds.real import RealCoding
from emimpute.testing import check_kind

VALUES = np.array([3.0, np.nan, 7.0, 1.0, 9.0, np.nan, 4.0])
KINDS = [("real", VALUES), ("real", np.array([np.nan, 5.0])), ("constant", np.array([np.nan, 3.0, 3.0]))]


@pytest.mark.parametrize("dtype", COLUMNS)
@pytest.mark.parametrize(("kind", "values"), KINDS, ids=["real", "real-one-value", "constant"])
def test_a_kind_keeps_the_contract(kind, values, dtype):
    check_kind(kind, COLUMNS[dtype](values).rename("x"))


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
