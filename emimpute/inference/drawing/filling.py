r"""One imputation's cells, from the law that was drawn for it; and again, for values that are shifted.

Shifts are of a column's missing values: δ of its standard deviations more or less than what the gaps would hold were
they missing at random given all that is observed of the row. What else is missing in the row follows, as it would were
the shifted values known: with h the row's gaps, S those whose shift was named, be it 0, and x the others, the draws of
x move by :math:`-\Omega_{xx}^{-1} \Omega_{xS} \delta_S`. So among the gaps, too, columns go together as they do where
they are observed, and the pattern-mixture model differs from missing at random by δ alone. Cells that are intervals
keep the latent values that were drawn for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.inference.drawing.bypattern import ByPattern, precisions
from emimpute.kinds.encoded import filled
from emimpute.latent import blocks, patterns
from emimpute.models.mvn import MVN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from emimpute.inference.complete import Law
    from emimpute.inference.drawing.keyed import Keyed
    from emimpute.latent import Latent, Patterns

__all__ = ["Filling"]

_CELLS = 1 << 17  # of the table that are worked on at once


@dataclass(frozen=True, eq=False)
class Filling:
    """What stays the same between imputations."""

    columns: Mapping[int, pd.Series[Any]]  # by position, those of the table in its order
    rows: Mapping[int, np.ndarray]  # by position, the rows of each column's gaps
    latent: Latent
    fit: Law
    shifts: Sequence[Mapping[int, float]]  # of each scenario: coordinates, and by how many sd

    def cells(self, law: Law, latent: Latent, rng: Keyed) -> list[dict[int, Any]]:
        """Legal cells (r,) for the r rows of each column's gaps, by position; for each scenario."""
        spans = dict(zip(self.columns, latent.spans, strict=True))
        gaps = {i: rows for i, rows in self.rows.items() if spans[i].stop > spans[i].start}
        drawn = self._drawn(law, latent, rng)
        usual = {i: drawn[rows, spans[i]] for i, rows in gaps.items()}
        decoded: dict[int, Any] = {}
        found = []
        for shift in self.shifts:
            moved = self._moves(law, shift) if any(shift.values()) else None
            own = {}
            for (i, like), coding in zip(self.columns.items(), law.table.codings, strict=True):
                if i not in self.rows:
                    continue
                z = usual.get(i, np.empty((len(self.rows[i]), 0)))
                away = 0.0 if moved is None else moved[self._known.of_row[self.rows[i]], spans[i]]
                if np.any(away):
                    own[i] = filled(coding, coding.decode(z + away, like), like, len(z))
                    continue
                if i not in decoded:
                    decoded[i] = filled(coding, coding.decode(z, like), like, len(z))
                own[i] = decoded[i]
            found.append(own)
        return found

    @cached_property
    def _known(self) -> Patterns:
        return patterns(self.latent.known)

    @cached_property
    def _small(self) -> ByPattern | None:
        """The table in units of the fit, where it is small and without intervals."""
        if self.latent.boxed or not isinstance(self.fit.model, MVN):
            return None
        z = (self.latent.points - self.fit.params.mean) / np.sqrt(np.diag(self.fit.params.cov))
        return ByPattern.of(z, self.latent.observed)

    def _drawn(self, law: Law, latent: Latent, rng: Keyed) -> np.ndarray:
        """The table (n, d), with its holes drawn."""
        n, d = latent.points.shape
        if self._small is not None:
            centre, unit = self.fit.params.mean, np.sqrt(np.diag(self.fit.params.cov))
            mean, cov = (law.params.mean - centre) / unit, law.params.cov / np.outer(unit, unit)
            return np.asarray(centre + unit * self._small.draw(mean, cov, rng.standard_normal((n, d))))
        if n * d <= _CELLS:
            return law.model.complete(law.params, latent, rng=rng)[0]
        drawn = np.empty((n, d))
        for some in blocks(n, d, cells=_CELLS):
            drawn[some] = law.model.complete(law.params, latent.take(some), rng=rng)[0]
        return drawn

    def _moves(self, law: Law, shift: Mapping[int, float]) -> np.ndarray:
        """How far the gaps of each pattern of known cells move, (K, d)."""
        cov, masks = law.params.cov, self._known.masks
        sd = np.sqrt(np.diag(cov))
        size, asked = np.zeros(len(sd)), np.zeros(len(sd), dtype=bool)
        size[list(shift)] = list(shift.values())
        asked[list(shift)] = True  # by 0, too: what is named holds still then, else estimates would leap there
        moves = np.where(masks, 0.0, size)
        precision = np.linalg.inv(cov / np.outer(sd, sd))
        for some in blocks(len(masks), len(sd) ** 2, cells=1 << 20):
            follow = ~masks[some] & ~asked
            slope = moves[some] @ precision
            moves[some] -= np.matmul(precisions(follow, precision), slope[:, :, None])[:, :, 0]
        return moves * sd
