"""Models by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emimpute.errors import EMImputeError, unknown
from emimpute.models.mvn import MVN

if TYPE_CHECKING:
    from emimpute.models.base import Model

__all__ = ["get"]

_KNOWN: dict[str, Model] = {"mvn": MVN()}


def get(model: Any) -> Model:
    """The model of that name, or the object itself if it is one. Raises EMImputeError."""
    if isinstance(model, str):
        if model in _KNOWN:
            return _KNOWN[model]
        raise EMImputeError(unknown("model", model, list(_KNOWN)))
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
