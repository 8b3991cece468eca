"""Priors for a covariance matrix, all of which add a diagonal scatter and change the divisor.

With S the covariance matrix of the expected complete data (divisor n) and Δ the diagonal of the observed variances,
the M-step is Σ = (n S + df·Δ) / (n + df + extra), the mode under the log density −½[(df + extra) log|Σ| + df
tr(ΔΣ⁻¹)]. norm2's ridge has ``extra`` = d + 1 (Schafer 1997, https://doi.org/10.1201/9781439821862, section 5.2.3):
it is kept for comparison, and does not tend to maximum likelihood as df tends to 0. :class:`Shrink` has ``extra`` =
0 and does: it is what the package uses on its own account.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from emimpute.errors import EMImputeError, unknown

__all__ = ["COARSE", "FALLBACK", "PIN", "Auto", "Prior", "Ridge", "Shrink", "from_json", "resolve", "to_json"]


class Prior(Protocol):
    """A prior on Σ with mode (n S + df·Δ) / (n + df + extra)."""

    @property
    def df(self) -> float:
        """Weight of the diagonal scatter, in rows."""

    def extra(self, d: int) -> float:
        """What the divisor gains beyond n + df, for d coordinates."""


def _check(df: float) -> None:
    if not (df >= 0 and math.isfinite(df)):
        msg = f"A prior's df is a finite number not below 0, and this one is {df!r}."
        raise EMImputeError(msg)


@dataclass(frozen=True)
class Ridge:
    """norm2's ridge: inverse-Wishart, ``df`` and ``df`` times the observed variances (divisor: count - 1)."""

    df: float = 3.0
    name: ClassVar[str] = "ridge"

    def __post_init__(self) -> None:
        _check(self.df)

    def extra(self, d: int) -> float:
        """norm2 adds d + 1 to the divisor."""
        return d + 1.0


@dataclass(frozen=True)
class Shrink:
    """A penalty that draws correlations towards 0 as ``df`` further rows would, and leaves variances alone."""

    df: float = 0.5
    name: ClassVar[str] = "shrink"

    def __post_init__(self) -> None:
        _check(self.df)

    def extra(self, d: int) -> float:  # noqa: ARG002 (the protocol's)
        """Nothing: the divisor is n + df."""
        return 0.0


FALLBACK = Shrink(0.5)
# Where it is intervals that no maximum fits (separated answers, rare levels): with this one their probabilities are as
# good or better, and the maximum is rounder (measured: docs/how-it-works.md).
COARSE = Shrink(2.0)
# Enough to keep Σ regular where columns depend exactly on each other; weaker ones converge badly (measured), and with
# this one a filled cell keeps the dependency to about 1e-5 sd, where FALLBACK misses it by several hundredths.
PIN = Shrink(1e-4)


@dataclass(frozen=True)
class Auto:
    """A :class:`Shrink` to be chosen from the data: no prior yet, so that none can be mistaken for it."""


def resolve(prior: object) -> tuple[Prior | Auto | None, bool]:
    """The prior that was asked for, and whether ``FALLBACK`` may replace it where maximum likelihood fails."""
    if prior is None:
        return None, False
    if isinstance(prior, str):
        if prior == "fallback":
            return None, True
        if prior == "ridge":
            return Ridge(), False
        if prior == "auto":
            return Auto(), True
        raise EMImputeError(unknown("prior", prior, ["fallback", "auto", "ridge"]))
    if isinstance(prior, bool):
        msg = f"prior= takes None, 'fallback', 'auto', 'ridge', a number (norm2's prior df) or a Prior, not {prior!r}."
        raise EMImputeError(msg)
    if isinstance(prior, (int, float)):
        return Ridge(float(prior)), False
    if hasattr(prior, "df") and callable(getattr(prior, "extra", None)):
        return prior, False  # type: ignore[return-value]
    kind = type(prior).__name__
    msg = f"prior= takes None, 'fallback', 'auto', 'ridge', a number (norm2's prior df) or a Prior, not {kind}."
    raise EMImputeError(msg)


def to_json(prior: Any) -> dict[str, Any] | None:
    """A prior of this module as JSON types. Raises EMImputeError for another."""
    if prior is None:
        return None
    if isinstance(prior, (Ridge, Shrink)):
        return {"name": prior.name, "df": prior.df}
    msg = f"A fit with a prior of its own class ({type(prior).__name__}) cannot be written as JSON."
    raise EMImputeError(msg)


def from_json(document: dict[str, Any] | None) -> Prior | None:
    """What :func:`to_json` wrote."""
    named: dict[str, type[Ridge | Shrink]] = {"ridge": Ridge, "shrink": Shrink}
    return None if document is None else named[document["name"]](document["df"])
