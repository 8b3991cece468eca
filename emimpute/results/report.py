"""How a fit is told: a line in the log, the report that was asked for, and at most one warning of each class."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from emimpute.errors import EMImputeError
from emimpute.results.problems import warn_of

if TYPE_CHECKING:
    from emimpute.results.fit import Fit

    Report = bool | Callable[[Fit], object] | str | os.PathLike[str] | None

__all__ = ["LOG", "check_ending", "check_report", "tell"]

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


def tell(fit: Fit, report: Report) -> None:
    """Say how it went. Warnings come last, so that the report is there even where warnings are errors."""
    LOG.info(
        "%s rows=%d columns=%d E-steps=%d loglik=%.6f",
        *(fit.stop.value, fit.rows, len(fit.gaps), fit.n_iter, fit.loglik),
    )
    if callable(report):
        report(fit)
    elif isinstance(report, str | os.PathLike):
        fit.report(report)
    elif report:
        print(fit.summary())  # noqa: T201 (report=True asks for it)
    warn_of(fit.findings)
