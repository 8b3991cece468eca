"""Which kinds there are, and which one a column gets.

Kinds come from three places, asked in this order: registered in this process (the newest first), installed packages
that declare an entry point in the group ``emimpute.kinds`` (read at first use), and this package's own, which enter by
the same :func:`register`. A name means one kind: the first that has it. A broken plugin costs one warning and is
ignored; it is an error only for whoever asks for it by name.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pandas as pd

from emimpute.errors import ColumnError, PluginError, PluginWarning, shown, unknown, warn
from emimpute.kinds.base import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import EntryPoint

__all__ = ["available", "choose", "get", "register", "registered"]

GROUP = "emimpute.kinds"
Source = Literal["this process", "installed package", "built in"]
_ORDER: tuple[Source, ...] = ("this process", "installed package", "built in")
_T = TypeVar("_T", bound=Kind | type[Kind])


@dataclass(eq=False)
class _Entry:
    name: str
    kind: Kind | None  # None: it could not be loaded
    source: Source
    origin: str = ""  # the distribution an installed one comes from
    problem: Exception | None = None

    def __str__(self) -> str:
        return f"Kind {self.name!r}" + (f" of the distribution {self.origin!r}" if self.origin else "")


_entries: list[_Entry] = []  # in the order in which they are asked
_discovered: list[bool] = []  # not empty once the entry points have been read


def register(kind: _T, *, source: Source = "this process") -> _T:
    """Make a kind known under its name; a class is registered as an instance without arguments.

    Returns what it was given, so it is a class decorator too. Raises PluginError for what is not a
    :class:`~emimpute.kinds.Kind` with a name. The name of a kind from the same source is taken over.
    """
    _enter(_Entry((made := _made(kind)).name, made, source))
    return kind


@contextmanager
def registered(kind: Kind | type[Kind]) -> Iterator[Kind]:
    """Have ``kind`` registered inside a ``with`` block only."""
    before = list(_entries)
    register(kind)
    try:
        yield _entries[0].kind or _made(kind)
    finally:
        _entries[:] = before


def get(kind: str | Kind | type[Kind]) -> Kind:
    """The kind of that name; a kind, or the class of one, is given back as a kind.

    Raises ColumnError for a name nobody knows, PluginError for a plugin that could not be loaded.
    """
    if not isinstance(kind, str):
        return _made(kind)
    entry = _first_of_each_name().get(kind)
    if entry is None:
        raise ColumnError(unknown("kind", kind, list(_first_of_each_name())))
    if entry.kind is None:
        msg = f"{entry} could not be loaded ({_said(entry)}): repair it, uninstall it, or choose another kind."
        raise PluginError(msg) from entry.problem
    return entry.kind


def choose(column: pd.Series[Any]) -> Kind | None:
    """The first kind that accepts ``column``; None if none does.

    One that fails to answer is passed over, with a warning the first time it does.
    """
    for entry in _first_of_each_name().values():
        try:
            if entry.kind is not None and entry.kind.accepts(column):
                return entry.kind
        except Exception as problem:  # noqa: BLE001 (a plugin may raise anything; it must not cost the user the call)
            known, entry.problem = entry.problem, problem
            if known is None:
                said = f"{entry} could not look at column {shown(column.name)} ({_said(entry)}) and is passed over"
                warn(f"{said}: its method accepts must never raise.", PluginWarning)
    return None


def available() -> pd.DataFrame:
    """Every known kind, in the order in which they are asked: name, source, status, and what it accepts."""
    first = _first_of_each_name()
    rows = [
        {
            "name": entry.name,
            "source": entry.origin or entry.source,
            "status": _status(entry, first[entry.name]),
            "accepts": "" if entry.kind is None else (type(entry.kind).__doc__ or "").strip().partition("\n")[0],
        }
        for entry in _entries
    ]
    return pd.DataFrame(rows, columns=["name", "source", "status", "accepts"])


def _status(entry: _Entry, first: _Entry) -> str:
    if entry.problem is not None:
        return f"broken: {_said(entry)}"
    return "ready" if entry is first else "hidden by another of the same name"


def _said(entry: _Entry) -> str:
    return f"{type(entry.problem).__name__}: {entry.problem}"


def _made(kind: Any) -> Kind:
    if isinstance(kind, type) and issubclass(kind, Kind):
        try:
            kind = kind()
        except Exception as problem:
            msg = f"The kind {kind.__name__} cannot be made without arguments ({problem}): give an instance of it."
            raise PluginError(msg) from problem
    if not isinstance(kind, Kind):
        msg = f"This is not a kind: {kind!r}. Give the name of one, a subclass of emimpute.kinds.Kind, or its instance."
        raise PluginError(msg)
    if not isinstance(name := getattr(kind, "name", None), str) or not name:
        msg = f"The kind {type(kind).__name__} has the name {name!r}: give its class a text as 'name'."
        raise PluginError(msg)
    return kind


def _enter(entry: _Entry) -> None:
    _entries[:] = [old for old in _entries if (old.name, old.source) != (entry.name, entry.source)]
    place = sum(_ORDER.index(old.source) < _ORDER.index(entry.source) for old in _entries)
    _entries.insert(place, entry)


def _first_of_each_name() -> dict[str, _Entry]:
    if not _discovered:
        _discovered.append(True)
        _discover()
    first: dict[str, _Entry] = {}
    for entry in _entries:
        first.setdefault(entry.name, entry)
    return first


def entry_points(*, group: str) -> Iterable[EntryPoint]:
    """What installed packages declare in ``group``."""
    from importlib.metadata import entry_points as declared  # noqa: PLC0415 (it loads email and socket)

    return declared(group=group)


def _discover() -> None:
    """Read the entry points once; all that are broken make one warning."""
    found = [_load(point) for point in entry_points(group=GROUP)]
    for entry in found:
        _enter(entry)
    broken = [f"{entry} could not be loaded ({_said(entry)})." for entry in found if entry.kind is None]
    if broken:
        warn(f"{' '.join(broken)} What is broken is ignored: repair or uninstall it.", PluginWarning)


def _load(point: EntryPoint) -> _Entry:
    origin = point.dist.name if point.dist is not None else "unknown"
    try:
        kind = _made(point.load())
    except Exception as problem:  # noqa: BLE001 (whatever a foreign import raises)
        return _Entry(point.name, None, "installed package", origin, problem)
    return _Entry(kind.name, kind, "installed package", origin)
