"""A frame with gaps in, a completed frame out: this package beside the peers that are installed, in alternating runs.

Run with ``make bench``, or with tables as arguments: ``end_to_end.py 1000x10 10000x20x0.3 bfi``. ``--limit 20`` ends a
peer after 20 processor seconds, ``--peers Amelia,lavaan`` runs those beside this package; ``QUICK=1`` in the
environment leaves out the large tables. Prints a table in Markdown for each table of data.

Every run is a process of its own (``peers/runs.py``), one BLAS thread. Seconds are those of the processor, user and
system, over the call alone, medians of all calls; a short call is repeated within a process, and the processes of the
peers alternate; a long one runs once. "Short of ours" is how far the peer's observed-data log-likelihood is below ours,
computed here for all alike from the mean and covariance that each arrives at. "Memory" is by how much the first call
raises the process's peak, over the size of the data as float64.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from peers.runs import NAMES, Outcome, run, title
from peers.tables import REAL, SHAPES, named, table, write
from threadpoolctl import threadpool_limits

import emimpute
from emimpute.latent import Latent
from emimpute.models.mvn import MVN, MVNProblem, Normal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHAPES", "main", "table"]

ROUNDS = 3
LONG = 5.0  # seconds of wall time above which a peer is run once
LIMIT = 30.0  # processor seconds after which a peer is ended
QUICK = ("1000x10", "bfi", "breast_cancer", "10000x20")
HEAD = "| | CPU s | wall s | ratio | log-likelihood, short of ours | memory |\n|---|---|---|---|---|---|"


def bound(df: pd.DataFrame) -> MVNProblem:
    z = df.to_numpy(float)
    return MVN().bind(Latent(z, z, ()))


def loglik(problem: MVNProblem, outcome: Outcome) -> float:
    """The observed-data log-likelihood, NaN where the covariance is none."""
    mean = (outcome.mean - problem.centre) / problem.scale
    cov = outcome.cov / np.outer(problem.scale, problem.scale)
    if not (np.isfinite(mean).all() and np.isfinite(cov).all() and np.linalg.eigvalsh(cov)[0] > 0):
        return float("nan")
    return problem.expect(Normal(mean, (cov + cov.T) / 2))[1]


def median_time(call, seconds: float = 1.0) -> float:
    """Processor seconds of a call."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 1000):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def floor(df: pd.DataFrame, problem: MVNProblem) -> str:
    """What two matrix products of the data's shape cost, and one of our E-steps beside them."""
    z = np.nan_to_num(df.to_numpy(float))
    square = np.eye(z.shape[1])
    products = median_time(lambda: (z @ square, z.T @ z))
    start = problem.start()
    step = median_time(lambda: problem.expect(start))
    ratio = step / products
    return f"Two matrix products {1000 * products:.3g} ms; one of our E-steps {1000 * step:.3g} ms ({ratio:.2g} ×)."


def race(path: Path, columns: int, names: list[str], how: argparse.Namespace) -> dict[str, list[Outcome]]:
    """The runs of each peer, alternating; who is not there, fails, or takes long, runs once."""
    runs: dict[str, list[Outcome]] = {name: [] for name in names}
    for turn in range(how.rounds):
        for name, earlier in runs.items():
            if turn == 0 or (earlier[-1].wall and min(earlier[-1].wall) < LONG):
                earlier.append(run(name, path, columns, how.limit))
    return runs


def medians(runs: list[Outcome]) -> tuple[float, float]:
    """Processor and wall seconds of a call, over all calls of all runs."""
    return statistics.median(t for r in runs for t in r.cpu), statistics.median(t for r in runs for t in r.wall)


@dataclass(frozen=True, eq=False)
class Base:
    """What the peers are compared with."""

    problem: MVNProblem
    seconds: float  # ours, of the processor
    loglik: float  # likewise
    limit: float


def row(name: str, runs: list[Outcome], base: Base) -> str:
    """A line of the table."""
    first = runs[0]
    if not first.wall:
        ratio = f"> {base.limit / base.seconds:.0f}" if first.note.startswith(">") else ""
        return f"| {title(name)} | {first.note} |  | {ratio} |  |  |"
    cpu, wall = medians(runs)
    short = base.loglik - loglik(base.problem, first)
    told = "no estimate: NaN" if math.isnan(short) else f"{short:.3g}" if abs(short) > 5e-7 else "0"
    size = 8 * base.problem.rows * len(first.mean)
    memory = "" if math.isnan(first.extra) or size < 1e6 else f"{first.extra / size:.1f} ×"
    return f"| {title(name)} | {cpu:.3g} | {wall:.3g} | {cpu / base.seconds:.3g} | {told} | {memory} |"


def compare(name: str, names: list[str], how: argparse.Namespace, folder: Path) -> None:
    """Run, and print the table."""
    try:
        df = named(name)
    except ImportError as error:
        print(f"\n{name}: its data come with {error.name}, which is not installed.", flush=True)
        return
    path = folder / f"{name}.f64"
    write(df, path)
    problem = bound(df)
    runs = race(path, df.shape[1], names, how)
    ours = runs["emimpute"]
    if not ours[0].wall:
        raise SystemExit(f"emimpute itself {ours[0].note}")
    base = Base(problem, medians(ours)[0], loglik(problem, ours[0]), how.limit)
    fits: list[emimpute.Fit] = []
    emimpute.impute(df, report=fits.append)
    gone = df.isna().to_numpy()
    patterns = len(np.unique(np.packbits(gone, axis=1), axis=0))
    print(f"\n### {name}: {df.shape[0]} × {df.shape[1]}, {gone.mean():.2g} missing, {patterns} patterns\n")
    print(f"{fits[0].n_iter} E-steps, log-likelihood {base.loglik:.3f}.\n{floor(df, problem)}\n\n{HEAD}")
    for peer, outcomes in runs.items():
        print(row(peer, outcomes, base), flush=True)
    path.unlink()


def main(arguments: list[str] | None = None) -> None:
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description="This package beside its peers.")
    parser.add_argument("tables", nargs="*", default=QUICK if quick else (*SHAPES, *REAL))
    parser.add_argument(
        "--limit", type=float, default=10.0 if quick else LIMIT, help="processor seconds after which a peer ends"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes for each peer")
    parser.add_argument("--peers", default=",".join(NAMES), help="beginnings of names, between commas")
    asked = parser.parse_args(arguments)
    wanted = tuple(asked.peers.split(","))
    names = ["emimpute", *(name for name in NAMES[1:] if name.startswith(wanted))]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in asked.tables:
            compare(name, names, asked, Path(folder))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
