"""Tables in files: read by ending, written so that an observed cell keeps its very text and no file is half written.

A :class:`Table` holds a file twice: ``frame`` is what the model sees, the source is what the file said. A completed
file is the source with the filled cells put in: a csv keeps its header, line ends, quotes and every other field to the
letter (``007``, ``1.10``, ``1e3``), a parquet file its schema, metadata and every column in which nothing was filled.
Only between unlike formats is a file built anew from the frame.

In delimited text the rules are few, and the same for every pandas: a field is missing if it is empty or one of
:data:`MISSING`, blanks around it aside; a column is integer if all its other fields are integers (in a file the column
is what its cells are, though pandas would read it as float as soon as one is missing), float if they are numbers,
boolean if they are true and false, else text. Integers with leading zeros are codes, so text, unless the caller says
they are numbers.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import os
import re
import secrets
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import EMImputeError, unknown
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

__all__ = [
    "ENDINGS",
    "MISSING",
    "Format",
    "Reading",
    "Table",
    "TableError",
    "check_target",
    "format_of",
    "read",
    "replacing",
    "write",
]

# What pandas.read_csv takes for missing, written out because pandas keeps its list private.
_MISSING = ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN")
MISSING = frozenset((*_MISSING, "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"))


class TableError(EMImputeError):
    """A file cannot be read or written the way it was asked."""


# --- formats ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """What a file's ending says: ``sep`` is the delimiter of a text format and None for parquet and feather."""

    ending: str
    sep: str | None = None
    gz: bool = False


ENDINGS = {
    form.ending: form
    for form in (
        Format(".csv", ","),
        Format(".tsv", "\t"),
        Format(".csv.gz", ",", gz=True),
        Format(".tsv.gz", "\t", gz=True),
        Format(".parquet"),
        Format(".feather"),
    )
}


def format_of(path: Path) -> Format:
    """Look up the format that ``path``'s ending names; an unknown one, or one that lacks pyarrow, is a TableError."""
    for ending, form in ENDINGS.items():
        if path.name.lower().endswith(ending):
            if form.sep is None:
                _pyarrow(path)
            return form
    raise TableError(f"the ending of {str(path)!r} names no format this command knows: known are {', '.join(ENDINGS)}")


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to import)
        import pyarrow.feather  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise TableError(
            f"{str(path)!r} needs pyarrow, which is not installed: pip install 'emimpute[arrow]'"
        ) from error
    return pa


# --- tables -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Table:
    """A file's content; ``columns[j]`` is the place in the file of the frame's j-th column (the index is none)."""

    frame: pd.DataFrame
    columns: tuple[int, ...]

    def text(self, done: pd.DataFrame, sep: str) -> bytes:
        """``done`` as delimited text; the index is written unless it only numbers the rows."""
        index = done.index
        plain = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None
        text: str = done.to_csv(sep=sep, index=not plain, lineterminator="\n")
        return text.encode()

    def arrow(self, done: pd.DataFrame, pa: Any) -> Any:
        """``done`` as a pyarrow Table."""
        return pa.Table.from_pandas(done)

    def filled(self, done: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
        """For each column of the frame with cells that ``done`` filled: its position and those rows' positions."""
        for j in range(self.frame.shape[1]):
            rows = np.flatnonzero(missing(self.frame.iloc[:, j]) & ~missing(done.iloc[:, j]))
            if rows.size:
                yield j, rows


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
            records = [[_protected(field, sep) for field in record] for record in records]
        lines = (sep.join(record) + end for record, end in zip(records, self.ends, strict=True))
        return "".join(lines).encode(self.encoding)

    def _with(self, done: pd.DataFrame) -> list[list[str]]:
        records = [list(record) for record in self.records]
        for j, rows in self.filled(done):
            at = self.columns[j]
            spell = _spelling(self.frame.iloc[:, j], (self.records[r][at] for r in self.rows))
            for i, value in zip(rows.tolist(), done.iloc[rows, j].tolist(), strict=True):
                record, text = records[self.rows[i]], spell(value)
                quote = record[at].startswith('"') or any(c in text for c in (self.sep, '"', "\n", "\r"))
                record[at] = _quoted(text) if quote else text
        return records


@dataclass(frozen=True, eq=False)
class ArrowTable(Table):
    """Parquet or feather; ``source`` is the pyarrow Table, with its schema and metadata."""

    source: Any

    def arrow(self, done: pd.DataFrame, pa: Any) -> Any:
        """Give the source with those columns replaced that were filled, each in its own Arrow type."""
        table = self.source
        for j, _ in self.filled(done):
            field = table.schema.field(self.columns[j])
            try:
                cells = pa.Array.from_pandas(done.iloc[:, j], type=field.type)
            except (pa.ArrowException, TypeError, ValueError) as error:
                msg = (
                    f"the filled column {field.name!r} does not fit its type in the file, {field.type}: {_line(error)}"
                )
                raise TableError(msg) from error
            table = table.set_column(self.columns[j], field, cells)
        return table


@dataclass(frozen=True)
class Reading:
    """How to read; all but ``index`` concern text only."""

    missing: tuple[str, ...] = ()  # fields that mean a missing cell, besides MISSING
    sep: str | None = None  # what parts the fields, if not what the ending says
    encoding: str = "utf-8"
    index: str | None = None  # the column that only labels the rows
    numbers: frozenset[str] = frozenset()  # columns whose integers with leading zeros are numbers, not codes


_PLAINLY = Reading()


def read(path: Path, how: Reading = _PLAINLY) -> Table:
    """Read the table in ``path``. Raises TableError for what is no table, OSError where the system refuses."""
    form = format_of(path)
    if path.is_dir():
        raise TableError(f"{str(path)!r} is a folder, not a file")
    with path.open("rb"):  # so that a missing file or right is told in the system's words, not in pyarrow's
        pass
    return _read_arrow(path, form, how.index) if form.sep is None else _read_text(path, form, how)


def write(table: Table, done: pd.DataFrame, draft: Path, form: Format) -> None:
    """Write ``table``, completed as ``done``, to ``draft`` in the format ``form``, whatever the draft's own name."""
    if form.sep is not None:
        data = table.text(done, form.sep)
        # mtime=0: the same table gives the same bytes.
        draft.write_bytes(gzip.compress(data, mtime=0) if form.gz else data)
        return
    pa = _pyarrow(draft)
    try:
        arrow = table.arrow(done, pa)
        if form.ending == ".parquet":
            pa.parquet.write_table(arrow, draft)
        else:
            pa.feather.write_feather(arrow, draft)
    except TableError:
        raise
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"the table cannot be written as {form.ending}: {_line(error)}") from error


# --- reading ----------------------------------------------------------------------------------------------------------


def _read_text(path: Path, form: Format, how: Reading) -> TextTable:
    text, encoding = _decoded(path, form, how.encoding)
    sep = how.sep or form.sep or ","
    records, ends = _records(path, text, sep)
    # A line of blanks is no row, as in pandas: a gap in a table of one column has to be written "" or NA.
    full = [r for r, record in enumerate(records) if len(record) > 1 or record[0].strip()]
    if not full:
        raise TableError(f"{str(path)!r} is empty: it has no header line")
    head, rows = full[0], full[1:]
    labels = [_unquoted(field) for field in records[head]]
    for r in rows:
        if len(records[r]) != len(labels):
            raise TableError(_ragged(path, records, ends, r, labels))
    if how.sep is None and (other := _other_separator(labels)):
        raise TableError(
            f"{str(path)!r} has one column, {labels[0]!r}: if fields are parted by {other!r}, say --sep {other!r}"
        )
    frame = _frame(labels, [records[r] for r in rows], how)
    unnamed = len(labels) > 1 and labels[0] == ""  # the row names that R and pandas write by default
    frame, places = _indexed(frame, range(len(labels)), "" if how.index is None and unnamed else how.index)
    return TextTable(frame, places, records, ends, rows, sep, encoding)


def _frame(labels: list[str], records: list[list[str]], how: Reading) -> pd.DataFrame:
    gaps = MISSING.union(how.missing)
    columns = list(zip(*records, strict=True)) or [()] * len(labels)
    frame = pd.DataFrame(
        {
            j: _typed([_unquoted(field) for field in fields], gaps, codes=labels[j] not in how.numbers)
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
        raise TableError(f"{str(path)!r} is not a whole gzip file: {_line(error)}") from error
    if encoding.lower() in {"utf-8", "utf8"} and data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise TableError(f"there is no encoding {encoding!r}") from error
    except UnicodeError as error:
        raise TableError(
            f"{str(path)!r} is no {encoding} text ({_line(error)}): name its encoding, for instance --encoding cp1252"
        ) from error
    if "\0" in text:
        raise TableError(f"{str(path)!r} holds NUL characters, so it is no table in {encoding} text")
    return text, encoding


# A quote opens only at a field's start and is doubled inside. Possessive: "a""b without an end must not pass for "a".
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')


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
    token = re.compile(f"({_QUOTED.pattern}[^{s}\r\n]*|[^{s}\r\n]*)({s}|\r\n|\n|\r)")
    records, ends, record = [], [], []
    for field, end in token.findall(text if whole else text + "\n"):
        if field.startswith('"') and not _QUOTED.match(field):
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
    line, found = _line_number(records[:r], ends[:r]), len(records[r])
    message = f"{str(path)!r}, line {line}: got {found} fields where the header has {len(labels)}"
    other = _other_separator(labels)
    return message if other is None else f"{message}; if fields are parted by {other!r}, say --sep"


def _other_separator(labels: Sequence[str]) -> str | None:
    """What seems to part the fields of a table that has come out as one column."""
    return next((other for other in ";\t|" if len(labels) == 1 and other in labels[0]), None)


def _unquoted(field: str) -> str:
    quoted = _QUOTED.match(field) if field[:1] == '"' else None
    return field if quoted is None else quoted[0][1:-1].replace('""', '"') + field[quoted.end() :]


_INTEGER = re.compile(r"[+-]?[0-9]+")
_CODE = re.compile(r"[+-]?0[0-9]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
_BOOLEAN = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def _typed(texts: list[str], words: AbstractSet[str], *, codes: bool) -> pd.Series[Any]:
    """One column (n,) by the rules at the top of this module; ``codes``: integers with leading zeros are text."""
    gap = np.fromiter((t in words or t.strip() in words for t in texts), dtype=bool, count=len(texts))
    observed = [t.strip() for t, g in zip(texts, gap.tolist(), strict=True) if not g]
    if observed and all(map(_INTEGER.fullmatch, observed)):
        integers = None if codes and any(map(_CODE.match, observed)) else _integers(observed)
        if integers is not None:
            return _spread(integers, gap)
    elif all(map(_NUMBER.fullmatch, observed)):  # also where nothing was observed
        out = np.full(len(texts), np.nan)
        out[~gap] = np.array(observed, dtype=float)
        return pd.Series(out)
    elif all(t in _BOOLEAN for t in observed):
        return _spread(np.array([_BOOLEAN[t] for t in observed]), gap)
    return pd.Series(texts, dtype=object).where(~gap, np.nan).infer_objects()


def _integers(texts: list[str]) -> np.ndarray | None:
    """Integers (r,) in the dtype that holds them exactly; None if none does, for then they are ids."""
    values = [int(t) for t in texts]
    low, high = min(values), max(values)
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.array(values, dtype=dtype)
    return None


def _spread(observed: np.ndarray, gap: np.ndarray) -> pd.Series[Any]:
    """Put the observed values (r,) at their rows (n,), in a nullable dtype only if there are gaps."""
    values = np.zeros(gap.size, dtype=observed.dtype)
    values[~gap] = observed
    if not gap.any():
        return pd.Series(values)
    array = pd.arrays.BooleanArray if values.dtype == bool else pd.arrays.IntegerArray
    return pd.Series(array(values, gap))


def _indexed(frame: pd.DataFrame, places: Iterable[int], index: str | None) -> tuple[pd.DataFrame, tuple[int, ...]]:
    """Make the column ``index`` the row labels; also returned: the places in the file of the columns that stay."""
    kept = list(places)
    if index is None:
        return frame, tuple(kept)
    names = [str(label) for label in frame.columns]
    if index not in names:
        raise TableError(unknown("column", index, names))
    j = names.index(index)
    labels = pd.Index(frame.iloc[:, j], name=frame.columns[j] if index else None)
    del kept[j]
    frame = frame.iloc[:, [i for i in range(len(names)) if i != j]]
    return frame.set_axis(labels, axis=0), tuple(kept)


def _read_arrow(path: Path, form: Format, index: str | None) -> ArrowTable:
    pa = _pyarrow(path)
    try:
        # ParquetFile, because read_table takes a folder called year=2020 for a column.
        source = pa.parquet.ParquetFile(path).read() if form.ending == ".parquet" else pa.feather.read_table(path)
        frame = source.to_pandas()
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"{str(path)!r} cannot be read as {form.ending}: {_line(error)}") from error
    told = (source.schema.pandas_metadata or {}).get("index_columns", [])
    places = [i for i, name in enumerate(source.column_names) if name not in told]
    for j, i in enumerate(places):
        whole = _whole(source.column(i), pa)
        # Without this, integers with gaps from other writers become float, and 2**53 + 1 becomes 2**53.
        if whole is not None and not isinstance(frame.dtypes.iloc[j], pd.api.extensions.ExtensionDtype):
            frame.isetitem(j, whole.__from_arrow__(source.column(i)))
    frame, kept = _indexed(frame, places, index)
    return ArrowTable(frame, kept, source)


def _whole(column: Any, pa: Any) -> Any:
    """Name the nullable pandas dtype of an Arrow column of integers or booleans with gaps; None for others."""
    types = pa.types
    if not column.null_count or not (types.is_integer(column.type) or types.is_boolean(column.type)):
        return None
    if types.is_boolean(column.type):
        return pd.BooleanDtype()
    return pd.api.types.pandas_dtype(str(column.type).replace("i", "I", 1).replace("u", "U", 1))


# --- writing ----------------------------------------------------------------------------------------------------------


def _spelling(column: pd.Series[Any], observed: Iterable[str]) -> Any:
    """How to write a filled cell of ``column``: numbers in full precision, booleans as the column spells its own."""
    if not pd.api.types.is_bool_dtype(column.dtype):
        return str  # of a Python float: the shortest text that reads back as the same float
    first = next((word for word in map(str.strip, map(_unquoted, observed)) if word in _BOOLEAN), "True")
    case = str.upper if first.isupper() else str.lower if first.islower() else str.title
    return lambda value: case(str(value))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _protected(field: str, sep: str) -> str:
    """Quote a raw field where the delimiter ``sep`` would part it; else it stays untouched."""
    return _quoted(_unquoted(field)) if sep in field and not _QUOTED.fullmatch(field) else field


def check_target(path: Path, source: Path, *, force: bool) -> None:
    """Raise TableError if ``path`` cannot or must not be written; ``source`` is the file the result comes from.

    Without ``force`` nothing that exists is written over. The same file is known by any name: link or other spelling.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise TableError(f"{str(path)!r} is a folder: name a file")
    if not target.parent.is_dir():
        raise TableError(f"there is no folder {str(target.parent)!r} to write {path.name!r} into: make it first")
    if not force and target.exists() and source.exists() and target.samefile(source):
        raise TableError(f"{str(path)!r} is the input itself: choose another output, or say --force to write over it")
    if not force and target.exists():
        raise TableError(_exists(path))
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise TableError(f"no permission to write {str(path)!r}")


def _exists(path: Path) -> str:
    return f"{str(path)!r} exists already: choose another name, or say --force to write over it"


@contextlib.contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a draft beside ``path``, with its ending, to write to; it takes ``path``'s place when the block ends well.

    Whoever looks at ``path`` sees the old file or the new one, whole, also after a power cut; a link stays a link, and
    a file that is replaced leaves its permissions to the new one. If the block raises, the draft is removed.
    """
    target = Path(os.path.realpath(path))
    # A draft's name must not grow beyond what the file system allows, and it keeps the ending that chooses the format.
    draft = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(4)}{target.suffix.lower()}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield draft
        _to_disk(draft, os.O_RDWR)
        _put(draft, target, force=force)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # the new name itself; some systems cannot open a folder
        _to_disk(target.parent, os.O_RDONLY)


def _put(draft: Path, target: Path, *, force: bool) -> None:
    if target.exists():
        if not force:  # it came while we worked
            raise TableError(_exists(target))
        _same_permissions(target, draft)
    draft.replace(target)


def _to_disk(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _same_permissions(old: Path, new: Path) -> None:
    owner = old.stat()
    with contextlib.suppress(OSError, AttributeError):  # only root may give files away, and Windows knows no owners
        os.chown(new, owner.st_uid, owner.st_gid)
    shutil.copymode(old, new)


def _line(error: BaseException) -> str:
    """Put an error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
