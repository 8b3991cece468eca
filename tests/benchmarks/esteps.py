"""E-steps to within 1e-6 of the maximum log-likelihood on the reference cases, beside plain EM's; prints a table."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from references import cases, load

from emimpute.em import iterates
from emimpute.latent import Latent
from emimpute.models.mvn import MVN

HEAD = "| case | rows × columns | rate | plain EM | emimpute | in all | closing checks |"


def main() -> None:
    print(HEAD, "|---" * 7 + "|", sep="\n")
    for name in cases("ml"):
        case = load(name)
        z = np.ascontiguousarray(case.frame.to_numpy(float))
        problem = MVN().bind(Latent(z, z, ()))
        enough, start = case.loglik - 1e-6, problem.start()
        slow = iterates(problem, engine="em", start=start, max_iter=5000)
        plain = next(i.esteps for i in slow if i.loglik > enough)
        history = list(iterates(problem, start=start))
        ours = next(i.esteps for i in history if i.loglik > enough)
        solved = " (closed form: 1)" if problem.solution is not None else ""
        rate = case.expected.get("em_rate_exact")
        shape, rate = f"{z.shape[0]} × {z.shape[1]}", "" if rate is None else f"{rate:.4f}"
        last = history[-1]
        print(f"| {name} | {shape} | {rate} | {plain} | {ours}{solved} | {last.esteps} | {last.checks} |")


if __name__ == "__main__":
    main()
