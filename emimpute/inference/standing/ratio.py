r"""Likelihood-ratio tests between fits that see the same cells.

A fit here restricts nothing, so what can be nested is what several fits together say: the same columns fitted group by
group against all rows together (equal distributions), or columns together against blocks of columns apart
(independence). Anything else can be compared by its own log-likelihood and degrees of freedom, a structural equation
model's for instance, if its likelihood is of the same cells in the same units. Wilks 1938
(https://doi.org/10.1214/aoms/1177732360); valid under MAR, for likelihoods need no model of the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.em import Stop
from emimpute.errors import EMImputeError

if TYPE_CHECKING:
    from emimpute.latent import Latent

__all__ = ["LRTest", "lr_test"]

_WORSE = 1e-6  # by which a restricted log-likelihood may be higher: runs end within tol of their maxima


@dataclass(frozen=True)
class LRTest:
    """A likelihood-ratio test: twice what the log-likelihood loses, its degrees of freedom, and p by chi-squared."""

    statistic: float
    df: float
    pvalue: float
    loglik: float  # of the general model
    loglik_restricted: float

    def __repr__(self) -> str:
        return (
            f"Likelihood-ratio test: chi2({self.df:g}) = {self.statistic:.4f}, p = {self.pvalue:.4g} "
            f"(log-likelihood {self.loglik:.4f}, restricted {self.loglik_restricted:.4f})"
        )


def lr_test(general: Any, restricted: Any, df: float | None = None) -> LRTest:
    """Test ``restricted`` against ``general``: each a fit or a list of fits that stand side by side.

    Parameters
    ----------
    general, restricted
        ``lr_test([fit_women, fit_men], fit_all)`` asks whether groups have one distribution;
        ``lr_test(fit_all, [fit_abilities, fit_attitudes])`` whether blocks of columns are independent. ``restricted``
        may be a number, the maximised log-likelihood of any model that is nested in ``general`` and of the same cells,
        with all constants.
    df
        Parameters that the restricted model has less. Counted for fits; needed for a number.

    Returns
    -------
    LRTest
        statistic, df, pvalue, and both log-likelihoods.

    Raises
    ------
    EMImputeError
        For fits under a prior, that did not converge, or that are not of the same cells on the same scale; for a
        restricted model that is likelier than the general one; for fits without data.
    """
    from scipy.special import chdtrc  # noqa: PLC0415 (importing emimpute stays light)

    whole = _fits(general, "general")
    if isinstance(restricted, Real) and not isinstance(restricted, bool):
        if df is None:
            raise EMImputeError("A restricted log-likelihood needs df=, the parameters that its model has less.")
        least, count = float(restricted), df
    else:
        parts = _fits(restricted, "restricted")
        _same_cells(whole, parts)
        least = sum(fit.loglik for fit in parts)
        count = sum(map(_free, whole)) - sum(map(_free, parts)) if df is None else df
    if not (np.isfinite(least) and np.isfinite(count) and count > 0):
        msg = (
            f"The restricted model is to have fewer parameters and a finite log-likelihood; df is {count}, it {least}."
        )
        raise EMImputeError(msg)
    most = sum(fit.loglik for fit in whole)
    statistic = 2 * (most - least)
    if statistic < -_WORSE * max(1.0, abs(most)):
        msg = (
            f"The restricted model is likelier ({least:.6f}) than the general one ({most:.6f}): it is not nested in it."
        )
        raise EMImputeError(msg)
    statistic = max(statistic, 0.0)
    return LRTest(statistic, count, float(chdtrc(count, statistic)), most, least)


def _fits(given: Any, which: str) -> list[Any]:
    fits = list(given) if isinstance(given, (list, tuple)) else [given]
    if not fits or any(not hasattr(fit, "loglik") or not hasattr(fit, "law") for fit in fits):
        raise EMImputeError(f"The {which} model is a fit or a list of fits, and this one is {given!r}.")
    for fit in fits:
        if fit.prior is not None:
            msg = f"The {which} model was fitted under the prior {fit.prior}: its likelihood is not at its maximum."
            raise EMImputeError(f"{msg} Fit with prior=None.")
        if not fit.stop.success:
            flat = " Its parameters cannot be counted." if fit.stop is Stop.FLAT else ""
            raise EMImputeError(f"The {which} model did not reach its maximum: {fit.stop.value}{flat}")
    return fits


def _free(fit: Any) -> int:
    """How many parameters a fit has."""
    return len(fit.information()) if len(fit.law.params.mean) and _boxed(fit) else _normal(fit)


def _normal(fit: Any) -> int:
    d = len(fit.law.params.mean)
    return d * (d + 3) // 2


def _boxed(fit: Any) -> bool:
    return any(len(cut) for coding in fit.law.table.codings for cut in coding.cuts) or _latent(fit).boxed


def _latent(fit: Any) -> Latent:
    if fit.data is None:
        msg = "This fit was read from a file, which holds no data: lr_test() needs the data. Fit the data anew."
        raise EMImputeError(msg)
    latent: Latent = fit.law.table.encode(fit.data, fit.law.table.match(fit.data))
    return latent


def _same_cells(one: list[Any], other: list[Any]) -> None:
    """Raise EMImputeError unless both sides are likelihoods of the same cells and weights, in the same units."""
    sums = [_sums(fits) for fits in (one, other)]
    if set(sums[0]) != set(sums[1]):
        lacking = sorted(map(repr, set(sums[0]) ^ set(sums[1])))
        raise EMImputeError(f"Both models are to be of the same columns; only one of them has {', '.join(lacking)}.")
    for key, found in sums[0].items():
        if not np.allclose(found, sums[1][key], rtol=1e-9, atol=0):
            msg = f"Both models are to be of the same cells on the same scale: those of column {key[0]!r} differ."
            raise EMImputeError(msg)


def _sums(fits: list[Any]) -> dict[tuple[Any, int], np.ndarray]:
    """By coordinate: number and weight of its known cells, and sums over its points, on the columns' own scale."""
    cells: dict[tuple[Any, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for fit in fits:
        latent, table = _latent(fit), fit.law.table
        weights = np.ones(len(latent.lower)) if fit.weights is None else fit.weights
        shift = np.asarray(table.shift, dtype=float)
        seen: dict[Any, int] = {}
        for j, label in enumerate(table.coordinates.tolist()):
            turn = seen[label] = seen.get(label, -1) + 1
            known = latent.known[:, j] & (weights > 0)
            point = known & latent.observed[:, j]
            values = np.where(point, latent.points[:, j] + shift[j], 0.0)
            cells.setdefault((label, turn), []).append((weights[known], values[known]))
    sums = {}
    for key, parts in cells.items():
        w, z = (np.concatenate(side) for side in zip(*parts, strict=True))
        sums[key] = np.array([len(w), w.sum(), np.abs(z) @ w, np.square(z) @ w])
    return sums
