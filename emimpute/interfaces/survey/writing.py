"""A completed survey back in a file: the cells that were filled as codes, all others as the file had them.

A file is written beside its place, read again, compared cell by cell, and only then takes its place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError, named, shown
from emimpute.interfaces.survey.columns import EXACT, said
from emimpute.interfaces.survey.source import ending_of, pyreadstat, raw_cells

if TYPE_CHECKING:
    from emimpute.interfaces.survey.source import Source

__all__ = ["write"]


def write(source: Source, frame: pd.DataFrame, df: pd.DataFrame, path: Path, *, force: bool) -> None:
    """See :meth:`emimpute.interfaces.survey.Survey.write`; ``frame`` is what the source's cells were read as."""
    ending = ending_of(path)
    if not force and path.exists():
        raise EMImputeError(f"{str(path)!r} exists already: choose another name, or say force=True to write over it.")
    if (ending == ".dta") != (source.ending == ".dta"):
        msg = f"A survey read from {source.ending} cannot be written as {ending}, which has other codes for gaps."
        raise EMImputeError(f"{msg} Keep the ending, or write Survey.labelled(df) with pandas.")
    rows = _rows(frame, df)
    cells = pd.DataFrame(
        {
            name: _cells(source, frame, df, name, rows) if name in frame.columns else _new(df[name])
            for name in _names(df)
        }
    )
    from emimpute.interfaces.files.targets import replacing  # noqa: PLC0415 (importing emimpute stays light)

    with replacing(path, force=force) as draft:
        put(source, cells, draft, ending)
        _compare(cells, raw_cells(draft), path)


def _names(df: pd.DataFrame) -> list[str]:
    if not len(df.columns):
        raise EMImputeError("There is no column to write.")
    if not df.columns.is_unique or not all(isinstance(name, str) for name in df.columns):
        raise EMImputeError("A survey file needs a name of its own, which is text, for every column: rename them.")
    return list(df.columns)


def _rows(frame: pd.DataFrame, df: pd.DataFrame) -> np.ndarray:
    """The place in the survey of each row of ``df``."""
    places = frame.index.get_indexer(df.index)
    if (places < 0).any():
        lost = df.index[places < 0].tolist()
        raise EMImputeError(f"These rows are not the survey's: {named(lost)}. Keep the index of its frame.")
    return places


def _cells(source: Source, frame: pd.DataFrame, df: pd.DataFrame, name: str, rows: np.ndarray) -> pd.Series[Any]:
    """A variable's cells for the file: as they were where nothing changed, else as codes."""
    old, new = frame[name].iloc[rows], df[name]
    was = source.cells[name].iloc[rows].to_numpy(dtype=object)
    gone = new.isna().to_numpy()
    if lost := int((gone & old.notna().to_numpy()).sum()):
        raise EMImputeError(f"Column {shown(name)} has lost {lost} answers that the survey had: put them back.")
    try:
        now, before = _codes(source, name, old, new), _codes(source, name, old, old)
    except (ValueError, TypeError) as error:
        msg = f"Column {shown(name)} has other cells than the survey's, which cannot be written: {error}."
        raise EMImputeError(msg) from error
    changed = ~gone & (now != before)
    out = pd.Series(np.where(changed, now, was), index=df.index, dtype=object)
    if not source.is_text(name) and not any(isinstance(cell, str) for cell in out):
        out = out.astype(float)
        _check_fills(source, name, out[changed])
    return out


def _check_fills(source: Source, name: str, fills: pd.Series[Any]) -> None:
    """Raise EMImputeError for what the file would take for a missing answer."""
    missing = fills[source.means_missing(name, fills)]
    if len(missing):
        msg = f"Column {shown(name)} was filled with {missing.iloc[0]:g}, which the file takes for a missing answer:"
        raise EMImputeError(f"{msg} say within which bounds its answers lie (kinds={{{shown(name)}: Bounded(...)}}).")


def _codes(source: Source, name: str, old: pd.Series[Any], new: pd.Series[Any]) -> np.ndarray:
    """The answers ``new`` (n,) as the file counts them; labels are read back as the codes they stand for."""
    if isinstance(new.dtype, pd.CategoricalDtype) and isinstance(old.dtype, pd.CategoricalDtype):
        codes = old.cat.categories.tolist()
        known = dict(zip(said(source.answers.get(name, {}), codes), codes, strict=True)) | dict(
            zip(codes, codes, strict=True)
        )
        strange = [answer for answer in new.cat.categories if answer not in known]
        if strange:
            msg = f"Column {shown(name)} has answers that the survey has no code for: {named(strange)}."
            raise EMImputeError(msg)
        told = [known[answer] for answer in new.cat.categories]
        each = np.array([*(code if isinstance(code, str) else float(code) for code in told), None], dtype=object)
        return each[new.cat.codes]
    clock = source.clock(name)
    if clock is not None:
        origin, unit = clock
        lengths = new.to_numpy("timedelta64[us]") if origin is None else new.to_numpy("datetime64[us]") - origin
        numbers = lengths / np.timedelta64(1, "us") / 1e6 / unit  # by NumPy: pandas 2 overflows at 292 years
        step = source.step(name)
        return np.asarray(np.round(numbers / step) * step if step else numbers, dtype=object)
    if source.is_text(name):
        return new.astype(object).to_numpy()
    return new.astype("Float64").astype(float).to_numpy(dtype=object)


def _new(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column that the file had not."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object).where(column.notna(), None)
    if pd.api.types.is_any_real_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        numbers = column.astype("Float64").astype(float)
        if pd.api.types.is_integer_dtype(column.dtype) and (numbers.abs() > EXACT).any():
            raise EMImputeError(
                f"Column {shown(column.name)} has whole numbers too large for the file: make them text."
            )
        return numbers
    return column


def put(source: Source, cells: pd.DataFrame, draft: Path, ending: str) -> None:
    """Write ``cells`` with what ``source`` says of its variables."""
    library, meta = pyreadstat(), source.meta
    own = [name for name in source.names if name in cells.columns]

    def of(told: Mapping[str, Any]) -> dict[str, Any]:
        return {name: told[name] for name in own if told.get(name)}

    what: dict[str, Any] = {
        "file_label": meta.file_label or "",
        "column_labels": of(source.labels),
        "variable_value_labels": of(source.answers),
        "variable_format": of(source.formats),
    }
    try:
        if ending == ".dta":
            library.write_dta(cells, str(draft), **what, missing_user_values=of(_letters(source, cells, own)))
        else:
            what |= {
                "compress": ending == ".zsav",
                "note": meta.notes or None,
                "missing_ranges": of(meta.missing_ranges),
                "variable_display_width": of(meta.variable_display_width),
                "variable_measure": of(meta.variable_measure),
            }
            library.write_sav(cells, str(draft), **what)
    except (library.PyreadstatError, library.ReadstatError, ValueError, TypeError) as error:
        raise EMImputeError(f"The survey cannot be written as {ending}: {error}") from error


def _letters(source: Source, cells: pd.DataFrame, names: list[str]) -> dict[str, list[str]]:
    """Stata's extended missing values of each variable: those that occur, and those that have a label."""
    return {
        name: sorted({code for code in [*cells[name], *source.answers.get(name, ())] if isinstance(code, str)})
        for name in names
        if pd.api.types.is_numeric_dtype(source.cells[name].dtype) or source.coded[name].any()
    }


def _compare(cells: pd.DataFrame, found: pd.DataFrame, path: Path) -> None:
    """Raise EMImputeError unless the file holds what was to be written."""
    for name in cells:
        meant, read = cells[name], found[name]
        if len(meant) != len(read) or not _all_same(meant, read):
            msg = f"{str(path)!r} was not written: its format does not hold the cells of {shown(name)} as they are."
            raise EMImputeError(msg)


def _all_same(meant: pd.Series[Any], read: pd.Series[Any]) -> bool:
    if pd.api.types.is_float_dtype(meant.dtype) and pd.api.types.is_float_dtype(read.dtype):
        return np.array_equal(meant.to_numpy(), read.to_numpy(), equal_nan=True)
    return all(map(_same, meant.tolist(), read.tolist()))


def _same(one: Any, other: Any) -> bool:
    if _gone(one) or _gone(other):
        return _gone(one) and _gone(other)
    if isinstance(one, pd.Timestamp | dt.date):
        return not isinstance(other, str)  # as a number of its format's own
    return bool(one == other)


def _gone(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or cell == "" or cell != cell  # noqa: PLR0124 (NaN)
