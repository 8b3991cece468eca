"""The command line: ``emimpute impute in.csv -o out.csv`` and ``emimpute describe in.csv``.

A door like the accessor: it translates words into a call, and the answer into files, lines and an exit code. What is
computed, the package computes; how files are read and written so that nothing is lost, :mod:`.files` knows.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import math
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import numpy as np

from emimpute._impute import impute
from emimpute.errors import EMImputeError, EMImputeWarning, unknown
from emimpute.interfaces import files
from emimpute.kinds.reading import missing
from emimpute.kinds.registry import choose
from emimpute.missingness import coverage, patterns

if TYPE_CHECKING:
    import pandas as pd

REPORTS = (".txt", ".json", ".html")
SHOWN = 10  # patterns, and pairs never observed together, that `describe` lists
WIDTH = 90  # characters of labels in a line of `describe`
LABEL = 30  # characters of one label

MISSING = """\
A csv or tsv field is missing if it is empty or NA, N/A, NaN, nan, NULL, null, None, #N/A and the like (the list of
pandas.read_csv), blanks around it aside; --na adds to these. A column whose other fields are all integers is filled
with integers (pandas.read_csv would make it float as soon as one is missing); one written 3.0, 4.0 with decimals.
Text, dates and codes with leading zeros (007) are left alone. A first column without a name holds row labels."""

IMPUTE = f"""\
examples:
  emimpute impute survey.csv -o done.csv
  emimpute impute survey.csv -o done.parquet --fill income,age --report fit.html
  emimpute impute survey.csv -o done.csv --kinds income=real --na -99 --index-col id
  emimpute impute survey.tsv.gz -o - --quiet | head

{MISSING}

In csv and tsv every other field, the header and the line ends come back to the letter; from parquet or feather to the
same, every other cell and its type. The output is written beside its place and moved there when whole.

exit codes: 0 written (also if EM did not converge: then a warning on stderr says so and the best estimate was used);
2 bad input or arguments, nothing written, one sentence on stderr; 130 interrupted; 1 a bug in emimpute."""

DESCRIBE = f"""\
example:
  emimpute describe survey.csv

{MISSING}

exit codes: 0 described; 2 bad input or arguments, one sentence on stderr; 130 interrupted; 1 a bug in emimpute."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the words ``argv`` (default: the process's own) and return its exit code."""
    try:
        args = _parser().parse_args(argv)
        with _plain_warnings():
            code: int = args.run(args)
            sys.stdout.flush()
    except SystemExit as stop:  # argparse has said what there is to say
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except BrokenPipeError:  # the reader of a pipe, head for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EMImputeError as error:
        return _complain(str(error))
    except OSError as error:
        where = "" if error.filename is None else f": {str(error.filename)!r}"
        return _complain(f"{error.strerror or error}{where}")
    return code


def _complain(message: str, code: int = 2) -> int:
    _say(f"emimpute: {' '.join(message.split())}", sys.stderr)
    return code


def _say(text: str, stream: TextIO) -> None:
    """Print, with a ``?`` for what the terminal's encoding lacks: a label must not stop the command."""
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Say each warning of the package in one line on stderr, without the place that means nothing to a shell."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=EMImputeWarning)
        elsewhere = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, EMImputeWarning):
                _warn(str(message))
            else:
                elsewhere(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _warn(message: str) -> None:
    _say(f"warning: {' '.join(message.split())}", sys.stderr)


# --- the words --------------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Refuses in one sentence; argparse would print the whole usage first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            print("emimpute", version("emimpute"))
        except PackageNotFoundError:
            print("emimpute, not installed but run from its sources")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="emimpute",
        description="Fill the gaps of a table by expectation-maximisation.",
        epilog="emimpute COMMAND --help tells more, with examples.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    impute = commands.add_parser(
        "impute",
        help="fill the gaps and write the completed table",
        description="Fill the gaps of a table and write it, completed, to another file.",
        epilog=IMPUTE,
        formatter_class=raw,
        allow_abbrev=False,
    )
    _reading(impute)
    _modelling(impute)
    _writing(impute)
    impute.set_defaults(run=_impute)

    describe = commands.add_parser(
        "describe",
        help="say what is missing",
        description="Say what is missing in a table: by column, in which patterns, and which columns never meet.",
        epilog=DESCRIBE,
        formatter_class=raw,
        allow_abbrev=False,
    )
    _reading(describe)
    describe.set_defaults(run=_describe, kinds={})
    return parser


def _reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading")
    group.add_argument("input", metavar="IN", type=Path, help="csv, tsv (also .gz), parquet or feather, by its ending")
    group.add_argument(
        "--na",
        metavar="VALUE",
        action="append",
        default=[],
        help="a field, as written in the file, that is missing too; repeatable",
    )
    group.add_argument("--index-col", metavar="NAME", help="a column that only labels the rows, and is no data")
    group.add_argument("--sep", type=_separator, help="what parts the fields of a text file (default: by its ending)")
    group.add_argument("--encoding", default="utf-8", help="of a text file (default: %(default)s)")


def _modelling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument(
        "--columns",
        metavar="A,B",
        type=_names,
        action="extend",
        help="what enters the model (default: every column it can use)",
    )
    group.add_argument(
        "--fill",
        metavar="A,B",
        type=_names,
        action="extend",
        help="which of them to fill (default: all)",
    )
    group.add_argument(
        "--kinds",
        metavar="A=KIND,B=KIND",
        type=_pairs,
        default={},
        action=_Merge,
        help="how to take a column, for instance income=real",
    )
    group.add_argument(
        "--prior",
        metavar="PRIOR",
        type=_prior,
        default="fallback",
        help="fallback (default): maximum likelihood where it exists, else a ridge; none: maximum likelihood or "
        "nothing; auto: the ridge, or none, that predicts held-out cells best; ridge: the usual ridge; a number: the "
        "ridge's degrees of freedom",
    )
    group.add_argument("--weights", metavar="NAME", help="a column of case weights")
    group.add_argument(
        "--tol",
        metavar="T",
        type=_positive,
        default=1e-6,
        help="stop when the estimated distance to the maximiser is below this (default: %(default)s)",
    )
    group.add_argument(
        "--max-iter", metavar="N", type=_count, default=1000, help="iterations at most (default: %(default)s)"
    )
    group.add_argument(
        "--starts",
        metavar="K",
        type=_count,
        default=1,
        help="start EM this often, from random places after the first time, and keep the best (default: %(default)s)",
    )
    group.add_argument(
        "--rng", metavar="SEED", type=_seed, default=0, help="of the random starts (default: %(default)s)"
    )


def _writing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("writing")
    group.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=Path,
        required=True,
        help="where to write, in the format of its ending; - for text to stdout",
    )
    group.add_argument(
        "--report", metavar="FILE", type=_report, help=f"write a report on the fit as well: {', '.join(REPORTS)}"
    )
    group.add_argument("--force", action="store_true", help="write over files that exist, the input too")
    group.add_argument("--quiet", action="store_true", help="print no summary; warnings still go to stderr")


class _Merge(argparse.Action):
    """``--kinds a=x --kinds b=y`` is ``--kinds a=x,b=y``."""

    def __call__(self, _: object, namespace: argparse.Namespace, values: Any, option: object = None) -> None:  # noqa: ARG002
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), **values})


def _names(text: str) -> list[str]:
    """Names parted by commas; quotes, as in csv, hold a name with a comma together."""
    return next(csv.reader([text]), [])


def _pairs(text: str) -> dict[str, str]:
    pairs = [name.rpartition("=") for name in _names(text)]
    if not all(label and kind for label, _, kind in pairs):
        raise argparse.ArgumentTypeError(f"expected COLUMN=KIND,..., got {text!r}")
    return {label: kind for label, _, kind in pairs}


def _prior(text: str) -> str | float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, got {text!r}")
    return int(text)


def _separator(text: str) -> str:
    sep = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(sep) != 1 or sep in '"\r\n':
        raise argparse.ArgumentTypeError(f"expected one character (or tab), got {text!r}")
    return sep


def _report(text: str) -> Path:
    if not text.lower().endswith(REPORTS):
        raise argparse.ArgumentTypeError(f"expected a name that ends in {', '.join(REPORTS)}, got {text!r}")
    return Path(text)


# --- impute -----------------------------------------------------------------------------------------------------------


def _impute(args: argparse.Namespace) -> int:
    form = _checked_targets(args)
    table = _read(args)
    frame = table.frame
    fits: list[Any] = []
    weights = _labels(frame, None if args.weights is None else [args.weights], "--weights")
    done = impute(
        frame,
        columns=_labels(frame, args.columns, "--columns"),
        fill=_labels(frame, args.fill, "--fill"),
        kinds=dict(zip(_labels(frame, args.kinds, "--kinds") or (), args.kinds.values(), strict=True)) or None,
        prior=args.prior,
        weights=None if weights is None else weights[0],
        tol=args.tol,
        max_iter=args.max_iter,
        starts=args.starts,
        rng=args.rng,
        report=fits.append,
    )
    said = sys.stderr if form is None else sys.stdout  # stdout may be the table's
    if args.report is not None and not fits:
        _warn(f"nothing was to be filled, so there is no fit and {str(args.report)!r} is not written.")
    _write(args, table, done, form, fits)
    if not args.quiet:  # only now: a pipe that closes early must not cost the file
        for fit in fits:
            _say(fit.summary(), said)
        _say(_outcome(args.output, table, done), said)
    return 0


def _read(args: argparse.Namespace) -> files.Table:
    how = files.Reading(tuple(args.na), args.sep, args.encoding, args.index_col, frozenset(args.kinds))
    return files.read(args.input, how)


def _checked_targets(args: argparse.Namespace) -> files.Format | None:
    """Find the output's format, None for stdout; refuse before the work what could not be written after it."""
    told = files.format_of(args.input)
    form = None
    if str(args.output) != "-":
        form = files.format_of(args.output)
        if args.sep is not None and form.sep is not None and told.sep in {None, form.sep}:
            form = replace(form, sep=args.sep)
        files.check_target(args.output, args.input, force=args.force)
    if args.report is not None:
        files.check_target(args.report, args.input, force=args.force)
    return form


def _labels(frame: pd.DataFrame, names: Iterable[str] | None, option: str) -> list[Any] | None:
    """Find the column labels that read ``names``, for labels need not be text; an unknown one is an EMImputeError."""
    if names is None:
        return None
    known = {str(label): label for label in frame.columns}
    for name in names:
        if name not in known:
            raise EMImputeError(f"{option}: {unknown('column', name, list(known))}")
    return [known[name] for name in names]


def _write(
    args: argparse.Namespace, table: files.Table, done: pd.DataFrame, form: files.Format | None, fits: list[Any]
) -> None:
    """Write the table and the report; both are whole before either takes its place."""
    with contextlib.ExitStack() as stack:
        if form is not None:
            files.write(table, done, stack.enter_context(files.replacing(args.output, force=args.force)), form)
        if args.report is not None and fits:
            fits[0].report(stack.enter_context(files.replacing(args.report, force=args.force)))
    if form is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(table.text(done, args.sep or files.format_of(args.input).sep or ","))


def _outcome(output: Path, table: files.Table, done: pd.DataFrame) -> str:
    filled = [rows.size for _, rows in table.filled(done)]
    left = [count for j in range(done.shape[1]) if (count := int(missing(done.iloc[:, j]).sum()))]
    sentence = (
        f"{_some(sum(filled), 'cell')} filled in {_some(len(filled), 'column')}"
        if filled
        else "no cell was to be filled"
    )
    if left:
        sentence += f"; {_some(sum(left), 'cell')} in {_some(len(left), 'column')} left missing"
    return f"wrote {'stdout' if str(output) == '-' else output}: {sentence}"


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


# --- describe ---------------------------------------------------------------------------------------------------------


def _describe(args: argparse.Namespace) -> int:
    frame = _read(args).frame
    found = patterns(frame)
    parts = [_size(args.input, frame, found), _columns(frame)]
    if len(frame):
        parts += [_patterns(frame, found), _never_together(frame)]
    _say("\n\n".join(parts), sys.stdout)
    return 0


def _size(path: Path, frame: pd.DataFrame, found: pd.DataFrame) -> str:
    rows, lacking = found.iloc[:, -2], found.iloc[:, -1]
    gaps, whole = int((rows * lacking).sum()), int(rows[lacking == 0].sum())
    share = f"{gaps} of {_some(frame.size, 'cell')} missing ({_percent(gaps, frame.size)} %)"
    return (
        f"{path}: {_some(len(frame), 'row')}, {_some(frame.shape[1], 'column')}\n"
        f"{share}, {_some(whole, 'row')} complete"
    )


def _columns(frame: pd.DataFrame) -> str:
    rows = []
    for j, label in enumerate(frame.columns):
        column = frame.iloc[:, j]
        gaps = int(missing(column).sum())
        kind = choose(column)
        name = "left alone (empty)" if gaps == len(frame) > 0 else "left alone" if kind is None else kind.name
        rows.append((_shown(label), str(column.dtype), str(gaps), _percent(gaps, len(frame)), name))
    return _table(("column", "dtype", "missing", "%", "kind"), rows)


def _patterns(frame: pd.DataFrame, found: pd.DataFrame) -> str:
    rows = []
    for observed, count in zip(found.iloc[:SHOWN, :-2].to_numpy(), found.iloc[:SHOWN, -2].tolist(), strict=True):
        labels = [_shown(label) for label, seen in zip(frame.columns, observed, strict=True) if not seen]
        rows.append((str(count), _percent(count, len(frame)), _listed(labels) if labels else "nothing"))
    most = "" if len(found) <= SHOWN else f", the {SHOWN} most frequent"
    return f"patterns of missing cells: {len(found)}{most}\n{_table(('rows', '%', 'missing'), rows)}"


def _never_together(frame: pd.DataFrame) -> str:
    """Name the pairs of columns of which no row has both; a column without any value is no news here."""
    together = coverage(frame).to_numpy()
    seen = together.diagonal() > 0
    pairs = np.argwhere(np.triu(together == 0, 1) & seen & seen[:, None])
    lines = [" and ".join(_shown(frame.columns[j]) for j in pair) for pair in pairs[:SHOWN]]
    more = [] if len(pairs) <= SHOWN else [f"and {len(pairs) - SHOWN} more"]
    return "\n".join(
        [f"pairs of columns never observed together: {len(pairs)}", *(f"  {line}" for line in lines + more)]
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _shown(label: object) -> str:
    """Make a label fit a cell of a table: one line, and not too long."""
    text = " ".join(str(label).split()) or repr(label)
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"


def _listed(labels: list[str]) -> str:
    """Join labels with commas, as many as a line holds."""
    line = ", ".join(labels)
    if len(line) <= WIDTH:
        return line
    held = next(k for k in range(len(labels) - 1, -1, -1) if len(", ".join(labels[:k])) <= WIDTH or not k)
    return f"{', '.join(labels[:held])} and {len(labels) - held} more"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Set rows under their heads; a column whose cells are all numbers stands on the right."""
    lines = []
    columns = list(zip(head, *rows, strict=True))
    right = [all(cell.replace(".", "").isdecimal() or cell == "-" for cell in cells[1:]) for cells in columns]
    widths = [max(map(len, cells)) for cells in columns]
    for row in zip(*columns, strict=True):
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
