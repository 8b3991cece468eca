"""How EM went: a point for each iterate of ``fit.trace``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from emimpute.em import Stop
from emimpute.errors import EMImputeError, unknown
from emimpute.plots.canvas import empty, panel, title
from emimpute.plots.palette import BLUE, GREY, INK, VERMILLION
from emimpute.plots.words import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emimpute.results.fit import Fit

__all__ = ["trace"]

_AXES = {
    "remaining": "estimated distance to the maximum",
    "step": "length of the step",
    "loglik": "log-likelihood",
    "logpost": "log posterior",
    "rate": "largest fraction of missing information met so far",
}
_LOGARITHMIC = {"remaining", "step"}


def trace(fit: Fit, of: str, on: Any) -> Axes:
    """See :meth:`emimpute.plots.FitPlots.trace`."""
    if of not in _AXES:
        raise EMImputeError(f"of=: {unknown('column of fit.trace', of, list(_AXES))}")
    table = fit.trace
    x, y = table["esteps"].to_numpy(dtype=float), table[of].to_numpy(dtype=float)
    there = np.isfinite(y) & ((y > 0) if of in _LOGARITHMIC else True)
    ax = panel(on)
    if fit.stop is Stop.NOTHING_MISSING or not there.any():
        empty(ax, "There is no run to show.")
        title(ax, _sentence(fit))
        return ax
    fast = there & table["accelerated"].to_numpy()
    plain = there & ~fast
    ax.plot(x[there], y[there], color=GREY, linewidth=1, zorder=1)
    if plain.any():
        ax.plot(x[plain], y[plain], "o", color=BLUE, markersize=6, label="EM step")
    if fast.any():
        ax.plot(x[fast], y[fast], "^", color=VERMILLION, markersize=7, label="accelerated step")
    if of in _LOGARITHMIC:
        ax.set_yscale("log")
        ax.axhline(fit.tol, color=INK, linewidth=1, linestyle="--", label=f"tol = {_short(fit.tol)}")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("E-steps so far")
    ax.set_ylabel(_AXES[of])
    ax.legend(frameon=False, loc="best")
    title(ax, _sentence(fit))
    return ax


def _sentence(fit: Fit) -> str:
    """How the run ended."""
    steps = count(fit.n_iter, "E-step")
    if fit.stop is Stop.CONVERGED:
        return f"EM converged after {steps}: the remaining distance fell below {_short(fit.tol)}"
    if fit.stop is Stop.NOTHING_MISSING:
        return str(fit.stop.value).rstrip(".")
    if fit.stop is Stop.MAX_ITER:
        return f"EM did not converge: after {steps} the remaining distance is still about {fit.remaining:.1g}"
    why = str(fit.stop.value).rstrip(".")
    return f"{why} ({steps})"


def _short(number: float) -> str:
    """``1e-6``, where Python would write ``1e-06``."""
    return f"{number:g}".replace("e-0", "e-")
