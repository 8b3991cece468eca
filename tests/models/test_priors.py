"""Priors by name, by number, as objects and as JSON."""

import json
from dataclasses import dataclass

import pytest

from emimpute.errors import EMImputeError
from emimpute.models.priors import FALLBACK, Auto, Ridge, Shrink, from_json, resolve, to_json


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (None, (None, False)),
        ("fallback", (None, True)),
        ("auto", (Auto(), True)),
        ("ridge", (Ridge(3.0), False)),
        (0.5, (Ridge(0.5), False)),
        (7, (Ridge(7.0), False)),
        (Shrink(2.0), (Shrink(2.0), False)),
    ],
)
def test_what_a_prior_argument_means(asked, meant):
    assert resolve(asked) == meant


@pytest.mark.parametrize("asked", ["rigde", True, -1, float("nan"), float("inf"), [1]])
def test_what_a_prior_argument_must_not_be(asked):
    with pytest.raises(EMImputeError):
        resolve(asked)


def test_a_prior_of_ones_own():
    @dataclass(frozen=True)
    class Own:
        df: float = 1.0

        def extra(self, d):
            return d / 2

    assert resolve(Own()) == (Own(), False)
    with pytest.raises(EMImputeError, match="Own"):
        to_json(Own())


@pytest.mark.parametrize("prior", [None, Ridge(), Ridge(0.25), Shrink(), FALLBACK])
def test_json_brings_a_prior_back(prior):
    assert from_json(json.loads(json.dumps(to_json(prior)))) == prior


def test_divisors():
    """norm2's ridge counts d + 1 rows more; the shrinkage does not, and so tends to maximum likelihood."""
    assert Ridge(3.0).extra(5) == 6
    assert Shrink(3.0).extra(5) == 0
