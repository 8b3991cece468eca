r"""Standard errors from one fit, without imputing: of means, covariances, correlations, and any function of them.

The covariance matrix of the estimates is the inverse of the observed information (minus the log-likelihood's second
derivative: the default), of the expected information given the patterns of missing cells, or the sandwich I⁻¹BI⁻¹ with
B the sum of the rows' squared scores, which stays valid where the columns are not normal. The observed information
is valid under MAR; the expected one asks for MCAR (Kenward & Molenberghs 1998, https://doi.org/10.1214/ss/1028905886;
Savalei 2010, https://doi.org/10.1037/a0020143). Functions follow by the delta method.

Intervals at 95 % are normal for means and covariances, on the log scale for variances, and Fisher's z for correlations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute._threads import single_threaded
from emimpute.errors import EMImputeError, unknown
from emimpute.inference.standing.delta import jacobian, values_of
from emimpute.inference.standing.places import keys, triangle
from emimpute.inference.standing.points import BoxPoint, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emimpute.inference.complete import Law
    from emimpute.inference.standing.points import NormalPoint

__all__ = ["Standing", "stand"]

_COV_TYPES = ("observed", "expected", "sandwich")
_INFORMATION = ("observed", "expected", "complete")
_FLAT = 1e-7  # information, relative to the complete data's, that is not told from 0
_PART = 1e-8  # squared correlation with the flat directions from which a parameter is one that the data leave open
_ROUNDING = 1e-12  # fractions of missing information that are 0
_NAN = float("nan")
_LEFT_OPEN = "Along some direction the likelihood is flat: what it decides has no standard error (NaN)."
_SINGULAR = "The covariance matrix is singular: the fit ended where no information matrix exists."


@single_threaded
def stand(law: Law, df: pd.DataFrame, weights: np.ndarray | None, prior: Any, *, converged: bool) -> Standing:
    """Where ``law`` stands in the likelihood of ``df`` with case weights (n,) under ``prior``.

    Raises EMImputeError for models other than the normal distribution.
    """
    labels = law.table.coordinates
    notes = [] if converged else ["The fit did not converge: all this is said of the point where it stopped."]
    if prior is not None:
        notes.append(f"Under the prior {prior} these are errors of a posterior mode, by the log posterior's curvature.")
    point = None
    if len(labels):
        try:
            point = locate(law, law.table.encode(df, law.table.match(df)), weights, prior)
        except np.linalg.LinAlgError:
            notes.append(_SINGULAR)
    if point is not None and point.too_large:
        notes.append(
            "The information matrix would take too long to form: there are too many parameters, or patterns of gaps."
        )
    mean = law.params.mean + np.asarray(law.table.shift, dtype=float)
    cuts = getattr(law.params, "cuts", np.zeros(0))
    of_cuts = () if point is None else point.cuts
    return Standing(point, labels, of_cuts, mean, law.params.cov, cuts[: len(of_cuts)], df.index, tuple(notes))


@dataclass(frozen=True, eq=False)
class Standing:
    """A point of the likelihood under the names of its parameters."""

    point: NormalPoint | BoxPoint | None  # None where no information exists
    labels: pd.Index[Any]  # (d,)
    of_cuts: tuple[int, ...]  # the coordinate of each cut point
    mean: np.ndarray  # (d,) as users see it
    cov: np.ndarray  # (d, d)
    cuts: np.ndarray  # (c,)
    rows: pd.Index[Any]  # of the frame
    notes: tuple[str, ...]

    @property
    def default(self) -> str:
        """The type of standard errors where none is asked for: "observed", with intervals "sandwich"."""
        return "observed" if self.point is None else self.point.default

    @cached_property
    def index(self) -> pd.MultiIndex:
        """(parameter, column, column2): means, covariances, correlations, cut points."""
        return _index(self.labels.tolist(), self.of_cuts)

    @property
    def estimates(self) -> np.ndarray:
        """All estimates, in the order of ``index``."""
        row, column = triangle(len(self.mean))
        lower, sd = self.cov[row, column], np.sqrt(np.diag(self.cov))
        off = row != column
        return np.concatenate([self.mean, lower, lower[off] / (sd[row] * sd[column])[off], self.cuts])

    def table(self) -> pd.DataFrame:
        """Estimate, standard error, 95 % interval and fraction of missing information of each; notes in ``attrs``."""
        found, cov_type = self.estimates, self.default
        covariance, notes = self._covariance(cov_type)
        error = np.sqrt(covariance.diagonal()) if covariance is not None else np.full(len(found), _NAN)
        low, high = self._interval(found, error)
        columns = {"estimate": found, "se": error, "ci_low": low, "ci_high": high, "fmi": self._missing()}
        out = pd.DataFrame(columns, index=self.index, dtype=float)
        out.attrs.update(cov_type=cov_type, notes=notes)
        return out

    def standard_errors(self, cov_type: str | None = None) -> pd.Series[Any]:
        """Standard errors of one type, in the order of ``index``. Raises EMImputeError for an unknown cov_type."""
        cov_type = self._cov_type(cov_type)
        covariance, notes = self._covariance(cov_type)
        error = np.full(len(self.index), _NAN) if covariance is None else np.sqrt(covariance.diagonal())
        out = pd.Series(error, index=self.index, name="se", dtype=float)
        out.attrs.update(cov_type=cov_type, notes=notes)
        return out

    def cov_params(self, cov_type: str | None = None) -> pd.DataFrame:
        """Covariance matrix of all estimates, labelled by ``index``. Raises EMImputeError for an unknown cov_type."""
        cov_type = self._cov_type(cov_type)
        covariance, notes = self._covariance(cov_type)
        size = len(self.index)
        whole = np.full((size, size), _NAN) if covariance is None else covariance.copy()
        out = pd.DataFrame(whole, index=self.index, columns=self.index, dtype=float)
        out.attrs.update(cov_type=cov_type, notes=notes)
        return out

    @single_threaded
    def information(self, cov_type: str = "observed") -> pd.DataFrame:
        """Information (P, P) of means, covariances and cut points that are estimated, in the data's units.

        Raises EMImputeError for an unknown cov_type, or where the information cannot be had.
        """
        if cov_type not in _INFORMATION:
            raise EMImputeError(unknown("cov_type", cov_type, _INFORMATION))
        point = self._point("The information")
        self._refuse_too_large()
        back = _right_inverse(self._free_slopes)
        found = back.T @ point.information(cov_type) @ back * point.total
        index = self._free_index
        return pd.DataFrame((found + found.T) / 2, index=index, columns=index)

    @single_threaded
    def scores(self) -> pd.DataFrame:
        """Each row's score (n, P), times its weight; 0 for rows that do not count. Raises EMImputeError if none exist.

        It is the gradient of the row's log-likelihood in the parameters that :meth:`information` lists.
        """
        point = self._point("The scores")
        free = ~point.fixed
        out = np.zeros((len(self.rows), int(free.sum())))
        for rows, found in point.scores():
            out[point.rows[rows]] = (found / point.unit)[:, free]
        return pd.DataFrame(out, index=self.rows, columns=self._free_index)

    @single_threaded
    def derived(self, function: Callable[[Any, Any], Any], cov_type: str | None, level: float) -> pd.DataFrame:
        """Estimate, standard error, interval and fraction of missing information of a function of mean and covariance.

        Raises EMImputeError where the function's values are no finite numbers, for a level outside (0, 1), and for an
        unknown cov_type.
        """
        from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

        cov_type = self._cov_type(cov_type)
        if not 0 < level < 1:
            raise EMImputeError(f"level= is between 0 and 1, as .95 is, and this one is {level!r}.")
        names, found = values_of(function, self.labels, self.mean, self.cov)
        error, fraction, notes = np.full(len(found), _NAN), np.full(len(found), _NAN), self.notes
        if self._usable:
            slope, smooth = jacobian(function, self.labels, self.mean, self.cov, len(found))
            m = len(self.mean) * (len(self.mean) + 3) // 2
            through = slope @ self._natural[:m]
            covariance, notes = self._covariance(cov_type, through)
            if covariance is not None:
                error = np.sqrt(covariance.diagonal())
            fraction = self._missing(through)
            if not smooth:
                notes = (*notes, "The function is not smooth at the estimate: its derivative there is not sure.")
        far = float(ndtri((1 + level) / 2)) * error
        columns = {"estimate": found, "se": error, "ci_low": found - far, "ci_high": found + far, "fmi": fraction}
        out = pd.DataFrame(columns, index=names, dtype=float)
        out.attrs.update(cov_type=cov_type, notes=notes)
        return out

    def _cov_type(self, cov_type: str | None) -> str:
        if cov_type is None:
            return self.default
        if cov_type not in _COV_TYPES:
            raise EMImputeError(unknown("cov_type", cov_type, _COV_TYPES))
        return cov_type

    def _point(self, what: str) -> NormalPoint | BoxPoint:
        if self.point is None:
            why = " ".join(self.notes) or "No column has a parameter."
            raise EMImputeError(f"{what} of this fit cannot be had. {why}")
        return self.point

    def _refuse_too_large(self) -> None:
        if not self._usable:
            raise EMImputeError(f"The information of this fit cannot be had. {' '.join(self.notes)}")

    @property
    def _usable(self) -> bool:
        return self.point is not None and not self.point.too_large

    @cached_property
    def _free_slopes(self) -> np.ndarray:
        """Slopes of the parameters that are estimated, in the data's units."""
        point = self._point("The information")
        return np.asarray((point.slopes * point.unit[:, None])[~point.fixed])

    @property
    def _free_index(self) -> pd.MultiIndex:
        corr, fixed = self.index.get_level_values(0) == "corr", self._point("The scores").fixed
        kept = np.flatnonzero(~corr)[~fixed]
        index: pd.MultiIndex = self.index[kept]
        return index.remove_unused_levels()

    @cached_property
    def _natural(self) -> np.ndarray:
        """Slopes of everything listed but correlations, in the data's units, (P, p)."""
        point = self._point("The information")
        return np.asarray(point.slopes * point.unit[:, None])

    @cached_property
    def _slopes(self) -> np.ndarray:
        """Slopes of everything in ``index``, (all, p)."""
        d = len(self.mean)
        row, column = triangle(d)
        off, cov = row != column, self._natural[d : d + len(row)]
        sd = np.sqrt(np.diag(self.cov))
        variances = cov[~off] / np.diag(self.cov)[:, None]
        r = (self.cov / np.outer(sd, sd))[row, column][off]
        grow = (variances[row] + variances[column])[off] / 2
        corr = cov[off] / (sd[row] * sd[column])[off][:, None] - r[:, None] * grow
        return np.concatenate([self._natural[: d + len(row)], corr, self._natural[d + len(row) :]])

    @single_threaded
    def _covariance(self, cov_type: str, slopes: np.ndarray | None = None) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Covariance matrix of functions with these ``slopes`` (default: all of ``index``), and what is to be said."""
        point = self.point
        if point is None or point.too_large:
            return None, self.notes
        slopes, observed = self._slopes if slopes is None else slopes, self._observed
        if observed.saddle:
            return None, (*self.notes, "The point is no maximum: in some direction the log posterior curves upwards.")
        spectrum = _Spectrum.of(point.information("expected")) if cov_type == "expected" else observed
        within = slopes @ spectrum.inverse / point.total
        found = slopes @ within.T if cov_type != "sandwich" else within @ self._meat @ within.T
        found = (found + found.T) / 2
        open_ = spectrum.undetermined(slopes) | observed.undetermined(slopes)  # where the estimate is one of many
        found[open_] = found[:, open_] = _NAN
        flat = spectrum.flat.shape[1] + observed.flat.shape[1] > 0
        notes = (*self.notes, _LEFT_OPEN) if flat else self.notes
        return found, notes

    @cached_property
    def _observed(self) -> _Spectrum:
        return _Spectrum.of(self._point("").information("observed"))

    @cached_property
    def _meat(self) -> np.ndarray:
        """Sum of the rows' squared scores (p, p): each row is a cluster of one, its weight within.

        Under a prior each row bears its share of the prior's gradient, so that they add to nothing at the mode.
        """
        point = self._point("")
        p, n, slopes = point.slopes.shape[1], point.total, point.slopes
        squares, total, weighted = np.zeros((p, p)), np.zeros(p), np.zeros(p)
        for rows, found in point.scores():
            v = found @ slopes
            squares += v.T @ v
            total += v.sum(axis=0)
            weighted += point.weights[rows] @ v
        if point.place.problem.prior is None:
            return squares
        share = point.place.gradient - total / n
        cross = np.outer(weighted, share)
        return np.asarray(squares + cross + cross.T + np.square(point.weights).sum() * np.outer(share, share))

    def _missing(self, slopes: np.ndarray | None = None) -> np.ndarray:
        """Fraction of missing information: 1 - variance without gaps / variance, by the observed information."""
        slopes_ = self._slopes if slopes is None and self._usable else slopes
        if slopes_ is None or not self._usable or self._observed.saddle:
            return np.full(len(self.index), _NAN) if slopes is None else np.full(len(slopes), _NAN)
        point = self._point("")
        variance = ((slopes_ @ self._observed.inverse) * slopes_).sum(axis=1) / point.total
        with np.errstate(invalid="ignore"):
            fraction: np.ndarray = 1 - point.without_gaps(slopes_) / np.where(variance > 0, variance, _NAN)
        fraction[np.abs(fraction) < _ROUNDING] = 0.0
        fraction[self._observed.undetermined(slopes_)] = 1.0
        return fraction

    def _interval(self, found: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """95 % intervals: Fisher's z for correlations, the log scale for variances, normal for all else."""
        from scipy.special import ndtri  # noqa: PLC0415 (importing emimpute stays light)

        d, c = len(self.mean), len(self.cuts)
        row, column = triangle(d)
        far = float(ndtri(0.975)) * error
        low, high = found - far, found + far
        variance = d + np.flatnonzero(row == column)
        grow = np.exp(far[variance] / found[variance])
        low[variance], high[variance] = found[variance] / grow, found[variance] * grow
        corr = slice(d + len(row), len(found) - c)
        with np.errstate(divide="ignore", invalid="ignore"):
            z, side = np.arctanh(found[corr]), far[corr] / (1 - np.square(found[corr]))
            low[corr], high[corr] = np.tanh(z - side), np.tanh(z + side)
        return low, high


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """An information matrix per row, inverted where it is not flat."""

    inverse: np.ndarray  # (p, p)
    flat: np.ndarray  # (p, q) orthonormal directions without information
    saddle: bool

    @classmethod
    def of(cls, information: np.ndarray) -> _Spectrum:
        values, vectors = np.linalg.eigh(information)
        flat = np.abs(values) <= _FLAT
        known = vectors[:, ~flat]
        return cls((known / values[~flat]) @ known.T, vectors[:, flat], bool(values[0] < -_FLAT))

    def undetermined(self, slopes: np.ndarray) -> np.ndarray:
        """Which functions with these ``slopes`` (k, p) move along flat directions, (k,) bool."""
        size = np.square(slopes).sum(axis=1)
        return np.asarray(np.square(slopes @ self.flat).sum(axis=1) > _PART * size)


def _right_inverse(slopes: np.ndarray) -> np.ndarray:
    """The pseudoinverse (p, P) of slopes (P, p) of full rank."""
    unit = np.linalg.norm(slopes, axis=1)
    q, r = np.linalg.qr((slopes / unit[:, None]).T)
    return np.asarray(np.linalg.solve(r, q.T).T / unit)


def _index(labels: Sequence[Any], of_cuts: Sequence[int]) -> pd.MultiIndex:
    """(parameter, column, column2) of means, covariances, correlations and cut points, these numbered from 1."""
    d = len(labels)
    row, column = triangle(d)
    off = row != column
    numbers = [of_cuts[:k].count(j) + 1 for k, j in enumerate(of_cuts)]
    own = np.empty(d + 1 + max(numbers, default=0), dtype=object)
    for place, label in enumerate([*labels, "", *range(1, len(own) - d)]):
        own[place] = label  # one by one: a tuple is one label
    counts = [d, len(row), int(off.sum()), len(of_cuts)]
    names = np.repeat(np.array(["mean", "cov", "corr", "cut"], dtype=object), counts)
    first = np.concatenate([np.arange(d), row, row[off], np.asarray(of_cuts, dtype=int)])
    second = np.concatenate([np.full(d, d), column, column[off], d + np.asarray(numbers, dtype=int)])
    return keys([names, own[first], own[second]], ["parameter", "column", "column2"])
