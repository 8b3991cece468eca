r"""Monotone patterns: the columns can be put in an order in which a row that lacks one lacks all after it.

Then the likelihood is a product of regressions, each column on those before it over the rows that have it, and so is a
diagonal penalty on Σ: with c = df + extra the mode of column j is β = (X'X + dfΔ)⁻¹X'y and
s² = (RSS + df(δ_j + β'Δβ)) / (n_j + c), the intercept unpenalised. Anderson 1957,
https://doi.org/10.1080/01621459.1957.10501379; Little & Rubin 2019, https://doi.org/10.1002/9781119482260.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from emimpute.latent import blocks, coverage

if TYPE_CHECKING:
    from emimpute.latent import Patterns

__all__ = ["monotone_order", "monotone_part", "nearly_monotone", "regressions"]

_NEARLY = 0.1  # share of the observed cells that may stand in the way


def monotone_order(found: Patterns) -> np.ndarray | None:
    """The columns from the most to the least observed, (d,), if ``found`` are monotone in that order; else None."""
    order = np.argsort(-found.masks.sum(axis=0), kind="stable")
    regained = np.diff(found.masks[:, order].astype(np.int8), axis=1) > 0
    return None if regained.any() else order


def nearly_monotone(found: Patterns, weights: np.ndarray, together: np.ndarray) -> np.ndarray | None:
    """An order of the columns (d,) in which nearly all observed cells of ``found`` are monotone; None if there is none.

    It is by how often a column is observed, each row counted by its weight (n,); of equals those come first that are
    observed more with others, then those that go more ``together`` (d, d) with them: numbers that neither the order of
    the columns nor their units change. At most a tenth of the observed cells may have to be set aside.
    """
    both = coverage(found, weights) / weights.sum()
    marks = np.diag(both), np.square(both).sum(axis=0), np.square(together).sum(axis=0)
    order = np.lexsort([np.round(-mark, 9) for mark in marks[::-1]])  # rounding errors sort nothing
    weight, kept = np.bincount(found.of_row, weights, len(found.masks)), 0.0
    for some in blocks(len(weight), len(order)):
        kept += float(weight[some] @ monotone_part(found.masks[some], order).sum(axis=1))
    return order if kept >= (1 - _NEARLY) * weights.sum() * np.trace(both) else None


def monotone_part(masks: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The cells of each pattern (K, d), its columns put in ``order``, before its first hole."""
    return np.asarray(np.logical_and.accumulate(masks[:, order], axis=1))


def regressions(
    x: np.ndarray, centre: np.ndarray, observed: np.ndarray, penalty: np.ndarray, extra: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of columns in monotone order.

    ``x`` (R, d) are rows times the root of their weight, ``centre`` (R,) what the intercept is multiplied by in each,
    ``observed`` (R, d), ``penalty`` (d,) the prior's diagonal scatter df·δ, ``extra`` the prior's share of a divisor.
    """
    d = x.shape[1]
    mean, cov = np.zeros(d), np.zeros((d, d))
    edges = np.flatnonzero(np.diff(observed.sum(axis=0), prepend=-1, append=-1))
    for first, last in pairwise(edges):
        rows = observed[:, first]
        table = np.column_stack([centre[rows], x[rows, :last]])
        # Rows that say what the penalty says: each column (but the intercept) is 0 up to the root of its share.
        prior = np.diag(np.sqrt([0.0, *penalty[:last]]))[1:]
        triangle = np.asarray(np.linalg.qr(np.vstack([table, prior]), mode="r"))
        count = float(centre[rows] @ centre[rows])
        for j in range(first, last):
            slopes = np.linalg.solve(triangle[: j + 1, : j + 1], triangle[: j + 1, j + 1])
            mean[j] = slopes[0] + slopes[1:] @ mean[:j]
            cov[j, :j] = cov[:j, j] = slopes[1:] @ cov[:j, :j]
            cov[j, j] = triangle[j + 1, j + 1] ** 2 / (count + extra) + cov[j, :j] @ slopes[1:]
    return mean, cov
