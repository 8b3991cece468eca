"""The command line: what it writes, what it says, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emimpute
from emimpute.em import Stop
from emimpute.interfaces import files
from emimpute.interfaces.cli import imputing, main, mcar, speech, words
from emimpute.interfaces.cli.speech import in_our_words
from emimpute.results import describe, problems

SOURCE = """\
id,age,income,wave,when,code
a,31,1.10,1,2020-01-01,NA
b,45,2.50,2,,DE
c,,3.75,3,2020-01-03,007
d,52,,1,2020-01-04,FR
e,38,2.0,2,2020-01-05,
f,27,0.95,,2020-01-06,NA
g,61,4.40,3,2020-01-07,DE
h,49,3e0,1,2020-01-08,DE
"""
COLUMNS = ["--columns", "age,income,wave"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with in.csv in it, and we in the folder."""
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text(SOURCE)
    return tmp_path


def names():
    """The files in the folder where we are, sorted."""
    return sorted(path.name for path in Path().iterdir())


def refused(capsys, *argv, code=2):
    """The one sentence on stderr with which the command refuses."""
    assert main([*map(str, argv)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.rstrip()


# --- impute -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_the_gaps_are_filled_and_nothing_else_is_touched(capsys):
    """Every line of the file is the old one, but for the filled fields, and those are what the package gives."""
    assert main(["impute", "in.csv", "-o", "out.csv", *COLUMNS]) == 0
    frame = files.read(Path("in.csv")).frame
    done = emimpute.impute(frame, columns=["age", "income", "wave"])
    expected = (
        SOURCE.replace("c,,", f"c,{done.age[2]},")
        .replace("d,52,,", f"d,52,{done.income[3]!r},".replace("np.float64(", "").replace(")", ""))
        .replace("0.95,,", f"0.95,{done.wave[5]},")
    )
    assert Path("out.csv").read_text() == expected
    assert isinstance(done.age[2], int | np.integer)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\nwrote out.csv: 3 cells filled in 3 columns; 4 cells in 2 columns left missing\n")
    assert out.startswith(emimpute.fit(frame, columns=["age", "income", "wave"]).summary().partition("\n")[0])


@pytest.mark.usefixtures("here")
def test_columns_left_alone_are_a_warning_in_one_line(capsys):
    """Without the file and line that Python would put before it."""
    assert main(["impute", "in.csv", "-o", "out.csv", "--prior", "ridge", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"warning: .*'when' \(text, 7 distinct values\).*\(--kinds when=nominal .*\n", err)
    assert ".py" not in err


@pytest.mark.usefixtures("here")
def test_answers_are_filled_with_answers():
    """Text of a few sorts: each gap gets one of them, to the letter, and the other fields stay."""
    assert main(["impute", "in.csv", "-o", "out.csv", "--prior", "ridge", "--fill", "code", "--quiet"]) == 0
    old, new = ([line.rsplit(",", 1) for line in text.splitlines()] for text in (SOURCE, Path("out.csv").read_text()))
    assert [rest for rest, _ in new] == [rest for rest, _ in old]
    for (_, before), (_, after) in zip(old, new, strict=True):
        assert after == before if before not in {"NA", ""} else after in {"DE", "FR", "007"}


@pytest.mark.usefixtures("here")
def test_options_reach_the_model(capsys):
    """Each with its value, and labels as the frame has them."""
    seen = {}

    def spy(frame, **options):
        seen.update(options)
        return frame

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imputing, "impute", spy)
        words = ["--fill", 'age,"income"', "--fill", "wave", "--kinds", "age=real,income=real", "--kinds", "wave=real"]
        more = [
            "--prior",
            "2.5",
            "--weights",
            "wave",
            "--by",
            "code",
            "--tol",
            "1e-4",
            "--max-iter",
            "7",
            "--starts",
            "3",
            "--rng",
            "5",
            "--progress",
        ]
        assert main(["impute", "in.csv", "-o", "out.csv", *COLUMNS, *words, *more]) == 0
        seen.pop("report")
        assert seen == {
            "columns": ["age", "income", "wave"],
            "fill": ["age", "income", "wave"],
            "kinds": {"age": "real", "income": "real", "wave": "real"},
            "prior": 2.5,
            "weights": "wave",
            "by": ["code"],
            "where": None,  # of a survey file alone
            "tol": 1e-4,
            "max_iter": 7,
            "starts": 3,
            "rng": 5,
            "progress": True,
        }
        for word, prior in {"none": None, "ridge": "ridge", "fallback": "fallback"}.items():
            assert main(["impute", "in.csv", "-o", "out.csv", "--force", "--prior", word]) == 0
            assert seen["prior"] == prior
            assert seen["columns"] is seen["fill"] is seen["kinds"] is seen["weights"] is None
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("here")
def test_fill_and_weights():
    """The other columns inform, and keep their gaps."""
    Path("w.csv").write_text("x,y,w\n1,2,1\n2,,1\n3,6,2\n,7,1\n4,9,1\n")
    assert main(["impute", "w.csv", "-o", "out.csv", "--fill", "y", "--weights", "w", "--quiet"]) == 0
    done = pd.read_csv("out.csv")
    assert done.isna().sum().to_dict() == {"x": 1, "y": 0, "w": 0}


def test_labels_that_are_no_text():
    """A typed file may label its columns by numbers; a word on the command line means the label that reads so."""
    df = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [1.1, np.nan, 3.2, 3.9]})
    df.columns = pd.Index([1, 2])
    assert imputing.labels(df, ["2"], "--fill") == [2]
    with pytest.raises(emimpute.EMImputeError, match="--fill: There is no column '3'"):
        imputing.labels(df, ["3"], "--fill")


@pytest.mark.usefixtures("here")
def test_values_that_mean_missing():
    """A minus sign before them is no option."""
    Path("na.csv").write_text("x;y\n1;2\n-99;4\n3;?\n4;8.5\n5;9\n")
    argv = ["impute", "na.csv", "-o", "out.csv", "--na", "-99", "--na", "?", "--sep", ";", "--quiet"]
    assert main(argv) == 0
    lines = Path("out.csv").read_text().splitlines()
    assert lines[0] == "x;y"
    assert re.fullmatch(r"2;4", lines[2])
    assert re.fullmatch(r"3;[0-9.]+", lines[3])


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "tsv.gz", "parquet", "feather"])
@pytest.mark.usefixtures("here")
def test_every_format_gives_the_same_numbers(ending):
    """From csv to each, and from each back to csv."""
    pytest.importorskip("pyarrow")
    assert main(["impute", "in.csv", "-o", "direct.csv", *COLUMNS, "--quiet"]) == 0
    assert main(["impute", "in.csv", "-o", f"out.{ending}", *COLUMNS, "--quiet"]) == 0
    assert main(["impute", f"out.{ending}", "-o", "back.csv", *COLUMNS, "--quiet"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv("back.csv"), pd.read_csv("direct.csv"))


@pytest.mark.usefixtures("here")
def test_a_parquet_file_keeps_its_index_and_dtypes():
    """And its attrs."""
    pytest.importorskip("pyarrow")
    df = pd.DataFrame(
        {"x": pd.array([1, 2, None, 4, 6], dtype="Int16"), "y": np.array([1, 2.5, 3, np.nan, 5], dtype="float32")},
        index=pd.Index(list("abcde"), name="who"),
    )
    df.attrs["source"] = "a survey"
    df.to_parquet("in.parquet")
    assert main(["impute", "in.parquet", "-o", "out.parquet"]) == 0
    after = pd.read_parquet("out.parquet")
    pd.testing.assert_frame_equal(after, emimpute.impute(df))
    assert after.attrs == df.attrs


@pytest.mark.usefixtures("here")
def test_stdout_holds_the_table_alone(capsysbinary):
    """What else there is to say goes to stderr."""
    assert main(["impute", "in.csv", "-o", "-", *COLUMNS]) == 0
    out, err = capsysbinary.readouterr()
    assert main(["impute", "in.csv", "-o", "out.csv", *COLUMNS]) == 0
    assert out == Path("out.csv").read_bytes()
    assert b"wrote stdout: 3 cells filled" in err


@pytest.mark.parametrize("ending", ["txt", "json", "html", "HTML"])
@pytest.mark.usefixtures("here")
def test_reports(ending, capsys):
    """By their ending, of any case, and by the same rule: not over what exists."""
    argv = ["impute", "in.csv", "-o", "out.csv", "--report", f"r.{ending}", *COLUMNS, "--quiet"]
    assert main(argv) == 0
    written = Path(f"r.{ending}").read_text()
    assert {"txt": "income", "json": '"', "html": "<"}[ending.lower()] in written
    if ending == "json":
        json.loads(written)
    Path("out.csv").unlink()
    assert "exists already" in refused(capsys, *argv)
    assert names() == sorted(["in.csv", f"r.{ending}"])


@pytest.mark.usefixtures("here")
def test_nothing_to_fill(capsys):
    """The file comes back as it was; there is no fit to report on, and that is said."""
    Path("full.csv").write_text('x,y\n1,"2.0"\n3,4\n')
    assert main(["impute", "full.csv", "-o", "out.csv", "--report", "r.txt"]) == 0
    assert Path("out.csv").read_bytes() == Path("full.csv").read_bytes()
    out, err = capsys.readouterr()
    assert out == "wrote out.csv: no cell was to be filled\n"
    assert err == "warning: nothing was to be filled, so there is no fit and 'r.txt' is not written.\n"
    assert not Path("r.txt").exists()


@pytest.mark.usefixtures("here")
def test_no_convergence_is_a_warning(capsys):
    """The best estimate was used, the file is there, and the exit code is 0."""
    assert main(["impute", "in.csv", "-o", "out.csv", "--max-iter", "1", *COLUMNS]) == 0
    said = capsys.readouterr()
    assert re.search("^warning: EM stopped at --max-iter .*1", said.err)
    assert "Raise --max-iter, and see the trace in --report fit.json. For more, add --report fit.json." in said.err
    assert "see fit." not in said.out
    assert Path("out.csv").exists()


# Every sentence of the package that names an argument or an attribute, whoever says it.
@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (problems._MORE, "For more, add --report fit.json."),
        (describe._REFUSED, "--prior none refuses to go on; --prior fallback (the default) uses a ridge."),
        *[(said, None) for said in describe._REMEDIES.values()],
        *[(stop.value, None) for stop in Stop],
        ("Use fewer columns, or choose a stronger prior=.", "Use fewer columns, or choose a stronger --prior."),
        ("... and 3 more columns: see fit.mean, fit.kinds", "... and 3 more columns: see --report fit.json"),
        ("Also: 'thin pair'. See fit.problems.", "Also: 'thin pair'. See the problems in --report fit.json."),
        ("drop them, or say with fill= which columns", "drop them, or say with --fill which columns"),
        ("<li>Use prior=&#x27;fallback&#x27;.</li>", "<li>Use --prior fallback.</li>"),
        ("a column named 'tol' of max_iter", "a column named 'tol' of max_iter"),
    ],
)
def test_messages_speak_of_options(said, ours):
    """And not of what only Python has."""
    heard = in_our_words(said)
    assert ours in {None, heard}
    assert not re.search(r"\bfit\.(?!json|txt)|\w=(?!$)|report=", heard)


@pytest.mark.usefixtures("here")
def test_refusals_and_reports_speak_of_options(capsys):
    table = pd.DataFrame({f"c{i}": np.random.default_rng(i).normal(size=60).round(3) for i in range(25)})
    table.iloc[3, 0] = np.nan
    table.to_csv("wide.csv", index=False)
    assert main(["impute", "wide.csv", "-o", "done.csv", "--report", "r.txt"]) == 0
    assert "and 5 more columns: see --report fit.json" in capsys.readouterr().out
    assert "and 5 more columns: see --report fit.json" in Path("r.txt").read_text(encoding="utf-8")
    table.assign(twice=2 * table["c0"]).to_csv("twice.csv", index=False)
    said = refused(capsys, "impute", "twice.csv", "-o", "out.csv", "--prior", "none")
    assert refused(capsys, "impute", "in.csv", "-o", "out.csv", "--kinds", "when=real") == (
        "emimpute: Column 'when' (dtype str) does not hold numbers: leave it out, or give a parquet file if these are "
        "dates, which in a text file are text."
    ).replace("str", str(files.read(Path("in.csv")).frame["when"].dtype))
    assert said.endswith("--prior none refuses to go on; --prior fallback (the default) uses a ridge.")


@pytest.mark.parametrize("bar", [True, False])
@pytest.mark.usefixtures("here")
def test_progress_is_on_stderr(capsys, monkeypatch, bar):
    """A bar with tqdm, else the lines of the log; stdout holds the table alone, and the log is as before."""
    if bar:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setattr(speech, "find_spec", lambda _: None)
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    log = logging.getLogger("emimpute")
    before = log.level, list(log.handlers)
    assert main(["impute", "in.csv", "-o", "-", "--progress", "--quiet", *COLUMNS]) == 0
    out, err = capsys.readouterr()
    assert "E-steps" in err
    assert ("left=0" in err) is not bar
    assert "E-steps" not in out
    assert (log.level, log.handlers) == before


def test_the_delimiter_of_the_output(here):
    """That of its ending, or the one asked for; a typed file has none."""
    pytest.importorskip("pyarrow")
    Path("s.csv").write_text("x;y\n1;2\n2;\n3;7\n4;8\n")
    for source, output, head in [
        ("s.csv", "a.csv", b"x;y\n"),
        ("s.csv", "a.tsv", b"x\ty\n"),
        ("s.csv", "a.parquet", b"PAR1"),
        ("a.parquet", "b.csv", b"x;y\n"),
        ("a.parquet", "b.parquet", b"PAR1"),
    ]:
        assert main(["impute", source, "-o", output, "--sep", ";", "--quiet"]) == 0
        assert (here / output).read_bytes().startswith(head)


# --- what it refuses --------------------------------------------------------------------------------------------------


def test_it_writes_over_nothing_without_force(here, capsys):
    """Neither its input, by any name, nor another file; with --force both."""
    Path("soft.csv").symlink_to("in.csv")
    Path("hard.csv").hardlink_to("in.csv")
    for name in ("in.csv", "./in.csv", "soft.csv", "hard.csv", here / "in.csv"):
        assert "is the input itself" in refused(capsys, "impute", "in.csv", "-o", name)
    assert "is the input itself" in refused(capsys, "impute", "soft.csv", "-o", "in.csv")
    Path("out.csv").write_text("mine")
    assert "exists already" in refused(capsys, "impute", "in.csv", "-o", "out.csv")
    assert (Path("in.csv").read_text(), Path("out.csv").read_text()) == (SOURCE, "mine")
    assert main(["impute", "in.csv", "-o", "out.csv", "--force", "--quiet", *COLUMNS]) == 0
    assert main(["impute", "in.csv", "-o", "in.csv", "--force", "--quiet", *COLUMNS]) == 0
    assert Path("in.csv").read_text() == Path("out.csv").read_text() != SOURCE


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["impute", "none.csv", "-o", "out.csv"], "emimpute: No such file or directory: 'none.csv'"),
        (["describe", "none.csv"], "emimpute: No such file or directory: 'none.csv'"),
        (["impute", "in.xlsx", "-o", "out.csv"], "names no format this command knows"),
        (["impute", "in.csv", "-o", "out.xlsx"], "names no format this command knows"),
        (["impute", "in.csv", "-o", "no/out.csv"], "there is no folder"),
        (["impute", "in.csv", "-o", "out.csv", "--report", "no/r.txt"], "there is no folder"),
        (
            ["impute", "in.csv", "-o", "out.csv", "--fill", "agee"],
            "emimpute: --fill: There is no column 'agee': did you mean 'age'",
        ),
        (["impute", "in.csv", "-o", "out.csv", "--columns", "age,nope"], "There is no column 'nope'"),
        (["impute", "in.csv", "-o", "out.csv", "--kinds", "age=reel"], "no kind 'reel': did you mean 'real'?"),
        (["impute", "in.csv", "-o", "out.csv", "--kinds", "nope=real"], "--kinds: There is no column 'nope'"),
        (["impute", "in.csv", "-o", "out.csv", "--weights", "wait"], "There is no column 'wait'"),
        (["impute", "in.csv", "-o", "out.csv", "--index-col", "ID"], "There is no column 'ID'"),
        (["impute", "in.csv", "-o", "out.csv", "--prior", "rigde"], "rigde"),
        (["impute", "in.csv", "-o", "out.csv", "--columns", "when,age"], "'when'"),
        (["impute", "in.csv", "-o", "out.csv", "--kinds", "age"], "--kinds: expected COLUMN=KIND,..., got 'age'"),
        (["impute", "in.csv", "-o", "out.csv", "--tol", "0"], "--tol: expected a positive number, got '0'"),
        (["impute", "in.csv", "-o", "out.csv", "--tol", "x"], "--tol: expected a positive number, got 'x'"),
        (["impute", "in.csv", "-o", "out.csv", "--max-iter", "0"], "--max-iter: expected a whole number, 1 or more"),
        (["impute", "in.csv", "-o", "out.csv", "--sep", "::"], "--sep: expected one character"),
        (["impute", "in.csv", "-o", "out.csv", "--report", "r.pdf"], "--report: expected a name that ends in .txt"),
        (["impute", "in.csv", "-o", "out.csv", "--encoding", "utf-99"], "there is no encoding 'utf-99'"),
        (["impute", "in.csv"], "required: -o/--output (see emimpute impute --help)"),
        (["impute", "in.csv", "-o", "out.csv", "--forse"], "unrecognized arguments: --forse"),
        ([], "required: COMMAND (see emimpute --help)"),
        (["guess"], "invalid choice: 'guess'"),
    ],
)
@pytest.mark.usefixtures("here")
def test_bad_input_is_one_sentence_and_exit_2(capsys, argv, says):
    """On stderr, without a traceback, and nothing is written."""
    assert says in refused(capsys, *argv)
    assert names() == ["in.csv"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("x,y\n1,2\n3\n", "line 3: got 1 fields where the header has 2"),
        ("x,y\n1,inf\n2,\n3,4\n", "'y' holds infinity"),
        ("x,y\n,\n,\n", "There is nothing to learn from"),
    ],
)
@pytest.mark.usefixtures("here")
def test_bad_tables_too(capsys, text, says):
    """Whether the reader or the model finds it out."""
    Path("bad.csv").write_text(text)
    assert says in refused(capsys, "impute", "bad.csv", "-o", "out.csv")
    assert not Path("out.csv").exists()


@pytest.mark.usefixtures("here")
def test_a_report_that_fails_leaves_no_output(capsys, monkeypatch):
    """Both are whole before either takes its place."""

    def full(_, path, **__):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("emimpute.interfaces.cli.imputing.write", full)
    argv = ["impute", "in.csv", "-o", "out.csv", "--report", "r.txt", *COLUMNS]
    assert "No space left on device" in refused(capsys, *argv)
    assert names() == ["in.csv"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read and write anything")
def test_no_permission(here, capsys):
    """To read, or to write into the folder."""
    Path("in.csv").chmod(0)
    assert "Permission denied: 'in.csv'" in refused(capsys, "describe", "in.csv")
    Path("in.csv").chmod(0o600)
    here.chmod(0o500)
    try:
        assert "no permission to write 'out.csv'" in refused(capsys, "impute", "in.csv", "-o", "out.csv")
    finally:
        here.chmod(0o700)


@pytest.mark.usefixtures("here")
def test_an_interrupt_is_130(capsys, monkeypatch):
    """As shells expect of Ctrl-C; the old output is there."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write", stop)
    Path("out.csv").write_text("old")
    argv = ["impute", "in.csv", "-o", "out.csv", "--force", *COLUMNS]
    assert refused(capsys, *argv, code=130) == "emimpute: interrupted"
    assert Path("out.csv").read_text() == "old"
    assert names() == ["in.csv", "out.csv"]


@pytest.mark.usefixtures("here")
def test_a_bug_is_not_hidden(monkeypatch):
    """What nobody foresaw keeps its traceback; Python then exits with 1."""
    monkeypatch.setattr(files, "read", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["describe", "in.csv"])


HALF = """
import sys, time
from pathlib import Path
from emimpute.interfaces import cli, files

def half(table, done, draft, form):
    draft.write_text("id,age,inc")
    print("half", flush=True)
    time.sleep(60)

files.write = half
sys.exit(cli.main(["impute", "in.csv", "-o", "out.csv", "--force", "--quiet", "--columns", "age,income,wave"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
@pytest.mark.usefixtures("here")
def test_killed_half_way_the_old_output_is_intact(number, code):
    """The new one is written beside it, and had not taken its place."""
    Path("out.csv").write_text("old")
    env = os.environ | {"PYTHONPATH": str(Path(emimpute.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", HALF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == code
    assert Path("out.csv").read_text() == "old"
    if number == signal.SIGINT:  # who is asked to stop tidies up
        assert names() == ["in.csv", "out.csv"]


# --- describe ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_describe(capsys):
    """What is missing, column by column, in which patterns, and which columns never meet."""
    Path("d.csv").write_text("a,b,c,word,name,empty\n1,,3,x,u,\n2,,,x,v,\n3,1.5,,,w,\n4,2.5,,y,k,\n1,,7,x,m,\n")
    assert main(["describe", "d.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    text = str(files.read(Path("d.csv")).frame.word.dtype)
    assert out.splitlines() == [
        "d.csv: 5 rows, 6 columns",
        "12 of 30 cells missing (40.0 %), 0 rows complete",
        "",
        f"column  {'dtype':7}  missing      %  kind",
        "a       int64          0    0.0  real",
        "b       float64        3   60.0  real",
        "c       Int64          3   60.0  real",
        f"word    {text:7}        1   20.0  binary",
        f"name    {text:7}        0    0.0  left alone (text)",
        "empty   float64        5  100.0  left alone (empty)",
        "",
        "patterns of missing cells: 4",
        "rows     %  missing",
        "   2  40.0  b, empty",
        "   1  20.0  c, empty",
        "   1  20.0  b, c, empty",
        "   1  20.0  c, word, empty",
        "",
        "pairs of columns never observed together: 1",
        "  b and c",
    ]


@pytest.mark.usefixtures("here")
def test_describe_wide_long_and_empty_tables(capsys):
    """Sixty columns and their hundred patterns stay readable, and no rows are no error."""
    rng = np.random.default_rng(1)
    values = pd.DataFrame(rng.normal(size=(100, 60))).add_prefix("a rather long label for column number ")
    values[rng.random(values.shape) < 0.5] = np.nan
    values.to_csv("wide.csv", index=False)
    assert main(["describe", "wide.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) < 60 + 10 + 15
    assert "patterns of missing cells: 100, the 10 most frequent" in lines
    assert all(re.search(r" and \d+ more$", line) for line in lines[-12:-2])
    Path("none.csv").write_text("x,y\n")
    assert main(["describe", "none.csv"]) == 0
    assert "0 rows, 2 columns" in capsys.readouterr().out


# --- the words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "shows"),
    [
        (["--help"], ["impute", "describe", "COMMAND --help"]),
        (
            ["impute", "--help"],
            ["examples:", "impute survey.csv -o done.csv", "exit codes:", "integers", "--na"],
        ),
        (["describe", "--help"], ["example:", "exit codes:"]),
        (["--version"], ["emimpute"]),
    ],
)
def test_help_and_version(capsys, argv, shows):
    """With examples, what counts as missing, and the exit codes."""
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in shows)


def test_the_examples_of_the_help_are_understood():
    """Every command line in it parses."""
    lines = re.findall(r"^  emimpute (.+?)(?: \|.*)?$", words.IMPUTE + words.DESCRIBE + mcar.MCAR, flags=re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        assert words.parser().parse_args(line.split()).run


@pytest.mark.usefixtures("here")
def test_python_m_emimpute_is_the_command():
    """In a process of its own, with the exit code of the command."""
    env = os.environ | {"PYTHONPATH": str(Path(emimpute.__file__).parents[1])}

    def run(*argv):
        command = [sys.executable, "-m", "emimpute", *argv]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False)

    done = run("impute", "in.csv", "-o", "out.csv", *COLUMNS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("left missing\n")
    bad = run("impute", "in.csv", "-o", "out.csv")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX systems")
@pytest.mark.usefixtures("here")
def test_a_reader_that_stops_early_costs_nothing():
    """`emimpute ... -o out.csv | head -0` writes the file and makes no noise."""
    env = os.environ | {"PYTHONPATH": str(Path(emimpute.__file__).parents[1])}
    argv = [sys.executable, "-m", "emimpute", "impute", "in.csv", "-o", "out.csv", *COLUMNS]
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(argv, stdout=write, stderr=subprocess.PIPE, env=env, check=False)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path("out.csv").exists()


@pytest.mark.usefixtures("here")
def test_a_label_that_the_terminal_cannot_show_stops_nothing():
    """It is shown with question marks."""
    Path("é.csv").write_text("é,ü\n1,2\n,3\n4,5\n", encoding="utf-8")
    env = os.environ | {"PYTHONPATH": str(Path(emimpute.__file__).parents[1]), "PYTHONIOENCODING": "ascii"}
    argv = [sys.executable, "-m", "emimpute", "describe", "é.csv"]
    done = subprocess.run(argv, capture_output=True, env=env, check=False)
    assert done.returncode == 0
    assert b"\n?       Int64" in done.stdout


def test_another_separator_is_not_taken_for_one_column(tmp_path, capsys):
    """A table of semicolons has no gap as one column; to complete it in silence would be to lose it."""
    path = tmp_path / "german.csv"
    path.write_text("x;y\n1;2\n2;\n3;4\n")
    assert main(["impute", str(path), "-o", str(tmp_path / "out.csv")]) == 2
    assert "--sep ';'" in capsys.readouterr().err
    assert main(["impute", str(path), "-o", str(tmp_path / "out.csv"), "--sep", ";"]) == 0
    assert (tmp_path / "out.csv").read_text().splitlines()[2] == "2;3"


def test_counts_of_rows_in_the_test(tmp_path, capsys):
    """A row of weight 2 is two rows; the weights are not tested; what the other test cannot take is refused."""
    table = pd.DataFrame({"x": range(12), "y": [3.0, 1, 4, 1, 5, 9, 2, 6] + [None] * 4, "rows": [1, 2] * 6})
    table.to_csv(tmp_path / "counts.csv", index=False)
    table.loc[table.index.repeat(table["rows"]), ["x", "y"]].to_csv(tmp_path / "rows.csv", index=False)
    said = []
    for argv in (["counts.csv", "--weights", "rows"], ["rows.csv"]):
        assert main(["mcar", str(tmp_path / argv[0]), *argv[1:]]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "18 rows" in said[0]
    assert main(["mcar", str(tmp_path / "counts.csv"), "--weights", "row"]) == 2
    assert "--weights: There is no column 'row'" in capsys.readouterr().err
    assert main(["mcar", str(tmp_path / "counts.csv"), "--weights", "rows", "--covariances"]) == 2
    assert "leave out --weights" in capsys.readouterr().err
    table.assign(rows=0.5).to_csv(tmp_path / "half.csv", index=False)
    assert main(["mcar", str(tmp_path / "half.csv"), "--weights", "rows"]) == 2
    assert "whole numbers" in capsys.readouterr().err
