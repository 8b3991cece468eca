"""A fit as JSON and back: versioned, no pickle, and never a row of the data.

JSON has no infinities, no NaN and no labels but texts, so what it lacks is written as an object with one key that says
what it is: ``{"float": "nan"}``, ``{"tuple": [...]}``, ``{"timestamp": [...]}``.
"""

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
from emimpute.errors import EMImputeError, shown
from emimpute.inference.complete import Law
from emimpute.kinds import registry
from emimpute.models import priors
from emimpute.models import registry as models
from emimpute.results.problems import Problem
from emimpute.results.starts import Start
from emimpute.results.trace import Step
from emimpute.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emimpute.results.fit import Fit

__all__ = ["dump", "read_json"]

_FORMAT = "emimpute.fit"
_VERSION = 1
_NUMBERS = ("nobs", "loglik", "logpost", "n_iter", "n_check", "tol", "rows")


def dump(fit: Fit) -> str:
    """``fit`` as JSON text. Raises EMImputeError for labels, a model or a prior that JSON cannot hold."""
    table = fit.law.table
    models.get(fit.law.model.name)  # a model that nobody can look up could not be read again
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "labels": [_label(x) for x in table.labels],
        "names": [_label(x) for x in table.labels.names],
        "multi": isinstance(table.labels, pd.MultiIndex),
        "turns": list(table.turns),
        "kinds": [coding.kind for coding in table.codings],
        "codings": [_plain(coding.to_json()) for coding in table.codings],
        "model": fit.law.model.name,
        "params": _plain(fit.law.model.to_json(fit.law.params)),
        "prior": priors.to_json(fit.prior),
        "stop": fit.stop.name,
        "findings": [_problem(p) for p in fit.findings],
        "trace": _columns(fit.history, Step._fields),
        "starts": _columns([_start(run) for run in fit.runs], Start._fields),
        "gaps": list(fit.gaps),
        "engine": fit.engine,
        "group": fit.group,
        **{name: _plain(getattr(fit, name)) for name in _NUMBERS},
    }
    return json.dumps(document, allow_nan=False, ensure_ascii=False)


def read_json(source: str | os.PathLike[str]) -> Fit:
    """The fit that :meth:`Fit.to_json` wrote, from a path or from the text itself.

    Raises EMImputeError for what is no such document, is damaged, or comes from a later version; and what Python raises
    for a file that cannot be opened, such as FileNotFoundError.
    """
    document = _document(source)
    version = document.get("version")
    if type(version) is not int or not 1 <= version <= _VERSION:
        msg = f"This fit is in format {version!r}, and this emimpute reads formats up to {_VERSION}: upgrade it."
        raise EMImputeError(msg)
    try:
        return _fit(document)
    except EMImputeError as error:
        raise EMImputeError(f"This fit cannot be read here: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        msg = f"This fit is damaged ({type(error).__name__}: {error}): write it anew with to_json."
        raise EMImputeError(msg) from error


def _document(source: str | os.PathLike[str]) -> dict[str, Any]:
    is_text = isinstance(source, str) and source.lstrip().startswith(("{", "["))
    try:
        document = json.loads(str(source) if is_text else Path(source).read_text(encoding="utf-8-sig"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise EMImputeError(f"{_NO_FIT} ({error}).") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise EMImputeError(f"{_NO_FIT}.")
    return document


_NO_FIT = "This is not a fit written by to_json"


def _fit(document: Mapping[str, Any]) -> Fit:
    from emimpute.results.fit import Fit  # noqa: PLC0415 (a fit writes itself, so the import goes both ways)

    labels, names = [_unlabel(x) for x in document["labels"]], [_unlabel(x) for x in document["names"]]
    index = (
        pd.MultiIndex.from_tuples(labels, names=names)
        if document["multi"]
        else pd.Index(labels, name=names[0], tupleize_cols=False)
    )
    codings = tuple(
        registry.get(kind).restore(_unplain(coding))
        for kind, coding in zip(document["kinds"], document["codings"], strict=True)
    )
    table = Table(index, tuple(document["turns"]), codings)
    model = models.get(document["model"])
    params = model.from_json(_unplain(document["params"]))
    columns = {len(labels), len(codings), len(table.turns), len(document["gaps"])}
    if len(columns) > 1 or len(params.mean) != len(table.coordinates):
        raise ValueError("its parts are of different fits")
    return Fit(
        law=Law(table, model, params),
        stop=Stop[document["stop"]],
        prior=priors.from_json(document["prior"]),
        history=tuple(Step(**row) for row in _rows(document["trace"])),
        runs=tuple(Start(**{**row, "stop": Stop[row["stop"]]}) for row in _rows(document["starts"])),
        findings=tuple(_unproblem(p) for p in document["findings"]),
        gaps=tuple(document["gaps"]),
        engine=str(document["engine"]),
        group=str(document.get("group", "")),
        **{name: _unplain(document[name]) for name in _NUMBERS},
    )


def _columns(rows: Sequence[Any], fields: Sequence[str]) -> dict[str, list[Any]]:
    """A table as JSON has it, by column: so names are not repeated in each row."""
    return {name: [_plain(row[place]) for row in rows] for place, name in enumerate(fields)}


def _rows(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The rows of such a table; ValueError for columns of different lengths."""
    values = zip(*map(_unplain, columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _start(run: Start) -> tuple[Any, ...]:
    return tuple(value.name if isinstance(value, Stop) else value for value in run)


def _plain(value: Any) -> Any:
    """Numbers as JSON has them, wherever they stand."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    return value


def _unplain(value: Any) -> Any:
    if isinstance(value, list):
        return [_unplain(v) for v in value]
    if isinstance(value, dict):
        return float(value["float"]) if set(value) == {"float"} else {k: _unplain(v) for k, v in value.items()}
    return value


def _label(label: Any) -> Any:
    if isinstance(label, np.bool_ | np.integer | np.floating | np.str_):
        return _label(label.item())
    if label is None or isinstance(label, str | bool | int):
        return label
    if isinstance(label, float):
        return {"float": repr(label)}
    if isinstance(label, tuple):
        return {"tuple": [_label(x) for x in label]}
    if isinstance(label, pd.Timestamp):
        zone = None if label.tz is None else str(label.tz)
        return {"timestamp": [label.tz_convert(None).isoformat() if zone else label.isoformat(), label.unit, zone]}
    msg = f"The label {shown(label)} (of type {type(label).__name__}) cannot be written as JSON: rename it."
    raise EMImputeError(msg)


def _unlabel(label: Any) -> Any:
    if not isinstance(label, dict):
        return label
    ((kind, value),) = label.items()
    if kind == "tuple":
        return tuple(_unlabel(x) for x in value)
    if kind == "float":
        return float(value)
    moment, unit, zone = value
    time = pd.Timestamp(moment).as_unit(unit)
    return time if zone is None else time.tz_localize("UTC").tz_convert(zone)


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "name": problem.name,
        "columns": [_label(c) for c in problem.columns],
        "sentence": problem.sentence,
        "remedy": problem.remedy,
        "warning": problem.warning.__name__ if problem.warning else None,
    }


def _unproblem(found: Mapping[str, Any]) -> Problem:
    columns = tuple(_unlabel(c) for c in found["columns"])
    warning = getattr(errors, found["warning"]) if found["warning"] else None
    return Problem(found["name"], columns, found["sentence"], found["remedy"], warning)
