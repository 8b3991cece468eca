"""A variable of a survey file as a column of pandas: answers as categories of codes, in their order, and numbers.

Which it is, the file's measurement level says, and where it has none (Stata's files never have) the value labels do: a
variable all of whose answers are labelled is one of unordered answers, until the caller says they are ordered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, shown

if TYPE_CHECKING:
    from emimpute.interfaces.survey.source import Source

__all__ = ["EXACT", "column", "measure", "said", "times"]


def measure(source: Source, name: str, told: Mapping[str, str], gone: np.ndarray) -> str:
    """``"scale"``, ``"ordinal"``, ``"nominal"``, or ``"text"``: by the caller's word, by the file's, by the labels.

    ``gone`` (n,) are the cells without an answer.
    """
    if name in told:
        return told[name]
    answers = source.answers.get(name, {})
    stated = source.measures.get(name, "unknown")
    text = source.is_text(name)
    if source.clock(name) is not None:
        return "scale"
    if stated in {"ordinal", "nominal"} and (answers or not text):  # SPSS calls any text nominal
        return stated
    if stated == "scale":
        return "scale"
    observed = set(source.cells[name][~gone].unique().tolist())
    if answers and observed and observed <= set(answers):
        return "nominal"
    return "text" if text else "scale"


def column(source: Source, name: str, level: str, gone: np.ndarray, codes: set[Any]) -> pd.Series[Any]:
    """The answers (n,), missing where ``gone``; ``codes`` are those that stand for a missing answer.

    Raises ColumnError for what cannot be read as the level.
    """
    cells = source.cells[name].where(~gone, None)
    if level in {"ordinal", "nominal"}:
        known = [code for code in source.answers.get(name, {}) if code not in codes]
        told = cells if source.is_text(name) else pd.to_numeric(cells).astype(float)
        answers = sorted({*known, *told.dropna().unique().tolist()})
        made = pd.Categorical(told, categories=answers, ordered=level == "ordinal")
        if all(not isinstance(code, str) and float(code).is_integer() for code in answers):
            made = made.rename_categories({code: int(code) for code in answers})
        return pd.Series(made, index=cells.index, name=name)
    if level == "text":
        return cells
    try:
        numbers = pd.to_numeric(cells).astype(float)
    except (ValueError, TypeError) as error:
        msg = f"Variable {shown(name)} holds text, and was said to be of level 'scale': leave it out there."
        raise ColumnError(msg) from error
    clock = source.clock(name)
    if clock is not None:
        return times(numbers, clock)
    observed = numbers[~gone]
    whole = len(observed) and (observed == observed.round()).all() and observed.abs().max() <= EXACT
    if whole and _WHOLE.match(source.formats.get(name) or ""):
        return numbers.astype("Int64") if gone.any() else numbers.astype("int64")
    return numbers


def times(numbers: pd.Series[Any], clock: tuple[np.datetime64 | None, float]) -> pd.Series[Any]:
    """Times, or lengths of time, to the microsecond, of what ``clock`` counts. Raises ColumnError for what is none."""
    origin, unit = clock
    gone = numbers.isna().to_numpy()
    far = numbers[(numbers * unit).abs() > _FAR]
    if len(far):
        msg = f"Variable {shown(numbers.name)} has times that no calendar has ({far.iloc[0]:g}): if these are codes for"
        raise ColumnError(f"{msg} missing answers, name them in missing_codes=.")
    lengths = np.round(numbers.fillna(0).to_numpy() * unit * 1e6).astype("timedelta64[us]")
    lengths[gone] = np.timedelta64("NaT")
    return pd.Series(lengths if origin is None else origin.astype("datetime64[us]") + lengths, index=numbers.index)


def said(answers: Mapping[Any, str], codes: list[Any]) -> list[str]:
    """A label for each code, all different: its own, with the code where two are the same, or the code alone."""
    labels = [answers.get(code, "") or str(code) for code in codes]
    return [
        f"{label} ({code})" if labels.count(label) > 1 else label for label, code in zip(labels, codes, strict=True)
    ]


EXACT = 2.0**53  # up to which floats hold every whole number
_FAR = 9e12  # seconds: what 64 bits of microseconds hold, less some millennia for the origin
# Display formats that show whole numbers, or, as Stata's %8.0g, what there is; %tm counts months.
_WHOLE = re.compile(r"((F|COMMA|DOT|DOLLAR|N|Z|WKDAY|MONTH)\d+(\.0)?|%.*\.0[gf]c?|%-?\d*t[wmqhyb].*)$")
