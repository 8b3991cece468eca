"""Gaps filled by the true parameters as a fit fills them, and by what takes no model at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from emimpute.inference.complete import Law
from emimpute.kinds.numbers import Origin
from emimpute.kinds.transformed import TransformedCoding
from emimpute.models.mvn import CutNormal

if TYPE_CHECKING:
    import emimpute

    from .data import Margin, Sample

__all__ = ["medians", "true_fit"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@dataclass(frozen=True)
class _Known(TransformedCoding):
    """A continuous column whose map to the normal is known."""

    margin: Margin
    origin: Origin = Origin(0.0)  # noqa: RUF009 (it is frozen)
    kind: ClassVar[str] = "known"

    def there(self, numbers: np.ndarray) -> np.ndarray:
        return self.margin.inverse(numbers)

    def back(self, z: np.ndarray) -> np.ndarray:
        return self.margin.forward(z)

    def moments(self, mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = mean[:, np.newaxis] + np.sqrt(var)[:, np.newaxis] * _NODES
        x, share = self.margin.forward(z), _WEIGHTS / _WEIGHTS.sum()
        centre = x @ share
        return centre, np.sqrt((x - centre[:, np.newaxis]) ** 2 @ share)

    def to_json(self) -> dict:
        return {"margin": self.margin.name}


def true_fit(fit: emimpute.Fit, sample: Sample) -> emimpute.Fit:
    """The fit with the truth in the place of all that it learned."""
    table, codings = fit.law.table, []
    for label, learned in zip(table.labels, table.codings, strict=True):
        if label in sample.margins:
            codings.append(_Known(sample.margins[label]))
        else:
            codings.append(learned.settled((sample.cuts[label],)) if label in sample.cuts else learned)
    shift = np.array([s for coding in codings for s in coding.shift])
    params = CutNormal(sample.mean - shift, sample.cov, np.concatenate([np.zeros(0), *sample.cuts.values()]))
    return replace(fit, law=Law(replace(table, codings=tuple(codings)), fit.law.model, params))


def medians(df: pd.DataFrame) -> pd.DataFrame:
    """Gaps filled by the column's median, or its most frequent value where it has no order."""
    out = df.copy()
    for name in df:
        column = df[name].dropna()
        if isinstance(column.dtype, pd.CategoricalDtype):
            place = np.median(column.cat.codes) if column.cat.ordered else column.cat.codes.mode()[0]
            fill = column.cat.categories[int(place)]
        else:
            fill = bool(column.mean() > 0.5) if column.dtype == "boolean" else column.median()
        out[name] = df[name].fillna(fill)
    return out
