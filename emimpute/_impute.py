"""The story: columns become coordinates, EM learns their joint law, and the holes get their conditional law.

:func:`impute` and :func:`fit` read top to bottom: look at the frame, choose what each column is, learn, complete, tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute import _frames
from emimpute._threads import single_threaded
from emimpute.binding import Bound, from_origin
from emimpute.choosing import Choice, choose
from emimpute.em import Iterate, Stop, iterates
from emimpute.em.starts import Agreement, compare
from emimpute.errors import ColumnError, EMImputeError, IdentificationError, named
from emimpute.identification import Finding, examine, null_space
from emimpute.inference import auto
from emimpute.inference.complete import Law, complete
from emimpute.kinds.reading import missing
from emimpute.models import priors, registry
from emimpute.models.edge import bounded
from emimpute.models.mvn import Normal
from emimpute.results.describe import agreed, describe, not_converged, refusal
from emimpute.results.fit import Fit
from emimpute.results.problems import Problem, warn_of
from emimpute.results.progress import check_progress, watching
from emimpute.results.report import LOG, check_report, tell
from emimpute.results.trace import trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from emimpute.kinds.base import Kind
    from emimpute.latent import Latent
    from emimpute.models.base import Model
    from emimpute.models.priors import Prior
    from emimpute.results.progress import Progress, Watch
    from emimpute.results.report import Report

    Kinds = Mapping[Any, str | Kind | type[Kind]]

__all__ = ["bind", "fit", "impute"]


def fit(
    df: pd.DataFrame,
    *,
    columns: Any = None,
    kinds: Kinds | None = None,
    model: str | Model = "mvn",
    prior: str | float | Prior | None = "fallback",
    weights: Any = None,
    starts: int = 1,
    tol: float = 1e-6,
    max_iter: int = 1000,
    rng: int | np.random.Generator | None = None,
    report: Report = None,
    progress: Progress = False,
) -> Fit:
    """Learn the joint distribution of the columns of ``df`` by EM, from every observed cell.

    Parameters
    ----------
    df
        The data; never changed, and later edits of it do not reach the fit.
    columns
        Labels of the columns that enter the model; default: all that some kind accepts.
    kinds
        What a column is: ``{label: name or Kind}``; a key may be a function ``Series -> bool`` (a label wins, then the
        first function that says yes).
    model
        ``"mvn"``, the multivariate normal, or a model object.
    prior
        ``"fallback"``: maximum likelihood where it exists and is unique, else a weak ridge and an
        IdentificationWarning. ``None``: maximum likelihood, or an error where it is unbounded. ``"auto"``: the ridge,
        or none, that predicts the cells of held-out rows best; it costs some ten fits, and pays on small or nearly
        collinear tables. ``"ridge"`` or a number: norm2's ridge with that prior df (3). Or a prior object.
    weights
        Label, Series or array of case weights: a row of weight 2 counts as two rows. A label's column takes no part in
        the model.
    starts
        Runs of EM: the first from the usual start, the others from random ones. The highest maximum is kept (the
        usual one, unless another is higher), and ``problems`` tells how far they agreed.
    tol
        The largest estimated distance to the maximiser at which EM stops: the length of L⁻¹Δμ and the Frobenius norm of
        L⁻¹ΔΣL⁻ᵀ, where Σ = LLᵀ. It bounds the error of means in sd, of correlations, and of filled cells in
        conditional sd.
    max_iter
        E-steps at most, for each start.
    rng
        What seeds the random starts: None, an int or a Generator.
    report
        How to tell how it went. None: one warning if something is wrong, and always a line in the log ``emimpute``.
        True prints the summary besides; a function receives the Fit; a path ending in .txt, .html or .json is written.
    progress
        True shows how far it is and about how many E-steps are left: with tqdm if that is installed, else in the log
        ``emimpute``. A function receives each :class:`emimpute.em.Iterate`, its ``params`` in the columns' units;
        what it raises ends the fit.

    Returns
    -------
    Fit
        What was learned, frozen: estimates, trace, problems, and ``impute`` for these rows or new ones.

    Raises
    ------
    ColumnError
        For a column that cannot be used as asked, infinities, complex numbers, or nothing to learn from.
    IdentificationError
        If ``prior`` is None and the likelihood is unbounded.
    EMImputeError
        For any other argument that is not what it should be; the errors above are special cases.

    Notes
    -----
    The E-step is exact for any pattern of missing cells: Dempster, Laird & Rubin 1977
    (https://doi.org/10.1111/j.2517-6161.1977.tb01600.x).

    Examples
    --------
    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [2.1, 3.9, 6.2, None, 9.8]})
    >>> fit = emimpute.fit(df)
    >>> fit.converged, round(float(fit.mean["y"]), 3)
    (True, 5.986)
    """
    df = _frames.check(df)
    how = _settings(model, prior, tol, max_iter, report, progress=progress, seeds=_seeds(starts, _generator(rng)))
    row_weights, taken = _frames.row_weights(df, weights)
    choice = choose(_learnable(df, row_weights), columns, kinds, taken)
    if not choice.positions:
        raise choice.nothing_to_learn()
    left = choice.left_alone(_gaps(df, None, None))
    learned, _ = _learn(df, choice, row_weights, how, left, keep=True)
    tell(learned, report)
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
    starts: int = 1,
    tol: float = 1e-6,
    max_iter: int = 1000,
    rng: int | np.random.Generator | None = None,
    report: Report = None,
    progress: Progress = False,
) -> pd.DataFrame:
    """Fill the gaps of ``df`` by their conditional expectations under the fitted joint distribution.

    Where there is nothing to fill, the result is a copy of ``df``; nothing is fitted, and ``report`` receives nothing.

    Parameters
    ----------
    df
        The data; never changed.
    columns, kinds, model, prior, weights, starts, tol, max_iter, report, progress
        As in :func:`fit`.
    fill
        Labels of the columns to fill (default: all of the model); the others only inform them.
    where
        Boolean frame or array of the shape of ``df``; a gap is left where it is False.
    sample
        Draw each row's gaps from their conditional distribution instead.
    indicator
        True or a suffix adds, for each filled column, a boolean column that says which cells were filled (suffix
        ``"_imputed"``).
    rng
        What seeds the random starts and the draws: None, an int or a Generator.

    Returns
    -------
    DataFrame
        A completed frame with the same index, column labels, order, dtypes, ``attrs``, flags and subclass. Observed
        cells are bit for bit those of ``df``; filled cells are legal values of their column's dtype.

    Raises
    ------
    ColumnError, IdentificationError, EMImputeError
        As :func:`fit`, and for columns in ``fill`` that cannot be filled.

    Examples
    --------
    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [2.1, 3.9, 6.2, None, 9.8]})
    >>> df.em.impute().round(2)["y"].tolist()
    [2.1, 3.9, 6.2, 7.93, 9.8]
    """
    df = _frames.check(df)
    suffix, generator = _suffix(indicator), _generator(rng)
    how = _settings(model, prior, tol, max_iter, report, progress=progress, seeds=_seeds(starts, generator))
    row_weights, taken = _frames.row_weights(df, weights)
    allowed = _frames.cells_to_fill(df, where)
    wanted = None if fill is None else _frames.positions(df, fill, "fill=")
    gaps = _gaps(df, allowed, wanted)

    choice = choose(_learnable(df, row_weights), columns, kinds, taken)
    if wanted is not None and (unfilled := [i for i in sorted(gaps) if i not in choice.positions]):
        raise choice.cannot_fill(unfilled)
    left = choice.left_alone(gaps)
    if gaps.isdisjoint(choice.positions):
        if not choice.positions and not gaps.isdisjoint(choice.hopeful):
            raise choice.nothing_to_learn()
        LOG.info("Nothing to fill: rows=%d columns=%d", len(df), len(choice.positions))
        warn_of(left)
        return _frames.own(df)

    if suffix is not None:  # a label that is taken is better known before the work than after it
        _frames.with_indicators(df.columns, gaps.intersection(choice.positions), suffix)
    learned, latent = _learn(df, choice, row_weights, how, left, keep=callable(report))
    done, filled = complete(
        learned.law, df, latent=latent, fill=wanted, where=allowed, rng=generator if sample else None
    )
    if suffix is not None:
        done = _frames.add_indicators(done, filled, suffix)
    tell(learned, report)
    return done


def bind(
    df: pd.DataFrame,
    *,
    columns: Any = None,
    kinds: Kinds | None = None,
    model: str | Model = "mvn",
    prior: str | float | Prior | None = None,
    weights: Any = None,
) -> Bound:
    """The problem of fitting ``df``, for :func:`emimpute.em.iterates`: the way to watch or steer a run by hand.

    Parameters are as in :func:`fit`, but nothing is examined beforehand, and no ridge steps in. An iterate's ``params``
    are in coordinates of the problem's own; ``problem.natural(params)`` has them in the columns' units, in the order of
    ``problem.labels``. Raises ColumnError and EMImputeError as :func:`fit` does.

    Examples
    --------
    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [2.1, 3.9, 6.2, None, 9.8]})
    >>> problem = emimpute.bind(df)
    >>> *_, last = emimpute.em.iterates(problem)
    >>> problem.natural(last.params).mean.round(3)
    array([3.   , 5.986])
    """
    df = _frames.check(df)
    chosen, _ = priors.resolve(prior)
    if isinstance(chosen, priors.Auto):
        raise EMImputeError("prior='auto' is chosen by fit(): take its fit.prior.")
    row_weights, taken = _frames.row_weights(df, weights)
    choice = choose(_learnable(df, row_weights), columns, kinds, taken)
    if not choice.table.coordinates.size:
        raise choice.nothing_to_learn()
    latent = choice.table.encode(df, choice.positions)
    _check_spread(latent, choice.table.coordinates)
    problem = registry.get(model).bind(latent, row_weights, chosen)
    return Bound(problem, choice.table.coordinates, np.asarray(choice.table.shift, dtype=float))


@dataclass(frozen=True, eq=False)
class _Settings:
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
def _learn(
    df: pd.DataFrame,
    choice: Choice,
    weights: np.ndarray | None,
    how: _Settings,
    left: Sequence[Problem],
    *,
    keep: bool,
) -> tuple[Fit, Latent]:
    """What the chosen columns teach, and their cells as coordinates; the fit keeps a copy of the data on request."""
    table = choice.table
    latent = table.encode(df, choice.positions)
    counted = latent if weights is None or weights.all() else latent.take(np.flatnonzero(weights > 0))
    _check_spread(counted, table.coordinates)
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


def _maximize(sample: _Sample, found: list[Finding], how: _Settings, watch: Watch | None) -> tuple[_Run, list[Finding]]:
    """Run EM under the prior asked for, or where there is none and maximum likelihood fails, under the weak ridge.

    Returns the run and all that was found by then. Raises IdentificationError where the weak ridge may not help.
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
    ridge = priors.PIN if _borne_out(sample, found) else priors.FALLBACK
    return _run(sample, ridge, how, watch, spent), found


def _borne_out(sample: _Sample, found: list[Finding]) -> bool:
    """Whether all that is wrong is exact dependencies, each seen in more than twice as many rows as it has columns.

    Then a ridge is needed only to keep Σ regular, and the weaker it is the better the filled cells keep the dependency.
    """
    harmful = [f for f in found if f.flat or f.unbounded or f.name == "incompatible"]
    seen = sample.latent.observed if sample.weights is None else sample.latent.observed[sample.weights > 0]
    return all(
        f.name in {"duplicates", "dependent"} and seen[:, f.coordinates].all(axis=1).sum() > 2 * len(f.coordinates)
        for f in harmful
    )


def _ridged(sample: _Sample, how: _Settings, watch: Watch | None, plain: _Run | None, ml: Normal | None) -> _Run:
    """The run under the ridge that the data choose, or the ``plain`` one where that is none; ``ml`` if it was found."""
    chosen = auto.choose(how.model, sample.latent, sample.weights, ml)
    if plain is not None and chosen.prior is None:
        return replace(plain, chosen=chosen)
    return replace(_run(sample, chosen.prior, how, watch, plain), chosen=chosen)


def _run(sample: _Sample, prior: Prior | None, how: _Settings, watch: Watch | None, spent: _Run | None = None) -> _Run:
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


def _settings(
    model: Any, prior: Any, tol: Any, max_iter: Any, report: object, *, progress: Any, seeds: tuple[int, ...]
) -> _Settings:
    check_report(report)
    check_progress(progress)
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0 < float(tol) < np.inf:
        raise EMImputeError(f"tol= is a number above 0, in sd units, and this one is {tol!r}.")
    if isinstance(max_iter, bool) or not isinstance(max_iter, Integral) or max_iter < 1:
        raise EMImputeError(f"max_iter= is a whole number of E-steps, 1 or more, and this one is {max_iter!r}.")
    chosen, may_fall_back = priors.resolve(prior)
    automatic = isinstance(chosen, priors.Auto)
    given = None if isinstance(chosen, priors.Auto) else chosen
    return _Settings(registry.get(model), given, automatic, may_fall_back, float(tol), int(max_iter), progress, seeds)


def _suffix(indicator: object) -> str | None:
    """What ``indicator=`` adds to a label; None where no indicators are asked for."""
    if isinstance(indicator, bool):
        return "_imputed" if indicator else None
    if isinstance(indicator, str) and indicator:
        return indicator
    raise EMImputeError(f"indicator= is True, False or a suffix such as '_imputed', and this one is {indicator!r}.")


def _generator(rng: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise EMImputeError(f"rng= is None, an int or a numpy Generator, and this one is {rng!r}.") from error


def _seeds(starts: Any, generator: np.random.Generator) -> tuple[int, ...]:
    """A seed for each start but the first; drawn before anything else, so that nothing else depends on them."""
    if isinstance(starts, bool) or not isinstance(starts, Integral) or starts < 1:
        raise EMImputeError(f"starts= is a whole number of starts, 1 or more, and this one is {starts!r}.")
    more = int(starts) - 1
    return tuple(generator.integers(2**63, size=more).tolist()) if more else ()  # a single start draws nothing


def _learnable(df: pd.DataFrame, weights: np.ndarray | None) -> pd.DataFrame:
    """The rows that count: those of positive weight."""
    return df if weights is None or weights.all() else df[weights > 0]


def _gaps(df: pd.DataFrame, allowed: np.ndarray | None, wanted: Sequence[int] | None) -> set[int]:
    """Positions of the columns with a gap that is to be filled."""
    asked = range(df.shape[1]) if wanted is None else wanted
    return {i for i in asked if (missing(df.iloc[:, i]) & (True if allowed is None else allowed[:, i])).any()}


def _check_spread(latent: Latent, labels: pd.Index[Any]) -> None:
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
