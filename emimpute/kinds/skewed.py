"""Numbers whose law is not normal, on a scale that is learned from them and on which it is.

By default the Yeo-Johnson power, with the origin and unit that it depends on chosen too: the column's median and
interquartile range, unless an origin out in a tail or a smaller unit makes the data clearly more likely. It is needed:
on exponential data the correlation with normal scores is .982 without it and .997 with it. ``Skewed("quantile")`` takes
the normal scores themselves, which follow any shape, heavy tails on both sides and several modes too, but ask for more
data. Either scale is learned from the observed values alone; where large values are missing more often than small
ones, that cannot be seen in them, and a kind that knows the scale (``positive``, ``bounded``) does better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.errors import ColumnError, shown, unknown
from emimpute.kinds import yeojohnson
from emimpute.kinds.base import Kind
from emimpute.kinds.numbers import Origin, landmark_of, to_numbers
from emimpute.kinds.scores import Scores
from emimpute.kinds.transformed import TransformedCoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["QuantileCoding", "Skewed", "YeoJohnsonCoding"]

_METHODS = ("yeo-johnson", "quantile")
_TAILS = (0.01, 0.05, 0.5, 0.95, 0.99)  # quantiles that may be the origin
_UNITS = (1.0, 0.3, 0.1)  # interquartile ranges that may be the unit; smaller ones only follow a kink in the density
_SAMPLE = 1000  # order statistics that stand for a longer column


@dataclass(frozen=True)
class YeoJohnsonCoding(TransformedCoding):
    """z = (ψ((x - centre) / scale) - middle) / spread, ψ the Yeo-Johnson transform."""

    origin: Origin
    centre: float  # counted from the origin
    scale: float
    power: float
    middle: float
    spread: float
    kind: ClassVar[str] = "skewed"

    def there(self, numbers: np.ndarray) -> np.ndarray:
        """The power transform, standardised."""
        transformed = yeojohnson.forward((numbers - self.centre) / self.scale, self.power)
        return np.asarray((transformed - self.middle) / self.spread)

    def back(self, z: np.ndarray) -> np.ndarray:
        """The inverse."""
        return self.centre + self.scale * yeojohnson.inverse(self.middle + self.spread * z, self.power)

    def moments(self, mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By quadrature."""
        latent = self.middle + self.spread * mean
        centre, sd = yeojohnson.expectation(latent, self.spread * np.sqrt(var), self.power)
        return self.centre + self.scale * centre, self.scale * sd

    def to_json(self) -> dict[str, Any]:
        """The origin and five numbers."""
        named = ("centre", "scale", "power", "middle", "spread")
        return self.origin.to_json() | {name: getattr(self, name) for name in named}


@dataclass(frozen=True)
class QuantileCoding(TransformedCoding):
    """z are the normal scores."""

    origin: Origin
    scores: Scores
    kind: ClassVar[str] = "skewed"

    def there(self, numbers: np.ndarray) -> np.ndarray:
        """The normal scores."""
        return self.scores.forward(numbers)

    def back(self, z: np.ndarray) -> np.ndarray:
        """The quantiles."""
        return self.scores.inverse(z)

    def moments(self, mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """In closed form."""
        return self.scores.expectation(mean, np.sqrt(var))

    def to_json(self) -> dict[str, Any]:
        """The origin and the knots, which are means of neighbouring values."""
        return self.origin.to_json() | {"x": list(self.scores.x), "z": list(self.scores.z)}


@dataclass(frozen=True)
class Skewed(Kind):
    """Numbers and times that become normal on a scale learned from them; by choice only.

    ``method`` is "yeo-johnson" (default) or "quantile"; ColumnError for another.
    """

    method: str = "yeo-johnson"
    name: ClassVar[str] = "skewed"

    def __post_init__(self) -> None:
        """Refuse an unknown method."""
        if self.method not in _METHODS:
            raise ColumnError(f"Skewed: {unknown('method', self.method, _METHODS)}")

    def accepts(self, column: pd.Series[Any]) -> bool:  # noqa: ARG002
        """No column of its own accord: numbers are real unless the user says so."""
        return False

    def learn(self, column: pd.Series[Any]) -> YeoJohnsonCoding | QuantileCoding:
        """The scale. ColumnError: text, nothing observed, infinities; for "quantile" fewer than ten values."""
        origin = landmark_of(column)
        numbers = to_numbers(column, origin)
        values = np.sort(numbers[~np.isnan(numbers)])
        if self.method == "yeo-johnson":
            return YeoJohnsonCoding(origin, *_yeo_johnson(values))
        scores = Scores.of(values)
        if scores is None:
            msg = (
                f"Column {shown(column.name)} has too few different values for their quantiles to be told: "
                "use Skewed() or kind 'real'."
            )
            raise ColumnError(msg)
        return QuantileCoding(origin, scores)

    def restore(self, learned: Mapping[str, Any]) -> YeoJohnsonCoding | QuantileCoding:
        """From the origin and what was learned."""
        origin = Origin.from_json(learned)
        if "power" not in learned:
            return QuantileCoding(origin, Scores(tuple(learned["x"]), tuple(learned["z"])))
        named = ("centre", "scale", "power", "middle", "spread")
        return YeoJohnsonCoding(origin, *(learned[name] for name in named))


def _yeo_johnson(values: np.ndarray) -> tuple[float, float, float, float, float]:
    """Centre, scale, power, middle, spread for sorted ``values`` (n,)."""
    n = values.size
    sample = values if n <= _SAMPLE else values[((np.arange(_SAMPLE) + 0.5) * n / _SAMPLE).astype(np.intp)]
    low, centre, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    width = high - low or float(values[-1] - values[0]) or 1.0
    power, best = yeojohnson.best_power((sample - centre) / width)
    best -= math.log(width)
    unit = width
    needed = math.log(n) / n  # what two more parameters must gain for a row, by the Bayesian information criterion
    for origin in np.quantile(values, _TAILS).tolist() if values[-1] > values[0] else []:
        for size in _UNITS:
            other, loglik = yeojohnson.best_power((sample - origin) / (size * width))
            if (loglik := loglik - math.log(size * width)) > best + needed:
                centre, unit, power, best, needed = origin, size * width, other, loglik, 0.0
    transformed = yeojohnson.forward((sample - centre) / unit, power)
    return centre, unit, power, float(transformed.mean()), float(transformed.std()) or 1.0
