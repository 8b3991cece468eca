"""How a fit is told: a line in the log, the report that was asked for, and at most one warning of each class."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emimpute.errors import EMImputeError
from emimpute.results.problems import warn_of

if TYPE_CHECKING:
    import pandas as pd

    from emimpute.results.fit import Fit
    from emimpute.results.problems import Problem

    Report = bool | Callable[[Fit], object] | str | os.PathLike[str] | None

__all__ = ["LOG", "check_ending", "check_report", "path_of", "reads_rows", "tell", "write"]

LOG = logging.getLogger("emimpute")
_ENDINGS = (".txt", ".html", ".json")


def check_report(report: object) -> None:
    """Raise EMImputeError for what cannot be a ``report=``, before any work is done for it."""
    if isinstance(report, str | os.PathLike):
        check_ending(report)
        folder = Path(report).absolute().parent
        if not folder.is_dir():
            raise EMImputeError(
                f"report= names a file in the folder {str(folder)!r}, which does not exist: make it first."
            )
    elif not (report is None or isinstance(report, bool) or callable(report)):
        what = type(report).__name__
        msg = f"report= takes None, True, a function that receives the Fit, or a path; this is of type {what}."
        raise EMImputeError(msg)


def check_ending(path: str | os.PathLike[str]) -> str:
    """The ending of ``path`` that says how to write. Raises EMImputeError for one that says nothing."""
    ending = Path(path).suffix.lower()
    if ending not in _ENDINGS:
        msg = (
            f"A report is written as .txt, .html or .json, by the path's ending, and this path is {os.fspath(path)!r}."
        )
        raise EMImputeError(msg)
    return ending


def reads_rows(report: Report) -> bool:
    """Whether a report needs the rows that were fitted, so that the fit has to keep them."""
    return callable(report) or (isinstance(report, str | os.PathLike) and check_ending(report) == ".html")


def write(
    fit: Fit,
    path: str | os.PathLike[str],
    *,
    done: pd.DataFrame | None = None,
    how: str = "expected",
    title: str = "",
    say: Callable[[str], str] = str,
) -> None:
    """Write the report on ``fit`` to ``path``, by its ending; the other arguments are for the page.

    ``done`` is the completed frame, of all groups where there are several; see :func:`emimpute.results.page.page`.
    """
    ending = check_ending(path)
    if ending == ".html":
        from emimpute.results.page import page  # noqa: PLC0415 (importing emimpute stays light)

        own = done if done is None or fit.part is None or len(done) == fit.rows else done.iloc[fit.part]
        text = page(fit, done=own, how=how, title=title, say=say)
    else:
        text = say(fit.summary()) if ending == ".txt" else fit.to_json()
    Path(path).write_text(text + "\n", encoding="utf-8")


def tell(
    fits: Sequence[Fit],
    problems: Iterable[Problem],
    report: Report,
    done: pd.DataFrame | None = None,
    *,
    drawn: bool = False,
) -> None:
    """Say how it went. Warnings come last, so that the report is there even where warnings are errors.

    ``done`` is the completed frame, if there is one, and ``drawn`` says that its filled cells were drawn.
    """
    for number, fit in enumerate(fits, start=1):
        LOG.info(
            "%s%s rows=%d columns=%d E-steps=%d loglik=%.6f",
            *(f"{fit.group}: " if fit.group else "", fit.stop.value),
            *(fit.rows, len(fit.gaps), fit.n_iter, fit.loglik),
        )
        if callable(report):
            report(fit)
        elif isinstance(report, str | os.PathLike):
            write(fit, path_of(fit, Path(report), number), done=done, how="drawn" if drawn else "expected")
        elif report:
            print(fit.summary())  # noqa: T201 (report=True asks for it)
    if report is None or report is False:
        warn_of(problems)
    else:  # whoever has a report, is not told to ask for one
        path = os.fspath(report) if isinstance(report, str | os.PathLike) and len(fits) == 1 else ""
        warn_of(problems, "" if report is True else f"For more, see {path or 'fit.problems'}.")


def path_of(fit: Fit, path: Path, number: int) -> Path:
    """Where a fit's report goes: a group's number makes the file unique, its name makes it known."""
    if not fit.group:
        return path
    name = re.sub(r"\W+", "-", fit.group)[:_NAME].strip("-")
    return path.with_stem(f"{path.stem}-{number}-{name}")


_NAME = 60  # characters of a group's name in a file's
