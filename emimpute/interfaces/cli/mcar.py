"""``emimpute mcar``: test whether cells are missing completely at random."""

from __future__ import annotations

import argparse
import re
import sys

from emimpute.errors import EMImputeError
from emimpute.interfaces.cli import values
from emimpute.interfaces.cli.imputing import labels, read
from emimpute.interfaces.cli.speech import in_our_words, say
from emimpute.mechanism import homogeneity_test, mcar_test

__all__ = ["MCAR", "options", "run"]

MCAR = """\
examples:
  emimpute mcar survey.csv
  emimpute mcar survey.csv --columns income,age,score --bootstrap 999
  emimpute mcar counts.csv --weights rows
  emimpute mcar survey.csv --covariances

Little's test of whether the missingness patterns differ in their means, over the columns of numbers; the others are
left out and named. --covariances asks the same of their covariances besides (Jamshidian and Jalal).

exit codes: 0 tested, whatever the answer; 2 bad input or arguments, one sentence on stderr; 130 interrupted; 1 a bug in
emimpute."""


def options(parser: argparse.ArgumentParser) -> None:
    """What the test may be told."""
    group = parser.add_argument_group("test")
    group.add_argument(
        "--columns",
        metavar="A,B",
        type=values.names,
        action="extend",
        help="what is tested (default: every column of numbers)",
    )
    group.add_argument(
        "--weights", metavar="NAME", help="a column of counts: how many rows each row stands for; not tested itself"
    )
    group.add_argument(
        "--ddof", type=int, choices=(0, 1), default=0, help="1: covariances of divisor n - 1 (default: n)"
    )
    group.add_argument(
        "--bootstrap", metavar="B", type=values.count, default=0, help="also a p-value from so many simulated tables"
    )
    group.add_argument(
        "--covariances", action="store_true", help="test as well whether the patterns have one covariance matrix"
    )
    group.add_argument(
        "--rng", metavar="SEED", type=values.seed, default=0, help="of what is simulated (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Say it on stdout and return the exit code."""
    frame = read(args).frame
    columns = labels(frame, args.columns, "--columns")
    if args.weights is not None and args.covariances:
        raise EMImputeError(
            "--covariances takes each row once: leave out --weights, or write a row as often as it counts."
        )
    weights = labels(frame, None if args.weights is None else [args.weights], "--weights")
    options = {"ddof": args.ddof, "bootstrap": args.bootstrap, "rng": args.rng}
    found = [mcar_test(frame, columns=columns, weights=weights and weights[0], **options).summary()]
    if args.covariances:
        found.append(homogeneity_test(frame, columns=columns, rng=args.rng).summary())
    said = in_our_words("\n\n".join(found))
    for words, ours in _OURS:
        said = words.sub(ours, said)
    say(said, sys.stdout)
    return 0


_OURS = [  # lines may break anywhere
    (re.compile(r"\s".join(words.split())), ours)
    for words, ours in (
        (r"\bbootstrap=999", "--bootstrap 999"),
        (r"estimate \(see emimpute\.fit\(df\)\.problems\)", "estimate"),
        (r"Pass a smaller smallest=, or fewer columns\.", "Name fewer --columns."),
    )
]
