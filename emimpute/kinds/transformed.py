"""What the kinds have in common whose columns are points on another scale: the logarithm, a share's probit, and so on.

A cell is a point z = t(x) of one latent coordinate, t monotone and increasing, and x is counted from an origin as
everywhere. EM works on z. On the way back a drawn value is t⁻¹(z); the *expectation* of x is no such thing: it is the
integral of t⁻¹ under the normal law of z, which each kind gives in closed form or by quadrature. The 95 % interval goes
through t⁻¹, for quantiles do.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import ColumnError, shown
from emimpute.kinds.base import Cells, Coding
from emimpute.kinds.legal import outermost
from emimpute.kinds.numbers import Z95, from_numbers, summary_of, to_numbers
from emimpute.kinds.printing import printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from emimpute.kinds.writing import Origin

__all__ = ["TransformedCoding", "refused"]


class TransformedCoding(Coding):
    """A coding of points on a transformed scale; a subclass says how to go there, back, and what is to be expected."""

    origin: Origin  # what the column's numbers are counted from

    @abstractmethod
    def there(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers (r,), counted from the origin, on the latent scale (r,); NaN stays NaN."""

    @abstractmethod
    def back(self, z: np.ndarray) -> np.ndarray:
        """Numbers (r,), counted from the origin, of latent values ``z`` (r,): monotone, and finite for every z."""

    @abstractmethod
    def moments(self, mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expectation and sd (r,) of numbers counted from the origin, for normal z of ``mean`` and ``var`` (r,)."""

    def limits(self, like: pd.Series[Any]) -> tuple[float, float]:
        """The lowest and the highest legal cell of ``like``, counted from the origin."""
        return outermost(like, self.origin)

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Points (n, 1), NaN for holes. ColumnError: numbers of another family, text, infinities."""
        return Cells.points(self.there(to_numbers(column, self.origin))[:, np.newaxis])

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:
        """The legal cells nearest to the conditional expectations, from ``mean`` (r, 1) and ``var`` (r, 1, 1)."""
        return self._cells(self.moments(mean[:, 0], var[:, 0, 0])[0], like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The legal cells nearest to what the drawn ``z`` (r, 1) stand for."""
        return self._cells(self.back(z[:, 0]), like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:
        """Expectation, sd and 95 % interval on the column's scale."""
        centre, sd = self.moments(mean[:, 0], var[:, 0, 0])
        reach = Z95 * np.sqrt(var[:, 0, 0])
        low, high = self.back(mean[:, 0] - reach), self.back(mean[:, 0] + reach)
        return summary_of({"estimate": centre, "low": low, "high": high}, sd, self.origin, like)

    def printed(self, mean: np.ndarray, var: np.ndarray) -> tuple[str, str]:
        """Mean and sd on the column's scale."""
        centre, sd = self.moments(mean, var[:, 0])
        return printed(float(centre[0]), float(sd[0]), self.origin)

    def _cells(self, numbers: np.ndarray, like: pd.Series[Any]) -> Any:
        return from_numbers(np.clip(numbers, *self.limits(like)), self.origin, like)


def refused(column: pd.Series[Any], rows: np.ndarray, why: str) -> ColumnError:
    """The error for a column of which some ``rows`` (n,) bool hold what a kind cannot; it shows the first of them."""
    first, count = int(np.argmax(rows)), int(rows.sum())
    label = column.index[[first]].tolist()[0]
    row = f"row label {shown(label)}"
    where = f"1 row ({row})" if count == 1 else f"{count} rows (first at {row})"
    return ColumnError(f"Column {shown(column.name)} holds {column.iloc[first]} in {where}, {why}")
