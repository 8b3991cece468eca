"""Models are found by name: built in, registered in this process, or declared by an installed package."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

import emimpute
from emimpute.models import registry
from emimpute.models.mvn import MVN


class Other(MVN):
    name: ClassVar[str] = "other"


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def declare(monkeypatch, value, name="other"):
    """An installed package with this entry point."""
    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint(name, value, group)])


def test_a_registered_model_is_found():
    assert emimpute.register_model(Other) is Other
    assert isinstance(registry.get("other"), Other)
    instance = Other()
    emimpute.register_model(instance)
    assert registry.get("other") is instance


def test_a_fit_by_a_registered_model_is_read_again():
    emimpute.register_model(Other)
    fit = emimpute.datasets.load("tao").em.fit(model="other")
    assert isinstance(emimpute.read_json(fit.to_json()).law.model, Other)


def test_an_installed_model_is_loaded_when_it_is_asked_for(monkeypatch):
    declare(monkeypatch, f"{__name__}:Other")
    monkeypatch.setattr(EntryPoint, "load", lambda _: Other)
    assert isinstance(registry.get("other"), Other)
    assert registry.get("other") is registry.get("other")


def test_a_broken_one_hurts_only_whoever_asks_for_it(monkeypatch):
    declare(monkeypatch, "no_such_package:Model")
    assert isinstance(registry.get("mvn"), MVN)
    with pytest.raises(emimpute.PluginError, match="'other' of the distribution 'unknown' could not be loaded"):
        registry.get("other")


def test_an_installed_model_has_the_name_that_is_declared(monkeypatch):
    declare(monkeypatch, "x:Other", name="another")
    monkeypatch.setattr(EntryPoint, "load", lambda _: Other)
    with pytest.raises(emimpute.PluginError, match="calls itself 'other'"):
        registry.get("another")


class Nameless(MVN):
    name: ClassVar = ""


class Demanding(MVN):
    def __init__(self, wish):
        self.wish = wish


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (MVN, "is a built-in model's"),
        (Nameless, "give its class a text"),
        (Demanding, "cannot be made without arguments"),
        (3, r"It lacks bind\(\), complete\(\), to_json\(\), from_json\(\)"),
    ],
)
def test_what_is_no_model_is_refused(model, said):
    with pytest.raises(emimpute.PluginError, match=said):
        emimpute.register_model(model)


def test_an_unknown_name_is_told_its_neighbour():
    emimpute.register_model(Other)
    with pytest.raises(emimpute.EMImputeError, match="other"):
        registry.get("othr")


def test_by_name_and_as_an_object():
    own = MVN()
    assert isinstance(registry.get("mvn"), MVN)
    assert registry.get(own) is own


def test_a_name_nobody_knows_gets_the_nearest():
    with pytest.raises(emimpute.EMImputeError, match="mvn"):
        registry.get("mvm")


@pytest.mark.parametrize("model", [3, None, object()])
def test_what_is_no_model(model):
    with pytest.raises(emimpute.EMImputeError, match="model="):
        registry.get(model)
