"""Directions of the compass, in degrees: 359 and 1 are neighbours, and their mean is 0.

A direction is two latent coordinates, its cosine and its sine, both of them known exactly; what is expected or drawn
there points in a direction again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from emimpute.kinds import Cells, Coding, Kind
from emimpute.kinds.numbers import Origin, from_numbers, to_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

PLAIN = Origin(0)


@dataclass(frozen=True)
class CompassCoding(Coding):
    """Nothing is learned: every direction has its place on the circle."""

    kind: ClassVar[str] = "compass"
    width: int = 2

    def labels(self, column: Any) -> tuple[str, str]:
        """The two coordinates, as ``fit.mean`` and ``fit.cov`` name them."""
        return f"{column}[cos]", f"{column}[sin]"

    def encode(self, column: pd.Series[Any]) -> Cells:
        """Points of the circle, (n, 2)."""
        angle = np.deg2rad(to_numbers(column, PLAIN))
        return Cells.points(np.stack([np.cos(angle), np.sin(angle)], axis=1))

    def expect(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Any:  # noqa: ARG002
        """The direction of the expected point."""
        return self.decode(mean, like)

    def decode(self, z: np.ndarray, like: pd.Series[Any]) -> Any:
        """The direction of a point, from 0 up to 360 degrees."""
        return from_numbers(degrees(z), PLAIN, like)

    def summarize(self, mean: np.ndarray, var: np.ndarray, like: pd.Series[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Direction and, to first order, its sd; an interval may reach below 0 or beyond 360."""
        length = np.maximum(np.hypot(*mean.T), 1e-9)
        across = np.stack([-mean[:, 1], mean[:, 0]], axis=1) / length[:, np.newaxis] ** 2
        sd = np.rad2deg(np.sqrt(np.einsum("ri,rij,rj->r", across, var, across)))
        sd, estimate = np.minimum(sd, 180 / 3**0.5), degrees(mean)  # no law on the circle is wider than the uniform one
        return {"estimate": estimate, "sd": sd, "low": estimate - 1.96 * sd, "high": estimate + 1.96 * sd}

    def to_json(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class Compass(Kind):
    """Directions in degrees; asked for by name."""

    name: ClassVar[str] = "compass"

    def accepts(self, column: pd.Series[Any]) -> bool:  # noqa: ARG002
        """Never by itself: degrees are numbers like any other."""
        return False

    def learn(self, column: pd.Series[Any]) -> CompassCoding:
        """Nothing but to see that the column holds numbers."""
        to_numbers(column, PLAIN)
        return CompassCoding()

    def restore(self, learned: Mapping[str, Any]) -> CompassCoding:  # noqa: ARG002
        """From nothing."""
        return CompassCoding()


def degrees(z: np.ndarray) -> np.ndarray:
    """Directions (r,) of points (r, 2)."""
    return np.rad2deg(np.arctan2(z[:, 1], z[:, 0])) % 360
