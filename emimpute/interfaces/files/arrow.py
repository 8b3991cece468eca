"""Parquet and feather: a file keeps its schema, its metadata, and every column in which nothing was filled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from emimpute.interfaces.files.formats import Format, TableError, line, pyarrow
from emimpute.interfaces.files.table import Table, indexed

__all__ = ["ArrowTable", "read_arrow"]


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
                msg = f"the filled column {field.name!r} does not fit its type in the file, {field.type}: {line(error)}"
                raise TableError(msg) from error
            table = table.set_column(self.columns[j], field, cells)
        return table


def read_arrow(path: Path, form: Format, index: str | None) -> ArrowTable:
    """The table in a parquet or feather file. Raises TableError for what is none."""
    pa = pyarrow(path)
    try:
        # ParquetFile, because read_table takes a folder called year=2020 for a column.
        source = pa.parquet.ParquetFile(path).read() if form.ending == ".parquet" else pa.feather.read_table(path)
        frame = source.to_pandas()
    except (pa.ArrowException, ValueError) as error:
        raise TableError(f"{str(path)!r} cannot be read as {form.ending}: {line(error)}") from error
    told = (source.schema.pandas_metadata or {}).get("index_columns", [])
    places = [i for i, name in enumerate(source.column_names) if name not in told]
    for j, i in enumerate(places):
        whole = _whole(source.column(i), pa)
        # Without this, integers with gaps from other writers become float, and 2**53 + 1 becomes 2**53.
        if whole is not None and not isinstance(frame.dtypes.iloc[j], pd.api.extensions.ExtensionDtype):
            frame.isetitem(j, whole.__from_arrow__(source.column(i)))
    frame, kept = indexed(frame, places, index)
    return ArrowTable(frame, kept, source)


def _whole(column: Any, pa: Any) -> Any:
    """Name the nullable pandas dtype of an Arrow column of integers or booleans with gaps; None for others."""
    types = pa.types
    if not column.null_count or not (types.is_integer(column.type) or types.is_boolean(column.type)):
        return None
    if types.is_boolean(column.type):
        return pd.BooleanDtype()
    return pd.api.types.pandas_dtype(str(column.type).replace("i", "I", 1).replace("u", "U", 1))
