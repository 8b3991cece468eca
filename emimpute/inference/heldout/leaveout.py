r"""Each observed cell predicted from the rest of its row, in closed form, where all cells are points or holes.

With P = Σ_oo⁻¹ of a row's observed block and r = z_o - μ_o, the regression of cell j on the others leaves the error
(Pr)_j / P_jj, whose variance is 1 / P_jj (Besag 1975, https://doi.org/10.2307/2987782, writes the law of one cell
given the others so).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emimpute.models.conditional import Rows, conditionals

if TYPE_CHECKING:
    from emimpute.latent import Latent
    from emimpute.models.mvn import Normal

__all__ = ["left_out"]


def left_out(params: Normal, latent: Latent) -> tuple[np.ndarray, np.ndarray]:
    """What is observed in each cell minus its expectation given the rest of its row, and that law's sd; 0 at holes.

    Both are (n, d). Raises ``numpy.linalg.LinAlgError`` where the covariance of a row's observed block is not positive
    definite.
    """
    n, d = latent.observed.shape
    scale = np.sqrt(np.diag(params.cov))
    x = np.zeros((n, d))
    np.divide(latent.points - params.mean, scale, out=x, where=latent.observed)
    rows = Rows.sort([x], np.ones(n), latent.patterns, precision=False)
    errors, sd = np.zeros((n, d)), np.zeros((n, d))
    for c in conditionals(rows, np.zeros(d), params.cov / np.outer(scale, scale), np.zeros((d, d))):
        of_row = np.arange(len(c.deviations)) if c.chunk.of_row is None else c.chunk.of_row
        block = c.chunk.block[:, of_row]
        at = np.arange(len(c.deviations)), block
        solved = np.einsum("ijr,jr->ir", c.inverse[:, :, of_row], c.deviations[at])
        diagonal = np.einsum("iir->ir", c.inverse)[:, of_row]
        cells = rows.order[c.chunk.rows], block
        errors[cells] = solved / diagonal
        sd[cells] = 1 / np.sqrt(diagonal)
    return errors * scale, sd * scale
