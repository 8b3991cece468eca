"""Factors of bootstrap samples, matched with those of the fit: how loadings vary where a rotation is hardly determined.

The delta method takes a rotation for smooth. Where the criterion has another maximum of nearly the same height, or
hardly any maximum, loadings of other samples lie elsewhere altogether. Each sample is fitted anew by EM from the
estimate (:mod:`emimpute.inference.drawing.bootstrap`), factored and rotated from several starts; factors are then
matched with those of the fit by their inner products, in order and sign alone, so that what the rotation does stays
visible.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from emimpute.errors import EMImputeError
from emimpute.inference.drawing.bootstrap import Sampler
from emimpute.inference.moments.extraction import best_turn, correlations, extract, loadings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from emimpute.inference.complete import Law

__all__ = ["Rows", "replicates"]

_SETTLED = 1e-6  # change of a sample's rotation at which it ends, far below what samples differ by


class Rows(NamedTuple):
    """What was fitted: the frame, its case weights, and the prior."""

    data: pd.DataFrame
    weights: np.ndarray | None
    prior: Any


def replicates(
    law: Law,
    rows: Rows,
    places: Sequence[int],
    rotated: np.ndarray,
    rotation: str | None,
    *,
    times: int,
    rng: Any,
) -> tuple[np.ndarray, list[str]]:
    """Loadings and uniquenesses (B, k, m + 1) of ``times`` bootstrap samples, and what is to be said of them.

    ``rotated`` (k, m) are the fit's own, of the coordinates ``places`` of ``law``. Samples in which no factors are
    found are left out. Raises EMImputeError if fewer than two are left.
    """
    try:
        seed = tuple(np.random.default_rng(rng).integers(2**63, size=2).tolist())
    except (TypeError, ValueError) as error:
        raise EMImputeError(f"rng= is None, an int or a numpy Generator, and this one is {rng!r}.") from error
    latent = law.table.encode(rows.data, law.table.match(rows.data))
    sampler = Sampler(law, rows.data, latent, rows.weights, rows.prior, seed)
    found, lost = [], Counter[str]()
    for number in range(times):
        drawn, reasons = sampler.draw(number)
        lost.update(reasons)
        try:
            found.append(_factored(drawn.params.cov[np.ix_(places, places)], rotated, rotation))
        except np.linalg.LinAlgError:
            lost["Samples have singular correlations, and no factors."] += 1
    if len(found) < 2:
        raise EMImputeError("The bootstrap samples have no such factors: ask for fewer factors, or take bootstrap=0.")
    said = [f"{count} bootstrap samples were lost: {why}" for why, count in lost.items()]
    return np.array(found), said


def _factored(cov: np.ndarray, rotated: np.ndarray, rotation: str | None) -> np.ndarray:
    """Loadings, matched, and uniquenesses beside them, (k, m + 1)."""
    m = rotated.shape[1]
    corr = correlations(cov)
    solved = extract(corr, m)
    own = loadings(solved.log_unique[None], corr[None], m)[0]
    if rotation is not None and m > 1:
        own = own @ best_turn(own, rotation, _SETTLED)
        own = own[:, _order(rotated.T @ own)]
    own = own * np.where((own * rotated).sum(axis=0) < 0, -1.0, 1.0)
    return np.column_stack([own, solved.unique])


def _order(products: np.ndarray) -> Any:
    """Which factor of the sample stands for each one of the fit, by absolute inner products (m, m)."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (importing emimpute stays light)

    return linear_sum_assignment(-np.abs(products))[1]
