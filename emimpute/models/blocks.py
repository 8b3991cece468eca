r"""Blocks of coordinates whose covariance is fixed by definition, as that of the utilities of unordered categories.

Any positive definite S is brought to the fixed blocks by Σ = N S Nᵀ, with N block-diagonal and N_B = L₀ L(S_BB)⁻¹
where both factors are Cholesky's. So S may move freely, as the chart's coordinates do; along the directions that N
takes back nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["Blocks"]

_HALVINGS = 12
_SCORINGS = 3  # of Fisher's steps in an M-step: EM needs no more than that it rises
_RELATIVE = 1e-3  # residual at which a direction is good enough
_PRODUCTS = 30


@dataclass(frozen=True, eq=False)
class Blocks:
    """Spans of the d coordinates, and the covariance that each has."""

    spans: tuple[slice, ...]
    within: tuple[np.ndarray, ...]

    def __bool__(self) -> bool:
        return bool(self.spans)

    def fix(self, s: np.ndarray) -> np.ndarray:
        """Σ (d, d) for S; raises ``numpy.linalg.LinAlgError`` where a block of S is not positive definite."""
        if not self.spans:
            return s
        n = np.eye(len(s))
        for span, own in zip(self.spans, self.within, strict=True):
            n[span, span] = np.linalg.cholesky(own) @ np.linalg.inv(np.linalg.cholesky(s[span, span]))
        out = n @ s @ n.T
        for span, own in zip(self.spans, self.within, strict=True):
            out[span, span] = own  # to the last bit
        return np.asarray((out + out.T) / 2)

    def pull(self, s: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """The derivative in S, from the symmetric one in Σ (d, d)."""
        if not self.spans:
            return slope
        n = np.eye(len(s))
        factors = []
        for span, own in zip(self.spans, self.within, strict=True):
            root, half = np.linalg.cholesky(own), np.linalg.inv(np.linalg.cholesky(s[span, span]))
            factors.append((root, half))
            n[span, span] = root @ half
        slope = slope.copy()
        for span in self.spans:
            slope[span, span] = 0.0  # these entries do not move
        out = n.T @ slope @ n
        through = s @ n.T @ slope
        for span, (root, half) in zip(self.spans, factors, strict=True):
            kept = _lower((half @ through[span, span] @ root).T)
            back = half.T @ kept @ half
            out[span, span] -= back + back.T
        return np.asarray((out + out.T) / 2)

    def idle(self, cov: np.ndarray) -> list[np.ndarray]:
        """Directions dS (d, d) at S = Σ that are taken back: AΣ + ΣAᵀ, A block-diagonal."""
        found = []
        for span, own in zip(self.spans, self.within, strict=True):
            root = np.linalg.cholesky(own)
            half = np.linalg.inv(root)
            for i, j in zip(*np.tril_indices(len(own)), strict=True):
                a = np.zeros_like(cov)
                a[span, span] = np.outer(root[:, i], half[j])
                found.append(a @ cov + cov @ a.T)
        return found

    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the fixed entries, each once, as many as there are idle directions."""
        pairs = [
            (span.start + i, span.start + j)
            for span, own in zip(self.spans, self.within, strict=True)
            for i, j in zip(*np.tril_indices(len(own)), strict=True)
        ]
        rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(rows, dtype=int), np.array(columns, dtype=int)

    def maximize(self, scatter: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Σ (d, d) of the highest likelihood from the complete data's covariance ``scatter``, or one that is higher.

        The other coordinates are regressed on the blocks' in closed form. Covariances between blocks take some of
        Fisher's steps, each as long as the likelihood rises.
        """
        if not self.spans:
            return scatter
        d = len(scatter)
        inside = np.zeros(d, dtype=bool)
        for span in self.spans:
            inside[span] = True
        b, r = np.flatnonzero(inside), np.flatnonzero(~inside)
        own = self._between(scatter[np.ix_(b, b)], before[np.ix_(b, b)], self.fix(scatter)[np.ix_(b, b)])
        slope = np.linalg.solve(scatter[np.ix_(b, b)], scatter[np.ix_(b, r)]).T
        rest = scatter[np.ix_(r, r)] - slope @ scatter[np.ix_(b, r)]
        out = np.empty((d, d))
        out[np.ix_(b, b)], out[np.ix_(r, b)] = own, slope @ own
        out[np.ix_(b, r)] = out[np.ix_(r, b)].T
        out[np.ix_(r, r)] = rest + slope @ own @ slope.T
        return (out + out.T) / 2

    def _between(self, scatter: np.ndarray, before: np.ndarray, target: np.ndarray) -> np.ndarray:
        if len(self.spans) == 1:
            return target

        def loss(cov: np.ndarray) -> float:
            return float(np.linalg.slogdet(cov)[1] + np.trace(np.linalg.solve(cov, scatter)))

        free = np.ones(scatter.shape)
        for span in self._side_by_side:
            free[span, span] = 0.0
        cov, now = min(((each, loss(each)) for each in (before, target)), key=lambda pair: pair[1])
        for _ in range(_SCORINGS):
            precision, step = np.linalg.inv(cov), None
            direction = _solve(precision, free * (precision @ (scatter - cov) @ precision), free)
            for halving in range(_HALVINGS):
                moved = cov + direction / 2**halving
                if np.linalg.eigvalsh(moved)[0] > 0 and loss(moved) < now:
                    step = moved
                    break
            if step is None:
                break
            cov, now = step, loss(step)
        return cov

    @property
    def _side_by_side(self) -> list[slice]:
        """The spans, were there no other coordinates."""
        edges = np.cumsum([0, *(span.stop - span.start for span in sorted(self.spans, key=lambda span: span.start))])
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _solve(precision: np.ndarray, right: np.ndarray, free: np.ndarray) -> np.ndarray:
    """D, zero but at ``free`` entries, with ΩDΩ = ``right`` there: Fisher's direction, by conjugate gradients."""
    found, rest = np.zeros_like(right), right
    along, size = rest, float((rest * rest).sum())
    enough = _RELATIVE**2 * size
    for _ in range(_PRODUCTS):
        if size <= enough:
            break
        image = free * (precision @ along @ precision)
        share = size / float((along * image).sum())
        found, rest = found + share * along, rest - share * image
        size, before = float((rest * rest).sum()), size
        along = rest + size / before * along
    return found


def _lower(matrix: np.ndarray) -> np.ndarray:
    """The lower triangle with half the diagonal."""
    out = np.tril(matrix)
    out[np.diag_indices(len(out))] /= 2
    return out
