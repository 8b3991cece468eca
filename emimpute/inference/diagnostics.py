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

import math
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
from emimpute.models.mvn import MVNProblem, Normal, Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emimpute.inference.complete import Law
    from emimpute.models.mvn import MVNChart

__all__ = ["Diagnostics", "Ran", "diagnose"]

_PARAMETERS = 1900  # of the closed form at most (60 columns; .4 GB, 4 s),
_COST = 1e11  # and multiplications: some ten seconds
_BUDGET = 300  # E-steps that Lanczos may cost, and as many the Newton step
_APART = 1e-6  # length of a displacement for a directional derivative, where rounding does not ask for more
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
        variances are ``("cov", x, x)``), and three columns:

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
        labels, fractions = _labels(self.parameters), self.parameters["missing_information"].to_numpy()
        listed = [f"  {fractions[k]:.4f}      {_words(labels, k)}" for k in self._largest()]
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
    index = _index(labels)
    if not labels:
        return _without(index, ran, "No column has a parameter: there is nothing to estimate.", known=True)
    latent = law.table.encode(df, law.table.match(df))
    problem = law.model.bind(latent, weights, prior)
    if not isinstance(problem, MVNProblem):
        msg = f"Diagnostics are known for the model 'mvn', and this fit has the model {law.model.name!r}."
        raise EMImputeError(msg)
    scale = problem.scale
    params = Normal((law.params.mean - problem.centre) / scale, law.params.cov / np.outer(scale, scale))
    edge = "The fit ended at the edge of the parameter space, where no information matrix exists."
    if problem.degenerate(params):
        return _without(index, ran, edge, known=False)
    if problem.patterns.masks.all() and ran.converged:
        said = "No row with something observed has a gap: the estimate is known in closed form."
        return _without(index, ran, said, known=True)
    if dense is None:
        d, patterns = len(scale), len(problem.patterns.masks)
        dense = len(index) <= _PARAMETERS and 2 * patterns * d**4 + 10 * len(index) ** 3 <= _COST
    try:
        place = _Place.of(problem, params)
        return _diagnose(place, _closed_form(place) if dense else _by_lanczos(place), labels, ran)
    except np.linalg.LinAlgError:
        return _without(index, ran, edge, known=False)


def _diagnose(place: _Place, found: _Spectrum, labels: Sequence[Any], ran: Ran) -> Diagnostics:
    tied = found.tied
    nearby = _cosines(place, found.vectors[:, tied])
    nearest = _most(np.linalg.norm(nearby, axis=1))
    # Among directions with the same information, the one nearest to a parameter.
    mix = nearby[nearest] / np.linalg.norm(nearby[nearest])
    correlation = nearby @ mix
    fractions = _fractions(found, _cosines(place, found.vectors)) if found.whole and not found.saddle else _NAN
    coefficients = _coefficients(place, found.vectors[:, tied] @ mix)
    return Diagnostics(
        rate=found.rate,
        worst=_words(labels, nearest),
        parameters=_table(_index(labels), fractions, coefficients, correlation),
        score=float(np.linalg.norm(place.gradient)),
        definite=found.definite,
        condition=float(found.values[-1] / found.values[0]) if found.definite else float("inf"),
        remaining=_remaining(place, found),
        n_check=ran.n_check,
        n_iter=ran.n_iter,
        esteps_saved=_plain(place, found, ran.tol) - ran.n_iter if ran.converged and found.definite else _NAN,
        notes=tuple(_notes(found, ran, float(correlation[nearest]))),
    )


def _notes(found: _Spectrum, ran: Ran, nearest: float) -> list[str]:
    """What has to be said, given the correlation of the nearest parameter with the worst linear function."""
    said = {
        "The fit did not converge: all this is said of the point where it stopped.": not ran.converged,
        "The point is no maximum: along the worst linear function the log posterior curves upwards.": found.saddle,
        "Along the worst linear function the log posterior is flat: the data do not determine it.": found.flat.any(),
        "The information is too large to be formed: fractions of single parameters are not known.": not found.whole,
        f"Lanczos did not settle in {_BUDGET} E-steps: the rate is at least what is said.": not found.settled,
        "No single parameter says much about the worst linear function: see parameters['coefficient'].": nearest
        < _NEAR,
    }
    return [note for note, holds in said.items() if holds]


@dataclass(frozen=True, eq=False)
class _Place:
    """The point that is looked at, and a chart around it, of p coordinates."""

    problem: MVNProblem
    params: Normal  # standardised
    statistics: Statistics
    chart: MVNChart
    gradient: np.ndarray  # (p,) at the origin of the chart
    apart: float  # length of a displacement for a directional derivative

    @classmethod
    def of(cls, problem: MVNProblem, params: Normal) -> _Place:
        """The place of standardised parameters. May raise ``numpy.linalg.LinAlgError``."""
        chart = problem.chart(params)
        statistics, loglik = problem.expect(params)
        # A difference of gradients errs by its length, and by rounding over its length.
        noise = problem.noise(params, loglik + problem.log_prior(params)) / problem.rows
        gradient = chart.gradient(params, statistics)
        return cls(problem, params, statistics, chart, gradient, max(_APART, math.sqrt(noise)))

    def beside(self, vector: np.ndarray) -> np.ndarray:
        """The gradient at ``vector`` (p,): one E-step."""
        params = self.chart.from_vector(vector)
        gradient: np.ndarray = self.chart.gradient(params, self.problem.expect(params)[0])
        return gradient

    def information(self, direction: np.ndarray) -> np.ndarray:
        """The information per row times ``direction`` (p,): one E-step."""
        size = self.apart / float(np.linalg.norm(direction))
        return np.asarray((self.gradient - self.beside(size * direction)) / size)

    def curvature(self, direction: np.ndarray) -> float:
        """The information per row along a unit ``direction`` (p,), more exactly: two E-steps."""
        size = math.sqrt(self.apart) / 10  # differences about the middle err by the square of their length
        slope = self.beside(-size * direction) - self.beside(size * direction)
        return float(slope @ direction) / (2 * size)


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


def _closed_form(place: _Place) -> _Spectrum:
    """Every fraction, from the information in closed form."""
    values, vectors = np.linalg.eigh(place.problem.information(place.params, place.statistics))
    return _Spectrum(values, vectors, whole=True)


def _by_lanczos(place: _Place) -> _Spectrum:
    """The extreme fractions, from E-steps alone."""
    ritz = lanczos(lambda v: v - place.information(v), len(place.gradient), _BUDGET)
    values, vectors = 1 - ritz.values[::-1], ritz.vectors[:, ::-1]
    values[0] = place.curvature(vectors[:, 0])
    return _Spectrum(values, vectors, whole=False, settled=ritz.settled)


def _fractions(found: _Spectrum, cosines: np.ndarray) -> np.ndarray:
    """Fraction of missing information of each parameter, given its ``cosines`` (p, p) with all directions."""
    squares, flat = np.square(cosines), found.flat
    fractions: np.ndarray = 1 - squares[:, ~flat].sum(axis=1) / (squares[:, ~flat] @ (1 / found.values[~flat]))
    fractions[np.abs(fractions) < _ROUNDING] = 0.0
    fractions[squares[:, flat].sum(axis=1) > _PART] = 1.0
    return fractions


def _remaining(place: _Place, found: _Spectrum) -> float:
    """Length of the Newton step; directions along which nothing changes are left out, if all are known."""
    distance, length = place.chart.distance, float(np.linalg.norm(place.gradient))
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


def _plain(place: _Place, found: _Spectrum, tol: float) -> float:
    """E-steps of plain EM from the default start to ``tol``, were J the same all the way; NaN if that is unknown."""
    try:
        start = found.vectors.T @ place.chart.to_vector(place.problem.start())
    except np.linalg.LinAlgError:
        return _NAN
    fractions = np.clip(1 - found.values, 0.0, 1.0)

    def far(steps: int) -> bool:
        return place.chart.distance(found.vectors @ (start * fractions**steps)) > tol

    enough = 1
    while far(enough):  # ends, for no fraction is above 1 - _FLAT
        enough *= 2
    least = enough // 2
    while enough - least > 1:
        middle = (enough + least) // 2
        least, enough = (middle, enough) if far(middle) else (least, middle)
    return enough + 1.0  # the last one finds the maximum where it is


def _cosines(place: _Place, directions: np.ndarray) -> np.ndarray:
    """Correlation of each parameter's estimate with that of each of some unit ``directions`` (p, k), without gaps.

    A direction moves the means by La and the covariances by LHLᵀ; these are divided by √n complete-data standard
    errors. (Under a prior both are shorter in the covariances by the stretch of the chart, which cancels.)
    """
    factor, cov = place.chart.factor, place.params.cov
    d = len(cov)
    row, column = _triangle(d)
    means = factor @ directions[:d] / np.sqrt(np.diag(cov))[:, None]
    moved = factor @ _symmetric(directions[d:].T, d) @ factor.T
    error = np.sqrt(np.diag(cov)[row] * np.diag(cov)[column] + cov[row, column] ** 2)
    cosines: np.ndarray = np.concatenate([means, moved[:, row, column].T / error[:, None]])
    return cosines


def _coefficients(place: _Place, direction: np.ndarray) -> np.ndarray:
    """Coefficients (p,) of the linear function of means and covariances that grows along a unit ``direction`` (p,).

    With a = L⁻¹Δμ and H = L⁻¹ΔΣL⁻ᵀ, its change is a·u + ½ tr(HU), u and U from the direction.
    """
    d = len(place.params.mean)
    row, column = _triangle(d)
    inverse = np.linalg.inv(place.problem.scale[:, None] * place.chart.factor)
    of_cov = inverse.T @ (place.chart.stretch * _symmetric(direction[None, d:], d)[0]) @ inverse
    coefficients = np.concatenate([inverse.T @ direction[:d], of_cov[row, column] / np.where(row == column, 2, 1)])
    return np.asarray(coefficients * math.sqrt(place.problem.rows))


def _symmetric(vectors: np.ndarray, d: int) -> np.ndarray:
    """Symmetric matrices (k, d, d) from rows (k, d(d+1)/2): their diagonals over √2, and what is above them."""
    whole = np.zeros((len(vectors), d, d))
    i, j = np.triu_indices(d, 1)
    whole[:, i, j] = whole[:, j, i] = vectors[:, d:]
    whole[:, range(d), range(d)] = math.sqrt(2) * vectors[:, :d]
    return whole


def _triangle(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lower triangle, column by column."""
    column, row = np.triu_indices(d)
    return row, column


def _most(numbers: np.ndarray) -> int:
    """Place of the largest number, of equal ones the first: rounding does not choose among them."""
    return int(np.argmax(numbers >= numbers.max() * (1 - 1e-6)))


def _index(labels: Sequence[Any]) -> pd.MultiIndex:
    """(parameter, column, column2) of the means, and of the covariances' lower triangle column by column."""
    d = len(labels)
    row, column = _triangle(d)
    own = np.empty(d + 1, dtype=object)
    for place, label in enumerate([*labels, ""]):
        own[place] = label  # one by one: a tuple is one label
    names = np.repeat(np.array(["mean", "cov"], dtype=object), [d, len(row)])
    places = np.concatenate([np.arange(d), row]), np.concatenate([np.full(d, d), column])
    return pd.MultiIndex.from_arrays([names, *(own[place] for place in places)], names=_NAMES)


_NAMES = ["parameter", "column", "column2"]


def _labels(parameters: pd.DataFrame) -> list[Any]:
    """The labels (d,) of the coordinates, from a table of their parameters."""
    index = parameters.index
    means = index.get_level_values("parameter") == "mean"
    return index.get_level_values("column")[means].tolist()


def _words(labels: Sequence[Any], k: int) -> str:
    """The k-th parameter in words.

    >>> [_words(["x", "y"], k) for k in (0, 3, 4)]
    ["the mean of 'x'", "the covariance of 'y' with 'x'", "the variance of 'y'"]
    """
    d = len(labels)
    if k < d:
        return f"the mean of {shown(labels[k])}"
    row, column = (int(side[k - d]) for side in _triangle(d))
    if row == column:
        return f"the variance of {shown(labels[row])}"
    return f"the covariance of {shown(labels[row])} with {shown(labels[column])}"


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
