"""The formats that a file's ending names, and the error for a file that cannot be used as asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emimpute.errors import EMImputeError

__all__ = ["ENDINGS", "Format", "TableError", "format_of", "line", "pyarrow"]


class TableError(EMImputeError):
    """A file cannot be read or written the way it was asked."""


@dataclass(frozen=True)
class Format:
    """What a file's ending says: ``sep`` is the delimiter of a text format and None for the others."""

    ending: str
    sep: str | None = None
    gz: bool = False
    survey: bool = False  # of SPSS or Stata


ENDINGS = {
    form.ending: form
    for form in (
        Format(".csv", ","),
        Format(".tsv", "\t"),
        Format(".csv.gz", ",", gz=True),
        Format(".tsv.gz", "\t", gz=True),
        Format(".parquet"),
        Format(".feather"),
        Format(".sav", survey=True),
        Format(".zsav", survey=True),
        Format(".dta", survey=True),
    )
}


def format_of(path: Path) -> Format:
    """Look up the format that ``path``'s ending names; an unknown one, or one that lacks pyarrow, is a TableError."""
    for ending, form in ENDINGS.items():
        if path.name.lower().endswith(ending):
            if form.sep is None and not form.survey:
                pyarrow(path)
            return form
    raise TableError(f"the ending of {str(path)!r} names no format this command knows: known are {', '.join(ENDINGS)}")


def pyarrow(path: Path) -> Any:
    """The library that reads and writes ``path``'s format. Raises TableError where it is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to import)
        import pyarrow.feather  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise TableError(
            f"{str(path)!r} needs pyarrow, which is not installed: pip install 'emimpute[arrow]'"
        ) from error
    return pa


def line(error: BaseException) -> str:
    """Put an error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
