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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.em.lanczos import lanczos
from emimpute.em.newton import newton_step
from emimpute.errors import EMImputeError, shown
from emimpute.models.information import cost, observed_information
from emimpute.models.mvn import MVNProblem, Normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from emimpute.inference.complete import Law
    from emimpute.models.mvn import MVNChart

__all__ = ["Diagnostics", "Ran", "diagnose"]

_PARAMETERS = 1500  # of the closed form at most,
_COST = 1e11  # and multiplications: some ten seconds
_BUDGET = 300  # E-steps that Lanczos may cost, and as many the Newton step
_FLAT = 1e-7  # information, relative to the complete data's, that is not told from 0
_TIED = 1e-6  # fractions that are taken for equal
_ROUNDING = 1e-12  # fractions that are 0
_BETWEEN = 1e-4  # squared share of a flat direction from which a parameter counts as part of it
_LISTED = 5  # parameters that the screen shows
_NAN = float("nan")


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics:
    """How a fit of d coordinates converged. It prints as one screen.

    Attributes
    ----------
    rate
        Largest fraction of missing information: the factor by which plain EM shortens the distance in a step, at last.
    worst
        The parameter that the worst linear function is mostly about, in words: ``the mean of 'x'``.
    parameters
        A row for each mean ``("mean", x, "")`` and covariance ``("cov", x, y)`` (lower triangle column by column;
        variances are ``("cov", x, x)``), and three columns:

        - ``missing_information``: 1 - (squared standard error without gaps) / (squared standard error), NaN where it
          was not computed, 1 where the data do not determine the parameter;
        - ``coefficient``: of the worst linear function, in the units of the data, so that with no gaps its standard
          error would be 1;
        - ``correlation``: of the parameter's estimate with the worst linear function's, if there were no gaps.
    score
        Length of the gradient of the log posterior, per row, in the chart: what one more EM step would move.
    definite
        Whether the observed information is positive definite, as it is at a proper maximum.
    condition
        Its condition number, the complete-data information taken for the unit.
    remaining
        Distance of the point from the maximum by the Newton step, in the unit of ``tol`` (sd, correlations).
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
        """A row for each number: value, meaning. (What is said of single parameters is in ``parameters``.)"""
        rows = {name: (getattr(self, name), meaning) for name, meaning in _MEANINGS.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "meaning"], dtype=object)
        return frame.rename_axis("diagnostic")

    def __repr__(self) -> str:
        said = [f"{name:<13} {_written(value):<13} {meaning}" for name, value, meaning in self.to_frame().itertuples()]
        known = self.missing_information.dropna()
        largest = known.iloc[np.argsort(-known.to_numpy(), kind="stable")[:_LISTED]]
        listed = [f"{fraction:>8.4f}  {_words(*key)}" for key, fraction in largest.items()]  # type: ignore[misc]
        if listed:
            listed = ["", "The largest fractions of missing information:", *listed]
        return "\n".join([*said, *listed, *(["", *self.notes] if self.notes else [])])

    def _repr_html_(self) -> str:
        top = self.to_frame().assign(value=lambda frame: frame["value"].map(_written))
        return str(top.to_html())


_MEANINGS = {
    "rate": "largest fraction of missing information: the rate of plain EM",
    "worst": "what the worst linear function is mostly about",
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
    index = _index(law.table.coordinates)
    if not len(index):
        return _of_nothing(index, ran, "No column has a parameter: there is nothing to learn.")
    latent = law.table.encode(df, law.table.match(df))
    problem = law.model.bind(latent, weights, prior)
    if not isinstance(problem, MVNProblem):
        msg = f"Diagnostics are known for the model 'mvn', and this fit has the model {law.model.name!r}."
        raise EMImputeError(msg)
    try:
        place = _Place.of(problem, law.params)
        if problem.degenerate(place.params):
            raise np.linalg.LinAlgError  # noqa: TRY301 (the same as if the algebra had noticed)
        return _diagnose(place, index, ran, dense=dense)
    except np.linalg.LinAlgError:
        said = "The fit ended at the edge of the parameter space, where no information matrix exists."
        return _of_nothing(index, replace(ran, converged=False), said)


def _diagnose(place: _Place, index: pd.MultiIndex, ran: Ran, *, dense: bool | None) -> Diagnostics:
    problem, d = place.problem, len(place.params.mean)
    if dense is None:
        dense = len(index) <= _PARAMETERS and cost(problem.table) <= _COST
    notes = [] if ran.converged else ["The fit did not converge: this is what it looks like from where it stopped."]
    if problem.closed:
        return replace(
            _of_nothing(index, ran, "Nothing is missing."),
            rate=0.0,
            parameters=_table(index, missing_information=0.0),
            score=float(np.linalg.norm(place.gradient)),
            remaining=place.chart.distance(place.gradient),
        )
    found = _closed_form(place) if dense else _by_lanczos(place)
    if not dense:
        notes.append("The information is too large to be formed: fractions of single parameters are not computed.")
    if not found.settled:
        notes.append(f"Lanczos did not settle in {_BUDGET} E-steps: the rate is at least what is said.")
    if found.saddle:
        notes.append("The point is no maximum: the log posterior rises in some direction.")
    elif found.flat.any():
        notes.append("The data do not determine the worst linear function: along it the log posterior is flat.")
    worst = found.worst(_cosines(place, found.vectors))
    correlation = _cosines(place, worst[:, None])[:, 0]
    most = _most(correlation)
    sign = 1.0 if correlation[most] > 0 else -1.0
    fractions = np.full(len(index), _NAN)
    if dense and not found.saddle:
        fractions = found.fractions(_cosines(place, found.vectors))
    return Diagnostics(
        rate=found.rate,
        worst=_words(*index[most]),
        parameters=_table(
            index,
            missing_information=fractions,
            coefficient=sign * _coefficients(place, worst),
            correlation=sign * correlation,
        ),
        score=float(np.linalg.norm(place.gradient)),
        definite=found.definite,
        condition=float(found.values[-1] / found.values[0]) if found.definite else float("inf"),
        remaining=_NAN if found.saddle else _remaining(place, found, dense=dense),
        n_check=ran.n_check,
        n_iter=ran.n_iter,
        esteps_saved=_plain(place, found, ran.tol) - ran.n_iter if found.definite and found.settled else _NAN,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class _Place:
    """The point that is looked at, and a chart around it; p coordinates."""

    problem: MVNProblem
    params: Normal  # standardised
    chart: MVNChart
    gradient: np.ndarray  # (p,) at the origin of the chart
    apart: float  # length of a displacement for a directional derivative

    @classmethod
    def of(cls, problem: MVNProblem, natural: Normal) -> _Place:
        """The place of parameters in the units of the coordinates. May raise ``numpy.linalg.LinAlgError``."""
        scale = problem.scale
        params = Normal((natural.mean - problem.centre) / scale, natural.cov / np.outer(scale, scale))
        chart = problem.chart(params)
        statistics, loglik = problem.expect(params)
        logpost = loglik + problem.log_prior(params)
        # A difference of gradients errs by its length, and by rounding over its length.
        apart = max(1e-6, math.sqrt(problem.noise(params, logpost) / problem.rows))
        return cls(problem, params, chart, chart.gradient(params, statistics), apart)

    def beside(self, vector: np.ndarray) -> np.ndarray:
        """The gradient at ``vector`` (p,): one E-step."""
        params = self.chart.from_vector(vector)
        return self.chart.gradient(params, self.problem.expect(params)[0])

    def information(self, direction: np.ndarray) -> np.ndarray:
        """The information per row times a unit ``direction`` (p,): one E-step."""
        return (self.gradient - self.beside(self.apart * direction)) / self.apart

    def curvature(self, direction: np.ndarray) -> float:
        """The information per row along a unit ``direction`` (p,), more exactly: two E-steps."""
        apart = math.sqrt(self.apart) / 10  # differences about the middle err by the square of their length
        slope = self.beside(-apart * direction) - self.beside(apart * direction)
        return float(slope @ direction) / (2 * apart)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Information per row along orthonormal directions; all of them, or the extreme ones."""

    values: np.ndarray  # (k,) ascending
    vectors: np.ndarray  # (p, k)
    settled: bool = True  # whether the first pair is accurate

    @property
    def rate(self) -> float:
        smallest = float(self.values[0])
        return 1.0 if abs(smallest) <= _FLAT else max(0.0, 1.0 - smallest)

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

    def worst(self, cosines: np.ndarray) -> np.ndarray:
        """The direction (p,) with the least information, given each parameter's ``cosines`` (p, k) with the directions.

        Where several directions have the same, the one among them nearest to a parameter.
        """
        tied = self.values <= self.values[0] + _TIED
        shares: np.ndarray = np.linalg.norm(cosines[:, tied], axis=1)
        most = _most(shares)
        direction: np.ndarray = self.vectors[:, tied] @ cosines[most, tied] / shares[most]
        return direction

    def fractions(self, cosines: np.ndarray) -> np.ndarray:
        """Fraction of missing information of each parameter (p,), if all directions are here."""
        squares, flat = np.square(cosines), self.flat
        inflation = squares[:, ~flat] @ (1 / self.values[~flat])
        with np.errstate(divide="ignore"):
            fractions = 1 - squares[:, ~flat].sum(axis=1) / inflation
        fractions[squares[:, flat].sum(axis=1) > _BETWEEN] = 1.0
        fractions[np.abs(fractions) < _ROUNDING] = 0.0
        return np.asarray(fractions)


def _closed_form(place: _Place) -> _Spectrum:
    """Every fraction, from the information in closed form."""
    problem, params, chart = place.problem, place.params, place.chart
    d = len(params.mean)
    information = observed_information(problem.table, params.mean, params.cov, chart.factor) / problem.rows
    information[d:, d:] += _of_prior(problem, chart.factor) / problem.rows
    stretch = np.concatenate([np.ones(d), np.full(len(information) - d, chart.stretch)])
    return _Spectrum(*np.linalg.eigh(information / np.outer(stretch, stretch)))


def _of_prior(problem: MVNProblem, factor: np.ndarray) -> np.ndarray:
    """Minus the second derivative of the log prior in the coordinates of H, where Σ = L(1 + H)Lᵀ, L = ``factor``.

    The log prior is −½[c log|Σ| + tr(WΣ⁻¹)] with W the scatter that the prior adds: tr(WHH) − ½c tr(HH) in whitened
    coordinates.
    """
    d, size = len(factor), len(factor) * (len(factor) + 1) // 2
    if problem.prior is None:
        return np.zeros((size, size))
    count = problem.prior.df + problem.prior.extra(d)
    half = np.linalg.solve(factor, np.diag(np.sqrt(problem.prior.df * problem.delta)))
    basis = _symmetric(np.eye(size), d)
    bent = (half.T @ basis).reshape(size, d * d)
    return np.asarray(bent @ bent.T - count * np.eye(size))


def _by_lanczos(place: _Place) -> _Spectrum:
    """The extreme fractions, from E-steps alone."""
    ritz = lanczos(lambda v: v - place.information(v), len(place.gradient), _BUDGET)
    values, vectors = 1 - ritz.values[::-1], ritz.vectors[:, ::-1]
    values[0] = place.curvature(vectors[:, 0])
    return _Spectrum(values, vectors, ritz.settled)


def _remaining(place: _Place, found: _Spectrum, *, dense: bool) -> float:
    """Length of the Newton step, directions left out along which nothing changes."""
    known = ~found.flat
    vectors, values = found.vectors[:, known], found.values[known]

    def deflated(residual: np.ndarray) -> np.ndarray:
        """The inverse information times ``residual``, where it is known; elsewhere it is near the identity."""
        within = vectors.T @ residual
        return residual + vectors @ (within / values - within)

    if dense:
        return place.chart.distance(vectors @ ((vectors.T @ place.gradient) / values))
    length = float(np.linalg.norm(place.gradient))
    if not length or not found.definite:
        return 0.0 if not length else _NAN
    newton = newton_step(_scaled(place.information), place.gradient / length, deflated, place.chart.distance, _BUDGET)
    return length * place.chart.distance(newton.step) if newton.settled else _NAN


def _scaled(product: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A product that takes directions of any length, by way of one that takes unit ones."""

    def of(direction: np.ndarray) -> np.ndarray:
        length = float(np.linalg.norm(direction))
        return length * product(direction / length)

    return of


def _plain(place: _Place, found: _Spectrum, tol: float) -> float:
    """E-steps of plain EM from the default start to ``tol``, were J the same all the way; NaN if that is unknown."""
    try:
        start = found.vectors.T @ place.chart.to_vector(place.problem.start())
    except np.linalg.LinAlgError:
        return _NAN
    fractions = np.clip(1 - found.values, 0.0, 1.0)

    def far(steps: float) -> bool:
        return place.chart.distance(found.vectors @ (start * fractions**steps)) > tol

    enough = 1
    while far(enough):
        enough *= 2
    least = enough // 2
    while enough - least > 1:
        middle = (enough + least) // 2
        least, enough = (middle, enough) if far(middle) else (least, middle)
    return enough + 1.0  # the last E-step finds the maximum where it is


def _cosines(place: _Place, vectors: np.ndarray) -> np.ndarray:
    """Correlation, with no gaps, of each parameter's estimate with that of each direction: (p, k) for (p, k).

    A direction moves the means by L a and the covariances by L H Lᵀ; what is divided by are the complete-data
    standard errors times √n.
    """
    factor, cov = place.chart.factor, place.params.cov
    d = len(cov)
    column, row = np.triu_indices(d)  # of the lower triangle, column by column
    means = factor @ vectors[:d] / np.sqrt(np.diag(cov))[:, None]
    moved = factor @ _symmetric(vectors[d:].T / place.chart.stretch, d) @ factor.T
    error = np.sqrt(np.diag(cov)[row] * np.diag(cov)[column] + cov[row, column] ** 2) / place.chart.stretch
    return np.concatenate([means, moved[:, row, column].T / error[:, None]])


def _coefficients(place: _Place, vector: np.ndarray) -> np.ndarray:
    """Coefficients (p,) of the linear function of means and covariances that changes along ``vector`` (p,).

    With a = L⁻¹Δμ and H = L⁻¹ΔΣL⁻ᵀ, its change is a·u + ½ tr(HU), u and U from ``vector``.
    """
    problem, d = place.problem, len(place.params.mean)
    inverse = np.linalg.inv(problem.scale[:, None] * place.chart.factor)
    column, row = np.triu_indices(d)
    of_cov = inverse.T @ (place.chart.stretch * _symmetric(vector[None, d:], d)[0]) @ inverse
    coefficients = np.concatenate([inverse.T @ vector[:d], of_cov[row, column] / np.where(row == column, 2, 1)])
    return np.asarray(coefficients * math.sqrt(problem.rows))


def _symmetric(vectors: np.ndarray, d: int) -> np.ndarray:
    """H (k, d, d) of the coordinates (k, d(d+1)/2) it has in a chart: its diagonal over √2, and what is above it."""
    whole = np.zeros((len(vectors), d, d))
    i, j = np.triu_indices(d, 1)
    whole[:, i, j] = whole[:, j, i] = vectors[:, d:]
    whole[:, range(d), range(d)] = math.sqrt(2) * vectors[:, :d]
    return whole


def _most(numbers: np.ndarray) -> int:
    """Place of the number furthest from 0, the first of several: rounding does not choose among equal ones."""
    size = np.abs(numbers)
    return int(np.argmax(size >= size.max() * (1 - 1e-6)))


def _index(labels: pd.Index[Any]) -> pd.MultiIndex:
    """(parameter, column, column2) of the means, and of the covariances' lower triangle column by column."""
    d = len(labels)
    column, row = np.triu_indices(d)
    own = np.empty(d + 1, dtype=object)
    own[:d], own[d] = labels.tolist(), ""
    arrays = [["mean"] * d + ["cov"] * len(row), [*range(d), *row], [*[d] * d, *column]]
    arrays[1:] = [own[place] for place in arrays[1:]]
    return pd.MultiIndex.from_arrays(arrays, names=["parameter", "column", "column2"])


def _words(parameter: str, column: object, column2: object) -> str:
    """A parameter in words.

    >>> _words("cov", "x", "y"), _words("mean", "x", "")
    ("the covariance of 'x' with 'y'", "the mean of 'x'")
    """
    if parameter == "mean":
        return f"the mean of {shown(column)}"
    if column is column2 or column == column2:
        return f"the variance of {shown(column)}"
    return f"the covariance of {shown(column)} with {shown(column2)}"


def _table(index: pd.MultiIndex, **columns: Any) -> pd.DataFrame:
    names = ["missing_information", "coefficient", "correlation"]
    return pd.DataFrame({name: columns.get(name, _NAN) for name in names}, index=index, dtype=float)


def _of_nothing(index: pd.MultiIndex, ran: Ran, note: str) -> Diagnostics:
    """Where no information matrix is to be looked at: because all is known, or because the fit is nowhere."""
    fine = ran.converged
    return Diagnostics(
        rate=0.0 if fine else _NAN,
        worst="",
        parameters=_table(index),
        score=0.0 if fine else _NAN,
        definite=fine,
        condition=1.0 if fine else _NAN,
        remaining=0.0 if fine else _NAN,
        n_check=ran.n_check,
        n_iter=ran.n_iter,
        esteps_saved=0.0 if fine else _NAN,
        notes=(note,),
    )


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
