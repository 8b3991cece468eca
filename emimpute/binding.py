"""A problem of which one knows what frame it came from: parameters in the columns' units, under the columns' labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from emimpute.em import Stop
from emimpute.models.edge import bounded

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from emimpute.em import Iterate
    from emimpute.models.base import Problem

__all__ = ["Bound", "at_the_edge", "canonical", "from_origin"]


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

    def stop(self, last: Iterate) -> Stop | None:
        """Why a run ended, by its ``last`` iterate: ``last.stop``, told apart as only the data can.

        The loop calls every way towards a singular covariance matrix ``UNBOUNDED``. Without a prior it is ``SINGULAR``
        where the likelihood stays below a bound on that way.
        """
        return at_the_edge(self.problem, last, getattr(self.problem, "prior", None))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle ask before there is a problem to ask
            raise AttributeError(name)
        return getattr(self.problem, name)


def at_the_edge(problem: Any, last: Iterate, prior: object) -> Stop | None:
    """``last.stop``, or ``SINGULAR`` for an ``UNBOUNDED`` likelihood that does have a bound where the run went."""
    if last.stop is Stop.UNBOUNDED and prior is None and bounded(problem, last.params):
        return Stop.SINGULAR
    return last.stop


def from_origin(natural: Any, shift: np.ndarray) -> Any:
    """A model's parameters in the latent coordinates' units, with means on the columns' own scale."""
    return replace(natural, mean=natural.mean + shift)


def canonical(problem: Any, end: Iterate) -> Iterate:
    """``end`` with columns between cut points on their own scale, of mean 0 and variance 1, so that runs compare."""
    own = getattr(problem, "canonical", None)
    return end if own is None else replace(end, params=own(end.params))
