"""What the chosen columns teach: EM under the prior asked for, or under a ridge where maximum likelihood fails.

:func:`learn` encodes, looks at what the data can determine, climbs from every start, and puts what was learned, and how
it went, into a Fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute import _frames
from emimpute._threads import single_threaded
from emimpute.binding import from_origin
from emimpute.em import Iterate, Stop, iterates
from emimpute.em.starts import Agreement, compare
from emimpute.errors import ColumnError, EMImputeError, IdentificationError, named
from emimpute.identification import Finding, examine, null_space
from emimpute.inference.complete import Law
from emimpute.kinds.reading import missing
from emimpute.models import priors, registry
from emimpute.models.edge import bounded
from emimpute.models.mvn import Normal
from emimpute.results.describe import agreed, describe, not_converged, refusal
from emimpute.results.fit import Fit
from emimpute.results.problems import Problem
from emimpute.results.progress import check_progress, watching
from emimpute.results.report import check_report
from emimpute.results.trace import trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from emimpute.choosing import Choice
    from emimpute.inference import auto
    from emimpute.latent import Latent
    from emimpute.models.base import Model
    from emimpute.models.priors import Prior
    from emimpute.results.progress import Progress, Watch

__all__ = ["Settings", "check_spread", "learn", "settings"]


@dataclass(frozen=True, eq=False)
class Settings:
    """How to learn, known to make sense before any work is done."""

    model: Model
    prior: Prior | None
    automatic: bool  # whether the data choose a ridge; ``prior`` is None then
    may_fall_back: bool  # whether a ridge may replace maximum likelihood where that fails
    tol: float
    max_iter: int
    progress: Progress
    seeds: tuple[int, ...]  # of the random starts, one for each


@dataclass(frozen=True, eq=False)
class _Sample:
    """What EM learns from: n rows of d coordinates."""

    latent: Latent
    weights: np.ndarray | None  # (n,)
    labels: pd.Index[Any]  # (d,)
    shift: np.ndarray  # (d,) what the columns' cells were counted from
    rows: int  # those with a weight and something observed


@dataclass(frozen=True, eq=False)
class _Run:
    """EM under one prior, from the start that is kept to its stop."""

    params: Any  # in the units of the coordinates
    nobs: float
    prior: Prior | None
    history: list[Iterate]
    undetermined: list[tuple[int, ...]]  # coordinates whose covariances a flat likelihood leaves open
    ends: tuple[Iterate, ...]  # of every start
    agreement: Agreement | None  # of several starts
    esteps: int  # of all starts, and of earlier runs of the same fit
    checks: int  # likewise
    chosen: auto.Choice | None = None  # where the data chose the prior

    @property
    def last(self) -> Iterate:
        return self.history[-1]


@single_threaded
def learn(
    df: pd.DataFrame,
    choice: Choice,
    weights: np.ndarray | None,
    how: Settings,
    left: Sequence[Problem],
    *,
    keep: bool,
) -> tuple[Fit, Latent]:
    """What the chosen columns teach, and their cells as coordinates; the fit keeps a copy of the data on request."""
    table = choice.table
    latent = table.encode(df, choice.positions)
    counted = latent if weights is None or weights.all() else latent.take(np.flatnonzero(weights > 0))
    check_spread(counted, table.coordinates)
    shift, rows = np.asarray(table.shift, dtype=float), int(counted.observed.any(axis=1).sum())
    sample = _Sample(latent, weights, table.coordinates, shift, rows)
    with watching(how.progress, how.tol) as watch:
        run, found = (
            _maximize(sample, examine(counted), how, watch) if len(sample.labels) else (_constants_only(len(df)), [])
        )

    stop = run.last.stop or Stop.MAX_ITER
    if run.prior is None and any(f.flat for f in found) and (stop.success or stop in _ONE_OF_MANY):
        stop = Stop.FLAT  # one maximum of many; how far it is has no meaning, which may read as stalled
    helped = run.prior if how.may_fall_back and run.chosen is None else None
    warned = helped is not None or run.prior is None  # whoever chose a prior has seen to what it is for
    findings = [*describe(found, sample.labels, sample.rows, helped=helped, warned=warned), *left, *choice.problems]
    if run.agreement is not None and stop is not Stop.FLAT:
        findings.insert(0, agreed(run.agreement, run.ends, stop))
    if run.chosen is not None:
        findings.append(Problem("ridge chosen", (), run.chosen.sentence, ""))
    if not stop.success and stop is not Stop.SEVERAL_MAXIMA:
        findings.insert(0, not_converged(stop, run.last, how.tol))
    learned = Fit(
        law=Law(table, how.model, run.params),
        nobs=int(run.nobs) if run.nobs.is_integer() else run.nobs,
        loglik=run.last.loglik,
        logpost=run.last.logpost,
        n_iter=run.esteps,
        n_check=run.checks,
        stop=stop,
        prior=run.prior,
        tol=how.tol,
        history=trace(run.history),
        findings=tuple(findings),
        gaps=tuple(int(missing(df.iloc[:, i]).sum()) for i in choice.positions),
        rows=len(df),
        data=_frames.own(df) if keep else None,
        weights=weights if keep else None,
    )
    return learned, latent


def _maximize(sample: _Sample, found: list[Finding], how: Settings, watch: Watch | None) -> tuple[_Run, list[Finding]]:
    """Run EM under the prior asked for, or where there is none and maximum likelihood fails, under a ridge.

    Returns the run and all that was found by then. Raises IdentificationError where no ridge may help.
    """
    hopeless = any(f.unbounded or (f.flat and how.may_fall_back) for f in found)
    spent = None
    if how.prior is not None or not hopeless:
        run = _run(sample, how.prior, how, watch)
        stop = run.last.stop
        if how.prior is not None or stop not in {Stop.UNBOUNDED, Stop.SINGULAR, Stop.FLAT}:
            reached = None if stop is Stop.MAX_ITER else run.params
            return (_ridged(sample, how, watch, run, reached) if how.automatic else run), found
        if stop is Stop.FLAT:
            found = [*found, *(Finding("undetermined", group, flat=True) for group in run.undetermined)]
        else:
            name, unbounded = ("dependent", True) if stop is Stop.UNBOUNDED else ("incompatible", False)
            singular = null_space(run.params.cov, _DEPENDENT)
            found = [*found, *(Finding(name, group, unbounded=unbounded) for group in singular)]
        if stop is not Stop.UNBOUNDED and not how.may_fall_back:
            return run, found
        spent = run
    if not how.may_fall_back:
        raise IdentificationError(refusal(found, sample.labels, sample.rows))
    if how.automatic:
        return _ridged(sample, how, watch, spent, None), found
    return _run(sample, _ridge(sample, found), how, watch, spent), found


def _ridge(sample: _Sample, found: list[Finding]) -> Prior:
    """The ridge that steps in, by what is wrong.

    Exact dependencies, each seen in more than twice as many rows as it has columns, need one only to keep Σ regular,
    and the weaker it is the better the filled cells keep to them. Where rows are too few for their columns a weak one
    overfits badly, and one that weighs as many rows as there are columns does well (measured: docs/how-it-works.md).
    Anything else gets the weak one.
    """
    harmful = [f for f in found if f.flat or f.unbounded or f.name == "incompatible"]
    seen = sample.latent.observed if sample.weights is None else sample.latent.observed[sample.weights > 0]
    exact = [f for f in harmful if f.name in {"duplicates", "dependent"}]
    borne_out = [seen[:, f.coordinates].all(axis=1).sum() > 2 * len(f.coordinates) for f in exact]
    few = {"fewer rows than columns", "too few rows together"}
    if any(f.name in few for f in harmful):
        return priors.Shrink(float(len(sample.labels)))
    return priors.PIN if len(exact) == len(harmful) and all(borne_out) else priors.FALLBACK


def _ridged(sample: _Sample, how: Settings, watch: Watch | None, plain: _Run | None, ml: Normal | None) -> _Run:
    """The run under the ridge that the data choose, or the ``plain`` one where that is none; ``ml`` if it was found."""
    from emimpute.inference import auto  # noqa: PLC0415 (importing emimpute stays light)

    chosen = auto.choose(how.model, sample.latent, sample.weights, ml)
    if plain is not None and chosen.prior is None:
        return replace(plain, chosen=chosen)
    return replace(_run(sample, chosen.prior, how, watch, plain), chosen=chosen)


def _run(sample: _Sample, prior: Prior | None, how: Settings, watch: Watch | None, spent: _Run | None = None) -> _Run:
    """EM from every start; what an earlier run has ``spent`` counts in the E-steps."""
    problem: Any = how.model.bind(sample.latent, sample.weights, prior)
    esteps, checks = (0, 0) if spent is None else (spent.esteps, spent.checks)
    seeds = (None, *how.seeds)
    ends: list[Iterate] = []
    histories: list[list[Iterate]] = []
    for number, seed in enumerate(seeds):
        start = None if seed is None else problem.start(np.random.default_rng(seed))
        left = how.max_iter  # a ridge that the data choose has them all, for choosing it begins a fit of its own
        if spent is not None and not how.automatic:
            left -= spent.ends[min(number, len(spent.ends) - 1)].esteps
        name = _name_of_run(number, len(seeds), ridge=spent is not None)
        history: list[Iterate] = []
        for iterate in iterates(problem, tol=how.tol, max_iter=max(left, 1), start=start):
            end = iterate
            counted = replace(iterate, params=None, esteps=iterate.esteps + esteps, checks=iterate.checks + checks)
            history.append(counted)
            if watch is not None:
                watch(replace(counted, params=from_origin(problem.natural(iterate.params), sample.shift)), name)
        esteps, checks = history[-1].esteps, history[-1].checks
        ends.append(end)
        histories.append(history)
        if end.stop is Stop.NOTHING_MISSING:
            break  # there is one maximum, and this is it
    agreement = compare(problem, ends, how.tol) if len(ends) > 1 else None
    kept = 0 if agreement is None else agreement.kept
    history, params = histories[kept], ends[kept].params
    stop = ends[kept].stop
    if stop is Stop.UNBOUNDED and prior is None and bounded(problem, params):
        stop = Stop.SINGULAR
    if agreement is not None and agreement.level > 1 and stop is Stop.CONVERGED:
        stop = Stop.SEVERAL_MAXIMA
    history[-1] = replace(history[-1], stop=stop)
    undetermined = problem.undetermined(params) if stop is Stop.FLAT else []
    nobs = float(problem.rows)
    return _Run(problem.natural(params), nobs, prior, history, undetermined, tuple(ends), agreement, esteps, checks)


def _name_of_run(number: int, starts: int, *, ridge: bool) -> str:
    """What a watcher shows."""
    return "EM" + (" with a ridge" if ridge else "") + (f", start {number + 1} of {starts}" if starts > 1 else "")


def _constants_only(rows: int) -> _Run:
    """Where no column needs a coordinate there is no distribution to learn but that of nothing."""
    nothing = Normal(np.zeros(0), np.zeros((0, 0)))
    done = Iterate(None, 0.0, 0.0, 0.0, 0.0, float("nan"), 0, accelerated=False, checks=0, stop=Stop.NOTHING_MISSING)
    return _Run(nothing, float(rows), None, [done], [], (done,), None, 0, 0)


def settings(
    model: Any, prior: Any, tol: Any, max_iter: Any, report: object, *, progress: Any, seeds: tuple[int, ...]
) -> Settings:
    """What a call asks for, checked before any work is done. Raises EMImputeError."""
    check_report(report)
    check_progress(progress)
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0 < float(tol) < np.inf:
        raise EMImputeError(f"tol= is a number above 0, in sd units, and this one is {tol!r}.")
    if isinstance(max_iter, bool) or not isinstance(max_iter, Integral) or max_iter < 1:
        raise EMImputeError(f"max_iter= is a whole number of E-steps, 1 or more, and this one is {max_iter!r}.")
    chosen, may_fall_back = priors.resolve(prior)
    automatic = isinstance(chosen, priors.Auto)
    given = None if isinstance(chosen, priors.Auto) else chosen
    return Settings(registry.get(model), given, automatic, may_fall_back, float(tol), int(max_iter), progress, seeds)


def check_spread(latent: Latent, labels: pd.Index[Any]) -> None:
    """Raise ColumnError for coordinates whose squares leave the range of a float."""
    for j, observed in enumerate(latent.observed.T):
        z = latent.points[:, j][observed]
        far = max(z.max(initial=0), -z.min(initial=0))
        if far and not 1 / _FAR < far < _FAR:
            raise ColumnError(
                f"The values of {named(labels[j : j + 1])} differ by about {far:.0e}, of which the square does not fit "
                f"a float: multiply the column by a power of ten."
            )


_FAR = 1e140  # leaves room for a sum of squares
_ONE_OF_MANY = {Stop.STALLED, Stop.SEVERAL_MAXIMA}  # how a run may end on a flat ridge of maxima
_DEPENDENT = 1e-6  # variance, in correlation units, below which a diverged run has made a linear combination constant
