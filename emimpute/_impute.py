"""The story. A frame's columns become latent coordinates; EM learns their joint law; the holes get their conditional law, and the
law comes back as a frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute import _frames
from emimpute.choosing import Choice, choose
from emimpute.em import Iterate, Stop, iterates
from emimpute.errors import ColumnError, ColumnWarning, ConvergenceWarning, EMImputeError, IdentificationError, named
from emimpute.identification import Finding, examine, null_space
from emimpute.inference.complete import Law, complete
from emimpute.kinds.numbers import missing
from emimpute.models import priors, registry
from emimpute.results.fit import Fit
from emimpute.results.describe import describe
from emimpute.results.problems import Problem, warn_of
from emimpute.results.trace import trace

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from emimpute.kinds.base import Kind
    from emimpute.latent import Latent
    from emimpute.models.base import Model
    from emimpute.models.priors import Prior

    Report = bool | Callable[[Fit], object] | str | os.PathLike[str] | None
    Kinds = Mapping[Any, str | Kind | type[Kind]]

__all__ = ["fit", "impute"]

_LOG = logging.getLogger("emimpute")


def fit(
    df: pd.DataFrame,
    *,
    columns: Any = None,
    kinds: Kinds | None = None,
    model: str | Model = "mvn",
    prior: str | float | Prior | None = "fallback",
    weights: Any = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    report: Report = None,
) -> Fit:
    """Learn the joint distribution of the columns of ``df`` by EM, from every observed cell.

    Args:
        df: The data; never changed, and later edits of it do not reach the fit.
        columns: Labels of the columns that enter the model; default: all that some kind accepts.
        kinds: What a column is: ``{label: name or Kind}``; a key may be a function ``Series -> bool``.
        model: ``"mvn"``, the multivariate normal, or a model object.
        prior: ``"fallback"``: maximum likelihood where it exists and is unique, else a weak ridge and an IdentificationWarning.
            ``None``: maximum likelihood or an error. ``"ridge"`` or a number: norm2's ridge with that prior df (3). Or a prior object.
        weights: Label, Series or array of case weights: a row of weight 2 counts as two rows.
        tol: The largest estimated distance to the maximiser at which EM stops: the length of L⁻¹Δμ and the Frobenius norm of
            L⁻¹ΔΣL⁻ᵀ, where Σ = LLᵀ. It bounds the error of means in sd, of correlations, and of filled cells in conditional sd.
        max_iter: E-steps at most.
        report: None; True prints the summary; a function receives the Fit; a path ending in .txt, .html or .json is written.

    Returns:
        A frozen :class:`Fit`: estimates, trace, problems, and ``impute`` for these rows or new ones.

    Raises:
        ColumnError: for a column that cannot be used as asked, infinities, complex numbers, or nothing to learn from.
        IdentificationError: if ``prior`` is None and the likelihood is unbounded.

    The E-step is exact for any pattern of missing cells: Dempster, Laird & Rubin 1977
    (https://doi.org/10.1111/j.2517-6161.1977.tb01600.x).

    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [2.1, 3.9, 6.2, None, 9.8]})
    >>> fit = emimpute.fit(df)
    >>> fit.converged, round(fit.mean["y"], 3)
    (True, 5.976)
    """
    df = _frames.check(df)
    w, taken = _frames.row_weights(df, weights)
    choice = choose(_learnable(df, w), columns, kinds, taken)
    if not choice.positions:
        raise ColumnError(_nothing_to_learn(df, choice))
    learned, _ = _learn(df, choice, w, model=model, prior=prior, tol=tol, max_iter=max_iter)
    _tell(learned, report, _left_alone(df, choice, _gaps(df, None, None)))
    return learned


def impute(
    df: pd.DataFrame,
    *,
    columns: Any = None,
    fill: Any = None,
    kinds: Kinds | None = None,
    model: str | Model = "mvn",
    prior: str | float | Prior | None = "fallback",
    weights: Any = None,
    where: Any = None,
    sample: bool = False,
    indicator: bool | str = False,
    tol: float = 1e-6,
    max_iter: int = 1000,
    rng: int | np.random.Generator | None = None,
    report: Report = None,
) -> pd.DataFrame:
    """Fill the gaps of ``df`` by their conditional expectations under the fitted joint distribution.

    Args:
        df: The data; never changed.
        fill: Labels of the columns to fill (default: all of the model); the others only inform them.
        where: Boolean frame or array of the shape of ``df``; a gap is left where it is False.
        sample: Draw each row's gaps from their conditional distribution instead; ``rng`` (None, int or Generator) seeds it.
        indicator: True or a suffix adds, for each filled column, a boolean column that says which cells were filled
            (suffix ``"_imputed"``).
        columns, kinds, model, prior, weights, tol, max_iter, report: as in :func:`fit`.

    Returns:
        A completed frame with the same index, column labels, order, dtypes, ``attrs``, flags and subclass. Observed cells are bit
        for bit those of ``df``; filled cells are legal values of their column's dtype.

    Raises:
        ColumnError, IdentificationError: as :func:`fit`, and for columns in ``fill`` that cannot be filled.

    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [2.1, 3.9, 6.2, None, 9.8]})
    >>> df.em.impute().round(2)["y"].tolist()
    [2.1, 3.9, 6.2, 7.88, 9.8]
    """
    df = _frames.check(df)
    w, taken = _frames.row_weights(df, weights)
    allowed = _frames.cells_to_fill(df, where)
    wanted = None if fill is None else _frames.positions(df, fill, "fill=")
    gaps = _gaps(df, allowed, wanted)
    choice = choose(_learnable(df, w), columns, kinds, taken)
    left = _left_alone(df, choice, gaps)
    if unfilled := [i for i in gaps if wanted is not None and i not in choice.positions]:
        raise ColumnError(_cannot_fill(df, choice, unfilled))
    if not any(i in gaps for i in choice.positions):
        if not choice.positions and any(i in gaps for i in choice.empty):
            raise ColumnError(_nothing_to_learn(df, choice))
        warn_of(left)
        return _frames.own(df)
    learned, latent = _learn(df, choice, w, model=model, prior=prior, tol=tol, max_iter=max_iter)
    generator = np.random.default_rng(rng) if sample else None
    done, filled = complete(learned.law, df, latent=latent, fill=wanted, where=allowed, rng=generator)
    if indicator:
        done = _frames.add_indicators(done, filled, "_imputed" if indicator is True else str(indicator))
    _tell(learned, report, left)
    return done


def _learn(
    df: pd.DataFrame, choice: Choice, weights: np.ndarray | None, *, model: Any, prior: Any, tol: float, max_iter: int
) -> tuple[Fit, Latent]:
    """Encode, look at what can be learned, and run EM: under the prior that was asked for, or the weak one where it is needed."""
    _check_numbers(tol, max_iter)
    law_of = registry.get(model)
    chosen, may_fall_back = priors.resolve(prior)
    latent = choice.table.encode(df, choice.positions)
    labels = choice.table.coordinates
    found = examine(latent if weights is None else latent.take(np.flatnonzero(weights > 0)))
    sure = any(f.flat or f.unbounded for f in found)
    if sure and may_fall_back:
        chosen = priors.FALLBACK
    elif any(f.unbounded for f in found) and chosen is None:
        raise IdentificationError(_refusal(found, labels))

    problem = law_of.bind(latent, weights, chosen)
    history = _run(problem, tol, max_iter)
    if history[-1].stop is Stop.UNBOUNDED and chosen is None:
        found += [
            Finding("dependent", group, unbounded=True) for group in null_space(history[-1].params.cov, _DEPENDENT)
        ]
        if not may_fall_back:
            raise IdentificationError(_refusal(found, labels))
        chosen = priors.FALLBACK
        spent = history[-1]
        problem = law_of.bind(latent, weights, chosen)
        history = [
            replace(i, esteps=i.esteps + spent.esteps, checks=i.checks + spent.checks)
            for i in _run(problem, tol, max_iter)
        ]
    last = history[-1]
    stop = last.stop or Stop.MAX_ITER
    if chosen is None and stop is Stop.CONVERGED and any(f.flat for f in found):
        stop = Stop.FLAT

    helped = may_fall_back and chosen is not None
    findings = [*describe(found, labels, helped=helped, warned=chosen is None or helped), *choice.problems]
    if not stop.success:
        findings.insert(0, _not_converged(stop, last, tol))
    learned = Fit(
        law=Law(choice.table, law_of, problem.natural(last.params)),
        nobs=int(problem.rows) if float(problem.rows).is_integer() else problem.rows,
        loglik=last.loglik,
        logpost=last.logpost,
        n_iter=last.esteps,
        n_check=last.checks,
        stop=stop,
        prior=chosen,
        tol=tol,
        trace=trace(history),
        findings=tuple(findings),
        gaps=tuple(int(missing(df.iloc[:, i]).sum()) for i in choice.positions),
        rows=len(df),
        data=_frames.own(df),
    )
    return learned, latent


def _run(problem: Any, tol: float, max_iter: int) -> list[Iterate]:
    """The iterates of a run; only the last keeps its parameters."""
    history: list[Iterate] = []
    for iterate in iterates(problem, tol=tol, max_iter=max_iter):
        if history:
            history[-1] = replace(history[-1], params=None)
        history.append(iterate)
    return history


def _learnable(df: pd.DataFrame, weights: np.ndarray | None) -> pd.DataFrame:
    """The rows that count: those of positive weight."""
    return df if weights is None or weights.all() else df[weights > 0]


def _gaps(df: pd.DataFrame, allowed: np.ndarray | None, wanted: Sequence[int] | None) -> set[int]:
    """Positions of the columns with a gap that is to be filled."""
    asked = range(df.shape[1]) if wanted is None else wanted
    return {i for i in asked if (missing(df.iloc[:, i]) & (True if allowed is None else allowed[:, i])).any()}


def _left_alone(df: pd.DataFrame, choice: Choice, gaps: set[int]) -> list[Problem]:
    """The columns with gaps that nobody fills, as one problem that warns."""
    left = [i for i in choice.left if i in gaps]
    if not left:
        return []
    by_reason: dict[str, list[Any]] = {}
    for i in left:
        by_reason.setdefault(choice.left[i], []).append(df.columns[i])
    said = "; ".join(f"{named(labels)} ({reason})" for reason, labels in by_reason.items())
    remedy = "Convert them, drop them, or name the columns to be filled with fill=."
    return [
        Problem(
            "left alone",
            tuple(df.columns[i] for i in left),
            f"Left alone, gaps and all: {said}.",
            remedy,
            ColumnWarning,
        )
    ]


def _nothing_to_learn(df: pd.DataFrame, choice: Choice) -> str:
    if not len(df):
        return f"There is nothing to learn from: the frame has no rows (and {df.shape[1]} columns)."
    reasons = {f"{df.columns[i]!r}: {reason}" for i, reason in choice.left.items()}
    why = "; ".join(sorted(reasons)[:6]) or "it has no columns"
    return f"There is nothing to learn from: no column of this frame can be used ({why})."


def _cannot_fill(df: pd.DataFrame, choice: Choice, positions: Sequence[int]) -> str:
    said = "; ".join(
        f"{df.columns[i]!r}: {choice.left.get(i, 'it is not among columns=, or it holds the weights')}"
        for i in positions
    )
    return f"fill= names what cannot be filled ({said}). Convert it, or leave it out of fill=."


def _check_numbers(tol: object, max_iter: object) -> None:
    if isinstance(tol, bool) or not isinstance(tol, (int, float, np.number)) or not 0 < float(tol) < np.inf:
        msg = f"tol= is a number above 0, in sd units, and this one is {tol!r}."
        raise EMImputeError(msg)
    if isinstance(max_iter, bool) or not isinstance(max_iter, (int, np.integer)) or max_iter < 1:
        msg = f"max_iter= is a number of E-steps, 1 or more, and this one is {max_iter!r}."
        raise EMImputeError(msg)


def _refusal(found: Iterable[Finding], labels: pd.Index[Any]) -> str:
    said = [p for p in describe(found, labels, helped=False, warned=True) if p.warning]
    return " ".join(
        [Stop.UNBOUNDED.value, *(p.sentence for p in said), *dict.fromkeys(p.remedy for p in said), _REFUSED]
    )


def _not_converged(stop: Stop, last: Iterate, tol: float) -> Problem:
    sentence = f"{stop.value} (E-steps: {last.esteps}; estimated distance: {last.remaining:.1e}; tol: {tol:g}.)"
    return Problem("not converged", (), sentence, _REMEDIES.get(stop, ""), ConvergenceWarning)


def _tell(learned: Fit, report: Report, left: Iterable[Problem]) -> None:
    """Say how it went: a line in the log, the report that was asked for, and at most one warning of each class."""
    _LOG.info(
        "%s rows=%d columns=%d E-steps=%d loglik=%.6f",
        learned.stop.value,
        learned.rows,
        len(learned.gaps),
        learned.n_iter,
        learned.loglik,
    )
    if callable(report):
        report(learned)
    elif report is True:
        print(learned.summary())
    elif isinstance(report, (str, Path)) or hasattr(report, "__fspath__"):
        learned.report(report)
    elif report not in {None, False}:
        msg = f"report= takes None, True, a function or a path, and not a {type(report).__name__}."
        raise EMImputeError(msg)
    warn_of([*learned.findings, *left])


_DEPENDENT = 1e-6  # variance, in correlation units, below which a linear combination is called dependent once the run has diverged
_REFUSED = "prior=None refuses to go on; prior='fallback' (the default) uses a weak ridge."
_REMEDIES = {
    Stop.MAX_ITER: "Raise max_iter, and see fit.trace.",
    Stop.STALLED: "Raise tol, or look for nearly dependent columns.",
    Stop.FLAT: "See fit.problems; use prior='fallback', or leave one column of each pair out.",
    Stop.UNBOUNDED: "Use a stronger prior, or leave out the dependent columns.",
}
