r"""Reliability of a sum of items from a fit's covariances: alpha, omega, and what each item does for the scale.

Everything is a function of the items' covariance matrix S: incomplete answers need no imputing, and the delta method
gives standard errors that know of the gaps. With k items and V = 1ᵀS1:

- alpha = k/(k − 1) (1 − tr S / V) (Cronbach 1951, https://doi.org/10.1007/BF02310555);
- omega = (Σλ)²/((Σλ)² + Σψ), with the loadings λ and uniquenesses ψ of one factor by maximum likelihood: the share
  of the sum's variance, as that model has it, that the factor explains (McDonald's omega total for one factor);
- an item's corrected correlation with the total is that with the sum of the other items.

Intervals are symmetric in log(1 − coefficient), which varies less skewly (Bonett 2002,
https://doi.org/10.3102/10769986027004335). For ordered answers S holds latent (polychoric) correlations: what comes out
is then ordinal alpha or omega, the reliability of the unobserved continuous answers, not of the sum of codes (Zumbo,
Gadermann & Zeisser 2007, https://doi.org/10.22237/jmasm/1177992180).
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.errors import ColumnError, EMImputeError, named
from emimpute.inference.moments.columns import Columns, normal_quantile
from emimpute.inference.moments.extraction import correlations, extract, loadings
from emimpute.inference.standing.uncertainty import slopes, uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from emimpute.inference.complete import Law
    from emimpute.inference.standing.params import Standing
    from emimpute.inference.standing.uncertainty import Uncertainty

__all__ = ["Reliability", "alpha", "omega"]

_WIDTH = 100  # characters of a line of text


@dataclass(frozen=True, eq=False, repr=False)
class Reliability:
    """A coefficient of reliability of k items. It prints as one screen, and ``float()`` gives the estimate.

    Attributes
    ----------
    name
        "alpha" or "omega", with "standardized" or "ordinal" before it where that is what it is.
    estimate, se
        The coefficient and its standard error.
    items
        A row for each item. For alpha: ``item_total`` (correlation with the sum of the other items) and
        ``alpha_dropped`` (alpha of the other items), each with its standard error. For omega: ``loading`` and
        ``unique`` of the standardized item, likewise. ``reversed`` says which items were turned.
    nobs
        Rows of the fit with something observed (of weight above 0).
    cov_type
        What the standard errors come from: "observed" or "expected" information, or "sandwich".
    notes
        Sentences on what was seen.
    """

    name: str
    estimate: float
    se: float
    items: pd.DataFrame
    nobs: int
    cov_type: str
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return self.estimate

    def conf_int(self, alpha: float = 0.05) -> tuple[float, float]:
        """Interval of confidence 1 − ``alpha``, symmetric in log(1 − coefficient)."""
        left = 1 - self.estimate
        stretch = float(np.exp(normal_quantile(alpha) * self.se / left))
        return 1 - left * stretch, 1 - left / stretch

    def to_frame(self) -> pd.DataFrame:
        """One row: estimate, se, and the 95 % interval low, high."""
        low, high = self.conf_int()
        row = {"estimate": self.estimate, "se": self.se, "low": low, "high": high}
        return pd.DataFrame(row, index=[self.name])

    def summary(self) -> str:
        """One screen of text."""
        told = [line for note in self._notes() for line in textwrap.wrap(note, _WIDTH)]
        return "\n".join([self._headline(), "", self._written().to_string(), "", *told])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        told = "".join(f"<p>{escape(note)}</p>" for note in self._notes())
        return f"<div><p>{escape(self._headline())}</p>{self._written().to_html()}{told}</div>"

    def _headline(self) -> str:
        low, high = self.conf_int()
        size = f"{len(self.items)} items, {self.nobs} rows"
        name = self.name[0].upper() + self.name[1:]
        return f"{name} {self.estimate:.4f} (se {self.se:.4f}, 95 % interval {low:.4f} to {high:.4f}); {size}"

    def _written(self) -> pd.DataFrame:
        table = self.items.copy()
        for name in table.columns[1:]:
            table[name] = self.items[name].map("{:.3f}".format)
        return table

    def _notes(self) -> list[str]:
        how = "the sandwich" if self.cov_type == "sandwich" else f"the {self.cov_type} information"
        return [f"Standard errors by the delta method from {how} of the covariances.", *self.notes]


@dataclass(frozen=True)
class _Scale:
    """Items that were asked for, in the direction in which they count."""

    labels: list[Any]
    turned: np.ndarray  # (k,) bool
    ordered: list[Any]
    moments: Uncertainty

    @property
    def index(self) -> pd.Index[Any]:
        return pd.Index(self.labels, tupleize_cols=False, dtype=object)

    def seen(self, standardized: bool) -> Callable[[np.ndarray], np.ndarray]:  # noqa: FBT001 (it is what is asked)
        """Covariance matrices (B, k, k) as the coefficient takes them: items turned, perhaps standardized."""
        sign = np.where(self.turned, -1.0, 1.0)

        def at(cov: np.ndarray) -> np.ndarray:
            same = cov * np.outer(sign, sign)
            return correlations(same) if standardized else same

        return at


@single_threaded
def alpha(
    law: Law,
    standing: Standing,
    *,
    items: Iterable[Any] | None = None,
    reverse: Iterable[Any] = (),
    standardized: bool = False,
    cov_type: str | None = None,
) -> Reliability:
    """Cronbach's alpha of ``items`` (default: all columns of one coordinate), and of the scale without each of them.

    Raises EMImputeError for fewer than two items and where no standard errors exist; ColumnError for items that the fit
    lacks or holds on a transformed scale.
    """
    scale = _scale(law, standing, items, reverse, cov_type=cov_type, what="Alpha", least=2)
    seen = scale.seen(standardized)
    cov = scale.moments.cov
    k = len(cov)

    def at(many: np.ndarray) -> np.ndarray:
        return _alphas(seen(many))

    values, errors = at(cov[None])[0], _errors(scale.moments, at)
    columns = {
        "reversed": scale.turned,
        "item_total": values[1 : k + 1],
        "item_total_se": errors[1 : k + 1],
        "alpha_dropped": values[k + 1 :],
        "alpha_dropped_se": errors[k + 1 :],
    }
    against = [label for label, value in zip(scale.labels, values[1 : k + 1], strict=True) if value < 0]
    return Reliability(
        name=_named("alpha", scale, standardized=standardized),
        estimate=float(values[0]),
        se=float(errors[0]),
        items=pd.DataFrame(columns, index=scale.index),
        nobs=scale.moments.rows,
        cov_type=scale.moments.cov_type,
        notes=(*_against(against, "the sum of the others"), *_ordinal(scale)),
    )


@single_threaded
def omega(
    law: Law,
    standing: Standing,
    *,
    items: Iterable[Any] | None = None,
    reverse: Iterable[Any] = (),
    standardized: bool = False,
    cov_type: str | None = None,
) -> Reliability:
    """McDonald's omega of ``items``, by one factor and maximum likelihood.

    Raises EMImputeError for fewer than three items and where no standard errors exist; ColumnError for items that the
    fit lacks or holds on a transformed scale, and where no factor is found.
    """
    scale = _scale(law, standing, items, reverse, cov_type=cov_type, what="Omega", least=3)
    seen, cov = scale.seen(standardized=False), scale.moments.cov
    k = len(cov)
    try:
        solved = extract(correlations(seen(cov)), 1)
    except np.linalg.LinAlgError:
        raise ColumnError(
            f"The correlations of {named(scale.labels)} are singular, or no factor was found in them: leave out items "
            "that others determine."
        ) from None

    def at(many: np.ndarray) -> np.ndarray:
        turned = seen(many)
        corr = correlations(turned)
        x = solved.beside(corr)
        found = loadings(x, corr, 1)[:, :, 0]
        found = found * np.where(found.sum(axis=1) < 0, -1.0, 1.0)[:, None]
        sd = np.ones_like(found) if standardized else np.sqrt(np.diagonal(turned, axis1=1, axis2=2))
        common = np.square((sd * found).sum(axis=1))
        own = (sd**2 * np.exp(x)).sum(axis=1)
        return np.concatenate([(common / (common + own))[:, None], found, np.exp(x)], axis=1)

    values, errors = at(cov[None])[0], _errors(scale.moments, at)
    columns = {
        "reversed": scale.turned,
        "loading": values[1 : k + 1],
        "loading_se": errors[1 : k + 1],
        "unique": values[k + 1 :],
        "unique_se": np.where(solved.free, errors[k + 1 :], np.nan),
    }
    against = [label for label, value in zip(scale.labels, values[1 : k + 1], strict=True) if value < 0]
    held = [label for label, free in zip(scale.labels, solved.free, strict=True) if not free]
    heywood = (f"Uniqueness held at .005 (a Heywood case): {named(held)}; standard errors take it for known.",)
    return Reliability(
        name=_named("omega", scale, standardized=standardized),
        estimate=float(values[0]),
        se=float(errors[0]),
        items=pd.DataFrame(columns, index=scale.index),
        nobs=scale.moments.rows,
        cov_type=scale.moments.cov_type,
        notes=(*_against(against, "the factor"), *(heywood if held else ()), *_ordinal(scale)),
    )


def _scale(
    law: Law,
    standing: Standing,
    items: Iterable[Any] | None,
    reverse: Iterable[Any],
    *,
    cov_type: str | None,
    what: str,
    least: int,
) -> _Scale:
    columns = Columns.of(law)
    labels = columns.items(items, f"{what}, items=")
    places = [columns.item(label, f"{what}, items=") for label in labels]
    if len(labels) < least:
        raise EMImputeError(f"{what} needs {least} items or more, and was given {len(labels)}: name more in items=.")
    turned = [reverse] if isinstance(reverse, str) else list(reverse)
    for label in turned:
        columns.find(label, f"{what}, reverse=")
        if label not in labels:
            raise ColumnError(
                f"{what}, reverse=: this names {named([label])}, which is none of the items: add it to items=."
            )
    ordered = [label for label in labels if columns.ordered(label)]
    found = uncertainty(law, standing, cov_type).take(places)
    return _Scale(labels, np.array([label in turned for label in labels]), ordered, found)


def _alphas(cov: np.ndarray) -> np.ndarray:
    """Alpha, the k correlations of items with the others' sum, and the k alphas without one (B, 1 + 2k)."""
    k = cov.shape[-1]
    total, own = cov.sum(axis=(1, 2)), np.diagonal(cov, axis1=1, axis2=2)
    with_all = cov.sum(axis=2)
    others = total[:, None] - 2 * with_all + own  # variance of the sum of the others
    whole = k / (k - 1) * (1 - own.sum(axis=1) / total)
    item_total = (with_all - own) / np.sqrt(own * others)
    if k == 2:
        dropped = np.full_like(own, np.nan)
    else:
        dropped = (k - 1) / (k - 2) * (1 - (own.sum(axis=1)[:, None] - own) / others)
    return np.concatenate([whole[:, None], item_total, dropped], axis=1)


def _errors(moments: Uncertainty, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Standard errors of a function of covariance matrices."""
    return np.asarray(np.sqrt(np.diag(moments.covariance(slopes(function, moments.cov)))))


def _named(name: str, scale: _Scale, *, standardized: bool) -> str:
    if scale.ordered:
        return f"ordinal {name}"
    return f"standardized {name}" if standardized else name


def _against(labels: list[Any], what: str) -> tuple[str, ...]:
    if not labels:
        return ()
    return (f"Goes against {what}: {named(labels)}. If worded the other way round, name it in reverse=.",)


def _ordinal(scale: _Scale) -> tuple[str, ...]:
    if not scale.ordered:
        return ()
    said = "By latent (polychoric) correlations: the reliability of the continuous answers behind the ordered ones"
    return (f"{said} ({named(scale.ordered)}), not of the sum of their codes.",)
