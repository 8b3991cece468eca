"""Laws that might have been fitted: maximum likelihood from resampled rows, found by EM from the estimate itself.

The uncertainty about the parameters enters an imputation by fitting to a bootstrap sample of the rows, as in King,
Honaker, Joseph & Scheve 2001 (https://doi.org/10.1017/S0003055401000235) and Honaker & King 2010
(https://doi.org/10.1111/j.1540-5907.2010.00447.x). A sample is a weight for each row: only the sufficient statistics
are made anew. A sample without which some column, answer or the maximum itself is lost is drawn again, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.em import Stop, iterates
from emimpute.errors import EMImputeError, named, shown
from emimpute.inference.boxplaces import standardised
from emimpute.inference.complete import Law
from emimpute.inference.keyed import stream
from emimpute.models.factored import FactoredProblem
from emimpute.models.mixed import MixedProblem
from emimpute.models.mvn import CutNormal, MVNProblem, Normal

if TYPE_CHECKING:
    import pandas as pd

    from emimpute.latent import Latent

__all__ = ["Sampler"]

_TRIES = 100  # samples for one imputation, of which none will do, before we give up
_CLOSE = 0.02  # distance to the maximum at which a sample's fit may end, in sampling standard deviations (measured)
_PLAIN = 24  # steps of plain EM, where they are short work, before the accelerated engine takes over
_STEPS = 1000  # E-steps of that
_LOST = {Stop.UNBOUNDED, Stop.SINGULAR, Stop.FLAT}


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws laws for ``df`` by the bootstrap around the fitted ``law``."""

    law: Law
    df: pd.DataFrame
    latent: Latent
    weights: np.ndarray | None  # (n,) case weights
    prior: Any
    seed: tuple[int, ...]

    def draw(self, number: int) -> tuple[Law, list[str]]:
        """The law of imputation ``number``, and why samples were drawn again before it, a sentence for each.

        Raises EMImputeError if none of many samples can be fitted.
        """
        lost: list[str] = []
        for attempt in range(_TRIES):
            weights = self._resampled(np.random.default_rng(stream(self.seed, number, 0, attempt)))
            reason = self._present.lost(weights)
            if reason is None:
                params, reason = self._fitted(weights)
                if params is not None:
                    return self._settled(params), lost
            lost.append(reason or _NO_MAXIMUM)
        common = max(set(lost), key=lost.count)
        msg = (
            f"None of {_TRIES} bootstrap samples of the rows could be fitted: {common} Leave that column out, fit with "
            f"prior='auto', or use draw(method='posterior')."
        )
        raise EMImputeError(msg)

    @cached_property
    def _present(self) -> _Present:
        return _Present.of(self.law, self.latent)

    def _resampled(self, rng: np.random.Generator) -> np.ndarray:
        """The weight (n,) of each row in a sample; a row of whole weight 2 is resampled as two rows are."""
        n, own = len(self.df), self.weights
        if own is None or (own == own[0]).all():
            return np.asarray(np.bincount(rng.integers(n, size=n), minlength=n) * (1.0 if own is None else own[0]))
        if (own == np.rint(own)).all():
            return np.asarray(rng.multinomial(int(own.sum()), own / own.sum()), dtype=float)
        return np.asarray(np.bincount(rng.integers(n, size=n), minlength=n) * own)

    def _fitted(self, weights: np.ndarray) -> tuple[Any, str | None]:
        """The parameters that a sample's rows say, or why there are none."""
        try:
            problem: Any = self.law.model.bind(self.latent, weights, self.prior)
            start: Any = None
            if isinstance(problem, MixedProblem):
                start = standardised(problem, self.law.params)
            elif isinstance(problem, MVNProblem | FactoredProblem):
                cov = self.law.params.cov / np.outer(problem.scale, problem.scale)
                start = Normal((self.law.params.mean - problem.centre) / problem.scale, cov)
            close = _CLOSE / np.sqrt(float(problem.rows))
            if isinstance(start, Normal) and not isinstance(start, CutNormal):
                if problem.solution is not None:
                    start = problem.solution
                start, arrived = _plain(problem, start, close)
                if arrived:
                    return (None, _NO_MAXIMUM) if problem.degenerate(start) else (problem.natural(start), None)
            *_, last = iterates(problem, tol=close, max_iter=_STEPS, start=start)
        except np.linalg.LinAlgError:
            return None, _NO_MAXIMUM
        return (None, _NO_MAXIMUM) if last.stop in _LOST else (problem.natural(last.params), None)

    def _settled(self, params: Any) -> Law:
        table = self.law.table.settled(params.cuts) if isinstance(params, CutNormal) else self.law.table
        return Law(table, self.law.model, params)


def _plain(problem: Any, params: Normal, close: float) -> tuple[Normal, bool]:
    """Plain EM for some steps, and whether it came as close to the maximum as asked for, by Aitken's estimate.

    On small tables a step takes less than the accelerated engine's checks do.
    """
    white = np.linalg.inv(np.linalg.cholesky(params.cov))
    before = np.inf
    for _ in range(_PLAIN):
        found: Normal = problem.maximize(problem.expect(params)[0])
        by_mean = np.linalg.norm(white @ (found.mean - params.mean))
        by_cov = np.linalg.norm(white @ (found.cov - params.cov) @ white.T)
        params, step = found, float(max(by_mean, by_cov))
        rate = min(step / before, 1.0)
        if step == 0 or (np.isfinite(before) and rate < 1 and step * rate / (1 - rate) < close):
            return params, True
        before = step
    return params, False


_NO_MAXIMUM = "Samples have no unique maximum of the likelihood."


@dataclass(frozen=True, eq=False)
class _Present:
    """What a sample must not lose: columns that vary, and each answer that was given at all."""

    labels: list[Any]  # (d,) of the coordinates
    points: np.ndarray  # (n, d), NaN where there is none
    varies: np.ndarray  # (d,) bool, which coordinates have points that differ
    answers: list[tuple[Any, np.ndarray, int]]  # of a column: its label, the number (n,) of each row's answer, how many

    @classmethod
    def of(cls, law: Law, latent: Latent) -> _Present:
        points = np.where(latent.observed, latent.points, np.nan)
        varies = np.fmin.reduce(points, axis=0) < np.fmax.reduce(points, axis=0)
        labels = law.table.coordinates.tolist()
        coarse = latent.known & ~latent.observed
        answers = []
        cones = {cone.span.start: cone for cone in latent.cones}
        for label, span in zip(law.table.labels, latent.spans, strict=True):
            j = span.start
            if span.stop > j and coarse[:, j].any() and (j in cones or len(latent.cuts[j])):
                given = np.flatnonzero(coarse[:, j])
                said = cones[j].of_row[given] if j in cones else latent.lower[given, j]
                distinct, codes = np.unique(said, return_inverse=True)
                number = np.full(len(coarse), -1)
                number[given] = codes.reshape(-1)
                answers.append((label, number, len(distinct)))
        return cls(labels, points, varies, answers)

    def lost(self, weights: np.ndarray) -> str | None:
        """What rows of these weights lack, in words, or None."""
        here = self.points[weights > 0]
        constant = self.varies & ~(np.fmin.reduce(here, axis=0) < np.fmax.reduce(here, axis=0))
        if constant.any():
            which = [self.labels[j] for j in np.flatnonzero(constant)]
            return f"Samples leave {named(which)} without two values that differ."
        for label, number, count in self.answers:
            if len(np.unique(number[(weights > 0) & (number >= 0)])) < count:
                return f"Samples lose a rare answer of {shown(label)}."
        return None
