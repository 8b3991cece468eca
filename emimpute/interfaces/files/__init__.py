"""Tables in files: read by ending, written so that an observed cell keeps its very text and no file is half written.

A :class:`Table` holds a file twice: ``frame`` is what the model sees, the source is what the file said. A completed
file is the source with the filled cells put in: a csv keeps its header, line ends, quotes and every other field to the
letter (``007``, ``1.10``, ``1e3``), a parquet file its schema, metadata and every column in which nothing was filled.
Only between unlike formats is a file built anew from the frame.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from emimpute.interfaces.files.arrow import read_arrow
from emimpute.interfaces.files.fields import MISSING
from emimpute.interfaces.files.formats import ENDINGS, Format, TableError, format_of, line, pyarrow
from emimpute.interfaces.files.surveys import read_survey_table
from emimpute.interfaces.files.table import Reading, Table
from emimpute.interfaces.files.targets import check_target, replacing
from emimpute.interfaces.files.text import read_text

if TYPE_CHECKING:
    import pandas as pd

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


_PLAINLY = Reading()


def read(path: Path, how: Reading = _PLAINLY) -> Table:
    """Read the table in ``path``. Raises TableError for what is no table, OSError where the system refuses."""
    form = format_of(path)
    if path.is_dir():
        raise TableError(f"{str(path)!r} is a folder, not a file")
    with path.open("rb"):  # so that a missing file or right is told in the system's words, not in pyarrow's
        pass
    if form.survey:
        return read_survey_table(path, how.index)
    return read_arrow(path, form, how.index) if form.sep is None else read_text(path, form, how)


def write(table: Table, done: pd.DataFrame, draft: Path, form: Format) -> None:
    """Write ``table``, completed as ``done``, to ``draft`` in the format ``form``, whatever the draft's own name."""
    if form.sep is not None:
        data = table.text(done, form.sep)
        # mtime=0: the same table gives the same bytes.
        draft.write_bytes(gzip.compress(data, mtime=0) if form.gz else data)
        return
    if form.survey:
        table.survey(done, draft)
        return
    pa = pyarrow(draft)
    try:
        arrow = table.arrow(done, pa)
        if form.ending == ".parquet":
            pa.parquet.write_table(arrow, draft)
        else:
            pa.feather.write_feather(arrow, draft)
    except TableError:
        raise
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"the table cannot be written as {form.ending}: {line(error)}") from error
