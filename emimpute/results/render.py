"""How results print. Every label is the user's, and so is escaped; every number also comes as a frame."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from emimpute.results.fit import Fit

__all__ = ["html", "page", "text"]

_COLUMNS = 30  # columns shown before the rest is only counted
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em}td,th{text-align:left;padding:.1em .8em}"
)


def text(fit: Fit) -> str:
    """One screen of text."""
    lines = [_headline(fit), *(f"{name + ':':<16}{value}" for name, value in _facts(fit)), ""]
    frame = _columns(fit)
    shown = frame.head(_COLUMNS).to_string(index=False)
    lines.append(shown)
    if len(frame) > _COLUMNS:
        lines.append(f"... and {len(frame) - _COLUMNS} more columns; see fit.mean, fit.kinds")
    for problem in fit.findings[:_COLUMNS]:
        lines += ["", f"{problem.sentence} {problem.remedy}".strip()]
    if len(fit.findings) > _COLUMNS:
        lines += ["", f"... and {len(fit.findings) - _COLUMNS} more; see fit.problems"]
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n"))


def html(fit: Fit) -> str:
    """The same as an HTML fragment, for notebooks."""
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _facts(fit))
    frame = _columns(fit)
    table = frame.head(_COLUMNS).to_html(index=False, escape=True, border=0)
    more = f"<p>… and {len(frame) - _COLUMNS} more columns</p>" if len(frame) > _COLUMNS else ""
    said = "".join(f"<li>{escape(f'{p.sentence} {p.remedy}'.strip())}</li>" for p in fit.findings)
    problems = f"<ul>{said}</ul>" if said else ""
    return f"<div><p><b>{escape(_headline(fit))}</b></p><table>{facts}</table>{table}{more}{problems}</div>"


def page(fit: Fit) -> str:
    """A whole page that holds no script and asks for nothing outside."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(_headline(fit))}</title>'
        f"<style>{_STYLE}</style></head><body>{html(fit)}</body></html>"
    )


def _headline(fit: Fit) -> str:
    cells, gaps = fit.rows * len(fit.gaps), sum(fit.gaps)
    share = gaps / cells if cells else 0.0
    return f"Multivariate normal EM: {fit.rows} rows, {len(fit.gaps)} columns, {gaps} cells missing ({share:.1%})"


def _facts(fit: Fit) -> list[tuple[str, str]]:
    remaining = fit.trace["remaining"].iloc[-1] if len(fit.trace) else float("nan")
    facts = [
        ("Stop", fit.stop.value),
        ("E-steps", f"{fit.n_iter}, and {fit.n_check} for closing checks"),
        ("Remaining", f"{remaining:.1e} estimated before the last step (tol {fit.tol:g}; sd and correlation units)"),
        ("Log-likelihood", f"{fit.loglik:.6f}"),
    ]
    if fit.prior is not None:
        facts += [("Log posterior", f"{fit.logpost:.6f}"), ("Prior", f"{fit.prior}")]
    return facts


def _columns(fit: Fit) -> pd.DataFrame:
    """One row for each column: label, kind, missing cells and their share, and for one coordinate its mean and sd."""
    means, variances = fit.mean.to_numpy(), fit.law.params.cov.diagonal()
    place, rows = 0, []
    for label, coding, gaps in zip(fit.law.table.labels, fit.law.table.codings, fit.gaps, strict=True):
        single = coding.width == 1
        mean, sd = (f"{means[place]:.6g}", f"{variances[place] ** 0.5:.6g}") if single else ("", "")
        share = f"{gaps / fit.rows:.1%}" if fit.rows else ""
        rows.append((str(label), coding.kind, gaps, share, mean, sd))
        place += coding.width
    return pd.DataFrame(rows, columns=["column", "kind", "missing", "share", "mean", "sd"])
