r"""The observed information of a normal with intervals, each interval seen as its site: a measurement with noise.

Given its sites, a row is normal data: a coordinate in an interval is measured with error variance 1/τ. With C the
posterior covariance and ρ the posterior mean, both whitened (L⁻¹CL⁻ᵀ, L⁻¹(E z - μ)), W = I - C takes the place that
Σ_oo⁻¹ has in :mod:`emimpute.models.information`. In the mean this is exact for one interval; in the covariance it
leaves out that the sites would move too. Bounds enter by the response of their own sites, and exactly among the bounds
of one interval. It serves to find the maximum and to tell how far it is; it is not what standard errors are made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.information import _assemble, _symmetric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emimpute.models.boxes import Given
    from emimpute.models.cuts import Cuts

__all__ = ["box_information"]


def box_information(
    rows: Iterable[tuple[Given, np.ndarray]], factor: np.ndarray, cuts: Cuts
) -> tuple[np.ndarray, np.ndarray]:
    """Observed information of (a, H) (p, p), and of these and the cut points (p + c, c) but for a column's own.

    ``rows`` come piece by piece with their weights (r,); ``factor`` is L.
    """
    d, c = len(factor), len(cuts.start)
    half = np.linalg.inv(factor)
    i, j = np.triu_indices(d)
    m, o = np.triu_indices(d + 1)
    total = np.zeros((len(i), len(m)))
    to_mean, to_cov, among = np.zeros((c, d)), np.zeros((c, d * d)), np.zeros((c, c))
    for g, weight in rows:
        r = len(g.deviations)
        padded = np.concatenate([half, np.zeros((d, 1))], axis=1)[:, g.piece.free]  # (d, r, u)
        white = np.ascontiguousarray(padded.swapaxes(0, 1))  # (r, d, u)
        across = white @ g.cov  # (r, d, u): whitened on one side
        w = np.eye(d) - across @ white.swapaxes(1, 2)
        rho = g.deviations @ half.T
        both = np.concatenate([np.ones((r, 1)), rho], axis=1)
        scatter = both[:, :, None] * both[:, None, :]
        scatter[:, 1:, 1:] -= w / 2
        total += (w[:, i, j] * weight[:, None]).T @ scatter[:, m, o]
        if c and g.boxed is not None and g.boxed.response is not None:
            _of_cuts(g, weight, (across, rho), cuts, (to_mean, to_cov, among))
    full = np.zeros((d, d, len(m)))
    full[i, j] = full[j, i] = total
    four = np.zeros((d, d, d + 1, d + 1))
    four[:, :, m, o] = four[:, :, o, m] = full
    straight = four[:, :, 0, 0]
    cross = four[:, :, 0, 1:].reshape(d, d * d)
    information = _assemble(straight, cross, four[:, :, 1:, 1:].reshape(d * d, d * d))
    return information, np.concatenate([to_mean.T, _symmetric(to_cov.T), among])


def _of_cuts(
    g: Given,
    weight: np.ndarray,
    white: tuple[np.ndarray, np.ndarray],
    cuts: Cuts,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Add a piece's part to the blocks that have a cut point: with the means, the covariances, another column's."""
    (across, rho), (to_mean, to_cov, among) = white, sums
    piece, d = g.piece, len(rho.T)
    assert g.boxed is not None and g.boxed.response is not None  # noqa: PT018, S101
    nu, tau = (cuts.spread(piece.rows, piece.inside, low, high) for low, high in g.boxed.response.swapaxes(0, 1))
    r = len(piece.rows)
    cov = np.zeros((r, d + 1, d + 1))
    cov[np.arange(r)[:, None, None], piece.free[:, :, None], piece.free[:, None, :]] = g.cov
    gamma = np.zeros((r, d, d + 1))
    gamma[np.arange(r)[:, None, None], np.arange(d)[None, :, None], piece.free[:, None, :]] = across
    for x in np.unique(piece.inside):
        own = np.flatnonzero(cuts.column == x)
        if not len(own):
            continue
        at = gamma[:, :, x]
        n, t = (nu[:, own] * weight[:, None]).T, (tau[:, own] * weight[:, None]).T
        to_mean[own] -= n @ at
        bend = at[:, :, None] * at[:, None, :]
        to_cov[own] -= n @ (rho[:, :, None] * at[:, None, :]).reshape(r, -1) - t @ bend.reshape(r, -1) / 2
        with_others = cov[:, x, cuts.column]
        among[own] -= n @ (with_others * nu) + t @ (with_others**2 * tau) / 2
