"""What a survey file says, as it says it: its cells, which of them are codes for a missing answer, and its labels.

Cells are read without any conversion, so that they can be written back as they were.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError

__all__ = ["ENDINGS", "Source", "ending_of", "pyreadstat", "raw_cells", "read_source"]

ENDINGS = (".sav", ".zsav", ".dta")


@dataclass(frozen=True, eq=False)
class Source:
    """A file's content.

    Attributes
    ----------
    cells
        The cells (n, p) as the file has them: floats (dates too), text, and in place the codes for missing answers:
        numbers or text in SPSS's files, ``"a"`` to ``"z"`` for Stata's extended missing values.
    coded
        True (n, p) where a cell is such a code.
    labels
        What a variable is called at length, where the file says so.
    answers
        Of variables with value labels: the label of each code.
    measures
        ``"scale"``, ``"ordinal"``, ``"nominal"`` or ``"unknown"``, by variable.
    formats
        The file's display format, by variable, such as ``"F8.2"``, ``"DATE11"`` or ``"%td"``.
    meta
        All that the file says besides, as pyreadstat gives it.
    """

    ending: str
    cells: pd.DataFrame
    coded: pd.DataFrame
    labels: Mapping[str, str]
    answers: Mapping[str, Mapping[Any, str]]
    measures: Mapping[str, str]
    formats: Mapping[str, str]
    meta: Any

    def declared(self, name: str) -> set[Any]:
        """The labelled codes that the file declares to be no answers."""
        codes = list(self.answers.get(name, ()))
        if self.ending == ".dta":
            return {code for code in codes if isinstance(code, str)}
        inside = self.means_missing(name, pd.Series(codes))
        return {code for code, missing in zip(codes, inside, strict=True) if missing}

    def means_missing(self, name: str, cells: pd.Series[Any]) -> np.ndarray:
        """Where the file would take ``cells`` of a variable, other than Stata's letters, for missing answers."""
        ranges = () if self.ending == ".dta" else self.meta.missing_ranges.get(name, ())
        return _in_ranges(cells, ranges)

    def is_text(self, name: str) -> bool:
        """Whether a variable holds text."""
        return bool(self.meta.readstat_variable_types[name] == "string")

    @property
    def names(self) -> list[str]:
        """Of the variables, in the file's order."""
        return [str(name) for name in self.cells.columns]

    def clock(self, name: str) -> tuple[np.datetime64 | None, float] | None:
        """What a variable of times counts from (None: it is a length of time), and its unit in seconds."""
        return _clock(self.formats.get(name) or "")

    def step(self, name: str) -> float:
        """What its times are whole multiples of, in the file's unit: a day, or a millisecond; 0 if of nothing."""
        clock, form = self.clock(name), self.formats.get(name) or ""
        if clock is None:
            return 0.0
        step = 1.0 if form.startswith("%") else 86400.0 * (_word(form) in _DAYS)
        cells = pd.to_numeric(self.cells[name].mask(self.coded[name]))
        return step if step and (cells.dropna() % step == 0).all() else 0.0


def read_source(path: Path, encoding: str | None = None) -> Source:
    """The content of a .sav, .zsav or .dta file. Raises EMImputeError for what is none, OSError if it is not there."""
    ending, library = ending_of(path), pyreadstat()
    with path.open("rb"):  # a missing file is told in the system's words
        pass
    try:
        if ending == ".dta":
            cells, meta = library.read_dta(str(path), disable_datetime_conversion=True, encoding=encoding)
            _, told = library.read_dta(
                str(path), user_missing=True, disable_datetime_conversion=True, encoding=encoding
            )
            coded = _stata_codes(path, list(told.missing_user_values), cells)
        else:
            cells, meta = library.read_sav(
                str(path), user_missing=True, disable_datetime_conversion=True, encoding=encoding
            )
            coded = pd.DataFrame({name: _in_ranges(cells[name], meta.missing_ranges.get(name, ())) for name in cells})
    except (library.ReadstatError, library.PyreadstatError, UnicodeDecodeError, ValueError) as error:
        remedy = " Say in which encoding its text is: encoding='windows-1252'." if _ENCODING.search(str(error)) else ""
        raise EMImputeError(f"{str(path)!r} cannot be read as {ending}: {error}.{remedy}") from error
    coded = coded.reindex(index=cells.index, columns=cells.columns, fill_value=False)
    types = meta.readstat_variable_types
    # Of whole numbers with gaps pyreadstat makes objects, and of objects, other numbers among them, it writes text.
    plain = [name for name in cells if types[name] != "string" and not (ending == ".dta" and coded[name].any())]
    return Source(
        ending,
        cells.astype(dict.fromkeys(plain, float)),
        coded,
        {name: label for name, label in meta.column_names_to_labels.items() if label},
        meta.variable_value_labels,
        meta.variable_measure,
        meta.original_variable_types,
        meta,
    )


_ENCODING = re.compile("encod|utf|codec", re.IGNORECASE)


def raw_cells(path: Path) -> pd.DataFrame:
    """The cells of a file as :attr:`Source.cells` has them."""
    return read_source(path).cells


def ending_of(path: Path) -> str:
    """Which of :data:`ENDINGS` ``path`` has. Raises EMImputeError."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise EMImputeError(f"A survey file ends in {', '.join(ENDINGS)}, and this one is {str(path)!r}.")
    return ending


def pyreadstat() -> Any:
    """The library that reads and writes these files. Raises EMImputeError where it is not installed."""
    try:
        import pyreadstat as library  # noqa: PLC0415 (an extra)
    except ImportError as error:
        msg = "Survey files need pyreadstat, which is not installed: pip install 'emimpute[survey]'."
        raise EMImputeError(msg) from error
    return library


def _in_ranges(cells: pd.Series[Any], ranges: Any) -> np.ndarray:
    """Where a cell lies in one of the ranges that SPSS takes for missing."""
    inside = np.zeros(len(cells), dtype=bool)
    for one in ranges:
        if isinstance(one["lo"], str):
            inside |= (cells.astype(object) == one["lo"]).to_numpy(dtype=bool)
        else:
            values = cells.to_numpy(dtype=float)
            inside |= (values >= one["lo"]) & (values <= one["hi"])
    return inside


def _stata_codes(path: Path, names: list[str], cells: pd.DataFrame) -> pd.DataFrame:
    """Put Stata's extended missing values into ``cells``, as letters; True where they are.

    By pandas, for with them pyreadstat 1.3 reads a plain missing value of an integer variable as a number.
    """
    if not names:
        return pd.DataFrame(index=cells.index)
    stata: Any = pd.io.stata
    table = pd.read_stata(path, columns=names, convert_missing=True, convert_categoricals=False, convert_dates=False)
    coded = {}
    for name in names:
        letters = [str(cell)[1:] if isinstance(cell, stata.StataMissingValue) else "" for cell in table[name]]
        coded[name] = np.array([letter != "" for letter in letters])
        column = cells[name].astype(float).astype(object)
        column[coded[name]] = [letter for letter in letters if letter]
        cells[name] = column
    return pd.DataFrame(coded, index=cells.index)


def _clock(form: str) -> tuple[np.datetime64 | None, float] | None:
    if form.startswith("%"):
        stata = re.match(r"%-?\d*(t[cCd]|d)", form)
        if stata is None:
            return None
        return np.datetime64("1960-01-01"), 86400.0 if stata[1].endswith("d") else 1e-3
    sort = _word(form)
    if sort in {"TIME", "DTIME", "MTIME"}:
        return None, 1.0
    return (np.datetime64("1582-10-14"), 1.0) if sort in _DAYS | {"DATETIME", "YMDHMS"} else None


def _word(form: str) -> str:
    """The letters that a format of SPSS begins with."""
    return form.upper().rstrip("0123456789.")


_DAYS = {"DATE", "ADATE", "EDATE", "SDATE", "JDATE", "QYR", "MOYR", "WKYR"}
