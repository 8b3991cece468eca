"""Several completed frames as one object, which holds the data once and of each imputation only the filled cells."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from emimpute._frames import written
from emimpute.errors import EMImputeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from emimpute.inference.drawing.posterior import Chains
    from emimpute.inference.pooling.pool import Pooled

__all__ = ["Imputations", "counted"]


def counted(count: int, what: str) -> str:
    """So many of them, in words.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


@dataclass
class _Turn:
    """Which imputation statsmodels has, where it asks for one after the other."""

    at: int = 0
    asked: bool = False  # for another one, that was not looked at yet
    begun: bool = False
    frame: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Imputations(Sequence[pd.DataFrame]):
    """m completed frames: a sequence, which makes each frame when it is asked for.

    ``imputations[0]``, slices, ``len`` and loops work as for a list. A slice is an ``Imputations`` too, and shares what
    it holds.

    ``statsmodels.imputation.bayes_mi.MI`` and ``statsmodels.imputation.mice.MICE`` accept it in the place of their own
    imputers: after ``update()`` the next look at ``data`` gives the next imputation, however often it was updated, for
    there is no chain to run. Each is given once; pass ``imputations[:]`` for another analysis.

    Attributes
    ----------
    method
        How they were drawn.
    note
        What has to be said of them, or "".
    redrawn
        Bootstrap samples that were drawn again, since they lost a column, an answer, or the maximum.
    chains
        How the posterior was sampled: :class:`emimpute.inference.drawing.posterior.Chains`; None for other methods.
    """

    original: pd.DataFrame  # with its gaps
    gaps: Mapping[int, np.ndarray]  # by position of the column, the rows that were filled
    fills: tuple[Mapping[int, Any], ...]  # of each imputation, their cells
    method: str
    note: str = ""
    redrawn: int = 0
    chains: Chains | None = None
    _turn: _Turn = field(default_factory=_Turn)

    def __len__(self) -> int:
        return len(self.fills)

    @overload
    def __getitem__(self, index: int) -> pd.DataFrame: ...
    @overload
    def __getitem__(self, index: slice) -> Imputations: ...
    def __getitem__(self, index: int | slice) -> pd.DataFrame | Imputations:
        if isinstance(index, slice):
            chosen = self.fills[index]
            return Imputations(self.original, self.gaps, chosen, self.method, self.note, self.redrawn, self.chains)
        fills = self.fills[operator.index(index)]
        cells = {}
        for i, rows in self.gaps.items():
            mask = np.zeros(len(self.original), dtype=bool)
            mask[rows] = True
            cells[i] = mask, fills[i]
        return written(self.original, cells)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return (self[i] for i in range(len(self)))

    def to_frame(self, *, original: bool = False) -> pd.DataFrame:
        """All imputations below each other, under a first index level ``imputation`` that counts from 1.

        With ``original`` the data with their gaps come first, as number 0. This is the one thing here that takes the
        memory of m frames.
        """
        frames = dict(enumerate(self, start=1))
        if original:
            frames = {0: self.original, **frames}
        if not frames:
            raise EMImputeError("There is no imputation here: this slice is empty.")
        names = ["imputation", *self.original.index.names]
        bare = {number: frame.copy(deep=False) for number, frame in frames.items()}
        for frame in bare.values():
            frame.attrs = {}  # which concat compares, and arrays among them cannot be
        long = pd.concat(bare, names=names)
        long.attrs = deepcopy(self.original.attrs)
        return long

    def apply(self, f: Callable[[pd.DataFrame], Any]) -> list[Any]:
        """What ``f`` gives for each frame, in a list. Raises EMImputeError, with the number, where it fails."""
        found = []
        for number, frame in enumerate(self, start=1):
            try:
                found.append(f(frame))
            except Exception as error:
                msg = f"In imputation {number} of {len(self)}: {type(error).__name__}: {error}"
                raise EMImputeError(msg) from error
        return found

    def pool(
        self,
        analysis: str | Callable[[pd.DataFrame], Any],
        *,
        model: Any = None,
        dfcom: float | None = None,
        model_kwds: Mapping[str, Any] | None = None,
        fit_kwds: Mapping[str, Any] | None = None,
    ) -> Pooled:
        """Analyse every imputation, and pool what that gives by Rubin's rules.

        Parameters
        ----------
        analysis
            A formula, as statsmodels takes it; or a function of a frame which returns the results of a statsmodels
            model, or (estimates, covariance matrix), or for a single number (estimate, variance).
        model
            The class of the model for a formula: ``statsmodels.api.OLS`` (the default), ``Logit``, ``GLM``, ...
        dfcom
            Degrees of freedom that the analysis of complete data would have. Default: what the results say in
            ``df_resid``, else infinitely many.
        model_kwds, fit_kwds
            Further arguments for the model (``{"family": sm.families.Poisson()}``) and its ``fit``
            (``{"cov_type": "HC3"}``).

        Raises
        ------
        EMImputeError
            For a single imputation, and for an analysis that fails, does not converge, or has other terms in one of
            the imputations, which is named.

        Examples
        --------
        >>> import emimpute
        >>> pooled = emimpute.datasets.load("tao").em.draw(5, rng=1).pool("Air_Temp ~ Humidity + UWind")
        >>> pooled.params.index.tolist()
        ['Intercept', 'Humidity', 'UWind']
        """
        from emimpute.inference.pooling.analysis import analysed  # noqa: PLC0415 (importing emimpute stays light)
        from emimpute.inference.pooling.pool import pooled  # noqa: PLC0415 (likewise)

        return pooled(analysed(self, analysis, model, model_kwds or {}, fit_kwds or {}), dfcom)

    def update(self) -> None:
        """Let the next look at ``data`` give another imputation, as statsmodels' MI asks for one."""
        self._turn.asked = True

    def update_all(self, n_iter: int = 1) -> None:
        """Likewise, as statsmodels' MICE asks for one; no number of iterations makes the next one better."""
        if n_iter:
            self.update()

    @property
    def data(self) -> pd.DataFrame:
        """The imputation whose turn it is: the first, and another one after each ``update()``.

        Raises EMImputeError when all have had their turn.
        """
        turn = self._turn
        if turn.frame is None or turn.asked:
            following = turn.at + 1 if turn.begun else 0
            if following >= len(self):
                msg = (
                    f"All {len(self)} imputations were used: draw more with m=, or pass imputations[:] for another "
                    f"analysis."
                )
                raise EMImputeError(msg)
            turn.at, turn.asked, turn.begun, turn.frame = following, False, True, self[following]
        return turn.frame

    def __repr__(self) -> str:
        cells = sum(len(rows) for rows in self.gaps.values())
        of, each = counted(len(self.original), "row"), counted(cells, "cell")
        said = f"{counted(len(self), 'imputation')} of {of}, {each} each ({self.method})"
        return "\n".join(filter(None, [said, str(self.chains or ""), self.note]))

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in repr(self).splitlines())
