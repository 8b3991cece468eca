"""A survey: its answers as a frame, the reason of every gap, and which gaps are to stay."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._frames import cells_to_fill
from emimpute._impute import impute
from emimpute.errors import ColumnError, EMImputeError, named, shown, unknown
from emimpute.interfaces.survey.columns import column, measure, said
from emimpute.interfaces.survey.source import Source, read_source
from emimpute.interfaces.survey.writing import write

if TYPE_CHECKING:
    Codes = Mapping[str, Mapping[Any, str] | Iterable[Any]]

__all__ = ["Survey", "read_survey"]

BLANK = "blank"
_STRUCTURAL = re.compile(
    r"\b(not applicable|inapplicable|do(es)? not apply|doesn'?t apply|not asked|not administered|not presented"
    r"|not in universe|(legitimate|valid) skip|skip(ped)? by design|filtered|i?nap|iap|n/a)\b",
    re.IGNORECASE,
)


def read_survey(
    path: str | os.PathLike[str],
    *,
    missing_codes: Codes | None = None,
    structural: Iterable[str] | None = None,
    ordinal: Iterable[str] = (),
    nominal: Iterable[str] = (),
    scale: Iterable[str] = (),
    encoding: str | None = None,
) -> Survey:
    """Read a survey file of SPSS (.sav, .zsav) or Stata (.dta), with its codes, labels and reasons for gaps.

    Parameters
    ----------
    path
        The file; it is never written to.
    missing_codes
        Codes that stand for a missing answer, besides those that the file declares, with their reasons:
        ``{"q1": {98: "refused", 99: "not asked"}}``, or without, ``{"q1": [98, 99]}``, where value labels tell.
        Stata's extended missing values are ``"a"`` to ``"z"``.
    structural
        Reasons of gaps that must stay, for there is no answer to be had. Default: those that read like "not
        applicable", "not asked", "legitimate skip"; ``Survey.gaps`` shows which they are.
    ordinal, nominal, scale
        Variables whose measurement level the file does not say, or not as it should be: answers in the order of their
        codes, answers without order, numbers.
    encoding
        Of the file's text, where the file does not say it, or not as it should be; what is written is UTF-8.

    Returns
    -------
    Survey
        ``frame`` for the model, ``where`` for ``df.em.impute(where=)``, ``impute`` for both, ``write`` for the way
        back.

    Raises
    ------
    EMImputeError
        If the file cannot be read, or pyreadstat (extra ``survey``) is not installed.
    ColumnError
        For variables that the file has not, and for times beyond any calendar.
    """
    source = read_source(Path(path), encoding)
    own = _missing_codes(source, missing_codes or {})
    told = _levels(source, ordinal=ordinal, nominal=nominal, scale=scale)
    columns, reasons, measures = {}, {}, {}
    for name in source.names:
        why = _reasons(source, name, own.get(name, {}))
        gone = why.notna().to_numpy()
        measures[name] = measure(source, name, told, gone)
        cells = source.cells[name]
        codes = {*own.get(name, ()), *source.declared(name), *cells[gone & cells.notna().to_numpy()].unique().tolist()}
        columns[name] = column(source, name, measures[name], gone, codes)
        reasons[name] = why
    table = pd.DataFrame(reasons, index=source.cells.index, columns=source.cells.columns)
    frame = pd.DataFrame(columns, index=source.cells.index, columns=source.cells.columns)
    return Survey(frame, table, _stay(table, structural), measures, source)


@dataclass(frozen=True, eq=False, repr=False)
class Survey:
    """Answers, why they are missing where they are, and what the codes mean.

    Attributes
    ----------
    frame
        The answers (n, p): categories of codes (ordered where the level is ordinal), numbers, times, text.
    reasons
        Why a cell is missing (n, p): a code's label, "blank" where there is nothing at all; missing where there is an
        answer.
    structural
        The reasons of gaps that stay.
    measures
        The level that was taken, by variable: scale, ordinal, nominal, text.
    """

    frame: pd.DataFrame
    reasons: pd.DataFrame
    structural: tuple[str, ...]
    measures: Mapping[str, str]
    source: Source

    @cached_property
    def where(self) -> pd.DataFrame:
        """False (n, p) where a gap must stay, for ``df.em.impute(where=)``."""
        return ~self.reasons.isin(self.structural)

    @property
    def labels(self) -> pd.Series[Any]:
        """What each variable is called at length; "" where the file does not say."""
        names = self.frame.columns
        return pd.Series([self.source.labels.get(name, "") for name in names], index=names, name="label", dtype=object)

    @property
    def value_labels(self) -> dict[str, dict[Any, str]]:
        """The label of each code, by variable."""
        return {name: dict(answers) for name, answers in self.source.answers.items() if answers}

    @property
    def gaps(self) -> pd.DataFrame:
        """A row for each variable and reason of gaps: variable, reason, cells, and whether they stay."""
        rows = [
            (name, reason, int(count), reason in self.structural)
            for name in self.source.names
            for reason, count in self.reasons[name].value_counts(sort=False).items()
            if count
        ]
        return pd.DataFrame(rows, columns=["variable", "reason", "cells", "stays"])

    def impute(self, **options: Any) -> pd.DataFrame:
        """``frame`` with its gaps filled, but for the structural ones; options as for :func:`emimpute.impute`."""
        own = cells_to_fill(self.frame, options.pop("where", None))
        where = self.where.to_numpy()
        return impute(self.frame, where=where if own is None else where & own, **options)

    def labelled(self, df: pd.DataFrame | None = None) -> pd.DataFrame:
        """``df`` (default: ``frame``) with the codes' labels in their places; what has no label stays."""
        out = (self.frame if df is None else df).copy()
        for name in out.columns.intersection(list(self.value_labels)):
            if isinstance(out[name].dtype, pd.CategoricalDtype):
                names = said(self.source.answers[name], out[name].cat.categories.tolist())
                out[name] = out[name].cat.rename_categories(names)
        return out

    def write(self, df: pd.DataFrame, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write ``df``, a completed ``frame``, as .sav, .zsav or .dta, with the labels of the file that was read.

        Cells that were not changed are written as the file had them, codes for missing answers too. Rows are known by
        their index, so that some may be left out; columns of ``df`` that the survey has not are written besides. The
        new file is read again and compared before it takes its place. Raises EMImputeError for a file that exists
        (without ``force``), for rows the survey has not, and for cells that the format cannot hold.
        """
        write(self.source, self.frame, df, Path(path), force=force)

    def __repr__(self) -> str:
        n, p = self.frame.shape
        counts = self.gaps.groupby("reason", sort=False)["cells"].sum().sort_values(ascending=False)
        gaps = []
        for reason, count in counts.items():
            what = "left as they are" if reason in self.structural else "to be filled"
            gaps.append(f"  {reason}: {count:,} {'cell' if count == 1 else 'cells'}, {what}")
        levels = pd.Series(list(self.measures.values()), dtype=object).value_counts()
        kinds = ", ".join(f"{count} {level}" for level, count in levels.items())
        return "\n".join([f"Survey of {n:,} rows and {p} variables ({kinds})", *(["Gaps:", *gaps] if gaps else [])])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _missing_codes(source: Source, told: Codes) -> dict[str, dict[Any, str]]:
    """The caller's codes, with reasons."""
    if not isinstance(told, Mapping):
        msg = (
            f"missing_codes= maps variables to codes, as {{'q1': {{98: 'refused'}}}}; this is a {type(told).__name__}."
        )
        raise EMImputeError(msg)
    found: dict[str, dict[Any, str]] = {}
    for name, codes in told.items():
        _known(source, [name], "missing_codes=")
        if isinstance(codes, str) or not isinstance(codes, Iterable):
            msg = f"missing_codes= has {codes!r} for {shown(name)}: give {{code: reason}}, or a list of codes."
            raise EMImputeError(msg)
        for code in codes:
            _check_code(source, name, code)
        pairs = codes.items() if isinstance(codes, Mapping) else [(code, _reason(source, name, code)) for code in codes]
        found[name] = {code: str(reason) for code, reason in pairs}
    return found


def _check_code(source: Source, name: str, code: Any) -> None:
    """Raise EMImputeError for a code that is not of the variable's sort."""
    text = source.is_text(name)
    letter = source.ending == ".dta" and isinstance(code, str) and re.fullmatch("[a-z]", code)
    number = isinstance(code, Real) and not isinstance(code, bool)
    if isinstance(code, str) if text else number or letter:
        return
    sort = "text" if text else "numbers" + (", or letters 'a' to 'z'" if source.ending == ".dta" else "")
    raise EMImputeError(f"missing_codes= has {code!r} for {shown(name)}, whose codes are {sort}.")


def _reason(source: Source, name: str, code: Any) -> str:
    """The label of a code for a missing answer, or the code as its program writes it."""
    if label := source.answers.get(name, {}).get(code):
        return label
    if source.ending == ".dta" and isinstance(code, str):
        return f".{code}"
    return f"code {code if isinstance(code, str) else format(code, 'g')}"


def _reasons(source: Source, name: str, own: Mapping[Any, str]) -> pd.Series[Any]:
    """Why each cell (n,) is missing; missing itself where there is an answer."""
    cells, coded = source.cells[name], source.coded[name].to_numpy(dtype=bool)
    blank = (cells.isna() | (cells.astype(object) == "")).to_numpy(dtype=bool)
    why = np.full(len(cells), None, dtype=object)
    why[blank] = BLANK
    mine = cells.isin(list(own)).to_numpy() & ~blank
    for code in cells[(coded | mine) & ~blank].unique().tolist():
        why[(cells == code).to_numpy(dtype=bool)] = own.get(code) or _reason(source, name, code)
    return pd.Series(pd.Categorical(why), index=cells.index)


def _levels(source: Source, **told: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for level, names in told.items():
        listed = [names] if isinstance(names, str) else list(names)
        _known(source, listed, f"{level}=")
        twice = [name for name in listed if name in found]
        if twice:
            raise ColumnError(f"{level}= names {named(twice)}, which another level has already: say one.")
        found |= dict.fromkeys(listed, level)
    return found


def _known(source: Source, names: Iterable[Any], what: str) -> None:
    for name in names:
        if name not in source.names:
            raise ColumnError(f"{what}: {unknown('variable', name, source.names)}")


def _stay(reasons: pd.DataFrame, structural: Iterable[str] | None) -> tuple[str, ...]:
    """The reasons of gaps that stay: those named, or those that read so."""
    known = list(dict.fromkeys(reason for name in reasons.columns for reason in reasons[name].cat.categories))
    if structural is None:
        return tuple(reason for reason in known if _STRUCTURAL.search(reason))
    listed = [structural] if isinstance(structural, str) else list(structural)
    for reason in listed:
        if reason not in known:
            raise EMImputeError(f"structural=: {unknown('reason', reason, known)}")
    return tuple(listed)
