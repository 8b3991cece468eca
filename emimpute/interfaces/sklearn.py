"""The door for scikit-learn: :class:`EMImputer`, a transformer that fills gaps by the law it was fitted to.

It translates, and computes nothing: a table comes in as scikit-learn's users give them, :func:`emimpute.fit` learns
from it, and the fitted law fills whatever :meth:`EMImputer.transform` is given. It keeps none of the rows it saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import MissingIndicator
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils._set_output import _get_output_config  # FunctionTransformer's way to know which container is wanted
from sklearn.utils.validation import check_is_fitted, validate_data

from emimpute import _impute
from emimpute._frames import key
from emimpute.errors import ColumnError, ColumnWarning, EMImputeError, named, unknown, warn
from emimpute.inference.complete import complete, levels
from emimpute.inference.drawing.keyed import Keyed, stream
from emimpute.interfaces.tables import (
    array_of,
    as_fitted,
    framed,
    gapped,
    gaps_in,
    is_missing,
    put_back,
    replaced,
    zeroed,
)
from emimpute.kinds.levels import distinct
from emimpute.kinds.reading import missing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emimpute.kinds.base import Coding

__all__ = ["EMImputer"]


class EMImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc] # which publish no types
    """Fill gaps by their conditional expectations under the joint distribution of all columns, fitted by EM.

    Columns may be of any dtype that :func:`emimpute.fit` takes: numbers, booleans, categories, text of few levels,
    dates, brackets. What a row is filled with depends on the fitted law and on that row, on no other row of the call.

    Parameters
    ----------
    kinds
        What a column is, ``{label: name or Kind}``, as in :func:`emimpute.fit`; columns of an array are labelled by
        their positions.
    model, prior, starts, tol, max_iter
        As in :func:`emimpute.fit`. ``max_iter`` counts E-steps, and ``tol`` is a distance to the maximum of the
        likelihood.
    missing_values
        What marks a gap: NaN (and with it None, NA and NaT), or a number or text.
    sample_posterior
        Draw each row's gaps from their joint conditional distribution instead. The fitted parameters are taken as if
        they were known; :func:`emimpute.draw` varies them too.
    add_indicator
        Add a column for each one that had gaps in fit: where they are (:class:`sklearn.impute.MissingIndicator`).
    keep_empty_features
        Keep columns without any value in fit, and fill them with 0, instead of dropping them.
    handle_unknown
        For a level of a category or text that was not seen in fit: ``"error"``, or ``"ignore"``: the cell stays as it
        is and tells nothing about the gaps beside it.
    random_state
        Seeds ``sample_posterior`` and the random ``starts``. With an int, a call of ``transform`` gives the same each
        time.
    verbose
        1 prints the summary of the fit, 2 shows its progress too.

    Attributes
    ----------
    fit_ : emimpute.Fit
        What was learned, without the rows: means, covariances, how EM went, what was found.
    n_iter_ : int
        E-steps of the fit.
    converged_ : bool
        Whether the estimate is within ``tol`` of the maximum; ``fit_.stop`` says why it ended.
    indicator_ : sklearn.impute.MissingIndicator or None
        What adds the indicators.
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of str
        Their names, where all are text.

    Notes
    -----
    The E-step is exact for any pattern of missing cells: Dempster, Laird & Rubin 1977
    (https://doi.org/10.1111/j.2517-6161.1977.tb01600.x).

    Examples
    --------
    >>> import numpy as np
    >>> from emimpute.sklearn import EMImputer
    >>> X = np.array([[1.0, 2.1], [2.0, 3.9], [3.0, 6.2], [4.0, np.nan], [5.0, 9.8]])
    >>> EMImputer().fit(X).transform([[6.0, np.nan]]).round(2)
    array([[ 6.  , 11.81]])
    """

    def __init__(
        self,
        *,
        kinds: Any = None,
        model: Any = "mvn",
        prior: Any = "fallback",
        missing_values: Any = np.nan,
        sample_posterior: bool = False,
        starts: int = 1,
        max_iter: int = 1000,
        tol: float = 1e-6,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        handle_unknown: str = "error",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.kinds = kinds
        self.model = model
        self.prior = prior
        self.missing_values = missing_values
        self.sample_posterior = sample_posterior
        self.starts = starts
        self.max_iter = max_iter
        self.tol = tol
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.handle_unknown = handle_unknown
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> EMImputer:  # noqa: ARG002 (an imputer looks at no target)
        """Learn the joint distribution of the columns of ``X`` (n, p); ``y`` is not looked at.

        ``sample_weight`` (n,) are case weights: a row of weight 2 counts as two rows, one of weight 0 not at all.
        Raises ValueError for what is no table, and what :func:`emimpute.fit` raises: EMImputeError is a ValueError too.
        """
        if self.handle_unknown not in _UNKNOWN:
            raise EMImputeError(f"handle_unknown=: {unknown('way', self.handle_unknown, _UNKNOWN)}")
        df, _ = self._table(X, reset=True)
        gaps = gaps_in(df)
        weights = _weights(sample_weight, df)
        counted = gaps if weights is None else gaps[weights > 0]
        empty: np.ndarray = np.array(counted.all(axis=0))
        if empty.all():
            empty[:] = False  # and the error that follows says that there is nothing to learn from
        learned = _impute.fit(
            df.iloc[:, np.flatnonzero(~empty)],
            kinds=_without(self.kinds, df.columns[empty]),
            model=self.model,
            prior=self.prior,
            weights=weights,
            starts=self.starts,
            tol=self.tol,
            max_iter=self.max_iter,
            rng=None if self.starts == 1 else self._seed(),
            report=True if self.verbose else _kept,  # its words in a warning are for whoever has the fit
            progress=self.verbose > 1,
        )
        self.fit_ = replace(learned, data=None, weights=None)
        self.n_iter_ = self.fit_.n_iter
        self.converged_ = self.fit_.converged
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False).set_output(transform="default").fit(_holes(gaps))
        self._labels = df.columns
        self._empty = empty
        self._dtypes = {i: df.dtypes.iloc[i] for i in self.fit_.law.table.match(df)}
        if empty.any() and not self.keep_empty_features:
            warn(
                f"Columns without any value are dropped: {named(df.columns[empty])}. keep_empty_features=True keeps"
                " them, filled with 0.",
                ColumnWarning,
            )
        return self

    def transform(self, X: Any) -> Any:
        """``X`` (n, p) with its gaps filled: an array, or what ``set_output`` asked for.

        Raises ValueError for other columns than in fit, and ColumnError (a ValueError) for a column that holds
        something else than was learned. Gaps in columns that could not be learned stay, with one ColumnWarning.
        """
        check_is_fitted(self)
        df, changed = self._table(X, reset=False)
        df.columns = self._labels
        gaps = gaps_in(df)
        df = as_fitted(df, self._dtypes)
        strange = self._strange(df) if self.handle_unknown == "ignore" else {}
        known = replaced(df, {i: df.iloc[:, i].mask(mask) for i, mask in strange.items()})
        rng = Keyed(stream((self._seed(),))) if self.sample_posterior else None
        try:
            done, _ = complete(self.fit_.law, as_fitted(known, self._dtypes), rng=rng)
        except ColumnError as error:
            if self.handle_unknown == "ignore" or not self._strange(df):
                raise
            raise ColumnError(f"{error} handle_unknown='ignore' lets such cells be.") from error
        done = replaced(done, {i: put_back(done.iloc[:, i], mask, df.iloc[:, i]) for i, mask in strange.items()})
        if self.keep_empty_features:
            done = replaced(done, {i: zeroed(done.iloc[:, i]) for i in np.flatnonzero(self._empty).tolist()})
        kept = self._kept()
        back = {i: dtype for i, dtype in changed.items() if i in kept and not missing(done.iloc[:, i]).any()}
        done = replaced(done, {i: done.iloc[:, i].astype(dtype) for i, dtype in back.items()}).iloc[:, kept]
        _warn_of_gaps(done)
        return self._as_asked(done, gaps)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of what ``transform`` gives; ``input_features`` name those of an array."""
        names = np.asarray(super().get_feature_names_out(input_features))
        kept: np.ndarray = names[self._kept()]
        if self.indicator_ is None:
            return kept
        return np.concatenate([kept, self.indicator_.get_feature_names_out(names)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = is_missing(self.missing_values)
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _table(self, X: Any, *, reset: bool) -> tuple[pd.DataFrame, dict[int, Any]]:
        """``X`` as a frame whose gaps are pandas' own, and the dtypes that columns had to give up for that."""
        if isinstance(X, pd.DataFrame):
            if (
                X.columns.has_duplicates
            ):  # by which scikit-learn tells columns apart, as of 1.9 with an error of its own
                twice = X.columns[X.columns.duplicated()].unique()
                raise ColumnError(f"Several columns are labelled {named(twice)}: give each a name of its own.")
            df = validate_data(self, X, reset=reset, skip_check_array=True).copy(deep=False)
            if not df.size:
                check_array(np.empty(df.shape), estimator=self)  # says so as all estimators do
            return gapped(df, self.missing_values)
        finite: Any = "allow-nan" if is_missing(self.missing_values) else True
        words = isinstance(X, list) and any(isinstance(cell, str) for row in X if isinstance(row, list) for cell in row)
        cells = validate_data(self, X, reset=reset, dtype=object if words else None, ensure_all_finite=finite)
        if cells.dtype.kind in "biuf":
            cells = check_array(cells, dtype=_FLOATS, ensure_all_finite=finite)
        elif cells.dtype.kind in "US":
            msg = (
                f"EMImputer does not take arrays of dtype {cells.dtype}, in which a gap is text as well: give a"
                " DataFrame, or an array with dtype=object."
            )
            raise EMImputeError(msg)
        return gapped(framed(cells), self.missing_values)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _kept(self) -> np.ndarray:
        """Positions of the columns that ``transform`` gives back."""
        return np.flatnonzero(~self._empty | self.keep_empty_features)

    def _strange(self, df: pd.DataFrame) -> dict[int, np.ndarray]:
        """By position of their column, which cells (n,) hold a level of which nothing was learned."""
        law = self.fit_.law
        codings = zip(self._dtypes, law.table.codings, levels(law), strict=True)
        masks = {i: _unknown(coding, df.iloc[:, i]) for i, coding, count in codings if count is not None}
        return {i: mask for i, mask in masks.items() if mask.any()}

    def _as_asked(self, done: pd.DataFrame, gaps: np.ndarray) -> Any:
        """The completed columns, and the indicators: a frame where ``set_output`` asks for pandas', else an array."""
        if _get_output_config("transform", self)["dense"] == "pandas":
            done = done.copy(deep=False)
            if self.indicator_ is None:
                return done
            more = pd.DataFrame(self.indicator_.transform(_holes(gaps)), index=done.index)
            return pd.concat([done, more], axis=1)
        cells = array_of(done)
        return cells if self.indicator_ is None else np.hstack([cells, self.indicator_.transform(_holes(gaps))])


_UNKNOWN = ("error", "ignore")
_FLOATS = (np.float64, np.float32, np.float16)  # those of other numbers become the first


def _weights(sample_weight: Any, df: pd.DataFrame) -> np.ndarray | None:
    """Case weights (n,), checked by scikit-learn to be as many finite numbers as there are rows."""
    if sample_weight is None:
        return None
    weights: np.ndarray = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.ndim != 1:
        raise EMImputeError(f"sample_weight is one number for each row, and this has the shape {weights.shape}.")
    check_consistent_length(df, weights)
    if (weights < 0).any():
        raise EMImputeError("sample_weight holds negative numbers: a weight says how many rows a row stands for.")
    if not weights.any():
        raise EMImputeError("sample_weight is zero in every row, so there is nothing to learn from.")
    return weights


def _without(kinds: Any, dropped: pd.Index[Any]) -> Any:
    """``kinds`` for the columns that are there to be learned."""
    if not isinstance(kinds, Mapping) or dropped.empty:
        return kinds
    gone = set(map(key, dropped))
    return {label: kind for label, kind in kinds.items() if callable(label) or key(label) not in gone}


def _holes(gaps: np.ndarray) -> np.ndarray:
    """A table with NaN where ``gaps`` is True: what MissingIndicator takes, whatever the cells are."""
    return np.where(gaps, np.nan, 0.0)


def _unknown(coding: Coding, column: pd.Series[Any]) -> np.ndarray:
    """Which cells (n,) of a column of categories hold a level that the coding does not know."""
    if _knows(coding, column):
        return np.zeros(len(column), dtype=bool)
    _, codes = distinct(column)
    used, first = np.unique(codes, return_index=True)
    strange = [code for code, row in zip(used, first, strict=True) if not _knows(coding, column.iloc[row : row + 1])]
    return np.isin(codes, strange)


def _knows(coding: Coding, column: pd.Series[Any]) -> bool:
    try:
        coding.encode(column)
    except ColumnError:
        return False
    return True


def _kept(_: Any) -> None:
    """A report that nobody reads: the fit stays in ``fit_``."""


def _warn_of_gaps(done: pd.DataFrame) -> None:
    left = done.columns[np.array(gaps_in(done).any(axis=0))]
    if len(left):
        warn(f"Gaps remain in column {named(left)}, of which nothing could be learned in fit.", ColumnWarning)
