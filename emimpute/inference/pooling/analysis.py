"""One analysis, done to every imputation: a formula for a model of statsmodels, or any function of a frame.

A formula is read once for many imputations, below each other, where that gives each what it would have had alone: to
read it takes longer than to fit it.
"""

from __future__ import annotations

import inspect
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from emimpute.inference.drawing.imputations import Imputations

__all__ = ["analysed"]

_TOGETHER = 1 << 20  # cells that are read below each other
_CALL = re.compile(r"(?<![\w.])(?!C\()[\w.]+\(")  # of a function, which may look at all rows, as center() does
_HOME = str(Path(__file__).parents[1])


def analysed(
    imputations: Imputations,
    analysis: str | Callable[[pd.DataFrame], Any],
    model: Any,
    model_kwds: Mapping[str, Any],
    fit_kwds: Mapping[str, Any],
) -> list[Any]:
    """The results of ``analysis`` for each imputation. Raises EMImputeError, which names the one that failed."""
    if isinstance(analysis, str):
        return _by_formula(imputations, analysis, model, model_kwds, fit_kwds)
    if not callable(analysis):
        what = type(analysis).__name__
        raise EMImputeError(f"pool() takes a formula or a function of a DataFrame, and this is of type {what}.")
    if model is not None or model_kwds or fit_kwds:
        raise EMImputeError("model=, model_kwds= and fit_kwds= belong to a formula: a function makes its own model.")
    return [_converged(result, number) for number, result in enumerate(imputations.apply(analysis), start=1)]


def _by_formula(
    imputations: Imputations, formula: str, model: Any, model_kwds: Mapping[str, Any], fit_kwds: Mapping[str, Any]
) -> list[Any]:
    if model is None:
        import statsmodels.api as sm  # noqa: PLC0415 (importing emimpute stays light)

        model = sm.OLS
    if not hasattr(model, "from_formula"):
        raise EMImputeError(f"model= is a model class of statsmodels, such as statsmodels.api.OLS, and not {model!r}.")
    results = []
    models = _models(imputations, formula, model, dict(model_kwds))
    for number in range(1, len(imputations) + 1):
        try:
            built = next(models)
            quiet = {"disp": 0} if "disp" in inspect.signature(built.fit).parameters else {}
            result = built.fit(**{**quiet, **fit_kwds})
        except Exception as error:
            msg = (
                f"{model.__name__} with the formula {formula!r} fails in imputation {number} of {len(imputations)}: "
                f"{type(error).__name__}: {error}"
            )
            raise EMImputeError(msg) from error
        results.append(_converged(result, number))
    return results


def _models(imputations: Imputations, formula: str, model: Any, model_kwds: dict[str, Any]) -> Iterator[Any]:
    """The model of each imputation."""
    if not _separable(formula, model, model_kwds):
        for frame in imputations:
            yield model.from_formula(formula, _plain(frame, formula), eval_env=_depth(), **model_kwds)
        return
    n = len(imputations.original)
    at_once = max(_TOGETHER // max(n * imputations.original.shape[1], 1), 1)
    for first in range(0, len(imputations), at_once):
        some = imputations[first : first + at_once]
        whole = model.from_formula(formula, _plain(_stacked(some, formula), formula), eval_env=_depth())
        if whole.exog is None or np.ndim(whole.endog) != 1:
            for frame in some:
                yield model.from_formula(formula, _plain(frame, formula), eval_env=_depth())
            continue
        of = np.asarray(whole.data.row_labels, dtype=int) // n  # rows with gaps that were left alone are dropped
        edges = np.searchsorted(of, np.arange(len(some) + 1))
        rank = np.linalg.matrix_rank(whole.exog)
        for a, b in pairwise(edges):
            exog = whole.exog[a:b]
            if rank == exog.shape[1] and np.linalg.matrix_rank(exog) < rank:
                raise EMImputeError(_EMPTY.format(", ".join(_vanishing(exog, whole.exog_names)) or "some terms"))
            built = model(whole.endog[a:b], exog)
            built.data.xnames, built.data.ynames = list(whole.exog_names), whole.endog_names
            yield built


_EMPTY = "the terms of the formula cannot be told apart there, though they can in all imputations together ({})."


def _vanishing(exog: np.ndarray, names: list[str]) -> list[str]:
    return [name for name, column in zip(names, exog.T, strict=True) if not column.any()]


def _separable(formula: str, model: Any, model_kwds: Mapping[str, Any]) -> bool:
    """Whether the design of some rows does not depend on others, and the model is made of a design alone."""
    from statsmodels.base.model import Model  # noqa: PLC0415 (importing emimpute stays light)

    try:
        same = model.from_formula.__func__ is Model.from_formula.__func__
    except AttributeError:
        return False
    return same and not model_kwds and not _CALL.search(formula)


def _spoken_of(frame: pd.DataFrame, formula: str) -> list[int]:
    """Positions of the columns that ``formula`` may speak of."""
    words = set(re.findall(r"\w+", formula))
    return [i for i, label in enumerate(frame.columns) if words.intersection(re.findall(r"\w+", str(label)))]


def _stacked(imputations: Imputations, formula: str) -> pd.DataFrame:
    """Those columns of all imputations, below each other."""
    original = imputations.original
    n, m = len(original), len(imputations)
    chosen = _spoken_of(original, formula)
    if any(isinstance(imputations.fills[0].get(i), pd.api.extensions.ExtensionArray) for i in chosen):
        together = pd.concat([frame.iloc[:, chosen] for frame in imputations])
        return together.set_axis(pd.RangeIndex(len(together)))
    columns = []
    for i in chosen:
        column = original.iloc[:, i]
        if i in imputations.gaps:
            stacked = np.tile(column.to_numpy(), (m, 1))
            stacked[:, imputations.gaps[i]] = [fills[i] for fills in imputations.fills]
            columns.append(pd.Series(stacked.ravel(), name=column.name))
        else:
            columns.append(column.iloc[np.tile(np.arange(n), m)].reset_index(drop=True))
    return pd.concat(columns, axis=1) if columns else pd.DataFrame(index=pd.RangeIndex(n * m))


def _plain(frame: pd.DataFrame, formula: str) -> pd.DataFrame:
    """The columns that ``formula`` may speak of, of dtypes that every reader of formulas knows.

    patsy knows neither pandas' nullable dtypes nor Arrow's.
    """
    some = frame.iloc[:, _spoken_of(frame, formula)]
    changed = {i: _known(some.iloc[:, i]) for i in range(some.shape[1]) if _foreign(some.dtypes.iloc[i])}
    if changed:
        some = some.copy()
        for i, column in changed.items():
            some.isetitem(i, column)
    return some


def _foreign(dtype: Any) -> bool:
    if isinstance(dtype, pd.CategoricalDtype):
        return _foreign(dtype.categories.dtype)
    return not isinstance(dtype, np.dtype | pd.DatetimeTZDtype | pd.PeriodDtype | pd.IntervalDtype)


def _known(column: pd.Series[Any]) -> Any:
    """The same cells under a dtype of NumPy: booleans, integers and floats as such, anything else as objects."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        plain = _known(pd.Series(column.cat.categories))
        return column.cat.rename_categories(plain.tolist())
    own: Any = column  # whose to_numpy the stubs know less well than pandas does
    if not pd.api.types.is_numeric_dtype(column.dtype):  # booleans are numeric
        values = own.to_numpy(dtype=object, na_value=None)
    elif pd.api.types.is_bool_dtype(column.dtype):
        values = own.to_numpy(dtype=object, na_value=None) if column.isna().any() else own.to_numpy(dtype=bool)
    elif column.isna().any() or not pd.api.types.is_integer_dtype(column.dtype):
        values = own.to_numpy(dtype=float, na_value=np.nan)
    else:
        values = own.to_numpy(dtype=np.int64)
    return pd.Series(values, index=column.index, name=column.name, copy=False)


def _depth() -> int:
    """How many frames up the user's own names are, from the one that calls this: formulas may use them."""
    depth, frame = 0, sys._getframe(1)  # noqa: SLF001 (Python has no other way)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HOME):
        depth, frame = depth + 1, frame.f_back
    return depth + _OFFSET


_OFFSET = 1  # what statsmodels calls the frame that calls it


def _converged(result: Any, number: int) -> Any:
    """``result``, unless it says itself that it did not converge."""
    said = getattr(result, "mle_retvals", None)
    failed = isinstance(said, dict) and said.get("converged") is False
    if failed or getattr(result, "converged", True) is False:
        msg = (
            f"The model did not converge in imputation {number}: give fit_kwds={{'maxiter': 1000}}, or a simpler model."
        )
        raise EMImputeError(msg)
    return result
