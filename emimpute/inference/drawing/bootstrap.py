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

from emimpute.errors import EMImputeError
from emimpute.inference.drawing.keyed import stream
from emimpute.inference.drawing.smalltable import SmallTable
from emimpute.inference.heldout.refit import Present, refitted, settled

if TYPE_CHECKING:
    import pandas as pd

    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

__all__ = ["Sampler"]

_TRIES = 100  # samples for one imputation, of which none will do, before we give up
_CLOSE = 0.02  # distance to the maximum at which a sample's fit may end, in sampling standard deviations (measured)


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
                    return settled(self.law, params), lost
            lost.append(reason or _NO_MAXIMUM)
        common = max(set(lost), key=lost.count)
        msg = (
            f"None of {_TRIES} bootstrap samples of the rows could be fitted: {common} Leave that column out, fit with "
            f"prior='auto', or use draw(method='posterior')."
        )
        raise EMImputeError(msg)

    @cached_property
    def _present(self) -> Present:
        return Present.of(self.law, self.latent)

    def _resampled(self, rng: np.random.Generator) -> np.ndarray:
        """The weight (n,) of each row in a sample; a row of whole weight 2 is resampled as two rows are."""
        n, own = len(self.df), self.weights
        if own is None or (own == own[0]).all():
            return np.asarray(np.bincount(rng.integers(n, size=n), minlength=n) * (1.0 if own is None else own[0]))
        if (own == np.rint(own)).all():
            return np.asarray(rng.multinomial(int(own.sum()), own / own.sum()), dtype=float)
        return np.asarray(np.bincount(rng.integers(n, size=n), minlength=n) * own)

    @cached_property
    def _small(self) -> SmallTable | None:
        return SmallTable.of(self.law, self.latent, self.prior)

    def _fitted(self, weights: np.ndarray) -> tuple[Any, str | None]:
        """The parameters that a sample's rows say, or why there are none."""
        if self._small is not None:
            found = self._small.fitted(weights, _CLOSE)
            if found is not None:
                return found, None
        params = refitted(self.law, self.latent, weights, self.prior, lambda rows: _CLOSE / np.sqrt(rows))
        return params, _NO_MAXIMUM if params is None else None


_NO_MAXIMUM = "Samples have no unique maximum of the likelihood."
