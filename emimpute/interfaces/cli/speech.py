"""How the command speaks: one line for each warning or refusal, in characters that the terminal has.

The package's own messages tell of arguments and attributes; who works in a shell has options and files, so they are put
into :func:`in_our_words` first.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, TextIO

from emimpute.errors import EMImputeWarning

__all__ = ["complain", "in_our_words", "plain_warnings", "progress_lines", "say", "some", "warn"]


def complain(message: str, code: int = 2) -> int:
    """Say on stderr, in one line, why there is no result; returns the exit code."""
    say(f"emimpute: {' '.join(message.split())}", sys.stderr)
    return code


def warn(message: str) -> None:
    """Say on stderr, in one line, what is worth knowing of a result."""
    say(f"warning: {' '.join(message.split())}", sys.stderr)


def say(text: str, stream: TextIO) -> None:
    """Print, with a ``?`` for what the terminal's encoding lacks: a label must not stop the command."""
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Say each warning of the package in one line on stderr, without the place that means nothing to a shell."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=EMImputeWarning)
        elsewhere = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, EMImputeWarning):
                warn(in_our_words(str(message)))
            else:
                elsewhere(message, category, *place, **more)

        warnings.showwarning = show
        yield


def some(count: int, what: str) -> str:
    """A count with its noun: ``1 cell``, ``2 cells``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


@contextlib.contextmanager
def progress_lines(*, shown: bool) -> Iterator[None]:
    """Have the lines of the log on stderr where they are all there is to show; with tqdm there is a bar."""
    if not shown or find_spec("tqdm") is not None:
        yield
        return
    log, handler = logging.getLogger("emimpute"), logging.StreamHandler(sys.stderr)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(handler)


def in_our_words(message: str) -> str:
    """A message of the package with options for its arguments, and the report for its attributes.

    >>> in_our_words("prior=None refuses to go on. Raise max_iter, and see fit.trace.")
    '--prior none refuses to go on. Raise --max-iter, and see the trace in --report fit.json.'
    """
    for words, ours in _OURS:
        message = words.sub(ours, message)
    return message


_REPORT = "--report fit.json"
_TEXT = "leave it out, or give a parquet file if these are dates, which in a text file are text"
_OURS = [
    (re.compile(words), ours)
    for words, ours in (
        (r"For more, see fit\.problems(?:, or pass report=True)?", f"For more, add {_REPORT}"),
        (r"convert it with pd\.to_numeric or pd\.to_datetime", _TEXT),
        (r"fit\.mean, fit\.kinds", _REPORT),
        (r"\bfit\.(problems|trace)", rf"the \1 in {_REPORT}"),
        (r"\bprior=None", "--prior none"),
        (r"\bprior=(?:'|&#x27;)(\w+)(?:'|&#x27;)", r"--prior \1"),  # also as HTML has it
        (r"\bkinds=\{(?:'|&#x27;)(\w+)(?:'|&#x27;): (?:'|&#x27;)(\w+)(?:'|&#x27;)\}", r"--kinds \1=\2"),
        (r"\b(columns|fill|kinds|prior|weights|by|tol|starts|rng)=", r"--\1"),
        (r"\b(Raise|at) max_iter\b", r"\1 --max-iter"),
        (r"\bRaise tol\b", "Raise --tol"),
    )
]
