r"""Likelihood ratios of analyses of several imputations: what the tests D3 and D4 are made of.

**D3** (Meng & Rubin 1992, https://doi.org/10.1093/biomet/79.1.103) averages *all* parameters ψ over the imputations,
under each hypothesis, and asks how likely the averages are: :math:`\tilde d = \frac 1m \sum_l 2 [\ell_l(\bar\psi_1) -
\ell_l(\bar\psi_0)]`, against :math:`\bar d`, the mean of the ratios at each imputation's own maxima. ψ holds what else
the likelihood depends on beside coefficients: the residual variance of a linear regression (by maximum likelihood,
divisor n), the dispersion of a GLM. So does R's mitml. mice holds the mean slopes only: in each imputation it fits the
intercept again, and the residual variance, which is another number, nearer to that of the imputations' own maxima.

**D4** (Chan & Meng 2022, https://arxiv.org/abs/1711.08822) takes for :math:`\tilde d` the ratio of the maxima for all
imputations stacked below each other, divided by m: it does not depend on how parameters are written (σ² or log σ).
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from emimpute.errors import EMImputeError, named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["flat", "ratios_at_means", "ratios_stacked", "without"]

_SAME = 1e-7  # relative, of log-likelihoods that are computed in two ways
_OF_FORMULAS = {"missing_idx", "formula", "model_spec", "design_info", "missing", "hasconst"}
_INSTEAD = "D1 needs no likelihood, and D2 takes statistics= that you computed."
_RESTRICTED = "For D3, fit the restricted model too, pool it, and give it as restricted=."
_FIXED = {"Poisson", "Binomial", "NegativeBinomial"}  # families without a dispersion of their own


def flat(params: Any) -> np.ndarray:
    """Parameters (k,) as their covariance matrix has them: those of several equations one equation after the other."""
    return np.ravel(np.asarray(params, dtype=float), order="F")


def ratios_at_means(general: Sequence[Any], restricted: Sequence[Any]) -> tuple[float, float, int]:
    """Mean likelihood ratio at each imputation's own maxima, that at the mean parameters, and the difference in k.

    For D3. Raises EMImputeError for models whose likelihood is not known, or that are not nested.
    """
    sides = [[_likelihood(result) for result in results] for results in (general, restricted)]
    own, apart = [], []
    for side in sides:
        mean = np.mean([psi for psi, _ in side], axis=0)
        own.append(np.array([at(psi) for psi, at in side]))
        apart.append(np.array([at(mean) for _, at in side]))
    k = len(sides[0][0][0]) - len(sides[1][0][0])
    _nested(own[0], own[1], k, general, restricted)
    if not np.isfinite(apart).all():
        raise EMImputeError(
            f"The likelihood at the mean parameters is 0 in some imputation: D3 has no value. {_INSTEAD}"
        )
    return 2 * float((own[0] - own[1]).mean()), 2 * float((apart[0] - apart[1]).mean()), k


def ratios_stacked(general: Sequence[Any], restricted: Sequence[Any]) -> tuple[float, float, int]:
    """Mean likelihood ratio at each imputation's own maxima, that of all imputations stacked, and the difference in k.

    For D4. Raises EMImputeError as :func:`ratios_at_means` does, and where the stacked model cannot be made.
    """
    own, together = [], []
    for results in (general, restricted):
        found = [_likelihood(result) for result in results]
        own.append(np.array([at(psi) for psi, at in found]))
        whole = _refitted([result.model for result in results], None, results[0])
        psi, at = _likelihood(whole)
        together.append(at(psi) / len(results))
    k = len(_likelihood(general[0])[0]) - len(_likelihood(restricted[0])[0])
    _nested(own[0], own[1], k, general, restricted)
    return 2 * float((own[0] - own[1]).mean()), 2 * (together[0] - together[1]), k


def without(results: Sequence[Any], terms: Sequence[Any]) -> list[Any]:
    """The same models of the same rows without some columns of their design. EMImputeError where that cannot be."""
    found = []
    for result in results:
        _likelihood(result)  # which raises where there is none
        names = list(getattr(result.model, "exog_names", None) or [])
        exog = getattr(result.model, "exog", None)
        width = 0 if exog is None else np.shape(exog)[1]
        lacking = [term for term in terms if term not in names[:width]]
        if lacking:
            msg = f"{named(lacking)} is no column of the design of {type(result.model).__name__}. {_RESTRICTED}"
            raise EMImputeError(msg)
        keep = [i for i, name in enumerate(names[:width]) if name not in set(terms)]
        if not keep:
            raise EMImputeError("Without these terms no column is left: D3 and D4 need a restricted model to fit.")
        found.append(_refitted([result.model], keep, result))
    return found


def _likelihood(result: Any) -> tuple[np.ndarray, Callable[[np.ndarray], float]]:
    """All parameters ψ at their maximum, and the log-likelihood as a function of them."""
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415 (importing emimpute stays light)
    from statsmodels.regression.linear_model import GLS, WLS  # noqa: PLC0415 (likewise; OLS is a WLS)

    model: Any = getattr(result, "model", None)
    plain = type(model) is GLM  # and none of its kin, as GEE is
    if plain and type(model.family).__name__ not in _FIXED:
        return _dispersed(model, flat(result.params))
    if isinstance(model, GLS | WLS):
        psi, at = _linear(model, flat(result.params))
    elif plain:
        psi, at = flat(result.params), lambda params: float(model.loglike(params, scale=1.0))
    else:
        psi, at = flat(getattr(result, "params", np.nan)), lambda params: float(model.loglike(params))
    try:
        own, said = at(psi), float(result.llf)
    except Exception:  # noqa: BLE001 (whatever a model without a likelihood does)
        own, said = np.nan, np.nan
    if not np.isclose(own, said, rtol=_SAME, atol=_SAME):
        msg = (
            f"The log-likelihood of {type(model).__name__} at given parameters is not known, and D3 and D4 are made of "
            f"it. {_INSTEAD}"
        )
        raise EMImputeError(msg)
    return psi, at


def _linear(model: Any, params: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], float]]:
    """Coefficients and residual variance; statsmodels' likelihood has its maximum over the variance already."""
    n = float(len(model.wendog))

    def variance(coefficients: np.ndarray) -> float:
        return float(np.square(model.wendog - model.wexog @ coefficients).sum() / n)

    def at(psi: np.ndarray) -> float:
        ratio = variance(psi[:-1]) / psi[-1]
        return float(model.loglike(psi[:-1]) + n / 2 * (1 + np.log(ratio) - ratio))

    return np.append(params, variance(params)), at


def _dispersed(model: Any, params: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], float]]:
    """Coefficients and dispersion of a GLM; their maximum is that of the coefficients, then of the dispersion."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 (importing emimpute stays light)

    middle = float(np.log(model.estimate_scale(model.predict(params))))
    found: Any = minimize_scalar(
        lambda log: -float(model.loglike(params, scale=np.exp(log))),
        bounds=(middle - 5, middle + 5),
        method="bounded",
        options={"xatol": 1e-9},
    )
    if not np.isfinite(found.fun):
        msg = f"GLM with the family {type(model.family).__name__} has no likelihood, and D3 and D4 are made of it. "
        raise EMImputeError(msg + _INSTEAD)
    return np.append(params, np.exp(found.x)), lambda psi: float(model.loglike(psi[:-1], scale=psi[-1]))


def _refitted(models: Sequence[Any], keep: list[int] | None, like: Any) -> Any:
    """The model of all these rows together, with the columns ``keep`` of the design, at its maximum.

    ``like`` is the result of the first: made and fitted anew in the same way, that model must have the same likelihood.
    """
    name = type(models[0]).__name__
    try:
        again = float(_maximum(_anew([models[0]], None)).llf)
        found = _maximum(_anew(models, keep))
    except Exception as error:
        msg = f"{name} cannot be fitted anew to its own rows ({type(error).__name__}: {error})."
        raise EMImputeError(f"{msg} {_RESTRICTED}") from error
    if not np.isclose(again, float(like.llf), rtol=_SAME, atol=_SAME):
        msg = f"{name} cannot be fitted anew to its own rows: it was made with more than its design tells."
        raise EMImputeError(f"{msg} {_RESTRICTED}")
    said = getattr(found, "mle_retvals", None)
    if (isinstance(said, dict) and said.get("converged") is False) or getattr(found, "converged", True) is False:
        raise EMImputeError(f"{name} did not converge when it was fitted anew. {_RESTRICTED}")
    return found


def _maximum(model: Any) -> Any:
    quiet = {"disp": 0} if "disp" in inspect.signature(model.fit).parameters else {}
    return model.fit(**quiet)


def _anew(models: Sequence[Any], keep: list[int] | None) -> Any:
    """One model of the rows of all ``models``, made from their arrays."""
    first = models[0]
    given = [{k: v for k, v in model._get_init_kwds().items() if k not in _OF_FORMULAS} for model in models]  # noqa: SLF001
    joined: dict[str, Any] = {}
    for key, value in given[0].items():
        by_row = np.ndim(value) > 0 and len(value) == len(first.endog)
        joined[key] = np.concatenate([np.asarray(own[key]) for own in given]) if by_row else value
    exog = np.concatenate([model.exog for model in models])
    endog = np.concatenate([model.endog for model in models])
    return type(first)(endog, exog if keep is None else exog[:, keep], **joined)


def _nested(general: np.ndarray, restricted: np.ndarray, k: int, models: Sequence[Any], others: Sequence[Any]) -> None:
    """Raise EMImputeError unless one model can be a restriction of the other, of the same outcome and rows."""
    for number, (one, other) in enumerate(zip(models, others, strict=True), start=1):
        if not np.array_equal(np.asarray(one.model.endog), np.asarray(other.model.endog)):
            msg = f"In imputation {number} the two models are not of the same outcome in the same rows."
            raise EMImputeError(f"{msg} Pool both from the same imputations.")
    if k < 1:
        raise EMImputeError(f"The restricted model has fewer parameters than the general one, and not {-k} more.")
    worse = restricted > general + 1e-6 * (1 + np.abs(general))
    if worse.any():
        number = int(np.argmax(worse)) + 1
        raise EMImputeError(f"In imputation {number} the restricted model is the likelier one: it is not nested.")
