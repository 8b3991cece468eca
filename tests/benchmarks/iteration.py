"""The time of an E-step beside the two matrix products that it needs at least; prints a table.

CPU milliseconds on one thread, medians of alternating runs, on normal rows whose cells are missing at random.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from emimpute._threads import single_threaded
from emimpute.latent import Latent
from emimpute.models.mvn import MVN

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = [(1_000, 10, 0.2), (10_000, 20, 0.2), (10_000, 100, 0.1), (100_000, 30, 0.2), (1_000_000, 10, 0.05)]
RUNS = 15
HEAD = "| rows × columns, missing | patterns | E-step, ms | two products, ms | ratio |"


def data(n: int, d: int, share: float) -> np.ndarray:
    """Three factors and noise, with holes."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((n, 3)) @ rng.standard_normal((3, d)) + rng.standard_normal((n, d))
    z[rng.random((n, d)) < share] = np.nan
    return z


def medians(*jobs: Callable[[], object]) -> list[float]:
    """CPU milliseconds of each job."""
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(RUNS + 1):  # the first is not counted
        for job, kept in zip(jobs, times, strict=True):
            begin = time.process_time()
            job()
            kept.append(time.process_time() - begin)
    return [1e3 * float(np.median(kept[1:])) for kept in times]


@single_threaded
def main() -> None:
    print(HEAD, "|---" * 5 + "|", sep="\n")
    for n, d, share in SHAPES:
        z = data(n, d, share)
        latent = Latent(z, z, ())
        problem = MVN().bind(latent)
        params = problem.start()
        for _ in range(3):
            params = problem.maximize(problem.expect(params)[0])
        full, precision = np.nan_to_num(z), np.linalg.inv(params.cov)
        e_step, floor = medians(
            lambda problem=problem, params=params: problem.expect(params),
            lambda full=full, precision=precision: (full @ precision, full.T @ full),
        )
        shape = f"{n:,}".replace(",", " ") + f" × {d}, {share:.0%}".replace("%", " %")
        patterns = f"{len(latent.patterns.masks):,}".replace(",", " ")
        print(f"| {shape} | {patterns} | {e_step:.3g} | {floor:.3g} | {e_step / floor:.2g} |", flush=True)


if __name__ == "__main__":
    main()
