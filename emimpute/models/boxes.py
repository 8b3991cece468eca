"""Rows of which some cells are known exactly, some lie in an interval, and some are holes: their law given all that.

Given the points, the other coordinates are normal; given the box of the intervals among them, their law is what
:mod:`emimpute.normal.ep` finds; and the holes follow the intervals as normal coordinates do. Rows are sorted by how
many intervals and holes they have and worked on in chunks, padded to the widest of each. A coordinate of padding has
index d, variance 1, and nothing to do with the others.

An answer among unordered categories says that linear combinations of a few coordinates are positive: a cone. Its
*frame* is the square matrix of those combinations; in its own frame a cone is a box too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from emimpute.normal.ep import Boxed, Sites, boxed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emimpute.latent import Cone

__all__ = ["BoxRows", "Given", "Piece", "box", "given"]

_NUMBERS = 1 << 17  # in the square matrices of a chunk
_ROWS = 1024  # of a chunk at most


@dataclass(frozen=True, eq=False)
class Piece:
    """Some sorted rows and where their intervals and holes are."""

    rows: np.ndarray  # (r,) of the table
    inside: np.ndarray  # (r, k) coordinates with an interval, then padding
    free: np.ndarray  # (r, u) the same, and then the holes, and then padding
    pattern: np.ndarray  # (r,) which of `patterns` the row's free coordinates are
    patterns: np.ndarray  # (K, u) the distinct rows of `free`
    frames: tuple[np.ndarray, np.ndarray] | None  # (r, k, k) of the cones, and their inverses


@dataclass(frozen=True, eq=False)
class BoxRows:
    """Rows (n, d): points in ``x``, bounds in ``lower`` and ``upper``."""

    x: np.ndarray  # (n, d), 0 where there is no point
    point: np.ndarray  # (n, d) bool
    pieces: tuple[Piece, ...]
    sites: dict[int, Sites] = field(default_factory=dict)  # of each piece, where the last call left them
    unsettled: dict[int, int] = field(default_factory=dict)  # likewise rows whose sweeps did not settle

    @classmethod
    def sort(cls, x: np.ndarray, point: np.ndarray, known: np.ndarray, cones: Sequence[Cone] = ()) -> BoxRows:
        """Plan the work on rows ``x`` (n, d), of which ``point`` cells are exact and the others ``known`` intervals."""
        inside, holes = (known & ~point).sum(axis=1), (~known).sum(axis=1)
        order = np.lexsort((np.arange(len(x)), holes, inside))
        pieces, d = [], x.shape[1]
        first = 0
        while first < len(order):
            # the widest of a chunk is its last row, or near it
            size = _ROWS
            wide = int((inside + holes)[order[first : first + size]].max(initial=1))
            size = int(np.clip(_NUMBERS // max(wide * wide, 1), 32, size))
            rows = order[first : first + size]
            pieces.append(_piece(rows, point[rows], known[rows], d, cones))
            first += size
        return cls(np.where(point, x, 0.0), point, tuple(pieces))


def _piece(rows: np.ndarray, point: np.ndarray, known: np.ndarray, d: int, cones: Sequence[Cone]) -> Piece:
    interval = known & ~point
    inside = _indices(interval, d)
    free = np.concatenate([inside, _indices(~known, d)], axis=1)
    patterns, pattern = np.unique(free, axis=0, return_inverse=True)
    return Piece(rows, inside, free, pattern.reshape(-1), patterns, _frames(rows, inside, interval, cones))


def _indices(mask: np.ndarray, d: int) -> np.ndarray:
    """Columns of the True cells of each row, (r, most), then d."""
    count = mask.sum(axis=1)
    found = np.full((len(mask), int(count.max(initial=0))), d)
    found[np.arange(found.shape[1]) < count[:, None]] = np.nonzero(mask)[1]
    return found


def _frames(
    rows: np.ndarray, inside: np.ndarray, interval: np.ndarray, cones: Sequence[Cone]
) -> tuple[np.ndarray, np.ndarray] | None:
    if not cones:
        return None
    r, k = inside.shape
    frames = np.tile(np.eye(k), (r, 1, 1))
    inverses = frames.copy()
    for cone in cones:
        here = np.flatnonzero(interval[:, cone.span.start])
        at = (inside[here] < cone.span.start).sum(axis=1)  # the columns of a span stand side by side
        i = at[:, None] + np.arange(cone.span.stop - cone.span.start)
        each = cone.frames[cone.of_row[rows[here]]]
        place = here[:, None, None], i[:, :, None], i[:, None, :]
        frames[place] = each
        inverses[place] = np.linalg.inv(each)
    return frames, inverses


@dataclass(frozen=True, eq=False)
class Given:
    """What one piece's rows are, given all that is known of them; coordinates as deviations from the mean."""

    piece: Piece
    deviations: np.ndarray  # (r, d) points, and expectations elsewhere
    cov: np.ndarray  # (r, u, u) of the free coordinates
    before: tuple[np.ndarray, np.ndarray]  # their mean (r, u) and covariance (r, u, u) given the points alone
    boxed: Boxed | None  # of the intervals, in their frames
    loglik: np.ndarray  # (r,) of the points and the box, without the points' 2π


def given(
    table: BoxRows,
    lower: np.ndarray,
    upper: np.ndarray,
    mean: np.ndarray,
    cov: np.ndarray,
    *,
    correct: bool = True,
    respond: bool = False,
) -> Iterator[Given]:
    """The law of every row, piece by piece, given its points and that its intervals lie in ``lower``, ``upper`` (n, d).

    Raises ``numpy.linalg.LinAlgError`` where ``cov`` is not positive definite.
    """
    d = len(mean)
    factor = np.linalg.cholesky(cov)
    half = np.linalg.inv(factor)
    precision = half.T @ half
    logdet = 2 * float(np.log(np.diag(factor)).sum())
    padded = np.zeros((d + 1, d + 1))
    padded[:d, :d] = precision
    for number, piece in enumerate(table.pieces):
        rows, free = piece.rows, piece.free
        r, k = piece.inside.shape
        u = free.shape[1]
        deviations = np.where(table.point[rows], table.x[rows] - mean, 0.0)
        slopes = deviations @ precision
        quadratic = (deviations * slopes).sum(axis=1)
        own = padded[piece.patterns[:, :, None], piece.patterns[:, None, :]]
        pad = piece.patterns == d
        own[:, range(u), range(u)] += pad
        spread = np.linalg.inv(own)
        volume = np.linalg.slogdet(own)[1]
        v = spread[piece.pattern]
        slope = np.concatenate([slopes, np.zeros((r, 1))], axis=1)[np.arange(r)[:, None], free]
        a = -(v @ slope[:, :, None])[:, :, 0]
        loglik = -(logdet + volume[piece.pattern] + quadratic + (slope * a).sum(axis=1)) / 2
        found, before = None, (a, v)
        if k:
            known = own[piece.pattern] if u == k and piece.frames is None else None
            found = _box(table, number, box(piece, lower, upper, mean, before), known, correct=correct, respond=respond)
            loglik += found.logz
            m, c = found.mean, found.cov
            if piece.frames is not None:
                m = (piece.frames[1] @ m[:, :, None])[:, :, 0]
                c = piece.frames[1] @ c @ piece.frames[1].swapaxes(1, 2)
            m = m - np.concatenate([mean, [0.0]])[piece.inside]
            if u > k:
                back = np.linalg.inv(spread[:, :k, :k])
                gain = (spread[:, :, :k] @ back)[piece.pattern]
                a = a + (gain @ (m - a[:, :k])[:, :, None])[:, :, 0]
                v = v + gain @ (c - v[:, :k, :k]) @ gain.swapaxes(1, 2)
            else:
                a, v = m, c
        filled = np.concatenate([deviations, np.zeros((r, 1))], axis=1)
        filled[np.arange(r)[:, None], free] = a
        yield Given(piece, filled[:, :d], v, before, found, loglik)


def _box(
    table: BoxRows,
    number: int,
    law: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    precision: np.ndarray | None,
    *,
    correct: bool,
    respond: bool,
) -> Boxed:
    """EP on a piece, from where it last was."""
    low, high, centre, around = law
    start = table.sites.get(number)
    found = boxed(centre, around, low, high, start, precision=precision, correct=correct, respond=respond)
    table.sites[number] = found.sites
    table.unsettled[number] = int((~found.settled).sum())
    return found


def box(
    piece: Piece, lower: np.ndarray, upper: np.ndarray, mean: np.ndarray, before: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bounds (r, k) of a piece's intervals, mean (r, k) and covariance (r, k, k) before these; all in their frames."""
    a, v = before
    k = piece.inside.shape[1]
    at = piece.rows[:, None], np.minimum(piece.inside, len(mean) - 1)
    pad = piece.inside == len(mean)
    low, high = np.where(pad, -np.inf, lower[at]), np.where(pad, np.inf, upper[at])
    centre = a[:, :k] + np.concatenate([mean, [0.0]])[piece.inside]
    around = v[:, :k, :k]
    if piece.frames is not None:
        centre = (piece.frames[0] @ centre[:, :, None])[:, :, 0]
        around = piece.frames[0] @ around @ piece.frames[0].swapaxes(1, 2)
    return low, high, centre, around
