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
from emimpute.binding import at_the_edge, canonical, from_origin
from emimpute.em import Iterate, Stop, iterates
from emimpute.em.starts import Agreement, compare
from emimpute.errors import ColumnError, EMImputeError, IdentificationError, IdentificationWarning, named
from emimpute.identification import Finding, examine, null_space
from emimpute.inference.complete import Law
from emimpute.kinds.reading import missing
from emimpute.models import priors, registry
from emimpute.models.mvn import CutNormal, Normal
from emimpute.results.describe import agreed, costly, describe, engine, not_converged, refusal, unsettled
from emimpute.results.fit import Fit
from emimpute.results.problems import Problem
from emimpute.results.progress import check_progress, watching
from emimpute.results.report import check_report
from emimpute.results.starts import starts
from emimpute.results.trace import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from emimpute.choosing import Choice
    from emimpute.inference.heldout import auto
    from emimpute.latent import Latent
    from emimpute.models.base import Model
    from emimpute.models.priors import Prior
    from emimpute.results.progress import Progress, Watch
    from emimpute.table import Table

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
    engine: str = ""  # how it went about it
    unsettled: int = 0  # rows whose intervals' law the last E-step did not settle
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
    shift, rows = np.asarray(table.shift, dtype=float), int(counted.known.any(axis=1).sum())
    sample = _Sample(latent, weights, table.coordinates, shift, rows)
    with watching(how.progress, how.tol) as watch:
        run, found = (
            _maximize(sample, examine(counted), how, watch) if len(sample.labels) else (_constants_only(len(df)), [])
        )

    if isinstance(run.params, CutNormal):
        table = table.settled(run.params.cuts)
        latent = table.encode(df, choice.positions)

    stop = run.last.stop or Stop.MAX_ITER
    if run.prior is None and any(f.flat for f in found) and (stop.success or stop in _ONE_OF_MANY):
        stop = Stop.FLAT  # one maximum of many; how far it is has no meaning, which may read as stalled
    findings = [*_told(found, sample, run, how), *left, *choice.problems]
    if run.agreement is not None and stop is not Stop.FLAT:
        findings.insert(0, agreed(run.agreement, run.ends, stop))
    if run.last.saddles:
        findings.append(Problem("saddle", (), _SADDLE, ""))
    if run.unsettled:
        findings.append(unsettled(run.unsettled, sample.rows))
    findings += _took_long(run, sample, table)
    if run.chosen is not None:
        findings.append(Problem("ridge chosen", (), run.chosen.sentence, ""))
    if not stop.success and stop is not Stop.SEVERAL_MAXIMA:
        findings.insert(0, not_converged(stop, run.last, how.tol, coarse=latent.boxed))
    if stop is Stop.STALLED:
        findings += _nearly_dependent(run, sample, how)
    elif run.prior is None:
        findings += _hardly_borne_out(run, sample)
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
        history=steps(run.history),
        findings=tuple(findings),
        gaps=tuple(int(missing(df.iloc[:, i]).sum()) for i in choice.positions),
        rows=len(df),
        engine=run.engine,
        runs=starts(run.ends, run.agreement),
        data=_frames.own(df) if keep else None,
        weights=weights if keep else None,
    )
    return learned, latent


def _nearly_dependent(run: _Run, sample: _Sample, how: Settings) -> list[Problem]:
    """Why no further step is possible, where rounding is why: its error grows as columns depend on each other."""
    sd = np.sqrt(np.diag(run.params.cov))
    error = float(np.finfo(float).eps * np.linalg.cond(run.params.cov / np.outer(sd, sd)))
    groups = null_space(run.params.cov, _DEPENDENT)
    if not groups or error * _ROUNDED < how.tol:
        return []
    sets = tuple(tuple(sample.labels[list(group)]) for group in groups)
    sentence = (
        f"Nearly dependent: {'; '.join(named(one) for one in sets)}. Along this combination double precision ends at a "
        f"distance of about {error:.0e} in the unit of tol; the estimate is within it, and good for any other use."
    )
    remedy = f"Leave one of these columns out, use prior='auto', or pass tol={10 ** np.ceil(np.log10(error) + 1):.0e}."
    return [Problem("nearly dependent", sets, sentence, remedy)]


def _took_long(run: _Run, sample: _Sample, table: Table) -> list[Problem]:
    """Which unordered categories a long fit took its time for."""
    latent = sample.latent
    if not latent.cones:
        return []
    cones = {cone.span.start for cone in latent.cones}
    unordered = [
        (label, span.stop - span.start)
        for label, span in zip(table.labels, latent.spans, strict=True)
        if span.start in cones and span.stop > span.start
    ]
    intervals = int((latent.known & ~latent.observed).any(axis=0).sum())
    return costly(unordered, intervals, sample.rows, run.esteps + run.checks)


def _hardly_borne_out(run: _Run, sample: _Sample) -> list[Problem]:
    """What the maximum takes for exact and few rows show: it is a maximum, and a bad guide to other rows."""
    known = _counted(sample)
    groups = [
        group
        for group in null_space(run.params.cov, _ALL_BUT_EXACT)
        if known[:, group].all(axis=1).sum() <= 2 * len(group)
    ]
    if not groups:
        return []
    sets = tuple(tuple(sample.labels[list(group)]) for group in groups)
    sentence = (
        f"Fitted best as if all but exactly dependent, though hardly a row has all of them: "
        f"{'; '.join(named(one) for one in sets)}. Gaps filled by that may be far off."
    )
    remedy = "Let the data choose a ridge (prior='auto'), or use fewer columns."
    return [Problem("hardly borne out", sets, sentence, remedy, IdentificationWarning)]


def _counted(sample: _Sample) -> np.ndarray:
    """What is known (n, d) in the rows that count."""
    known = sample.latent.known
    return known if sample.weights is None else known[sample.weights > 0]


def _told(found: list[Finding], sample: _Sample, run: _Run, how: Settings) -> list[Problem]:
    """What was found, in words, and whether it is worth a warning.

    A ridge that was asked for is there for likelihoods without a bound, which are noted only. What no row bears on it
    decides alone: that is said, and warned of where the data were to choose the ridge, which could not choose by this.
    """
    helped = run.prior if how.may_fall_back and run.chosen is None else None
    asked = run.prior is not None and helped is None
    problems = describe(found, sample.labels, sample.rows, helped=helped, warned=not asked)
    flat = {finding.name for finding in found if finding.flat} if asked else set()
    warning = None if run.chosen is None else IdentificationWarning
    return [replace(p, sentence=f"{p.sentence} {_DECIDES}", warning=warning) if p.name in flat else p for p in problems]


def _maximize(sample: _Sample, found: list[Finding], how: Settings, watch: Watch) -> tuple[_Run, list[Finding]]:
    """Run EM under the prior asked for, or where there is none and maximum likelihood fails, under a ridge.

    Returns the run and all that was found by then. Raises IdentificationError where no ridge may help.
    """
    hopeless = any(f.unbounded or ((f.flat or f.edge) and how.may_fall_back) for f in found)
    spent = None
    if how.prior is not None or not hopeless:
        run = _run(sample, how.prior, how, watch)
        stop = run.last.stop
        if how.prior is not None or stop not in {Stop.UNBOUNDED, Stop.SINGULAR, Stop.FLAT}:
            reached = None if stop is Stop.MAX_ITER else run.params
            return (_ridged(sample, how, watch, run, ml=reached) if how.automatic else run), found
        if stop is Stop.FLAT:
            found = [*found, *(Finding("undetermined", group, flat=True) for group in run.undetermined)]
        else:
            found = [*found, *(f for f in _at_the_edge(run, stop) if f not in found)]
        if stop is not Stop.UNBOUNDED and not how.may_fall_back:
            return run, found
        spent = run
    if not how.may_fall_back:
        raise IdentificationError(refusal(found, sample.labels, sample.rows))
    ridge = _ridge(sample, found)
    if how.automatic:
        return _ridged(sample, how, watch, spent, fallback=ridge), found
    if ridge != priors.PIN:
        return _run(sample, ridge, how, watch, spent), found
    # Where there are unordered answers, a pinned run ends soon or wanders: their utilities take what it leaves open.
    before = 0 if spent is None else spent.esteps
    limit = min(how.max_iter, before + _PINNED) if sample.latent.cones else how.max_iter
    run = _run(sample, ridge, replace(how, max_iter=limit), watch, spent)
    lost = run.last.stop in {Stop.SINGULAR, Stop.UNBOUNDED}
    wanders = run.last.stop is Stop.MAX_ITER and limit < how.max_iter
    if lost or wanders or (run.last.stop is Stop.STALLED and run.last.remaining > _FAR_OFF):
        run = _run(sample, priors.COARSE, how, watch, run)  # what intervals leave open besides, a pin does not hold
    return run, found


def _at_the_edge(run: _Run, stop: Stop) -> list[Finding]:
    """Which linear combinations a run, that ended at a singular covariance matrix, made constant."""
    if stop is Stop.UNBOUNDED:
        return [Finding("dependent", group, unbounded=True) for group in null_space(run.params.cov, _DEPENDENT)]
    groups = null_space(run.params.cov, _DEPENDENT)
    if groups or not isinstance(run.params, CutNormal):
        return [Finding("incompatible", group, edge=True) for group in groups]
    groups = null_space(run.params.cov, _ASSOCIATED, part=_PART)
    return [Finding("perfectly associated", group, edge=True) for group in groups]


def _ridge(sample: _Sample, found: list[Finding]) -> priors.Shrink:
    """The ridge that steps in, by what is wrong.

    Exact dependencies, each seen in more than twice as many rows as it has columns, need one only to keep Σ regular,
    and the weaker it is the better the filled cells keep to them. Where rows are too few for their columns a weak one
    overfits badly, and one that weighs as many rows as there are columns does well (measured: docs/how-it-works.md).
    Intervals whose maximum lies at the edge get one of two rows, anything else the weak one.
    """
    harmful = [f for f in found if f.flat or f.unbounded or f.edge]
    seen = _counted(sample)
    exact = [f for f in harmful if f.name in {"duplicates", "dependent"}]
    borne_out = [seen[:, f.coordinates].all(axis=1).sum() > 2 * len(f.coordinates) for f in exact]
    few = {"fewer rows than columns", "too few rows together"}
    if any(f.name in few for f in harmful):
        return priors.Shrink(float(len(sample.labels)))
    if exact and len(exact) == len(harmful) and all(borne_out):
        return priors.PIN
    return priors.COARSE if sample.latent.boxed and any(f.edge for f in harmful) else priors.FALLBACK


def _ridged(
    sample: _Sample,
    how: Settings,
    watch: Watch,
    plain: _Run | None,
    *,
    ml: Normal | None = None,
    fallback: priors.Shrink = priors.FALLBACK,
) -> _Run:
    """The run under the ridge that the data choose, or the ``plain`` one where that is none.

    ``ml`` is the maximum likelihood estimate if it was found, and ``fallback`` the ridge that would stand in for it.
    """
    from emimpute.inference.heldout import auto  # noqa: PLC0415 (importing emimpute stays light)

    chosen = auto.choose(how.model, sample.latent, sample.weights, ml, fallback)
    if plain is not None and chosen.prior is None:
        return replace(plain, chosen=chosen)
    return replace(_run(sample, chosen.prior, how, watch, plain), chosen=chosen)


def _run(sample: _Sample, prior: Prior | None, how: Settings, watch: Watch, spent: _Run | None = None) -> _Run:
    """EM from every start; what an earlier run has ``spent`` counts in the E-steps."""
    problem: Any = how.model.bind(sample.latent, sample.weights, prior)
    esteps, checks = (0, 0) if spent is None else (spent.esteps, spent.checks)
    seeds = (None, *how.seeds)
    began_nearby = False
    ends: list[Iterate] = []
    histories: list[list[Iterate]] = []
    for number, seed in enumerate(seeds):
        start = _resumed(problem, spent) if seed is None else problem.start(np.random.default_rng(seed))
        left = how.max_iter  # a ridge that the data choose has them all, for choosing it begins a fit of its own
        if spent is not None and not how.automatic:
            left -= spent.ends[min(number, len(spent.ends) - 1)].esteps
        name = _name_of_run(number, len(seeds), ridge=spent is not None)
        history: list[Iterate] = []
        for iterate in iterates(problem, tol=how.tol, max_iter=max(left, 1), start=start):
            end = iterate
            began_nearby = began_nearby or (
                number == 0 and not history and iterate.params is getattr(problem, "nearby", problem)
            )
            counted = replace(iterate, params=None, esteps=iterate.esteps + esteps, checks=iterate.checks + checks)
            history.append(counted)
            if callable(how.progress):  # the other watchers do not look at parameters
                counted = replace(counted, params=from_origin(problem.natural(iterate.params), sample.shift))
            watch(counted, name)
        esteps, checks = history[-1].esteps, history[-1].checks
        ends.append(end)
        histories.append(history)
        if end.stop is Stop.NOTHING_MISSING:
            break  # there is one maximum, and this is it
    agreement = compare(problem, [canonical(problem, end) for end in ends], how.tol) if len(ends) > 1 else None
    kept = 0 if agreement is None else agreement.kept
    history, params = histories[kept], ends[kept].params
    stop = at_the_edge(problem, ends[kept], prior)
    if agreement is not None and agreement.level > 1 and stop is Stop.CONVERGED:
        stop = Stop.SEVERAL_MAXIMA
    history[-1] = replace(history[-1], stop=stop)
    name_them = getattr(problem, "undetermined", None) if stop is Stop.FLAT else None
    undetermined = [] if name_them is None else name_them(params)
    nobs = float(problem.rows)
    used = [structure] if (structure := getattr(problem, "structure", "")) else []
    if kept == 0 and began_nearby:
        used.append("started from the closed form of nearly monotone patterns")
    how_so = engine("; ".join(used), history, closed=problem.closed)
    last = problem.natural(params)
    unsettled = sum(getattr(getattr(problem, "table", None), "unsettled", {}).values())
    return _Run(last, nobs, prior, history, undetermined, tuple(ends), agreement, esteps, checks, how_so, unsettled)


def _resumed(problem: Any, spent: _Run | None) -> Any:
    """Where a run without the ridge ended, if the problem can begin from the edge; None is its usual start."""
    resume = getattr(problem, "resume", None)
    return None if spent is None or resume is None else resume(spent.ends[0].params)


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


_SADDLE = (
    "On its way EM came to rest on a saddle, from which the likelihood rises to two sides alike: that was seen and the "
    "saddle left for one of them. Another start may end at the other (starts=)."
)
_ROUNDED = 10.0  # rounding errors as large as one, that a step gathers
_DECIDES = "The ridge alone decides on that."
_PINNED = 80  # E-steps of a pinned run beside unordered answers; those that end take some 30
_FAR_OFF = 1e-3  # distance at which a run has stalled for other reasons than rounding
_FAR = 1e140  # leaves room for a sum of squares
_ONE_OF_MANY = {Stop.STALLED, Stop.SEVERAL_MAXIMA}  # how a run may end on a flat ridge of maxima
_ASSOCIATED = 5e-3  # the same where cells are intervals, whose runs end sooner
_PART = 0.1  # of a coordinate in such a combination, relative to the largest, from which it is named
_ALL_BUT_EXACT = 1e-7  # variance, in correlation units, that a combination of columns hardly has by nature
_DEPENDENT = 1e-6  # variance, in correlation units, below which a diverged run has made a linear combination constant
