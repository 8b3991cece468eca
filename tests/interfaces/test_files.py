"""Tables in files: what is read, what comes back to the letter, and that nothing is ever half written."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emimpute.interfaces import files
from emimpute.interfaces.files import MISSING, Format, Reading, TableError
from emimpute.interfaces.files.fields import unquoted

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as pq


def put(tmp_path, text, name="in.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path, text, name="in.csv", **how):
    return files.read(put(tmp_path, text, name), Reading(**how))


def filled(table, value):
    """The table's frame with every gap of a numeric or boolean column filled."""
    done = table.frame.copy()
    for j, dtype in enumerate(done.dtypes):
        if pd.api.types.is_numeric_dtype(dtype):
            done.isetitem(j, done.iloc[:, j].fillna(bool(value) if pd.api.types.is_bool_dtype(dtype) else value))
    return done


def text(table, done, sep=","):
    return table.text(done, sep).decode()


# --- what is read -----------------------------------------------------------------------------------------------------


def test_the_missing_fields_are_those_of_pandas():
    """The list is written out; this keeps it equal to what read_csv does."""
    words = [*MISSING, "NAN", "nA", "missing", "-", ".", "?", "0", "Na", "none", "na"]
    lines = "".join(f'"{word}",x\n' for word in words)
    theirs = pd.read_csv(io.StringIO("a,b\n" + lines)).a.isna()
    assert [word in MISSING for word in words] == theirs.tolist()


@pytest.mark.parametrize(
    ("fields", "dtype"),
    [
        (["1", "2", ""], "Int64"),
        (["1", "2", "3"], "int64"),
        (["+1", "-2", "NA"], "Int64"),
        (["1.0", "2.0", ""], "float64"),
        (["1e3", "2", ""], "float64"),
        ([".5", "7.", "-inf"], "float64"),
        (["", "NA", "null"], "float64"),
        (["18446744073709551615", "0", ""], "UInt64"),
        (["true", "false", ""], "boolean"),
        (["TRUE", "FALSE", "TRUE"], "bool"),
    ],
)
def test_a_column_is_what_its_fields_are(tmp_path, fields, dtype):
    """Integers stay integers beside a gap: this is where pandas.read_csv would give float."""
    table = read(tmp_path, "k,x\n" + "".join(f"1,{field}\n" for field in fields))
    assert str(table.frame.x.dtype) == dtype


@pytest.mark.parametrize(
    "fields",
    [
        ["007", "12", ""],
        ["1_000", "2", ""],
        ["0x10", "1", ""],
        ["123456789012345678901", "1", ""],
        ["1,5", "2", ""],
        ["2020-01-31", "", ""],
        ["true", "1", ""],
        ["-", "1", "2"],
        ["1 2", "3", ""],
        ["٣", "1", ""],
    ],
)
def test_what_is_no_number_is_text(tmp_path, fields):
    """Codes with leading zeros, dates, ids beyond 64 bits and the like are not to be averaged."""
    table = read(tmp_path, "k,x\n" + "".join(f'1,"{field}"\n' for field in fields))
    assert not pd.api.types.is_numeric_dtype(table.frame.x)
    assert table.frame.x.isna().tolist() == [field == "" for field in fields]


def test_codes_can_be_declared_numbers(tmp_path):
    """Who names the kind of a column knows that its leading zeros mean nothing."""
    table = read(tmp_path, "k,x\n1,007\n2,\n", numbers=frozenset({"x"}))
    assert table.frame.x.tolist() == [7, pd.NA]


def test_integers_are_read_exactly(tmp_path):
    """Through float, 2**53 + 1 would lose its last digit."""
    table = read(tmp_path, f"x,y\n{2**53 + 1},1\n,2\n")
    assert table.frame.x[0] == 2**53 + 1


def test_floats_are_read_as_python_reads_them(tmp_path):
    """The default parser of pandas can be off in the last bit."""
    words = ["0.1", "1.7976931348623157e308", "5e-324", "123456789.123456789", "8.41"]
    table = read(tmp_path, "x,y\n" + "".join(f"{word},1\n" for word in words))
    assert table.frame.x.tolist() == [float(word) for word in words]


def test_more_fields_can_mean_missing(tmp_path):
    """`missing` adds to the list; blanks around a field do not count."""
    table = read(tmp_path, "x,y\n-99,1\n 4 , NA\n5,\n", missing=("-99",))
    assert table.frame.x.isna().tolist() == [True, False, False]
    assert table.frame.y.isna().tolist() == [False, True, True]


def test_a_first_column_without_a_name_is_the_row_labels(tmp_path):
    """R's write.csv and pandas' to_csv both write it so; as data it would be a row counter."""
    table = read(tmp_path, '"","x"\n"a",1\n"b",NA\n')
    assert list(table.frame.columns) == ["x"]
    assert list(table.frame.index) == ["a", "b"]
    assert text(table, filled(table, 3)) == '"","x"\n"a",1\n"b",3\n'


def test_a_named_column_can_be_the_row_labels(tmp_path):
    """It is kept out of the frame and stays in the file."""
    table = read(tmp_path, "x,id\n1,7\n,8\n", index="id")
    assert list(table.frame.columns) == ["x"]
    assert table.frame.index.name == "id"
    assert text(table, filled(table, 3)) == "x,id\n1,7\n3,8\n"
    with pytest.raises(TableError, match=r"no column 'ix'.*did you mean 'x'"):
        read(tmp_path, "x,id\n1,7\n", index="ix")


def test_labels_may_repeat(tmp_path):
    """Columns are known by their place."""
    table = read(tmp_path, "a,a,b\n1,,2\n,3,4\n")
    assert list(table.frame.columns) == ["a", "a", "b"]
    assert text(table, filled(table, 9)) == "a,a,b\n1,9,2\n9,3,4\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "is empty: it has no header line"),
        ("\n  \n\n", "is empty: it has no header line"),
        ("a,b\n1,2\n1,2,3\n", "line 3: got 3 fields where the header has 2"),
        ('a,b\n"1\n2",2\n\n1\n', "line 5: got 1 fields where the header has 2"),
        ("a;b\n1,5;2\n", "line 2: got 2 fields where the header has 1; if fields are parted by ';', say --sep"),
        ('a,b\n1,2\n3,"4\n', "line 3: a quote is opened and never closed"),
        ('a,b\n1,"2""3\n', "line 2: a quote is opened and never closed"),
        (b"a,b\n\xe9,1\n", "is no utf-8 text .*name its encoding, for instance --encoding cp1252"),
        ("a,b\n1,\0\n", "holds NUL characters"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path, data, says):
    """With the line where it went wrong."""
    with pytest.raises(TableError, match=says):
        read(tmp_path, data)


def test_endings_choose_the_format(tmp_path):
    """Of any case; unknown ones are refused with the known."""
    assert files.format_of(Path("a.b/X.CSV")) == Format(".csv", ",")
    assert files.format_of(Path("x.tsv.gz")) == Format(".tsv.gz", "\t", gz=True)
    with pytest.raises(TableError, match=re.escape("known are .csv, .tsv, .csv.gz, .tsv.gz, .parquet, .feather")):
        files.format_of(Path("x.xlsx"))
    with pytest.raises(TableError, match="not a whole gzip file"):
        read(tmp_path, "a,b\n", "in.csv.gz")
    with pytest.raises(TableError, match="not a whole gzip file"):
        read(tmp_path, gzip.compress(b"a,b\n1,2\n")[:-6], "in.csv.gz")
    with pytest.raises(TableError, match="there is no encoding 'latin-99'"):
        read(tmp_path, "a,b\n", encoding="latin-99")
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "none.parquet")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        files.read(tmp_path / "folder.csv")
    for name in ("in.parquet", "in.feather"):
        with pytest.raises(TableError, match="cannot be read as"):
            read(tmp_path, "a,b\n", name)


def test_without_pyarrow_one_sentence_says_what_to_install(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=re.escape("pip install 'emimpute[arrow]'")):
        files.format_of(Path("x.parquet"))


# --- what comes back --------------------------------------------------------------------------------------------------


AWKWARD = (
    'id,"a, b",when,code,n,big,q\r\n'
    '007,1.10,2020-01-31,NA,3,9007199254740993,"say ""hi""\r\nthere"\r\n'
    '008,,"2020-02-01",DE, 4 ,,"x,y"\r\n'
    "\r\n"
    '009,1e3,,"NA","5",1,5" pipe\r\n'
    '010,0.10,"",DE,,+2,\r\n'
    '011,NaN,n/a,FR,"",3,\''
)


def test_observed_fields_come_back_to_the_letter(tmp_path):
    """Leading and trailing zeros, exponents, quotes, line ends within and without, blank lines, NA used as a text."""
    table = read(tmp_path, AWKWARD)
    assert str(table.frame["a, b"].dtype) == "float64"
    expected = (
        AWKWARD.replace("008,,", "008,2.0,")
        .replace(" 4 ,,", " 4 ,2,")
        .replace("DE,,+2", "DE,2,+2")
        .replace("NaN", "2.0")
        .replace('FR,""', 'FR,"2"')
    )
    assert text(table, filled(table, 2)) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_marks_stay(tmp_path, end, mark):
    """Also a last line without an end."""
    source = mark + f"a,b{end or chr(10)}1,é{end or chr(10)},ü{end}".encode()
    table = read(tmp_path, source)
    assert list(table.frame.columns) == ["a", "b"]
    assert table.text(filled(table, 5), ",") == source.replace(",ü".encode(), "5,ü".encode())


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "latin-1"])
def test_other_encodings_stay(tmp_path, encoding):
    """The file comes back in the encoding that it was read in."""
    table = read(tmp_path, "a,b\n1,é\n,ü\n".encode(encoding), encoding=encoding)
    assert table.text(filled(table, 5), ",") == "a,b\n1,é\n5,ü\n".encode(encoding)


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_booleans_are_spelled_as_the_column_spells_them(tmp_path, yes, no):
    """True in a file of TRUE would be text to some readers."""
    table = read(tmp_path, f"a,b\n,1\n{no},1\n")
    assert text(table, filled(table, 1)) == f"a,b\n{yes},1\n{no},1\n"


def test_filled_floats_read_back_as_the_same_float(tmp_path):
    """Full precision, the shortest way to write it."""
    table = read(tmp_path, "a,b\n1.5,1\n,1\n")
    value = np.nextafter(0.1 + 0.2, 1)
    assert float(text(table, filled(table, value)).split("\n")[2].split(",")[0]) == value


def test_filled_words_are_quoted_where_they_must_be(tmp_path):
    """Whatever a kind fills in stays one field."""
    table = read(tmp_path, "a,b\nx,1\n,1\n")
    done = table.frame.assign(a=["x", 'a,"b"'])
    assert text(table, done) == 'a,b\nx,1\n"a,""b""",1\n'


def test_another_delimiter_quotes_only_what_it_must(tmp_path):
    """From csv to tsv fields keep their text, and a tab inside one parts nothing."""
    table = read(tmp_path, 'a,b,c\n1.10,"x,y",p\tq\n,"z",7" r\n')
    assert text(table, filled(table, 2), "\t") == 'a\tb\tc\n1.10\t"x,y"\t"p\tq"\n2.0\t"z"\t7" r\n'


def test_header_only(tmp_path):
    """No rows is a table all the same."""
    table = read(tmp_path, "a,b\n")
    assert table.frame.shape == (0, 2)
    assert text(table, table.frame) == "a,b\n"


cells = st.text(st.sampled_from('ab1 ,;\t"\n\r.'), max_size=5)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(2, 4).flatmap(lambda k: st.lists(st.lists(cells, min_size=k, max_size=k), min_size=1, max_size=5)),
    sep=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quote=st.booleans(),
)
def test_any_table_is_parted_as_it_was_joined(tmp_path, rows, sep, end, quote):
    """What csv.writer joins, we part in the same fields, and write again to the letter."""
    import csv  # noqa: PLC0415

    if not quote:  # csv.writer leaves a lone carriage return bare
        rows = [[field.replace("\r", "") for field in row] for row in rows]
    target = io.StringIO()
    csv.writer(
        target, delimiter=sep, lineterminator=end, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    ).writerows(rows)
    table = read(tmp_path, target.getvalue(), sep=sep, index=None)
    kept = [row for row in table.records if len(row) > 1 or row[0].strip()]
    assert [[unquoted(field) for field in row] for row in kept] == rows
    assert text(table, table.frame, sep) == target.getvalue()


# --- parquet and feather ----------------------------------------------------------------------------------------------


def typed():
    return pd.DataFrame(
        {
            "f": [1.5, np.nan, 2.0],
            "f32": np.array([1.5, np.nan, 2.0], dtype="float32"),
            "i": [1, 2, 3],
            "I": pd.array([2**53 + 1, None, 3], dtype="Int64"),
            "u8": pd.array([200, None, 3], dtype="UInt8"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]).tz_localize("Europe/Paris"),
            "d": pd.to_timedelta([1, None, 3], unit="s"),
            "c": pd.Categorical(["x", None, "y"], categories=["y", "x", "z"], ordered=True),
            "s": ["p", None, "NA"],
        },
        index=pd.Index(["r1", "r2", "r3"], name="row"),
    )


def save(df, path):
    if path.suffix == ".parquet":
        df.to_parquet(path)
    else:
        pa.feather.write_feather(pa.Table.from_pandas(df), path)


def load(path):
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
def test_a_typed_file_keeps_index_dtypes_and_metadata(tmp_path, ending):
    """Filled columns take their own Arrow type, the others are not touched."""
    import pyarrow.feather  # noqa: F401, PLC0415

    before = typed()
    before.attrs["source"] = "a survey"
    path, out = tmp_path / f"in{ending}", tmp_path / f"out{ending}"
    save(before, path)
    table = files.read(path)
    pd.testing.assert_frame_equal(table.frame, load(path), check_like=False)
    done = filled(table, 4).assign(
        t=table.frame.t.fillna(pd.Timestamp("2020-01-02", tz="Europe/Paris")),
        d=table.frame.d.fillna(pd.Timedelta(2, "s")),
        c=table.frame.c.fillna("z"),
        b=table.frame.b.fillna(value=True),
    )
    files.write(table, done, out, files.format_of(out))
    after = load(out)
    pd.testing.assert_frame_equal(after, done)
    assert after.attrs == load(path).attrs
    old, new = (pq.read_schema(p) if ending == ".parquet" else pa.feather.read_table(p).schema for p in (path, out))
    assert new.equals(old, check_metadata=True)


def test_integers_with_gaps_from_other_writers_stay_integers(tmp_path):
    """Without pandas' metadata, Arrow would give pandas a float column, and 2**53 + 1 would become 2**53."""
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    source = pa.table({"a": pa.array([2**53 + 1, None], pa.int64()), "u": pa.array([7, None], pa.uint8())})
    pq.write_table(source.append_column("b", pa.array([True, None])), path)
    table = files.read(path)
    assert [str(t) for t in table.frame.dtypes] == ["Int64", "UInt8", "boolean"]
    files.write(table, filled(table, 1), out, files.format_of(out))
    assert pq.read_table(out).to_pydict() == {"a": [2**53 + 1, 1], "u": [7, 1], "b": [True, True]}


def test_between_formats(tmp_path):
    """A csv becomes a typed file and a typed file a csv, with the index where there is one worth keeping."""
    table = read(tmp_path, '"",x,y,z\nr1,1,1.10,007\nr2,,,\n')
    out = tmp_path / "out.parquet"
    files.write(table, filled(table, 2), out, files.format_of(out))
    after = pd.read_parquet(out)
    assert after.index.tolist() == ["r1", "r2"]
    assert after.x.tolist() == [1, 2]
    assert after.z.tolist()[0] == "007"
    assert files.read(out).text(after, ",").decode() == ",x,y,z\nr1,1,1.1,007\nr2,2,2.0,\n"
    plain = after.reset_index(drop=True)
    assert files.read(out).text(plain, "\t").decode() == "x\ty\tz\n1\t1.1\t007\n2\t2.0\t\n"


def test_an_index_column_of_a_typed_file(tmp_path):
    """It leaves the frame and stays in the file."""
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pd.DataFrame({"a": [1.0, np.nan], "id": [5, 6], "b": [np.nan, 1.0]}).to_parquet(path)
    table = files.read(path, Reading(index="id"))
    assert list(table.frame.columns) == ["a", "b"]
    files.write(table, filled(table, 3), out, files.format_of(out))
    pd.testing.assert_frame_equal(pd.read_parquet(out), pd.DataFrame({"a": [1.0, 3], "id": [5, 6], "b": [3, 1.0]}))


def test_what_a_format_cannot_hold_is_one_sentence(tmp_path):
    """Parquet knows no repeated labels, and no fill that is not of the column's type."""
    out = tmp_path / "out.parquet"
    table = read(tmp_path, "a,a\n1,\n")
    with pytest.raises(TableError, match=r"cannot be written as \.parquet: Duplicate column names"):
        files.write(table, table.frame, out, files.format_of(out))
    pd.DataFrame({"a": [1.0, np.nan]}).to_parquet(out)
    table = files.read(out)
    with pytest.raises(TableError, match="column 'a' does not fit its type in the file, double"):
        files.write(table, table.frame.astype(object).fillna("x"), out, files.format_of(out))


def test_a_compressed_file_is_the_same_each_time(tmp_path):
    """The format would let the time be stamped into it."""
    table = read(tmp_path, gzip.compress(b"a,b\n1,\n"), "in.csv.gz")
    out = tmp_path / "out.csv.gz"
    form = files.format_of(out)
    files.write(table, filled(table, 2), out, form)
    assert gzip.decompress(out.read_bytes()) == b"a,b\n1,2.0\n"
    assert out.read_bytes()[4:8] == b"\0\0\0\0"


# --- nothing is half written ------------------------------------------------------------------------------------------


def test_a_draft_takes_the_place_when_the_block_ends_well(tmp_path):
    """Before, the old file is there; after, the new one, and no draft."""
    path = put(tmp_path, "old", "out.csv")
    with files.replacing(path, force=True) as draft:
        assert draft.parent == tmp_path
        assert draft.name.endswith(".csv")
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path, error):
    """Also Ctrl-C."""
    path = put(tmp_path, "old", "out.csv")
    with pytest.raises(error), files.replacing(path, force=True) as draft:  # noqa: PT012 (what fails is the block)
        draft.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_came_meanwhile_is_not_written_over(tmp_path):
    """The check before the work is an hour old after it."""
    path = tmp_path / "out.csv"
    with pytest.raises(TableError, match="exists already"), files.replacing(path, force=False) as draft:  # noqa: PT012
        draft.write_text("new")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_permissions(tmp_path):
    """A file written over keeps its own, a new one gets those of any new file, and a link stays a link."""
    path = put(tmp_path, "old", "out.csv")
    path.chmod(0o640)
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    with files.replacing(link, force=True) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    usual, ours = tmp_path / "usual.csv", tmp_path / "ours.csv"
    usual.write_text("")
    with files.replacing(ours, force=False) as draft:
        draft.write_text("")
    assert ours.stat().st_mode == usual.stat().st_mode


def test_long_names(tmp_path):
    """A draft's name is not longer than the file system takes."""
    path = tmp_path / ("x" * 250 + ".csv")
    with files.replacing(path, force=False) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"


def test_targets_that_must_not_be_written(tmp_path, monkeypatch):
    """The input by any name, what exists, a folder, a folder that is not there."""
    source = put(tmp_path, "a\n", "in.csv")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soft.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    for name in ("in.csv", "./in.csv", "soft.csv", "hard.csv"):
        with pytest.raises(TableError, match="is the input itself"):
            files.check_target(Path(name), source, force=False)
        files.check_target(Path(name), source, force=True)
    other = put(tmp_path, "b\n", "other.csv")
    with pytest.raises(TableError, match="exists already: choose another name, or say --force"):
        files.check_target(other, source, force=False)
    files.check_target(other, source, force=True)
    with pytest.raises(TableError, match="is a folder: name a file"):
        files.check_target(tmp_path, source, force=True)
    with pytest.raises(TableError, match=r"there is no folder .*: make it first"):
        files.check_target(tmp_path / "no" / "out.csv", source, force=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(TableError, match="no permission to write"):
        files.check_target(tmp_path / "out.csv", source, force=True)
