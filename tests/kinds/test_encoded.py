"""A kind that says what cannot be is told so by name, before EM believes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from emimpute.errors import PluginError
from emimpute.kinds import Cells, Real
from emimpute.kinds.encoded import encoded
from emimpute.kinds.real import RealCoding

COLUMN = pd.Series([1.0, np.nan, 3.0], name="x")
X = np.array([[1.0], [np.nan], [3.0]])
INF = np.inf


@dataclass(frozen=True)
class Liar(RealCoding):
    kind: ClassVar[str] = "liar"
    said: object = None

    @property
    def frames(self):
        return np.ones((2, 1, 1))

    def encode(self, column):  # noqa: ARG002
        return self.said


class Lies(Real):
    name: ClassVar[str] = "liar"

    def __init__(self, said):
        self.said = said

    def learn(self, column):
        return Liar(super().learn(column).origin, self.said)


LIES = {
    "it gives ndarray instead of Cells": X,
    "its bounds have to be numpy arrays, and are list": Cells.points([1.0, np.nan, 3.0]),
    r"floats of shape \(3, 1\), and are float64 of shape \(3,\)": Cells.points(X[:, 0]),
    r"floats of shape \(3, 1\), and are float64 of shape \(2, 1\)": Cells(X, X[:2]),
    r"floats of shape \(3, 1\), and are object": Cells.points(X.astype(object)),
    "an observed cell is encoded as NaN": Cells.points(X * np.nan),
    "a missing cell is encoded as if it were known": Cells.points(np.nan_to_num(X)),
    "a cell lies at infinity": Cells.points(np.where(X == 1, INF, X)),
    "one bound of a cell is NaN": Cells(X, X.copy() * np.nan),
    "the lower bound of a cell is above its upper bound": Cells(X + 1, X),
    "a cell lies at infinity.": Cells(np.where(X == 1, INF, X), np.where(X == 1, INF, X)),
    "a missing cell is encoded as if it were known.": Cells(np.nan_to_num(X), np.nan_to_num(X) + 1),
    "name one of its 2 frames each": Cells(X, X + 1, np.array([0, 1, 2])),
    "name one of its 2 frames each, ": Cells(X, X + 1, np.array([0, 1])),
    "name one of its 2 frames each, by whole numbers": Cells(X, X + 1, np.array([0.0, 1.0, 1.0])),
}


@pytest.mark.parametrize("sentence", LIES)
def test_a_lie_is_told_with_kind_and_column(sentence):
    with pytest.raises(PluginError, match=f"Kind 'liar' encodes column 'x' wrongly: .*{sentence}"):
        COLUMN.to_frame().assign(y=[1.0, 2, 4]).em.impute(kinds={"x": Lies(LIES[sentence])})


@pytest.mark.parametrize(
    "honest",
    [
        Cells.points(X),
        Cells(X, X + 1),
        Cells(np.array([[-INF], [-INF], [3]]), np.array([[0], [INF], [INF]])),
        Cells(np.full((3, 1), -INF), np.full((3, 1), INF)),  # an answer may say nothing: "less than infinity"
        Cells(X, X + 1, np.array([0, 1, 1])),
    ],
)
def test_what_may_be_passes(honest):
    assert encoded(Liar(Real().learn(COLUMN).origin, honest), COLUMN) is honest


@pytest.mark.parametrize(
    ("fills", "sentence"),
    [
        ([1.0], "its cells have to be of dtype float64, and are list"),
        (np.array([1]), "its cells have to be of dtype float64, and are int64"),
        (np.array([1.0, 2.0]), r"it gives cells of shape \(2,\) for 1 gaps"),
        (np.array([[1.0]]), r"it gives cells of shape \(1, 1\) for 1 gaps"),
        (np.array([np.nan]), "it gives missing cells"),
    ],
)
@pytest.mark.parametrize("sample", [True, False])
def test_fills_that_are_none_are_told(fills, sentence, sample):
    class Filler(RealCoding):
        kind: ClassVar[str] = "liar"

        def decode(self, z, like):  # noqa: ARG002
            return fills

    class Fills(Real):
        name: ClassVar[str] = "liar"

        def learn(self, column):
            return Filler(super().learn(column).origin)

    with pytest.raises(PluginError, match=f"Kind 'liar' fills column 'x' wrongly: {sentence}"):
        COLUMN.to_frame().assign(y=[1.0, 2, 4]).em.impute(kinds={"x": Fills()}, sample=sample)
