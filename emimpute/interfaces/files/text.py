"""Delimited text: read to the letter, so that it can be written to the letter with the filled cells put in."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from emimpute.interfaces.files.fields import MISSING, QUOTED, protected, quoted, spelling, typed, unquoted
from emimpute.interfaces.files.formats import Format, TableError, line
from emimpute.interfaces.files.table import Reading, Table, indexed

__all__ = ["TextTable", "read_text"]


@dataclass(frozen=True, eq=False)
class TextTable(Table):
    """Delimited text: ``records`` are all its lines as raw fields, quotes and all, ``ends`` what ends each line."""

    records: list[list[str]]
    ends: list[str]
    rows: list[int]  # (n,) the record of each row of the frame; the header and blank lines are no rows
    sep: str
    encoding: str

    def text(self, done: pd.DataFrame, sep: str) -> bytes:
        """Give the source's own text with the filled cells put in; another ``sep`` quotes the fields that hold it."""
        records = self._with(done)
        if sep != self.sep:
            records = [[protected(field, sep) for field in record] for record in records]
        lines = (sep.join(record) + end for record, end in zip(records, self.ends, strict=True))
        return "".join(lines).encode(self.encoding)

    def _with(self, done: pd.DataFrame) -> list[list[str]]:
        records = [list(record) for record in self.records]
        for j, rows in self.filled(done):
            at = self.columns[j]
            spell = spelling(self.frame.iloc[:, j], (self.records[r][at] for r in self.rows))
            for i, value in zip(rows.tolist(), done.iloc[rows, j].tolist(), strict=True):
                record, text = records[self.rows[i]], spell(value)
                quote = record[at].startswith('"') or any(c in text for c in (self.sep, '"', "\n", "\r"))
                record[at] = quoted(text) if quote else text
        return records


def read_text(path: Path, form: Format, how: Reading) -> TextTable:
    """The table in a text file. Raises TableError for what is none, in the line where that shows."""
    text, encoding = _decoded(path, form, how.encoding)
    sep = how.sep or form.sep or ","
    records, ends = _records(path, text, sep)
    # A line of blanks is no row, as in pandas: a gap in a table of one column has to be written "" or NA.
    full = [r for r, record in enumerate(records) if len(record) > 1 or record[0].strip()]
    if not full:
        raise TableError(f"{str(path)!r} is empty: it has no header line")
    head, rows = full[0], full[1:]
    labels = [unquoted(field) for field in records[head]]
    for r in rows:
        if len(records[r]) != len(labels):
            raise TableError(_ragged(path, records, ends, r, labels))
    if how.sep is None and (other := _other_separator(labels)):
        raise TableError(
            f"{str(path)!r} has one column, {labels[0]!r}: if fields are parted by {other!r}, say --sep {other!r}"
        )
    frame = _frame(labels, [records[r] for r in rows], how)
    unnamed = len(labels) > 1 and labels[0] == ""  # the row names that R and pandas write by default
    frame, places = indexed(frame, range(len(labels)), "" if how.index is None and unnamed else how.index)
    return TextTable(frame, places, records, ends, rows, sep, encoding)


def _frame(labels: list[str], records: list[list[str]], how: Reading) -> pd.DataFrame:
    gaps = MISSING.union(how.missing)
    columns = list(zip(*records, strict=True)) or [()] * len(labels)
    frame = pd.DataFrame(
        {
            j: typed([unquoted(field) for field in fields], gaps, codes=labels[j] not in how.numbers)
            for j, fields in enumerate(columns)
        }
    )
    frame.columns = pd.Index(labels)  # which may repeat
    return frame


def _decoded(path: Path, form: Format, encoding: str) -> tuple[str, str]:
    """Decode the file; also returned: the encoding that gives its bytes back, a byte-order mark included."""
    data = path.read_bytes()
    try:
        data = gzip.decompress(data) if form.gz else data
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{str(path)!r} is not a whole gzip file: {line(error)}") from error
    if encoding.lower() in {"utf-8", "utf8"} and data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise TableError(f"there is no encoding {encoding!r}") from error
    except UnicodeError as error:
        raise TableError(
            f"{str(path)!r} is no {encoding} text ({line(error)}): name its encoding, for instance --encoding cp1252"
        ) from error
    if "\0" in text:
        raise TableError(f"{str(path)!r} holds NUL characters, so it is no table in {encoding} text")
    return text, encoding


def _records(path: Path, text: str, sep: str) -> tuple[list[list[str]], list[str]]:
    """Every line as raw fields, and what ends it (the last one may have no end)."""
    whole = text.endswith(("\n", "\r"))
    if '"' not in text:
        parts = re.split("(\r\n|\n|\r)", text)
        records, ends = [line.split(sep) for line in parts[::2]], [*parts[1::2], ""]
        if whole or not text:
            del records[-1], ends[-1]
        return records, ends
    s = re.escape(sep)
    token = re.compile(f"({QUOTED.pattern}[^{s}\r\n]*|[^{s}\r\n]*)({s}|\r\n|\n|\r)")
    records, ends, record = [], [], []
    for field, end in token.findall(text if whole else text + "\n"):
        if field.startswith('"') and not QUOTED.match(field):
            raise TableError(f"{str(path)!r}, line {_line_number(records, ends)}: a quote is opened and never closed")
        record.append(field)
        if end != sep:
            records.append(record)
            ends.append(end)
            record = []
    if not whole:
        ends[-1] = ""
    return records, ends


def _line_number(records: list[list[str]], ends: list[str]) -> int:
    """Count the line, from 1, that comes after ``records``; a quoted field may itself run over lines."""
    within = sum(len(re.findall("\r\n|\n|\r", field)) for record in records for field in record if '"' in field)
    return sum(map(bool, ends)) + within + 1


def _ragged(path: Path, records: list[list[str]], ends: list[str], r: int, labels: Sequence[str]) -> str:
    number, found = _line_number(records[:r], ends[:r]), len(records[r])
    message = f"{str(path)!r}, line {number}: got {found} fields where the header has {len(labels)}"
    other = _other_separator(labels)
    return message if other is None else f"{message}; if fields are parted by {other!r}, say --sep"


def _other_separator(labels: Sequence[str]) -> str | None:
    """What seems to part the fields of a table that has come out as one column."""
    return next((other for other in ";\t|" if len(labels) == 1 and other in labels[0]), None)
