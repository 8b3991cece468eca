"""Each lie that a plugin can tell is told back in a sentence by the contract test."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emimpute.kinds import Cells, Censored, Nominal, Ordinal, Real
from emimpute.testing import check_kind

COLUMNS = {
    Real: pd.Series([3.0, np.nan, 7.0, 1.0, 9.0, np.nan, 4.0], name="x"),
    Censored: pd.Series([3.0, np.nan, 7.0, 1.0, 9.0, np.nan, 4.0], name="x"),
    Ordinal: pd.Series([1, 2, None, 3, 2, 1, 4, None], dtype="Int64", name="x"),
    Nominal: pd.Series(["b", "a", None, "c", "b", "d"], dtype="category", name="x"),
}


def lying(honest: type[Any], **lies: Any) -> Any:
    """A kind whose coding is that of ``honest`` but for the attributes and methods in ``lies``."""
    classes: list[Any] = []

    def retold(coding: Any) -> Any:
        if not classes:
            classes.append(dataclass(frozen=True)(type("Liar", (type(coding),), {"kind": "liar", **lies})))
            classes[0].__module__ = __name__
            sys.modules[__name__].Liar = classes[0]  # where pickle looks for it
        return classes[0](**{field.name: getattr(coding, field.name) for field in fields(coding)})

    class Lying(honest):
        name = "liar"

        def learn(self, column):
            return retold(super().learn(column))

        def restore(self, learned):
            return retold(super().restore(learned))

    return Lying(low=2) if honest is Censored else Lying()


def truth(self, method, *arguments):
    """What the honest coding says."""
    return getattr(super(type(self), self), method)(*arguments)


def cells(change):
    def encode(self, column):
        honest = truth(self, "encode", column)
        return change(honest)

    return encode


def shares(change):
    return lambda self, mean, var: change(dict(truth(self, "probabilities", mean, var)))


def said(**change):
    return lambda self, mean, var, like: {**truth(self, "summarize", mean, var, like), **change}


def frames(change):
    return property(lambda self: change(super(type(self), self).frames.copy()))


def cuts(change):
    return property(lambda self: change(super(type(self), self).cuts))


def singular(all_frames):
    all_frames[2] = 1.0
    return all_frames


def swapped(self, z, like):
    fills = truth(self, "decode", z, like)
    return fills.rename_categories(fills.categories[::-1].tolist()).set_categories(fills.categories)


def shuffled(self, column):
    return Cells.points(truth(self, "encode", column).lower[np.argsort(column.index)])


LIES = {
    "form": [
        (Real, {"width": 1.0}, "width must be a number of coordinates, not 1.0"),
        (Real, {"shift": (np.nan,)}, "shift must be finite"),
        (Real, {"encode": cells(lambda c: c.lower)}, "encode must return Cells"),
        (Real, {"encode": cells(lambda c: Cells.points(c.lower.tolist()))}, "bounds must be a numpy array, not list"),
        (Real, {"encode": cells(lambda c: Cells.points(c.lower.astype(object)))}, "bounds must be float64"),
        (Real, {"encode": lambda *_: 1 / 0}, "encode raised ZeroDivisionError"),
        (Real, {"encode": shuffled}, "encode must look at each cell alone"),
        (
            Real,
            {"encode": cells(lambda c: Cells.points(c.lower + len(c.lower)))},
            "must look at each cell alone",
        ),
        (Real, {"encode": cells(lambda c: Cells.points(c.lower + np.inf))}, "lies at infinity"),
        (Real, {"encode": cells(lambda c: Cells(c.lower, c.lower * np.nan))}, "a bound is NaN where the other is not"),
        (Real, {"to_json": lambda _: {"origin": np.float64}}, "to_json must give JSON types"),
        (Real, {"to_json": lambda _: {"origin": np.nan}}, "to_json must give JSON types, and no NaN"),
        (Real, {"printed": lambda *_: ("1", 2)}, "printed must give two texts"),
    ],
    "cuts": [
        (Ordinal, {"cuts": cuts(lambda _: ())}, "cuts must be width = 1 arrays"),
        (Ordinal, {"cuts": cuts(lambda c: (c[0].tolist(),))}, "cuts of a coordinate must be a numpy array"),
        (Ordinal, {"cuts": cuts(lambda c: (c[0][::-1],))}, "cuts must increase"),
        (Ordinal, {"cuts": cuts(lambda c: (np.append(c[0], np.inf),))}, "cuts must be finite"),
        (Ordinal, {"cuts": cuts(lambda c: (c[0] + 1e-12,))}, "its cells must be bounded by these numbers"),
        (Ordinal, {"cuts": cuts(lambda c: (np.append(c[0], 50.0),))}, "a cut must bound a cell that was seen"),
        (Ordinal, {"settled": lambda *_: None}, "settled must give a Liar"),
        (Ordinal, {"settled": lambda self, _: self}, "the cuts that it was given"),
        (Ordinal, {"settled": lambda *_: 1 / 0}, "settled raised ZeroDivisionError"),
    ],
    "frames": [
        (Nominal, {"frames": frames(lambda f: f[0])}, "frames must have shape"),
        (Nominal, {"frames": frames(lambda f: f * np.nan)}, "frame 0 is not"),
        (Nominal, {"frames": frames(singular)}, "frames must be invertible, and frame 2 is not"),
        (Nominal, {"frames": frames(lambda f: f[:2])}, "frame must be numbers from 0 to 1"),
        (Nominal, {"frames": frames(lambda f: f[[1, 0, 2, 3]])}, "decode must lead back"),
        (Nominal, {"encode": cells(lambda c: Cells(c.lower, c.upper, c.frame * 1.0))}, "frame must be an array of"),
        (Nominal, {"encode": cells(lambda c: Cells(c.lower, c.upper, c.frame[:-1]))}, "frame must be an array of"),
        (Nominal, {"within": np.eye(2)}, r"within must have shape \(3, 3\)"),
        (Nominal, {"within": -np.eye(3)}, "within must be a covariance matrix"),
        (Nominal, {"within": np.eye(3) + np.eye(3, k=1)}, "within must be a covariance matrix"),
    ],
    "probabilities": [
        (Nominal, {"probabilities": lambda *_: [1.0]}, "probabilities must be a mapping"),
        (Nominal, {"probabilities": shares(lambda p: {n: q / 2 for n, q in p.items()})}, "must add up to 1"),
        (Nominal, {"probabilities": shares(lambda p: {n: q[:1] for n, q in p.items()})}, "must have shape"),
        (Nominal, {"probabilities": shares(lambda p: {n: 4 * q - 0.75 for n, q in p.items()})}, "from 0 to 1, not neg"),
        (Nominal, {"probabilities": shares(lambda p: {n: q * np.nan for n, q in p.items()})}, "and not NaN"),
        (Nominal, {"probabilities": shares(lambda p: {n * 2: q for n, q in p.items()})}, "of all categories, but"),
        (
            Nominal,
            {"probabilities": shares(lambda p: dict(zip(p, [*p.values()][::-1], strict=True)))},
            "where there is no doubt, 'c' is most probable, but decode gives 'b'",
        ),
        (
            Nominal,
            {"expect": lambda self, mean, _, like: swapped(self, mean, like)},
            "summarize must give as estimates",
        ),
    ],
    "way back": [
        (Real, {"decode": lambda *_: [1.0]}, "decode must give an array of the column's dtype"),
        (Real, {"decode": lambda *_: 1 / 0}, "decode raised ZeroDivisionError"),
        (Real, {"decode": lambda self, z, like: truth(self, "decode", z, like) + 1}, "decode must lead back"),
        (Nominal, {"decode": swapped}, "decode must lead back"),
        (Real, {"summarize": said(sd=np.full(3, -1.0))}, "an sd below 0"),
        (Real, {"summarize": said(low=np.full(3, np.nan))}, "a low without a high"),
        (Real, {"summarize": said(low=np.full(3, 1e9))}, "a low above its high"),
        (Ordinal, {"summarize": said(low=np.array([4] * 3), high=np.array([1] * 3))}, "a low above its high"),
        (Censored, {"decode": lambda self, z, like: truth(self, "decode", np.maximum(z, 5), like)}, "lead back"),
    ],
}


@pytest.mark.parametrize(("honest", "lies", "sentence"), [case for cases in LIES.values() for case in cases])
def test_a_lie_is_noticed(honest, lies, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_kind(lying(honest, **lies), COLUMNS[honest])


@pytest.mark.parametrize("honest", COLUMNS)
def test_the_liars_would_pass_but_for_their_lies(honest):
    check_kind(lying(honest), COLUMNS[honest])


def test_a_coding_that_changes_by_being_used_is_noticed():
    seen: list[int] = []

    def counting(self, column):
        seen.append(len(column))
        return truth(self, "encode", column)

    kind = lying(Real, encode=counting, to_json=lambda self: truth(self, "to_json") | {"used": len(seen)})
    with pytest.raises(AssertionError, match="using a coding must not change it"):
        check_kind(kind, COLUMNS[Real])


def test_a_coding_that_is_not_restored_whole_is_noticed():
    honest = lying(Ordinal)
    honest.__class__.restore = lambda _, learned: lying(Ordinal).learn(COLUMNS[Ordinal].replace(4, 3))  # noqa: ARG005
    with pytest.raises(AssertionError, match="restored from JSON must"):
        check_kind(honest, COLUMNS[Ordinal])
