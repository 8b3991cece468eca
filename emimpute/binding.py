"""A problem of which one knows what frame it came from: parameters in the columns' units, under the columns' labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from emimpute.models.base import Problem

__all__ = ["Bound", "from_origin"]


@dataclass(frozen=True, eq=False)
class Bound:
    """What :func:`emimpute.bind` gives, for :func:`emimpute.em.iterates`: a model's problem, and the columns' names.

    It has all that the model's own problem has (:class:`emimpute.models.base.Problem`): ``start(rng)``, ``expect``,
    ``maximize``, ``chart`` and so on.
    """

    problem: Problem
    labels: pd.Index[Any]  # (d,) of the coordinates
    shift: np.ndarray  # (d,) what a column's cells were counted from

    def natural(self, params: Any) -> Any:
        """An iterate's ``params`` in the columns' units: ``mean`` (d,) and ``cov`` (d, d), ordered as ``labels``."""
        return from_origin(self.problem.natural(params), self.shift)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle ask before there is a problem to ask
            raise AttributeError(name)
        return getattr(self.problem, name)


def from_origin(natural: Any, shift: np.ndarray) -> Any:
    """A model's parameters in the latent coordinates' units, with means on the columns' own scale."""
    return replace(natural, mean=natural.mean + shift)
