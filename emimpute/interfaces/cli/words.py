"""The words of the command: its options, what they may hold, and its help."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from emimpute.interfaces.cli import describing, imputing, mcar, values

__all__ = ["DESCRIBE", "IMPUTE", "parser"]


MISSING = """\
A csv or tsv field is missing if it is empty or NA, N/A, NaN, nan, NULL, null, None, #N/A and the like (the list of
pandas.read_csv), blanks around it aside; --na adds to these. A column whose other fields are all integers is filled
with integers (pandas.read_csv would make it float as soon as one is missing); one written 3.0, 4.0 with decimals.
Text of up to twenty different answers is filled with one of them; text that tells rows apart (names, remarks, dates,
codes such as 007) is left alone. A first column without a name holds row labels."""


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


def parser() -> argparse.ArgumentParser:
    """What understands the command's words; the result's ``run`` does what they ask."""
    raw = argparse.RawDescriptionHelpFormatter
    words = _Parser(
        prog="emimpute",
        description="Fill the gaps of a table by expectation-maximisation.",
        epilog="emimpute COMMAND --help tells more, with examples.",
        allow_abbrev=False,
    )
    words.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = words.add_subparsers(title="commands", metavar="COMMAND", required=True)

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
    impute.set_defaults(run=imputing.run)

    describe = commands.add_parser(
        "describe",
        help="say what is missing",
        description="Say what is missing in a table: by column, in which patterns, and which columns never meet.",
        epilog=DESCRIBE,
        formatter_class=raw,
        allow_abbrev=False,
    )
    _reading(describe)
    describe.set_defaults(run=describing.run, kinds={})

    test = commands.add_parser(
        "mcar",
        help="test whether cells are missing completely at random",
        description="Test whether cells are missing completely at random: whether rows that lack the same differ.",
        epilog=mcar.MCAR,
        formatter_class=raw,
        allow_abbrev=False,
    )
    _reading(test)
    mcar.options(test)
    test.set_defaults(run=mcar.run, kinds={})
    return words


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


def _reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading")
    formats = "csv, tsv (also .gz), parquet, feather, sav or dta, by its ending"
    group.add_argument("input", metavar="IN", type=Path, help=formats)
    group.add_argument(
        "--na",
        metavar="VALUE",
        action="append",
        default=[],
        help="a field, as written in the file, that is missing too; repeatable",
    )
    group.add_argument("--index-col", metavar="NAME", help="a column that only labels the rows, and is no data")
    group.add_argument(
        "--sep", type=values.separator, help="what parts the fields of a text file (default: by its ending)"
    )
    group.add_argument("--encoding", default="utf-8", help="of a text file (default: %(default)s)")


def _modelling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument(
        "--columns",
        metavar="A,B",
        type=values.names,
        action="extend",
        help="what enters the model (default: every column it can use)",
    )
    group.add_argument(
        "--fill",
        metavar="A,B",
        type=values.names,
        action="extend",
        help="which of them to fill (default: all)",
    )
    group.add_argument(
        "--kinds",
        metavar="A=KIND,B=KIND",
        type=values.pairs,
        default={},
        action=values.Merge,
        help="how to take a column, for instance income=real",
    )
    group.add_argument(
        "--prior",
        metavar="PRIOR",
        type=values.prior,
        default="fallback",
        help="fallback (default): maximum likelihood where it exists, else a ridge; none: maximum likelihood or "
        "nothing; auto: the ridge, or none, that predicts held-out cells best; ridge: the usual ridge; a number: the "
        "ridge's degrees of freedom",
    )
    group.add_argument("--weights", metavar="NAME", help="a column of case weights")
    group.add_argument(
        "--by",
        metavar="A,B",
        type=values.names,
        action="extend",
        help="fit the groups that these columns tell apart, each by itself",
    )
    group.add_argument(
        "--tol",
        metavar="T",
        type=values.positive,
        default=1e-6,
        help="stop when the estimated distance to the maximiser is below this (default: %(default)s)",
    )
    group.add_argument(
        "--max-iter", metavar="N", type=values.count, default=1000, help="iterations at most (default: %(default)s)"
    )
    group.add_argument(
        "--starts",
        metavar="K",
        type=values.count,
        default=1,
        help="start EM this often, from random places after the first time, and keep the best (default: %(default)s)",
    )
    group.add_argument(
        "--rng", metavar="SEED", type=values.seed, default=0, help="of the random starts (default: %(default)s)"
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
        "--report",
        metavar="FILE",
        type=values.report,
        help=f"write a report on the fit as well: {', '.join(values.REPORTS)}",
    )
    group.add_argument("--force", action="store_true", help="write over files that exist, the input too")
    group.add_argument(
        "--progress", action="store_true", help="show on stderr how far it is, and about how much is left"
    )
    group.add_argument("--quiet", action="store_true", help="print no summary; warnings still go to stderr")
