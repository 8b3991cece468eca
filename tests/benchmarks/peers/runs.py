"""One peer on one table, in a process of its own, with one BLAS thread and a time limit.

A process a run: what a peer caches or leaks is its own, its peak of memory can be told, and one that takes too long can
be ended. A peer that is not installed is an outcome like another. The clock starts when the process has loaded its
libraries and its table.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from .inside import PEERS

HERE = Path(__file__).parent
R_PEERS = {"norm2 emNorm": "norm2", "Amelia EM": "Amelia", "lavaan FIML": "lavaan", "mice norm": "mice"}
NAMES = (*PEERS, *R_PEERS)
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_NOT_THERE = "not installed"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one run: seconds and an estimate, or a ``note`` that says why there is none."""

    cpu: tuple[float, ...] = ()  # processor seconds of every call
    wall: tuple[float, ...] = ()
    extra: float = float("nan")  # bytes by which the first call raised the process's peak
    mean: np.ndarray | None = None  # (d,)
    cov: np.ndarray | None = None  # (d, d)
    note: str = ""


def run(name: str, path: Path, columns: int, limit: float) -> Outcome:
    """The peer ``name`` on the table of that many columns at ``path``, ended after ``limit`` processor seconds.

    The limit is rounded up to whole seconds; where the system cannot count them, it is of wall time.
    """
    command = _command(name)
    if command is None:
        return Outcome(note=_NOT_THERE)
    out = path.with_suffix(".estimate")
    out.unlink(missing_ok=True)
    arguments = [*command, str(path), str(columns), str(out)]
    said, errors, ended = _talk(arguments, limit)
    if ended:
        return Outcome(note=f"> {limit:g}")
    if not said.startswith("{"):
        return Outcome(note=f"failed: {errors.strip().splitlines()[-1]}")
    answer = json.loads(said)
    if "missing" in answer:
        return Outcome(note=_NOT_THERE)
    if "failed" in answer:
        return Outcome(note=f"failed: {answer['failed']}")
    cpu, wall = zip(*answer["runs"], strict=True)
    numbers = np.fromfile(out)
    return Outcome(cpu, wall, answer["bytes"], numbers[:columns], numbers[columns:].reshape(columns, columns))


def title(name: str) -> str:
    """The peer's name with its version, where that is known."""
    if name in PEERS:
        try:
            found = version(PEERS[name][0])
        except PackageNotFoundError:
            return name
    else:
        found = _r_version(R_PEERS[name])
    package, _, rest = name.partition(" ")
    return f"{package} {found} {rest}".strip() if found else name


def _command(name: str) -> list[str] | None:
    if name in PEERS:
        return [sys.executable, str(HERE / "worker.py"), name]
    rscript = shutil.which("Rscript")
    return None if rscript is None else [rscript, "--vanilla", str(HERE / "outside.R"), R_PEERS[name]]


def _r_version(package: str) -> str:
    rscript = shutil.which("Rscript")
    if rscript is None:
        return ""
    asked = f'cat(tryCatch(as.character(packageVersion("{package}")), error = function(e) ""))'
    return subprocess.run(
        [rscript, "--vanilla", "-e", asked], capture_output=True, text=True, check=False
    ).stdout.strip()


def _talk(arguments: list[str], limit: float) -> tuple[str, str, bool]:
    """The last line that a process says, its errors, and whether it was ended for what it took since its "ready"."""
    environment, pipe = {**os.environ, **ONE_THREAD}, subprocess.PIPE
    last, errors = "", []
    with subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        late = threading.Event()
        timer = threading.Timer(limit, lambda: (late.set(), process.kill()))
        drain = threading.Thread(target=lambda: errors.extend(process.stderr))  # or it would block where it fills
        drain.start()
        for line in process.stdout:
            word, _, spent = line.strip().partition(" ")
            if word == "ready" and not _limited(process.pid, float(spent) + limit):
                timer.start()
            last = line.strip() or last
        drain.join()
        timer.cancel()
    ended = late.is_set() or (process.returncode < 0 and process.returncode == -getattr(signal, "SIGXCPU", 0))
    return last, "".join(errors) or f"exit status {process.returncode}", ended and not last.startswith("{")


def _limited(pid: int, seconds: float) -> bool:
    """Let the system end the process when it has used so many processor seconds, where the system can (Linux)."""
    try:
        import resource  # noqa: PLC0415 (Windows has none)

        whole = math.ceil(seconds)
        resource.prlimit(pid, resource.RLIMIT_CPU, (whole, whole + 5))  # one signal to end, another to kill
    except (ImportError, AttributeError, ProcessLookupError):
        return False
    return True
