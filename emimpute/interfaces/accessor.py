"""``df.em``: the same functions, with the frame put first. It holds the frame and nothing else."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import pandas as pd

from emimpute import _impute, mechanism, missingness
from emimpute.plots import FramePlots

__all__ = ["EM"]

P = ParamSpec("P")
R = TypeVar("R")


def _method(function: Callable[Concatenate[pd.DataFrame, P], R]) -> Callable[Concatenate[EM, P], R]:
    """``function(df, ...)`` as a method; type checkers and ``help`` see its parameters."""

    @functools.wraps(function)
    def method(self: EM, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self._df, *args, **kwargs)

    signature = inspect.signature(function)
    _, *others = signature.parameters.values()
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method)["__signature__"] = signature.replace(parameters=[itself, *others])
    return method


@pd.api.extensions.register_dataframe_accessor("em")
class EM:
    """Missing-data imputation by EM: see :func:`emimpute.impute` and :func:`emimpute.fit`."""

    def __init__(self, df: pd.DataFrame) -> None:
        self._df = df

    impute = _method(_impute.impute)
    fit = _method(_impute.fit)
    draw = _method(_impute.draw)
    patterns = _method(missingness.patterns)
    coverage = _method(missingness.coverage)
    flux = _method(missingness.flux)
    mcar_test = _method(mechanism.mcar_test)
    homogeneity_test = _method(mechanism.homogeneity_test)
    indicator_tests = _method(mechanism.indicator_tests)

    @property
    def plot(self) -> FramePlots:
        """Pictures of what is missing: ``plot.patterns()``, ``plot.coverage()``."""
        return FramePlots(self._df)
