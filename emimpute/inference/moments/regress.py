r"""Regression from a fit's moments: maximum likelihood from incomplete data (FIML), nothing imputed.

With y on x, β = Σ_xx⁻¹σ_xy, intercept μ_y − μ_xᵀβ, and the residual variance is σ_yy − σ_xyᵀβ: functions of (μ, Σ), so
the estimates are those of maximum likelihood, and the delta method gives their standard errors. With the residual as a
linear form c = (−β, 1) of (x, y), dβ = Σ_xx⁻¹ (dΣ c)_x, and dσ² = cᵀ dΣ c. All other columns of the fit help to learn
of the gaps of y and x: they are auxiliary variables. Complete data give ordinary least squares, with divisor n in the
variances.

Intervals take quantiles of t with (n − k)(1 − f) degrees of freedom, k coefficients and f the coefficient's fraction of
missing information: what complete data would have, times the share of the information that was observed. That is what
Barnard & Rubin 1999 (https://doi.org/10.1093/biomet/86.4.948) give to infinitely many imputations, but for their factor
(ν + 1)/(ν + 3).
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emimpute.errors import ColumnError, EMImputeError, named, shown, unknown
from emimpute.inference.moments.columns import Columns, share
from emimpute.inference.standing.places import triangle
from emimpute.inference.standing.uncertainty import uncertainty

if TYPE_CHECKING:
    from emimpute.inference.complete import Law
    from emimpute.inference.standing.params import Standing

__all__ = ["Regression", "parse", "regress"]

_WIDTH = 100  # characters of a line of text
_INTERCEPT = "Intercept"


@dataclass(frozen=True, eq=False, repr=False)
class Regression:
    """A linear regression by maximum likelihood from incomplete data. It prints as one screen.

    Attributes
    ----------
    formula
        As it was asked for.
    params
        Coefficients (k,), ``Intercept`` first.
    bse
        Their standard errors; with complete data those of least squares times √((n − k)/n).
    df
        Degrees of freedom of their t quantiles: (n − k)(1 − fmi).
    fmi
        Their fractions of missing information.
    scale, scale_se
        Residual variance (divisor n) and its standard error.
    r2
        1 − residual variance / variance of the outcome, all by maximum likelihood.
    nobs
        Rows of the fit with something observed (of weight above 0).
    cov_type
        "observed": from the observed information, which takes the columns for normal; "sandwich": robust.
    auxiliary
        Other columns of the fit.
    """

    formula: str
    params: pd.Series[Any]
    bse: pd.Series[Any]
    df: pd.Series[Any]
    fmi: pd.Series[Any]
    covariance: np.ndarray  # (k, k)
    scale: float
    scale_se: float
    r2: float
    nobs: int
    cov_type: str
    auxiliary: tuple[Any, ...]
    weighted: bool = False

    @property
    def tvalues(self) -> pd.Series[Any]:
        """Coefficients over their standard errors."""
        return (self.params / self.bse).rename("t")

    @property
    def pvalues(self) -> pd.Series[Any]:
        """Two-sided p-values by t."""
        from scipy.special import stdtr  # noqa: PLC0415 (importing emimpute stays light)

        p = 2 * stdtr(self.df.to_numpy(), -np.abs(self.tvalues.to_numpy()))
        return pd.Series(p, index=self.params.index, name="p")

    def cov_params(self) -> pd.DataFrame:
        """Covariance (k, k) of the coefficients' estimates."""
        return pd.DataFrame(self.covariance.copy(), index=self.params.index, columns=self.params.index)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals (k, 2) of confidence 1 − ``alpha``, by t. Raises EMImputeError for an alpha not between 0 and 1."""
        from scipy.special import stdtrit  # noqa: PLC0415 (importing emimpute stays light)

        half = stdtrit(self.df.to_numpy(), 1 - share(alpha) / 2) * self.bse.to_numpy()
        estimate = self.params.to_numpy()
        return pd.DataFrame({"low": estimate - half, "high": estimate + half}, index=self.params.index)

    def to_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """A row for each coefficient: estimate, se, t, df, p, low, high, fmi."""
        table = pd.DataFrame({"estimate": self.params, "se": self.bse, "t": self.tvalues, "df": self.df})
        return table.assign(p=self.pvalues, **self.conf_int(alpha), fmi=self.fmi)

    def summary(self) -> str:
        """One screen of text."""
        return "\n".join([*self._facts(), "", self._written().to_string(), "", *textwrap.wrap(self._note(), _WIDTH)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        facts = "".join(f"<p>{escape(fact)}</p>" for fact in self._facts())
        return f"<div>{facts}{self._written().to_html()}<p>{escape(self._note())}</p></div>"

    def _facts(self) -> list[str]:
        return [
            f"Regression by maximum likelihood from incomplete data: {self.formula}",
            f"{self.nobs} rows, R2 {self.r2:.4f}, residual variance {self.scale:.6g} (se {self.scale_se:.3g})",
        ]

    def _written(self) -> pd.DataFrame:
        table = self.to_frame()
        digits = {"t": "{:.2f}", "df": "{:.1f}", "p": "{:.4f}", "fmi": "{:.3f}"}
        return pd.DataFrame(
            {name: table[name].map(digits.get(str(name), "{:.6g}").format) for name in table}, index=table.index
        )

    def _note(self) -> str:
        how = {
            "observed": "observed information",
            "expected": "expected information (MCAR)",
            "sandwich": "the sandwich (robust to non-normal columns)",
        }
        said = [f"Standard errors by {how[self.cov_type]}, divisor n; 95 % intervals by t, df = (n - k)(1 - fmi)."]
        if self.auxiliary:
            said.append(f"Auxiliary variables: {named(self.auxiliary)}.")
        if self.weighted:
            said.append("Weights are taken as they are: no design-based variances are claimed.")
        return " ".join(said)


def regress(
    law: Law,
    standing: Standing,
    formula: str,
    *,
    cov_type: str | None = None,
) -> Regression:
    """The regression ``formula`` from the moments of ``law``, which has this ``standing``.

    Raises EMImputeError for a formula with more than main effects, and where no standard errors exist; ColumnError for
    columns that the fit lacks or holds on another scale than their own.
    """
    columns = Columns.of(law)
    outcome, predictors = parse(formula, columns.labels)
    places = [columns.on_own_scale(name, f"In the formula {formula!r}") for name in [*predictors, outcome]]
    found = uncertainty(law, standing, cov_type).take(places)
    mean = found.mean + columns.shift[places]
    k = len(predictors)
    of_x, across = found.cov[:k, :k], found.cov[:k, k]
    slopes = np.linalg.solve(of_x, across)
    form = np.append(-slopes, 1.0)  # the residual, of (x, y)
    variance = float(form @ found.cov @ form)
    derivative = np.concatenate(_derivative(form, np.linalg.inv(of_x), mean[:k]))
    covariance = found.covariance(derivative)
    errors = np.sqrt(np.diag(covariance))
    fmi = found.fmi(derivative)
    index = pd.Index([_INTERCEPT, *predictors], tupleize_cols=False, dtype=object)
    estimates = np.append(mean[k] - mean[:k] @ slopes, slopes)
    of_total = float(found.cov[k, k])

    def series(values: np.ndarray, name: str) -> pd.Series[Any]:
        return pd.Series(values, index=index, name=name)

    return Regression(
        formula=formula,
        params=series(estimates, "estimate"),
        bse=series(errors[:-1], "se"),
        df=series(np.maximum((found.rows - k - 1) * (1 - fmi[:-1]), 1.0), "df"),
        fmi=series(fmi[:-1], "fmi"),
        covariance=covariance[:-1, :-1],
        scale=variance,
        scale_se=float(errors[-1]),
        r2=1 - variance / of_total,
        nobs=found.rows,
        cov_type=found.cov_type,
        auxiliary=tuple(label for label in columns.labels if label not in {outcome, *predictors}),
        weighted=found.weighted,
    )


def _derivative(form: np.ndarray, inverse: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives (1, P), (k, P), (1, P) of intercept, slopes and residual variance in (μ, vech Σ) of (x, y).

    ``form`` (k + 1,) is the residual's, ``inverse`` (k, k) Σ_xx⁻¹, ``mean`` (k,) that of x.
    """
    d = len(form)
    row, column = triangle(d)
    p = d + len(row)
    each = np.arange(d, p)
    of_form = np.zeros((d, p))  # dΣ c
    of_form[row, each] += form[column]
    of_form[column, each] += np.where(row == column, 0.0, form[row])
    slopes = inverse @ of_form[:-1]
    intercept = -mean @ slopes
    intercept[:d] += form
    return intercept[None], slopes, (form @ of_form)[None]


def parse(formula: str, labels: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    """Outcome and predictors of ``"y ~ x1 + x2"``, as labels; ``.`` stands for all columns but the outcome.

    A label that is no plain name is written in backticks or as Q("..."). Raises EMImputeError for anything but main
    effects, ColumnError for labels that are not there, or more than once.

    >>> parse("y ~ x + `my column` + Q('z 2')", ("x", "y", "z 2", "my column"))
    ('y', ['x', 'my column', 'z 2'])
    """
    if not isinstance(formula, str):
        msg = f"A formula is text such as 'y ~ x1 + x2', not {type(formula).__name__}."
        raise EMImputeError(msg)
    sides = _split(formula, "~")
    if len(sides) != 2 or not sides[0] or not sides[1]:
        msg = (
            f"The formula {shown(formula)} is not of the form 'y ~ x1 + x2': it needs an outcome, '~', and predictors."
        )
        raise EMImputeError(msg)
    outcome = _label(sides[0], formula, labels)
    predictors: list[Any] = []
    for term in _split(sides[1], "+"):
        if term == "1":
            continue
        more = [label for label in labels if label != outcome] if term == "." else [_label(term, formula, labels)]
        predictors += [label for label in more if label not in predictors]
    if outcome in predictors:
        msg = f"In the formula {shown(formula)}, {shown(outcome)} stands on both sides: leave it out on the right."
        raise EMImputeError(msg)
    return outcome, predictors


def _split(text: str, at: str) -> list[str]:
    """Parts of ``text`` between the characters ``at`` that stand in no quotes, backticks or brackets."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "`'\"":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == at and not depth:
            parts.append("")
            continue
        parts[-1] += c
    return [part.strip() for part in parts]


_QUOTED = re.compile(r"`([^`]*)`|Q\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)")
_BESIDES = "Or draw imputations and pool: df.em.draw(20, rng=1).pool(formula)."
_ASKS = (
    (re.compile(r"C\(.*\)"), "takes a column as categories", "Make indicator columns of it before the fit."),
    (re.compile(r".*[\w.]\(.*"), "is a transformation", "Add the transformed column before the fit."),
    (re.compile(r".*\*\*.*|.*\^.*"), "is a power", "Add the power as a column before the fit."),
    (re.compile(r".*[:*].*"), "is an interaction", "Add the product as a column before the fit."),
    (
        re.compile(r"0|-\s*1|.*-.*"),
        "takes something out",
        "An intercept is always there; name the predictors you want.",
    ),
)


def _label(term: str, formula: str, labels: tuple[Any, ...]) -> Any:
    """The label that a term names."""
    quoted = _QUOTED.fullmatch(term)
    name = next((group for group in quoted.groups() if group is not None), "") if quoted else term
    found = [label for label in labels if str(label) == name]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{len(found)} columns of the fit are labelled {name!r}: rename them before the fit."
        raise ColumnError(msg)
    if not term:
        msg = f"In the formula {shown(formula)}, a term is empty: write 'y ~ x1 + x2', or 'y ~ 1' for the mean alone."
        raise EMImputeError(msg)
    if not quoted:
        for pattern, what, instead in _ASKS:
            if pattern.fullmatch(term):
                msg = (
                    f"The term {shown(term)} {what}, and regress() takes main effects of the fit's columns only, "
                    f"for a fit knows means and covariances. {instead} {_BESIDES}"
                )
                raise EMImputeError(msg)
    raise ColumnError(f"In the formula {shown(formula)}: {unknown('column', name, list(labels))}")
