"""The story: columns become coordinates, EM learns their joint law, and the holes get their conditional law.

:func:`impute` and :func:`fit` read top to bottom: look at the frame, choose what each column is, learn, complete, tell.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from emimpute import _frames
from emimpute.apart import Asked, complete_apart, groups
from emimpute.binding import Bound
from emimpute.choosing import choose, sorts
from emimpute.errors import EMImputeError
from emimpute.inference.complete import complete
from emimpute.kinds.reading import missing
from emimpute.learning import check_spread, learn, settings
from emimpute.models import priors, registry
from emimpute.results.problems import warn_of
from emimpute.results.report import LOG, reads_rows, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from emimpute.inference.drawing.imputations import Imputations
    from emimpute.inference.drawing.scenarios import Scenarios
    from emimpute.kinds.base import Kind
    from emimpute.models.base import Model
    from emimpute.models.priors import Prior
    from emimpute.results.fit import Fit
    from emimpute.results.progress import Progress
    from emimpute.results.report import Report

    Kinds = Mapping[Any, str | Kind | type[Kind]]

__all__ = ["bind", "draw", "fit", "impute"]


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
        ``"fallback"``: maximum likelihood where it exists and is unique, else a ridge and an
        IdentificationWarning. ``None``: maximum likelihood, or an error where it is unbounded. ``"auto"``: the ridge,
        or none, that predicts the cells of held-out rows best; it costs some ten fits, and pays on small or nearly
        collinear tables. ``"ridge"`` or a number: norm2's ridge with that prior df (3). Or a prior object.
    weights
        Label, Series or array of case weights: a row of weight 2 counts as two rows. A label's column takes no part in
        the model.
    starts
        Runs of EM: the first from the usual start, the others from random ones. The highest maximum is kept (the
        usual one, unless another is higher); ``Fit.starts`` has them all, and ``problems`` tells how far they agreed.
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
    how = settings(model, prior, tol, max_iter, report, progress=progress, seeds=_seeds(starts, _generator(rng)))
    row_weights, taken = _frames.row_weights(df, weights)
    choice = choose(_learnable(df, row_weights), columns, kinds, taken)
    if not choice.positions:
        raise choice.nothing_to_learn()
    left = choice.left_alone(_gaps(df, None, None))
    learned, _ = learn(df, choice, row_weights, how, left, keep=True)
    tell([learned], learned.findings, report)
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
    by: Any = None,
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
    by
        What tells groups that are fitted apart: a label of a column or index level, one value for each row, or a list
        of these. Grouping columns come back as they are; ``report`` receives a Fit for each group (``Fit.group`` has
        its name), and one warning gathers what was found in all.
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
    how = settings(model, prior, tol, max_iter, report, progress=progress, seeds=_seeds(starts, generator))
    row_weights, taken = _frames.row_weights(df, weights)
    apart = None if by is None else groups(df, by)
    taken = taken if apart is None else [*taken, *apart.taken]
    allowed = _frames.cells_to_fill(df, where)
    wanted = None if fill is None else _frames.positions(df, fill, "fill=")
    gaps = _gaps(df, allowed, wanted)
    if apart is not None:
        gaps = apart.leaves(df, gaps, named_to_fill=wanted is not None)

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
    drawn, keep = generator if sample else None, reads_rows(report)
    if apart is None:
        learned, latent = learn(df, choice, row_weights, how, left, keep=keep)
        done, filled = complete(learned.law, df, latent=latent, fill=wanted, where=allowed, rng=drawn)
        fits, problems = [learned], list(learned.findings)
    else:
        found = sorts(df, columns, kinds, taken)
        fillable = gaps.intersection(choice.positions)
        asked = Asked(found, fillable, how, row_weights, wanted, allowed, drawn, keep)
        done, filled, fits, problems = complete_apart(df, apart, asked)
        problems = [*left, *problems]
    if suffix is not None:
        done = _frames.add_indicators(done, filled, suffix)
    tell(fits, problems, report, done, drawn=sample)
    return done


@overload
def draw(
    df: pd.DataFrame,
    m: int = ...,
    *,
    method: str = ...,
    delta: Mapping[Any, float] | None = ...,
    columns: Any = ...,
    kinds: Kinds | None = ...,
    model: str | Model = ...,
    prior: str | float | Prior | None = ...,
    weights: Any = ...,
    starts: int = ...,
    tol: float = ...,
    max_iter: int = ...,
    rng: int | np.random.Generator | None = ...,
    report: Report = ...,
    progress: Progress = ...,
) -> Imputations: ...
@overload
def draw(
    df: pd.DataFrame,
    m: int = ...,
    *,
    method: str = ...,
    delta: Mapping[Any, Sequence[float]],
    columns: Any = ...,
    kinds: Kinds | None = ...,
    model: str | Model = ...,
    prior: str | float | Prior | None = ...,
    weights: Any = ...,
    starts: int = ...,
    tol: float = ...,
    max_iter: int = ...,
    rng: int | np.random.Generator | None = ...,
    report: Report = ...,
    progress: Progress = ...,
) -> Scenarios: ...
@overload
def draw(
    df: pd.DataFrame,
    m: int = ...,
    *,
    method: str = ...,
    delta: Mapping[Any, float | Sequence[float]],
    columns: Any = ...,
    kinds: Kinds | None = ...,
    model: str | Model = ...,
    prior: str | float | Prior | None = ...,
    weights: Any = ...,
    starts: int = ...,
    tol: float = ...,
    max_iter: int = ...,
    rng: int | np.random.Generator | None = ...,
    report: Report = ...,
    progress: Progress = ...,
) -> Imputations | Scenarios: ...
def draw(
    df: pd.DataFrame,
    m: int = 20,
    *,
    method: str = "bootstrap",
    delta: Mapping[Any, float] | Mapping[Any, Sequence[float]] | Mapping[Any, float | Sequence[float]] | None = None,
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
) -> Imputations | Scenarios:
    """Proper multiple imputation: m completed frames that differ by as much as the gaps leave unknown.

    Parameters
    ----------
    df
        The data; never changed.
    m
        How many; ``Pooled.suffices()`` tells afterwards whether that was enough.
    method
        How the parameters, which are uncertain too, vary between imputations. ``"bootstrap"``: each is fitted to rows
        that were drawn anew. ``"posterior"``: data augmentation from the fit, under the noninformative prior
        ``|Σ|^(-(d+1)/2)``, and for answers in categories and brackets a ridge of half a row on correlations besides.
        ``"plugin"``: not at all, with a warning, for intervals from such draws are too narrow.
    delta
        What if the missing are not like the observed? ``{"income": -.5}`` shifts the drawn incomes by so many of the
        column's standard deviations (on the scale of its model: for a positive column that of its logarithm, for
        ordered and binary answers the latent one); other gaps of the row follow, as if the shifted value were known.
        Lists of shifts, ``{"income": [-.5, 0, .5]}``, give an
        :class:`emimpute.inference.drawing.scenarios.Scenarios` of as many Imputations from the same random numbers.
        A column that is named with a 0 beside others stays as it is. A label that repeats shifts all its columns.
    rng
        What seeds the draws: None, an int or a Generator. A row's draws depend on it, on the number of the imputation
        and its law, and on the row's own data and position; the first imputations do not depend on m.
    columns, kinds, model, prior, weights, starts, tol, max_iter, report, progress
        As in :func:`fit`.

    Returns
    -------
    Imputations
        A sequence of m DataFrames, and ``pool`` for an analysis of all of them; Scenarios where ``delta`` has lists.

    Raises
    ------
    EMImputeError, ColumnError, IdentificationError
        As :func:`fit`; and where a method cannot draw from the fit.

    Examples
    --------
    >>> import pandas as pd, emimpute
    >>> df = pd.DataFrame({"x": range(9), "y": [0.1, 0.9, 2.2, None, 4.1, None, 5.8, 7.1, 8.3]})
    >>> df.em.draw(3, rng=1)
    3 imputations of 9 rows, 2 cells each (bootstrap)
    """
    from emimpute.inference.drawing.draw import check  # noqa: PLC0415 (importing emimpute stays light)

    check(m, method)
    generator = _generator(rng)
    learned = fit(
        df,
        columns=columns,
        kinds=kinds,
        model=model,
        prior=prior,
        weights=weights,
        starts=starts,
        tol=tol,
        max_iter=max_iter,
        rng=generator,
        report=report,
        progress=progress,
    )
    return learned.draw(m, method=method, delta=delta, rng=generator)


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
    check_spread(latent, choice.table.coordinates)
    problem = registry.get(model).bind(latent, row_weights, chosen)
    return Bound(problem, choice.table.coordinates, np.asarray(choice.table.shift, dtype=float))


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
