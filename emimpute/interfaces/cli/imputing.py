"""``emimpute impute``: read a table, complete it, write it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emimpute._impute import impute
from emimpute.errors import EMImputeError, unknown
from emimpute.interfaces import files
from emimpute.interfaces.cli.speech import in_our_words, progress_lines, say, some, warn
from emimpute.kinds.reading import missing
from emimpute.results.report import path_of, write

if TYPE_CHECKING:
    import pandas as pd

    from emimpute.results.fit import Fit

__all__ = ["labels", "read", "run"]


def run(args: argparse.Namespace) -> int:
    """Do what ``args`` ask and return the exit code."""
    form = _checked_targets(args)
    table = read(args)
    frame = table.frame
    fits: list[Any] = []
    weights = labels(frame, None if args.weights is None else [args.weights], "--weights")
    with progress_lines(shown=args.progress):
        done = impute(
            frame,
            columns=labels(frame, args.columns, "--columns"),
            fill=labels(frame, args.fill, "--fill"),
            kinds=dict(zip(labels(frame, args.kinds, "--kinds") or (), args.kinds.values(), strict=True)) or None,
            prior=args.prior,
            weights=None if weights is None else weights[0],
            by=labels(frame, args.by, "--by"),
            where=table.where,
            tol=args.tol,
            max_iter=args.max_iter,
            starts=args.starts,
            rng=args.rng,
            report=fits.append,
            progress=args.progress,
        )
    said = sys.stderr if form is None else sys.stdout  # stdout may be the table's
    if args.report is not None and not fits:
        warn(f"nothing was to be filled, so there is no fit and {str(args.report)!r} is not written.")
    _write(args, table, done, form, fits)
    if not args.quiet:  # only now: a pipe that closes early must not cost the file
        for fit in fits:
            say(in_our_words(fit.summary()), said)
        say(_outcome(args.output, table, done), said)
    return 0


def read(args: argparse.Namespace) -> files.Table:
    """The table that ``args`` name."""
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


def labels(frame: pd.DataFrame, names: Iterable[str] | None, option: str) -> list[Any] | None:
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
        for number, fit in enumerate(fits if args.report is not None else (), start=1):
            path = path_of(fit, args.report, number)
            draft = stack.enter_context(files.replacing(path, force=args.force))
            write(fit, draft, done=done, title=_title(args.input, fit), say=in_our_words)
    if form is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(table.text(done, args.sep or files.format_of(args.input).sep or ","))


def _title(source: Path, fit: Fit) -> str:
    """What stands above a report."""
    return f"{source.name}: {fit.group}" if fit.group else source.name


def _outcome(output: Path, table: files.Table, done: pd.DataFrame) -> str:
    filled = [rows.size for _, rows in table.filled(done)]
    left = [count for j in range(done.shape[1]) if (count := int(missing(done.iloc[:, j]).sum()))]
    sentence = (
        f"{some(sum(filled), 'cell')} filled in {some(len(filled), 'column')}" if filled else "no cell was to be filled"
    )
    if left:
        sentence += f"; {some(sum(left), 'cell')} in {some(len(left), 'column')} left missing"
    return f"wrote {'stdout' if str(output) == '-' else output}: {sentence}"
