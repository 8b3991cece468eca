"""What was done, and how EM went: the model and its columns; the stop, the trace, the rate, and what was found odd."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import EMImputeError
from emimpute.inference.standing.places import triangle
from emimpute.results.describe import distance
from emimpute.results.labels import name, names
from emimpute.results.methods import ridge
from emimpute.results.page.drawing import curve
from emimpute.results.page.markup import Html, bar, element, facts, joined, label, listed, more, note, section, table

if TYPE_CHECKING:
    import pandas as pd

    from emimpute.inference.standing.diagnostics import Diagnostics
    from emimpute.results.fit import Fit
    from emimpute.results.page.seen import Seen

__all__ = ["model_part", "run_part"]

_COLUMNS = 60  # that are listed
_NAMED = 12
_FRACTIONS = 12  # parameters
_FIRST, _LAST = 3, 6  # iterates of the trace that are listed
_STARTS = 12
_PROBLEMS = 40
# Rows times squared coordinates. At these bounds tables of 5 to 150 columns took 3, 12 and 4 to 13 seconds of one core.
_COST, _BOX_COST, _CONE_COST = 1e8, 1e6, 1.5e5
_MODELS = {"mvn": "multivariate normal distribution"}


def model_part(seen: Seen) -> Html:
    """The model, its prior, its engine, and what each column was taken for."""
    fit = seen.fit
    prior = "none: maximum likelihood" if fit.prior is None else f"{fit.prior}: {ridge(fit.prior)[0]}."
    why = [str(p.sentence) for p in fit.findings if fit.prior is not None and "instead of maximum" in p.sentence]
    told = [
        ("Model", _MODELS.get(fit.law.model.name, f"{fit.law.model.name}")),
        ("Prior", " ".join([prior, *map(seen.say, why)])),
        ("Engine", fit.engine or "nothing to climb"),
        ("Tolerance", f"{fit.tol:g}: the largest estimated distance to the maximum, in sd and in correlations"),
        ("Observations", f"{fit.nobs:g} of {fit.rows} rows" if fit.weights is None else f"{fit.nobs:g}, by weight"),
    ]
    groups: dict[str, list[object]] = {}
    for own, coding in zip(fit.law.table.labels, fit.law.table.codings, strict=True):
        groups.setdefault(coding.kind, []).append(own)
    rows = [(kind, label(names(own, _NAMED)), str(len(own))) for kind, own in groups.items()]
    return section(
        "model",
        "What was done",
        facts(told),
        table("Kinds of columns", ("kind", "columns", "number"), rows, words=2),
        _estimates(seen),
    )


def _estimates(seen: Seen) -> Html:
    """Mean and sd of each column, as its kind tells them."""
    law = seen.fit.law
    rows, place = [], 0
    for own, coding in zip(seen.names, law.table.codings, strict=True):
        here = slice(place, place + coding.width)
        mean, sd = coding.printed(law.params.mean[here], law.params.cov[here, here])
        place += coding.width
        if mean or sd:
            rows.append((label(own), coding.kind, mean, sd))
    if not rows:
        return Html("")
    told = table("Estimated means and standard deviations", ("column", "kind", "mean", "sd"), rows[:_COLUMNS], words=2)
    return joined(
        [
            told,
            more(len(rows) - _COLUMNS, "column", "fit.mean and fit.cov have them all"),
            note("Of the distribution that was fitted, on each column's own scale."),
        ]
    )


def run_part(seen: Seen) -> Html:
    """How EM went."""
    fit = seen.fit
    good = "stop" if fit.converged else "stop bad"
    told = [
        ("E-steps", f"{fit.n_iter}, and {fit.n_check} for closing checks"),
        ("Remaining distance", f"{distance(fit.remaining)} before the last step (tol {fit.tol:g})"),
        ("Log-likelihood", f"{fit.loglik:.6f}"),
    ]
    if fit.prior is not None:
        told.append(("Log posterior", f"{fit.logpost:.6f}"))
    return section(
        "run",
        "How EM went",
        element("p", fit.stop.value, class_=good),
        facts(told),
        _problems(seen),
        _trace(fit),
        _starts(fit),
        _diagnostics(seen),
    )


def _problems(seen: Seen) -> Html:
    found = seen.fit.findings
    if not found:
        return note("Nothing odd was found.")
    items = []
    for problem in found[:_PROBLEMS]:
        tag = "warning" if problem.warning else "note"
        remedy = [element("span", seen.say(problem.remedy), class_="remedy")] if problem.remedy else []
        item = [element("span", f"{tag}: {problem.name}", class_="tag"), seen.say(problem.sentence), *remedy]
        items.append(element("li", *item, class_=tag))
    return joined(
        [
            element("h3", "What was found, and what to do"),
            element("ul", *items, class_="problems"),
            more(len(found) - _PROBLEMS, "finding", seen.say("see fit.problems")),
        ]
    )


def _trace(fit: Fit) -> Html:
    steps = fit.history
    numbers = np.array([(s.esteps, s.remaining, steps[-1].logpost - s.logpost) for s in steps], dtype=float)
    height = "Log-likelihood" if fit.prior is None else "Log posterior"
    pictures = [
        _falling(numbers[:, 0], numbers[:, 1], "Estimated distance to the maximum", fit.tol),
        _falling(numbers[:, 0], numbers[:, 2], f"{height} still to gain", None),
    ]
    drawn = [picture for picture in pictures if picture]
    if len(steps) == 1 and not drawn:
        return Html("")
    listed_ = list(range(len(steps)))
    cut = len(steps) > _FIRST + _LAST + 1
    rows = [
        (
            str(i),
            str(s.esteps),
            f"{s.loglik:.6f}",
            f"{s.step:.1e}",
            f"{s.remaining:.1e}" if math.isfinite(s.remaining) else "",
        )
        for i in ([*listed_[:_FIRST], *listed_[-_LAST:]] if cut else listed_)
        for s in [steps[i]]
    ]
    head = ("iterate", "E-steps", "log-likelihood", "step", "remaining")
    return joined(
        [
            element("h3", "Trace"),
            element("div", *drawn, class_="grid two") if drawn else Html(""),
            table("Iterates" + (f": the first {_FIRST} and the last {_LAST} of {len(steps)}" * cut), head, rows),
        ]
    )


def _falling(esteps: np.ndarray, values: np.ndarray, title: str, aim: float | None) -> Html | None:
    """A quantity that falls to 0, on a logarithmic scale; None where there is no line to draw."""
    shown = np.isfinite(values) & (values > 0)
    if shown.sum() < 2:
        return None
    x, y = esteps[shown], np.log10(values[shown])
    level = None if aim is None else math.log10(aim)
    high, low = 10 ** max(y.max(), level or -math.inf), 10 ** min(y.min(), math.inf if level is None else level)
    said = f"{title}, from {values[shown][0]:.1e} to {values[shown][-1]:.1e} in {x[-1]:.0f} E-steps"
    line = " Dashed: tol." if aim is not None else ""
    return element(
        "figure",
        element("figcaption", element("b", title), element("span", f"Logarithmic, by E-steps.{line}")),
        element(
            "div",
            element("div", element("span", f"{high:.0e}"), element("span", f"{low:.0e}"), class_="side"),
            curve(x, y, aim=level, description=said),
            element("div", element("span", f"{x[0]:.0f}"), element("span", f"{x[-1]:.0f}"), class_="ends"),
            class_="plot",
        ),
    )


def _starts(fit: Fit) -> Html:
    if len(fit.runs) < 2:
        return Html("")
    rows = [
        (str(i + 1), run.stop.value, f"{run.loglik:.6f}", str(run.n_iter), f"{run.distance:.1e}", "yes" * run.kept)
        for i, run in enumerate(fit.runs[:_STARTS])
    ]
    head = ("start", "ended", "log-likelihood", "E-steps", "distance", "kept")
    return joined(
        [table("Starts", head, rows, words=2), more(len(fit.runs) - _STARTS, "start", "fit.starts has them all")]
    )


def _diagnostics(seen: Seen) -> Html:
    known = _known(seen)
    head = element("h3", "Missing information")
    if isinstance(known, str):
        return joined([head, element("p", seen.say(known))])
    plain = known.esteps_saved + known.n_iter
    told = [("Rate of EM", "not known" if math.isnan(known.rate) else f"{known.rate:.4f}, the largest fraction")]
    if not math.isnan(plain):
        told.append(("Plain EM", f"would have needed about {plain:.0f} E-steps"))
    if known.worst:
        told.append(("Learned last", known.worst))
    if not math.isnan(known.condition):
        shape = f"positive definite, condition number {known.condition:.3g}" if known.definite else "not definite"
        told.append(("Information", shape))
    fractions = known.missing_information
    order = [k for k in np.argsort(-fractions.to_numpy(), kind="stable")[:_FRACTIONS] if fractions.iloc[k] > 0]
    rows = [(_parameter(fractions.index, int(k)), f"{fractions.iloc[k]:.4f}", bar(fractions.iloc[k])) for k in order]
    parts: list[str] = [head, facts(told)]
    if rows:
        parts.append(table("Fractions of missing information, the largest first", ("parameter", "fraction", ""), rows))
        parts.append(more(int((fractions > 0).sum()) - len(rows), "parameter", "fit.diagnostics has them all"))
    parts.append(listed(known.notes, "note"))
    return joined(parts)


def _parameter(index: pd.Index[Any], k: int) -> Html:
    """The k-th parameter in words."""
    what, one, other = index[k]
    own = label(name(one))
    if what == "mean":
        return joined(["mean of ", own])
    if what == "cut":
        return joined([f"cut point {other} of ", own])
    d = int((index.get_level_values(0) == "mean").sum())
    row, column = (int(side[k - d]) for side in triangle(d))
    if row == column:  # labels may repeat
        return joined(["variance of ", own])
    return joined(["covariance of ", own, " with ", label(name(other))])


def _known(seen: Seen) -> Diagnostics | str:
    """The diagnostics if they are known or soon computed; else why there are none."""
    fit, rows = seen.fit, seen.rows
    known: Diagnostics | None = vars(fit).get("diagnostics")
    if known is not None:
        return known
    if rows is None:
        return "The rate of EM and the fractions of missing information need the data."
    d, codings = len(fit.law.table.coordinates), fit.law.table.codings
    boxed = any(any(map(len, coding.cuts)) or coding.kind in _BOXES for coding in codings)
    cones = any(len(coding.frames) for coding in codings)
    if fit.rows * d**2 > (_CONE_COST if cones else _BOX_COST if boxed else _COST):
        return (
            f"Left out for their cost ({fit.rows} rows, {d} coordinates): a report written after a look at "
            "fit.diagnostics has them."
        )
    try:
        return fit.diagnostics
    except EMImputeError as problem:
        return str(problem)


_BOXES = {"interval", "censored", "count"}
