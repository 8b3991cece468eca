"""A fit as JSON and back: versioned, no pickle, and never a row of the data."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute import errors
from emimpute.em import Stop
from emimpute.errors import EMImputeError
from emimpute.inference.complete import Law
from emimpute.kinds import registry
from emimpute.models import registry as models
from emimpute.models import priors
from emimpute.results.problems import Problem
from emimpute.table import Table

if TYPE_CHECKING:
    from emimpute.results.fit import Fit

__all__ = ["dump", "read_json"]

_FORMAT = "emimpute.fit"
_VERSION = 1


def dump(fit: Fit) -> str:
    """``fit`` as JSON text. Raises EMImputeError for labels or a prior that JSON cannot hold."""
    table = fit.law.table
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "labels": [_label(x) for x in table.labels],
        "names": [_label(x) for x in table.labels.names],
        "turns": list(table.turns),
        "kinds": [coding.kind for coding in table.codings],
        "codings": [coding.to_json() for coding in table.codings],
        "model": fit.law.model.name,
        "params": fit.law.model.to_json(fit.law.params),
        "prior": priors.to_json(fit.prior),
        "stop": fit.stop.name,
        "findings": [_problem(p) for p in fit.findings],
        "trace": {name: _plain(fit.trace[name].tolist()) for name in fit.trace},
        "gaps": list(fit.gaps),
        **{name: _plain(getattr(fit, name)) for name in _NUMBERS},
    }
    return json.dumps(document, allow_nan=False, ensure_ascii=False)


_NUMBERS = ("nobs", "loglik", "logpost", "n_iter", "n_check", "tol", "rows")


def read_json(source: str | os.PathLike[str]) -> Fit:
    """The fit that :meth:`Fit.to_json` wrote, from a path or from the text itself.

    Raises EMImputeError for what is no such document or comes from a later version.
    """
    from emimpute.results.fit import Fit  # noqa: PLC0415 (a fit writes itself, so the import goes both ways)

    inline = isinstance(source, str) and source.lstrip().startswith("{")
    text = str(source) if inline else Path(source).read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"This is not a fit written by to_json: {error}."
        raise EMImputeError(msg) from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        msg = "This JSON is not a fit written by to_json."
        raise EMImputeError(msg)
    if document["version"] > _VERSION:
        msg = f"This fit was written in format {document['version']}, and this version of emimpute reads up to {_VERSION}: upgrade it."
        raise EMImputeError(msg)
    labels, names = [_unlabel(x) for x in document["labels"]], [_unlabel(x) for x in document["names"]]
    index = (
        pd.MultiIndex.from_tuples(labels, names=names)
        if len(names) > 1
        else pd.Index(labels, name=names[0], tupleize_cols=False)
    )
    codings = tuple(
        registry.get(kind).restore(c) for kind, c in zip(document["kinds"], document["codings"], strict=True)
    )
    model = models.get(document["model"])
    return Fit(
        law=Law(Table(index, tuple(document["turns"]), codings), model, model.from_json(document["params"])),
        stop=Stop[document["stop"]],
        prior=priors.from_json(document["prior"]),
        trace=pd.DataFrame({k: _unplain(v) for k, v in document["trace"].items()}).rename_axis("iterate"),
        findings=tuple(_unproblem(p) for p in document["findings"]),
        gaps=tuple(document["gaps"]),
        **{name: _unplain(document[name]) for name in _NUMBERS},
    )


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: NaN becomes null, infinities words."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    return value


def _unplain(value: Any) -> Any:
    if isinstance(value, list):
        return [_unplain(v) for v in value]
    return math.nan if value is None else float(value) if isinstance(value, str) else value


def _label(label: Any) -> Any:
    if label is None or isinstance(label, (str, bool, int)):
        return label
    if isinstance(label, np.generic):
        return _label(label.item())
    if isinstance(label, tuple):
        return {"tuple": [_label(x) for x in label]}
    if isinstance(label, float):
        return {"float": repr(label)}
    if isinstance(label, pd.Timestamp):
        return {"timestamp": label.isoformat()}
    msg = f"The column label {label!r} ({type(label).__name__}) cannot be written as JSON: rename the column."
    raise EMImputeError(msg)


def _unlabel(label: Any) -> Any:
    if not isinstance(label, dict):
        return label
    ((kind, value),) = label.items()
    return (
        tuple(_unlabel(x) for x in value)
        if kind == "tuple"
        else float(value)
        if kind == "float"
        else pd.Timestamp(value)
    )


def _problem(problem: Problem) -> dict[str, Any]:
    warning = problem.warning.__name__ if problem.warning else None
    columns = [_label(c) for c in problem.columns]
    return {
        "name": problem.name,
        "columns": columns,
        "sentence": problem.sentence,
        "remedy": problem.remedy,
        "warning": warning,
    }


def _unproblem(found: dict[str, Any]) -> Problem:
    columns = tuple(_unlabel(c) for c in found["columns"])
    warning = getattr(errors, found["warning"]) if found["warning"] else None
    return Problem(found["name"], columns, found["sentence"], found["remedy"], warning)
