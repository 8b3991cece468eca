"""What a paper says of a fit: a paragraph on methods, made from what happened, and the references it cites.

Every sentence is there because of something in the fit: the kinds of its columns, its prior and why there is one, its
engine, and how the run ended.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.em import Stop
from emimpute.errors import phrase
from emimpute.inference.complete import levels
from emimpute.models.priors import Ridge, Shrink
from emimpute.results.describe import distance
from emimpute.results.labels import name
from emimpute.results.references import cited

if TYPE_CHECKING:
    from emimpute.results.fit import Fit
    from emimpute.results.mcar import MCARTest

__all__ = ["Methods", "methods", "ridge", "software"]

_COLUMNS = 6  # of a kind that are named
_GROUP = 200  # characters of a group's name


@dataclass(frozen=True)
class Methods:
    """A paragraph, and the references it cites."""

    paragraph: str
    references: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.paragraph, "", "References", "", *self.references])


@dataclass
class _Text:
    """Sentences as they come, and what they cite."""

    sentences: list[str] = field(default_factory=list)
    cites: list[str] = field(default_factory=list)

    def add(self, sentence: str, *cites: str) -> None:
        self.sentences.append(sentence)
        self.cites += cites


def methods(fit: Fit, *, filled: str = "expected", left: int = 0, test: MCARTest | None = None) -> Methods:
    """The paragraph on ``fit``.

    ``filled`` says what stands in the gaps: "expected", "drawn" (once from the conditional distribution), or "given"
    (something else), and ``left`` how many are gaps still; ``test`` is Little's, if there was one.
    """
    text = _Text()
    _data(fit, text, test)
    _model(fit, text)
    _estimate(fit, text)
    _end(fit, text)
    if left:
        were = "1 missing cell was left as it was" if left == 1 else f"{left} missing cells were left as they were"
        text.add(f"{were}.")
    if sum(fit.gaps) > left:
        _filling(fit, text, filled)
    text.add(f"Computed with {software()}.")
    return Methods(" ".join(text.sentences), cited(text.cites))


def software() -> str:
    """Names and versions of the package and of what it stands on."""
    from importlib import metadata  # noqa: PLC0415 (importing emimpute stays light)

    try:
        own = f"emimpute {metadata.version('emimpute')}"
    except metadata.PackageNotFoundError:
        own = "emimpute (run from its sources)"
    return f"{own} (Python {platform.python_version()}, pandas {pd.__version__}, NumPy {np.__version__})"


def _data(fit: Fit, text: _Text, test: MCARTest | None) -> None:
    gaps, columns = np.array(fit.gaps), len(fit.gaps)
    cells = fit.rows * columns
    whose = f" (those where {name(fit.group, _GROUP)}, fitted apart from the others)" if fit.group else ""
    said = f"The data had {_some(fit.rows, 'row')}{whose} and {_some(columns, 'column')}"
    if not gaps.any():
        text.add(f"{said}, and no cell was missing.")
    else:
        shares = 100 * gaps / fit.rows
        spread = f", from {shares.min():.1f}% to {shares.max():.1f}% by column" if columns > 1 else ""
        text.add(f"{said}; {gaps.sum()} of {cells} cells were missing ({gaps.sum() / cells:.1%}{spread}).")
    if fit.weights is not None or not float(fit.nobs).is_integer() or fit.nobs > fit.rows:
        text.add(f"Rows had case weights, which add up to {fit.nobs:g} over the rows with something observed.")
    elif fit.nobs < fit.rows:
        text.add(f"In {fit.rows - fit.nobs:g} of the rows nothing was observed; they do not enter the estimate.")
    if test is not None and test.df:
        chi = f"χ²({test.df}) = {test.statistic:.2f}, p {'< .0001' if test.pvalue < _SMALL else f'= {test.pvalue:.4f}'}"
        rough = "; approximate, for it rests on a ridge" if test.prior is not None else ""
        text.add(
            f"Little's test that cells are missing completely at random (Little, 1988) gave {chi}{rough}.", "little"
        )


_SMALL = 1e-4

_TREATED: dict[str, tuple[str, tuple[str, ...]]] = {
    "real": ("numbers as they are", ()),
    "datetime": ("dates and times as numbers", ()),
    "timedelta": ("lengths of time as numbers", ()),
    "positive": ("numbers above zero by their logarithms", ()),
    "bounded": ("numbers between two bounds by their probits, those at a bound as intervals", ()),
    "count": ("counts as intervals of a latent normal variable", ()),
    "ordinal": (
        "ordered categories as intervals of a latent normal variable between estimated cut points (Olsson, 1979)",
        ("olsson",),
    ),
    "binary": (
        "two categories as the two sides of an estimated cut point of a latent normal variable (Olsson, 1979)",
        ("olsson",),
    ),
    "nominal": (
        "unordered categories by latent normal utilities, the largest of which decides (Hausman & Wise, 1978)",
        ("hausman",),
    ),
    "censored": ("numbers beyond a detection limit as intervals (Tobin, 1958)", ("tobin",)),
    "interval": ("brackets as intervals (Stewart, 1983)", ("stewart",)),
    "constant": ("columns that do not vary as their constant, outside of the model", ()),
}
_SCORES = "skewed numbers by their normal scores"
_POWER = "skewed numbers after a Yeo-Johnson transformation (Yeo & Johnson, 2000)"


def _model(fit: Fit, text: _Text) -> None:
    table = fit.law.table
    if not len(table.coordinates):
        text.add("None of the columns varied, so there was no distribution to estimate.")
        return
    ways: dict[str, list[str]] = {}
    cites: list[str] = []
    for label, coding in zip(table.labels, table.codings, strict=True):
        way, cite = _treated(coding)
        ways.setdefault(way, []).append(name(label))
        cites += cite
    known = fit.law.model.name == "mvn"
    law = "a multivariate normal distribution" if known else f"the model {fit.law.model.name!r}"
    if len(ways) == 1:
        (way,) = ways
        said = f"All columns entered {law} together: {way}."
    else:
        each = "; ".join(f"{way} ({phrase(names, _COLUMNS)})" for way, names in ways.items())
        said = f"All columns entered {law} together, on scales of their own: {each}."
    text.add(said, *cites)


def _treated(coding: Any) -> tuple[str, tuple[str, ...]]:
    """How a column enters the model, and what to cite for it."""
    if coding.kind == "skewed":
        return (_SCORES, ()) if type(coding).__name__ == "QuantileCoding" else (_POWER, ("yeo",))
    known = _TREATED.get(coding.kind)
    return (f"columns of kind {coding.kind!r}", ()) if known is None else known


def _estimate(fit: Fit, text: _Text) -> None:
    if not len(fit.law.table.coordinates):
        return
    boxed = _boxed(fit)
    cites: tuple[str, ...]
    if fit.stop is Stop.NOTHING_MISSING and not boxed:
        if any(gap for gap, coding in zip(fit.gaps, fit.law.table.codings, strict=True) if coding.width):
            way, cites = "in closed form, the gaps being monotone (Anderson, 1957)", ("anderson", "rubin1976")
        else:
            way, cites = "from the complete rows in closed form", ()
    else:
        way, cites = "with the EM algorithm (Dempster, Laird, & Rubin, 1977)", ("dempster", "rubin1976")
    goal, why, more = _goal(fit)
    lead = f"Its parameters were estimated from all observed cells {goal} {way}"
    at_random = ", which supposes that cells are missing at random (Rubin, 1976)" if "rubin1976" in cites else ""
    text.add(f"{lead}{at_random}.", *cites, *more)
    text.sentences += why
    if boxed:
        text.add(
            "Moments of interval cells were those of expectation propagation (Minka, 2001), corrected by pairs of "
            "cells (Opper, Paquet, & Winther, 2013).",
            "minka",
            "opper",
        )
    if "L-BFGS" in fit.engine:
        text.add("Steps were accelerated by a limited-memory quasi-Newton method (Nocedal, 1980).", "nocedal")


def _boxed(fit: Fit) -> bool:
    """Whether some cells are intervals, as far as the codings tell."""
    codings = fit.law.table.codings
    return any(coding.kind in _INTERVALS or any(map(len, coding.cuts)) or len(coding.frames) for coding in codings)


_INTERVALS = {"ordinal", "binary", "nominal", "count", "interval", "censored"}


def _goal(fit: Fit) -> tuple[str, list[str], tuple[str, ...]]:
    """What was maximised, in words and with the reason for a prior; and what to cite."""
    chosen = [p.sentence for p in fit.findings if p.name == "ridge chosen"]
    if fit.prior is None:
        return "by maximum likelihood", chosen, ()
    form, cites = ridge(fit.prior)
    helped = [f"The reason: {p.sentence}" for p in fit.findings if p.name in _FAILED]
    why = chosen or (helped[:1] if isinstance(fit.prior, Shrink) else [])
    return f"{form},", why, cites


def ridge(prior: Any) -> tuple[str, tuple[str, ...]]:
    """What a prior makes of maximum likelihood, in words, and what to cite for it.

    >>> ridge(Shrink(2))
    ('by maximum likelihood with a ridge that draws correlations towards 0 as 2 further rows would', ())
    """
    if isinstance(prior, Ridge):
        words = f"as the mode of the posterior under an inverse-Wishart ridge prior of {prior.df:g} degrees of freedom"
        return f"{words} (Schafer, 1997, section 5.2.3)", ("schafer",)
    if isinstance(prior, Shrink):
        rows = "1 further row" if prior.df == 1 else f"{prior.df:g} further rows"
        return f"by maximum likelihood with a ridge that draws correlations towards 0 as {rows} would", ()
    return f"as the mode of the posterior under a prior of its own ({type(prior).__name__})", ()


_FAILED = {stop.problem for stop in (Stop.TOO_FEW_ROWS, Stop.UNBOUNDED, Stop.SINGULAR, Stop.FLAT)}


def _end(fit: Fit, text: _Text) -> None:
    if not len(fit.law.table.coordinates):
        return
    starts = f" The best of {len(fit.runs)} starts was kept." if len(fit.runs) > 1 else ""
    if fit.stop is Stop.NOTHING_MISSING:
        text.add(f"The log-likelihood was {fit.loglik:.4f}.{starts}")
        return
    unit = "in standard deviations of means and in correlations"
    text.add(
        f"{fit.stop.value} There were {_some(fit.n_iter, 'E-step')}, and {fit.n_check} for closing checks; the "
        f"tolerance was {fit.tol:g}, {unit}, and the distance before the last step was {distance(fit.remaining)}. "
        f"The log-likelihood was {fit.loglik:.4f}.{starts}"
    )


def _filling(fit: Fit, text: _Text, filled: str) -> None:
    if filled == "drawn":
        text.add(
            "Each filled cell is one draw from its conditional distribution given what its row has observed, at "
            "the estimate."
        )
    elif filled == "given":
        text.add("Missing cells were filled by other means than the fit itself.")
    else:
        own = [count for count, gap in zip(levels(fit.law), fit.gaps, strict=True) if gap]
        numbers = "its conditional expectation" if None in own else ""
        categories = "its most probable or its median category" if any(count is not None for count in own) else ""
        value = " (in columns of categories: ".join(filter(None, [numbers, categories]))
        value += ")" if numbers and categories else ""
        text.add(
            f"Each gap was filled with {value}, given what its row has observed, as a value that its column allows."
        )
    text.add(
        "A single completed table does not show how uncertain its filled cells are: standard errors computed from it "
        "as if it had been observed are too small"
        + (", and filled expectations vary less than the cells they stand for (von Hippel, 2004)" * (filled != "drawn"))
        + ". Inference should rest on multiple imputation (Rubin, 1987; in emimpute: draw and pool) or on the "
        "likelihood of the incomplete data itself (fit.params, fit.regress).",
        "rubin1987",
        *(["vonhippel"] if filled != "drawn" else []),
    )


def _some(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
