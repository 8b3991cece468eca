"""What a model owes the engine, and nothing more.

A model is configuration. Bound to data, weights and a prior it gives a :class:`Problem`: how to start, the E-step,
the M-step, and a :class:`Chart`, unconstrained coordinates around a reference in which the complete-data
information is the identity (so that a gradient step of length one *is* the EM step, and lengths mean the same in
every column's unit). The engine in ``em/`` works with these four and never learns a model's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from emimpute.latent import Latent

__all__ = ["Chart", "Model", "Problem"]


class Chart(Protocol):
    """Unconstrained coordinates (p,) of the parameters around a reference, which is the origin."""

    def to_vector(self, params: Any) -> np.ndarray:
        """Coordinates (p,) of ``params``."""

    def from_vector(self, vector: np.ndarray) -> Any:
        """The parameters at ``vector`` (p,)."""

    def gradient(self, params: Any, statistics: Any) -> np.ndarray:
        """Gradient (p,) per row of the log posterior at ``params``, by the E-step's statistics (Fisher's identity)."""

    def distance(self, vector: np.ndarray) -> float:
        """Length of ``vector`` in the unit of ``tol``."""


class Problem(Protocol):
    """A model bound to data."""

    @property
    def rows(self) -> float:
        """Total weight, by which gradients are divided."""

    @property
    def solution(self) -> Any:
        """The maximiser where it has a closed form, else None."""

    @property
    def closed(self) -> bool:
        """Whether nothing is hidden, so that the M-step leads to the maximum from anywhere."""

    # A problem may also have ``nearby``, parameters that may be a better start than these, or None: EM tries both; and
    # ``structure``, what of the data's structure it uses, in words; and ``undetermined(params)``, the groups of
    # coordinates whose covariances a flat likelihood leaves open.

    def start(self, rng: np.random.Generator | None = None) -> Any:
        """Parameters to start from; the same at every call. With ``rng``, others that are as sensible, at random."""

    def expect(self, params: Any) -> tuple[Any, float]:
        """E-step: expected sufficient statistics, and the observed-data log-likelihood, both at ``params``."""

    def maximize(self, statistics: Any) -> Any:
        """M-step: the parameters that maximise the expected complete-data log posterior."""

    def log_prior(self, params: Any) -> float:
        """Log prior density up to a constant; 0 without a prior."""

    def chart(self, reference: Any) -> Chart:
        """Coordinates around ``reference``."""

    @property
    def information_cost(self) -> float:
        """How many E-steps as long as one :meth:`information` takes; infinite where there is none."""

    def information(self, params: Any, statistics: Any) -> np.ndarray:
        """Observed information per row (p, p) in the chart laid at ``params``, from the E-step's statistics there."""

    def noise(self, params: Any, logpost: float) -> float:
        """Rounding error to be expected of ``logpost``, the log posterior at ``params``."""

    def natural(self, params: Any) -> Any:
        """``params`` in the units of the latent coordinates, which is how a model's other methods take them."""

    def degenerate(self, params: Any) -> bool:
        """Whether ``params`` lie on the edge of the parameter space, where the likelihood may be unbounded."""


class Model(Protocol):
    """A distribution over the latent coordinates."""

    @property
    def name(self) -> str:
        """The name it is registered by."""

    def bind(self, latent: Latent, weights: np.ndarray | None, prior: Any) -> Problem:
        """The problem of fitting this model to ``latent`` (n, d) with case weights (n,)."""

    def complete(
        self, params: Any, latent: Latent, *, variance: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, list[np.ndarray] | None]:
        """Holes filled by conditional expectation, or with ``rng`` by a draw, (n, d); on request their covariances.

        These are (n, k, k) for each of the latent table's spans of k coordinates, 0 where observed.
        """

    def to_json(self, params: Any) -> dict[str, Any]:
        """The parameters as JSON types."""

    def from_json(self, document: Mapping[str, Any]) -> Any:
        """What :meth:`to_json` wrote."""
