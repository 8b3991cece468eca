"""Which kinds there are, in which order they are asked, and what a broken plugin costs."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from emimpute.errors import ColumnError, PluginError, PluginWarning
from emimpute.kinds import Constant, Kind, Real, available, get, registry
from emimpute.kinds.registry import choose, register, registered

COLUMN = pd.Series([1.0, 2.0, np.nan], name="x")
BUILT_IN = available().query("source == 'built in'")["name"].tolist()


class Mine(Real):
    """Takes everything."""

    name: ClassVar[str] = "mine"

    def accepts(self, column):  # noqa: ARG002
        return True


class Rude(Mine):
    name: ClassVar[str] = "rude"

    def accepts(self, column):
        msg = f"no {column.name}"
        raise RuntimeError(msg)


class Point:
    """An entry point, as far as the registry looks at it."""

    def __init__(self, name, made):
        self.name, self.made, self.dist = name, made, SimpleNamespace(name="emimpute-extra")

    def load(self):
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


@pytest.fixture(autouse=True)
def _as_it_was():
    before = list(registry._entries), list(registry._discovered)
    registry._entries[:] = [entry for entry in before[0] if entry.source != "installed package"]
    yield
    registry._entries[:], registry._discovered[:] = before


@pytest.fixture
def installed(monkeypatch):
    """Pretend that entry points are installed and have not been read yet."""

    def install(*points):
        monkeypatch.setattr(registry, "entry_points", lambda group: list(points) if group == "emimpute.kinds" else [])
        registry._discovered.clear()

    return install


def test_constants_are_asked_for_before_numbers():
    assert BUILT_IN[0] == "constant"
    assert "real" in BUILT_IN
    assert choose(COLUMN).name == "real"
    assert choose(pd.Series([1, 1])).name == "constant"
    assert choose(pd.Series([1, "a", (2, 3)], dtype=object)) is None


def test_what_is_available_is_a_table():
    table = available().set_index("name")
    assert table.columns.tolist() == ["source", "status", "accepts"]
    assert table.loc["real"].tolist() == ["built in", "ready", "Numbers."]
    assert table["accepts"].astype(bool).all()


def test_a_kind_is_found_by_name_class_or_instance():
    mine = Mine()
    assert isinstance(get("real"), Real)
    assert isinstance(get(Mine), Mine)
    assert get(mine) is mine


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(ColumnError, match="There is no kind 'rael': did you mean 'real'"):
        get("rael")


@pytest.mark.parametrize("wrong", [3, None, int, Kind])
def test_what_is_no_kind_is_refused(wrong):
    for use in (get, register):
        with pytest.raises(PluginError, match=r"not a kind|cannot be made without arguments"):
            use(wrong)


def test_a_kind_needs_a_name():
    class Nameless(Mine):
        name = None

    with pytest.raises(PluginError, match="The kind Nameless has the name None"):
        register(Nameless)


def test_the_newest_is_asked_first_and_registering_is_a_decorator():
    @register
    class First(Mine):
        name: ClassVar[str] = "first"

    register(Mine())
    assert First.name == "first"
    assert choose(COLUMN).name == "mine"
    assert available()["name"].tolist() == ["mine", "first", *BUILT_IN]
    assert get("mine").accepts(COLUMN)
    assert available().set_index("name").loc["mine", "accepts"] == "Takes everything."


def test_registering_a_name_again_replaces_it():
    register(old := Mine())
    register(new := Mine())
    assert get("mine") is new is not old
    assert available()["name"].tolist().count("mine") == 1


def test_a_built_in_name_can_be_taken_over_and_is_hidden_meanwhile():
    class Better(Mine):
        name: ClassVar[str] = "real"

    with registered(Better) as better:
        assert get("real") is better
        hidden = available().query("status != 'ready'")
        assert hidden[["name", "source", "status"]].to_numpy().tolist() == [
            ["real", "built in", "hidden by another of the same name"]
        ]
    assert type(get("real")) is Real


def test_installed_kinds_come_after_this_process_and_before_the_built_in(installed):
    installed(Point("mine", Mine))
    register(type("Own", (Mine,), {"name": "own"}))
    table = available()
    assert table["name"].tolist() == ["own", "mine", *BUILT_IN]
    assert table["source"].tolist() == ["this process", "emimpute-extra", *["built in"] * len(BUILT_IN)]


def test_entry_points_are_read_at_first_use_and_once(installed, monkeypatch):
    installed()
    calls = []
    monkeypatch.setattr(registry, "entry_points", lambda group: calls.append(group) or [])
    assert calls == []
    for use in (lambda: choose(COLUMN), lambda: get("real"), available):
        use()
    assert calls == ["emimpute.kinds"]


def test_broken_plugins_are_one_warning_and_then_ignored(installed):
    installed(Point("bad", ImportError("no such thing")), Point("worse", 3), Point("mine", Mine))
    with pytest.warns(PluginWarning) as seen:
        assert choose(COLUMN).name == "mine"
    (warning,) = seen
    assert "Kind 'bad' of the distribution 'emimpute-extra' could not be loaded (ImportError: no such thing)" in str(
        warning.message
    )
    assert "'worse'" in str(warning.message)
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose(COLUMN)
        assert available().set_index("name").loc["bad", "status"] == "broken: ImportError: no such thing"


def test_a_broken_plugin_asked_for_by_name_is_an_error_with_its_cause(installed):
    cause = ImportError("no such thing")
    installed(Point("bad", cause))
    with pytest.warns(PluginWarning):
        available()
    with pytest.raises(PluginError, match=r"Kind 'bad' of .* could not be loaded") as seen:
        get("bad")
    assert seen.value.__cause__ is cause


def test_a_kind_that_fails_to_answer_is_passed_over_with_one_warning():
    register(Rude)
    with pytest.warns(PluginWarning, match="Kind 'rude' could not look at column 'x'"):
        assert choose(COLUMN).name == "real"
    assert choose(COLUMN).name == "real"  # a second warning would be an error
    assert isinstance(get("rude"), Rude)
    assert available().set_index("name").loc["rude", "status"] == "broken: RuntimeError: no x"


def test_built_ins_enter_by_the_same_door():
    kinds = [type(entry.kind) for entry in registry._entries]
    assert kinds[0] is Constant
    assert all(get(kind.name).name == kind.name and kind.__module__.startswith("emimpute.kinds.") for kind in kinds)
    assert {entry.source for entry in registry._entries} == {"built in"}
