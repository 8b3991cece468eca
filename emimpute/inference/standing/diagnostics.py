"""How a fit converged, and what the gaps cost: the rate of EM, fractions of missing information, the worst function.

Everything is seen from the point that the fit returned, in the coordinates v of a chart there, in which the
information of the complete data is n times the identity. With I the information of the observed data, the eigenvalues
of J = 1 - I/n are the fractions of missing information (Dempster, Laird & Rubin 1977; Louis 1982,
https://doi.org/10.1111/j.2517-6161.1982.tb01203.x): J is the Jacobian of the EM map, so the largest of them is the
rate of plain EM, whatever engine ran, and its vector the linear function of the parameters that EM learns last. Under
a prior all this is said of the posterior, and of the EM that climbs it.

Where I can be had in closed form it is; where that is too much, Lanczos finds the largest fraction alone.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.em.lanczos import lanczos
from emimpute.em.newton import newton_step, whole_newton_step
from emimpute.errors import EMImputeError, shown
from emimpute.inference.standing.boxplaces import BoxPlace, standardised
from emimpute.inference.standing.places import Place, parameters, triangle
from emimpute.models.factored import FactoredProblem
from emimpute.models.mixed import MixedProblem
from emimpute.models.mvn import MVNProblem, Normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from emimpute.em.lanczos import Ritz
    from emimpute.inference.complete import Law
    from emimpute.latent import Latent

__all__ = ["Diagnostics", "Ran", "diagnose", "worst"]

_PARAMETERS = 1900  # of the closed form at most (60 columns; .4 GB, 4 s),
_COST = 1e11  # and multiplications: some ten seconds
_BOX_COST = 1e10  # which are slower ones where cells are intervals: some ten seconds, too
_SETTLED = 1e-3  # residual of the largest fraction, relative to 1 - it, at which Lanczos may end
_LONG = 30  # after so many E-steps
_BUDGET = 300  # E-steps that Lanczos may cost, and as many the Newton step
_FLAT = 1e-7  # information, relative to the complete data's, that is not told from 0
_TIED = 1e-6  # fractions that are taken for equal
_ROUNDING = 1e-12  # fractions that are 0
_PART = 1e-8  # squared correlation with the flat directions from which a parameter is one that the data leave open
_NEAR = 0.1  # correlation below which a parameter says little about a function
_LISTED = 5  # parameters that the screen shows
_WIDTH = 100  # characters of a line of text
_NAN = float("nan")


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics:
    """How a fit of d coordinates converged. It prints as one screen.

    Attributes
    ----------
    rate
        Largest fraction of missing information: the factor by which plain EM, near the end, shortens the distance in
        an E-step. NaN where the point is no maximum.
    worst
        The worst linear function, which EM learns last, by the parameter that is nearest to it, in words: ``the mean
        of 'x'``; empty where there is none.
    parameters
        A row for each mean ``("mean", x, "")`` and covariance ``("cov", x, y)`` (lower triangle column by column;
        variances are ``("cov", x, x)``), and for the k-th cut point of an ordered column ``("cut", x, k)``. Such a
        column has mean 0 and variance 1, in which there is nothing to miss (NaN), and its covariance with another one
        is their latent correlation. Three columns:

        - ``missing_information``: 1 - (squared standard error without gaps) / (squared standard error), NaN where it
          was not computed, 1 where the data do not determine the parameter;
        - ``coefficient``: of the worst linear function, in the units of the data, scaled so that its standard error
          would be 1 without gaps;
        - ``correlation``: of the parameter's estimate with the worst linear function's, as it would be without gaps.
    score
        Length of the gradient of the log posterior, per row, in the chart: about what one more EM step would move.
    definite
        Whether the observed information is positive definite, as it is at a proper maximum.
    condition
        Its condition number, the complete-data information taken for the unit; infinite where it is not definite.
    remaining
        Distance of the point from the maximum by the Newton step, in the unit of ``tol`` (sd, correlations); NaN where
        it is unknown.
    n_check, n_iter
        E-steps of the fit spent on closing checks, and all others.
    esteps_saved
        E-steps that plain EM would have needed from the default start to ``tol``, by the fractions of missing
        information, less ``n_iter``; NaN where they do not tell.
    notes
        Sentences on what stands behind the numbers, if there is anything to say.
    """

    rate: float
    worst: str
    parameters: pd.DataFrame
    score: float
    definite: bool
    condition: float
    remaining: float
    n_check: int
    n_iter: int
    esteps_saved: float
    notes: tuple[str, ...] = ()

    @property
    def missing_information(self) -> pd.Series[Any]:
        """Fraction of missing information of each mean, variance and covariance."""
        return self.parameters["missing_information"].copy()

    def to_frame(self) -> pd.DataFrame:
        """A row for each number: value, meaning; what is said of single parameters is in ``parameters``."""
        rows = [(name, getattr(self, name), meaning) for name, meaning in _MEANINGS.items()]
        return pd.DataFrame(rows, columns=["diagnostic", "value", "meaning"], dtype=object).set_index("diagnostic")

    def __repr__(self) -> str:
        said = [
            f"{name:<13} {value}" if isinstance(value, str) else f"{name:<13} {_written(value):<13} {meaning}"
            for name, value, meaning in self.to_frame().itertuples()
            if value != ""
        ]
        index: Any = self.parameters.index
        fractions = self.parameters["missing_information"].to_numpy()
        listed = [f"  {fractions[k]:.4f}      {_words(index, k)}" for k in self._largest()]
        title = ["Most missing information:"] if listed else []
        wrapped = [textwrap.wrap(x, _WIDTH, subsequent_indent=" " * 14) for x in [*said, *title, *listed, *self.notes]]
        return "\n".join(part for parts in wrapped for part in parts)

    def _repr_html_(self) -> str:
        top = self.to_frame()
        top["value"] = top["value"].map(_written)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        listed = self.parameters.iloc[self._largest()]
        return f"<div>{top.to_html()}{listed.to_html() if len(listed) else ''}{notes}</div>"

    def _largest(self) -> list[int]:
        """The rows of ``parameters`` that miss most information."""
        fractions = self.parameters["missing_information"].to_numpy()
        order = np.argsort(-fractions, kind="stable")[:_LISTED]
        return [int(k) for k in order if fractions[k] > 0]


_MEANINGS = {
    "rate": "largest fraction of missing information: the rate of plain EM",
    "worst": "the parameter nearest to the worst linear function",
    "score": "length of the gradient, per row",
    "definite": "whether the observed information is positive definite",
    "condition": "of the observed information, relative to the complete data's",
    "remaining": "estimated distance to the maximum (sd and correlation units)",
    "n_iter": "E-steps of the fit",
    "n_check": "E-steps of its closing checks",
    "esteps_saved": "E-steps that plain EM would have needed besides",
}


@dataclass(frozen=True)
class Ran:
    """What is known of a run."""

    tol: float
    n_iter: int
    n_check: int
    converged: bool


@single_threaded
def diagnose(
    law: Law, df: pd.DataFrame, weights: np.ndarray | None, prior: Any, ran: Ran, *, dense: bool | None = None
) -> Diagnostics:
    """Diagnostics of ``law``, as fitted to ``df`` with case weights (n,) under ``prior``.

    ``dense`` chooses between the closed form and Lanczos; by default the cost does. Raises EMImputeError for models
    other than the normal distribution.
    """
    labels = law.table.coordinates.tolist()
    if not labels:
        return _without(parameters(labels), ran, "No column has a parameter: there is nothing to estimate.", known=True)
    latent = law.table.encode(df, law.table.match(df))
    problem: Any = law.model.bind(latent, weights, prior)
    if isinstance(problem, FactoredProblem):
        problem = problem.unfactored()  # every parameter is to be a coordinate
    boxed = isinstance(problem, MixedProblem)
    if not (boxed or isinstance(problem, MVNProblem)):
        msg = f"Diagnostics are known for the model 'mvn', and this fit has the model {law.model.name!r}."
        raise EMImputeError(msg)
    index = parameters(labels, problem.cuts.column.tolist() if boxed else ())
    scale = problem.scale
    params: Any = (
        standardised(problem, law.params)
        if boxed
        else Normal((law.params.mean - problem.centre) / scale, law.params.cov / np.outer(scale, scale))
    )
    edge = "The fit ended at the edge of the parameter space, where no information matrix exists."
    if problem.degenerate(params):
        return _without(index, ran, edge, known=False)
    if not boxed and problem.patterns.masks.all() and ran.converged:
        said = "No row with something observed has a gap: the estimate is known in closed form."
        return _without(index, ran, said, known=True)
    try:
        place = BoxPlace.of(problem, params) if boxed else Place.of(problem, params)
        if dense is None:
            dense = len(index) <= _PARAMETERS and place.cost <= (_BOX_COST if boxed else _COST)
        return _diagnose(place, _closed_form(place) if dense else _by_lanczos(place), index, ran)
    except np.linalg.LinAlgError:
        return _without(index, ran, edge, known=False)


def worst(
    law: Law, latent: Latent, weights: np.ndarray | None, prior: Any, exact: Callable[[], Diagnostics]
) -> tuple[float, np.ndarray, str]:
    """The largest fraction of missing information, the coefficients (P,) of its linear function, and its name.

    Where cells are intervals, each is taken for a measurement with an error of known variance: that
    finds the function, and two E-steps its fraction, while the ``exact`` diagnostics, which are used elsewhere, take
    two E-steps for each parameter.
    """
    problem: Any = law.model.bind(latent, weights, prior) if latent.boxed else None
    if isinstance(problem, MixedProblem):
        index = parameters(law.table.coordinates.tolist(), problem.cuts.column.tolist())
        params = standardised(problem, law.params)
        if len(index) <= _PARAMETERS and not problem.degenerate(params):
            try:
                place = BoxPlace.of(problem, params)
                near = _Spectrum(*np.linalg.eigh(place.nearly_whole()), whole=True)
                along = near.vectors[:, 0]
                rate = max(near.rate, 1 - place.curvature(along))
                if near.definite and rate < 1:
                    nearest = _most(np.abs(place.cosines(along[:, None])[:, 0]))
                    return rate, np.nan_to_num(place.coefficients(along)), _words(index, nearest)
            except np.linalg.LinAlgError:
                pass
    found = exact()
    return found.rate, np.nan_to_num(found.parameters["coefficient"].to_numpy(dtype=float)), found.worst


def _diagnose(place: Place | BoxPlace, found: _Spectrum, index: pd.MultiIndex, ran: Ran) -> Diagnostics:
    tied = found.tied
    nearby = place.cosines(found.vectors[:, tied])
    nearest = _most(np.linalg.norm(nearby, axis=1))
    # Among directions with the same information, the one nearest to a parameter.
    mix = nearby[nearest] / np.linalg.norm(nearby[nearest])
    correlation = nearby @ mix
    fractions, how = _all_fractions(place, found, len(index))
    coefficients = place.coefficients(found.vectors[:, tied] @ mix)
    return Diagnostics(
        rate=found.rate,
        worst=_words(index, nearest),
        parameters=_table(index, fractions, coefficients, correlation),
        score=float(np.linalg.norm(place.gradient)),
        definite=found.definite,
        condition=float(found.values[-1] / found.values[0]) if found.definite else float("inf"),
        remaining=_remaining(place, found),
        n_check=ran.n_check,
        n_iter=ran.n_iter,
        esteps_saved=_plain(place, found, ran.tol) - ran.n_iter if ran.converged and found.definite else _NAN,
        notes=(*place.caveats, *how, *_notes(found, ran, float(correlation[nearest]))),
    )


def _notes(found: _Spectrum, ran: Ran, nearest: float) -> list[str]:
    """What has to be said, given the correlation of the nearest parameter with the worst linear function."""
    said = {
        "The fit did not converge: all this is said of the point where it stopped.": not ran.converged,
        "The point is no maximum: along the worst linear function the log posterior curves upwards.": found.saddle,
        "Along the worst linear function the log posterior is flat: the data do not determine it.": found.flat.any(),
        f"Lanczos did not settle in {_BUDGET} E-steps: the rate is at least what is said.": not found.settled,
        "No single parameter says much about the worst linear function: see parameters['coefficient'].": nearest
        < _NEAR,
    }
    return [note for note, holds in said.items() if holds]


def _all_fractions(place: Place | BoxPlace, found: _Spectrum, size: int) -> tuple[Any, list[str]]:
    """Fraction of missing information of each of ``size`` parameters, if to be had, and what has to be said of it."""
    if found.whole:
        return (_NAN if found.saddle else _fractions(place, found)), []
    if isinstance(place, BoxPlace) and size <= _PARAMETERS:
        near = _Spectrum(*np.linalg.eigh(place.nearly_whole()), whole=True)
        if near.definite:
            return _fractions(place, near), [_APPROXIMATE]
    return _NAN, ["The information is too large to be formed: fractions of single parameters are not known."]


_APPROXIMATE = (
    "Fractions of single parameters are approximate: each interval was taken for a measurement with an error of known "
    "variance."
)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Information per row along orthonormal directions: all of them, or the extreme ones."""

    values: np.ndarray  # (k,) ascending
    vectors: np.ndarray  # (p, k)
    whole: bool
    settled: bool = True  # whether the first pair is accurate

    @property
    def rate(self) -> float:
        smallest = float(self.values[0])
        return _NAN if self.saddle else 1.0 if abs(smallest) <= _FLAT else max(0.0, 1.0 - smallest)

    @property
    def flat(self) -> np.ndarray:
        """(k,) bool: directions along which nothing changes."""
        return np.asarray(np.abs(self.values) <= _FLAT)

    @property
    def saddle(self) -> bool:
        return bool(self.values[0] < -_FLAT)

    @property
    def definite(self) -> bool:
        return bool(self.values[0] > _FLAT)

    @property
    def tied(self) -> np.ndarray:
        """(k,) bool: directions with the least information."""
        return np.asarray(self.values <= self.values[0] + _TIED)


def _closed_form(place: Place | BoxPlace) -> _Spectrum:
    """Every fraction, from the whole information."""
    values, vectors = np.linalg.eigh(place.whole())
    return _Spectrum(values, vectors, whole=True)


def _by_lanczos(place: Place | BoxPlace) -> _Spectrum:
    """The extreme fractions, from E-steps alone."""
    ritz = lanczos(lambda v: v - place.information(v), len(place.gradient), _BUDGET, enough=_told)
    values, vectors = 1 - ritz.values[::-1], ritz.vectors[:, ::-1]
    values[0] = place.curvature(vectors[:, 0])
    return _Spectrum(values, vectors, whole=False, settled=ritz.settled or _told(ritz))


def _told(ritz: Ritz) -> bool:
    """Whether the largest fraction is known as well as anyone asks; its error is of the order of the residual's square.

    Where gaps are scattered at random many fractions lie close together, and to separate them further takes long.
    """
    return ritz.products >= _LONG and ritz.residual <= _SETTLED * max(1 - float(ritz.values[-1]), _FLAT)


def _fractions(place: Place | BoxPlace, found: _Spectrum) -> np.ndarray:
    """Fraction of missing information of each parameter, NaN where it is fixed."""
    squares, flat = np.square(cosines := place.cosines(found.vectors)), found.flat
    with np.errstate(invalid="ignore"):
        fractions: np.ndarray = 1 - place.complete(cosines[:, ~flat]) / (squares[:, ~flat] @ (1 / found.values[~flat]))
    fractions[np.abs(fractions) < _ROUNDING] = 0.0
    fractions[squares[:, flat].sum(axis=1) > _PART] = 1.0
    return fractions


def _remaining(place: Place | BoxPlace, found: _Spectrum) -> float:
    """Length of the Newton step; directions along which nothing changes are left out, if all are known."""
    distance, length = place.distance, float(np.linalg.norm(place.gradient))
    if found.saddle or not (found.whole or found.definite):
        return _NAN
    if found.whole:
        return distance(whole_newton_step(found.values, found.vectors, place.gradient).step)
    if not length:
        return 0.0

    def deflated(residual: np.ndarray) -> np.ndarray:
        """The inverse information times ``residual`` where it is known; elsewhere it is near the identity."""
        within = found.vectors.T @ residual
        deflation: np.ndarray = residual + found.vectors @ (within / found.values - within)
        return deflation

    newton = newton_step(place.information, place.gradient / length, deflated, distance, _BUDGET)
    return length * distance(newton.step) if newton.settled else _NAN


def _plain(place: Place | BoxPlace, found: _Spectrum, tol: float) -> float:
    """E-steps of plain EM from the default start to ``tol``, were J the same all the way; NaN if that is unknown."""
    try:
        start = found.vectors.T @ place.start()
    except np.linalg.LinAlgError:
        return _NAN
    fractions = np.clip(1 - found.values, 0.0, 1.0)

    def far(steps: int) -> bool:
        return place.distance(found.vectors @ (start * fractions**steps)) > tol

    enough = 1
    while far(enough):  # ends, for no fraction is above 1 - _FLAT
        enough *= 2
    least = enough // 2
    while enough - least > 1:
        middle = (enough + least) // 2
        least, enough = (middle, enough) if far(middle) else (least, middle)
    return enough + 1.0  # the last one finds the maximum where it is


def _most(numbers: np.ndarray) -> int:
    """Place of the largest number, of equal ones the first: rounding does not choose among them."""
    return int(np.argmax(numbers >= numbers.max() * (1 - 1e-6)))


def _words(index: pd.MultiIndex, k: int) -> str:
    """The k-th parameter in words.

    >>> [_words(parameters(["x", "q"], [1]), k) for k in (0, 3, 4, 5)]
    ["the mean of 'x'", "the covariance of 'q' with 'x'", "the variance of 'q'", "the cut points of 'q'"]
    """
    names, one, other = (index.get_level_values(level)[k] for level in range(3))
    if names == "cut":
        return f"the cut points of {shown(one)}"
    if names == "mean":
        return f"the mean of {shown(one)}"
    d = int((index.get_level_values(0) == "mean").sum())
    row, column = (int(side[k - d]) for side in triangle(d))
    if row == column:  # labels may repeat
        return f"the variance of {shown(one)}"
    return f"the covariance of {shown(one)} with {shown(other)}"


def _table(index: pd.MultiIndex, fractions: Any, coefficient: Any, correlation: Any) -> pd.DataFrame:
    columns = {"missing_information": fractions, "coefficient": coefficient, "correlation": correlation}
    return pd.DataFrame(columns, index=index, dtype=float)


def _without(index: pd.MultiIndex, ran: Ran, note: str, *, known: bool) -> Diagnostics:
    """Where no information is looked at: because none is missing, or (if not ``known``) because there is none."""
    nothing = 0.0 if known else _NAN
    return Diagnostics(
        rate=nothing,
        worst="",
        parameters=_table(index, nothing, _NAN, _NAN),
        score=nothing,
        definite=known,
        condition=1.0 if known else _NAN,
        remaining=nothing,
        n_check=ran.n_check,
        n_iter=ran.n_iter,
        esteps_saved=nothing,
        notes=(note,),
    )


def _written(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
