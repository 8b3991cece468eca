"""Latent tables with interval cells, made without any kind: reals, brackets, ordered and unordered answers, holes.

A column is a :class:`Column`; ``table(...)`` lays several side by side. Answers in order are integers from 0, their cut
points start at the observed shares; a hole is NaN.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from emimpute.em import iterates
from emimpute.latent import Cone, Latent
from emimpute.models.mvn import MVN

INF = np.inf
NONE = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Column:
    """One column's cells, (n, k) each."""

    lower: np.ndarray
    upper: np.ndarray
    cuts: tuple[np.ndarray, ...]
    answers: np.ndarray | None = None  # (n,) of a nominal column


def real(x: np.ndarray) -> Column:
    """Points and holes."""
    x = np.asarray(x, dtype=float)
    return bracket(np.where(np.isnan(x), -INF, x), np.where(np.isnan(x), INF, x))


def bracket(lower: np.ndarray, upper: np.ndarray) -> Column:
    """Intervals with bounds that are numbers."""
    return Column(np.asarray(lower, dtype=float)[:, None], np.asarray(upper, dtype=float)[:, None], (NONE,))


def ordinal(codes: np.ndarray, cuts: np.ndarray | None = None) -> Column:
    """Answers in order, 0, 1, …; ``cuts`` where they are to start elsewhere."""
    codes = np.asarray(codes, dtype=float)
    seen = ~np.isnan(codes)
    code = codes[seen].astype(int)
    if cuts is None:
        cuts = ndtri(np.cumsum(np.bincount(code))[:-1] / seen.sum())
    edges = np.concatenate([[-INF], cuts, [INF]])
    lower, upper = np.full(len(codes), -INF), np.full(len(codes), INF)
    lower[seen], upper[seen] = edges[code], edges[code + 1]
    return Column(lower[:, None], upper[:, None], (np.asarray(cuts, dtype=float),))


def frames(levels: int) -> np.ndarray:
    """Which combinations of the utilities against the first answer are positive for each answer, (K, K − 1, K − 1)."""
    out = np.tile(-np.eye(levels - 1), (levels, 1, 1))
    for k in range(1, levels):
        out[k][:, k - 1] = 1.0
    return out


def nominal(codes: np.ndarray, levels: int) -> Column:
    """Unordered answers 0, 1, …."""
    codes = np.asarray(codes, dtype=float)
    seen = ~np.isnan(codes)
    shape = len(codes), levels - 1
    lower = np.where(np.broadcast_to(seen[:, None], shape), 0.0, -INF)
    return Column(lower, np.full(shape, INF), (NONE,) * (levels - 1), np.where(seen, codes, 0).astype(int))


def within(levels: int) -> np.ndarray:
    """The covariance of independent utilities of variance 1 against the first."""
    return np.eye(levels - 1) + 1.0


def table(*columns: Column, pinned: tuple[int, ...] = ()) -> Latent:
    """The columns side by side."""
    edges = np.cumsum([0, *(c.lower.shape[1] for c in columns)])
    spans = tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(edges))
    cones = tuple(
        Cone(span, frames(c.lower.shape[1] + 1), c.answers, within(c.lower.shape[1] + 1))
        for span, c in zip(spans, columns, strict=True)
        if c.answers is not None
    )
    return Latent(
        np.concatenate([c.lower for c in columns], axis=1),
        np.concatenate([c.upper for c in columns], axis=1),
        spans,
        tuple(cut for c in columns for cut in c.cuts),
        cones,
        pinned,
    )


def fit(latent: Latent, weights: np.ndarray | None = None, prior: object = None, **options: object):
    """The last iterate of a run, and the parameters in their natural units."""
    problem = MVN().bind(latent, weights, prior)
    *_, last = iterates(problem, **options)
    return last, problem.natural(last.params)


def correlations(cov: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(cov))
    return cov / np.outer(sd, sd)


def cells(columns: list[int]) -> np.ndarray:
    """Every combination of answers of ordinal columns with these many levels, (cells, d)."""
    return np.stack([each.ravel() for each in np.meshgrid(*(np.arange(k) for k in columns), indexing="ij")], axis=1)


def equicorrelated(d: int, rho: float) -> np.ndarray:
    return np.full((d, d), rho) + (1 - rho) * np.eye(d)


def mixed(seed: int, n: int = 60, gaps: float = 0.15, *, with_nominal: bool = True, pinned: bool = False) -> Latent:
    """A real, a half-bracketed, an ordinal, a binary column, and a nominal one of three levels, with holes."""
    rng = np.random.default_rng(seed)
    d = 6
    factor = rng.standard_normal((d, d + 4))
    z = rng.standard_normal((n, d + 4)) @ (factor / np.linalg.norm(factor, axis=1, keepdims=True)).T
    z[rng.random((n, d)) < gaps] = np.nan
    low = np.where(rng.random(n) < 0.5, z[:, 1], np.floor(2 * z[:, 1]) / 2)
    high = np.where(low == z[:, 1], low, low + 0.5)
    hole = np.isnan(z[:, 1])
    ordered = np.where(np.isnan(z[:, 2]), np.nan, np.searchsorted([-0.5, 0.4, 1.1], z[:, 2]))
    ordered[:4] = np.arange(4)
    two = np.where(np.isnan(z[:, 3]), np.nan, z[:, 3] > 0.2)
    columns = [
        real(5 + 3 * z[:, 0]),
        bracket(np.where(hole, -INF, 40 + 8 * low), np.where(hole, INF, 40 + 8 * high)),
        ordinal(ordered),
        ordinal(two),
    ]
    if with_nominal:
        utilities = np.column_stack([np.zeros(n), z[:, 4:] * np.sqrt(2)])
        gap = np.isnan(utilities).any(axis=1)
        columns.append(nominal(np.where(gap, np.nan, np.nan_to_num(utilities).argmax(axis=1)), 3))
    if pinned:
        smooth = np.searchsorted([-0.8, 0.1, 0.9], np.nan_to_num(z[:, 0] + rng.standard_normal(n)) / np.sqrt(2))
        edges = np.array([-INF, -0.8, 0.1, 0.9, INF])
        columns.append(bracket(edges[smooth], edges[smooth + 1]))
    size = sum(c.lower.shape[1] for c in columns)
    return table(*columns, pinned=(size - 1,) if pinned else ())
