"""Progress while EM runs: a bar, a line in the log, or whatever function the user gives.

Where none is asked for, a long fit still says now and then in the log that it is at work.

The loop knows nothing of it: it yields iterates, and here they are watched. What is shown as left is estimated from how
fast the estimated distance to the maximum has shrunk, and is left open while that says nothing.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from emimpute.errors import EMImputeError
from emimpute.results.report import LOG

if TYPE_CHECKING:
    from emimpute.em import Iterate

    Progress = bool | Callable[[Iterate], object]
    Watch = Callable[[Iterate, str], None]  # an iterate, and which run it belongs to
    Clock = Callable[[], float]  # seconds

__all__ = ["Pace", "check_progress", "watching"]

_WINDOW = 12  # iterates that the pace is read from
_EVERY = 1.0  # seconds between two lines in the log
_LONG = 10.0  # seconds after which a fit that nobody watches first says that it is at work


def check_progress(progress: object) -> None:
    """Raise EMImputeError for what cannot be a ``progress=``, before any work is done for it."""
    if not (isinstance(progress, bool) or callable(progress)):
        what = type(progress).__name__
        msg = f"progress= takes False, True, or a function that receives each iterate; this is of type {what}."
        raise EMImputeError(msg)


def watching(progress: Progress, tol: float, clock: Clock | None = None) -> AbstractContextManager[Watch]:
    """What sees every iterate of a fit; closed at the end of the ``with`` block, come what may.

    An iterate is to count the E-steps of earlier runs of the same fit; and for a function to have its parameters in the
    columns' units, as copies, so that no watcher can disturb the run. ``clock`` tells the seconds where nobody watches.
    """
    if progress is False:
        return nullcontext(_SignOfLife(clock or time.monotonic))
    if callable(progress):
        return nullcontext(_only_iterates(progress))
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 (an extra: emimpute[progress])
    except ImportError:
        return nullcontext(_Log(tol))
    return _Bar(tqdm(desc="EM", unit=" E-steps"), tol)


def _only_iterates(see: Callable[[Iterate], object]) -> Watch:
    def watch(iterate: Iterate, _: str) -> None:
        see(iterate)

    return watch


class _Paced:
    """Reads the pace of one run after the other."""

    def __init__(self, tol: float) -> None:
        self._tol, self._run, self._pace = tol, "", Pace(tol)

    def left(self, iterate: Iterate, run: str) -> float:
        if run != self._run:
            self._run, self._pace = run, Pace(self._tol)
        return self._pace.left(iterate)


class _Bar(AbstractContextManager["Watch"]):
    """A bar of tqdm, whose length is what has been done and the estimate of what is left."""

    def __init__(self, bar: Any, tol: float) -> None:
        self._bar, self._paced = bar, _Paced(tol)

    def __enter__(self) -> Watch:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _show(self, iterate: Iterate, run: str) -> None:
        left = self._paced.left(iterate, run)
        self._bar.total = None if math.isnan(left) else iterate.esteps + math.ceil(left)
        self._bar.set_description_str(run, refresh=False)
        self._bar.set_postfix_str(f"distance {iterate.remaining:.1e}", refresh=iterate.stop is not None)
        self._bar.update(iterate.esteps - self._bar.n)


class _Log:
    """A line in the log every second, and one at each run's end."""

    def __init__(self, tol: float) -> None:
        self._paced, self._told = _Paced(tol), -math.inf

    def __call__(self, iterate: Iterate, run: str) -> None:
        left, now = self._paced.left(iterate, run), time.monotonic()
        if iterate.stop is None and now - self._told < _EVERY:
            return
        self._told = now
        ahead = "unknown" if math.isnan(left) else "0" if iterate.stop is not None else f"about {math.ceil(left)}"
        LOG.info("%s: E-steps=%d left=%s distance=%.1e", run, iterate.esteps, ahead, iterate.remaining)


class _SignOfLife:
    """A line in the log where a fit takes long: after ten seconds, and then each time it has taken twice as long."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._began, self._due = clock, clock(), _LONG

    def __call__(self, iterate: Iterate, run: str) -> None:
        taken = self._clock() - self._began
        if taken < self._due or iterate.stop is not None:
            return
        while self._due <= taken:
            self._due *= 2
        said = "%s: E-steps=%d seconds=%.0f distance=%.1e; progress=True shows more"
        LOG.info(said, run, iterate.esteps, taken, iterate.remaining)


class Pace:
    """How many E-steps a run still needs to come within ``tol``.

    The estimated distance shrinks by a factor per E-step. For plain EM it is the rate; an accelerated run is taken to
    be no worse than conjugate gradients, whose factor is (√κ − 1)/(√κ + 1) with κ = 1/(1 − rate). Where the last
    iterates were faster than that, their own pace counts.
    """

    def __init__(self, tol: float) -> None:
        self._tol = tol
        self._seen: deque[tuple[int, float]] = deque(maxlen=_WINDOW)

    def left(self, iterate: Iterate) -> float:
        """E-steps left after ``iterate``; NaN while there is nothing to go by."""
        remaining = iterate.remaining
        if iterate.stop is not None:
            return 0.0
        if not 0 < remaining < math.inf:
            return math.nan
        self._seen.append((iterate.esteps, remaining))
        first, before = self._seen[0]
        rates = [_accelerated(iterate.rate) if iterate.accelerated else iterate.rate]
        if iterate.esteps > first:
            rates.append((remaining / before) ** (1 / (iterate.esteps - first)))
        rates = [rate for rate in rates if 0 < rate < 1]
        if not rates:
            return math.nan
        return max(0.0, math.log(self._tol / remaining) / math.log(min(rates)))


def _accelerated(rate: float) -> float:
    """The factor of conjugate gradients where plain EM's is ``rate``."""
    if not 0 < rate < 1:
        return rate
    root = 1 / math.sqrt(1 - rate)
    return (root - 1) / (root + 1)
