"""Models by name: this package's own, those registered in this process, and those of installed packages.

A package makes a model known by an entry point in the group ``emimpute.models``, named as the model is; it is loaded
when the name is first asked for, so a broken one costs nobody anything who does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from emimpute.errors import EMImputeError, PluginError, unknown
from emimpute.models.mvn import MVN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from emimpute.models.base import Model

__all__ = ["get", "register"]

GROUP = "emimpute.models"
_METHODS = ("bind", "complete", "to_json", "from_json")
_OWN: dict[str, Model] = {"mvn": MVN()}
_registered: dict[str, Model] = {}
_M = TypeVar("_M")


def register(model: _M) -> _M:
    """Make a model known under its name; a class is registered as an instance without arguments.

    Returns what it was given, so it is a class decorator too. A name that was registered before is taken over. Raises
    PluginError for what is no :class:`~emimpute.models.base.Model`, and for the name of a built-in one.
    """
    made = _made(model)
    if made.name in _OWN:
        raise PluginError(f"The name {made.name!r} is a built-in model's: give the class another 'name'.")
    _registered[made.name] = made
    return model


def get(model: Any) -> Model:
    """The model of that name, or the object itself if it is one. Raises EMImputeError, PluginError for a broken one."""
    if isinstance(model, str):
        return _named(model)
    if (
        not isinstance(model, type)
        and callable(getattr(model, "bind", None))
        and callable(getattr(model, "complete", None))
    ):
        found: Model = model
        return found
    msg = f"model= takes a name or a model with bind() and complete(), and not a {type(model).__name__}"
    msg += ": make an instance of it first." if isinstance(model, type) else "."
    raise EMImputeError(msg)


def entry_points(*, group: str) -> Iterable[EntryPoint]:
    """What installed packages declare in ``group``."""
    from importlib.metadata import entry_points as declared  # noqa: PLC0415 (it loads email and socket)

    return declared(group=group)


def _named(name: str) -> Model:
    found = _registered.get(name) or _OWN.get(name)
    if found is not None:
        return found
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if name not in installed:
        raise EMImputeError(unknown("model", name, [*_registered, *_OWN, *installed]))
    return _registered.setdefault(name, _loaded(installed[name]))


def _loaded(point: EntryPoint) -> Model:
    origin = "unknown" if point.dist is None else point.dist.name
    who, remedy = f"Model {point.name!r} of the distribution {origin!r}", "repair it or uninstall it."
    try:
        made = _made(point.load())
    except Exception as problem:
        msg = f"{who} could not be loaded ({type(problem).__name__}: {problem}): {remedy}"
        raise PluginError(msg) from problem
    if made.name != point.name:
        raise PluginError(f"{who} calls itself {made.name!r}: {remedy}")
    return made


def _made(model: Any) -> Model:
    if isinstance(model, type):
        try:
            model = model()
        except Exception as problem:
            msg = f"The model {model.__name__} cannot be made without arguments ({problem}): give an instance of it."
            raise PluginError(msg) from problem
    lacking = [f"{method}()" for method in _METHODS if not callable(getattr(model, method, None))]
    if lacking:
        raise PluginError(f"This is not a model: {model!r}. It lacks {', '.join(lacking)}.")
    if not isinstance(name := getattr(model, "name", None), str) or not name:
        raise PluginError(f"The model {type(model).__name__} has the name {name!r}: give its class a text as 'name'.")
    made: Model = model
    return made
