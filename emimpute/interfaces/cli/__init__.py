"""The command line: ``emimpute impute in.csv -o out.csv`` and ``emimpute describe in.csv``.

A door like the accessor: it translates words into a call, and the answer into files, lines and an exit code. What is
computed, the package computes; how files are read and written so that nothing is lost, :mod:`emimpute.interfaces.files`
knows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from emimpute.errors import EMImputeError
from emimpute.interfaces.cli.speech import complain, in_our_words, plain_warnings
from emimpute.interfaces.cli.words import parser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the words ``argv`` (default: the process's own) and return its exit code."""
    try:
        args = parser().parse_args(argv)
        with plain_warnings():
            code: int = args.run(args)
            sys.stdout.flush()
    except SystemExit as stop:  # argparse has said what there is to say
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    except BrokenPipeError:  # the reader of a pipe, head for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EMImputeError as error:
        return complain(in_our_words(str(error)))
    except OSError as error:
        where = "" if error.filename is None else f": {str(error.filename)!r}"
        return complain(f"{error.strerror or error}{where}")
    return code
