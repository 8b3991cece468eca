"""How many E-steps it takes to come within 1e-6 of the maximum log-likelihood: a number that no clock can blur.

Plain EM's counts are measured beside; ten orders of the columns must give the same path.
"""

from __future__ import annotations

import numpy as np
import pytest
from references import cases, load
from tables import latent

from emimpute.em import Stop, iterates
from emimpute.models.mvn import MVN

BAR = {
    "boys_num": 40,
    "missvals": 55,
    "nearfilematch_hs": 65,
    "bfi_sapa60": 80,
}  # 65 elsewhere; bfi_sapa60's rate is .992
ORDERS = 10


def esteps(name: str, order: np.ndarray, **options) -> tuple[int, list]:
    case = load(name)
    history = []
    near = None
    problem = MVN().bind(latent(case.frame.to_numpy(float)[:, order]))
    # From an explicit start, so that the cases with monotone patterns are climbed as well, and not just solved.
    for iterate in iterates(problem, start=problem.start(), **options):
        history.append(iterate)
        if near is None and iterate.loglik > case.loglik - 1e-6:
            near = iterate.esteps
            if options.get("engine") == "em":
                break
    assert near is not None
    return near, history


@pytest.mark.parametrize("name", cases("ml"))
def test_e_steps_to_the_maximum(name):
    """Under the bar, never more than plain EM's and two, and the same for every order of the columns."""
    d = load(name).frame.shape[1]
    plain, _ = esteps(name, np.arange(d), engine="em", max_iter=1500)
    rng = np.random.default_rng(0)
    counts, checks = set(), set()
    for order in [np.arange(d), *(rng.permutation(d) for _ in range(ORDERS - 1))]:
        near, history = esteps(name, order)
        assert history[-1].stop is Stop.CONVERGED
        counts.add(near)
        checks.add(history[-1].checks)
    assert max(counts) - min(counts) <= 1
    assert max(counts) <= min(BAR.get(name, 65), plain + 2)
    assert max(counts) <= plain / 4 or plain <= 200
    assert max(counts) <= plain / 30 or plain <= 1000
    assert max(checks) <= (45 if name == "bfi_sapa60" else 3)  # a look for flat directions and saddles included
